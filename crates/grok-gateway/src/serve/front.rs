//! In front of the gateway: what is too much is turned away here, before anything is read or paid, and everything is
//! counted and logged.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use grok_gateway::Refusal;
use mpp_core::Credential;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument as _;

use super::body::{Bounded, Cut, Holding};
use super::client;
use super::limits::{Rate, Rooms};
use super::metrics::Metrics;
use super::record::Entry;
use super::settings::Limits;

/// The other end of the connection that a request came by.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The limits on requests.
pub(crate) struct Front {
    /// With and without a payment are counted apart, so that asking does not keep from paying.
    rate: Rate<(IpAddr, bool)>,
    rooms: Rooms,
    body_bytes: usize,
    body_time: Duration,
    proxies: usize,
    metrics: Arc<Metrics>,
}

impl Front {
    pub(crate) fn new(limits: &Limits, metrics: Arc<Metrics>) -> Self {
        Front {
            rate: Rate::new(limits.requests_per_second.get(), limits.burst.get()),
            rooms: Rooms::new(limits.requests.get(), limits.requests_reserved_for_paid),
            body_bytes: limits.body_bytes.get(),
            body_time: Duration::from_secs(limits.body_seconds.get().into()),
            proxies: limits.trusted_proxies,
            metrics,
        }
    }

    /// The gateway behind this.
    pub(crate) fn before<S, B>(self, gateway: S) -> Router
    where
        S: tower::Service<Request, Response = Response<B>, Error = std::convert::Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: HttpBody<Data = axum::body::Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        Router::new().fallback_service(gateway).layer(from_fn_with_state(Arc::new(self), serve))
    }

    async fn answer(
        &self,
        request: Request,
        client: IpAddr,
        next: Next,
    ) -> (Response, Option<OwnedSemaphorePermit>) {
        // Who asks whether all is well should not hear that there is much to do.
        if request.uri().path() == "/health" {
            return (next.run(request).await, None);
        }
        let refuse = |refusal: Refusal| (refusal.encode().map(Body::from), None);
        let pays = carries_payment(request.headers());
        if let Err(wait) = self.rate.admit((client::place(client), pays), Instant::now()) {
            self.metrics.refused("rate");
            return refuse(too_often(wait));
        }
        let Some(permit) = self.rooms.enter(pays) else {
            self.metrics.refused("concurrency");
            return refuse(busy());
        };
        if request.body().size_hint().lower() > u64::try_from(self.body_bytes).unwrap_or(u64::MAX) {
            return refuse(self.cut(Cut::TooLong));
        }
        let (parts, body) = request.into_parts();
        let (body, cut) = Bounded::new(body, self.body_bytes, self.body_time);
        let response = next.run(Request::from_parts(parts, Body::new(body))).await;
        match cut.get() {
            // The gate takes no money before it has the whole body, so there was none taken.
            Some(cut) => refuse(self.cut(*cut)),
            None => (response, Some(permit)),
        }
    }

    fn cut(&self, why: Cut) -> Refusal {
        match why {
            Cut::TooLong => {
                self.metrics.refused("body_length");
                let message =
                    format!("the body takes more than {} bytes; send a smaller one", self.body_bytes);
                Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_long", message)
            }
            Cut::TooSlow => {
                self.metrics.refused("body_time");
                let message = "the body did not come in time; send the same request again";
                Refusal::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", message)
            }
        }
    }
}

async fn serve(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get().map_or(IpAddr::from([0, 0, 0, 0]), |Peer(peer)| *peer);
    let client = client::address(peer, request.headers(), front.proxies);
    let mut entry = Entry::begin(&front.metrics, request.method(), request.uri().path(), client);
    let (mut response, permit) = front.answer(request, client, next).instrument(entry.span()).await;
    entry.status = response.status().as_u16();
    if let Some(id) = entry.id() {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response.map(|body| Body::new(Holding { body, _held: (permit, entry) }))
}

/// Whether there is something in the request that looks like a payment; the gate looks closer.
fn carries_payment(headers: &HeaderMap) -> bool {
    let fields = [AUTHORIZATION, PAYMENT_AUTHORIZATION];
    let mut values = fields.iter().flat_map(|name| headers.get_all(name));
    values.any(|value| Credential::parse(value.as_bytes()).is_ok())
}

fn too_often(wait: Duration) -> Refusal {
    let seconds = wait.as_secs().saturating_add(1);
    let message = format!("too many requests from this address; try again in {seconds} seconds");
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message).retry_after(Some(seconds))
}

fn busy() -> Refusal {
    let message = "there is more to do than can be done; send the same request again in a second";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).retry_after(Some(1))
}

const PAYMENT_AUTHORIZATION: HeaderName = HeaderName::from_static("payment-authorization");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
