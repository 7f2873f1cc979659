//! The payee's check: a credential and its challenge in, who pays and how out. Nothing is looked up: whether the
//! money is there, and whether the payment was used before, is for the chain and the replay store to say.

use alloy_primitives::{Address, B256};

use super::signer::Signature;
use super::transaction::{FeePayment, SignedTransaction, Transaction, TransactionError};
use super::{memo, proof};
use crate::charge::{ChargeError, ChargeRequest, Modes, Transfer};
use crate::credential::{Credential, Payload};

/// A credential that pays its challenge.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verified {
    /// A transaction to broadcast, or to co-sign first when its fee is the sponsor's.
    Transaction {
        /// Who pays. If an [access key](Transaction::access_key) signed, that is its claim until the chain knows the key.
        payer: Address,
        /// Its fields.
        transaction: Box<Transaction>,
        /// Its bytes.
        signed: SignedTransaction,
    },
    /// A transaction the payer broadcast; look its receipt up, and ask [`Credential::paid_by`] about its logs.
    Hash(B256),
    /// A proof of identity for a charge of nothing.
    Proof {
        /// Who proved to be himself.
        payer: Address,
    },
}

impl Credential {
    /// Checks that this credential pays its challenge on chain `chain_id`, at `now` in Unix seconds
    /// (draft-tempo-charge-00 §7.3).
    ///
    /// The caller has checked before that the challenge is his own ([`Challenge::is_bound_by`](crate::Challenge)) and
    /// is for this request.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, chain_id: u64, now: u64) -> Result<Verified, VerifyError> {
        let charge = ChargeRequest::from_challenge(self.challenge()).map_err(VerifyError::Charge)?;
        let asked = charge.chain_id().unwrap_or(chain_id);
        if asked != chain_id {
            return Err(VerifyError::Chain { found: asked, expected: chain_id });
        }
        if let Some(expires_at) = self.challenge().expires_at()
            && expires_at <= now
        {
            return Err(VerifyError::Expired { expires_at, now });
        }
        match (self.payload(), charge.amount().is_zero()) {
            (Payload::Proof(signature), true) => self.verify_proof(signature, chain_id),
            (Payload::Transaction(raw), false) if charge.modes() != Modes::Push => {
                self.verify_transaction(raw, &charge, chain_id, now)
            }
            (Payload::Hash(hash), false) if charge.modes() != Modes::Pull && !charge.fee_payer() => {
                match self.source() {
                    Some((chain, _)) if chain != chain_id => Err(VerifyError::Source),
                    _ => Ok(Verified::Hash(*hash)),
                }
            }
            _ => Err(VerifyError::Payload),
        }
    }

    fn verify_proof(&self, signature: &[u8; 65], chain_id: u64) -> Result<Verified, VerifyError> {
        let (chain, payer) = self.source().ok_or(VerifyError::Source)?;
        let hash = proof::signing_hash(payer, self.challenge(), chain_id);
        let signer = Signature::from_bytes(signature).and_then(|signature| signature.recover(&hash));
        if chain != chain_id || signer != Some(payer) {
            return Err(VerifyError::Source);
        }
        Ok(Verified::Proof { payer })
    }

    fn verify_transaction(
        &self,
        raw: &[u8],
        charge: &ChargeRequest,
        chain_id: u64,
        now: u64,
    ) -> Result<Verified, VerifyError> {
        let (signed, transaction, payer) =
            SignedTransaction::decode(raw).map_err(VerifyError::Transaction)?;
        if transaction.chain_id != chain_id {
            return Err(VerifyError::Chain { found: transaction.chain_id, expected: chain_id });
        }
        if self.source().is_some_and(|source| source != (chain_id, payer)) {
            return Err(VerifyError::Source);
        }
        let sponsored = transaction.fee == FeePayment::Sponsor;
        if sponsored != charge.fee_payer() {
            return Err(VerifyError::Fee);
        }
        // `expires_at` is rounded down; mpp-rs rounds up, and is valid before that second, not in it.
        let latest =
            self.challenge().expires_at().map_or(u64::MAX, |expires_at| expires_at.saturating_add(1));
        let in_time = transaction.valid_before.is_some_and(|end| end > now && end <= latest);
        if !in_time || transaction.valid_after.is_some_and(|start| start > now) {
            return Err(VerifyError::Window { valid_before: transaction.valid_before, now });
        }
        self.verify_calls(&transaction, charge)?;
        Ok(Verified::Transaction { payer, transaction: Box::new(transaction), signed })
    }

    /// Every transfer asked for is there exactly once, in any order, and nothing else is.
    fn verify_calls(&self, transaction: &Transaction, charge: &ChargeRequest) -> Result<(), VerifyError> {
        let found = transaction.transfers().ok_or(VerifyError::ForeignCall)?;
        if found.iter().any(|(token, _)| *token != charge.currency()) {
            return Err(VerifyError::ForeignCall);
        }
        let rest = self.take_transfers(charge, found.into_iter().map(|(_, transfer)| transfer).collect())?;
        if rest.is_empty() { Ok(()) } else { Err(VerifyError::ForeignCall) }
    }

    /// What is left of the transfers in the charge's token once each that is asked for was taken out.
    pub(super) fn take_transfers(
        &self,
        charge: &ChargeRequest,
        mut found: Vec<Transfer>,
    ) -> Result<Vec<Transfer>, VerifyError> {
        for (index, asked) in charge.transfers().iter().enumerate() {
            let memo_fits = |memo: Option<B256>| match (asked.memo, memo) {
                (None, Some(memo)) if index == 0 => memo::attributes(&memo, self.challenge()),
                (None, None) => index > 0,
                (asked, memo) => asked == memo,
            };
            let pays =
                |paid: &Transfer| paid.to == asked.to && paid.amount == asked.amount && memo_fits(paid.memo);
            let at = found.iter().position(pays).ok_or(VerifyError::MissingTransfer { index })?;
            found.swap_remove(at);
        }
        Ok(found)
    }
}

/// Why a credential does not pay its challenge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The challenge is no tempo charge.
    #[error(transparent)]
    Charge(ChargeError),
    /// Past its time.
    #[error("the challenge expired at {expires_at}, now {now} (Unix seconds)")]
    Expired {
        /// When the challenge ended, in Unix seconds.
        expires_at: u64,
        /// The time given, in Unix seconds.
        now: u64,
    },
    /// A proof for money, a transaction for nothing, or a mode that was not offered.
    #[error("a payload of this type does not pay this challenge")]
    Payload,
    /// The bytes are no payment's transaction.
    #[error(transparent)]
    Transaction(TransactionError),
    /// For another chain.
    #[error("is for chain {found}, expected chain {expected}")]
    Chain {
        /// The chain named.
        found: u64,
        /// The chain asked for.
        expected: u64,
    },
    /// The source is missing where it must be there, malformed, or not who signed.
    #[error("the source is not the did:pkh of who signed")]
    Source,
    /// Sponsored although that was not offered, or the other way round.
    #[error("the fee is not paid by whom the challenge says")]
    Fee,
    /// Not valid now, without an end, or valid for longer than the challenge.
    #[error(
        "is not valid now and until the challenge expires at the latest: valid before {valid_before:?}, now {now}"
    )]
    Window {
        /// Its end, in Unix seconds.
        valid_before: Option<u64>,
        /// The time given, in Unix seconds.
        now: u64,
    },
    /// A call that is no transfer of the token asked for, or one more than was asked for.
    #[error("the transaction does something that was not asked for")]
    ForeignCall,
    /// A transfer with the amount, recipient or memo asked for is not there.
    #[error("transfer {index} of the charge is not in the transaction with its amount, recipient and memo")]
    MissingTransfer {
        /// Which: 0 is the recipient's, splits follow.
        index: usize,
    },
}
