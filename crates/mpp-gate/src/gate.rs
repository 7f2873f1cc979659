//! The gate itself: a request in; an answer of the gate's own, or the answer of the service behind it, out. In between
//! is the one path on which money is taken, [`Gate::serve`].

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Full, LengthLimitError, Limited};
use mpp_core::error::CredentialError;
use mpp_core::tempo::Verified;
use mpp_core::{Amount, Credential, Problem, ProblemType, Receipt};
use tower::{Layer, Service};

use crate::answer::{self, Answer};
use crate::replay::{Claim, MemoryReplays, ReplayStore};
use crate::settle::{Payment, Settle, SettleError};
use crate::terms::{Fault, Payee, Terms};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a request costs.
#[derive(Debug)]
pub enum Cost {
    /// Nothing; it goes through as it is.
    Free,
    /// Money, or for an amount of zero a proof of who asks.
    Charge {
        /// How much, in base units of the payee's token.
        amount: Amount,
        /// What for, for people; it counts towards the 8 KiB that a challenge should stay below.
        description: Option<String>,
    },
    /// Not to be had at any price, because of what this answer says.
    Refused(Box<Response<Bytes>>),
}

/// Says what requests cost. Whatever the service behind the gate would refuse is best refused here, before payment.
pub trait Price: Send + Sync {
    /// The cost of a request. It may depend on anything in it, and may change over time.
    fn cost(&self, request: &Parts, body: &Bytes) -> Cost;
}

impl<F: Fn(&Parts, &Bytes) -> Cost + Send + Sync> Price for F {
    fn cost(&self, request: &Parts, body: &Bytes) -> Cost {
        self(request, body)
    }
}

/// A tower layer that lets requests through once they are paid for.
///
/// Clones share everything, and so do the services of one gate: a payment opens one of them, once.
#[derive(Clone)]
pub struct Gate {
    payee: Arc<Payee>,
    settle: Arc<dyn Settle>,
    price: Arc<dyn Price>,
    replays: Arc<dyn ReplayStore>,
    validity: Duration,
    body_limit: usize,
}

impl Gate {
    /// A gate at which `payee` is paid what `price` says, by payments that `settle` makes happen.
    ///
    /// Challenges are good for 5 minutes, claims are kept in memory, and bodies may take 1 MiB.
    pub fn new(payee: Payee, settle: impl Settle + 'static, price: impl Price + 'static) -> Self {
        Gate {
            payee: Arc::new(payee),
            settle: Arc::new(settle),
            price: Arc::new(price),
            replays: Arc::new(MemoryReplays::default()),
            validity: Duration::from_secs(300),
            body_limit: 1024 * 1024,
        }
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

    /// Where claims are kept.
    #[must_use]
    pub fn replays(mut self, store: impl ReplayStore + 'static) -> Self {
        self.replays = Arc::new(store);
        self
    }

    async fn serve<S, B, R>(&self, request: Request<B>, mut service: S) -> Response<Either<Full<Bytes>, R>>
    where
        S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Infallible>,
        B: http_body::Body,
        B::Error: Into<BoxError>,
        R: http_body::Body<Data = Bytes>,
        R::Error: Into<BoxError>,
    {
        let own = |answer: Answer| answer.map(Either::Left);

        // 1. The whole body: the price may depend on it, and the challenge is bound to it.
        let (mut parts, body) = request.into_parts();
        let body = match self.read(body).await {
            Ok(body) => body,
            Err(answer) => return own(answer),
        };
        // Taken out of the request in any case: the service behind has no business with credentials.
        let mut credentials = take_credentials(&mut parts.headers);

        // 2. The price, before any talk of payment: a request that would fail is never charged.
        let (amount, description) = match self.price.cost(&parts, &body) {
            Cost::Free => {
                let Ok(response) = service.call(rebuild(parts, body)).await;
                return response.map(Either::Right);
            }
            Cost::Refused(answer) => return answer.map(|body| Either::Left(Full::new(body))),
            Cost::Charge { amount, description } => (amount, description),
        };
        let price = (amount, description.as_deref());
        let terms = Terms::new(&self.payee, self.settle.chain_id(), price, &parts, &body);

        // 3. One credential, or a challenge.
        let credential = match (credentials.pop(), credentials.pop()) {
            (Some(Ok(credential)), None) => credential,
            (Some(Err(error)), None) => {
                let fault = Fault::new(ProblemType::MalformedCredential, answer::chain(&error));
                return own(self.ask(&terms, fault));
            }
            (None, _) => {
                let fault = Fault::new(ProblemType::PaymentRequired, "this request has to be paid for");
                return own(self.ask(&terms, fault));
            }
            (Some(_), Some(_)) => {
                return own(answer::plain(StatusCode::BAD_REQUEST, "send one payment credential at most"));
            }
        };

        // 4. The money. Up to here nothing has been changed anywhere.
        let receipt = match self.collect(&terms, &credential).await {
            Ok(receipt) => receipt,
            Err(answer) => return own(answer),
        };

        // 5. What was paid for.
        let Ok(mut response) = service.call(rebuild(parts, body)).await;
        if response.status().is_client_error() || response.status().is_server_error() {
            return own(failed(response, &receipt).await);
        }
        if response.status().is_success()
            && let Ok(mut value) = HeaderValue::from_str(&receipt.encode())
        {
            value.set_sensitive(true);
            response.headers_mut().insert(PAYMENT_RECEIPT, value);
        }
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private"));
        response.map(Either::Right)
    }

    async fn read<B>(&self, body: B) -> Result<Bytes, Answer>
    where
        B: http_body::Body,
        B::Error: Into<BoxError>,
    {
        match Limited::new(body, self.body_limit).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                let detail = format!("the body takes more than {} bytes", self.body_limit);
                Err(answer::plain(StatusCode::PAYLOAD_TOO_LARGE, &detail))
            }
            Err(_) => Err(answer::plain(StatusCode::BAD_REQUEST, "the body ended before its end")),
        }
    }

    /// Checks, claims and settles, in this order: a receipt, or why there is none.
    async fn collect(&self, terms: &Terms<'_>, credential: &Credential) -> Result<Receipt, Answer> {
        let checked_at = now();
        let refuse = |kind, detail: &str| self.ask(terms, Fault::new(kind, detail));
        let (charge, verified) =
            terms.check(credential, checked_at).map_err(|fault| self.ask(terms, fault))?;
        let payment = match verified {
            Verified::Proof { .. } => None,
            Verified::Transaction { payer, transaction, signed } => {
                let hash = signed.hash().ok_or_else(|| {
                    refuse(ProblemType::VerificationFailed, "the transaction lacks its sponsor's signature")
                })?;
                Some(Payment { charge, payer, transaction, signed, hash, checked_at })
            }
            _ => return Err(refuse(ProblemType::VerificationFailed, "only pull payments are taken")),
        };
        let challenge = credential.challenge();
        let claim = Claim {
            challenge_id: challenge.id().to_owned(),
            transaction: payment.as_ref().map(|payment| payment.hash),
            expires_at: challenge.expires_at().unwrap_or(u64::MAX),
        };
        match self.replays.claim(&claim, checked_at).await {
            Ok(true) => {}
            Ok(false) => return Err(refuse(ProblemType::InvalidChallenge, "this payment was used before")),
            Err(error) => return Err(answer::unavailable(&answer::chain(&error))),
        }
        let Some(payment) = payment else { return Ok(Receipt::new(challenge.id(), checked_at, None)) };
        match self.settle.settle(&payment).await {
            Ok(()) => Ok(Receipt::new(payment.hash.to_string(), now(), None)),
            Err(error) => Err(self.unsettled(terms, &claim, &payment, &error).await),
        }
    }

    /// The answer to a payment that was not, or may not have been, made. Only when it surely was not, its claim is given
    /// back; a store that fails to do so errs on the safe side.
    async fn unsettled(
        &self,
        terms: &Terms<'_>,
        claim: &Claim,
        payment: &Payment,
        error: &SettleError,
    ) -> Answer {
        let why = answer::chain(error);
        match error {
            SettleError::Refused { kind, .. } => {
                let _ = self.replays.release(claim).await;
                self.ask(terms, Fault::new(*kind, why))
            }
            SettleError::Unavailable { .. } => {
                let _ = self.replays.release(claim).await;
                answer::unavailable(&format!("{why}; nothing was paid"))
            }
            SettleError::Unknown { .. } => {
                let detail = format!(
                    "{why}; look for transaction {} on chain {} before paying again",
                    payment.hash,
                    self.settle.chain_id()
                );
                answer::taken(StatusCode::BAD_GATEWAY, &detail, &payment.hash.to_string(), None)
            }
        }
    }

    /// A problem with a fresh challenge. `Accept-Payment` changes nothing about it: there is one offer to make, which a
    /// server may make whether it is accepted or not (draft-httpauth-payment §7.4).
    fn ask(&self, terms: &Terms<'_>, fault: Fault) -> Answer {
        if fault.kind.status() != 402 {
            return answer::problem(&Problem::new(fault.kind, fault.detail, None));
        }
        match terms.challenge(now().saturating_add(self.validity.as_secs())) {
            Ok(challenge) => {
                answer::challenge(&Problem::new(fault.kind, fault.detail, Some(challenge.id())), &challenge)
            }
            Err(error) => answer::plain(StatusCode::INTERNAL_SERVER_ERROR, &answer::chain(&error)),
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
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Either<Full<Bytes>, R>>;
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

fn rebuild(parts: Parts, body: Bytes) -> Request<Full<Bytes>> {
    Request::from_parts(parts, Full::new(body))
}

/// The answer when the service failed after the payment: its status and words, and that the money is gone. There is no
/// receipt on failures (draft-httpauth-payment §5.3.1), and no refund.
async fn failed<R>(response: Response<R>, receipt: &Receipt) -> Answer
where
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_FAILURE).collect().await;
    let words = body.ok().and_then(|body| String::from_utf8(body.to_bytes().into()).ok());
    let detail =
        "the payment was taken, but the service failed; it is not refunded by itself, so keep the reference";
    answer::taken(status, detail, receipt.reference(), words.as_deref().filter(|words| !words.is_empty()))
}

/// The time, in Unix seconds; before 1970, a time at which everything has expired.
fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(u64::MAX, |since| since.as_secs())
}

const PAYMENT_AUTHORIZATION: HeaderName = HeaderName::from_static("payment-authorization");
const PAYMENT_RECEIPT: HeaderName = HeaderName::from_static("payment-receipt");
/// Most bytes of a failed answer that are passed on.
const MAX_FAILURE: usize = 64 * 1024;
