//! The response object that an answer is, with all that strict clients need: the service's own, or one made of a chat
//! completion.

use grok_mpp::answer::Answer;
use serde_json::{Map, Value, json};

use super::Wanted;
use crate::books::now;

/// The response that an answer is.
pub(in crate::serve) fn response(answer: &Answer, wanted: &Wanted, id: &str) -> Value {
    let mut whole = answer.upstream().as_object().cloned().unwrap_or_default();
    if !whole.get("output").is_some_and(Value::is_array) {
        whole.insert("output".to_owned(), items(answer).into());
        for name in ["choices", "object", "id"] {
            whole.remove(name);
        }
        if let Some(created) = whole.remove("created") {
            whole.insert("created_at".to_owned(), created);
        }
    }
    if !whole.get("status").is_some_and(Value::is_string) {
        let cut =
            ["length", "max_tokens", "content_filter"].iter().find(|word| Some(**word) == answer.finish());
        whole.insert("status".to_owned(), if cut.is_some() { "incomplete" } else { "completed" }.into());
        if let Some(word) = cut {
            let reason = if *word == "content_filter" { word } else { "max_output_tokens" };
            whole.insert("incomplete_details".to_owned(), json!({ "reason": reason }));
        }
    }
    complete(&mut whole, wanted, id);
    Value::Object(whole)
}

/// Puts in what a response has to have.
pub(super) fn complete(whole: &mut Map<String, Value>, wanted: &Wanted, id: &str) {
    let asked = |name: &str, unless: Value| wanted.asked.get(name).cloned().unwrap_or(unless);
    let needed = [
        ("id", json!(id)),
        ("created_at", now().into()),
        ("status", "in_progress".into()),
        ("model", asked("model", Value::Null)),
        ("output", json!([])),
        ("parallel_tool_calls", asked("parallel_tool_calls", true.into())),
        ("tool_choice", asked("tool_choice", "auto".into())),
        ("tools", asked("tools", json!([]))),
        ("text", asked("text", json!({"format": {"type": "text"}}))),
        ("truncation", "disabled".into()),
        ("metadata", asked("metadata", json!({}))),
        ("store", false.into()),
    ];
    let missing = |value: Option<&Value>| value.is_none_or(Value::is_null);
    for (name, value) in needed {
        if missing(whole.get(name)) {
            whole.insert(name.to_owned(), value);
        }
    }
    for name in MAY_BE_NULL {
        whole.entry(name).or_insert_with(|| asked(name, Value::Null));
    }
    whole.insert("object".to_owned(), "response".into());
    if let Some(usage) = whole.get_mut("usage").and_then(Value::as_object_mut) {
        complete_usage(usage);
    }
    for (place, item) in
        whole.get_mut("output").and_then(Value::as_array_mut).into_iter().flatten().enumerate()
    {
        complete_item(item, id, place);
    }
}

/// Puts in what an item of a response has to have.
pub(super) fn complete_item(item: &mut Value, id: &str, place: usize) {
    let Some(item) = item.as_object_mut() else { return };
    let kind = item.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    item.entry("id").or_insert_with(|| format!("item_{id}_{place}").into());
    if kind != "reasoning" {
        item.entry("status").or_insert_with(|| "completed".into());
    }
    match kind.as_str() {
        "message" => {
            item.entry("role").or_insert_with(|| "assistant".into());
            if let Some(Value::String(text)) = item.get("content") {
                let parts = json!([{"type": "output_text", "text": text, "annotations": []}]);
                item.insert("content".to_owned(), parts);
            }
            for part in item.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
                let Some(part) = part.as_object_mut() else { continue };
                part.entry("annotations").or_insert_with(|| json!([]));
            }
        }
        "code_interpreter_call" => {
            item.entry("container_id").or_insert_with(|| "".into());
            item.entry("outputs").or_insert(Value::Null);
        }
        "reasoning" => {
            item.entry("summary").or_insert_with(|| json!([]));
        }
        _ => {}
    }
}

/// The items of an answer that is no response.
fn items(answer: &Answer) -> Vec<Value> {
    let text = answer.text();
    let part = json!({"type": "output_text", "text": text, "annotations": []});
    let message = json!({"type": "message", "role": "assistant", "status": "completed", "content": [part]});
    let calls = answer.function_calls().iter().map(|call| {
        json!({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments})
    });
    let alone = answer.function_calls().is_empty();
    Some(message).filter(|_| alone || !text.is_empty()).into_iter().chain(calls).collect()
}

/// Puts the figures of what was used under the names that a response has for them, and those in that there have to be.
fn complete_usage(usage: &mut Map<String, Value>) {
    for (chat, name) in [
        ("prompt_tokens", "input_tokens"),
        ("completion_tokens", "output_tokens"),
        ("prompt_tokens_details", "input_tokens_details"),
        ("completion_tokens_details", "output_tokens_details"),
    ] {
        if let Some(value) = usage.remove(chat) {
            usage.entry(name).or_insert(value);
        }
    }
    let number =
        |usage: &Map<String, Value>, name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (input, output) = (number(usage, "input_tokens"), number(usage, "output_tokens"));
    let total = usage.get("total_tokens").and_then(Value::as_u64);
    for (name, count) in [
        ("input_tokens", input),
        ("output_tokens", output),
        ("total_tokens", total.unwrap_or_else(|| input.saturating_add(output))),
    ] {
        usage.insert(name.to_owned(), count.into());
    }
    for (name, of) in [
        ("input_tokens_details", &["cached_tokens", "cache_write_tokens"][..]),
        ("output_tokens_details", &["reasoning_tokens"]),
    ] {
        let mut details = usage.remove(name).and_then(|it| it.as_object().cloned()).unwrap_or_default();
        for name in of {
            details.entry(*name).or_insert_with(|| 0.into());
        }
        usage.insert(name.to_owned(), Value::Object(details));
    }
}

const MAY_BE_NULL: [&str; 10] = [
    "error",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "previous_response_id",
    "reasoning",
    "temperature",
    "top_p",
    "usage",
    "user",
];
