//! The answer to a call, and how bodies are read within limits.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use mpp_core::payee::body_digest;
use tokio::time::Instant;

use crate::error::{Error, Failure};
use crate::journal::Entry;
use crate::ledger::Step;
use crate::payment::Payment;
use crate::transport::{Body, TransportError};

/// The answer to a call: to the unpaid request when no payment was asked for, else to the paid one.
pub struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Body>,
    pub(crate) entry: Option<Entry>,
    pub(crate) deadline: Deadline,
    pub(crate) limit: usize,
}

impl Response {
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
        let Some(body) = self.body.take() else {
            let failure = Failure::Transport(TransportError::maybe_sent("the body was read before"));
            return Err(match &self.entry {
                None => Error::Unpaid(failure),
                Some(entry) => entry.lost(failure),
            });
        };
        let read = self.deadline.read(body, self.limit).await;
        let Some(entry) = &mut self.entry else { return read.map_err(Error::Unpaid) };
        match read {
            Ok(whole) => {
                entry.note(Step::Delivered { body_digest: body_digest(&whole) }).await;
                Ok(whole)
            }
            Err(failure) => {
                entry.note(Step::Failed { answer: None, receipt: None, failure: failure.to_string() }).await;
                Err(entry.lost(failure))
            }
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
/// In place of a time limit beyond what the clock can say.
const A_MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
