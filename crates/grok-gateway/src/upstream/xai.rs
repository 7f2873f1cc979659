//! xAI's API as it is documented: tools on the server by `/v1/responses`, chat, images and speech each by their own
//! path.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::exchange::{ApiKey, Exchange, Reply, UpstreamUrlError, unusable};
use super::{AnswerFuture, Upstream, is_whole};
use crate::answer::{Answer, Refusal};
use crate::catalog::Route;
use crate::request::{Order, inner};

/// Grok itself, by the operator's key.
pub struct Xai(Exchange);

impl Xai {
    /// Where xAI's API is.
    pub const BASE_URL: &str = "https://api.x.ai";

    /// The API at `base_url`, which is [`Xai::BASE_URL`] unless it is asked by way of something else.
    ///
    /// # Errors
    /// When the URL is none, or cleartext to another machine.
    pub fn new(base_url: &str, key: ApiKey) -> Result<Self, UpstreamUrlError> {
        Exchange::new(base_url, Some(key)).map(Xai)
    }

    /// How long an answer may take; 5 minutes unless it is said.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.0.patience = patience;
        self
    }

    /// How long a stream may be silent; 2 minutes unless it is said.
    #[must_use]
    pub fn quiet(mut self, quiet: Duration) -> Self {
        self.0.quiet = quiet;
        self
    }

    async fn ask(&self, order: &Order) -> Result<Answer, Refusal> {
        // Orders are objects.
        let body = order.body().as_object().cloned().unwrap_or_default();
        let (path, body) = match order.route() {
            Route::CodeExecution => ("/v1/responses", responses(body, json!({"type": "code_interpreter"}))),
            Route::WebSearch => {
                let mut body = body;
                let tool = web_search(body.remove("search_parameters"));
                ("/v1/responses", responses(body, tool))
            }
            Route::XSearch => ("/v1/responses", responses(body, json!({"type": "x_search"}))),
            Route::Chat => ("/v1/chat/completions", chat(body)),
            Route::ImageGenerate => ("/v1/images/generations", body),
            Route::ImageEdit => ("/v1/images/edits", image_edit(body)),
            Route::Speech => {
                return self.0.post("/v1/tts", &speech(body).into()).await.and_then(audio);
            }
        };
        self.0.answer(path, &body.into(), order.streams()).await
    }
}

impl Upstream for Xai {
    fn offers(&self, _: Route) -> Result<(), Refusal> {
        Ok(())
    }

    fn check(&self, order: &Order) -> Result<(), Refusal> {
        is_taken(order)
    }

    fn answer<'a>(&'a self, order: &'a Order) -> AnswerFuture<'a> {
        Box::pin(self.ask(order))
    }
}

impl fmt::Debug for Xai {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Xai").finish_non_exhaustive()
    }
}

/// Whether xAI takes an order, as far as is known.
///
/// # Errors
/// What a payer is told instead of a price.
pub(crate) fn is_taken(order: &Order) -> Result<(), Refusal> {
    let voice = order.body().get("voice_id").and_then(Value::as_str);
    if order.route() == Route::Speech && voice.is_some_and(|voice| !VOICES.contains(&voice)) {
        let message = format!("voice_id must be one of {}", VOICES.join(", "));
        return Err(Refusal::bad_request("invalid_voice_id", message));
    }
    // Where the route itself knows nothing of tools, they are handed on all the same.
    if order.body().get("tools").is_some_and(|tools| !tools.is_array()) {
        return Err(Refusal::bad_request("invalid_tools", "tools must be an array"));
    }
    is_whole(order)
}

/// A chat request as `/v1/responses` takes it, with a tool of the server's first. Nothing is kept at xAI unless the
/// payer asks for it: nobody could look it up again without the operator's key.
fn responses(mut body: Map<String, Value>, tool: Value) -> Map<String, Value> {
    let kind = tool.get("type").cloned();
    let mut tools = vec![tool];
    if let Some(Value::Array(more)) = body.remove("tools") {
        tools.extend(more.into_iter().filter(|more| more.get("type") != kind.as_ref()).map(flat));
    }
    body.insert("tools".to_owned(), tools.into());
    rename(&mut body, "max_tokens", "max_output_tokens");
    rename(&mut body, "messages", "input");
    if let Some(Value::Array(messages)) = body.get_mut("input") {
        *messages = std::mem::take(messages).into_iter().flat_map(items).collect();
    }
    for message in body.get_mut("input").and_then(Value::as_array_mut).into_iter().flatten() {
        let spoken = message.get("role").and_then(Value::as_str) == Some("assistant");
        for part in message.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
            as_input(part, if spoken { "output_text" } else { "input_text" });
        }
    }
    body.entry("store").or_insert(false.into());
    body
}

/// A function in the words of `/v1/responses`, which has no object around what it is.
fn flat(tool: Value) -> Value {
    match tool {
        Value::Object(mut members) if members.get("function").is_some_and(Value::is_object) => {
            if let Some(Value::Object(function)) = members.remove("function") {
                members.extend(function);
            }
            Value::Object(members)
        }
        other => other,
    }
}

/// A message as the items of `/v1/responses`, where calls of functions and their results are items of their own.
fn items(mut message: Value) -> Vec<Value> {
    let Some(members) = message.as_object_mut() else { return vec![message] };
    if members.get("role").and_then(Value::as_str) == Some("tool") {
        let output = members.get("content").cloned().unwrap_or_default();
        return vec![json!({
            "type": "function_call_output", "call_id": members.get("tool_call_id"), "output": output,
        })];
    }
    let Some(Value::Array(calls)) = members.remove("tool_calls") else { return vec![message] };
    let silent = match members.get("content") {
        None | Some(Value::Null) => true,
        Some(content) => content == "",
    };
    let calls = calls.iter().map(|call| {
        let function = call.get("function").unwrap_or(call);
        let (name, arguments) = (function.get("name"), function.get("arguments"));
        json!({"type": "function_call", "call_id": call.get("id"), "name": name, "arguments": arguments})
    });
    Some(message).filter(|_| !silent).into_iter().chain(calls.collect::<Vec<_>>()).collect()
}

/// A part of a message in the words of `/v1/responses`; one that is in them already, or in others, stays as it is.
fn as_input(part: &mut Value, text: &str) {
    let Some(members) = part.as_object_mut() else { return };
    match members.get("type").and_then(Value::as_str) {
        Some("text") => {
            members.insert("type".to_owned(), text.into());
        }
        Some("image_url") => {
            let picture = members.remove("image_url").unwrap_or_default();
            members.insert("type".to_owned(), "input_image".into());
            if let Some(detail) = picture.get("detail") {
                members.insert("detail".to_owned(), detail.clone());
            }
            members.insert("image_url".to_owned(), inner(&picture, "url").into());
        }
        _ => {}
    }
}

/// The tool with what the payer wants it to look at; domains go by the name of filters.
fn web_search(parameters: Option<Value>) -> Value {
    let mut tool = match parameters {
        Some(Value::Object(parameters)) => parameters,
        _ => Map::new(),
    };
    let mut filters = Map::new();
    for name in ["allowed_domains", "excluded_domains"] {
        filters.extend(tool.remove(name).map(|domains| (name.to_owned(), domains)));
    }
    if !filters.is_empty() {
        tool.insert("filters".to_owned(), filters.into());
    }
    tool.insert("type".to_owned(), "web_search".into());
    tool.into()
}

/// One stop sequence is a list of one. A stream ends with its cost, unless the payer will not have it.
pub(super) fn chat(mut body: Map<String, Value>) -> Map<String, Value> {
    if let Some(stop) = body.get_mut("stop").filter(|stop| stop.is_string()) {
        *stop = json!([stop.take()]);
    }
    if body.get("stream").and_then(Value::as_bool) == Some(true) {
        let options = body.entry("stream_options").or_insert_with(|| json!({}));
        if let Some(options) = options.as_object_mut() {
            options.entry("include_usage").or_insert(true.into());
        }
    }
    body
}

fn image_edit(mut body: Map<String, Value>) -> Map<String, Value> {
    if let Some(image) = body.get_mut("image") {
        *image = json!({"type": "image_url", "url": inner(image, "url")});
    }
    body
}

fn speech(mut body: Map<String, Value>) -> Map<String, Value> {
    if let Some(format) = body.get_mut("output_format").filter(|format| format.is_string()) {
        *format = json!({"codec": format.take()});
    }
    body
}

/// Audio as it goes into an envelope. What is surely none is not passed off as it; what has no type is.
pub(super) fn audio(reply: Reply) -> Result<Answer, Refusal> {
    let kind = reply.content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
    if kind.starts_with("text/") || kind.starts_with("application/json") || reply.body.is_empty() {
        return Err(unusable("the service behind answered with something else than audio"));
    }
    Ok(Answer::Whole(json!({"data": STANDARD.encode(&reply.body), "content_type": kind})))
}

fn rename(body: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = body.remove(from) {
        body.insert(to.to_owned(), value);
    }
}

const VOICES: [&str; 5] = ["eve", "ara", "rex", "sal", "leo"];
