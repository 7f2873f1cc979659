//! How a run ends when it does not end well: an exit code that says what became of the money, and a message.

use bytes::Bytes;
use mpp_core::error::Refusal;
use mpp_core::exchange::{NotPaid, Reason};
use mpp_http::ledger::{LedgerError, Standing};
use mpp_http::reconcile::ReconcileError;
use mpp_http::{Money, Payment};

use crate::payment::fee_of_failed;

/// A run that bought no answer, or a command that did not work.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
    pub(crate) payment: Option<Box<Payment>>,
    /// What is left of the limits that the payment counts against.
    pub(crate) left: Vec<Standing>,
    /// What came instead of an answer.
    pub(crate) body: Option<Bytes>,
}

impl Failure {
    /// The person or program that called made a mistake; nothing was sent.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure::new(USAGE, message.into())
    }

    /// Something did not work before anything was signed.
    pub(crate) fn unpaid(message: impl Into<String>) -> Self {
        Failure::new(NO_MONEY_MOVED, message.into())
    }

    /// As it is told of a run: the money comes first, which a mistake in the command line has none to do with.
    pub(crate) fn of_a_run(mut self) -> Self {
        if self.payment.is_none() && self.code != USAGE {
            self.message.insert_str(0, "nothing was paid: ");
        }
        self
    }

    /// What was asked for is here, and there is no place to print it.
    pub(crate) fn unprinted(error: &std::io::Error, payment: Option<Payment>) -> Self {
        let code = if payment.is_some() { PAID_FOR_NOTHING } else { NO_MONEY_MOVED };
        let stands = payment.as_ref().map(stands).unwrap_or_default();
        let payment = payment.map(Box::new);
        Failure { payment, ..Failure::new(code, format!("{stands}cannot print: {error}")) }
    }

    /// Ctrl-C, and the payment that had left by then, as the ledger has it.
    pub(crate) fn interrupted(payment: Option<Payment>) -> Self {
        let code = payment.as_ref().map_or(NO_MONEY_MOVED, |payment| code_of(payment.money()));
        let stands = payment.as_ref().map(stands).unwrap_or_default();
        Failure { payment: payment.map(Box::new), ..Failure::new(code, stands + "interrupted") }
    }

    /// A person at the terminal did not agree to the price.
    pub(crate) fn declined() -> Self {
        Failure::new(REFUSED, "declined".to_owned())
    }

    /// A call that failed, and its payment as far as it is known by now.
    pub(crate) fn call(error: &grok_mpp::Error, payment: Option<Payment>) -> Self {
        let money = payment.as_ref().map_or(Money::NotMoved, Payment::money);
        let code = match (money, error) {
            (Money::NotMoved, grok_mpp::Error::Request(_) | grok_mpp::Error::BaseUrl(_)) => USAGE,
            (Money::NotMoved, grok_mpp::Error::Http(mpp_http::Error::Request(_))) => USAGE,
            (Money::NotMoved, grok_mpp::Error::Http(mpp_http::Error::OverBudget(_))) => REFUSED,
            (Money::NotMoved, grok_mpp::Error::Http(mpp_http::Error::AccessKey { .. })) => REFUSED,
            (Money::NotMoved, grok_mpp::Error::Http(mpp_http::Error::NotPaid { reason, .. }))
                if is_refusal(reason) =>
            {
                REFUSED
            }
            (money, _) => code_of(money),
        };
        let stands = payment.as_ref().map(stands).unwrap_or_default();
        let message = match error {
            grok_mpp::Error::Http(mpp_http::Error::AfterSigning { failure, .. }) => chain(failure),
            error => chain(error),
        };
        let (payment, body) = (payment.map(Box::new), error.body().cloned());
        Failure { payment, body, ..Failure::new(code, stands + &message) }
    }

    fn new(code: u8, message: String) -> Self {
        Failure { code, message, payment: None, left: Vec::new(), body: None }
    }
}

/// What a call without an answer ends with, if it is known no better.
fn code_of(money: Money) -> u8 {
    match money {
        Money::NotMoved => NO_MONEY_MOVED,
        Money::Unknown => UNKNOWN,
        Money::Paid => PAID_FOR_NOTHING,
    }
}

/// Before anything was signed, or where nothing was to be.
impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Failure::unpaid(chain(&error))
    }
}

/// Payments that were open may still be.
impl From<ReconcileError> for Failure {
    fn from(error: ReconcileError) -> Self {
        Failure::new(UNKNOWN, chain(&error))
    }
}

/// Where the money of a payment is, as the start of a message.
fn stands(payment: &Payment) -> String {
    let amount = payment.quote().amount;
    match (payment.money(), fee_of_failed(payment)) {
        _ if amount.is_zero() => "nothing was to be paid: ".to_owned(),
        (Money::NotMoved, Some(fee)) => format!("the payment failed on chain; its fee of ${fee} is gone: "),
        (Money::NotMoved, None) => "the payment did not happen: ".to_owned(),
        (Money::Unknown, _) => format!("it is unknown whether {amount} dollars were paid: "),
        (Money::Paid, _) => format!("{amount} dollars were paid, but the answer failed or is lost: "),
    }
}

/// Whether the policy, rather than a malformed challenge, stood in the way.
fn is_refusal(reason: &NotPaid) -> bool {
    let NotPaid::Refused(reasons) = reason else { return false };
    reasons
        .iter()
        .any(|reason| matches!(reason, Reason::Policy(refusal) if !matches!(refusal, Refusal::Charge(_))))
}

/// An error and those of its causes that it does not repeat, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.map(ToString::to_string).fold(error.to_string(), |text, cause| match text.contains(&cause) {
        true => text,
        false => format!("{text}: {cause}"),
    })
}

pub(crate) const SUCCESS: u8 = 0;
pub(crate) const USAGE: u8 = 2;
pub(crate) const REFUSED: u8 = 3;
const NO_MONEY_MOVED: u8 = 4;
pub(crate) const UNKNOWN: u8 = 5;
const PAID_FOR_NOTHING: u8 = 6;

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::chain;

    /// A text, and the cause that follows from it.
    #[derive(Debug)]
    struct Link(&'static str, Option<Box<Link>>);

    impl fmt::Display for Link {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str(self.0)
        }
    }

    impl std::error::Error for Link {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            match &self.1 {
                Some(cause) => Some(&**cause),
                None => None,
            }
        }
    }

    #[test]
    fn a_cause_that_was_told_is_not_repeated() {
        let link = |text, cause: Link| Link(text, Some(Box::new(cause)));
        let error = link("no disk: full", link("full", link("full", Link("code 28", None))));
        assert_eq!(chain(&error), "no disk: full: code 28");
    }
}
