//! What all requests share: the service and who pays it, the answers there are, how many are being bought, and what they
//! came to.

use std::sync::{Mutex, PoisonError};

use grok_mpp::schema::{Difference, Schema};
use grok_mpp::{Error as CallError, Grok};
use mpp_core::Amount;
use mpp_core::payee::body_digest;
use mpp_http::ledger::Ledger as _;
use mpp_http::{Money, Payment};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::calls::{Calls, KEPT_FOR};
use super::error::ApiError;
use super::guard::Guard;
use super::order::Order;
use crate::books::now;
use crate::output::note;
use crate::service::Service;

/// A service that is sold on.
pub(super) struct Shop {
    service: Service,
    pub(super) guard: Guard,
    pub(super) calls: Calls,
    /// What the service says of itself, once it was asked.
    schema: OnceCell<Schema>,
    total: Mutex<Total>,
}

/// What was spent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Total {
    pub(super) payments: u64,
    /// What was paid for sure, without the network's fees.
    pub(super) paid: Amount,
    /// Payments whose outcome is unknown.
    pub(super) unknown: u64,
    /// What those would come to.
    pub(super) feared: Amount,
    /// Payments that brought no answer.
    pub(super) lost: u64,
}

impl Shop {
    pub(super) fn new(service: Service, guard: Guard) -> Self {
        let (calls, schema, total) = (Calls::default(), OnceCell::new(), Mutex::default());
        Shop { service, guard, calls, schema, total }
    }

    pub(super) fn grok(&self) -> &Grok {
        &self.service.grok
    }

    /// Whether a route says that it streams. One that does not is asked for whole answers: what it makes of a field that it
    /// does not know would only be seen once it is paid.
    pub(super) async fn streams(&self, route: &str) -> bool {
        let Ok(schema) = self.schema.get_or_try_init(|| self.grok().schema()).await else { return false };
        let is_offered = schema.routes.iter().any(|(offered, _)| offered == route);
        let without = Difference::Ignores { route: route.to_owned(), field: "stream".to_owned() };
        is_offered && !schema.differences.contains(&without)
    }

    /// A payment of late for the same order, made by a process that has ended: its answer is lost, and whoever tries again by
    /// himself is not to pay again.
    pub(super) async fn paid_before(&self, order: &Order) -> Option<Payment> {
        let mut body = order.body.clone();
        let whole = body_digest(Value::Object(body.clone()).to_string().as_bytes());
        body.insert("stream".to_owned(), true.into());
        let stream = body_digest(Value::Object(body).to_string().as_bytes());
        let latest = self.service.books.as_ref()?.ledger.payments(None, LATEST, false).await.ok()?;
        latest.into_iter().find(|payment| {
            let evidence = payment.evidence();
            let digest = evidence.pointer("/request/body_digest").and_then(Value::as_str);
            payment.money() != Money::NotMoved
                && payment.request().1.ends_with(order.route)
                && digest.is_some_and(|digest| digest == whole || digest == stream)
                && now().saturating_sub(payment.reserved_at()) < KEPT_FOR.as_secs()
        })
    }

    /// Takes down what an answer cost, and asks the node or the sandbox, if there is one, for the fee.
    pub(super) async fn paid(&self, payment: Option<&Payment>) {
        let Some(payment) = payment else { return };
        self.count(payment, false);
        self.service.settled(payment.clone()).await;
    }

    /// A call that failed, once it is known as well as can be what became of its money.
    pub(super) async fn failed(&self, error: &CallError) -> ApiError {
        let payment = match error.payment().cloned() {
            Some(payment) if payment.money() == Money::Unknown => Some(self.service.settled(payment).await),
            payment => payment,
        };
        if let Some(payment) = &payment {
            self.count(payment, true);
        }
        let error = ApiError::of_call(error, payment);
        let _ = note(&format!("failed       {error}"));
        error
    }

    fn count(&self, payment: &Payment, failed: bool) {
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        let amount = payment.quote().amount;
        let sum = |one: Amount| one.checked_add(amount).unwrap_or(one);
        match payment.money() {
            Money::NotMoved => return,
            Money::Unknown => {
                (total.unknown, total.feared) = (total.unknown.saturating_add(1), sum(total.feared));
            }
            Money::Paid => {
                total.paid = sum(total.paid);
                total.lost = total.lost.saturating_add(failed.into());
            }
        }
        total.payments = total.payments.saturating_add(1);
    }

    pub(super) fn total(&self) -> Total {
        *self.total.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the sandbox, if there is one.
    pub(super) async fn stop(self) {
        self.service.close(()).await;
    }
}

/// Most payments that are looked through.
const LATEST: u32 = 100;
