//! Who pays payers' fees, and for whom: a credential's envelope in, a transaction to broadcast out.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use alloy_primitives::{Address, B256};
use mpp_core::Amount;
use mpp_core::error::SponsorRefusal;
use mpp_core::payee::Sponsor;
use mpp_core::tempo::{SignedTransaction, Verified};

use crate::chain::Chain;

/// A sponsor with a purse: [`Sponsor`] limits what it pays for one payment, this how often and down to which balance.
#[derive(Debug)]
pub struct Sponsorship {
    sponsor: Sponsor,
    floor: Amount,
    per_hour: u32,
    /// Whether the purse is below its floor.
    dry: AtomicBool,
    recent: Mutex<Recent>,
}

/// Payments of the hour that runs, by payer.
#[derive(Debug, Default)]
struct Recent {
    hour: u64,
    payments: HashMap<Address, HashSet<Option<B256>>>,
}

impl Sponsorship {
    /// Pays the fees of sixty payments an hour and payer, in this process, as long as it has a dollar.
    #[must_use]
    pub fn new(sponsor: Sponsor) -> Self {
        Sponsorship {
            sponsor,
            floor: Amount::from_base_units(1_000_000),
            per_hour: 60,
            dry: AtomicBool::new(false),
            recent: Mutex::default(),
        }
    }

    /// Below this balance, in base units of the fee's token, payers are asked to pay their fees themselves.
    #[must_use]
    pub fn floor(mut self, balance: Amount) -> Self {
        self.floor = balance;
        self
    }

    /// For how many payments of one payer fees are paid in an hour.
    #[must_use]
    pub fn per_hour(mut self, payments: u32) -> Self {
        self.per_hour = payments;
        self
    }

    pub(crate) fn is_offered(&self) -> bool {
        !self.dry.load(Ordering::Relaxed)
    }

    /// Looks into the purse; one that cannot be looked into is taken for what it was.
    pub(crate) async fn look(&self, chain: &dyn Chain) {
        let Ok(balance) = chain.balance(self.sponsor.token(), self.sponsor.address()).await else { return };
        let dry = balance < self.floor;
        if self.dry.swap(dry, Ordering::Relaxed) != dry {
            tracing::warn!(%balance, floor = %self.floor, dry, "the sponsor's balance crossed its floor");
        }
    }

    /// Signs as the payer of the fee, at `now` in Unix seconds.
    pub(crate) fn cosign(
        &self,
        payment: &Verified,
        payer: Address,
        now: u64,
    ) -> Result<SignedTransaction, NotSponsored> {
        if !self.is_offered() {
            return Err(NotSponsored::Dry);
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = now / 3600;
        if recent.hour != hour {
            *recent = Recent { hour, payments: HashMap::new() };
        }
        let signed = self.sponsor.cosign(payment, now)?;
        let payments = recent.payments.entry(payer).or_default();
        // The same one sent again is the same transaction, and one fee.
        let full = u32::try_from(payments.len()).map_or(true, |made| made >= self.per_hour);
        if full && !payments.contains(&signed.hash()) {
            return Err(NotSponsored::TooMany { per_hour: self.per_hour });
        }
        payments.insert(signed.hash());
        Ok(signed)
    }
}

/// Why a fee is not paid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSponsored {
    #[error("the sponsor's balance is below its floor; ask again for a challenge without a sponsor")]
    Dry,
    #[error("fees are paid for {per_hour} payments of one payer in an hour; wait for the next")]
    TooMany { per_hour: u32 },
    #[error(transparent)]
    Refused(#[from] SponsorRefusal),
}
