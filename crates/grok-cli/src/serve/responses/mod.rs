//! `/v1/responses`: in comes a request of OpenAI's newer API, with tools of the server's on the routes that have them; out
//! comes a response object, or its events, also where the service answers by a chat completion.

mod events;
mod input;
mod object;
mod tools;

use grok_mpp::Grok;
use serde_json::{Map, Value, json};

use super::chat::OPENAI_ONLY;
use super::error::ApiError;
use super::order::{self, Order, Shape, switch};

pub(super) use events::Teller;
pub(super) use object::response;

/// How a response is wanted.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) stream: bool,
    /// What was asked, which a response says back.
    asked: Map<String, Value>,
}

/// Reads a request.
pub(super) fn order(mut asked: Map<String, Value>) -> Result<Order, ApiError> {
    let stream = switch(&mut asked, "stream")?;
    for name in KEPT_BY_OPENAI {
        if asked.contains_key(name) {
            let message =
                format!("{name} needs something that is kept between calls, and nothing is: send all of it");
            return Err(ApiError::bad_request(name, message));
        }
    }
    for name in ["background", "store"] {
        if switch(&mut asked, name)? {
            let message =
                format!("{name} is not to be had: answers are not kept, leave it out or make it false");
            return Err(ApiError::bad_request(name, message));
        }
    }
    let mut echo = asked.clone();
    echo.remove("input");
    let tools::Tools { route, fields } = tools::read(&mut asked)?;
    let model = order::text(&mut asked, "model")?.unwrap_or_else(|| Grok::DEFAULT_MODEL.to_owned());
    echo.insert("model".to_owned(), model.as_str().into());
    if route != tools::CHAT && !Grok::has_tools(&model) {
        let message =
            format!("model {model} has no tools here: they need one such as {}", Grok::DEFAULT_MODEL);
        return Err(ApiError::bad_request("model", message));
    }
    let most = order::most_tokens(&mut asked, &["max_output_tokens", "max_tokens"])?;
    echo.insert("max_output_tokens".to_owned(), most.into());

    let mut body = Map::new();
    let instructions = order::text(&mut asked, "instructions")?;
    body.insert("model".to_owned(), model.into());
    body.insert("max_tokens".to_owned(), most.into());
    body.insert("messages".to_owned(), input::messages(instructions, asked.remove("input"))?.into());
    body.extend(format(&mut asked, route)?.map(|format| ("response_format".to_owned(), format)));
    if let Some(effort) =
        asked.remove("reasoning").unwrap_or_default().get("effort").filter(|it| it.is_string())
    {
        body.insert("reasoning_effort".to_owned(), effort.clone());
    }
    body.extend(fields);
    for name in OPENAI_ONLY.iter().chain(&OTHERS_ONLY) {
        asked.remove(*name);
    }
    // What is left is meant for the model: temperature, top_p, and what is not known here. It goes before nothing that is.
    asked.extend(body);
    Ok(Order { route, body: asked, shape: Shape::Response(Wanted { stream, asked: echo }) })
}

/// The shape that the answer's text has to have, as chat takes it.
fn format(asked: &mut Map<String, Value>, route: &str) -> Result<Option<Value>, ApiError> {
    let format =
        asked.remove("text").unwrap_or_default().get_mut("format").map(Value::take).unwrap_or_default();
    match format.get("type").and_then(Value::as_str) {
        None | Some("text") => Ok(None),
        Some(_) if route != tools::CHAT => Err(ApiError::bad_request(
            "text",
            "text.format is not to be had together with the server's tools",
        )),
        Some("json_schema") => {
            let Value::Object(mut schema) = format else { return Ok(None) };
            schema.remove("type");
            Ok(Some(json!({"type": "json_schema", "json_schema": schema})))
        }
        Some(_) => Ok(Some(format)),
    }
}

/// What names something that an earlier call left with OpenAI.
const KEPT_BY_OPENAI: [&str; 3] = ["previous_response_id", "conversation", "prompt"];
/// What a chat completion has no word for, and the answer does not depend on.
const OTHERS_ONLY: [&str; 4] = ["include", "truncation", "max_tool_calls", "stream_options"];

#[cfg(test)]
mod tests {
    use super::*;

    fn body(asked: &Value) -> Value {
        let order = order(asked.as_object().cloned().unwrap_or_default());
        order.map(|order| Value::Object(order.body)).unwrap_or_else(|error| error.value())
    }

    #[test]
    fn fields_of_a_chat_do_not_replace_what_a_response_asks_for() {
        let asked = json!({
            "input": "hello", "messages": [], "max_output_tokens": 5, "max_tokens": 1_000_000, "seed": 7,
            "reasoning": {"effort": "low"}, "reasoning_effort": "high",
            "text": {"format": {"type": "json_object"}}, "response_format": {"type": "text"},
        });
        let expected = json!({
            "model": "grok-4.3", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5, "seed": 7,
            "reasoning_effort": "low", "response_format": {"type": "json_object"},
        });
        assert_eq!(body(&asked), expected);
        assert_eq!(body(&json!({"input": "hello", "max_tokens": 9}))["max_tokens"], 9);
        assert_eq!(body(&json!({"input": "hello", "max_tokens": 0}))["param"], "max_tokens");
    }

    #[test]
    fn err_a_part_without_a_text() {
        let asked = json!({"input": [{"role": "user", "content": [{"type": "input_text"}]}]});
        assert_eq!(body(&asked)["message"], "a part of input has no text");
    }
}
