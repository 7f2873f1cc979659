//! Any bytes as the body of a success: grok-mpp keeps all of it that is JSON, and what it shows of it is in it: no text is
//! lost, and nothing is longer than the body.

#![no_main]
#![allow(dead_code, unreachable_pub, reason = "of the modules that are included, a part is used")]

use libfuzzer_sys::fuzz_target;
use mpp_core::Quote;
use serde_json::Value;

// So that reading answers takes no HTTP stack.
extern crate self as mpp_http;

#[path = "../../crates/grok-mpp/src/answer/mod.rs"]
mod answer;

use answer::{Answer, AnswerError};

/// The payment of an answer, which none here has.
#[derive(Clone, Debug, PartialEq)]
pub struct Payment(Quote);

impl Payment {
    /// Its terms.
    pub fn quote(&self) -> &Quote {
        &self.0
    }
}

fuzz_target!(|data: &[u8]| {
    let body = data.strip_prefix("\u{feff}".as_bytes()).unwrap_or(data);
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let answer = match (Answer::parse(data), &json) {
        (Ok(answer), Some(json)) => {
            assert_eq!(answer.raw(), json);
            answer
        }
        (Err(AnswerError::Service(error)), Some(_)) => {
            assert!((1..=300).contains(&error.message.chars().count()), "{error:?}");
            assert!(!error.to_string().contains(|letter: char| letter.is_control() && letter != '\t'));
            return;
        }
        (Err(AnswerError::NotJson { .. }), None) => return,
        (other, _) => panic!("{other:?} of {json:?}"),
    };
    shows_all_text(&answer);
    shows_no_more(&answer, data.len());
});

/// What a person reads of the plainest shapes is there.
fn shows_all_text(answer: &Answer) {
    let raw = answer.raw();
    let plain = raw.get("data").is_none() && raw.get("output").is_none();
    if let Some(text) = raw.pointer("/choices/0/message/content").and_then(Value::as_str).filter(|_| plain) {
        assert_eq!(answer.text(), text);
    }
    for item in raw.get("output").and_then(Value::as_array).into_iter().flatten() {
        let kind = item.get("type").and_then(Value::as_str);
        let content = item.get("content").and_then(Value::as_str);
        if let (Some("message"), Some(text), None) = (kind, content, item.get("role")) {
            assert!(answer.text().contains(text), "{answer:?}");
        }
        if kind == Some("code_interpreter_call") {
            assert!(!answer.executions().is_empty(), "{answer:?}");
        }
    }
}

/// Each string is one of the body's, and each list has an item for each of the body's at most.
fn shows_no_more(answer: &Answer, most: usize) {
    assert!(answer.text().len() <= most);
    let executions = answer.executions();
    let shown = executions.iter().map(|it| it.code.len() + it.output.len());
    let pictures = executions.iter().flat_map(|it| &it.images).map(String::len);
    assert!(shown.chain(pictures).sum::<usize>() <= most, "{executions:?}");
    // A number that is written again may be longer: 1e15.
    let calls = answer.function_calls().iter().map(|it| it.id.len() + it.name.len() + it.arguments.len());
    assert!(calls.sum::<usize>() <= 16 * most, "{answer:?}");
    assert!(executions.len() + answer.function_calls().len() + answer.server_calls().len() <= most);
    assert!(answer.citations().iter().map(String::len).sum::<usize>() <= most);
    for image in answer.images() {
        assert!(image.bytes().is_none_or(|bytes| bytes.len() <= most));
        assert!(image.url().is_none_or(|url| url.len() <= most && !url.starts_with("data:")));
    }
    assert!(answer.audio().is_none_or(|audio| (1..=most).contains(&audio.bytes.len())));
    if let Some(usage) = answer.usage() {
        let [input, output, total] = [usage.input_tokens, usage.output_tokens, usage.total_tokens];
        let counts = [input, output, total, usage.reasoning_tokens, usage.tool_calls, usage.cost_ticks];
        for count in counts.iter().flatten().chain(usage.tool_calls_by_kind.values()) {
            assert!(holds(answer.raw(), *count), "{usage:?}");
        }
    }
}

fn holds(json: &Value, number: u64) -> bool {
    match json {
        Value::Array(items) => items.iter().any(|item| holds(item, number)),
        Value::Object(members) => members.values().any(|value| holds(value, number)),
        other => other.as_u64() == Some(number),
    }
}
