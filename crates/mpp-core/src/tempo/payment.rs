//! One approved payment on its way to a signature: [`Approval`] in, [`Unsigned`] between, [`SignedPayment`] out. Each
//! step uses up the one before.

use std::ops::Range;

use alloy_primitives::{Address, B256, U256};

use super::Fees;
use super::signer::Signature;
use super::transaction::{Call, FeePayment, SignedTransaction, Transaction};
use super::{call, memo, proof};
use crate::challenge::Challenge;
use crate::charge::{Modes, Transfer};
use crate::credential::{Credential, Payload};
use crate::policy::Approval;
use crate::quote::Quote;

impl Approval {
    /// Builds what `payer` has to sign, at `now` in Unix seconds: a transaction, or a proof for a charge of nothing.
    ///
    /// `salt` is a random number. Two payments of the same terms for the same challenge would otherwise be one
    /// transaction, mined once.
    #[must_use]
    pub fn prepare(self, payer: Address, now: u64, salt: u64) -> Unsigned {
        let chain_id = self.quote.chain_id;
        if self.charge.amount().is_zero() {
            let hash = proof::signing_hash(payer, &self.challenge, chain_id);
            return Unsigned { approval: self, payer, access_key: None, hash, transaction: None };
        }
        let mut transfers = self.charge.transfers();
        if let Some(primary) = transfers.first_mut() {
            primary.memo.get_or_insert_with(|| memo::attribution(&self.challenge));
        }
        let latest = now.saturating_add(self.max_validity);
        let valid_before = self.challenge.expires_at().map_or(latest, |expires| expires.min(latest));
        let transaction = expiring(
            chain_id,
            (self.charge.currency(), &transfers),
            self.charge.fee_payer(),
            &self.fees,
            salted_start(now, salt)..valid_before,
        );
        let hash = transaction.signing_hash();
        Unsigned { approval: self, payer, access_key: None, hash, transaction: Some(transaction) }
    }
}

/// An approved payment that its payer has yet to sign.
#[derive(Debug)]
pub struct Unsigned {
    approval: Approval,
    payer: Address,
    access_key: Option<Address>,
    hash: B256,
    transaction: Option<Transaction>,
}

impl Unsigned {
    /// The same payment, to be signed by an access key of the payer's with this address.
    #[must_use]
    pub fn with_access_key(mut self, key: Address) -> Self {
        self.access_key = Some(key);
        // A proof is the same whoever signs it.
        if let Some(transaction) = &mut self.transaction {
            transaction.access_key = Some(key);
            self.hash = transaction.hash_to_sign(self.payer);
        }
        self
    }

    /// The 32 bytes to sign.
    #[must_use]
    pub fn signing_hash(&self) -> B256 {
        self.hash
    }

    /// What was approved.
    #[must_use]
    pub fn quote(&self) -> &Quote {
        self.approval.quote()
    }

    /// The address that pays.
    #[must_use]
    pub fn payer(&self) -> Address {
        self.payer
    }

    /// The key that is to sign, if it is not the payer's own.
    #[must_use]
    pub fn access_key(&self) -> Option<Address> {
        self.access_key
    }

    /// The transaction to sign; `None` for a proof.
    #[must_use]
    pub fn transaction(&self) -> Option<&Transaction> {
        self.transaction.as_ref()
    }

    /// Adds the payer's signature. The payment can happen from here on: record it before a byte of it is sent.
    #[must_use]
    pub fn signed(self, signature: &Signature) -> SignedPayment {
        let Approval { challenge, charge, quote, .. } = self.approval;
        let memo = self.transaction.as_ref().and_then(|it| call::decode(&it.calls.first()?.input)?.memo);
        let valid_before = self.transaction.as_ref().and_then(|transaction| transaction.valid_before);
        let transaction = self.transaction.map(|transaction| transaction.signed(self.payer, signature));
        let payload = match &transaction {
            None => Payload::Proof(signature.to_bytes()),
            Some(transaction) => {
                match (charge.modes() == Modes::Push).then(|| transaction.hash()).flatten() {
                    Some(hash) => Payload::Hash(hash),
                    None => Payload::Transaction(transaction.raw().clone()),
                }
            }
        };
        let credential = Credential::new(challenge, payload, Some((quote.chain_id, self.payer)));
        SignedPayment { credential, quote, payer: self.payer, transaction, memo, valid_before }
    }
}

/// A payment that can happen, and the credential that makes it happen.
#[derive(Debug)]
pub struct SignedPayment {
    credential: Credential,
    quote: Quote,
    payer: Address,
    transaction: Option<SignedTransaction>,
    memo: Option<B256>,
    valid_before: Option<u64>,
}

impl SignedPayment {
    /// What to send in the credential header.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The challenge it answers.
    #[must_use]
    pub fn challenge(&self) -> &Challenge {
        self.credential.challenge()
    }

    /// What was approved.
    #[must_use]
    pub fn quote(&self) -> &Quote {
        &self.quote
    }

    /// The address that pays.
    #[must_use]
    pub fn payer(&self) -> Address {
        self.payer
    }

    /// The signed transaction; `None` for a proof.
    #[must_use]
    pub fn transaction(&self) -> Option<&SignedTransaction> {
        self.transaction.as_ref()
    }

    /// The hash the payment will have on chain; `None` for a proof, and while a sponsor has yet to sign.
    #[must_use]
    pub fn hash(&self) -> Option<B256> {
        self.transaction.as_ref().and_then(SignedTransaction::hash)
    }

    /// The memo by which the payment can be found on chain; `None` for a proof.
    #[must_use]
    pub fn memo(&self) -> Option<B256> {
        self.memo
    }

    /// The Unix second from which on the payment can no longer happen; `None` for a proof.
    #[must_use]
    pub fn valid_before(&self) -> Option<u64> {
        self.valid_before
    }
}

/// The transaction of transfers of one token, with a nonce that expires: nobody has to look one up. The fee is paid in
/// the same token, unless a sponsor pays it.
pub(super) fn expiring(
    chain_id: u64,
    (token, transfers): (Address, &[Transfer]),
    sponsored: bool,
    fees: &Fees,
    valid: Range<u64>,
) -> Transaction {
    let calls = transfers.iter().map(|transfer| Call { to: token, input: call::encode(transfer).into() });
    Transaction {
        chain_id,
        max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
        max_fee_per_gas: fees.max_fee_per_gas,
        gas_limit: fees.gas_limit(transfers.len(), sponsored),
        calls: calls.collect(),
        nonce_key: U256::MAX,
        nonce: 0,
        valid_before: Some(valid.end),
        valid_after: Some(valid.start),
        fee: if sponsored { FeePayment::Sponsor } else { FeePayment::Sender(Some(token)) },
        access_key: None,
    }
}

/// The salt as a time from which on a transaction was already valid: anywhere from 1970 to an hour ago.
pub(super) fn salted_start(now: u64, salt: u64) -> u64 {
    1 + salt % now.saturating_sub(3600).max(1)
}
