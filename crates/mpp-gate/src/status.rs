//! What became of a payment: the reference of its receipt in; its sale, as JSON without what was asked or answered, out.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::Service;

use crate::answer::{self, Answer};
use crate::body::Body;
use crate::gate::Gate;
use crate::sale::Sale;

/// Answers `GET …/{reference}`, by the last segment of the path. Whoever knows the reference may ask: it is on the chain,
/// but for a proof's, which only its payer knows.
#[derive(Clone, Debug)]
pub struct Status(Gate);

impl Gate {
    /// A service that says what became of payments, for `GET /payments/{reference}`.
    #[must_use]
    pub fn status(&self) -> Status {
        Status(self.clone())
    }

    async fn status_of(&self, reference: &str) -> Answer {
        match self.store.of_reference(reference).await {
            Ok(Some(sale)) => answer::json(StatusCode::OK, &report(&sale, self.operator.is_some())),
            Ok(None) => answer::plain(
                StatusCode::NOT_FOUND,
                "no payment with this reference was taken here; it is the one of a receipt, or of a problem",
            ),
            Err(error) => {
                self.health.fail(&error);
                answer::unavailable(&error.to_string())
            }
        }
    }
}

fn report(sale: &Sale, refunds: bool) -> Value {
    let mut report = json!({
        "reference": sale.reference,
        "state": sale.state.name(),
        "chainId": sale.chain_id,
        "currency": sale.currency,
        "amount": sale.amount.base_units().to_string(),
        "payer": sale.payer,
        "claimedAt": sale.claimed_at,
    });
    let Some(members) = report.as_object_mut() else { return report };
    let times = [("settledAt", sale.settled_at), ("endedAt", sale.ended_at)];
    members.extend(times.into_iter().filter_map(|(name, at)| Some((name.to_owned(), at?.into()))));
    if let Some(why) = &sale.failure {
        let (refund, detail) = answer::refund(sale, refunds);
        let transaction = sale.refund.as_ref().map(|refund| refund.hash);
        members.insert("failure".to_owned(), why.as_str().into());
        members.insert(
            "refund".to_owned(),
            json!({"status": refund, "detail": detail, "transaction": transaction}),
        );
    }
    report
}

impl<B: Send + 'static> Service<Request<B>> for Status {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let gate = self.0.clone();
        Box::pin(async move {
            let path = request.uri().path();
            let reference = path.rsplit('/').next().unwrap_or_default();
            Ok(gate.status_of(reference).await.map(Body::whole))
        })
    }
}
