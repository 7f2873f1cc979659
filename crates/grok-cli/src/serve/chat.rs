//! `/v1/chat/completions`: a request passed on as it is but for what is OpenAI's alone, and the answer made whole enough for
//! clients that are strict about it, without losing what the service adds.

use grok_mpp::answer::Answer;
use grok_mpp::{Event, Grok};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::order::{self, Order, Shape, switch};
use crate::books::now;

/// How a chat completion is wanted.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) stream: bool,
    /// Whether a stream ends with what it used.
    usage: bool,
    pub(super) model: String,
}

/// Reads a request.
pub(super) fn order(mut asked: Map<String, Value>) -> Result<Order, ApiError> {
    let stream = switch(&mut asked, "stream")?;
    let options = asked.remove("stream_options").unwrap_or_default();
    let usage = options.get("include_usage") == Some(&Value::Bool(true));
    if asked.get("modalities").and_then(Value::as_array).is_some_and(|kinds| kinds.contains(&json!("audio")))
    {
        return Err(ApiError::bad_request("modalities", "chat answers text only; /v1/audio/speech speaks"));
    }
    if asked.contains_key("web_search_options") {
        let message = "chat does not search; /v1/responses does, with the tool web_search";
        return Err(ApiError::bad_request("web_search_options", message));
    }
    for name in OPENAI_ONLY {
        asked.remove(name);
    }
    let model = order::text(&mut asked, "model")?.unwrap_or_else(|| Grok::DEFAULT_MODEL.to_owned());
    let most = order::most_tokens(&mut asked, &["max_completion_tokens", "max_tokens"])?;
    match asked.get_mut("messages").and_then(Value::as_array_mut) {
        Some(messages) if !messages.is_empty() => messages.iter_mut().for_each(known_role),
        _ => {
            return Err(ApiError::bad_request(
                "messages",
                "messages must be an array of at least one message",
            ));
        }
    }
    // The service takes one text.
    if let Some([stop]) = asked.get("stop").and_then(Value::as_array).map(Vec::as_slice) {
        let stop = stop.clone();
        asked.insert("stop".to_owned(), stop);
    }
    asked.insert("model".to_owned(), model.as_str().into());
    asked.insert("max_tokens".to_owned(), most.into());
    let shape = Shape::Chat(Wanted { stream, usage, model });
    Ok(Order { route: "/grok/chat", body: asked, shape })
}

/// What OpenAI calls developer, everybody else calls system.
pub(super) fn known_role(message: &mut Value) {
    if let Some(role) = message.get_mut("role").filter(|role| **role == "developer") {
        *role = "system".into();
    }
}

/// The chat completion that an answer is.
pub(super) fn completion(answer: &Answer, model: &str, id: &str) -> Value {
    let mut whole = answer.upstream().as_object().cloned().unwrap_or_default();
    let choices = match whole.remove("choices") {
        Some(Value::Array(choices)) if !choices.is_empty() => choices,
        _ => vec![json!({"message": message_of(answer)})],
    };
    let choices: Vec<Value> = (0_u64..).zip(choices).map(|(index, choice)| complete(choice, index)).collect();
    let told = |value: Option<&Value>| value.is_some_and(|value| !value.is_null());
    for (name, value) in [("id", json!(id)), ("created", now().into()), ("model", json!(model))] {
        if !told(whole.get(name)) {
            whole.insert(name.to_owned(), value);
        }
    }
    if let Some(usage) = usage(answer) {
        whole.insert("usage".to_owned(), usage);
    }
    whole.insert("object".to_owned(), "chat.completion".into());
    whole.insert("choices".to_owned(), choices.into());
    Value::Object(whole)
}

/// The message of an answer of another shape.
fn message_of(answer: &Answer) -> Value {
    let calls = answer.function_calls().iter().map(|call| {
        json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
    });
    let calls: Vec<Value> = calls.collect();
    match calls.is_empty() {
        true => json!({"content": answer.text()}),
        false => json!({"content": answer.text(), "tool_calls": calls}),
    }
}

fn complete(choice: Value, index: u64) -> Value {
    let Value::Object(mut choice) = choice else { return choice };
    let mut message = match choice.remove("message") {
        Some(Value::Object(message)) => message,
        _ => Map::new(),
    };
    message.entry("role").or_insert_with(|| "assistant".into());
    let content = message.entry("content").or_insert(Value::Null);
    if let Value::Array(parts) = content {
        let texts = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str));
        *content = texts.collect::<String>().into();
    }
    message.entry("refusal").or_insert(Value::Null);
    if message.get("tool_calls").is_some_and(Value::is_null) {
        message.remove("tool_calls");
    }
    let calls = message.contains_key("tool_calls");
    let finish = finish(choice.get("finish_reason").and_then(Value::as_str), calls);
    choice.entry("index").or_insert_with(|| index.into());
    choice.entry("logprobs").or_insert(Value::Null);
    choice.insert("finish_reason".to_owned(), finish.into());
    choice.insert("message".to_owned(), Value::Object(message));
    Value::Object(choice)
}

/// Why an answer ended, in the five words that strict clients know.
fn finish(told: Option<&str>, calls: bool) -> &'static str {
    match told {
        Some("length" | "max_tokens" | "max_output_tokens" | "incomplete") => "length",
        Some("content_filter") => "content_filter",
        Some("function_call") => "function_call",
        Some("tool_calls" | "tool_use") => "tool_calls",
        _ if calls => "tool_calls",
        _ => "stop",
    }
}

/// Puts one of those words in place of the service's own.
fn known_finish(choice: &mut Value) {
    if let Some(told) = choice.get_mut("finish_reason").filter(|told| told.is_string()) {
        *told = finish(told.as_str(), false).into();
    }
}

/// What an answer used, with the figures that strict clients need.
fn usage(answer: &Answer) -> Option<Value> {
    let told = answer.usage()?;
    let (prompt, completion) = (told.input_tokens?, told.output_tokens?);
    let mut usage = answer.upstream().get("usage").and_then(Value::as_object).cloned().unwrap_or_default();
    usage.insert("prompt_tokens".to_owned(), prompt.into());
    usage.insert("completion_tokens".to_owned(), completion.into());
    let total = told.total_tokens.unwrap_or_else(|| prompt.saturating_add(completion));
    usage.insert("total_tokens".to_owned(), total.into());
    Some(Value::Object(usage))
}

/// A completion told in chunks: those of the service as they come, or, if it does not stream, all of it at its end.
#[derive(Debug)]
pub(super) struct Teller {
    wanted: Wanted,
    id: String,
    created: u64,
    /// Whether the service's own chunks were passed on, so that nothing is left to tell.
    chunks: bool,
    /// Whether text of events of another kind was.
    text: bool,
}

impl Teller {
    pub(super) fn new(wanted: Wanted, id: &str) -> Self {
        Teller { wanted, id: id.to_owned(), created: now(), chunks: false, text: false }
    }

    /// What an event is to the client.
    pub(super) fn event(&mut self, event: &Event) -> String {
        let raw = event.raw();
        let choices = raw.get("choices").and_then(Value::as_array);
        let is_chunk = raw.get("object").and_then(Value::as_str) == Some(CHUNK)
            || choices.is_some_and(|choices| choices.iter().any(|choice| choice.get("delta").is_some()));
        let is_event = raw.get("type").is_some_and(Value::is_string);
        match raw.as_object() {
            Some(chunk) if is_chunk => {
                self.chunks = true;
                // Many clients take it for granted that a chunk has a choice; what was used is told at the end.
                if choices.is_none_or(Vec::is_empty) {
                    return String::new();
                }
                let mut chunk = chunk.clone();
                chunk
                    .get_mut("choices")
                    .and_then(Value::as_array_mut)
                    .into_iter()
                    .flatten()
                    .for_each(known_finish);
                self.line(chunk)
            }
            _ if is_event && !event.text().is_empty() => {
                self.text = true;
                self.chunk(json!([{"index": 0, "delta": {"role": "assistant", "content": event.text()}}]))
            }
            _ => String::new(),
        }
    }

    /// What is left to tell once the answer is whole.
    pub(super) fn end(&mut self, answer: &Answer) -> String {
        let whole = completion(answer, &self.wanted.model, &self.id);
        let text = |name| whole.get(name).and_then(Value::as_str).map(str::to_owned);
        (self.id, self.wanted.model) = (text("id").unwrap_or_default(), text("model").unwrap_or_default());
        let mut told = String::new();
        if !self.chunks {
            let choices = whole.get("choices").and_then(Value::as_array);
            told.extend(choices.into_iter().flatten().map(|choice| self.choice(choice)));
        }
        if let Some(usage) = whole.get("usage").filter(|_| self.wanted.usage) {
            told.push_str(&self.line(Map::from_iter([("usage".to_owned(), usage.clone())])));
        }
        told + "data: [DONE]\n\n"
    }

    fn choice(&self, choice: &Value) -> String {
        let member = |name: &str| choice.get(name).cloned().unwrap_or_default();
        let Value::Object(mut delta) = member("message") else { return String::new() };
        delta.retain(|_, value| !value.is_null());
        if self.text {
            delta.remove("content");
        }
        for (index, call) in
            (0_u64..).zip(delta.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten())
        {
            if let Some(call) = call.as_object_mut() {
                call.insert("index".to_owned(), index.into());
            }
        }
        let begun = json!([{"index": member("index"), "delta": delta, "finish_reason": null}]);
        let ended =
            json!([{"index": member("index"), "delta": {}, "finish_reason": member("finish_reason")}]);
        self.chunk(begun) + &self.chunk(ended)
    }

    fn chunk(&self, choices: Value) -> String {
        self.line(Map::from_iter([("choices".to_owned(), choices)]))
    }

    /// One chunk with all that it needs.
    fn line(&self, mut chunk: Map<String, Value>) -> String {
        chunk.insert("object".to_owned(), CHUNK.into());
        let needed: [(&str, Value); 4] = [
            ("id", self.id.as_str().into()),
            ("created", self.created.into()),
            ("model", self.wanted.model.as_str().into()),
            ("choices", Value::Array(Vec::new())),
        ];
        for (name, value) in needed {
            if chunk.get(name).is_none_or(Value::is_null) {
                chunk.insert(name.to_owned(), value);
            }
        }
        format!("data: {}\n\n", Value::Object(chunk))
    }
}

const CHUNK: &str = "chat.completion.chunk";
/// What concerns OpenAI's own platform, and no model.
pub(super) const OPENAI_ONLY: [&str; 8] = [
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
    "verbosity",
];
