//! Answers a chat request without a model, so that a conversation can be followed: by how many messages there are and
//! what the last one says; by the calls of functions that the last one names; after tools, by what they said.
//!
//! A call is a code span with the name of a function that the request offers, alone or with a JSON object in
//! parentheses: `` `add({"a":6,"b":7})` ``.

use serde_json::{Map, Value, json};

use super::prompt::spans;
use super::words::{estimated_tokens, last_words, messages, now, number, prompt_tokens, role, said};
use crate::answer::Refusal;

/// The chat completion that answers a request.
///
/// # Errors
/// Those of [`calls`], which are found before payment, too.
pub(super) fn completion(body: &Value) -> Result<Value, Refusal> {
    let number = number();
    let calls: Vec<Value> = calls(body)?
        .into_iter()
        .enumerate()
        .map(|(place, function)| {
            json!({"id": format!("call_sandbox_{number}_{place}"), "type": "function", "function": function})
        })
        .collect();
    let (message, finish, written) = if calls.is_empty() {
        let mut text = reply(body);
        let most = body.get("max_tokens").and_then(Value::as_u64).unwrap_or(MOST_TOKENS).min(MOST_TOKENS);
        let most = usize::try_from(most.saturating_mul(4)).unwrap_or(usize::MAX);
        let finish = if text.len() > most { "length" } else { "stop" };
        text.truncate(text.floor_char_boundary(most));
        let written = text.len();
        (json!({"role": "assistant", "content": text}), finish, written)
    } else {
        let written = calls.iter().map(|call| call.to_string().len()).sum();
        (json!({"role": "assistant", "content": null, "tool_calls": calls}), "tool_calls", written)
    };
    let count = body.get("n").and_then(Value::as_u64).unwrap_or(1);
    let choices: Vec<Value> = (0..count)
        .map(|index| json!({"index": index, "message": message, "finish_reason": finish}))
        .collect();
    let (input, output) = (prompt_tokens(body), estimated_tokens(written).saturating_mul(count));
    Ok(json!({
        "id": format!("chatcmpl_sandbox_{number}"),
        "object": "chat.completion",
        "created": now(),
        "model": body.get("model"),
        "sandbox": true,
        "note": NOTE,
        "choices": choices,
        "usage": {
            "prompt_tokens": input,
            "completion_tokens": output,
            "total_tokens": input.saturating_add(output),
        },
    }))
}

/// The functions to call, each with its name and arguments: none but in answer to a user, and where `tool_choice` lets.
///
/// # Errors
/// When arguments are no JSON object, or all of it is too long.
pub(super) fn calls(body: &Value) -> Result<Vec<Value>, Refusal> {
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<&str> = tools.filter_map(|tool| tool.pointer("/function/name")?.as_str()).collect();
    match messages(body).last() {
        Some(last) if role(last) == Some("user") && body.get("tool_choice") != Some(&json!("none")) => {
            let text = said(last);
            let calls = spans(&text).into_iter().filter_map(|span| call(span.trim(), &names));
            let calls: Vec<Value> = calls.collect::<Result<_, _>>()?;
            if calls.iter().map(|call| call.to_string().len()).sum::<usize>() > MOST_CALLED {
                let message =
                    format!("the calls take more than {MOST_CALLED} bytes; name fewer, or shorter ones");
                return Err(Refusal::bad_request("invalid_call", message));
            }
            Ok(calls)
        }
        _ => Ok(Vec::new()),
    }
}

fn call(span: &str, names: &[&str]) -> Option<Result<Value, Refusal>> {
    let (name, arguments) = span.split_once('(').unwrap_or((span, ")"));
    let name = names.iter().find(|known| **known == name.trim_end())?;
    let arguments = match arguments.strip_suffix(')').map(str::trim) {
        Some("") => "{}",
        Some(arguments) if serde_json::from_str::<Map<String, Value>>(arguments).is_ok() => arguments,
        _ => {
            let message = format!(
                "`{span}` is no call: put a JSON object in the parentheses, such as `{name}({{\"a\":1}})`, or leave both out"
            );
            return Some(Err(Refusal::bad_request("invalid_call", message)));
        }
    };
    Some(Ok(json!({"name": name, "arguments": arguments})))
}

/// What the tools at the end of the conversation said, or how far the conversation is.
fn reply(body: &Value) -> String {
    let messages = messages(body);
    let mut told: Vec<String> =
        messages.iter().rev().take_while(|message| role(message) == Some("tool")).map(said).collect();
    if told.is_empty() {
        let (count, last) = (messages.len(), last_words(body));
        return format!(
            "This sandbox holds no language model. Messages so far: {count}. The last one says: {last}"
        );
    }
    told.reverse();
    told.join("\n")
}

/// The most it says, however many tokens are paid for.
const MOST_TOKENS: u64 = 4096;
/// In bytes: each choice has all calls, and a stream has them in two events each.
const MOST_CALLED: usize = 8 << 10;
const NOTE: &str = "from a local sandbox without a language model: it says back what it was told; token counts are \
                    estimates";
