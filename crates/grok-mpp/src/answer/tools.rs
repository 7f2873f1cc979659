//! Calls of tools in an answer: those that the service made itself, and those that it wants made.

use serde_json::Value;

use super::json::{join_lines, list, owned, text};

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
    pub(crate) fn read(item: &Value) -> Option<Self> {
        let call = function(item);
        if !is_execution(item) {
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

/// A function that the model wants called by whoever asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionCall {
    /// What its result has to name.
    pub id: String,
    /// The function.
    pub name: String,
    /// Its arguments as JSON, which the model may have got wrong.
    pub arguments: String,
}

impl FunctionCall {
    /// A call of a function, such as one read back from where a conversation was kept.
    pub fn new(id: impl Into<String>, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        FunctionCall { id: id.into(), name: name.into(), arguments: arguments.into() }
    }

    pub(super) fn read(item: &Value) -> Option<Self> {
        if is_execution(item) || !matches!(text(item, "type"), None | Some("function" | "function_call")) {
            return None;
        }
        let call = function(item);
        let arguments = match call.get("arguments")? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let id = owned(item, "call_id").or_else(|| owned(item, "id")).unwrap_or_default();
        Some(FunctionCall { id, name: owned(call, "name")?, arguments })
    }
}

/// A tool that the service used for the answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ServerCall {
    /// What kind of call, in the service's words, such as `web_search_call`.
    pub kind: String,
    /// The service's word for how it went, such as `completed`.
    pub status: Option<String>,
    /// All that the service says of it.
    pub raw: Value,
}

impl ServerCall {
    pub(super) fn read(item: &Value) -> Option<Self> {
        let kind = match text(item, "type") {
            // A chat completion calls all its tools functions.
            None | Some("function") => text(function(item), "name")?,
            Some(kind) => kind,
        };
        Some(ServerCall { kind: kind.to_owned(), status: owned(item, "status"), raw: item.clone() })
    }

    /// Whether an item of a response is such a call.
    pub(super) fn is_item(item: &Value) -> bool {
        let called = |kind: &str| kind.ends_with("_call") && kind != "function_call";
        is_execution(item) || text(item, "type").is_some_and(called)
    }
}

/// Where a call's name and arguments are: in it, or in its `function`.
fn function(item: &Value) -> &Value {
    item.get("function").filter(|function| function.is_object()).unwrap_or(item)
}

pub(super) fn is_execution(item: &Value) -> bool {
    text(item, "type").is_some_and(|kind| EXECUTION_KINDS.contains(&kind))
        || text(function(item), "name").is_some_and(|name| EXECUTION_TOOLS.contains(&name))
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

/// Types of output items and tool calls that are a run of code.
const EXECUTION_KINDS: &[&str] =
    &["code_interpreter_call", "code_execution_call", "code_interpreter", "code_execution"];
/// Names under which a general tool call is a run of code.
const EXECUTION_TOOLS: &[&str] = &["code_execution", "code_interpreter"];
