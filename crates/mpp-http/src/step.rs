//! What happens to a payment, and how far each thing moves it on.

use std::fmt;

use bytes::Bytes;
use mpp_core::exchange::Outcome;
use mpp_core::tempo::{B256, SignedPayment};
use mpp_core::{Amount, Receipt};

use crate::error::Failure;
use crate::payment::{Payment, State};

/// What the signature made of a payment.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    pub(crate) at: u64,
    pub(crate) hash: Option<B256>,
    pub(crate) memo: Option<B256>,
    pub(crate) valid_before: Option<u64>,
    /// As good as the money until `valid_before`; empty for a proof.
    pub(crate) transaction: Bytes,
}

/// What the payee answered to the credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// When it came, in Unix seconds.
    pub at: u64,
    /// Its status.
    pub status: Option<u16>,
    /// The digest of what was read of its body, such as `sha-256=:…:`.
    pub body_digest: Option<String>,
}

/// What the chain says became of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// When it was looked up, in Unix seconds.
    pub at: u64,
    /// The transaction that made it; `None` when there is none and can be none.
    pub hash: Option<B256>,
    /// What the payer's balance lost to the recipients, in base units.
    pub amount: Amount,
    /// What it lost in fees, in base units.
    pub fee: Amount,
}

/// Something that happened to a payment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// It was signed, and the credential, or the transaction to be pushed, is about to leave. The only step that may be refused: whoever is refused
    /// sends nothing.
    Sent(Signed),
    /// It was set aside so long ago that nobody waits for it; nothing happens if it was sent in the meantime.
    GivenUp,
    /// Whoever was to send it will not, or knows that not a byte of it left or that the node did not take it.
    NotSent {
        /// Why.
        failure: String,
    },
    /// The head of an answer is there, and says by its success that the money moved.
    Answered {
        /// The head.
        answer: Answer,
        /// Its receipt, if it is one for this payment.
        receipt: Option<Receipt>,
        /// What is wrong with its receipt.
        failure: Option<String>,
    },
    /// The body arrived whole.
    Delivered {
        /// Its digest.
        body_digest: String,
    },
    /// The answer is a failure, was cut short, or never came.
    Failed {
        /// What there is of it, unless that was known before.
        answer: Option<Answer>,
        /// Its receipt, if it is one for this payment.
        receipt: Option<Receipt>,
        /// What went wrong.
        failure: String,
    },
    /// The chain was asked.
    Settled(Settled),
}

impl Step {
    /// What a success says of the money.
    pub(crate) fn answered(answer: Answer, outcome: Outcome) -> Self {
        let (receipt, failure) = match outcome {
            Outcome::Paid(receipt) => (Some(receipt), None),
            Outcome::WrongReceipt(error) => (None, Some(error.to_string())),
            Outcome::Accepted | Outcome::Unknown => (None, None),
        };
        Step::Answered { answer, receipt, failure }
    }

    /// What a failure says of it.
    pub(crate) fn failed(answer: Option<Answer>, outcome: Outcome, failure: &Failure) -> Self {
        let receipt = if let Outcome::Paid(receipt) = outcome { Some(receipt) } else { None };
        // Without the server's words, which may be the credential.
        let failure = match failure {
            Failure::Status { status, .. } => format!("the server answered {status}"),
            other => other.to_string(),
        };
        Step::Failed { answer, receipt, failure }
    }
}

impl Payment {
    /// Takes a step, at `now` in Unix seconds.
    ///
    /// # Errors
    /// When it is to be sent and was sent or given up before.
    pub(crate) fn advance(&mut self, step: Step, now: u64) -> Result<(), State> {
        let ended = matches!(self.state, State::Delivered | State::PaidUndelivered | State::NotPaid);
        match step {
            Step::Sent(signed) if self.state == State::Reserved => {
                self.signed = Some(signed);
                self.state = State::Sent;
            }
            Step::Sent(_) => return Err(self.state),
            Step::GivenUp => {
                if self.state == State::Reserved {
                    self.state = State::NotPaid;
                    self.settled = Some(Settled::nothing(now));
                    self.failure = Some("it was never sent".to_owned());
                }
            }
            Step::NotSent { failure } => {
                match self.state {
                    State::Reserved | State::Sent => {
                        self.state = State::NotPaid;
                        self.settled.get_or_insert(Settled::nothing(now));
                    }
                    // It was pushed: only the credential did not leave.
                    State::Paid => self.state = State::PaidUndelivered,
                    _ => {}
                }
                self.failure.get_or_insert(failure);
            }
            Step::Answered { answer, receipt, failure } => {
                self.answer = Some(answer);
                self.receipt = receipt;
                self.failure = failure;
                if !ended {
                    self.state = State::Paid;
                }
            }
            Step::Delivered { body_digest } => {
                self.answer.get_or_insert_default().body_digest = Some(body_digest);
                if !ended {
                    self.state = State::Delivered;
                }
            }
            Step::Failed { answer, receipt, failure } => {
                self.answer = answer.or(self.answer.take());
                self.receipt = receipt.or(self.receipt.take());
                self.failure = Some(failure);
                if !ended {
                    let paid = self.state == State::Paid || self.receipt.is_some();
                    self.state = if paid { State::PaidUndelivered } else { State::Unknown };
                }
            }
            Step::Settled(settled) => {
                // The chain does not change its mind; a second look adds nothing.
                let settled = self.settled.get_or_insert(settled);
                self.state = match (self.state, settled.amount.is_zero()) {
                    (State::Delivered, _) => State::Delivered,
                    (_, true) => State::NotPaid,
                    (State::Sent, false) => State::Paid,
                    (State::Unknown, false) => State::PaidUndelivered,
                    (state, false) => state,
                };
            }
        }
        // A proof of identity moves no money, whatever becomes of it.
        if self.quote.amount.is_zero() && self.state > State::Sent {
            self.settled.get_or_insert(Settled::nothing(now));
        }
        Ok(())
    }
}

impl Signed {
    /// A payment that was signed at `now` in Unix seconds.
    #[must_use]
    pub fn new(payment: &SignedPayment, now: u64) -> Self {
        let transaction = payment.transaction().map(|transaction| transaction.raw().to_vec());
        Signed {
            at: now,
            hash: payment.hash(),
            memo: payment.memo(),
            valid_before: payment.valid_before(),
            transaction: transaction.unwrap_or_default().into(),
        }
    }
}

impl Settled {
    /// No money moved, and none will.
    pub(crate) fn nothing(at: u64) -> Self {
        Settled { at, hash: None, amount: Amount::ZERO, fee: Amount::ZERO }
    }
}

/// The hash only: the bytes are as good as the money.
impl fmt::Debug for Signed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signed").field("hash", &self.hash).finish_non_exhaustive()
    }
}
