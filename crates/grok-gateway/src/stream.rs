//! Server-sent events on their way to the payer: each is passed on when it has come whole, within bounds of size and
//! time, and a stream that breaks ends in an error, never like one that was whole.
//!
//! Whole is a stream whose connection ended as HTTP says it should, after its last event: `[DONE]` of chat, and of the
//! other routes a response that is completed or incomplete. An event that tells of an error breaks it.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use http_body::{Body, Frame};
use serde_json::Value;
use tokio::time::{Sleep, sleep};

use crate::BoxError;
use crate::answer::Refusal;
use crate::catalog::Route;
use crate::sale::{Sale, ticks};

/// Server-sent events as an upstream sends them: those of a chat completion, or of a response.
pub struct Events {
    body: axum::body::Body,
    late: Pin<Box<Sleep>>,
    quiet: Duration,
    /// While a byte is waited for.
    silent: Option<Pin<Box<Sleep>>>,
}

impl Events {
    /// The events of `body`, which has to end `within` this time from now, and to send something every `quiet`.
    pub fn new<B>(body: B, within: Duration, quiet: Duration) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let body = axum::body::Body::new(body);
        Events { body, late: Box::pin(sleep(within)), quiet, silent: None }
    }

    /// Waits for the first event: a stream that breaks before it is a refusal like any other.
    pub(crate) async fn begin(self, sale: Sale) -> Result<Stream, Refusal> {
        let mut stream = Stream {
            events: self,
            route: sale.route(),
            sale: Some(sale),
            ready: VecDeque::new(),
            event: Vec::new(),
            line: 0,
            bytes: 0,
            ended: false,
            ticks: None,
        };
        match poll_fn(|context| stream.poll_event(context)).await {
            Some(Ok(event)) => {
                stream.ready.push_front(event);
                Ok(stream)
            }
            Some(Err(broken)) => Err(broken.refusal()),
            None => Err(Broken::Unfinished.refusal()),
        }
    }

    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if self.late.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(Broken::Late)));
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            let silent = self.silent.get_or_insert_with(|| Box::pin(sleep(self.quiet)));
            ready!(silent.as_mut().poll(context));
            return Poll::Ready(Some(Err(Broken::Silent)));
        };
        self.silent = None;
        Poll::Ready(frame.map(|frame| {
            // What is no data is trailers, which say nothing here.
            frame.map(|frame| frame.into_data().unwrap_or_default()).map_err(|_| Broken::Cut)
        }))
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Events").finish_non_exhaustive()
    }
}

/// The body of an answer to a payer.
pub(crate) struct Stream {
    events: Events,
    route: Route,
    /// Nothing once it has ended, well or not.
    sale: Option<Sale>,
    ready: VecDeque<Bytes>,
    /// What came of an event that is not whole yet, and the length of its last line.
    event: Vec<u8>,
    line: usize,
    bytes: usize,
    /// Whether the last event has come.
    ended: bool,
    ticks: Option<u64>,
}

impl Stream {
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if self.sale.is_none() {
                return Poll::Ready(None);
            }
            let step = match ready!(self.events.poll_bytes(context)) {
                Some(Ok(bytes)) => self.take(&bytes),
                Some(Err(broken)) => Err(broken),
                None => self.end(),
            };
            if let Err(broken) = step {
                self.ready.clear();
                tracing::warn!(error = %broken, "the upstream's stream broke");
                if let Some(sale) = self.sale.take() {
                    sale.failed(&broken.refusal());
                }
                return Poll::Ready(Some(Err(broken)));
            }
        }
    }

    /// An event ends with an empty line. Lines end with LF or CRLF here; nobody sends the CR alone that is allowed too.
    fn take(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > MAX_STREAM {
            return Err(Broken::Long);
        }
        for byte in bytes {
            self.event.push(*byte);
            match byte {
                b'\n' if self.line == 0 => self.pass()?,
                b'\n' => self.line = 0,
                b'\r' => {}
                _ => self.line = self.line.saturating_add(1),
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Broken> {
        // The empty line after the last event may be missing.
        self.pass()?;
        if !self.ended {
            return Err(Broken::Unfinished);
        }
        if let Some(sale) = self.sale.take() {
            sale.sold(self.ticks);
        }
        Ok(())
    }

    /// Passes the event on, having read what it says of end and cost.
    fn pass(&mut self) -> Result<(), Broken> {
        let event = std::mem::take(&mut self.event);
        self.line = 0;
        let data = data(&event);
        if self.route == Route::Chat && data == b"[DONE]" {
            self.ended = true;
        }
        if let Ok(value) = serde_json::from_slice::<Value>(&data) {
            let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
            if FAILURES.contains(&kind) || value.get("error").is_some_and(|error| !error.is_null()) {
                return Err(Broken::Failed);
            }
            if self.route != Route::Chat && ENDS.contains(&kind) {
                self.ended = true;
            }
            let cost = ticks(&value).or_else(|| value.get("response").and_then(ticks));
            self.ticks = cost.or(self.ticks);
        }
        if !event.is_empty() {
            self.ready.push_back(event.into());
        }
        Ok(())
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.poll_event(context).map_ok(Frame::data)
    }
}

/// How a stream fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the service behind broke off in the middle of its stream")]
    Cut,
    #[error("the service behind ended its stream before the last event")]
    Unfinished,
    #[error("the service behind told of an error in its stream")]
    Failed,
    #[error("the service behind fell silent before the end of its stream")]
    Silent,
    #[error("the service behind took too long; a shorter answer may come in time")]
    Late,
    #[error("the service behind streamed more than can be passed on")]
    Long,
}

impl Broken {
    fn refusal(self) -> Refusal {
        let (status, code) = match self {
            Broken::Silent | Broken::Late => (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout"),
            _ => (StatusCode::BAD_GATEWAY, "upstream_failed"),
        };
        let refusal = Refusal::new(status, code, self.to_string());
        if self == Broken::Long { refusal } else { refusal.outage() }
    }
}

/// What an event carries: its data lines, without their names.
fn data(event: &[u8]) -> Vec<u8> {
    let lines = event.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let data = lines.filter_map(|line| line.strip_prefix(b"data:"));
    data.map(|data| data.strip_prefix(b" ").unwrap_or(data)).collect::<Vec<_>>().join(&b'\n')
}

/// The events that end a response, under all names that are in use.
const ENDS: [&str; 3] = ["response.completed", "response.done", "response.incomplete"];
const FAILURES: [&str; 2] = ["error", "response.failed"];
/// In bytes: a hundred thousand tokens of a few hundred bytes each.
const MAX_STREAM: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use serde_json::json;

    use super::*;
    use crate::breaker::Breaker;
    use crate::price::Prices;
    use crate::request::Order;
    use crate::sale::Sales;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A piece every minute, and the end.
    struct Slow(VecDeque<&'static str>, Pin<Box<Sleep>>);

    impl Body for Slow {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            ready!(self.1.as_mut().poll(context));
            self.1 = Box::pin(sleep(MINUTE));
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece.into()))))
        }
    }

    /// What comes of the pieces, by a reader who takes this long for an event, and how it ends.
    async fn read(
        pieces: &[&'static str],
        (within, quiet): (u32, u32),
        reads: Duration,
    ) -> Result<Vec<String>, Broken> {
        let body =
            json!({"model": "grok-4.3", "messages": [{"role": "user", "content": ""}], "stream": true});
        let order = Order::parse(Route::Chat, body.to_string().as_bytes(), &Prices::default()).unwrap();
        let sale = Sale::of(&order, Arc::new(Breaker::default()).attempt(Instant::now()), Sales::default());
        let slow = Slow(pieces.iter().copied().collect(), Box::pin(sleep(MINUTE)));
        let second = Duration::from_secs(1);
        let mut stream = Events::new(slow, within * second, quiet * second).begin(sale).await.unwrap();
        let mut events = Vec::new();
        while let Some(event) = poll_fn(|context| stream.poll_event(context)).await {
            events.push(String::from_utf8(event?.to_vec()).unwrap());
            sleep(reads).await;
        }
        Ok(events)
    }

    #[tokio::test(start_paused = true)]
    async fn only_silence_is_silence_and_only_the_whole_time_is_late() {
        let pieces = [":1\n\n", ":2\n\n", ":3\n\n", "data: [DONE]\n\n"];
        assert_eq!(read(&pieces, (301, 61), Duration::ZERO).await.unwrap(), pieces);
        assert_eq!(read(&pieces, (900, 61), 3 * MINUTE).await.unwrap(), pieces, "a slow reader");
        let pause = [":1\n\n", "", "data: [DONE]\n\n"];
        assert_eq!(read(&pause, (301, 61), Duration::ZERO).await.unwrap().len(), 2);
        assert_eq!(read(&pieces, (299, 61), Duration::ZERO).await, Err(Broken::Late));
        let body = Slow(VecDeque::new(), Box::pin(sleep(MINUTE)));
        let mut silent = Events::new(body, 10 * MINUTE, MINUTE - Duration::from_secs(1));
        let end = poll_fn(|context| silent.poll_bytes(context)).await.unwrap();
        assert_eq!(end, Err(Broken::Silent));
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_is_passed_on_whole_however_it_comes() {
        let pieces = ["da", "ta: {}", "\r", "\n", "\r\n: a\n", "\ndata: [DO", "NE]\n\ndata", ": 1\n\n"];
        let events = ["data: {}\r\n\r\n", ": a\n\n", "data: [DONE]\n\n", "data: 1\n\n"];
        assert_eq!(read(&pieces, (900, 90), Duration::ZERO).await.unwrap(), events);
        assert_eq!(read(&pieces[..6], (900, 90), Duration::ZERO).await, Err(Broken::Unfinished));
    }
}
