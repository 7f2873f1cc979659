//! What became of a paid order: told once, to the log, to the breaker and to the sums of all that was sold, whether its
//! answer was whole or a stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::Value;

use crate::answer::Refusal;
use crate::breaker::Attempt;
use crate::catalog::Route;
use crate::request::Order;

/// An order that is paid and not answered yet.
#[derive(Debug)]
pub(crate) struct Sale {
    route: Route,
    model: String,
    price: u128,
    /// Nothing once it is told.
    attempt: Option<Attempt>,
    sales: Sales,
}

impl Sale {
    pub(crate) fn of(order: &Order, attempt: Attempt, sales: Sales) -> Self {
        let model = order.body().get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
        Sale { route: order.route(), model, price: order.price().base_units(), attempt: Some(attempt), sales }
    }

    pub(crate) fn route(&self) -> Route {
        self.route
    }

    /// Logs what was taken beside what the upstream takes, both in base units. Nothing of request or answer is logged
    /// but the model's name.
    pub(crate) fn sold(mut self, ticks: Option<u64>) {
        if let Some(attempt) = self.attempt.take() {
            attempt.succeeded();
        }
        self.sales.add(self.price, ticks);
        tracing::info!(
            route = self.route.path(),
            model = self.model,
            price = self.price,
            cost_in_usd_ticks = ticks,
            cost = ticks.map(|ticks| ticks.div_ceil(TICKS_A_BASE_UNIT)),
            "sold"
        );
    }

    pub(crate) fn failed(mut self, refusal: &Refusal) {
        if let Some(attempt) = self.attempt.take().filter(|_| refusal.is_outage()) {
            attempt.failed(Instant::now(), refusal.seconds());
        }
        let (status, code) = (refusal.status().as_u16(), refusal.code());
        tracing::warn!(route = self.route.path(), status, code, "the upstream has no answer");
    }
}

impl Drop for Sale {
    fn drop(&mut self) {
        if self.attempt.is_some() {
            tracing::warn!(route = self.route.path(), "nobody waited for the answer");
        }
    }
}

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

    fn add(&self, price: u128, ticks: Option<u64>) {
        self.0.price.fetch_add(u64::try_from(price).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.0.cost.fetch_add(ticks.unwrap_or_default(), Ordering::Relaxed);
    }
}

/// What an answer, or an event with a part of one, says it cost.
pub(crate) fn ticks(data: &Value) -> Option<u64> {
    data.pointer("/usage/cost_in_usd_ticks")?.as_u64()
}

/// A dollar is 10¹⁰ of xAI's ticks and 10⁶ base units.
const TICKS_A_BASE_UNIT: u64 = 10_000;
