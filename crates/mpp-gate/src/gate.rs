//! The gate itself: a request in; an answer of the gate's own, or the answer of the service behind it, out. In between
//! is the one path on which money is taken, `Gate::serve`.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use mpp_core::error::CredentialError;
use mpp_core::{Credential, Receipt};
use tower::{Layer, Service};

use crate::answer::{self, Answer};
use crate::body::Body;
use crate::price::{Cost, Price};
use crate::replay::{MemoryReplays, ReplayStore};
use crate::settle::Settle;
use crate::terms::{NoRandomness, Payee, Secret, Terms};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A tower layer that lets requests through once they are paid for.
///
/// Clones share everything, and so do the services of one gate: a payment opens one of them, once.
#[derive(Clone)]
pub struct Gate {
    pub(crate) payee: Arc<Payee>,
    pub(crate) secret: Arc<Secret>,
    pub(crate) settle: Arc<dyn Settle>,
    price: Arc<dyn Price>,
    pub(crate) replays: Arc<dyn ReplayStore>,
    pub(crate) validity: Duration,
    body_limit: usize,
}

impl Gate {
    /// A gate at which `payee` is paid what `price` says, by payments that `settle` makes happen.
    ///
    /// Challenges are good for 5 minutes and for this gate only, which remembers in memory what was paid; bodies may
    /// take 1 MiB.
    ///
    /// # Errors
    /// When the operating system has no random numbers for a secret.
    pub fn new(
        payee: Payee,
        settle: impl Settle + 'static,
        price: impl Price + 'static,
    ) -> Result<Self, NoRandomness> {
        Ok(Gate {
            payee: Arc::new(payee),
            secret: Arc::new(Secret::random()?),
            settle: Arc::new(settle),
            price: Arc::new(price),
            replays: Arc::new(MemoryReplays::default()),
            validity: Duration::from_secs(300),
            body_limit: 1024 * 1024,
        })
    }

    /// Takes challenges of other processes too, earlier ones and those beside this one: `secret` binds them, and `store`
    /// remembers for all of them what was paid.
    ///
    /// The two are kept or lost together. A secret that outlives its store lets every payment of the last minutes buy
    /// again.
    #[must_use]
    pub fn durable(mut self, secret: Secret, store: impl ReplayStore + 'static) -> Self {
        self.secret = Arc::new(secret);
        self.replays = Arc::new(store);
        self
    }

    /// How long a challenge can be paid, in whole seconds.
    #[must_use]
    pub fn validity(mut self, validity: Duration) -> Self {
        self.validity = validity;
        self
    }

    /// The most bytes of a request's body.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    async fn serve<S, B, R>(&self, request: Request<B>, mut service: S) -> Response<Body>
    where
        S: Service<Request<Body>, Response = Response<R>, Error = Infallible>,
        B: http_body::Body,
        B::Error: Into<BoxError>,
        R: http_body::Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let own = |answer: Answer| answer.map(Body::whole);

        // 1. The whole body: the price may depend on it, and the challenge is bound to it.
        let (mut parts, body) = request.into_parts();
        let body = match self.read(body).await {
            Ok(body) => body,
            Err(answer) => return own(answer),
        };
        // Taken out of the request in any case: the service behind has no business with credentials.
        let credentials = take_credentials(&mut parts.headers);

        // 2. The price, before any talk of payment: a request that would fail is never charged.
        let (amount, description) = match self.price.cost(&parts, &body) {
            Cost::Free => {
                let Ok(response) = service.call(Request::from_parts(parts, Body::whole(body))).await;
                return response.map(Body::of);
            }
            Cost::Refused(answer) => return own(answer),
            Cost::Charge { amount, description } => (amount, description),
        };
        let price = (amount, description.as_deref());
        let terms = Terms::new(self, price, &parts, &body);

        // 3. The money. Up to here nothing has been changed anywhere.
        let receipt = match self.collect(&terms, credentials).await {
            Ok(receipt) => receipt,
            Err(answer) => return own(answer),
        };

        // 4. What was paid for.
        let Ok(mut response) = service.call(Request::from_parts(parts, Body::whole(body))).await;
        if response.status().is_client_error() || response.status().is_server_error() {
            return own(failed(response, &receipt).await);
        }
        if response.status().is_success()
            && let Ok(mut value) = HeaderValue::from_str(&receipt.encode())
        {
            value.set_sensitive(true);
            response.headers_mut().insert(PAYMENT_RECEIPT, value);
        }
        if !is_private(response.headers()) {
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private"));
        }
        response.map(Body::of)
    }

    async fn read<B>(&self, body: B) -> Result<Bytes, Answer>
    where
        B: http_body::Body,
        B::Error: Into<BoxError>,
    {
        match Limited::new(body, self.body_limit).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                let detail =
                    format!("the body takes more than {} bytes; send a smaller one", self.body_limit);
                Err(answer::plain(StatusCode::PAYLOAD_TOO_LARGE, &detail))
            }
            Err(_) => {
                let detail = "the body ended before its end; send the request again";
                Err(answer::plain(StatusCode::BAD_REQUEST, detail))
            }
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Gate")
            .field("payee", &self.payee)
            .field("validity", &self.validity)
            .field("body_limit", &self.body_limit)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, service: S) -> Gated<S> {
        Gated { gate: Arc::new(self.clone()), service }
    }
}

/// A service behind a [`Gate`].
#[derive(Clone, Debug)]
pub struct Gated<S> {
    gate: Arc<Gate>,
    service: S,
}

/// The service behind must not fail but by its answers, so that a payer always learns what became of his payment.
impl<S, B, R> Service<Request<B>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that said it was ready is the one to call.
        let next = self.service.clone();
        let service = std::mem::replace(&mut self.service, next);
        let gate = Arc::clone(&self.gate);
        Box::pin(async move { Ok(gate.serve(request, service).await) })
    }
}

/// Removes every credential from the two fields it can be in; other schemes stay.
fn take_credentials(headers: &mut HeaderMap) -> Vec<Result<Credential, CredentialError>> {
    let mut found = Vec::new();
    for name in [AUTHORIZATION, PAYMENT_AUTHORIZATION] {
        let values: Vec<HeaderValue> = headers.get_all(&name).iter().cloned().collect();
        headers.remove(&name);
        for value in values {
            match Credential::parse(value.as_bytes()) {
                Err(CredentialError::Scheme) => drop(headers.append(&name, value)),
                credential => found.push(credential),
            }
        }
    }
    found
}

/// Whether the service itself keeps shared caches from storing its answer (RFC 9111 §5.2.2).
fn is_private(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = fields.flat_map(|field| field.split(',')).map(str::trim);
    directives.any(|name| name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("private"))
}

/// The answer when the service failed after the payment: its status and words, and that the money is gone. There is no
/// receipt on failures (draft-httpauth-payment §5.3.1), and no refund.
async fn failed<R>(response: Response<R>, receipt: &Receipt) -> Answer
where
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    let status = response.status();
    tracing::error!(reference = receipt.reference(), %status, "the service failed after it was paid for");
    let body = Limited::new(response.into_body(), MAX_FAILURE).collect().await;
    let words = body.ok().and_then(|body| String::from_utf8(body.to_bytes().into()).ok());
    let detail =
        "the payment was taken, but the service failed; it is not refunded by itself, so keep the reference";
    answer::taken(status, detail, receipt.reference(), words.as_deref().filter(|words| !words.is_empty()))
}

const PAYMENT_AUTHORIZATION: HeaderName = HeaderName::from_static("payment-authorization");
const PAYMENT_RECEIPT: HeaderName = HeaderName::from_static("payment-receipt");
/// Most bytes of a failed answer that are passed on.
const MAX_FAILURE: usize = 64 * 1024;
