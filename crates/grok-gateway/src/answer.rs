//! The two shapes of an answer: `{"success":true,"data":…}` and `{"success":false,"error":…,"message":…}`.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Value, json};

/// What was asked for.
pub(crate) struct Answer(pub(crate) Value);

/// Why it is not to be had.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    /// A refusal that programs know by `code` and people by `message`.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Refusal { status, code, message: message.into() }
    }

    /// A request that has to be changed.
    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn encode(&self) -> Response<Bytes> {
        encode(self.status, &json!({"success": false, "error": self.code, "message": self.message}))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        self.encode().map(Body::from)
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response<Body> {
        encode(StatusCode::OK, &json!({"success": true, "data": self.0})).map(Body::from)
    }
}

fn encode(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(body.to_string().into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
