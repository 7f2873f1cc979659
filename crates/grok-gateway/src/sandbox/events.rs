//! The sandbox's one answer as the events of a stream: a response that is begun, its items one after the other, its text
//! in one piece, and the response that is completed. All of them come once the program has ended.

use std::time::Duration;

use axum::body::Body;
use serde_json::{Value, json};

use crate::stream::Events;

/// The events of a response object.
pub(super) fn events(response: &Value) -> Events {
    let begun = changed(response, json!({"status": "in_progress", "output": [], "usage": null}));
    let mut events = vec![json!({"type": "response.created", "response": begun})];
    for (index, item) in parts(response, "output").enumerate() {
        let begun = match item.get("content") {
            Some(_) => json!({"status": "in_progress", "content": []}),
            None => json!({"status": "in_progress", "outputs": null}),
        };
        let added = changed(item, begun);
        events.push(json!({"type": "response.output_item.added", "output_index": index, "item": added}));
        for (place, part) in parts(item, "content").enumerate() {
            let mut tell = |kind: &str, told: Value| {
                let at = json!({"type": kind, "item_id": item.get("id"), "output_index": index,
                    "content_index": place});
                events.push(changed(&at, told));
            };
            let (text, empty) = (part.get("text"), changed(part, json!({"text": ""})));
            tell("response.content_part.added", json!({"part": empty}));
            tell("response.output_text.delta", json!({"delta": text}));
            tell("response.output_text.done", json!({"text": text}));
            tell("response.content_part.done", json!({"part": part}));
        }
        events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }
    events.push(json!({"type": "response.completed", "response": response}));
    let text: String = events.iter().enumerate().map(|(number, event)| encode(number, event)).collect();
    // All of it is here and takes no time.
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
