//! Where requests come in: looked at, read within limits, and answered, by what was bought for an earlier one if it is the
//! same.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use mpp_core::payee::body_digest;
use serde_json::Value;
use tokio::sync::{RwLock, RwLockReadGuard, Semaphore, SemaphorePermit};

use super::buy::buy;
use super::calls::{self, Found};
use super::error::ApiError;
use super::form;
use super::head::{IDEMPOTENCY_KEY, REPLAYED, REQUEST_ID, RETRY_COUNT};
use super::models;
use super::order::{self, Order};
use super::record::Recorder;
use super::shop::Shop;

/// The way in.
#[derive(Clone)]
pub(super) struct Door {
    shop: Arc<Shop>,
    /// One permit an answer that is being bought; who comes later waits.
    places: Arc<Semaphore>,
    /// Held for reading by everybody who buys, or waits to.
    under_way: Arc<RwLock<()>>,
}

impl Door {
    pub(super) fn new(shop: Arc<Shop>, at_once: u16) -> Self {
        Door { shop, places: Arc::new(Semaphore::new(at_once.into())), under_way: Arc::default() }
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

    /// Lets nothing more be bought, and waits for what is.
    pub(super) async fn close(&self) {
        self.places.close();
        drop(self.under_way.write().await);
    }

    async fn answer(&self, request: Request) -> Result<Response, ApiError> {
        let (head, body) = request.into_parts();
        let again = head.headers.get(RETRY_COUNT).is_some_and(|count| count != "0");
        let (key, body) = (key(&head.headers)?, read(body).await?);
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
        let (reader, more) = match self.shop.calls.find(&request, again) {
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
            Found::New(recorder, reader) => {
                // Not a part of the connection: it goes on when the client hangs up, as it may be paid by then.
                tokio::spawn(self.clone().buy(order, recorder));
                (reader, HeaderMap::new())
            }
        };
        reader.respond(more).await.ok_or_else(ApiError::stopped)
    }

    /// Buys once there is a place.
    async fn buy(self, order: Order, recorder: Recorder) {
        let Some(_place) = self.place().await else {
            let stopping = ApiError::stopping("this is about to stop; nothing was paid for this request");
            return recorder.answer(stopping.reply(), false);
        };
        let id = order.answer_id(&random_id());
        buy(&self.shop, order, &id, recorder).await;
    }

    /// A place to buy at, unless it is closed.
    async fn place(&self) -> Option<(RwLockReadGuard<'_, ()>, SemaphorePermit<'_>)> {
        if self.places.is_closed() {
            return None;
        }
        // Before the place, so that nobody who has one is overlooked when this closes.
        let under_way = self.under_way.read().await;
        Some((under_way, self.places.acquire().await.ok()?))
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

/// What the client calls the request, if it calls it something.
fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    match headers.get(IDEMPOTENCY_KEY).map(HeaderValue::to_str) {
        Some(Ok(key)) if !key.is_empty() && key.len() <= LONGEST_KEY => Ok(Some(key.to_owned())),
        None => Ok(None),
        Some(_) => {
            let message = format!("an Idempotency-Key has 1 to {LONGEST_KEY} visible ASCII characters");
            Err(ApiError::bad_request("", message))
        }
    }
}

async fn read(body: Body) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(BODY_PATIENCE, to_bytes(body, MOST_BYTES)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => {
            let message = format!("the body broke off, or has more than {MOST_BYTES} bytes");
            Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message))
        }
        Err(_) => {
            let message = "the body did not come in time";
            Err(ApiError::new(StatusCode::BAD_REQUEST, "too_slow", message))
        }
    }
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
