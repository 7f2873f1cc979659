//! How a run ends when it does not end well: an exit code that says what became of the money, and a message.

use bytes::Bytes;
use mpp_core::error::Refusal;
use mpp_core::exchange::{NotPaid, Reason};
use mpp_http::ledger::{LedgerError, ReconcileError, Standing};
use mpp_http::{Money, Payment};

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

    /// What was asked for is here, and there is no place to print it.
    pub(crate) fn unprinted(error: &std::io::Error, payment: Option<Payment>) -> Self {
        let code = if payment.is_some() { PAID_FOR_NOTHING } else { NO_MONEY_MOVED };
        let payment = payment.map(Box::new);
        Failure { payment, ..Failure::new(code, format!("cannot print: {error}")) }
    }

    /// A call that failed, and its payment as far as it is known by now.
    pub(crate) fn call(error: &grok_mpp::Error, payment: Option<Payment>) -> Self {
        let money = payment.as_ref().map_or(Money::NotMoved, Payment::money);
        let code = match (money, error) {
            (Money::Unknown, _) => UNKNOWN,
            (Money::Paid, _) => PAID_FOR_NOTHING,
            (Money::NotMoved, grok_mpp::Error::Request(_) | grok_mpp::Error::BaseUrl(_)) => USAGE,
            (Money::NotMoved, grok_mpp::Error::Http(mpp_http::Error::Request(_))) => USAGE,
            (Money::NotMoved, grok_mpp::Error::Http(mpp_http::Error::OverBudget(_))) => REFUSED,
            (Money::NotMoved, grok_mpp::Error::Http(mpp_http::Error::NotPaid { reason, .. }))
                if is_refusal(reason) =>
            {
                REFUSED
            }
            (Money::NotMoved, _) => NO_MONEY_MOVED,
        };
        let stands = payment.as_ref().map(|payment| (payment.quote().amount, money));
        let stands = match stands {
            None => String::new(),
            Some((amount, _)) if amount.is_zero() => "nothing was to be paid: ".to_owned(),
            Some((_, Money::NotMoved)) => "the payment did not happen: ".to_owned(),
            Some((amount, Money::Unknown)) => format!("it is unknown whether {amount} dollars were paid: "),
            Some((amount, Money::Paid)) => {
                format!("{amount} dollars were paid, but the answer failed or is lost: ")
            }
        };
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

/// Before anything was signed, or where nothing was to be.
impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Failure::unpaid(chain(&error))
    }
}

impl From<ReconcileError> for Failure {
    fn from(error: ReconcileError) -> Self {
        Failure::unpaid(chain(&error))
    }
}

/// Whether the policy, rather than a malformed challenge, stood in the way.
fn is_refusal(reason: &NotPaid) -> bool {
    let NotPaid::Refused(reasons) = reason else { return false };
    reasons
        .iter()
        .any(|reason| matches!(reason, Reason::Policy(refusal) if !matches!(refusal, Refusal::Charge(_))))
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

pub(crate) const SUCCESS: u8 = 0;
const USAGE: u8 = 2;
const REFUSED: u8 = 3;
pub(crate) const NO_MONEY_MOVED: u8 = 4;
pub(crate) const UNKNOWN: u8 = 5;
const PAID_FOR_NOTHING: u8 = 6;
