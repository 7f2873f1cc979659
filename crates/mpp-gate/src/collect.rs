//! Money: a credential in, a receipt out, or the answer that says why there is none and what became of the payment.

use std::time::SystemTime;

use http::StatusCode;
use mpp_core::error::CredentialError;
use mpp_core::payee::ProblemType;
use mpp_core::tempo::Verified;
use mpp_core::{Credential, Problem, Receipt};

use crate::answer::{self, Answer};
use crate::gate::Gate;
use crate::replay::Claim;
use crate::settle::{Payment, SettleError};
use crate::terms::{Fault, Terms};

impl Gate {
    /// Checks, claims and settles, in this order: a receipt, or why there is none.
    pub(crate) async fn collect(
        &self,
        terms: &Terms<'_>,
        credentials: Vec<Result<Credential, CredentialError>>,
    ) -> Result<Receipt, Answer> {
        let credential = self.only(terms, credentials)?;
        let checked_at = now();
        let refuse = |kind, detail: &str| self.ask(terms, Fault::new(kind, detail));
        let (charge, verified) =
            terms.check(&credential, checked_at).map_err(|fault| self.ask(terms, fault))?;
        let payment = match verified {
            Verified::Proof { .. } => None,
            Verified::Transaction { payer, transaction, signed } => {
                let hash = signed.hash().ok_or_else(|| {
                    refuse(ProblemType::VerificationFailed, "the transaction lacks its sponsor's signature")
                })?;
                Some(Payment { charge, payer, transaction, signed, hash, checked_at })
            }
            _ => return Err(refuse(ProblemType::VerificationFailed, "only pull payments are taken")),
        };
        let challenge = credential.challenge();
        let claim = Claim {
            challenge_id: challenge.id().to_owned(),
            transaction: payment.as_ref().map(|payment| payment.hash),
            expires_at: challenge.expires_at().unwrap_or(u64::MAX),
        };
        match self.replays.claim(&claim, checked_at).await {
            Ok(true) => {}
            Ok(false) => return Err(refuse(ProblemType::InvalidChallenge, "this payment was used before")),
            Err(error) => {
                tracing::error!(error = answer::chain(&error), "nothing can be sold");
                return Err(answer::unavailable(&format!("{error}; nothing was paid")));
            }
        }
        let Some(payment) = payment else { return Ok(Receipt::new(challenge.id(), checked_at, None)) };
        match self.settle.settle(&payment).await {
            Ok(()) => Ok(Receipt::new(payment.hash.to_string(), now(), None)),
            Err(error) => Err(self.unsettled(terms, &claim, &payment, &error).await),
        }
    }

    fn only(
        &self,
        terms: &Terms<'_>,
        mut credentials: Vec<Result<Credential, CredentialError>>,
    ) -> Result<Credential, Answer> {
        let fault = match (credentials.pop(), credentials.pop()) {
            (Some(Ok(credential)), None) => return Ok(credential),
            (Some(Err(error)), None) => Fault::new(ProblemType::MalformedCredential, error.to_string()),
            (None, _) => Fault::new(ProblemType::PaymentRequired, "this request has to be paid for"),
            (Some(_), Some(_)) => {
                let detail = "send one payment credential at most";
                return Err(answer::plain(StatusCode::BAD_REQUEST, detail));
            }
        };
        Err(self.ask(terms, fault))
    }

    /// The answer to a payment that was not, or may not have been, made. Only when it surely was not, its claim is given
    /// back; a store that fails to do so errs on the safe side.
    async fn unsettled(
        &self,
        terms: &Terms<'_>,
        claim: &Claim,
        payment: &Payment,
        error: &SettleError,
    ) -> Answer {
        let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
        let why = format!("{error}{cause}");
        match error {
            SettleError::Refused { kind, .. } => {
                let _ = self.replays.release(claim).await;
                self.ask(terms, Fault::new(*kind, why))
            }
            SettleError::Unavailable { .. } => {
                tracing::error!(error = answer::chain(error), "nothing can be sold");
                let _ = self.replays.release(claim).await;
                answer::unavailable(&format!("{why}; nothing was paid"))
            }
            SettleError::Unknown { .. } => {
                tracing::error!(transaction = %payment.hash, error = answer::chain(error), "a payment hangs");
                let detail = format!(
                    "{why}; look for transaction {} on chain {} before paying again",
                    payment.hash,
                    self.settle.chain_id()
                );
                answer::taken(StatusCode::BAD_GATEWAY, &detail, &payment.hash.to_string(), None)
            }
        }
    }

    /// A problem with a fresh challenge. `Accept-Payment` changes nothing about it: there is one offer to make, which a
    /// server may make whether it is accepted or not (draft-httpauth-payment §7.4).
    fn ask(&self, terms: &Terms<'_>, fault: Fault) -> Answer {
        if fault.kind.status() != 402 {
            return answer::problem(&Problem::new(fault.kind, fault.detail, None));
        }
        match terms.challenge(now().saturating_add(self.validity.as_secs())) {
            Ok(challenge) => {
                answer::challenge(&Problem::new(fault.kind, fault.detail, Some(challenge.id())), &challenge)
            }
            Err(error) => {
                tracing::error!(error = answer::chain(&error), "nothing can be sold");
                answer::plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
            }
        }
    }
}

/// The time, in Unix seconds; before 1970, a time at which everything has expired.
fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(u64::MAX, |since| since.as_secs())
}
