//! Any JSON as a request to each of a gateway's routes: what is ordered costs what is paid for it. The body that the
//! upstream gets is priced the same, says how much may be written, and no word of it that a model reads is free.

#![no_main]
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "of the modules that are included, a part is used"
)]

use std::sync::LazyLock;

use catalog::Route;
use libfuzzer_sys::fuzz_target;
use price::Prices;
use request::Order;
use serde_json::Value;

#[path = "../../crates/grok-gateway/src/catalog.rs"]
mod catalog;
#[path = "../../crates/grok-gateway/src/price.rs"]
mod price;
#[path = "../../crates/grok-gateway/src/request/mod.rs"]
mod request;

fuzz_target!(|data: &[u8]| {
    let json = serde_json::from_slice::<Value>(data);
    for route in Route::ALL {
        let order = match Order::parse(route, data, &PRICES) {
            Ok(order) => order,
            Err(refusal) => {
                assert!(refusal.code == "invalid_json" || json.is_ok(), "{refusal:?}");
                continue;
            }
        };
        let body = order.body();
        let again = Order::parse(route, body.to_string().as_bytes(), &PRICES).expect("what was ordered");
        assert_eq!((again.body(), again.price()), (body, order.price()));
        assert!(order.price().base_units() >= u128::from(PRICES.floor));
        let least = match route {
            Route::ImageGenerate | Route::ImageEdit => 2_000_000 * number(body, "n").unwrap_or(1),
            Route::Speech => {
                let length = body["text"].as_str().expect("a text").chars().count();
                u128::from(PRICES.character) * u128::try_from(length).expect("short")
            }
            _ => {
                let answers = if route == Route::Chat { number(body, "n").unwrap_or(1) } else { 1 };
                let written = number(body, "max_tokens").expect("how many are paid") * answers;
                assert_eq!(order.streams(), body["stream"] == true);
                // The least that any model costs.
                written * 200 + read(&body["messages"]) / 4 * 100
            }
        };
        // In hundredths, with 15 percent on top, rounded down.
        assert!(order.price().base_units() >= least * 115 / 10_000, "{order:?}");
    }
});

static PRICES: LazyLock<Prices> = LazyLock::new(Prices::default);

fn number(body: &Value, name: &str) -> Option<u128> {
    body.get(name)?.as_u64().map(u128::from)
}

/// The bytes of the messages' texts.
fn read(messages: &Value) -> u128 {
    let texts = messages.as_array().into_iter().flatten().filter_map(|message| message["content"].as_str());
    texts.map(|text| u128::try_from(text.len()).expect("short")).sum()
}

pub mod answer {
    #[derive(Debug)]
    pub struct Refusal {
        pub code: String,
        pub message: String,
    }

    impl Refusal {
        pub fn bad_request(code: impl Into<String>, message: impl Into<String>) -> Self {
            Refusal { code: code.into(), message: message.into() }
        }
    }
}
