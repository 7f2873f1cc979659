//! Any bytes as the OpenAPI document of a service: the routes are those that take a POST, each with the price in the
//! document's own words, and the differences are those between its fields and the ones known here, no more and no fewer.

#![no_main]
#![allow(dead_code, unreachable_pub, reason = "of the modules that are included, a part is used")]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

// So that reading documents takes no HTTP stack.
extern crate self as mpp_http;

#[path = "../../crates/grok-mpp/src/answer/mod.rs"]
mod answer;
#[path = "../../crates/grok-mpp/src/schema.rs"]
mod schema;

use answer::AnswerError;
use schema::{Difference, Schema};

fuzz_target!(|data: &[u8]| {
    let body = data.strip_prefix("\u{feff}".as_bytes()).unwrap_or(data);
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let schema = match (Schema::parse(data), &json) {
        (Ok(schema), Some(json)) => {
            assert_eq!(schema.raw, *json);
            schema
        }
        (Err(AnswerError::NotASchema), Some(json)) => {
            return assert!(!json.get("paths").is_some_and(Value::is_object));
        }
        (Err(AnswerError::NotJson { .. }), None) => return,
        (other, _) => panic!("{other:?}"),
    };
    let paths = schema.raw["paths"].as_object().expect("paths");
    let offered = |route: &str| paths.get(route)?.get("post").filter(|post| post.is_object());
    let routes: Vec<_> =
        paths.keys().filter_map(|route| Some((route.clone(), price(offered(route)?)))).collect();
    assert_eq!(schema.routes, routes);
    let mut expected = Vec::new();
    for (route, _) in routes.iter().filter(|(route, _)| call::KNOWN.iter().all(|(known, _)| known != route)) {
        expected.push(Difference::New { route: route.clone() });
    }
    for (route, fields) in call::KNOWN {
        match offered(route) {
            Some(operation) => compare(&schema.raw, route, operation, fields, &mut expected),
            None => expected.push(Difference::Missing { route: route.to_owned() }),
        }
    }
    let shown = |differences: &[Difference]| {
        let mut shown: Vec<_> = differences.iter().map(ToString::to_string).collect();
        shown.sort();
        shown
    };
    assert_eq!(shown(&schema.differences), shown(&expected));
});

/// The first of these words about an operation's price.
fn price(operation: &Value) -> Option<String> {
    let said = operation.get("x-payment-info")?;
    let texts = ["description", "amount", "price"].map(|name| said.get(name).and_then(Value::as_str));
    texts.into_iter().flatten().next().map(str::to_owned)
}

/// What a field is there that is not known here, and the other way round.
fn compare(document: &Value, route: &str, operation: &Value, known: &[&str], found: &mut Vec<Difference>) {
    let content = operation.get("requestBody").and_then(|body| body.get("content")?.get("application/json"));
    let Some(schema) = content.and_then(|content| content.get("schema")) else { return };
    let elsewhere = schema.get("$ref").and_then(Value::as_str).and_then(|place| place.strip_prefix('#'));
    let schema = elsewhere.and_then(|place| at(document, place)).unwrap_or(schema);
    let Some(declared) = schema.get("properties").and_then(Value::as_object) else { return };
    let required = schema.get("required").and_then(Value::as_array);
    for field in declared.keys().filter(|field| !known.contains(&field.as_str())) {
        let (route, field) = (route.to_owned(), field.clone());
        let is_required = required.is_some_and(|required| required.iter().any(|it| *it == *field));
        found.push(match is_required {
            true => Difference::Requires { route, field },
            false => Difference::Takes { route, field },
        });
    }
    for field in known.iter().filter(|field| !declared.contains_key(**field)) {
        found.push(Difference::Ignores { route: route.to_owned(), field: (*field).to_owned() });
    }
}

/// What is at a JSON pointer (RFC 6901).
fn at<'a>(document: &'a Value, pointer: &str) -> Option<&'a Value> {
    if pointer.is_empty() {
        return Some(document);
    }
    pointer.strip_prefix('/')?.split('/').try_fold(document, |value, name| match value {
        Value::Object(members) => members.get(&name.replace("~1", "/").replace("~0", "~")),
        Value::Array(items) => {
            let index = Some(name).filter(|name| *name == "0" || !name.starts_with(['0', '+']))?;
            items.get(index.parse::<usize>().ok()?)
        }
        _ => None,
    })
}

/// The payment of an answer, which none here has.
#[derive(Clone, Debug, PartialEq)]
pub struct Payment(mpp_core::Quote);

impl Payment {
    pub fn quote(&self) -> &mpp_core::Quote {
        &self.0
    }
}

pub mod call {
    /// A part of what is sold.
    pub const KNOWN: [(&str, &[&str]); 2] =
        [("/grok/chat", &["model", "messages", "stream"]), ("/grok/tts", &["text", "language"])];

    pub fn known() -> Vec<(String, &'static [&'static str])> {
        KNOWN.map(|(route, fields)| (route.to_owned(), fields)).into()
    }
}
