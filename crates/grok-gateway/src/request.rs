//! A request for code execution: a body in; checked fields and their price, or what is wrong with them, out.

use mpp_core::Amount;
use serde_json::Value;

use crate::answer::Refusal;

/// A request that can be priced.
pub(crate) struct CodeExecution {
    body: Value,
    prices: TokenPrices,
    prompt_tokens: u128,
    max_tokens: u128,
}

impl CodeExecution {
    /// Checks what the service would refuse anyway, so that nobody pays for a refusal.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let body: Value = serde_json::from_slice(body).map_err(|error| {
            Refusal::bad_request("invalid_json", format!("the body is not JSON: {error}"))
        })?;
        let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
        if !in_family(model) {
            let message = format!("model must name one of the {FAMILY} family, such as {FAMILY}.3");
            return Err(Refusal::bad_request("invalid_model", message));
        }
        let prompt_tokens = prompt_tokens(body.get("messages"))?;
        let given = |name| body.get(name).filter(|value| !value.is_null());
        let warm = |value: &Value| value.as_f64().is_some_and(|value| (0.0..=2.0).contains(&value));
        if given("temperature").is_some_and(|value| !warm(value)) {
            let message = "temperature must be a number from 0 to 2";
            return Err(Refusal::bad_request("invalid_temperature", message));
        }
        let max_tokens = match given("max_tokens").map(Value::as_u64) {
            None => DEFAULT_MAX_TOKENS,
            Some(Some(tokens @ 1..)) => tokens.into(),
            Some(_) => {
                let message = "max_tokens must be a whole number above 0";
                return Err(Refusal::bad_request("invalid_max_tokens", message));
            }
        };
        if given("tools").is_some_and(|tools| !tools.is_array()) {
            return Err(Refusal::bad_request("invalid_tools", "tools must be an array"));
        }
        let prices = TokenPrices::of(model);
        Ok(CodeExecution { body, prices, prompt_tokens, max_tokens })
    }

    /// The whole request, unknown fields included.
    pub(crate) fn body(&self) -> &Value {
        &self.body
    }

    /// What the tokens cost at most, and 15 % on top, rounded down; a tenth of a cent at least.
    pub(crate) fn price(&self) -> Amount {
        let prompt = self.prompt_tokens.saturating_mul(self.prices.input);
        let answer = self.max_tokens.saturating_mul(self.prices.output);
        let units = prompt.saturating_add(answer).saturating_mul(115) / (100 * 100);
        Amount::from_base_units(units.max(FLOOR))
    }
}

/// Whether the id is `grok-4` itself or a version or variant of it; `grok-40` would be another family.
fn in_family(model: &str) -> bool {
    model.strip_prefix(FAMILY).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
}

/// About four bytes of the messages' JSON to a token, rounded up.
fn prompt_tokens(messages: Option<&Value>) -> Result<u128, Refusal> {
    let wrong = || {
        let message = "messages must be an array of at least one object with a role and a content";
        Refusal::bad_request("invalid_messages", message)
    };
    let messages = messages.filter(|messages| messages.as_array().is_some_and(|list| !list.is_empty()));
    let messages = messages.ok_or_else(wrong)?;
    let whole = |message: &Value| {
        message.get("role").is_some_and(Value::is_string) && message.get("content").is_some()
    };
    if !messages.as_array().is_some_and(|list| list.iter().all(whole)) {
        return Err(wrong());
    }
    Ok(u128::try_from(messages.to_string().len().div_ceil(4)).unwrap_or(u128::MAX))
}

/// Prices of one token in hundredths of a base unit, which are US cents for a million tokens.
#[derive(Clone, Copy)]
struct TokenPrices {
    input: u128,
    output: u128,
}

impl TokenPrices {
    /// A model that is not listed costs as much as the dearest that is.
    fn of(model: &str) -> Self {
        let listed = CHEAPER.iter().any(|prefix| model.starts_with(prefix));
        if listed { TokenPrices { input: 125, output: 250 } } else { TokenPrices { input: 200, output: 600 } }
    }
}

const FAMILY: &str = "grok-4";
/// grok-4.3, grok-4.20, and the retired names that are answered by grok-4.3.
const CHEAPER: [&str; 4] = ["grok-4.3", "grok-4.20-", "grok-4-0709", "grok-4-1-fast-"];
/// What is paid for when the request does not say.
const DEFAULT_MAX_TOKENS: u128 = 4096;
/// In base units.
const FLOOR: u128 = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn price(change: Value) -> u128 {
        let mut body =
            json!({"model": "grok-4.3", "messages": [{"role": "user", "content": "x".repeat(371)}]});
        assert_eq!(body["messages"].to_string().len(), 401);
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let request = CodeExecution::parse(body.to_string().as_bytes()).unwrap();
        request.price().base_units()
    }

    #[test]
    fn the_price_is_that_of_the_tokens_and_fifteen_percent() {
        // 401 bytes are 101 tokens: floor((101·1.25 + 4096·2.5)·1.15)
        assert_eq!(price(json!({})), 11_921);
        assert_eq!(price(json!({"max_tokens": null})), 11_921);
        // floor((101·2 + 4096·6)·1.15)
        assert_eq!(price(json!({"model": "grok-4.6"})), 28_494);
        assert_eq!(price(json!({"model": "grok-4-of-tomorrow"})), 28_494);
        assert_eq!(price(json!({"model": "grok-4"})), 28_494);
        // floor((101·1.25 + 512·2.5)·1.15)
        assert_eq!(price(json!({"max_tokens": 512, "model": "grok-4-0709"})), 1617);
        assert_eq!(price(json!({"max_tokens": 1})), 1000, "the floor");
        assert!(price(json!({"max_tokens": u64::MAX})) > u128::from(u64::MAX));
    }
}
