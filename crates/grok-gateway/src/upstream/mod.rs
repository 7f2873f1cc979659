//! Who answers what was paid for: an order in; the answer's JSON, or a stream of its events, out.

mod compatible;
mod exchange;
mod xai;

use std::pin::Pin;

use serde_json::Value;

use crate::answer::{Answer, Refusal};
use crate::catalog::Route;
use crate::request::Order;

pub use compatible::Compatible;
pub use exchange::{ApiKey, UpstreamUrlError};
pub use xai::Xai;
pub(crate) use xai::is_taken as is_taken_by_xai;

/// An answer to come.
pub type AnswerFuture<'a> = Pin<Box<dyn Future<Output = Result<Answer, Refusal>> + Send + 'a>>;

/// Answers orders. What it cannot answer it says before payment, by the first two of these.
pub trait Upstream: Send + Sync {
    /// Whether it answers such orders at all; it says the same every time.
    ///
    /// # Errors
    /// What a payer is told instead of a price.
    fn offers(&self, route: Route) -> Result<(), Refusal>;

    /// Whether it answers this order, as far as is known without asking anybody.
    ///
    /// # Errors
    /// What a payer is told instead of a price.
    fn check(&self, order: &Order) -> Result<(), Refusal>;

    /// The answer to an order that passed both, which is paid by now: events where it [`streams`](Order::streams).
    fn answer<'a>(&'a self, order: &'a Order) -> AnswerFuture<'a>;
}

/// What is paid for is one answer to what is in the request, given while its payer waits.
fn is_whole(order: &Order) -> Result<(), Refusal> {
    for name in ["stream", "background", "previous_response_id"] {
        if !(name == "stream" && order.streams())
            && order.body().get(name).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)))
        {
            let message =
                format!("{name} is not served; leave it out: whole messages are asked and answered here");
            return Err(Refusal::bad_request(format!("invalid_{name}"), message));
        }
    }
    Ok(())
}
