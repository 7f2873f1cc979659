//! How a run ends when it does not end well: an exit code that says what became of the money, and a message.

use bytes::Bytes;
use mpp_core::error::Refusal;
use mpp_core::exchange::{NotPaid, Reason};
use mpp_http::{Money, Payment};

/// A run that bought no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
    pub(crate) payment: Option<Box<Payment>>,
    /// What came instead of an answer.
    pub(crate) body: Option<Bytes>,
}

impl Failure {
    /// The person or program that called made a mistake; nothing was sent.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure { code: USAGE, message: message.into(), payment: None, body: None }
    }

    /// Something did not work before anything was signed.
    pub(crate) fn unpaid(message: impl Into<String>) -> Self {
        Failure { code: NO_MONEY_MOVED, message: message.into(), payment: None, body: None }
    }

    /// The answer is here, and there is no place to print it.
    pub(crate) fn unprinted(error: &std::io::Error, payment: Option<Box<Payment>>) -> Self {
        let code = if payment.is_some() { PAID_FOR_NOTHING } else { NO_MONEY_MOVED };
        Failure { code, message: format!("cannot print the answer: {error}"), payment, body: None }
    }
}

impl From<grok_mpp::Error> for Failure {
    fn from(error: grok_mpp::Error) -> Self {
        let code = match (error.money(), &error) {
            (Money::Unknown, _) => UNKNOWN,
            (Money::Paid, _) => PAID_FOR_NOTHING,
            (Money::NotMoved, grok_mpp::Error::Request(_) | grok_mpp::Error::BaseUrl(_)) => USAGE,
            (Money::NotMoved, grok_mpp::Error::Http(mpp_http::Error::Request(_))) => USAGE,
            (Money::NotMoved, grok_mpp::Error::Http(mpp_http::Error::NotPaid { reason, .. }))
                if is_refusal(reason) =>
            {
                REFUSED
            }
            (Money::NotMoved, _) => NO_MONEY_MOVED,
        };
        let words = match (error.money(), &error) {
            (Money::Unknown, grok_mpp::Error::Failed { payment, .. }) => {
                format!("it is unknown whether {} dollars were paid: ", payment.quote().amount)
            }
            (
                Money::Paid,
                grok_mpp::Error::Failed { payment, .. }
                | grok_mpp::Error::Unreadable { payment: Some(payment), .. },
            ) => {
                format!("{} dollars were paid: ", payment.quote().amount)
            }
            _ => String::new(),
        };
        let payment = error.payment().cloned().map(Box::new);
        Failure { code, message: words + &chain(&error), payment, body: error.body().cloned() }
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

const USAGE: u8 = 2;
const REFUSED: u8 = 3;
const NO_MONEY_MOVED: u8 = 4;
const UNKNOWN: u8 = 5;
const PAID_FOR_NOTHING: u8 = 6;
