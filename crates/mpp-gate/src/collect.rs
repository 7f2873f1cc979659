//! Money: a credential in; a sale that is written down, or the answer that says why there is none and what became of the
//! payment, out.

use std::time::Duration;

use alloy_primitives::{Address, B256};
use http::header::HeaderName;
use http::{HeaderMap, StatusCode};
use mpp_core::error::CredentialError;
use mpp_core::payee::{ProblemType, body_digest};
use mpp_core::tempo::{Payload, SignedTransaction, Transaction, Verified};
use mpp_core::{ChargeRequest, Credential, Problem};

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

/// Who pays, and by what.
struct Paid {
    payer: Address,
    /// Nothing for a proof, and without its bytes if the payer sent it.
    payment: Option<Outgoing>,
    idempotency: Option<String>,
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
        let paid = match &verified {
            Verified::Proof { payer } => {
                Paid { payer: *payer, payment: None, idempotency: idempotency(headers, *payer, None, terms) }
            }
            Verified::Hash(hash) => {
                let payer = self.pushed(terms, credential, *hash).await?;
                let payment = Outgoing { raw: Default::default(), hash: *hash, valid_before: None };
                // It is paid, and not exchanged for an earlier answer.
                Paid { payer, payment: Some(payment), idempotency: None }
            }
            Verified::Transaction { payer, transaction, signed } => {
                let idempotency = idempotency(headers, *payer, transaction.access_key, terms);
                // Who has the answer already neither needs the money for another, nor spends it.
                if let Some(held) = self.of_key(&idempotency).await? {
                    return Ok(Claimed::Before(held));
                }
                // Before the fee is paid for a payer whom an access key only claims to sign for.
                let tried = self.chain.simulate(*payer, transaction).await;
                tried.map_err(|error| self.not_paid(terms, &error))?;
                let payment = self.outgoing(terms, &verified, *payer, transaction, signed, begun)?;
                Paid { payer: *payer, payment: Some(payment), idempotency }
            }
            _ => {
                let detail = "payments of this kind are not taken";
                return Err(self.refuse(terms, ProblemType::VerificationFailed, detail));
            }
        };
        let sale = self.begin(terms, credential, &charge, paid);
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

    /// The sale that a payment begins: settled, unless there is a transaction that has yet to be sent.
    fn begin(&self, terms: &Terms<'_>, credential: &Credential, charge: &ChargeRequest, paid: Paid) -> Sale {
        // Not when the credential came: the node may have taken long to answer, and nobody else is to think that this has
        // been left.
        let now = now();
        let challenge_id = credential.challenge().id().to_owned();
        let Paid { payer, payment, idempotency } = paid;
        let sent = payment.as_ref().is_none_or(|payment| payment.raw.is_empty());
        Sale {
            reference: payment.as_ref().map_or_else(|| challenge_id.clone(), |it| it.hash.to_string()),
            challenge_id,
            version: 1,
            state: if sent { State::Settled } else { State::Claimed },
            due_at: Some(now.saturating_add(LEASE)),
            request: terms.of().id(),
            credential: digest(credential),
            idempotency,
            payer,
            chain_id: self.chain.chain_id(),
            currency: charge.currency(),
            amount: charge.amount(),
            payment,
            claimed_at: now,
            settled_at: sent.then_some(now),
            answer: None,
            failure: None,
            refund: None,
            refund_tries: 0,
            ended_at: None,
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

    /// The transaction with all its signatures, ready to be sent.
    fn outgoing(
        &self,
        terms: &Terms<'_>,
        verified: &Verified,
        payer: Address,
        transaction: &Transaction,
        signed: &SignedTransaction,
        now: u64,
    ) -> Result<Outgoing, Answer> {
        let refuse = |detail: &str| self.refuse(terms, ProblemType::VerificationFailed, detail);
        let signed = match &self.sponsorship {
            Some(sponsorship) if signed.hash().is_none() => {
                sponsorship.cosign(verified, payer, now).map_err(|error| refuse(&error.to_string()))?
            }
            _ => signed.clone(),
        };
        let hash = signed.hash().ok_or_else(|| refuse("the transaction lacks a signature"))?;
        Ok(Outgoing { raw: signed.raw().clone(), hash, valid_before: transaction.valid_before })
    }

    async fn of_key(&self, idempotency: &Option<String>) -> Result<Option<Sale>, Answer> {
        let Some(idempotency) = idempotency else { return Ok(None) };
        self.store.of_idempotency(idempotency).await.map_err(|error| self.unavailable(&error))
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
    payer: Address,
    access_key: Option<Address>,
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
