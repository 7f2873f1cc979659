//! A refund: what a payee gives back for a payment in, a signed transfer out. No draft has it. Its memo says which
//! payment it is for, so that either side finds it on chain.

use alloy_primitives::{Address, B256, keccak256};

use super::Fees;
use super::payment::{expiring, salted_start};
use super::signer::LocalSigner;
use super::transaction::SignedTransaction;
use crate::amount::Amount;
use crate::charge::Transfer;
use crate::policy::DEFAULT_VALIDITY;

/// A transfer back to a payer. Besides a sponsor's signature it is all that a payee's key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refund {
    /// The chain it was paid on.
    pub chain_id: u64,
    /// The TIP-20 token it was paid in.
    pub currency: Address,
    /// Who gets it back.
    pub to: Address,
    /// How much, in base units.
    pub amount: Amount,
    /// What ties it to the payment.
    pub memo: B256,
}

impl Refund {
    /// A refund of `amount` base units for the payment whose receipt has this reference.
    #[must_use]
    pub fn new(chain_id: u64, currency: Address, to: Address, amount: Amount, reference: &str) -> Self {
        Refund { chain_id, currency, to, amount, memo: Refund::memo(reference) }
    }

    /// The memo of a refund: keccak256 of `mpp-refund:` and the reference as its receipt has it, a transaction's hash in
    /// lower case say.
    #[must_use]
    pub fn memo(reference: &str) -> B256 {
        keccak256([REFUND, reference].concat())
    }

    /// The transfer, signed by the `operator` who holds the money, and the Unix second from which on it can no longer
    /// happen. The fee is the operator's, in the same token. `salt` is a random number.
    ///
    /// A second one with another salt or `now` is a second transfer: sign again only when the first did not happen by
    /// its end.
    #[must_use]
    pub fn sign(&self, operator: &LocalSigner, fees: &Fees, now: u64, salt: u64) -> (SignedTransaction, u64) {
        let transfer = Transfer { to: self.to, amount: self.amount, memo: Some(self.memo) };
        let valid_before = now.saturating_add(DEFAULT_VALIDITY);
        let valid = salted_start(now, salt)..valid_before;
        let transaction = expiring(self.chain_id, (self.currency, &[transfer]), false, fees, valid);
        let signature = operator.sign_hash(&transaction.signing_hash());
        (transaction.signed(operator.address(), &signature), valid_before)
    }
}

const REFUND: &str = "mpp-refund:";
