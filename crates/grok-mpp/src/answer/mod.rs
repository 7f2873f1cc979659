//! Answer: what a paid call brought back, read so leniently that no bought answer is lost to its shape.
//!
//! In: the body of a success, a Responses object, a chat completion, a list of images or audio, bare or as
//! `{"success":true,"data":…}`. Out: what is in it, and always the whole JSON. Refused: what is not JSON, and a body
//! that names an error and holds no answer beside. A known field of a wrong type counts as absent.

mod error;
pub(crate) mod json;
mod media;
mod tools;
mod usage;

use std::collections::HashSet;

use mpp_core::Amount;
use mpp_http::Payment;
use serde_json::Value;

pub use error::{AnswerError, ServiceError};
use json::{join_lines, list, opened, owned, text};
pub use media::{Audio, Image};
pub use tools::{Execution, FunctionCall, ServerCall};
pub use usage::Usage;

/// What the service answered to one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    raw: Value,
    payment: Option<Box<Payment>>,
    model: Option<String>,
    text: String,
    finish: Option<String>,
    executions: Vec<Execution>,
    server_calls: Vec<ServerCall>,
    function_calls: Vec<FunctionCall>,
    citations: Vec<String>,
    images: Vec<Image>,
    audio: Option<Audio>,
    usage: Option<Usage>,
}

impl Answer {
    /// Reads the body of a successful response.
    ///
    /// # Errors
    /// [`AnswerError::NotJson`] when the bytes are not JSON; [`AnswerError::Service`] when they are an error body.
    pub fn parse(body: &[u8]) -> Result<Self, AnswerError> {
        let raw = json::parse(body)?;
        let answer = Answer::read(raw);
        if answer.is_empty() {
            let (raw, upstream) = (answer.raw(), answer.upstream());
            if let Some(error) = ServiceError::find(raw).or_else(|| ServiceError::find(upstream)) {
                return Err(AnswerError::Service(error));
            }
        }
        Ok(answer)
    }

    /// An answer that is audio itself instead of JSON.
    pub(crate) fn spoken(bytes: Vec<u8>, content_type: &str) -> Self {
        let audio = Audio { bytes, content_type: Some(content_type.to_owned()) };
        Answer { audio: Some(audio), ..Answer::read(Value::Null) }
    }

    pub(crate) fn read(raw: Value) -> Self {
        let upstream = opened(&raw);
        let items = list(upstream, "output");
        let choice = list(upstream, "choices").first().unwrap_or(&Value::Null);
        let message = choice.get("message").unwrap_or(&Value::Null);

        let messages: Vec<&Value> = items.iter().filter(|item| is_message(item)).chain([message]).collect();
        let texts = messages.iter().filter_map(|message| message.get("content")).map(text_of);
        // Whoever goes on after its calls has made them.
        let waits = matches!(text(choice, "finish_reason"), None | Some("tool_calls"));
        let (wanted, made) = list(message, "tool_calls")
            .iter()
            .partition::<Vec<_>, _>(|call| waits && !tools::is_execution(call));
        let made = items.iter().filter(|item| ServerCall::is_item(item)).chain(made.iter().copied());
        Answer {
            model: owned(upstream, "model"),
            text: join_lines(texts.filter(|text| !text.is_empty())),
            finish: owned(upstream.get("incomplete_details").unwrap_or(&Value::Null), "reason")
                .or_else(|| owned(choice, "finish_reason"))
                .or_else(|| owned(upstream, "status")),
            executions: items.iter().chain(list(message, "tool_calls")).filter_map(Execution::read).collect(),
            server_calls: made.filter_map(ServerCall::read).collect(),
            function_calls: items
                .iter()
                .chain(wanted.iter().copied())
                .filter_map(FunctionCall::read)
                .collect(),
            citations: citations(upstream, &messages),
            images: media::images(&raw, upstream),
            audio: Audio::read(upstream),
            usage: upstream.get("usage").and_then(Usage::read),
            payment: None,
            raw,
        }
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty()
            && self.executions.is_empty()
            && self.function_calls.is_empty()
            && self.images.is_empty()
            && self.audio.is_none()
    }

    /// The text a person reads: every text part of every message, or of the first choice; may be empty.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The programs that ran, in the order the service lists them.
    #[must_use]
    pub fn executions(&self) -> &[Execution] {
        &self.executions
    }

    /// The functions that the model wants called by whoever asked, each of which wants a
    /// [`ToolResult`](crate::Message::ToolResult).
    #[must_use]
    pub fn function_calls(&self) -> &[FunctionCall] {
        &self.function_calls
    }

    /// The tools that the service used itself, runs of code among them, in the order it lists them.
    #[must_use]
    pub fn server_calls(&self) -> &[ServerCall] {
        &self.server_calls
    }

    /// The pictures made; not those of [`executions`](Answer::executions).
    #[must_use]
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// The text, spoken.
    #[must_use]
    pub fn audio(&self) -> Option<&Audio> {
        self.audio.as_ref()
    }

    /// Tokens and tool calls as the service counted them.
    #[must_use]
    pub fn usage(&self) -> Option<&Usage> {
        self.usage.as_ref()
    }

    /// URLs of the sources named, each once, in order of appearance.
    #[must_use]
    pub fn citations(&self) -> &[String] {
        &self.citations
    }

    /// The id of the model that answered, which may differ from the one asked.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Why the answer ended, in the service's words: `completed`, `stop`, `max_output_tokens`, `length`, …
    #[must_use]
    pub fn finish(&self) -> Option<&str> {
        self.finish.as_deref()
    }

    /// What was paid for it; `None` when it was free.
    #[must_use]
    pub fn payment(&self) -> Option<&Payment> {
        self.payment.as_deref()
    }

    /// The price paid for it, without the network's fee; `None` when it was free.
    #[must_use]
    pub fn cost(&self) -> Option<Amount> {
        Some(self.payment.as_ref()?.quote().amount)
    }

    pub(crate) fn paid_by(mut self, payment: Option<Box<Payment>>) -> Self {
        self.payment = payment;
        self
    }

    /// The whole body as it came, envelope included; null when it was audio itself.
    #[must_use]
    pub fn raw(&self) -> &Value {
        &self.raw
    }

    /// The same without the service's envelope, if it came in one.
    #[must_use]
    pub fn upstream(&self) -> &Value {
        opened(&self.raw)
    }
}

fn is_message(item: &Value) -> bool {
    text(item, "type") == Some("message") && text(item, "role").is_none_or(|role| role == "assistant")
}

/// The text of a message's content: a string, or its text parts run together.
fn text_of(content: &Value) -> String {
    let part = |part: &Value| match text(part, "type") {
        Some("refusal") => owned(part, "refusal"),
        None | Some("output_text" | "text") => owned(part, "text"),
        Some(_) => None,
    };
    match content {
        Value::String(whole) => whole.clone(),
        Value::Array(parts) => parts.iter().filter_map(part).collect(),
        _ => String::new(),
    }
}

fn citations(upstream: &Value, messages: &[&Value]) -> Vec<String> {
    let parts = messages.iter().flat_map(|message| list(message, "content").iter().chain([*message]));
    let annotations = parts.flat_map(|part| list(part, "annotations"));
    let url = |source: &'_ Value| {
        let nested = || source.get("url_citation").and_then(|nested| owned(nested, "url"));
        source.as_str().map(str::to_owned).or_else(|| owned(source, "url")).or_else(nested)
    };
    let mut seen = HashSet::new();
    let all = list(upstream, "citations").iter().chain(annotations).filter_map(url);
    all.filter(|url| seen.insert(url.clone())).collect()
}
