//! The answer to a call, and how bodies are read within limits.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use mpp_core::payee::BodyDigest;
use tokio::time::Instant;

use crate::error::{Error, Failure};
use crate::journal::Entry;
use crate::ledger::Step;
use crate::payment::Payment;
use crate::transport::{Body, TransportError};

/// The answer to a call: to the unpaid request when no payment was asked for, else to the paid one.
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    /// Nothing once it is read, or broke.
    body: Option<Body>,
    entry: Option<Entry>,
    deadline: Deadline,
    limit: usize,
    /// Bytes handed out by [`chunk`](Response::chunk), and their digest.
    read: usize,
    digest: BodyDigest,
}

impl Response {
    pub(crate) fn new(
        answer: http::Response<Body>,
        entry: Option<Entry>,
        deadline: Deadline,
        limit: usize,
    ) -> Self {
        let (http::response::Parts { status, headers, .. }, body) = answer.into_parts();
        let (read, digest) = (0, BodyDigest::default());
        Response { status, headers, body: Some(body), entry, deadline, limit, read, digest }
    }

    /// The status; of a paid request always a success.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The fields of the head.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The payment made for it, if one was.
    #[must_use]
    pub fn payment(&self) -> Option<&Payment> {
        self.entry.as_ref().map(Entry::payment)
    }

    /// The whole body, read within the call's time and size limits; the ledger hears of it. It can be had once.
    ///
    /// # Errors
    /// When it does not arrive whole, or was had before. If it was paid for, the error holds the payment.
    pub async fn bytes(&mut self) -> Result<Bytes, Error> {
        let Some(body) = self.body.take().filter(|_| self.read == 0) else {
            let failure = Failure::Transport(TransportError::maybe_sent("the body was read before"));
            return Err(self.lost(failure));
        };
        match self.deadline.read(body, self.limit).await {
            Ok(whole) => {
                self.digest.update(&whole);
                self.delivered().await;
                Ok(whole)
            }
            Err(failure) => Err(self.failed(failure).await),
        }
    }

    /// The next piece of the body, as it comes and within the call's limits; `None` at the end that HTTP tells.
    ///
    /// Whether that was the end of the answer, too, only its reader knows, who says so by
    /// [`delivered`](Response::delivered) or [`cut_short`](Response::cut_short). Unless told, the ledger knows no more
    /// than that it was paid for.
    ///
    /// # Errors
    /// When the body breaks off, takes too long or is too long. If it was paid for, the error holds the payment.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        // It stays where it is while it is waited for: whoever stops waiting can go on later.
        while let Some(body) = &mut self.body {
            let frame = match self.deadline.limit(body.frame()).await {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    frame.map_err(|error| Failure::Transport(TransportError::maybe_sent(error)))
                }
                Err(timeout) => Err(timeout),
            };
            let frame = match frame {
                Ok(frame) => frame,
                Err(failure) => {
                    self.body = None;
                    return Err(self.failed(failure).await);
                }
            };
            let Ok(piece) = frame.into_data() else { continue };
            self.read = self.read.saturating_add(piece.len());
            if self.read > self.limit {
                self.body = None;
                return Err(self.failed(Failure::TooLarge { limit: self.limit }).await);
            }
            self.digest.update(&piece);
            return Ok(Some(piece));
        }
        self.body = None;
        Ok(None)
    }

    /// Tells the ledger that what was read by [`chunk`](Response::chunk) is the whole answer.
    pub async fn delivered(&mut self) {
        let body_digest = self.digest.clone().finish();
        if let Some(entry) = &mut self.entry {
            entry.note(Step::Delivered { body_digest }).await;
        }
        // Its end is polite to hear, and nothing depends on it.
        if let Some(body) = self.body.take() {
            let _ = Deadline::after(END_PATIENCE).read(body, self.limit).await;
        }
    }

    /// Tells the ledger that what was read by [`chunk`](Response::chunk) is not the whole answer, though the body ended;
    /// `missing` says what should have come. Back comes the error of the call.
    pub async fn cut_short(&mut self, missing: &'static str) -> Error {
        self.failed(Failure::CutShort { missing }).await
    }

    async fn failed(&mut self, failure: Failure) -> Error {
        if let Some(entry) = &mut self.entry {
            entry.note(Step::Failed { answer: None, receipt: None, failure: failure.to_string() }).await;
        }
        self.lost(failure)
    }

    fn lost(&self, failure: Failure) -> Error {
        match &self.entry {
            None => Error::Unpaid(failure),
            Some(entry) => entry.lost(failure),
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Response")
            .field("status", &self.status)
            .field("payment", &self.payment())
            .finish_non_exhaustive()
    }
}

/// When a leg of a call is given up, body included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    until: Instant,
    after: Duration,
}

impl Deadline {
    pub(crate) fn after(after: Duration) -> Self {
        let now = Instant::now();
        Deadline { until: now.checked_add(after).unwrap_or(now + A_MONTH), after }
    }

    /// Waits for `work`, but not longer.
    pub(crate) async fn limit<T>(self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::time::timeout_at(self.until, work).await.map_err(|_| Failure::Timeout { after: self.after })
    }

    /// Reads a body of at most `limit` bytes.
    pub(crate) async fn read(self, body: Body, limit: usize) -> Result<Bytes, Failure> {
        let body: Body = Box::pin(Limited::new(body, limit));
        match self.limit(body.collect()).await? {
            Ok(whole) => Ok(whole.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(Failure::TooLarge { limit }),
            Err(error) => Err(Failure::Transport(TransportError::maybe_sent(error))),
        }
    }
}

/// Reads what a failed answer says: its first bytes, for a few seconds. Nothing depends on it but a message.
pub(crate) async fn read_failure(mut body: Body) -> Bytes {
    let deadline = Deadline::after(FAILURE_PATIENCE);
    let mut start = BytesMut::new();
    while let Ok(Some(Ok(frame))) = deadline.limit(body.frame()).await {
        let Ok(data) = frame.into_data() else { continue };
        start.extend(data.into_iter().take(FAILURE_LIMIT - start.len()));
        if start.len() == FAILURE_LIMIT {
            break;
        }
    }
    start.freeze()
}

/// Longest body of a failure that is read, in bytes.
const FAILURE_LIMIT: usize = 64 * 1024;
/// Longest wait for it.
const FAILURE_PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait for the end of a body whose answer is whole.
const END_PATIENCE: Duration = Duration::from_secs(1);
/// In place of a time limit beyond what the clock can say.
const A_MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;

    use super::*;

    type BoxError = Box<dyn std::error::Error + Send + Sync>;

    /// Makes its reader wait before every piece, of which there are so many.
    struct Slow(u8, bool);

    impl http_body::Body for Slow {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            self.1 = !self.1;
            if self.1 {
                return Poll::Pending;
            }
            self.0 = self.0.saturating_sub(1);
            Poll::Ready((self.0 > 0).then(|| Ok(Frame::data(Bytes::from(vec![self.0])))))
        }
    }

    #[tokio::test]
    async fn whoever_stops_waiting_for_a_piece_gets_it_later() {
        let body: Body = Box::pin(Slow(3, false));
        let mut response = Response::new(http::Response::new(body), None, Deadline::after(A_MONTH), 10);
        let mut context = Context::from_waker(std::task::Waker::noop());
        for expected in [Some(2), Some(1), None] {
            assert!(Box::pin(response.chunk()).as_mut().poll(&mut context).is_pending());
            let piece = response.chunk().await.ok().flatten();
            assert_eq!(piece.and_then(|piece| piece.first().copied()), expected);
        }
    }
}
