//! Pay-and-retry as decisions without I/O, for any HTTP stack to drive: what to do with the answer to the unpaid
//! request, and what the answer to the paid one says about the money.
//!
//! 1. send the request with [`ACCEPT_PAYMENT`]; give the answer to [`Exchange::answered`];
//! 2. on [`Next::Pay`], [`sign`](Approval::sign) the approval, record the payment, broadcast it if its credential holds only
//!    the hash, and send the same request with the credential. An exchange approves once, an approval signs once: no server
//!    can ask for a second payment;
//! 3. give the answer, of whatever status, to [`SignedPayment::answered`]. Nothing is ever sent a third time.

use std::net::IpAddr;

pub use crate::accept::ACCEPT_PAYMENT;
use crate::challenge::{AUTHORIZATION, Challenge, ChallengeError};
use crate::policy::{Approval, Policy, Refusal};
use crate::receipt::{Receipt, ReceiptError};
use crate::tempo::SignedPayment;
use crate::tempo::signer::{Signer, SignerError};

/// A request that was sent without payment, and who decides whether to pay for it.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its body; `None` when it cannot be sent a second time.
    pub body: Option<&'a [u8]>,
    /// Whether nobody else can read along, as [`is_secure`] tells.
    pub secure: bool,
    /// Whether it has an `Authorization` field of its own.
    pub has_authorization: bool,
    /// What may be paid.
    pub policy: &'a Policy,
}

/// What to do with the answer to an unpaid request.
#[derive(Debug)]
pub enum Next {
    /// It is the answer: hand it to the caller.
    Deliver,
    /// Pay, and send the request again.
    Pay {
        /// The leave to pay.
        approval: Box<Approval>,
        /// Whether the paid request should carry an `Idempotency-Key`, as its method is not safe (§11.4).
        idempotency_key: bool,
    },
}

impl Exchange<'_> {
    /// Decides about an answer, given its status and the values of its `WWW-Authenticate` fields, at `now` in Unix
    /// seconds. Of several challenges the first that the policy allows is paid.
    ///
    /// # Errors
    /// When it is a `402` that will not be paid. Nothing was signed.
    pub fn answered<F: AsRef<[u8]>>(
        self,
        status: u16,
        www_authenticate: impl IntoIterator<Item = F>,
        now: u64,
    ) -> Result<Next, NotPaid> {
        if status != 402 {
            return Ok(Next::Deliver);
        }
        if !self.secure {
            return Err(NotPaid::Insecure);
        }
        let body = self.body.ok_or(NotPaid::NotRepeatable)?;
        let mut reasons = Vec::new();
        for challenge in Challenge::parse_all(www_authenticate) {
            let refused = match challenge {
                Err(malformed) => Reason::Malformed(malformed),
                Ok(challenge) if self.has_authorization && challenge.credential_header() == AUTHORIZATION => {
                    Reason::AuthorizationInUse
                }
                Ok(challenge) => match self.policy.approve(challenge, body, now) {
                    Ok(approval) => {
                        let safe = ["GET", "HEAD", "OPTIONS", "TRACE"].contains(&self.method);
                        return Ok(Next::Pay { approval: Box::new(approval), idempotency_key: !safe });
                    }
                    Err(Refusal::Declined) => {
                        return Err(NotPaid::Refused(vec![Reason::Policy(Refusal::Declined)]));
                    }
                    Err(refusal) => Reason::Policy(refusal),
                },
            };
            reasons.push(refused);
        }
        Err(if reasons.is_empty() { NotPaid::NoChallenge } else { NotPaid::Refused(reasons) })
    }
}

/// Why a `402` was not paid. Nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotPaid {
    /// A credential would cross the network in the clear.
    #[error("payment was asked for over an insecure connection; use https")]
    Insecure,
    /// The request can't be sent a second time.
    #[error("payment was asked for, but the request's body can be sent only once")]
    NotRepeatable,
    /// There is nothing to pay.
    #[error("the server answered 402 without a Payment challenge")]
    NoChallenge,
    /// Each of the challenges was refused, in the server's order.
    #[error("payment refused: {}", join(.0))]
    Refused(Vec<Reason>),
}

/// Why one of a response's challenges was not paid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// It is not well-formed.
    #[error(transparent)]
    Malformed(ChallengeError),
    /// The policy said no.
    #[error(transparent)]
    Policy(Refusal),
    /// It takes its credential in the field that the request uses for something else.
    #[error("the request has an Authorization field of its own, and the challenge names no other field")]
    AuthorizationInUse,
}

fn join(reasons: &[Reason]) -> String {
    let mut text = String::new();
    for reason in reasons {
        if text.len() > 1000 {
            return text + "; and more";
        }
        text = format!("{text}{}{reason}", if text.is_empty() { "" } else { "; " });
    }
    text
}

/// Whether nobody else can read what goes to a URL of this scheme and host: it goes over TLS, or no further than this
/// machine's loopback.
///
/// ```
/// use mpp_core::exchange::is_secure;
///
/// assert!(is_secure(Some("https"), Some("shop.example")) && is_secure(Some("http"), Some("[::1]")));
/// assert!(!is_secure(Some("http"), Some("shop.example")) && !is_secure(Some("http"), Some("127.0.0.1.shop.example")));
/// ```
#[must_use]
pub fn is_secure(scheme: Option<&str>, host: Option<&str>) -> bool {
    let host = host.unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let loopback =
        host.parse::<IpAddr>().map_or(host.eq_ignore_ascii_case("localhost"), |ip| ip.is_loopback());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")) || loopback
}

impl Approval {
    /// [Prepares](Approval::prepare) the payment and has `signer` sign it, by its access key if it has one.
    ///
    /// # Errors
    /// When it does not sign.
    pub async fn sign(self, signer: &dyn Signer, now: u64, salt: u64) -> Result<SignedPayment, SignerError> {
        let mut unsigned = self.prepare(signer.address(), now, salt);
        if let Some(key) = signer.access_key() {
            unsigned = unsigned.with_access_key(key);
        }
        let signature = signer.sign(&unsigned).await?;
        Ok(unsigned.signed(&signature))
    }
}

/// What the answer to a paid request says about the payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The payee confirmed this very payment.
    Paid(Receipt),
    /// The payee answered with success but no receipt, which the draft allows: the payment was taken, or not needed.
    Accepted,
    /// The payee answered with success and a receipt that is malformed or for something else.
    WrongReceipt(ReceiptError),
    /// The payee answered with a failure. The money may have moved all the same: settled payments have been answered
    /// with 402, 404 and 5xx. Never pay again on the strength of it.
    Unknown,
}

impl SignedPayment {
    /// Reads the answer to the request that carried this payment: its status, and the value of its `Payment-Receipt`
    /// field if it has one. A receipt for this payment counts on a failure too.
    #[must_use]
    pub fn answered(&self, status: u16, receipt: Option<&[u8]>) -> Outcome {
        let receipt = receipt.map(|value| {
            let receipt = Receipt::parse(value)?;
            receipt.check(self).map(|()| receipt)
        });
        match (receipt, (200..300).contains(&status)) {
            (Some(Ok(receipt)), true) => Outcome::Paid(receipt),
            (Some(Ok(receipt)), false) if self.hash().is_some() => Outcome::Paid(receipt),
            (Some(Err(error)), true) => Outcome::WrongReceipt(error),
            (None, true) => Outcome::Accepted,
            (_, false) => Outcome::Unknown,
        }
    }
}
