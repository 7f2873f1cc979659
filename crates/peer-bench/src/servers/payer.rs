//! Who pays for everything, with one key: payments of expiring nonces need no order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use e2e::{CHAIN_ID, PATH_USD, PAYER};
use http::HeaderMap;
use mpp_core::tempo::{LocalSigner, SignedPayment, Unsigned};
use mpp_core::{Amount, Challenge, Policy};

use crate::Outcome;

/// The price of everything, in base units.
pub(crate) const CENT: u128 = 10_000;

pub(crate) struct Payer {
    signer: LocalSigner,
    policy: Policy,
    salt: AtomicU64,
}

impl Payer {
    pub(crate) fn new() -> Outcome<Self> {
        let policy = Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(CENT));
        Ok(Payer { signer: LocalSigner::from_hex(PAYER.key)?, policy, salt: AtomicU64::new(1) })
    }

    /// Signs what a 402 asks for.
    pub(crate) fn pay(&self, asked: &HeaderMap) -> Outcome<SignedPayment> {
        let fields = asked.get_all("www-authenticate").iter().map(|value| value.as_bytes());
        let challenge = Challenge::parse_all(fields).pop().ok_or("a 402 without a challenge")??;
        Ok(self.sign(self.prepare(challenge)?))
    }

    pub(crate) fn prepare(&self, challenge: Challenge) -> Outcome<Unsigned> {
        let (now, salt) = (now()?, self.salt.fetch_add(1, Ordering::Relaxed));
        Ok(self.policy.approve(challenge, b"", now)?.prepare(self.signer.address(), now, salt))
    }

    pub(crate) fn sign(&self, unsigned: Unsigned) -> SignedPayment {
        let signature = self.signer.sign(&unsigned);
        unsigned.signed(&signature)
    }
}

/// The time, in Unix seconds.
pub(crate) fn now() -> Outcome<u64> {
    Ok(SystemTime::UNIX_EPOCH.elapsed()?.as_secs())
}
