//! The `tempo` payment method: from an [`Approval`](crate::Approval) to signed bytes, and from a payer's bytes back to
//! what they pay (draft-tempo-charge-00). No RPC is needed to pay: the nonce expires, gas is static, fees have a fixed ceiling.

mod access_key;
mod call;
pub(crate) mod key_status;
pub(crate) mod logs;
mod memo;
mod not_taken;
mod payment;
mod proof;
pub(crate) mod refund;
pub(crate) mod signer;
pub(crate) mod sponsor;
pub(crate) mod transaction;
pub(crate) mod verify;

use alloy_primitives::address;

use crate::amount::Amount;

pub use crate::charge::Modes;
pub use crate::credential::Payload;
pub use access_key::AccessKey;
pub use alloy_primitives::{Address, B256};
pub use key_status::{ACCOUNT_KEYCHAIN, KeyLimit, KeyStatus};
pub use not_taken::NotTaken;
pub use payment::{SignedPayment, Unsigned};
pub use signer::{LocalSigner, SignFuture, Signature, Signer};
pub use transaction::{Call, FeePayment, SignedTransaction, Transaction};
pub use verify::Verified;

/// Chain id of Tempo mainnet.
pub const MAINNET: u64 = 4217;
/// Chain id of Tempo's public testnet.
pub const MODERATO: u64 = 42431;
/// pathUSD, on every Tempo chain.
pub const PATH_USD: Address = address!("20c0000000000000000000000000000000000000");
/// USDC.e on mainnet.
pub const USDC_E: Address = address!("20c000000000000000000000b9537d11c60e8b50");

/// What people call a token on a chain, if it is one of the above.
#[must_use]
pub fn token_name(token: Address, chain_id: u64) -> Option<&'static str> {
    match token {
        PATH_USD => Some("pathUSD"),
        USDC_E if chain_id == MAINNET => Some("USDC.e"),
        _ => None,
    }
}

/// Gas limits and prices of the transactions to sign. Unused gas is not charged.
///
/// The defaults leave a wide margin: a transfer takes about 51,000 gas, or 300,000 to an address that never held the
/// token, and 8,000 more by an access key, but nodes simulate it with up to 784,000; the base fee is 20e9 at most
/// (TIP-1010). Deployed sponsors pay for at most 2,000,000 gas and 50,000 base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    /// Gas allowed for a payment's first transfer.
    pub gas_first_transfer: u64,
    /// Gas allowed for each further transfer.
    pub gas_further_transfer: u64,
    /// Gas allowed at most when a sponsor pays the fee; more is refused by deployed sponsors.
    pub gas_sponsored_at_most: u64,
    /// The highest price of one gas, in 10^-12 base units of the fee token.
    pub max_fee_per_gas: u128,
    /// The part of it offered to the block's proposer.
    pub max_priority_fee_per_gas: u128,
}

impl Default for Fees {
    fn default() -> Self {
        Fees {
            gas_first_transfer: 1_000_000,
            gas_further_transfer: 300_000,
            gas_sponsored_at_most: 2_000_000,
            max_fee_per_gas: 25_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
        }
    }
}

impl Fees {
    /// The gas limit of a payment of that many transfers.
    #[must_use]
    pub fn gas_limit(&self, transfers: usize, sponsored: bool) -> u64 {
        let further = u64::try_from(transfers.saturating_sub(1)).unwrap_or(u64::MAX);
        let gas = self.gas_first_transfer.saturating_add(self.gas_further_transfer.saturating_mul(further));
        if sponsored { gas.min(self.gas_sponsored_at_most) } else { gas }
    }

    /// The most its payer can lose in fees for that many transfers, in base units of the fee token, rounded up.
    #[must_use]
    pub fn ceiling(&self, transfers: usize) -> Amount {
        transaction::fee_ceiling(self.gas_limit(transfers, false), self.max_fee_per_gas)
    }
}
