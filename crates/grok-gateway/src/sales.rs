//! What was taken and what it cost, in all: one sum each, for whoever watches the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sums over everything that one gateway sold since it was made. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Sales(Arc<Sums>);

#[derive(Debug, Default)]
struct Sums {
    price: AtomicU64,
    cost: AtomicU64,
}

impl Sales {
    /// What was asked for all answers that were given, in base units.
    #[must_use]
    pub fn base_units(&self) -> u64 {
        self.0.price.load(Ordering::Relaxed)
    }

    /// What the upstream says that it takes for them, in xAI's ticks: 10¹⁰ of them are a dollar.
    #[must_use]
    pub fn cost_in_usd_ticks(&self) -> u64 {
        self.0.cost.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, price: u128, ticks: Option<u64>) {
        self.0.price.fetch_add(u64::try_from(price).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.0.cost.fetch_add(ticks.unwrap_or_default(), Ordering::Relaxed);
    }
}
