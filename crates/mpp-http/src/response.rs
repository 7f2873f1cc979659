//! The answer to a call, and the payment that was made for it.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use mpp_core::exchange::Outcome;
use mpp_core::tempo::{Address, B256, SignedPayment};
use mpp_core::{Quote, Receipt};
use tokio::time::Instant;

use crate::error::{Error, Failure, Money};
use crate::transport::{Body, TransportError};

/// A payment that was signed in a call, and what is known of it. Every field can be shown to anyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    quote: Quote,
    payer: Address,
    hash: Option<B256>,
    memo: Option<B256>,
    valid_before: Option<u64>,
    sent: bool,
    outcome: Outcome,
}

impl Payment {
    /// A payment of which no byte has been sent yet.
    pub(crate) fn signed(payment: &SignedPayment) -> Self {
        Payment {
            quote: payment.quote().clone(),
            payer: payment.payer(),
            hash: payment.hash(),
            memo: payment.memo(),
            valid_before: payment.valid_before(),
            sent: false,
            outcome: Outcome::Unknown,
        }
    }

    pub(crate) fn sent(mut self, outcome: Outcome) -> Self {
        self.sent = true;
        self.outcome = outcome;
        self
    }

    /// What was approved and signed: amount, token, recipients, chain, challenge.
    #[must_use]
    pub fn quote(&self) -> &Quote {
        &self.quote
    }

    /// The address that pays.
    #[must_use]
    pub fn payer(&self) -> Address {
        self.payer
    }

    /// The transaction's hash: known from the signature, or, when the payee sponsors it, from the receipt.
    #[must_use]
    pub fn hash(&self) -> Option<B256> {
        self.hash.or_else(|| self.receipt()?.hash())
    }

    /// The memo by which the payment can be found on chain.
    #[must_use]
    pub fn memo(&self) -> Option<B256> {
        self.memo
    }

    /// The Unix second from which on it can no longer happen.
    #[must_use]
    pub fn valid_before(&self) -> Option<u64> {
        self.valid_before
    }

    /// The payee's receipt, if it is for this payment.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        match &self.outcome {
            Outcome::Paid(receipt) => Some(receipt),
            _ => None,
        }
    }

    /// What the answer said about it.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Where the money is, as far as is known.
    #[must_use]
    pub fn money(&self) -> Money {
        match self.outcome {
            _ if !self.sent || self.quote.amount.is_zero() => Money::NotMoved,
            Outcome::Unknown => Money::Unknown,
            _ => Money::Paid,
        }
    }
}

/// The answer to a call: to the unpaid request when no payment was asked for, else to the paid one.
pub struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) payment: Option<Box<Payment>>,
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
        self.payment.as_deref()
    }

    /// The whole body, read within the call's time and size limits.
    ///
    /// # Errors
    /// When it does not arrive whole. If it was paid for, the error holds the payment.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let Response { body, payment, deadline, limit, .. } = self;
        deadline.read(body, limit).await.map_err(|failure| match payment {
            None => Error::Unpaid(failure),
            Some(payment) => Error::AfterSigning { payment, failure },
        })
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Response")
            .field("status", &self.status)
            .field("payment", &self.payment)
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
