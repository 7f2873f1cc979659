//! The sandbox's answers as events of a stream: a response that is begun, its items one after the other, its text in
//! pieces, and the response that is completed; or the chunks of a chat completion. All of them come at once, when the
//! answer is whole.

use std::time::Duration;

use axum::body::Body;
use serde_json::{Value, json};

use super::words::pieces;
use crate::stream::Events;

/// The events of a response object.
pub(super) fn events(response: &Value) -> Events {
    let begun = changed(response, json!({"status": "in_progress", "output": [], "usage": null}));
    let mut events = vec![json!({"type": "response.created", "response": begun})];
    for (index, item) in parts(response, "output").enumerate() {
        let begun = match (item.get("content"), item.get("outputs")) {
            (Some(_), _) => json!({"status": "in_progress", "content": []}),
            (None, Some(_)) => json!({"status": "in_progress", "outputs": null}),
            (None, None) => json!({"status": "in_progress"}),
        };
        let added = changed(item, begun);
        events.push(json!({"type": "response.output_item.added", "output_index": index, "item": added}));
        for (place, part) in parts(item, "content").enumerate() {
            let mut tell = |kind: &str, told: Value| {
                let at = json!({"type": kind, "item_id": item.get("id"), "output_index": index,
                    "content_index": place});
                events.push(changed(&at, told));
            };
            let empty = changed(part, json!({"text": "", "annotations": []}));
            let text = part.get("text").and_then(Value::as_str).unwrap_or_default();
            tell("response.content_part.added", json!({"part": empty}));
            for piece in pieces(text) {
                tell("response.output_text.delta", json!({"delta": piece, "logprobs": []}));
            }
            for (number, annotation) in parts(part, "annotations").enumerate() {
                let added = json!({"annotation_index": number, "annotation": annotation});
                tell("response.output_text.annotation.added", added);
            }
            tell("response.output_text.done", json!({"text": text, "logprobs": []}));
            tell("response.content_part.done", json!({"part": part}));
        }
        events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }
    events.push(json!({"type": "response.completed", "response": response}));
    sent(events.iter().enumerate().map(|(number, event)| encode(number, event)).collect())
}

/// The chunks of a chat completion, one choice after the other, and what it used at the end where that is wanted.
pub(super) fn chunks(completion: &Value, usage: bool) -> Events {
    let empty = json!({"object": "chat.completion.chunk", "choices": [], "usage": null});
    let empty = changed(completion, empty);
    let mut text = String::new();
    let mut tell = |members: Value| text.push_str(&format!("data: {}\n\n", changed(&empty, members)));
    for choice in parts(completion, "choices") {
        let (index, finish) = (choice.get("index"), choice.get("finish_reason"));
        for delta in choice.get("message").map(deltas).into_iter().flatten() {
            tell(json!({"choices": [{"index": index, "delta": delta, "finish_reason": null}]}));
        }
        tell(json!({"choices": [{"index": index, "delta": {}, "finish_reason": finish}]}));
    }
    if usage {
        tell(json!({"usage": completion.get("usage")}));
    }
    sent(text + "data: [DONE]\n\n")
}

/// What a message consists of: its role, its text in pieces, and each call by its name and then its arguments.
fn deltas(message: &Value) -> Vec<Value> {
    let mut deltas = vec![json!({"role": message.get("role")})];
    let text = message.get("content").and_then(Value::as_str).unwrap_or_default();
    deltas.extend(pieces(text).into_iter().map(|piece| json!({"content": piece})));
    for (index, call) in parts(message, "tool_calls").enumerate() {
        let function = call.get("function").cloned().unwrap_or_default();
        let named = changed(&function, json!({"arguments": ""}));
        deltas.push(json!({"tool_calls": [changed(call, json!({"index": index, "function": named}))]}));
        let arguments = json!({"arguments": function.get("arguments")});
        deltas.push(json!({"tool_calls": [{"index": index, "function": arguments}]}));
    }
    deltas
}

/// All of it is here and takes no time.
fn sent(text: String) -> Events {
    Events::new(Body::from(text), Duration::MAX, Duration::MAX)
}

fn parts<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// The object with these members in it.
fn changed(object: &Value, members: Value) -> Value {
    let mut object = object.clone();
    if let (Value::Object(object), Value::Object(members)) = (&mut object, members) {
        object.extend(members);
    }
    object
}

fn encode(number: usize, event: &Value) -> String {
    let name = event.get("type").and_then(Value::as_str).unwrap_or_default();
    format!("event: {name}\ndata: {}\n\n", changed(event, json!({"sequence_number": number})))
}
