//! `/v1/models`: what is known to be sold, which a service may sell more than.

use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::error::ApiError;
use super::record::Reply;

/// All of them.
pub(super) fn list() -> Reply {
    let data: Vec<Value> = KNOWN.iter().map(|id| model(id)).collect();
    Reply::json(StatusCode::OK, HeaderMap::new(), &json!({"object": "list", "data": data}))
}

/// One by its id.
pub(super) fn one(id: &str) -> Reply {
    match KNOWN.iter().find(|known| **known == id) {
        Some(id) => Reply::json(StatusCode::OK, HeaderMap::new(), &model(id)),
        None => {
            let message = "no such model is known here; it may be sold all the same";
            ApiError::new(StatusCode::NOT_FOUND, "model_not_found", message).reply()
        }
    }
}

fn model(id: &str) -> Value {
    // Nobody says when they were made.
    json!({"id": id, "object": "model", "created": 0, "owned_by": "xai"})
}

const KNOWN: [&str; 8] = [
    "grok-4.3",
    "grok-4.5",
    "grok-4.6",
    "grok-4.7",
    "grok-4.20-0309-reasoning",
    "grok-4.20-0309-non-reasoning",
    "grok-build-0.1",
    "grok-imagine-image",
];
