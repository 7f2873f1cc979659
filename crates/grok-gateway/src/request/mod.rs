//! A request to a route: its body in; an order with checked fields and a price, or what is wrong with it, out.

mod field;

use mpp_core::Amount;
use serde_json::{Map, Value};

use crate::answer::Refusal;
use crate::catalog::{Route, Unit};
use crate::price::Prices;

pub(crate) use field::{Field, Kind, inner};

/// A request that was checked and priced.
#[derive(Debug)]
pub struct Order {
    route: Route,
    body: Value,
    price: Amount,
}

impl Order {
    /// Checks what an upstream would refuse anyway, so that nobody pays for a refusal.
    pub(crate) fn parse(route: Route, body: &[u8], prices: &Prices) -> Result<Self, Refusal> {
        let mut body: Value = serde_json::from_slice(body).map_err(|error| {
            Refusal::bad_request("invalid_json", format!("the body is not JSON: {error}"))
        })?;
        if let Value::Object(members) = &mut body {
            for (name, others) in OTHER_NAMES {
                if route.fields().iter().any(|field| field.name == name) {
                    unite(members, name, others)?;
                }
            }
        }
        for field in route.fields() {
            field.check(&body)?;
        }
        let Value::Object(members) = &mut body else {
            // Unreachable: every route has a required field.
            return Err(Refusal::bad_request("invalid_json", "the body is not an object"));
        };
        members.retain(|name, value| {
            !value.is_null() || route.fields().iter().all(|field| field.name != name.as_str())
        });
        let price = match route.unit() {
            Unit::Tokens => tokens(route, members, prices)?,
            Unit::Images => images(members, prices)?,
            Unit::Characters => {
                let length = text(members, "text").chars().count();
                prices.of_pieces(prices.character, whole(length))
            }
        };
        Ok(Order { route, body, price })
    }

    /// What is ordered.
    #[must_use]
    pub fn route(&self) -> Route {
        self.route
    }

    /// The request: an object, with `max_tokens` (the tokens paid for) and `model` filled in where they count. Fields
    /// that the route does not know are as they were sent.
    #[must_use]
    pub fn body(&self) -> &Value {
        &self.body
    }

    /// Whether its answer is to be a stream of events: those of a chat completion on [`Route::Chat`], and of a response
    /// on the three routes with tools. On others it may not be asked.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.body.as_object().is_some_and(|members| streams(self.route, members))
    }

    /// What is paid for it.
    #[must_use]
    pub fn price(&self) -> Amount {
        self.price
    }
}

/// What a request for tokens costs; from here on it says how many may be written.
fn tokens(route: Route, members: &mut Map<String, Value>, prices: &Prices) -> Result<Amount, Refusal> {
    if members.contains_key("stream_options") && !streams(route, members) {
        let message = "stream_options is for a stream; give it with stream: true, or leave it out";
        return Err(Refusal::bad_request("invalid_stream_options", message));
    }
    let price = prices.tokens.of(text(members, "model")).ok_or_else(not_sold)?;
    let number = |name| members.get(name).and_then(Value::as_u64);
    let each = number("max_tokens").unwrap_or(prices.max_tokens);
    let answers = number("n").filter(|_| route == Route::Chat).unwrap_or(1);
    let prompt = prompt(route, members);
    if prompt > prices.longest_prompt {
        let message = format!(
            "the messages take about {prompt} tokens, of which {} are sold at most; send fewer",
            prices.longest_prompt
        );
        return Err(Refusal::bad_request("prompt_too_long", message));
    }
    members.insert("max_tokens".to_owned(), each.into());
    let answer = u128::from(each).saturating_mul(answers.into());
    Ok(prices.of_tokens(price, prompt, answer))
}

fn images(members: &mut Map<String, Value>, prices: &Prices) -> Result<Amount, Refusal> {
    let model = members.entry("model").or_insert_with(|| prices.image_model.clone().into());
    let price = prices.images.of(model.as_str().unwrap_or_default()).ok_or_else(not_sold)?;
    let count = members.get("n").and_then(Value::as_u64).unwrap_or(1);
    Ok(prices.of_pieces(price, count))
}

/// About four bytes of JSON to a token, rounded up. Counted is whatever a model may read: messages, tools, and fields
/// that are not known here; a picture counts as one, however long its address.
fn prompt(route: Route, members: &Map<String, Value>) -> u64 {
    let is_setting =
        |name: &str| route.fields().iter().any(|field| field.name == name && !field.kind.is_prompt());
    let is_read = |value: &Value| value.is_string() || value.is_array() || value.is_object();
    let read = members.iter().filter(|(name, value)| !is_setting(name) && is_read(value));
    let bytes: u64 = read.map(|(_, value)| length(value)).fold(0, u64::saturating_add);

    let messages = members.get("messages").and_then(Value::as_array).into_iter().flatten();
    let parts = messages.filter_map(|message| message.get("content")?.as_array()).flatten();
    let pictures = parts.filter_map(|part| part.get("image_url"));
    let (count, addresses) = pictures.fold((0_u64, 0_u64), |(count, bytes), picture| {
        (count.saturating_add(1), bytes.saturating_add(length(picture)))
    });
    bytes
        .saturating_sub(addresses)
        .div_ceil(BYTES_A_TOKEN)
        .saturating_add(count.saturating_mul(TOKENS_A_PICTURE))
}

/// Leaves a field under its first name. Two names of one thing are refused: which of them counts would be a guess.
fn unite(members: &mut Map<String, Value>, name: &str, others: &[&str]) -> Result<(), Refusal> {
    for other in others {
        let Some(value) = members.remove(*other).filter(|value| !value.is_null()) else { continue };
        if members.get(name).is_some_and(|value| !value.is_null()) {
            let message = format!("{other} is another name of {name}; give one of them");
            return Err(Refusal::bad_request(format!("invalid_{name}"), message));
        }
        members.insert(name.to_owned(), value);
    }
    Ok(())
}

fn streams(route: Route, members: &Map<String, Value>) -> bool {
    matches!(route.unit(), Unit::Tokens) && members.get("stream").and_then(Value::as_bool) == Some(true)
}

fn not_sold() -> Refusal {
    Refusal::bad_request("invalid_model", "this model is not sold here; /llms.txt lists those that are")
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> &'a str {
    members.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn length(value: &Value) -> u64 {
    whole(value.to_string().len())
}

fn whole(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Other names that clients know these fields by. All of them have to count: whoever limits an answer under a name that
/// only an upstream knows would pay for another length than he gets.
const OTHER_NAMES: [(&str, &[&str]); 3] = [
    ("max_tokens", &["max_completion_tokens", "max_output_tokens"]),
    ("image", &["image_url"]),
    ("output_format", &["codec"]),
];
const BYTES_A_TOKEN: u64 = 4;
/// What xAI counts for the largest picture.
const TOKENS_A_PICTURE: u64 = 1792;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn price(route: Route, body: &Value) -> u128 {
        let order = Order::parse(route, body.to_string().as_bytes(), &Prices::default()).unwrap();
        order.price().base_units()
    }

    fn chat(change: Value) -> Value {
        let mut body =
            json!({"model": "grok-4.3", "messages": [{"role": "user", "content": "x".repeat(371)}]});
        assert_eq!(body["messages"].to_string().len(), 401);
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    }

    #[test]
    fn the_price_is_that_of_the_tokens_and_fifteen_percent() {
        let price = |change| price(Route::CodeExecution, &chat(change));
        // 401 bytes are 101 tokens: floor((101·1.25 + 4096·2.5)·1.15)
        assert_eq!(price(json!({})), 11_921);
        assert_eq!(price(json!({"max_tokens": null})), 11_921);
        // floor((101·2 + 4096·6)·1.15)
        assert_eq!(price(json!({"model": "grok-4.6"})), 28_494);
        assert_eq!(price(json!({"model": "grok-4-of-tomorrow"})), 28_494);
        assert_eq!(price(json!({"model": "grok-4"})), 28_494);
        // floor((101·1.25 + 512·2.5)·1.15)
        assert_eq!(price(json!({"max_tokens": 512, "model": "grok-4-0709"})), 1617);
        assert_eq!(price(json!({"max_completion_tokens": 512})), 1617);
        assert_eq!(price(json!({"max_tokens": 1})), 1000, "the floor");
        assert!(price(json!({"max_tokens": u64::MAX})) > u128::from(u64::MAX));
    }

    #[test]
    fn everything_that_a_model_reads_or_writes_is_paid_for() {
        let price = |change| price(Route::Chat, &chat(change));
        // floor((101·1 + 4096·2)·1.15)
        assert_eq!(price(json!({"model": "grok-code-fast-1"})), 9536);
        // Three answers: floor((101·1.25 + 3·512·2.5)·1.15)
        assert_eq!(price(json!({"max_tokens": 512, "n": 3})), 4561);
        // 401 bytes more: floor((201·1.25 + 512·2.5)·1.15)
        assert_eq!(price(json!({"max_tokens": 512, "instructions": "y".repeat(399)})), 1760);
        assert_eq!(price(json!({"max_tokens": 512, "stop": "y".repeat(399), "stream": false})), 1617);
        // 63 bytes of JSON without the picture: floor(((16 + 1792)·1.25 + 512·2.5)·1.15)
        let url = format!("data:image/png;base64,{}", "A".repeat(9999));
        let part = json!({"type": "image_url", "image_url": {"url": url}});
        let messages = json!([{"role": "user", "content": [part]}]);
        assert_eq!(messages.to_string().len() - part["image_url"].to_string().len(), 63);
        assert_eq!(price(json!({"max_tokens": 512, "messages": messages})), 4071);
    }

    #[test]
    fn images_are_paid_for_each_and_speech_by_the_character() {
        let image = |change: Value| {
            let mut body = json!({"prompt": "a hat", "image": "https://a.example/hat.png"});
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            [Route::ImageGenerate, Route::ImageEdit].map(|route| price(route, &body))
        };
        assert_eq!(image(json!({})), [23_000; 2]);
        assert_eq!(image(json!({"n": 3})), [69_000; 2]);
        assert_eq!(image(json!({"model": "grok-imagine-image-quality"})), [80_500; 2]);
        let speech = |text: String| price(Route::Speech, &json!({"text": text, "language": "en"}));
        assert_eq!(speech("é".repeat(108)), 1863);
        assert_eq!(speech("x".repeat(1000)), 17_250);
        assert_eq!(speech("x".to_owned()), 1000);
    }

    #[test]
    fn a_model_without_a_price_and_a_prompt_beyond_the_prices_are_not_sold() {
        let mut prices = Prices::default();
        prices.tokens.others = None;
        let code = |body: Value| {
            let refusal = Order::parse(Route::Chat, body.to_string().as_bytes(), &prices).unwrap_err();
            serde_json::from_slice::<Value>(refusal.encode().body()).unwrap()["error"].clone()
        };
        assert_eq!(code(chat(json!({"model": "grok-4.6"}))), "invalid_model");
        assert_eq!(code(chat(json!({"instructions": "x".repeat(800_000)}))), "prompt_too_long");
        assert_eq!(code(chat(json!({"max_tokens": 1, "max_output_tokens": 1}))), "invalid_max_tokens");
    }

    #[test]
    fn an_order_says_how_many_tokens_are_paid_and_keeps_what_it_does_not_know() {
        let body = chat(json!({"max_output_tokens": 7, "temperature": null, "seed": null, "user": {"a": 1}}));
        let order = Order::parse(Route::Chat, body.to_string().as_bytes(), &Prices::default()).unwrap();
        let mut expected = chat(json!({"max_tokens": 7, "seed": null, "user": {"a": 1}}));
        assert_eq!(order.body(), &expected);
        expected["max_tokens"] = 4096.into();
        let body = chat(json!({"seed": null, "user": {"a": 1}}));
        let order = Order::parse(Route::Chat, body.to_string().as_bytes(), &Prices::default()).unwrap();
        assert_eq!(order.body(), &expected);
    }
}
