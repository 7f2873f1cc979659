//! The shapes of an answer: `{"success":true,"data":…}`, a stream of events, and
//! `{"success":false,"error":…,"message":…}`.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::stream::{Events, Stream};

/// What an upstream answers.
#[derive(Debug)]
pub enum Answer {
    /// All of it at once, which goes to the payer in the envelope.
    Whole(Value),
    /// A stream of events, for an [`Order`](crate::Order) that asks for one, which goes to the payer as it comes.
    Events(Events),
}

/// Why something is not to be had, for programs by a code and for people in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    code: Cow<'static, str>,
    message: String,
    retry_after: Option<u64>,
    outage: bool,
}

impl Refusal {
    /// A refusal with a `code` such as `no_model`, and a `message` that says what to do.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Refusal { status, code: code.into(), message: message.into(), retry_after: None, outage: false }
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

    /// Says that the service behind fails, whoever asks. After some of these in a row, or at once for as long as
    /// [`Refusal::retry_after`] says, orders are refused before payment.
    #[must_use]
    pub fn outage(mut self) -> Self {
        self.outage = true;
        self
    }

    pub(crate) fn is_outage(&self) -> bool {
        self.outage
    }

    pub(crate) fn seconds(&self) -> Option<u64> {
        self.retry_after
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The response that says so.
    #[must_use]
    pub fn encode(&self) -> Response<Bytes> {
        let body = json!({"success": false, "error": self.code, "message": self.message});
        let mut response = encode(self.status, &body);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// No answer.
pub(crate) fn refused(refusal: Refusal) -> Response<Body> {
    refusal.encode().map(Body::from)
}

/// A whole answer in its envelope.
pub(crate) fn envelope(data: &Value) -> Response<Body> {
    encode(StatusCode::OK, &json!({"success": true, "data": data})).map(Body::from)
}

/// A stream of events as it is.
pub(crate) fn events(stream: Stream) -> Response<Body> {
    let mut response = Response::new(Body::new(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    // Proxies such as nginx would keep events back until they have some kilobytes of them.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn encode(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(body.to_string().into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The type of a stream of server-sent events.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";
