//! Errors that answer the question of a payer: may money have moved?

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use mpp_core::Problem;
use mpp_core::error::{KeyRefusal, SignerError};
use mpp_core::exchange::NotPaid;
use mpp_core::tempo::Address;

use crate::chain::RpcError;
use crate::ledger::{LedgerError, OverBudget};
use crate::payment::Payment;
use crate::transport::TransportError;

/// A call without an answer. [`money`](Error::money) says what became of the money.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request can't be sent by this client. Nothing was sent or signed.
    #[error("{0}")]
    Request(&'static str),
    /// The unpaid request got no answer. Nothing was signed.
    #[error("no answer to the unpaid request")]
    Unpaid(#[source] Failure),
    /// Payment was asked for and refused. Nothing was signed.
    #[error("{reason}{}", Said(.problem.as_deref()))]
    NotPaid {
        /// Why.
        reason: NotPaid,
        /// The problem in the server's body, if it holds one.
        problem: Option<Box<Problem>>,
    },
    /// The budget has no room for the payment. Nothing was signed.
    #[error("payment refused: {0}")]
    OverBudget(OverBudget),
    /// The chain would not let the access key make the payment. Nothing was signed.
    #[error("payment refused: access key {key} {refusal}")]
    AccessKey {
        /// The key's address.
        key: Address,
        /// Why.
        refusal: KeyRefusal,
    },
    /// The payment could not be written down. Nothing was signed.
    #[error("the payment could not be written down, so nothing was signed")]
    Ledger(#[source] LedgerError),
    /// The signer did not sign.
    #[error(transparent)]
    Signer(SignerError),
    /// A payment was signed, and no answer was had for it. Never pay again before it is known what became of it.
    #[error("{}", Stands(payment))]
    AfterSigning {
        /// The payment.
        payment: Box<Payment>,
        /// What went wrong.
        #[source]
        failure: Failure,
    },
}

/// What became of the money of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Money {
    /// The price did not move, and will not. A payment that failed on chain took its fee all the same: see
    /// [`Payment::settled`].
    NotMoved,
    /// A payment was sent. It may have been taken or may yet be; look it up on chain by its hash or memo.
    Unknown,
    /// The payment was taken: the payee says so by a receipt, or by a success without one, or the chain does.
    Paid,
}

impl Money {
    /// `not_moved`, `unknown` or `paid`, as in a payment's evidence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Money::NotMoved => "not_moved",
            Money::Unknown => "unknown",
            Money::Paid => "paid",
        }
    }
}

impl Error {
    /// What became of the money.
    #[must_use]
    pub fn money(&self) -> Money {
        self.payment().map_or(Money::NotMoved, Payment::money)
    }

    /// The payment, if one was signed.
    #[must_use]
    pub fn payment(&self) -> Option<&Payment> {
        match self {
            Error::AfterSigning { payment, .. } => Some(payment),
            _ => None,
        }
    }
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The payment could not be written down as sent, so it was not.
    #[error("the payment could not be written down")]
    Ledger(#[source] LedgerError),
    /// The node did not take the transaction that had to be pushed, or did not say whether it did.
    #[error(transparent)]
    Node(Box<RpcError>),
    /// The transaction that had to be pushed was mined, and did nothing but cost its fee.
    #[error("the transaction reverted, most likely for want of money; fund the account that pays")]
    Reverted,
    /// The connection.
    #[error(transparent)]
    Transport(TransportError),
    /// Time ran out.
    #[error("no complete answer within {after:?}")]
    Timeout {
        /// The limit.
        after: Duration,
    },
    /// The answer is a failure, or a redirect.
    #[error("the server answered {status}{}", Said(Problem::parse(.body).as_ref()))]
    Status {
        /// Its status.
        status: StatusCode,
        /// The first 64 KiB of its body.
        body: Bytes,
    },
    /// The body is longer than is read.
    #[error("the answer is longer than {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// The body ended as HTTP says it should, before the answer did.
    #[error("the answer ended before {missing}")]
    CutShort {
        /// What should have come.
        missing: &'static str,
    },
}

/// ` (the server says: …)`, or nothing.
struct Said<'a>(Option<&'a Problem>);

impl fmt::Display for Said<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |problem| write!(formatter, " (the server says: {problem})"))
    }
}

/// Where the money stands, as the start of a sentence.
struct Stands<'a>(&'a Payment);

impl fmt::Display for Stands<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.0.quote().amount;
        match self.0.money() {
            Money::NotMoved if amount.is_zero() => formatter.write_str("nothing was to be paid"),
            Money::NotMoved => match self.0.settled() {
                Some(settled) if !settled.fee.is_zero() => {
                    write!(
                        formatter,
                        "the payment failed on chain, its fee of {} dollars is gone",
                        settled.fee
                    )
                }
                _ => formatter.write_str("a payment was signed, but no money moved"),
            },
            Money::Unknown => write!(formatter, "it is unknown whether {amount} dollars were paid"),
            Money::Paid => write!(formatter, "{amount} dollars were paid, but the answer failed or is lost"),
        }
    }
}
