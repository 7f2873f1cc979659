//! What a request says, and the words of an answer: quoted, counted as tokens, and in pieces for a stream.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use serde_json::Value;

/// The messages of a request.
pub(super) fn messages(body: &Value) -> &[Value] {
    body.get("messages").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Who says a message.
pub(super) fn role(message: &Value) -> Option<&str> {
    message.get("role").and_then(Value::as_str)
}

/// What a message says; of parts without text only the type, such as `[image_url]`.
pub(super) fn said(message: &Value) -> String {
    let part = |part: &Value| match part.get("text").and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => format!("[{}]", part.get("type").and_then(Value::as_str).unwrap_or("part")),
    };
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().map(part).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

/// What the last message of a request says, up to a thousand characters.
pub(super) fn last_words(body: &Value) -> String {
    let text = messages(body).last().map(said).unwrap_or_default();
    match text.char_indices().nth(MOST_QUOTED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// About four bytes a token; notes in answers call it an estimate.
pub(super) fn estimated_tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

/// What is read of a request, by the same estimate.
pub(super) fn prompt_tokens(body: &Value) -> u64 {
    estimated_tokens(body.get("messages").map_or(0, |messages| messages.to_string().len()))
}

/// A text word by word, or in so many pieces of several words.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
    words.chunks(words.len().div_ceil(MOST_PIECES).max(1)).map(<[&str]>::concat).collect()
}

/// A number for the ids of one answer, which differ within one process.
pub(super) fn number() -> u64 {
    static ANSWERED: AtomicU64 = AtomicU64::new(1);
    ANSWERED.fetch_add(1, Ordering::Relaxed)
}

/// When an answer is made, in Unix seconds.
pub(super) fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

const MOST_QUOTED: usize = 1000;
/// As each is an event, of some hundred bytes around it.
const MOST_PIECES: usize = 64;
