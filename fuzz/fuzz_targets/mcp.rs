//! Any JSON as the arguments of a tool of `grok-mpp mcp`: what is sent is what they say, the prompt with its files and
//! pictures, to the tool's own route; the caller's cap is the dollars that stand there. What has no setting, or is not
//! what its setting takes, is refused, and nothing is sent.
//!
//! The first line is the tool's name.

#![no_main]
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "of the modules that are included, a part is used"
)]

use std::cell::RefCell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

// What the modules take from crates with an HTTP stack is below.
extern crate self as grok_mpp;
extern crate self as mpp_http;
extern crate self as rmcp;

#[path = "../../crates/grok-mpp/src/answer/mod.rs"]
pub mod answer;
#[path = "../../crates/grok-mpp/src/call/mod.rs"]
pub mod call;
#[path = "../../crates/grok-mpp/src/conversation.rs"]
pub mod conversation;

#[path = "../../crates/grok-cli/src/mcp"]
mod mcp {
    mod order;
    mod schema;
    mod tools;

    use mpp_core::Amount;
    use serde_json::{Map, Value};

    use crate::{Error, Grok};

    /// What may be asked of a tool.
    pub fn settings(tool: &str) -> Vec<&'static str> {
        tools::settings(tool).unwrap_or_default()
    }

    /// The cap of a call, and what comes of sending it.
    pub type Sent = (Option<Amount>, Result<(), Error>);

    /// Reads arguments and sends what they order; none for a tool that sells nothing.
    pub async fn send(
        tool: &str,
        arguments: Map<String, Value>,
        grok: &Grok,
    ) -> Option<Result<Sent, String>> {
        let order = match order::Order::read(tool, arguments)? {
            Ok(order) => order,
            Err(why) => return Some(Err(why)),
        };
        assert_eq!(order.is_for_pictures(), tool == tools::IMAGE);
        let most = order.most;
        Some(Ok((most, order.send(grok).await.map(drop))))
    }
}

pub use answer::Answer;
pub use call::Call;
pub use client::Grok;
pub use error::Error;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let tool = std::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
    let Ok(arguments) = serde_json::from_slice::<Map<String, Value>>(lines.next().unwrap_or_default()) else {
        return;
    };
    let grok = Grok::default();
    let sent = now(mcp::send(tool, arguments.clone(), &grok));
    let expected = TOOLS.iter().find(|(name, ..)| *name == tool);
    let Some((_, route, own)) = expected else { return assert!(sent.is_none()) };
    let expected = body(route, own, &arguments);
    match sent.expect("a tool that sells") {
        Ok((most, Ok(()))) => {
            assert_eq!(most.map(|most| most.base_units()), cap(&arguments).expect("a cap"));
            let mut sent = grok.0.into_inner();
            let (at, body) = sent.pop().expect("a request");
            assert!(sent.is_empty() && body.len() <= 1 << 20);
            let mut body: Value = serde_json::from_slice(&body).expect("JSON");
            let files = arguments.get("files").and_then(Value::as_array).filter(|files| !files.is_empty());
            if let Some(files) = files {
                with_files(&mut body["messages"], text(&arguments, "prompt").expect("a prompt"), files);
            }
            assert_eq!((&*at, Some(body)), (*route, expected));
        }
        Ok((_, Err(Error::Request(error)))) => {
            let large = matches!(error, error::RequestError::TooLarge { .. });
            assert!(large || expected.is_none(), "{error:?}");
            assert!(grok.0.borrow().is_empty());
        }
        Err(why) => {
            let known = mcp::settings(tool);
            let stranger = arguments.keys().find(|name| !known.contains(&name.as_str()));
            assert!(stranger.is_some() || cap(&arguments).is_none() || expected.is_none(), "{why}");
            assert!(stranger.is_none() || why.contains("has no argument"), "{why}");
        }
    }
});

/// What a tool's arguments are as a request; none if it is no good one.
fn body(route: &str, own: &[&str], arguments: &Map<String, Value>) -> Option<Value> {
    let prompt = text(arguments, "prompt")?;
    let given = |name: &str| arguments.get(name).filter(|value| !value.is_null());
    let whole = |name: &str, most: u64| match given(name) {
        None => Some(None),
        Some(value) => value.as_u64().filter(|number| (1..=most).contains(number)).map(Some),
    };
    let texts = |name: &str| match arguments.get(name) {
        None => Some(Vec::new()),
        Some(list) => list.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>(),
    };
    let common = ["prompt", "system", "model", "max_tokens", "temperature", "max_cost_usd"];
    let pictures = route == "/grok/image-generate";
    let known = |name: &String| own.contains(&name.as_str()) || !pictures && common.contains(&name.as_str());
    if !arguments.keys().all(known) || given("model").is_some_and(|model| !model.is_string() || *model == "")
    {
        return None;
    }
    let mut body = json!({});
    if pictures {
        body["prompt"] = Some(prompt).filter(|prompt| !prompt.trim().is_empty())?.into();
        body["response_format"] = "b64_json".into();
        for (name, value) in [("model", given("model")), ("aspect_ratio", given("aspect_ratio"))] {
            value.into_iter().for_each(|value| body[name] = value.clone());
        }
        whole("n", 10)?.into_iter().for_each(|n| body["n"] = n.into());
        let ratios = ["1:1", "16:9", "9:16", "4:3", "3:2", "auto"];
        let ratio = given("aspect_ratio").map(|ratio| ratio.as_str().is_some_and(|it| ratios.contains(&it)));
        return Some(body).filter(|_| ratio.unwrap_or(true));
    }
    let mut messages = Vec::new();
    if let Some(system) = given("system") {
        messages.push(json!({ "role": "system", "content": system.as_str()? }));
    }
    let images: &[&str] = if own.contains(&"image_urls") { &texts("image_urls")? } else { &[] };
    let files = arguments.get("files").is_some_and(|files| files.as_array().is_some_and(|it| !it.is_empty()));
    if let Some(files) = arguments.get("files") {
        let file = |file: &Value| {
            let members = file.as_object().is_some_and(|file| file.len() == 2);
            members && file["name"].is_string() && file["text"].is_string()
        };
        files.as_array().filter(|files| files.iter().all(file))?;
    }
    if prompt.trim().is_empty() && images.is_empty() && !files {
        return None;
    }
    let content = if images.is_empty() {
        prompt.into()
    } else {
        let shown = images.iter().map(|url| json!({ "type": "image_url", "image_url": { "url": url } }));
        let said = Some(json!({ "type": "text", "text": prompt })).filter(|_| !prompt.is_empty());
        shown.chain(said).collect()
    };
    messages.push(json!({ "role": "user", "content": Value::clone(&content) }));
    let model = given("model").and_then(Value::as_str).unwrap_or(Grok::DEFAULT_MODEL);
    let tools = route == "/grok/chat" || Grok::has_tools(model);
    body["messages"] = messages.into();
    body["model"] = model.into();
    body["max_tokens"] = whole("max_tokens", u32::MAX.into())?.unwrap_or(2048).into();
    if let Some(temperature) = given("temperature") {
        body["temperature"] = temperature.as_f64().filter(|it| (0.0..=2.0).contains(it))?.into();
    }
    if own.contains(&"allowed_domains") {
        let (allowed, excluded) = (texts("allowed_domains")?, texts("excluded_domains")?);
        match (allowed.len(), excluded.len()) {
            (0, 0) => {}
            (1..=5, 0) => body["search_parameters"] = json!({ "allowed_domains": allowed }),
            (0, 1..=5) => body["search_parameters"] = json!({ "excluded_domains": excluded }),
            _ => return None,
        }
    }
    Some(body).filter(|_| tools)
}

/// Takes the files out of the last message: each whole, in order, between fences that it does not hold.
fn with_files(messages: &mut Value, prompt: &str, files: &[Value]) {
    let content = &mut messages.as_array_mut().and_then(|it| it.last_mut()).expect("a message")["content"];
    let said = content.as_str().expect("a text").to_owned();
    let mut rest = said.strip_prefix(prompt).expect("the prompt");
    for file in files {
        let [name, text] = ["name", "text"].map(|member| file[member].as_str().expect("a text"));
        rest = rest.strip_prefix("\n\n").unwrap_or(rest);
        rest = rest.strip_prefix(&format!("File {name}:\n")).expect("the file's name");
        let fence = rest.len() - rest.trim_start_matches('`').len();
        let (fence, after) = rest.split_at(fence);
        assert!(fence.len() >= 3 && !text.contains(fence));
        let (_, after) = after.split_once('\n').expect("a line");
        let after = after.strip_prefix(text).expect("the file");
        rest = after.strip_prefix('\n').unwrap_or(after).strip_prefix(fence).expect("the end of the file");
    }
    assert_eq!(rest, "");
    *content = prompt.into();
}

/// Base units of dollars with six decimals at most, or of none.
fn cap(arguments: &Map<String, Value>) -> Option<Option<u128>> {
    let Some(dollars) = arguments.get("max_cost_usd").filter(|cap| !cap.is_null()) else { return Some(None) };
    let (whole, decimals) = dollars.as_str()?.split_once('.').unwrap_or((dollars.as_str()?, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(whole) && digits(decimals) && decimals.len() <= 6).then_some(())?;
    let decimals: u128 = format!("{decimals:0<6}").parse().ok()?;
    whole.parse::<u128>().ok()?.checked_mul(1_000_000)?.checked_add(decimals).map(Some)
}

fn text<'a>(arguments: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    arguments.get(name)?.as_str()
}

/// Nothing here waits.
fn now<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

/// The tools that sell, where each buys, and what of its arguments is its own.
const TOOLS: [(&str, &str, &[&str]); 5] = [
    ("run_python_with_grok", "/grok/code-execution", &["files"]),
    ("ask_grok", "/grok/chat", &["image_urls"]),
    ("search_web", "/grok/web-search", &["allowed_domains", "excluded_domains"]),
    ("search_x", "/grok/x-search", &[]),
    ("generate_image", "/grok/image-generate", &["prompt", "model", "n", "aspect_ratio", "max_cost_usd"]),
];

/// The payment of an answer, which none here has.
#[derive(Clone, Debug, PartialEq)]
pub struct Payment(mpp_core::Quote);

impl Payment {
    pub fn quote(&self) -> &mpp_core::Quote {
        &self.0
    }
}

/// The terms of a payment.
pub struct Quoted;

pub mod client {
    use std::cell::RefCell;

    use crate::Quoted;
    use crate::answer::Answer;
    use crate::call::{Call, Chat, CodeExecution, Dialogue, ImageGeneration, WebSearch, XSearch};
    use crate::conversation::Conversation;
    use crate::error::Error;
    use crate::stream::AnswerStream;

    /// A service that keeps what it is asked.
    #[derive(Debug, Default)]
    pub struct Grok(pub RefCell<Vec<(String, Vec<u8>)>>);

    impl Grok {
        pub const DEFAULT_MODEL: &'static str = "grok-4.3";
        pub const DEFAULT_MAX_TOKENS: u32 = 2048;

        pub fn has_tools(model: &str) -> bool {
            model == "grok-4" || model.starts_with("grok-4.") || model.starts_with("grok-4-")
        }

        pub fn chat(&self, conversation: impl Into<Conversation>) -> Call<'_, Chat> {
            Call::new(self, Chat::new(Dialogue::new(conversation.into())))
        }

        pub fn code_execution(&self, conversation: impl Into<Conversation>) -> Call<'_, CodeExecution> {
            Call::new(self, CodeExecution::new(Dialogue::new(conversation.into())))
        }

        pub fn web_search(&self, conversation: impl Into<Conversation>) -> Call<'_, WebSearch> {
            Call::new(self, WebSearch::new(Dialogue::new(conversation.into())))
        }

        pub fn x_search(&self, conversation: impl Into<Conversation>) -> Call<'_, XSearch> {
            Call::new(self, XSearch::new(Dialogue::new(conversation.into())))
        }

        pub fn generate_image(&self, prompt: impl Into<String>) -> Call<'_, ImageGeneration> {
            Call::new(self, ImageGeneration::new(prompt.into()))
        }

        pub async fn call(&self, route: &str, body: Vec<u8>) -> Result<Answer, Error> {
            self.0.borrow_mut().push((route.to_owned(), body));
            Ok(Answer::parse(b"{}").expect("an answer"))
        }

        pub async fn stream(&self, _: &str, _: Vec<u8>) -> Result<AnswerStream, Error> {
            Ok(AnswerStream)
        }

        pub async fn price(&self, _: &str, _: Vec<u8>) -> Result<Option<Quoted>, Error> {
            Ok(None)
        }
    }
}

pub mod stream {
    pub struct AnswerStream;
}

pub mod error {
    #[derive(Debug)]
    pub enum Error {
        Request(RequestError),
    }

    impl From<RequestError> for Error {
        fn from(error: RequestError) -> Self {
            Error::Request(error)
        }
    }

    #[derive(Debug)]
    pub enum RequestError {
        EmptyPrompt,
        NoModel,
        ForeignModel { model: String },
        OutOfRange { field: &'static str, low: i64, high: i64 },
        NoTokens,
        Tool { index: usize },
        Domains,
        AspectRatio,
        Picture,
        Codec,
        TextTooLong { characters: usize, limit: usize },
        DeclaredExtra { field: &'static str },
        TooLarge { bytes: usize, limit: usize },
    }
}

pub mod model {
    use std::borrow::Cow;
    use std::sync::Arc;

    use serde_json::{Map, Value};

    pub struct Tool;

    impl Tool {
        pub fn new(_: &str, _: String, _: Arc<Map<String, Value>>) -> Self {
            Tool
        }

        pub fn with_title(self, _: &str) -> Self {
            self
        }

        pub fn with_raw_output_schema(self, _: Arc<Map<String, Value>>) -> Self {
            self
        }

        pub fn with_annotations(self, _: ToolAnnotations) -> Self {
            self
        }
    }

    #[derive(Default)]
    pub struct ToolAnnotations;

    impl ToolAnnotations {
        pub fn new() -> Self {
            ToolAnnotations
        }

        pub fn read_only(self, _: bool) -> Self {
            self
        }

        pub fn destructive(self, _: bool) -> Self {
            self
        }

        pub fn idempotent(self, _: bool) -> Self {
            self
        }

        pub fn open_world(self, _: bool) -> Self {
            self
        }
    }
}
