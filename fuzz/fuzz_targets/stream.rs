//! Any bytes as a streamed answer, in pieces: grok-mpp hands out every event of it, has its whole text in the end, and
//! tells the ledger once that all of it came, or that it did not.

#![no_main]
#![allow(dead_code, unreachable_pub, reason = "of the modules that are included, a part is used")]

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use mpp_core_fuzz::events;
use serde_json::Value;

// What the modules take from a crate with an HTTP stack is below.
extern crate self as mpp_http;

#[path = "../../crates/grok-mpp/src/answer/mod.rs"]
mod answer;
#[path = "../../crates/grok-mpp/src/sse.rs"]
mod sse;
#[path = "../../crates/grok-mpp/src/stream.rs"]
mod stream;

use stream::AnswerStream;

fuzz_target!(|data: &[u8]| {
    let Some((cut, body)) = data.split_first() else { return };
    let ends = Rc::<[Cell<u32>; 2]>::default();
    let pieces = body.chunks(usize::from(*cut).max(1)).map(Bytes::copy_from_slice).collect();
    let mut stream = AnswerStream::new(Response { pieces, ends: Rc::clone(&ends), headers: headers() });
    let (expected, end) = read(body);
    let (mut found, mut text) = (Vec::new(), String::new());
    let found_end = loop {
        match now(stream.next()) {
            Ok(Some(event)) => {
                text.push_str(event.text());
                found.push(event.raw().clone());
            }
            Ok(None) => break End::Whole,
            Err(error::Error::Refused { said: Some(_), .. }) => break End::Told,
            Err(error::Error::CutShort) => break End::Cut,
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!((&found, &found_end), (&expected, &end));
    assert_eq!([ends[0].get(), ends[1].get()], if end == End::Whole { [1, 0] } else { [0, 1] });
    assert!(matches!(now(stream.next()), Ok(None)), "there is nothing behind the end");

    let answer = stream.so_far();
    let named = |event: &Value| event.get("type").is_some_and(Value::is_string);
    if !text.is_empty() && !expected.iter().any(named) {
        assert_eq!(answer.text(), text);
    }
});

#[derive(Debug, PartialEq)]
enum End {
    Whole,
    /// The service told of an error.
    Told,
    Cut,
}

/// The JSON of the events, and how they end.
fn read(body: &[u8]) -> (Vec<Value>, End) {
    let (mut found, mut ended) = (Vec::new(), false);
    for data in events::read(body) {
        let event: Value = serde_json::from_slice(&data).unwrap_or_default();
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        let error = event.get("error").is_some_and(|error| !error.is_null());
        if error || ["error", "response.failed"].contains(&kind) {
            return (found, End::Told);
        }
        if ["response.completed", "response.done", "response.incomplete"].contains(&kind) {
            ended = event.get("response").is_some();
        }
        if !event.is_null() {
            found.push(event);
        }
        if ended || data == b"[DONE]" {
            return (found, End::Whole);
        }
    }
    (found, End::Cut)
}

/// Nothing here waits.
fn now<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

fn headers() -> HeaderMap {
    let kind = HeaderValue::from_static("text/event-stream");
    HeaderMap::from_iter([(http::header::CONTENT_TYPE, kind)])
}

/// A response whose pieces are there, which counts what the ledger is told.
#[derive(Debug)]
pub struct Response {
    pieces: std::collections::VecDeque<Bytes>,
    ends: Rc<[Cell<u32>; 2]>,
    headers: HeaderMap,
}

/// The payment of an answer, which none here has.
#[derive(Clone, Debug, PartialEq)]
pub struct Payment(mpp_core::Quote);

impl Payment {
    pub fn quote(&self) -> &mpp_core::Quote {
        &self.0
    }
}

#[derive(Debug)]
pub struct CutShort;

impl CutShort {
    pub fn payment(&self) -> Option<&Payment> {
        None
    }
}

impl Response {
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::OK
    }

    pub fn payment(&self) -> Option<&Payment> {
        None
    }

    pub async fn bytes(&mut self) -> Result<Bytes, CutShort> {
        Err(CutShort)
    }

    pub async fn chunk(&mut self) -> Result<Option<Bytes>, CutShort> {
        Ok(self.pieces.pop_front())
    }

    pub async fn delivered(&mut self) {
        self.ends[0].update(|times| times + 1);
    }

    pub async fn cut_short(&mut self, _: &'static str) -> CutShort {
        self.ends[1].update(|times| times + 1);
        CutShort
    }
}

pub mod error {
    use bytes::Bytes;
    use http::StatusCode;

    use crate::answer::{AnswerError, ServiceError};
    use crate::{CutShort, Payment};

    #[derive(Debug)]
    pub enum Error {
        Refused { status: StatusCode, said: Option<ServiceError> },
        Failed { payment: Box<Payment>, status: StatusCode, said: Option<ServiceError>, body: Bytes },
        Unreadable { payment: Option<Box<Payment>>, reason: AnswerError, body: Bytes },
        CutShort,
    }

    impl From<CutShort> for Error {
        fn from(CutShort: CutShort) -> Self {
            Error::CutShort
        }
    }
}
