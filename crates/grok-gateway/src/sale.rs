//! What became of a paid order: told once, to the log and to the breaker, whether its answer was whole or a stream.

use std::time::Instant;

use serde_json::Value;

use crate::answer::Refusal;
use crate::breaker::Attempt;
use crate::catalog::Route;
use crate::request::Order;
use crate::sales::Sales;

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

/// What an answer, or an event with a part of one, says it cost.
pub(crate) fn ticks(data: &Value) -> Option<u64> {
    data.pointer("/usage/cost_in_usd_ticks")?.as_u64()
}

/// A dollar is 10¹⁰ of xAI's ticks and 10⁶ base units.
const TICKS_A_BASE_UNIT: u64 = 10_000;
