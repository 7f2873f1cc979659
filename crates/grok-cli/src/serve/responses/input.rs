//! What a request says, as the messages of a chat.

use serde_json::{Map, Value, json};

use crate::serve::chat::known_role;
use crate::serve::error::ApiError;

/// Instructions and input as messages.
pub(super) fn messages(instructions: Option<String>, input: Option<Value>) -> Result<Vec<Value>, ApiError> {
    let mut messages: Vec<Value> =
        instructions.iter().map(|text| json!({"role": "system", "content": text})).collect();
    let before = messages.len();
    match input {
        Some(Value::String(text)) if !text.trim().is_empty() => {
            messages.push(json!({"role": "user", "content": text}));
        }
        Some(Value::Array(items)) => {
            for item in items {
                add(&mut messages, item)?;
            }
        }
        _ => {}
    }
    if messages.len() == before {
        return Err(wrong("input must be a text, or an array with at least one message"));
    }
    Ok(messages)
}

fn add(messages: &mut Vec<Value>, item: Value) -> Result<(), ApiError> {
    let text = |name: &str| item.get(name).cloned().unwrap_or_default();
    match item.get("type").and_then(Value::as_str) {
        None | Some("message") => {
            let mut message = json!({"role": text("role"), "content": content(text("content"))?});
            if !message.get("role").is_some_and(Value::is_string) {
                return Err(wrong("a message of input has no role"));
            }
            known_role(&mut message);
            messages.push(message);
        }
        Some("function_call") => {
            let function = json!({"name": text("name"), "arguments": text("arguments")});
            let call = json!({"id": text("call_id"), "type": "function", "function": function});
            // Several in a row are what the model asked for at once.
            match messages.last_mut().and_then(Value::as_object_mut).filter(|last| is_assistant(last)) {
                Some(last) => match last.get_mut("tool_calls").and_then(Value::as_array_mut) {
                    Some(calls) => calls.push(call),
                    None => {
                        last.insert("tool_calls".to_owned(), json!([call]));
                    }
                },
                None => messages.push(json!({"role": "assistant", "content": null, "tool_calls": [call]})),
            }
        }
        Some("function_call_output") => {
            let output = match content(text("output"))? {
                Value::Array(parts) => Value::Array(parts).to_string().into(),
                output => output,
            };
            messages.push(json!({"role": "tool", "tool_call_id": text("call_id"), "content": output}));
        }
        // What the model thought, and which of its own tools it used, is not to be said again.
        Some("reasoning") => {}
        Some(kind) if kind.ends_with("_call") => {}
        Some("item_reference") => {
            return Err(wrong("an item_reference names what is kept nowhere; send the item itself"));
        }
        Some(kind) => return Err(wrong(format!("the item {kind} of input is not to be had"))),
    }
    Ok(())
}

fn is_assistant(message: &Map<String, Value>) -> bool {
    message.get("role").is_some_and(|role| role == "assistant")
}

/// A content as chat takes it: a text, or parts if there are pictures.
fn content(content: Value) -> Result<Value, ApiError> {
    let Value::Array(parts) = content else { return Ok(content) };
    let parts = parts.into_iter().map(part).collect::<Result<Vec<_>, _>>()?;
    let texts: Option<Vec<&str>> =
        parts.iter().map(|part| part.get("text").and_then(Value::as_str)).collect();
    Ok(texts.map(|texts| texts.concat().into()).unwrap_or(Value::Array(parts.clone())))
}

fn part(part: Value) -> Result<Value, ApiError> {
    let member = |name: &str| part.get(name).filter(|value| value.is_string()).cloned();
    let text = |name: &str| match member(name) {
        Some(text) => Ok(json!({"type": "text", "text": text})),
        None => Err(wrong(format!("a part of input has no {name}"))),
    };
    match part.get("type").and_then(Value::as_str) {
        Some("input_text" | "output_text" | "text") => text("text"),
        Some("refusal") => text("refusal"),
        Some("input_image") => {
            let url = member("image_url");
            let url =
                url.ok_or_else(|| wrong("an input_image must hold its image_url, as no files are kept"))?;
            let mut image = Map::from_iter([("url".to_owned(), url)]);
            image.extend(member("detail").map(|detail| ("detail".to_owned(), detail)));
            Ok(json!({"type": "image_url", "image_url": image}))
        }
        kind => {
            Err(wrong(format!("the part {} of input is not to be had", kind.unwrap_or("without a type"))))
        }
    }
}

fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::bad_request("input", message)
}
