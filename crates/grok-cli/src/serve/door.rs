//! Where requests come in: looked at, read within limits, and answered, by what was bought for an earlier one if it is the
//! same.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use mpp_core::payee::body_digest;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::buy::buy;
use super::calls::{self, Found};
use super::error::ApiError;
use super::form;
use super::head::{IDEMPOTENCY_KEY, REPLAYED, REQUEST_ID, RETRY_COUNT};
use super::models;
use super::order::{self, Order};
use super::shop::Shop;

/// The way in.
#[derive(Clone)]
pub(super) struct Door {
    shop: Arc<Shop>,
    /// One permit an answer that is being bought.
    places: Arc<Semaphore>,
    at_once: u32,
}

impl Door {
    pub(super) fn new(shop: Arc<Shop>, at_once: u32) -> Self {
        let places = usize::try_from(at_once).unwrap_or(Semaphore::MAX_PERMITS);
        Door { shop, places: Arc::new(Semaphore::new(places)), at_once }
    }

    /// What there is, behind the guard.
    pub(super) fn router(&self) -> Router {
        let paid = [order::CHAT, order::RESPONSES, order::IMAGES, order::EDITS, order::SPEECH];
        let router = paid.into_iter().fold(Router::new(), |router, path| router.route(path, post(sell)));
        router
            .route("/v1/models", get(async || models::list().into_response()))
            .route("/v1/models/{id}", get(async |Path(id): Path<String>| models::one(&id).into_response()))
            .fallback(async || nothing_here(StatusCode::NOT_FOUND))
            .method_not_allowed_fallback(async || nothing_here(StatusCode::METHOD_NOT_ALLOWED))
            .layer(from_fn_with_state(Arc::clone(&self.shop), guarded))
            .with_state(self.clone())
    }

    /// Waits until nothing is being bought. From then on nothing is.
    pub(super) async fn idle(&self) {
        if let Ok(all) = self.places.acquire_many(self.at_once).await {
            all.forget();
        }
    }

    async fn answer(&self, request: Request) -> Result<Response, ApiError> {
        let (head, body) = request.into_parts();
        let again = head.headers.get(RETRY_COUNT).is_some_and(|count| count != "0");
        let key = match head.headers.get(IDEMPOTENCY_KEY).map(HeaderValue::to_str) {
            Some(Ok(key)) if !key.is_empty() && key.len() <= LONGEST_KEY => Some(key.to_owned()),
            None => None,
            Some(_) => {
                let message = format!("an Idempotency-Key has 1 to {LONGEST_KEY} visible ASCII characters");
                return Err(ApiError::bad_request("", message));
            }
        };
        let body = match tokio::time::timeout(BODY_PATIENCE, to_bytes(body, MOST_BYTES)).await {
            Ok(Ok(body)) => body,
            Ok(Err(_)) => {
                let message = format!("the body broke off, or has more than {MOST_BYTES} bytes");
                return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message));
            }
            Err(_) => {
                let message = "the body did not come in time";
                return Err(ApiError::new(StatusCode::BAD_REQUEST, "too_slow", message));
            }
        };
        let path = head.uri.path();
        let asked = form::read(&head.headers, &body)?;
        // Of what it says: a form is written otherwise each time.
        let said = Value::Object(asked.clone()).to_string();
        let request = calls::Request { key, digest: body_digest(format!("{path}\n{said}").as_bytes()) };
        let order = Order::read(path, asked)?;
        if again
            && self.shop.calls.is_new(&request)
            && let Some(payment) = self.shop.paid_before(&order).await
        {
            return Err(ApiError::paid_before(payment));
        }
        let place = Arc::clone(&self.places).try_acquire_owned();
        let (reader, more) = match self.shop.calls.find(&request, again, place.is_ok()) {
            Found::Known(reader) => {
                (reader, HeaderMap::from_iter([(REPLAYED, HeaderValue::from_static("true"))]))
            }
            Found::KeyReused => {
                let message =
                    "this Idempotency-Key is that of another request; give this one a key of its own";
                return Err(ApiError::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "idempotency_key_reused",
                    message,
                ));
            }
            Found::NoRoom => {
                return Err(ApiError::busy(
                    "as much is under way as may be at once; nothing was paid for this request",
                ));
            }
            Found::New(recorder, reader) => {
                let (shop, id) = (Arc::clone(&self.shop), order.answer_id(&random_id()));
                // Not a part of the connection: it goes on when the client hangs up, as it may be paid by then.
                tokio::spawn(async move {
                    buy(&shop, order, &id, recorder).await;
                    drop((shop, place));
                });
                (reader, HeaderMap::new())
            }
        };
        reader.respond(more).await.ok_or_else(|| {
            let message =
                "the call was stopped, and it is unknown whether it was paid; grok-mpp history lists it";
            ApiError::new(StatusCode::FAILED_DEPENDENCY, "payment_outcome_unknown", message)
        })
    }
}

async fn sell(State(door): State<Door>, request: Request) -> Response {
    door.answer(request).await.unwrap_or_else(|error| error.reply().into_response())
}

async fn guarded(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let mut response = match shop.guard.admit(&head) {
        Ok(()) => next.run(Request::from_parts(head, body)).await,
        Err(error) => error.reply().into_response(),
    };
    if let Ok(id) = HeaderValue::try_from(random_id()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn nothing_here(status: StatusCode) -> Response {
    let message = "there is nothing here; GET /v1/models, and POST /v1/chat/completions, /v1/responses, \
                   /v1/images/generations, /v1/images/edits and /v1/audio/speech are all there is";
    ApiError::new(status, "not_found", message).reply().into_response()
}

/// Without randomness nothing is paid, so that the number hardly matters.
fn random_id() -> String {
    let mut bytes = [0; 12];
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the library sends at most, and a little for what is not sent on.
const MOST_BYTES: usize = 17 << 20;
const BODY_PATIENCE: Duration = Duration::from_secs(60);
const LONGEST_KEY: usize = 256;
