//! An answer that is being made: written by who buys it, read by any number of clients, from its beginning and whenever they
//! come. It goes on when nobody reads, as it is paid for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use http_body::Frame;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

/// A whole answer, or the beginning of a stream.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn new(
        status: StatusCode,
        mut headers: HeaderMap,
        kind: &str,
        body: impl Into<Bytes>,
    ) -> Self {
        let octets = HeaderValue::from_static("application/octet-stream");
        headers.insert(CONTENT_TYPE, HeaderValue::try_from(kind).unwrap_or(octets));
        Reply { status, headers, body: body.into() }
    }

    pub(super) fn json(status: StatusCode, headers: HeaderMap, body: &Value) -> Self {
        Reply::new(status, headers, "application/json", body.to_string())
    }

    /// The answer to a client.
    pub(super) fn into_response(self) -> Response {
        respond(self.status, self.headers, Body::from(self.body))
    }
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// What has come of an answer so far.
#[derive(Debug, Default)]
pub(super) struct Record {
    begun: Option<Reply>,
    pieces: Vec<Bytes>,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    at: Instant,
    /// Whether all of it is there.
    whole: bool,
    /// Whether it is worth keeping for who asks the same again.
    keep: bool,
}

impl Record {
    /// How long ago it ended, if it did.
    pub(super) fn age(&self) -> Option<Duration> {
        self.end.map(|end| end.at.elapsed())
    }

    /// Whether it ended as something that nobody needs to hear again.
    pub(super) fn is_void(&self) -> bool {
        self.end.is_some_and(|end| !end.keep)
    }

    /// What it takes of memory, in bytes.
    pub(super) fn size(&self) -> usize {
        let begun = self.begun.as_ref().map_or(0, |reply| reply.body.len());
        self.pieces.iter().map(Bytes::len).fold(begun, usize::saturating_add)
    }
}

/// The writing end.
#[derive(Debug)]
pub(super) struct Recorder(watch::Sender<Record>);

impl Recorder {
    pub(super) fn new() -> (Self, Reader) {
        let (sender, record) = watch::channel(Record::default());
        (Recorder(sender), Reader { record, clients: Arc::default() })
    }

    /// Writes a whole answer; `keep` tells whether it is that of who asks the same again.
    pub(super) fn answer(&self, reply: Reply, keep: bool) {
        self.begin(reply);
        self.finish(true, keep);
    }

    /// Writes the head and the first bytes of an answer that goes on.
    pub(super) fn begin(&self, reply: Reply) {
        self.0.send_modify(|record| record.begun = Some(reply));
    }

    /// Writes what comes next.
    pub(super) fn add(&self, piece: impl Into<Bytes>) {
        let piece = piece.into();
        if !piece.is_empty() {
            self.0.send_modify(|record| record.pieces.push(piece));
        }
    }

    /// Writes that this was all, or that more should have come.
    pub(super) fn finish(&self, whole: bool, keep: bool) {
        self.0.send_modify(|record| record.end = Some(End { at: Instant::now(), whole, keep }));
    }
}

/// Whoever buys was stopped: there will be no more.
impl Drop for Recorder {
    fn drop(&mut self) {
        if self.0.borrow().end.is_none() {
            self.finish(false, true);
        }
    }
}

/// The reading end.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    record: watch::Receiver<Record>,
    clients: Arc<Clients>,
}

/// Who was there for an answer.
#[derive(Debug, Default)]
struct Clients {
    /// How many wait for its beginning.
    waiting: AtomicUsize,
    /// Whether any was handed it.
    served: AtomicBool,
}

/// A client that waits until this is dropped, as it also is when the client hangs up.
struct Waiting(Arc<Clients>);

impl Waiting {
    fn start(clients: &Arc<Clients>) -> Self {
        clients.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(Arc::clone(clients))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Reader {
    /// What the record says of itself right now.
    pub(super) fn now<T>(&self, ask: impl FnOnce(&Record) -> T) -> T {
        ask(&self.record.borrow())
    }

    /// Whether all who asked for it hung up before it began.
    pub(super) fn is_left_alone(&self) -> bool {
        let Clients { waiting, served } = &*self.clients;
        waiting.load(Ordering::Relaxed) == 0 && !served.load(Ordering::Relaxed)
    }

    /// Waits for the answer to begin, and hands it on as it comes; `None` when there will be none.
    pub(super) async fn respond(mut self, more: HeaderMap) -> Option<Response> {
        let clients = Arc::clone(&self.clients);
        let waiting = Waiting::start(&clients);
        let begun = self.record.wait_for(|record| record.begun.is_some()).await;
        drop(waiting);
        clients.served.store(true, Ordering::Relaxed);
        let begun = begun.ok()?;
        let (reply, whole) = (begun.begun.clone()?, begun.end.is_some_and(|end| end.whole));
        let all = whole && begun.pieces.is_empty();
        drop(begun);
        let Reply { status, mut headers, body } = reply;
        headers.extend(more);
        if all {
            return Some(respond(status, headers, Body::from(body)));
        }
        let (sender, pieces) = mpsc::channel(1);
        tokio::spawn(self.copy(body, sender));
        Some(respond(status, headers, Body::new(Pieces(pieces))))
    }

    /// Hands on piece by piece until the record ends or nobody takes any more.
    async fn copy(mut self, first: Bytes, sender: mpsc::Sender<Result<Bytes, &'static str>>) {
        let (mut ready, mut taken) = (vec![first], 0_usize);
        loop {
            for piece in ready.drain(..) {
                if sender.send(Ok(piece)).await.is_err() {
                    return;
                }
            }
            let end = {
                let record = self.record.borrow_and_update();
                ready.extend(record.pieces.iter().skip(taken).cloned());
                record.end
            };
            taken = taken.saturating_add(ready.len());
            match end {
                _ if !ready.is_empty() => {}
                Some(End { whole: true, .. }) => return,
                Some(_) => break,
                None if self.record.changed().await.is_err() => break,
                None => {}
            }
        }
        // The last event says what happened. A connection that breaks beneath it would take it away from who has not read
        // it yet, and one that ended well would be taken for a whole answer.
        tokio::time::sleep(LAST_WORD).await;
        let _ = sender.send(Err("the answer was cut off")).await;
    }
}

/// A body that comes in pieces.
struct Pieces(mpsc::Receiver<Result<Bytes, &'static str>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// How long the last event of a broken stream has to be read.
const LAST_WORD: Duration = Duration::from_secs(1);
