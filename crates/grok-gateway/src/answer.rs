//! The two shapes of an answer: `{"success":true,"data":…}` and `{"success":false,"error":…,"message":…}`.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Value, json};

/// What was asked for.
pub(crate) struct Answer(pub(crate) Value);

/// Why something is not to be had, for programs by a code and for people in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    code: Cow<'static, str>,
    message: String,
    retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal with a `code` such as `no_model`, and a `message` that says what to do.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Refusal { status, code: code.into(), message: message.into(), retry_after: None }
    }

    /// A request that has to be changed.
    pub fn bad_request(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// After how many seconds it may be asked for again.
    #[must_use]
    pub fn retry_after(mut self, seconds: Option<u64>) -> Self {
        self.retry_after = seconds;
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    pub(crate) fn encode(&self) -> Response<Bytes> {
        let body = json!({"success": false, "error": self.code, "message": self.message});
        let mut response = encode(self.status, &body);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
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
