//! What is served where: the gate in front of the paid route, and structured errors everywhere else.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use mpp_gate::settle::Settle;
use mpp_gate::{Cost, Gate, NoRandomness, Payee};
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal};
use crate::request::CodeExecution;

/// Who answers what was paid for.
pub(crate) trait Upstream: Send + Sync + 'static {
    /// Whether a request can be answered at all; asked before any payment.
    fn check(&self, body: &Value) -> Result<(), Refusal>;

    /// The answer to a request that passed the check.
    fn answer(&self, body: &Value) -> impl Future<Output = Result<Value, Refusal>> + Send;
}

/// The gateway: `POST /grok/code-execution` for money, `GET /health` for nothing.
pub(crate) fn router<U: Upstream>(
    payee: Payee,
    settle: impl Settle + 'static,
    upstream: U,
) -> Result<Router, NoRandomness> {
    let upstream = Arc::new(upstream);
    let checker = Arc::clone(&upstream);
    let gate = Gate::new(payee, settle, move |_: &Parts, body: &Bytes| cost(checker.as_ref(), body))?;
    let router = Router::new()
        .route("/grok/code-execution", post(answer::<U>).route_layer(gate).fallback(wrong_method))
        .route("/health", get(health).fallback(wrong_method))
        .fallback(not_found)
        .with_state(upstream);
    Ok(router)
}

fn cost(upstream: &impl Upstream, body: &[u8]) -> Cost {
    let request = CodeExecution::parse(body).and_then(|request| {
        upstream.check(request.body())?;
        Ok(request)
    });
    match request {
        Ok(request) => {
            Cost::Charge { amount: request.price(), description: Some("Grok: code execution".to_owned()) }
        }
        Err(refusal) => Cost::Refused(Box::new(refusal.encode())),
    }
}

async fn answer<U: Upstream>(State(upstream): State<Arc<U>>, body: Bytes) -> Result<Answer, Refusal> {
    let request = CodeExecution::parse(&body)?;
    upstream.answer(request.body()).await.map(Answer)
}

async fn health() -> Answer {
    Answer(json!({"status": "ok"}))
}

async fn wrong_method(method: Method) -> Refusal {
    let message = format!("{method} is not served here; see the Allow field");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

async fn not_found() -> Refusal {
    let message = "there is only POST /grok/code-execution and GET /health";
    Refusal::new(StatusCode::NOT_FOUND, "not_found", message)
}
