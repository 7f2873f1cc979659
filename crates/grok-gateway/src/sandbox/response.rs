//! The response object of the three routes with tools: the call of one tool, and a message.

use serde_json::{Value, json};

use super::words::{estimated_tokens, now, number, prompt_tokens};

/// The response to a request: `call` without its id, the message's text and annotations; `counter` is what the usage
/// counts the call by.
pub(super) fn response(
    body: &Value,
    note: &str,
    (counter, mut call): (&str, Value),
    (text, annotations): (&str, Vec<Value>),
) -> Value {
    let number = number();
    let code = call.get("code").and_then(Value::as_str).map_or(0, str::len);
    if let Some(call) = call.as_object_mut() {
        call.insert("id".to_owned(), format!("call_sandbox_{number}").into());
    }
    let (input, output) = (prompt_tokens(body), estimated_tokens(code.saturating_add(text.len())));
    json!({
        "id": format!("resp_sandbox_{number}"),
        "object": "response",
        "created_at": now(),
        "status": "completed",
        "model": body.get("model"),
        "sandbox": true,
        "note": note,
        "parallel_tool_calls": true,
        "tool_choice": "auto",
        "tools": [],
        "output": [
            call,
            {
                "id": format!("msg_sandbox_{number}"),
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": text, "annotations": annotations}],
            },
        ],
        "usage": {
            "input_tokens": input,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input.saturating_add(output),
            "num_server_side_tools_used": 1,
            "server_side_tool_usage_details": {counter: 1},
        },
    })
}
