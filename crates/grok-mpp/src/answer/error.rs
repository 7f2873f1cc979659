//! Bodies that are no answers: errors in the service's own words, and what is not even JSON.

use mpp_core::printable;
use serde_json::Value;

use super::json::{opened, owned, text};

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
    /// The body should be an OpenAPI document, and has no paths.
    #[error("the service answered JSON that is no OpenAPI document")]
    NotASchema,
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

    pub(crate) fn find(body: &Value) -> Option<Self> {
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
        Some(ServiceError::new(code.as_deref(), message))
    }

    /// The error that a body is known to be, whatever it says.
    pub(crate) fn told(body: &Value) -> Self {
        ServiceError::new(code_of(body).as_deref(), text(body, "message"))
    }

    fn new(code: Option<&str>, message: Option<&str>) -> Self {
        let fit = |text: &str, longest| Some(printable(text, longest).trim().to_owned());
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        ServiceError {
            code: filled(code.and_then(|code| fit(code, MAX_CODE_CHARS))),
            message: filled(message.and_then(|message| fit(message, MAX_MESSAGE_CHARS)))
                .unwrap_or_else(|| "no reason given".to_owned()),
        }
    }
}

fn code_of(value: &Value) -> Option<String> {
    let code = value.get("code")?;
    code.as_str().map(str::to_owned).or_else(|| code.is_number().then(|| code.to_string()))
}

/// A message of four terminal lines; longer ones are pages or traces.
const MAX_MESSAGE_CHARS: usize = 300;
/// Room for a problem document's type URL.
const MAX_CODE_CHARS: usize = 120;
