//! The sponsor's signature: a verified payment whose fee the payee pays in, the transaction to broadcast out
//! (draft-tempo-charge-00 §6.1, TIP-0001). What could cost the sponsor more than its limits is refused unsigned.

use alloy_primitives::{Address, U256};

use super::signer::LocalSigner;
use super::transaction::{FeePayment, SignedTransaction, Transaction, decode_fields};
use super::verify::Verified;
use crate::amount::Amount;

/// Pays the fees of payments, within limits. Its account needs the fee token, and should hold no more than it may
/// lose: a payer can make a transaction fail, and its fee is paid all the same.
#[derive(Debug)]
pub struct Sponsor {
    signer: LocalSigner,
    token: Address,
    limits: SponsorLimits,
}

/// The most a sponsor pays for. The defaults are those of deployed sponsors, but for the validity, which is the
/// chain's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SponsorLimits {
    /// The highest gas limit.
    pub gas: u64,
    /// The highest fee, gas limit times price, in base units of the fee token.
    pub fee: Amount,
    /// The highest price of one gas, in 10^-12 base units of the fee token.
    pub max_fee_per_gas: u128,
    /// The highest part of it for the block's proposer.
    pub max_priority_fee_per_gas: u128,
    /// Seconds of validity that must be left, or it may not be mined in time.
    pub least_validity: u64,
    /// Seconds of validity that may be left; the chain allows 30 (TIP-1009).
    pub longest_validity: u64,
}

impl Default for SponsorLimits {
    fn default() -> Self {
        SponsorLimits {
            gas: 2_000_000,
            fee: Amount::from_base_units(50_000),
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 10_000_000_000,
            least_validity: 15,
            longest_validity: 30,
        }
    }
}

impl Sponsor {
    /// Pays fees from `signer`'s account in `token`, within the default limits.
    #[must_use]
    pub fn new(signer: LocalSigner, token: Address) -> Self {
        Sponsor { signer, token, limits: SponsorLimits::default() }
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: SponsorLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The address that pays the fees.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// The token that the fees are paid in.
    #[must_use]
    pub fn token(&self) -> Address {
        self.token
    }

    /// Adds the sponsor's signature to a payment that [`Credential::verify`](crate::Credential::verify) found good, at
    /// `now` in Unix seconds. Signing again gives the same bytes (RFC 6979), so a crash in between costs nothing.
    ///
    /// # Errors
    /// When it is no payment to sponsor, or exceeds a limit. Nothing was signed.
    pub fn cosign(&self, payment: &Verified, now: u64) -> Result<SignedTransaction, SponsorRefusal> {
        let Verified::Transaction { payer, signed, .. } = payment else {
            return Err(SponsorRefusal::NotSponsored);
        };
        // From the bytes once more: what is signed is what is checked.
        let (transaction, signature, _) =
            decode_fields(signed.raw()).map_err(|_| SponsorRefusal::NotSponsored)?;
        if transaction.fee != FeePayment::Sponsor {
            return Err(SponsorRefusal::NotSponsored);
        }
        if *payer == self.address() {
            return Err(SponsorRefusal::OwnPayment);
        }
        self.check(&transaction, now)?;
        let own = self.signer.sign_hash(&transaction.sponsor_hash(*payer, self.token));
        Ok(transaction.cosigned((*payer, &signature), self.token, &own))
    }

    fn check(&self, transaction: &Transaction, now: u64) -> Result<(), SponsorRefusal> {
        let limits = &self.limits;
        if (transaction.nonce_key, transaction.nonce) != (U256::MAX, 0) {
            return Err(SponsorRefusal::Nonce);
        }
        let asked = transaction.gas_limit;
        if asked > limits.gas {
            return Err(SponsorRefusal::Gas { asked, allowed: limits.gas });
        }
        let asked = transaction.max_fee_per_gas;
        if asked > limits.max_fee_per_gas {
            return Err(SponsorRefusal::Price { asked, allowed: limits.max_fee_per_gas });
        }
        let asked = transaction.max_priority_fee_per_gas;
        let allowed = limits.max_priority_fee_per_gas.min(transaction.max_fee_per_gas);
        if asked > allowed {
            return Err(SponsorRefusal::PriorityFee { asked, allowed });
        }
        let ceiling = transaction.fee_ceiling();
        if ceiling > limits.fee {
            return Err(SponsorRefusal::Fee { ceiling, allowed: limits.fee });
        }
        let (least, longest) = (limits.least_validity, limits.longest_validity);
        match transaction.valid_before.and_then(|end| end.checked_sub(now)) {
            Some(left) if (least..=longest).contains(&left) => Ok(()),
            left => Err(SponsorRefusal::Validity { left: left.unwrap_or(0), least, longest }),
        }
    }
}

/// Why a sponsor did not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SponsorRefusal {
    /// A proof, a pushed payment, or one whose sender pays its fee.
    #[error("is no transaction whose fee a sponsor pays")]
    NotSponsored,
    /// The payer is the sponsor.
    #[error("is a payment by the sponsor itself; pay it from another account")]
    OwnPayment,
    /// The nonce is not one that expires, so that the fee could fall due at any time.
    #[error("has no expiring nonce (TIP-1009)")]
    Nonce,
    /// Too high a gas limit.
    #[error("allows {asked} gas, the sponsor {allowed}")]
    Gas {
        /// The transaction's gas limit.
        asked: u64,
        /// The sponsor's limit.
        allowed: u64,
    },
    /// Too high a price.
    #[error("offers {asked} for one gas, the sponsor {allowed} (10^-12 base units)")]
    Price {
        /// The transaction's highest price of one gas, in 10^-12 base units.
        asked: u128,
        /// The sponsor's limit.
        allowed: u128,
    },
    /// Too much for the proposer, or more than the whole price.
    #[error("offers the proposer {asked} for one gas, the sponsor {allowed} (10^-12 base units)")]
    PriorityFee {
        /// The transaction's highest priority fee for one gas, in 10^-12 base units.
        asked: u128,
        /// The sponsor's limit, or the transaction's whole price if that is lower.
        allowed: u128,
    },
    /// Too high a fee.
    #[error("could cost {ceiling} dollars in fees, the sponsor allows {allowed}")]
    Fee {
        /// Gas limit times price.
        ceiling: Amount,
        /// The sponsor's limit.
        allowed: Amount,
    },
    /// Valid for too short a time to be mined, or for longer than allowed; the payer's clock may be wrong.
    #[error("is valid for {left} more seconds, the sponsor signs from {least} to {longest}")]
    Validity {
        /// Seconds left; 0 also for a transaction without an end.
        left: u64,
        /// Seconds that must be left.
        least: u64,
        /// Seconds that may be left.
        longest: u64,
    },
}
