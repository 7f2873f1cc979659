//! Reading JSON of which nothing is certain: what is missing or of another type counts as absent.

use serde_json::Value;

use super::error::AnswerError;

/// The JSON that a body is, or what it looks like instead.
pub(crate) fn parse(body: &[u8]) -> Result<Value, AnswerError> {
    let bytes = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    serde_json::from_slice(bytes).map_err(|error| AnswerError::NotJson {
        found: looks_like(bytes),
        line: error.line(),
        column: error.column(),
    })
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

pub(crate) fn owned(value: &Value, key: &str) -> Option<String> {
    text(value, key).map(str::to_owned)
}

pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The upstream's JSON: the value itself, or what the service's envelope holds.
pub(super) fn opened(body: &Value) -> &Value {
    let bare = body.get("output").is_some() || body.get("choices").is_some();
    body.get("data").filter(|data| data.is_object() && !bare).unwrap_or(body)
}

/// Joins parts so that each starts on a line of its own.
pub(super) fn join_lines(parts: impl Iterator<Item = impl AsRef<str>>) -> String {
    parts.fold(String::new(), |mut all, part| {
        if !all.is_empty() && !all.ends_with('\n') {
            all.push('\n');
        }
        all.push_str(part.as_ref());
        all
    })
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
