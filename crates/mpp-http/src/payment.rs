//! One payment from its reservation to the chain's word on it: what the ledger keeps, and how it moves on.

use std::fmt;

use bytes::Bytes;
use mpp_core::payee::body_digest;
use mpp_core::tempo::{Address, B256};
use mpp_core::{Amount, Approval, Challenge, Quote, Receipt};

use crate::error::Money;
use crate::ledger::{self, Currency};
use crate::step::{Answer, Settled, Signed};

/// A payment of a call, and what is known of it. Printed for debugging it holds nothing that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Payment {
    pub(crate) id: u64,
    pub(crate) process: u64,
    pub(crate) state: State,
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) body_digest: String,
    pub(crate) challenge: Challenge,
    pub(crate) quote: Quote,
    pub(crate) payer: Address,
    pub(crate) reserved_at: u64,
    pub(crate) signed: Option<Signed>,
    pub(crate) answer: Option<Answer>,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) failure: Option<String>,
    pub(crate) settled: Option<Settled>,
}

/// How far a payment has come. It only ever moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Its money is set aside; not a byte of the credential has left.
    Reserved,
    /// The credential has left, or was about to; or, of a payment that is pushed, its transaction.
    Sent,
    /// The call ended without saying whether the money moved.
    Unknown,
    /// The money moved, by the payee's word or the chain's; whether the answer arrived is not known.
    Paid,
    /// The answer arrived whole.
    Delivered,
    /// The money moved, and the answer was a failure or is lost.
    PaidUndelivered,
    /// The money did not move and can no longer.
    NotPaid,
}

impl State {
    /// All of them, in order.
    pub const ALL: [State; 7] = [
        State::Reserved,
        State::Sent,
        State::Unknown,
        State::Paid,
        State::Delivered,
        State::PaidUndelivered,
        State::NotPaid,
    ];

    /// Its name, such as `paid_undelivered`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Reserved => "reserved",
            State::Sent => "sent",
            State::Unknown => "unknown",
            State::Paid => "paid",
            State::Delivered => "delivered",
            State::PaidUndelivered => "paid_undelivered",
            State::NotPaid => "not_paid",
        }
    }
}

impl Payment {
    /// A payment for `request` that was approved and is yet to be written down, at `now` in Unix seconds.
    #[must_use]
    pub fn new(request: &http::Request<Bytes>, approval: &Approval, payer: Address, now: u64) -> Self {
        let uri = request.uri();
        let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority());
        Payment {
            id: 0,
            process: ledger::process(),
            state: State::Reserved,
            method: request.method().to_string(),
            url: format!("{scheme}://{}{}", authority.map_or("", |host| host.as_str()), uri.path()),
            body_digest: body_digest(request.body()),
            challenge: approval.challenge().clone(),
            quote: approval.quote().clone(),
            payer,
            reserved_at: now,
            signed: None,
            answer: None,
            receipt: None,
            failure: None,
            settled: None,
        }
    }

    /// Its number in the ledger.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// How far it has come.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// What was approved and signed: amount, token, recipients, chain, challenge.
    #[must_use]
    pub fn quote(&self) -> &Quote {
        &self.quote
    }

    /// What its amounts are amounts of.
    #[must_use]
    pub fn currency(&self) -> Currency {
        Currency { chain_id: self.quote.chain_id, token: self.quote.token }
    }

    /// The challenge it answers.
    #[must_use]
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// Method and URL of the request it was made for, the URL without its query.
    #[must_use]
    pub fn request(&self) -> (&str, &str) {
        (&self.method, &self.url)
    }

    /// The address that pays.
    #[must_use]
    pub fn payer(&self) -> Address {
        self.payer
    }

    /// When its money was set aside, in Unix seconds.
    #[must_use]
    pub fn reserved_at(&self) -> u64 {
        self.reserved_at
    }

    /// The transaction's hash: known from the signature, or, when the payee sponsors it, from the chain or the receipt.
    #[must_use]
    pub fn hash(&self) -> Option<B256> {
        let signed = self.signed.as_ref().and_then(|signed| signed.hash);
        let settled = self.settled.as_ref().and_then(|settled| settled.hash);
        signed.or(settled).or_else(|| self.receipt.as_ref()?.hash())
    }

    /// The memo by which it can be found on chain.
    #[must_use]
    pub fn memo(&self) -> Option<B256> {
        self.signed.as_ref()?.memo
    }

    /// The Unix second from which on it can no longer happen.
    #[must_use]
    pub fn valid_before(&self) -> Option<u64> {
        self.signed.as_ref()?.valid_before
    }

    /// The signed transaction. Until [`valid_before`](Payment::valid_before) it is as good as the money.
    #[must_use]
    pub fn transaction(&self) -> Option<&Bytes> {
        self.signed.as_ref().map(|signed| &signed.transaction).filter(|raw| !raw.is_empty())
    }

    /// The payee's receipt, if it sent one for this very payment.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        self.receipt.as_ref()
    }

    /// What went wrong, if something did.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// What the chain says, once it was asked and could say for good.
    #[must_use]
    pub fn settled(&self) -> Option<&Settled> {
        self.settled.as_ref()
    }

    /// Where the money is, as far as is known.
    #[must_use]
    pub fn money(&self) -> Money {
        match (self.state, &self.settled) {
            _ if self.quote.amount.is_zero() => Money::NotMoved,
            (_, Some(settled)) if settled.amount.is_zero() => Money::NotMoved,
            (_, Some(_)) => Money::Paid,
            (State::Reserved | State::NotPaid, None) => Money::NotMoved,
            (State::Sent | State::Unknown, None) => Money::Unknown,
            (State::Paid | State::Delivered | State::PaidUndelivered, None) => Money::Paid,
        }
    }

    /// What it takes out of a budget, in base units: what it cost, or, before that is known, what it may.
    #[must_use]
    pub fn counted(&self) -> Amount {
        match &self.settled {
            Some(settled) => sum(settled.amount, settled.fee),
            None => sum(self.quote.amount, self.quote.fee_ceiling),
        }
    }

    /// What one of its recipients gets, counted likewise; fees are nobody's.
    pub(crate) fn counted_for(&self, recipient: Address) -> Amount {
        if self.settled.as_ref().is_some_and(|settled| settled.amount.is_zero()) {
            return Amount::ZERO;
        }
        let shares = self.quote.transfers.iter().filter(|transfer| transfer.to == recipient);
        shares.fold(Amount::ZERO, |total, transfer| sum(total, transfer.amount))
    }
}

/// Without the signed transaction.
impl fmt::Debug for Payment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Payment")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("request", &self.request())
            .field("quote", &self.quote)
            .field("payer", &self.payer)
            .field("hash", &self.hash())
            .field("memo", &self.memo())
            .field("valid_before", &self.valid_before())
            .field("answer", &self.answer)
            .field("receipt", &self.receipt)
            .field("failure", &self.failure)
            .field("settled", &self.settled)
            .finish_non_exhaustive()
    }
}

/// Past 2^128 no budget cares by how much.
pub(crate) fn sum(one: Amount, other: Amount) -> Amount {
    one.checked_add(other).unwrap_or(Amount::from_base_units(u128::MAX))
}
