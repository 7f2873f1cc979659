//! Answer: what a paid call brought back, read so leniently that no bought answer is lost to its shape.
//!
//! In: the bytes of a 200 body, a Responses object or a chat completion, bare or as `{"success":true,"data":…}`.
//! Out: text, executions, citations, usage, and always the whole JSON. Refused: what is not JSON, and a body that
//! names an error and holds neither text nor an execution. A known field of a wrong type counts as absent.

use std::collections::{BTreeMap, HashSet};

use mpp_core::printable;
use mpp_http::Payment;
use serde_json::Value;

/// What the service answered to one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    raw: Value,
    payment: Option<Box<Payment>>,
    model: Option<String>,
    text: String,
    finish: Option<String>,
    executions: Vec<Execution>,
    citations: Vec<String>,
    usage: Option<Usage>,
}

impl Answer {
    /// Reads the body of a successful response.
    ///
    /// # Errors
    /// [`AnswerError::NotJson`] when the bytes are not JSON; [`AnswerError::Service`] when they are an error body.
    pub fn parse(body: &[u8]) -> Result<Self, AnswerError> {
        let bytes = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        let raw: Value = serde_json::from_slice(bytes).map_err(|error| AnswerError::NotJson {
            found: looks_like(bytes),
            line: error.line(),
            column: error.column(),
        })?;
        let answer = Self::read(raw);
        if answer.text.is_empty() && answer.executions.is_empty() {
            let upstream = opened(&answer.raw);
            if let Some(error) = ServiceError::find(&answer.raw).or_else(|| ServiceError::find(upstream)) {
                return Err(AnswerError::Service(error));
            }
        }
        Ok(answer)
    }

    fn read(raw: Value) -> Self {
        let upstream = opened(&raw);
        let items = list(upstream, "output");
        let choice = list(upstream, "choices").first().unwrap_or(&Value::Null);
        let message = choice.get("message").unwrap_or(&Value::Null);

        let messages: Vec<&Value> = items.iter().filter(|item| is_message(item)).chain([message]).collect();
        let texts = messages.iter().filter_map(|message| message.get("content")).map(text_of);
        let calls = items.iter().chain(list(message, "tool_calls"));
        Self {
            model: owned(upstream, "model"),
            text: join_lines(texts.filter(|text| !text.is_empty())),
            finish: owned(upstream.get("incomplete_details").unwrap_or(&Value::Null), "reason")
                .or_else(|| owned(choice, "finish_reason"))
                .or_else(|| owned(upstream, "status")),
            executions: calls.filter_map(Execution::read).collect(),
            citations: citations(upstream, &messages),
            usage: upstream.get("usage").and_then(Usage::read),
            payment: None,
            raw,
        }
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

    pub(crate) fn paid_by(mut self, payment: Option<Box<Payment>>) -> Self {
        self.payment = payment;
        self
    }

    /// The whole body as it came, envelope included.
    #[must_use]
    pub fn raw(&self) -> &Value {
        &self.raw
    }
}

/// One program the service ran for the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Execution {
    /// Source text; empty when the service did not say.
    pub code: String,
    /// Logs of the run joined by line breaks; empty when the service left them out, which is common.
    pub output: String,
    /// Pictures made by the run: URLs, or base64 where the service sent data.
    pub images: Vec<String>,
    /// The service's word for how it went, such as `completed` or `failed`.
    pub status: Option<String>,
}

impl Execution {
    fn read(item: &Value) -> Option<Self> {
        let call = item.get("function").filter(|function| function.is_object()).unwrap_or(item);
        let by_kind = text(item, "type").is_some_and(|kind| EXECUTION_KINDS.contains(&kind));
        let by_name = text(call, "name").is_some_and(|name| EXECUTION_TOOLS.contains(&name));
        if !by_kind && !by_name {
            return None;
        }
        let outputs = || list(item, "outputs").iter().chain(list(item, "results"));
        let logs = outputs().filter_map(|output| output.as_str().or_else(|| text(output, "logs")));
        let images = outputs().filter_map(|output| text(output, "url").or_else(|| text(output, "data")));
        let code = owned(item, "code")
            .or_else(|| ["arguments", "input"].iter().find_map(|key| code_in(call.get(key)?)));
        Some(Self {
            code: code.unwrap_or_default(),
            output: join_lines(logs.chain(text(item, "output"))),
            images: images.map(str::to_owned).collect(),
            status: owned(item, "status"),
        })
    }
}

/// What the answer consumed, in the service's own count; every figure is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens of the request.
    pub input_tokens: Option<u64>,
    /// Tokens generated, usually with the hidden reasoning among them.
    pub output_tokens: Option<u64>,
    /// Input and output tokens together.
    pub total_tokens: Option<u64>,
    /// Hidden reasoning tokens.
    pub reasoning_tokens: Option<u64>,
    /// Number of tool calls made on the server.
    pub tool_calls: Option<u64>,
    /// The same by kind of tool, such as `code_interpreter_calls`.
    pub tool_calls_by_kind: BTreeMap<String, u64>,
    /// What the upstream model charged for the call, not what was paid for it; 10^10 ticks are one US dollar.
    pub cost_ticks: Option<u64>,
}

impl Usage {
    fn read(usage: &Value) -> Option<Self> {
        let usage = usage.is_object().then_some(usage)?;
        let number = |key| usage.get(key).and_then(Value::as_u64);
        let reasoning =
            |details| usage.get(details).and_then(|d| d.get("reasoning_tokens")).and_then(Value::as_u64);
        let by_kind = usage.get("server_side_tool_usage_details").and_then(Value::as_object);
        let by_kind =
            by_kind.into_iter().flatten().filter_map(|(kind, count)| Some((kind.clone(), count.as_u64()?)));
        Some(Self {
            input_tokens: number("input_tokens").or_else(|| number("prompt_tokens")),
            output_tokens: number("output_tokens").or_else(|| number("completion_tokens")),
            total_tokens: number("total_tokens"),
            reasoning_tokens: reasoning("output_tokens_details")
                .or_else(|| reasoning("completion_tokens_details")),
            tool_calls: number("num_server_side_tools_used"),
            tool_calls_by_kind: by_kind.collect(),
            cost_ticks: number("cost_in_usd_ticks"),
        })
    }
}

/// Why a body is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The body is not JSON, or is JSON that was cut off.
    #[error(
        "the service answered {found} where JSON was due (line {line}, column {column}); keep the body as it is"
    )]
    NotJson {
        /// What the bytes look like instead.
        found: &'static str,
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, in bytes.
        column: usize,
    },
    /// The body is an error that the service reports.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// An error in the service's own words, bounded and fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service reports{}: {message}", .code.as_ref().map(|code| format!(" {code}")).unwrap_or_default())]
#[non_exhaustive]
pub struct ServiceError {
    /// Short machine-readable code, or the type of a problem document.
    pub code: Option<String>,
    /// Text for a person; never empty.
    pub message: String,
}

impl ServiceError {
    /// Finds the error in a body: the service's envelope, problem+json, or one of xAI's three shapes.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        Self::find(&body).or_else(|| Self::find(opened(&body)))
    }

    fn find(body: &Value) -> Option<Self> {
        let message = text(body, "message");
        let (code, message) = match body.get("error") {
            Some(Value::String(error)) if !error.is_empty() => match message {
                Some(message) => (Some(error.clone()), Some(message)),
                None => (code_of(body), Some(error.as_str())),
            },
            Some(error @ Value::Object(_)) => {
                (code_of(error).or_else(|| owned(error, "type")), text(error, "message").or(message))
            }
            _ if body.get("success") == Some(&Value::Bool(false)) => (code_of(body), message),
            _ => {
                let problem = text(body, "type").is_some() || body.get("status").is_some_and(Value::is_u64);
                let said = text(body, "detail").or_else(|| text(body, "title")).filter(|_| problem)?;
                (owned(body, "type").filter(|kind| kind != "about:blank"), Some(said))
            }
        };
        Some(Self {
            code: code
                .map(|code| printable(&code, MAX_CODE_CHARS).trim().to_owned())
                .filter(|code| !code.is_empty()),
            message: message
                .map(|message| printable(message, MAX_MESSAGE_CHARS).trim().to_owned())
                .filter(|message| !message.is_empty())
                .unwrap_or_else(|| "no reason given".to_owned()),
        })
    }
}

/// The upstream's JSON: the value itself, or what the service's envelope holds.
fn opened(body: &Value) -> &Value {
    let bare = body.get("output").is_some() || body.get("choices").is_some();
    body.get("data").filter(|data| data.is_object() && !bare).unwrap_or(body)
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

/// The program inside a tool call's arguments: an object, JSON in a string, or the bare program.
fn code_in(arguments: &Value) -> Option<String> {
    match arguments {
        Value::String(inner) => {
            let parsed: Option<Value> = serde_json::from_str(inner).ok();
            Some(parsed.and_then(|parsed| owned(&parsed, "code")).unwrap_or_else(|| inner.clone()))
        }
        other => owned(other, "code"),
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

/// Joins parts so that each starts on a line of its own.
fn join_lines(parts: impl Iterator<Item = impl AsRef<str>>) -> String {
    parts.fold(String::new(), |mut all, part| {
        if !all.is_empty() && !all.ends_with('\n') {
            all.push('\n');
        }
        all.push_str(part.as_ref());
        all
    })
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

fn owned(value: &Value, key: &str) -> Option<String> {
    text(value, key).map(str::to_owned)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn code_of(value: &Value) -> Option<String> {
    let code = value.get("code")?;
    code.as_str().map(str::to_owned).or_else(|| code.is_number().then(|| code.to_string()))
}

fn looks_like(body: &[u8]) -> &'static str {
    let start = body.trim_ascii_start();
    match start.first() {
        None => "nothing",
        Some(b'<') => "html or xml",
        Some(b'{' | b'[') => "broken or cut JSON",
        Some(_) if start.starts_with(b"data:") || start.starts_with(b"event:") => "an event stream",
        Some(_) if std::str::from_utf8(start).is_ok() => "plain text",
        Some(_) => "binary data",
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Types of output items and tool calls that are a run of code.
const EXECUTION_KINDS: &[&str] =
    &["code_interpreter_call", "code_execution_call", "code_interpreter", "code_execution"];
/// Names under which a general tool call is a run of code.
const EXECUTION_TOOLS: &[&str] = &["code_execution", "code_interpreter"];
/// A message of four terminal lines; longer ones are pages or traces.
const MAX_MESSAGE_CHARS: usize = 300;
/// Room for a problem document's type URL.
const MAX_CODE_CHARS: usize = 120;
