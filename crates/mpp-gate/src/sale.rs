//! One sale, as it is kept: from the credential that was claimed to the answer that was given for it, or to the money
//! that was given back.
//!
//! `Claimed → Settled → Served`, or, when there is no answer, `Settled → RefundDue → Refunding → Refunded`; `Servable` when
//! whoever was at it is gone. Who moves it on writes that down first; what nobody moves on is looked after when it is due.

use std::fmt;

use alloy_primitives::Address;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Response, StatusCode};
use mpp_core::{Amount, Receipt};

use crate::chain::Outgoing;

/// A payment that was taken up, for one request.
#[derive(Clone, PartialEq, Eq)]
pub struct Sale {
    /// The challenge it answers; no two sales have the same.
    pub(crate) challenge_id: String,
    /// Counts what was written of it: who writes has seen the version before.
    pub(crate) version: u64,
    pub(crate) state: State,
    /// When somebody has to look after it, in Unix seconds, unless whoever is at it has done so.
    pub(crate) due_at: Option<u64>,
    /// The digest of the request's method, target and body.
    pub(crate) request: String,
    /// The digest of the credential's payload: who comes back with the same is the payer.
    pub(crate) credential: String,
    /// The digest of the payer's `Idempotency-Key` for this request; no two sales have the same.
    pub(crate) idempotency: Option<String>,
    /// The transaction's hash, or the challenge's id for a proof.
    pub(crate) reference: String,
    pub(crate) payer: Address,
    pub(crate) chain_id: u64,
    pub(crate) currency: Address,
    pub(crate) amount: Amount,
    /// What pays; `None` for a proof. No two sales have the same.
    pub(crate) payment: Option<Outgoing>,
    pub(crate) claimed_at: u64,
    pub(crate) settled_at: Option<u64>,
    /// What was given for it.
    pub(crate) answer: Option<Kept>,
    /// Why nothing was.
    pub(crate) failure: Option<String>,
    /// What gives the money back.
    pub(crate) refund: Option<Outgoing>,
    /// How often giving it back was tried.
    pub(crate) refund_tries: u32,
    /// When it was served or refunded.
    pub(crate) ended_at: Option<u64>,
}

/// How far a sale has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// The credential is good, and about to be settled; the money may move from here on.
    Claimed,
    /// The money moved; the answer is being made.
    Settled,
    /// The money moved, and nobody is making the answer: the payer gets it when he comes back in time.
    Servable,
    /// The answer was made.
    Served,
    /// There is no answer; the money has to be given back.
    RefundDue,
    /// A transaction that gives it back is signed and may be on its way.
    Refunding,
    /// It was given back.
    Refunded,
}

impl State {
    /// All of them, in order.
    pub const ALL: [State; 7] = [
        State::Claimed,
        State::Settled,
        State::Servable,
        State::Served,
        State::RefundDue,
        State::Refunding,
        State::Refunded,
    ];

    /// Its name, as it is kept and reported.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Claimed => "claimed",
            State::Settled => "settled",
            State::Servable => "servable",
            State::Served => "served",
            State::RefundDue => "refund-due",
            State::Refunding => "refunding",
            State::Refunded => "refunded",
        }
    }
}

/// An answer that can be given again.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) status: u16,
    /// Fields whose values are text.
    pub(crate) headers: Vec<(String, String)>,
    /// `None` for one that was too long, or has been kept long enough.
    pub(crate) body: Option<Bytes>,
}

impl Sale {
    pub(crate) fn receipt(&self, now: u64) -> Receipt {
        let receipt = Receipt::new(self.reference.as_str(), self.settled_at.unwrap_or(now), None);
        receipt.paid(self.amount, self.currency, self.payer)
    }

    /// Whether this is what `other` is about: the same payment, or another for the same `Idempotency-Key`.
    pub(crate) fn is_for(&self, other: &Sale) -> bool {
        let same_key = self.idempotency.is_some() && self.idempotency == other.idempotency;
        self.request == other.request && (self.credential == other.credential || same_key)
    }

    /// Whether somebody is at it at `now`.
    pub(crate) fn is_held(&self, now: u64) -> bool {
        matches!(self.state, State::Claimed | State::Settled) && self.due_at.is_some_and(|due| due > now)
    }

    /// The next version of it, due at `due_at`.
    pub(crate) fn next(&self, state: State, due_at: Option<u64>) -> Self {
        Sale { version: self.version.saturating_add(1), state, due_at, ..self.clone() }
    }

    /// The next version, at `now`: here is what was bought.
    pub(crate) fn served(&self, answer: Kept, now: u64) -> Self {
        Sale { answer: Some(answer), ended_at: Some(now), ..self.next(State::Served, None) }
    }

    /// The next version, at `now`: there is nothing to be had. The payer may buy again by the same `Idempotency-Key`. A
    /// proof has nothing to give back.
    pub(crate) fn failed(&self, why: String, now: u64) -> Self {
        let failed = Sale { failure: Some(why), idempotency: None, ..self.next(State::RefundDue, Some(now)) };
        match self.amount.is_zero() {
            true => Sale { state: State::Refunded, due_at: None, ended_at: Some(now), ..failed },
            false => failed,
        }
    }
}

impl Kept {
    pub(crate) fn head(response: &http::response::Parts) -> Self {
        let fields = response
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        Kept { status: response.status.as_u16(), headers: fields.collect(), body: None }
    }

    /// The answer once more; `None` without its body.
    pub(crate) fn again(&self) -> Option<Response<Bytes>> {
        let mut response = Response::new(self.body.clone()?);
        *response.status_mut() = StatusCode::from_u16(self.status).ok()?;
        for (name, value) in &self.headers {
            let field = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()));
            let (Ok(name), Ok(value)) = field else { continue };
            response.headers_mut().append(name, value);
        }
        Some(response)
    }
}

/// Without what pays, what was answered, and the digest that stands for the credential.
impl fmt::Debug for Sale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sale")
            .field("reference", &self.reference)
            .field("state", &self.state)
            .field("payer", &self.payer)
            .field("amount", &self.amount)
            .finish_non_exhaustive()
    }
}

/// For how many seconds a sale is somebody's who does not renew it: as long as a payer who comes back after a crash waits.
/// The clocks of a gate's instances have to agree better than that.
pub(crate) const LEASE: u64 = 15;
