//! Money: a credential in; a sale that is written down, or the answer that says why there is none and what became of the
//! payment, out.

use std::time::Duration;

use alloy_primitives::{Address, B256};
use http::header::HeaderName;
use http::{HeaderMap, StatusCode};
use mpp_core::error::CredentialError;
use mpp_core::payee::{ProblemType, body_digest};
use mpp_core::tempo::{Payload, SignedTransaction, Transaction, Verified};
use mpp_core::{Credential, Problem};

use crate::answer::{self, Answer};
use crate::chain::{ChainError, Found, Outgoing};
use crate::gate::Gate;
use crate::now;
use crate::sale::{LEASE, Sale, State};
use crate::terms::{Fault, Request, Terms};

/// A sale, and whose it is.
pub(crate) enum Claimed {
    /// The caller's, just now.
    Now(Sale),
    /// Somebody's before: whoever is at it, or nobody.
    Before(Sale),
}

type Credentials = Vec<Result<Credential, CredentialError>>;

impl Gate {
    /// The sale that this very credential paid for, if this is its request again.
    pub(crate) async fn known(
        &self,
        request: &Request,
        credentials: &Credentials,
    ) -> Result<Option<Claimed>, Answer> {
        let [Ok(credential)] = credentials.as_slice() else { return Ok(None) };
        // Nobody but who was issued a challenge makes the store look for anything.
        if !self.issued(credential.challenge()) {
            return Ok(None);
        }
        let sale = self.store.of_challenge(credential.challenge().id()).await;
        let sale = sale.map_err(|error| self.silent(&error))?;
        let same = |sale: &Sale| sale.request == request.id() && sale.credential == digest(credential);
        Ok(sale.filter(same).map(Claimed::Before))
    }

    /// A sale, new or known, or why there is none.
    pub(crate) async fn collect(
        &self,
        terms: &Terms<'_>,
        headers: &HeaderMap,
        credentials: Credentials,
    ) -> Result<Claimed, Answer> {
        let answer = match self.only(terms, &credentials) {
            Ok(credential) => match self.claim(terms, headers, credential).await {
                Ok(claimed) => return Ok(claimed),
                Err(answer) => answer,
            },
            Err(answer) => answer,
        };
        // What is refused by now may have been taken meanwhile, and be refused for that: for want of the money it took.
        self.known(terms.of(), &credentials).await?.ok_or(answer)
    }

    /// Checks, tries and claims, in this order: a sale, new or of the same `Idempotency-Key`, or why there is none.
    async fn claim(
        &self,
        terms: &Terms<'_>,
        headers: &HeaderMap,
        credential: &Credential,
    ) -> Result<Claimed, Answer> {
        let begun = now();
        let (charge, verified) = terms.check(credential, begun).map_err(|fault| self.ask(terms, fault))?;
        let access_key = match &verified {
            Verified::Transaction { transaction, .. } => transaction.access_key,
            _ => None,
        };
        let sale = |payer: Address, payment: Option<Outgoing>, state: State| {
            // The node may have taken long to answer, and nobody else is to think that this has been left.
            let now = now();
            // What was pushed is paid: it is not exchanged for an earlier answer.
            let pushed = payment.as_ref().is_some_and(|payment| payment.raw.is_empty());
            Sale {
                challenge_id: credential.challenge().id().to_owned(),
                version: 1,
                state,
                due_at: Some(now.saturating_add(LEASE)),
                credential: digest(credential),
                idempotency: idempotency(headers, (payer, access_key), terms).filter(|_| !pushed),
                request: terms.of().id(),
                reference: payment.as_ref().map_or_else(
                    || credential.challenge().id().to_owned(),
                    |payment| payment.hash.to_string(),
                ),
                payer,
                chain_id: self.chain.chain_id(),
                currency: charge.currency(),
                amount: charge.amount(),
                payment,
                claimed_at: now,
                settled_at: (state == State::Settled).then_some(now),
                answer: None,
                failure: None,
                refund: None,
                refund_tries: 0,
                ended_at: None,
            }
        };
        let sale = match &verified {
            Verified::Proof { payer } => sale(*payer, None, State::Settled),
            Verified::Hash(hash) => {
                let payer = self.pushed(terms, credential, *hash).await?;
                let payment = Outgoing { raw: Default::default(), hash: *hash, valid_before: None };
                sale(payer, Some(payment), State::Settled)
            }
            Verified::Transaction { payer, transaction, signed } => {
                // Who has the answer already neither needs the money for another, nor spends it.
                if let Some(held) = self.of_key(&idempotency(headers, (*payer, access_key), terms)).await? {
                    return Ok(Claimed::Before(held));
                }
                // Before the fee is paid for a payer whom an access key only claims to sign for.
                self.try_out(terms, *payer, transaction).await?;
                let signed = self.whole(terms, &verified, *payer, signed, begun)?;
                let hash = signed.hash().ok_or_else(|| {
                    self.refuse(terms, ProblemType::VerificationFailed, "the transaction lacks a signature")
                })?;
                let raw = signed.raw().clone();
                let payment = Outgoing { raw, hash, valid_before: transaction.valid_before };
                sale(*payer, Some(payment), State::Claimed)
            }
            _ => {
                let detail = "payments of this kind are not taken";
                return Err(self.refuse(terms, ProblemType::VerificationFailed, detail));
            }
        };
        match self.store.claim(&sale).await {
            Ok(None) => Ok(Claimed::Now(sale)),
            Ok(Some(held)) if held.is_for(&sale) => Ok(Claimed::Before(held)),
            Ok(Some(_)) => {
                Err(self.refuse(terms, ProblemType::InvalidChallenge, "this payment was used before"))
            }
            // It may be written down all the same, and what was pushed is paid.
            Err(error) => Err(self.silent(&error)),
        }
    }

    fn only<'a>(&self, terms: &Terms<'_>, credentials: &'a Credentials) -> Result<&'a Credential, Answer> {
        let fault = match credentials.as_slice() {
            [Ok(credential)] => return Ok(credential),
            [Err(error)] => Fault::new(ProblemType::MalformedCredential, error.to_string()),
            [] => Fault::new(ProblemType::PaymentRequired, "this request has to be paid for"),
            [..] => {
                let detail = "send one payment credential at most";
                return Err(answer::plain(StatusCode::BAD_REQUEST, detail));
            }
        };
        Err(self.ask(terms, fault))
    }

    /// The transaction with all its signatures.
    fn whole(
        &self,
        terms: &Terms<'_>,
        verified: &Verified,
        payer: Address,
        signed: &SignedTransaction,
        now: u64,
    ) -> Result<SignedTransaction, Answer> {
        match &self.sponsorship {
            Some(sponsorship) if signed.hash().is_none() => sponsorship
                .cosign(verified, payer, now)
                .map_err(|error| self.refuse(terms, ProblemType::VerificationFailed, &error.to_string())),
            _ => Ok(signed.clone()),
        }
    }

    async fn of_key(&self, idempotency: &Option<String>) -> Result<Option<Sale>, Answer> {
        let Some(idempotency) = idempotency else { return Ok(None) };
        self.store.of_idempotency(idempotency).await.map_err(|error| self.unavailable(&error))
    }

    async fn try_out(
        &self,
        terms: &Terms<'_>,
        payer: Address,
        transaction: &Transaction,
    ) -> Result<(), Answer> {
        match self.chain.simulate(payer, transaction).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.not_paid(terms, &error)),
        }
    }

    /// Who pushed a payment. What a node has not heard of yet is waited for.
    async fn pushed(
        &self,
        terms: &Terms<'_>,
        credential: &Credential,
        hash: B256,
    ) -> Result<Address, Answer> {
        let refuse = |detail: &str| self.refuse(terms, ProblemType::VerificationFailed, detail);
        for pause in PUSH_PAUSES {
            match self.chain.find(hash, None).await {
                Ok(Found::Done(transfers)) => {
                    let payer = credential.paid_by(&transfers);
                    return payer.map_err(|error| self.ask(terms, error.into()));
                }
                Ok(Found::Reverted) => return Err(refuse("the transaction failed on chain")),
                Ok(_) => tokio::time::sleep(Duration::from_millis(pause)).await,
                // Whoever pushed it chose what the node has to say, so that it says nothing about the node.
                Err(error) => return Err(answer::come_back(&error)),
            }
        }
        Err(refuse("the chain has no such transaction; if it is on its way, send this credential again"))
    }

    /// The answer to a payment that surely has not been made.
    pub(crate) fn not_paid(&self, terms: &Terms<'_>, error: &ChainError) -> Answer {
        match error {
            ChainError::Refused { kind, .. } => self.ask(terms, Fault::new(*kind, answer::with_cause(error))),
            _ => self.unavailable(error),
        }
    }

    pub(crate) fn refuse(&self, terms: &Terms<'_>, kind: ProblemType, detail: &str) -> Answer {
        self.ask(terms, Fault::new(kind, detail))
    }

    pub(crate) fn unavailable(&self, error: &dyn std::error::Error) -> Answer {
        self.health.fail(error);
        answer::unavailable(&format!("{error}; nothing was paid"))
    }

    /// The answer to a credential that may have been paid, when that can't be looked up.
    pub(crate) fn silent(&self, error: &dyn std::error::Error) -> Answer {
        self.health.fail(error);
        answer::come_back(error)
    }

    /// A problem with a fresh challenge, unless one could not be paid. `Accept-Payment` changes nothing about it: there is
    /// one offer to make, which a server may make whether it is accepted or not (draft-httpauth-payment §7.4).
    fn ask(&self, terms: &Terms<'_>, fault: Fault) -> Answer {
        if fault.kind.status() != 402 {
            return answer::problem(&Problem::new(fault.kind, fault.detail, None));
        }
        if let Some(reason) = self.unready() {
            // Who sent a credential may have paid by himself.
            return match fault.kind {
                ProblemType::PaymentRequired => answer::unavailable(&format!("{reason}; nothing was paid")),
                _ => answer::come_back(&reason),
            };
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

/// Stands for a payer's `Idempotency-Key` for a request. One of an access key's is its own: until the chain is asked,
/// anybody's key can claim to be the payer's.
fn idempotency(
    headers: &HeaderMap,
    (payer, access_key): (Address, Option<Address>),
    terms: &Terms<'_>,
) -> Option<String> {
    let key = headers.get(IDEMPOTENCY_KEY).filter(|key| !key.is_empty())?;
    let payer = access_key.map_or_else(|| payer.to_string(), |key| format!("{payer} by {key}"));
    let scope = format!("{payer} {} ", terms.of().id());
    Some(body_digest(&[scope.as_bytes(), key.as_bytes()].concat()))
}

/// Stands for a credential without being as good as it.
fn digest(credential: &Credential) -> String {
    match credential.payload() {
        Payload::Transaction(raw) => body_digest(raw),
        Payload::Hash(hash) => body_digest(hash.as_slice()),
        Payload::Proof(signature) => body_digest(signature),
        _ => String::new(),
    }
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// How long a pushed payment that the node has not heard of is waited for, in milliseconds: a few blocks.
const PUSH_PAUSES: [u64; 6] = [100, 300, 600, 1000, 1500, 1500];
