//! The gate itself: a request in; an answer of the gate's own, or the answer of the service behind it, out. In between
//! is the one path on which money is taken, `Gate::serve`.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use mpp_core::Credential;
use mpp_core::error::CredentialError;
use mpp_core::tempo::{LocalSigner, Modes};
use tokio_util::task::TaskTracker;
use tower::{Layer, Service};

use crate::BoxError;
use crate::answer::{self, Answer};
use crate::body::Body;
use crate::chain::Chain;
use crate::health::Health;
use crate::price::{Cost, Price};
use crate::produce::Behind;
use crate::sponsor::Sponsorship;
use crate::store::{MemoryStore, Store};
use crate::terms::{NoRandomness, Payee, Request, Secret, Terms};

/// A tower layer that lets requests through once they are paid for.
///
/// Clones share everything, and so do the services of one gate: a payment opens one of them, once.
#[derive(Clone)]
pub struct Gate {
    pub(crate) payee: Arc<Payee>,
    /// The first makes challenges, all of them know their own.
    pub(crate) secrets: Arc<[Secret]>,
    pub(crate) chain: Arc<dyn Chain>,
    price: Arc<dyn Price>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) operator: Option<Arc<LocalSigner>>,
    pub(crate) sponsorship: Option<Arc<Sponsorship>>,
    pub(crate) modes: Modes,
    pub(crate) validity: Duration,
    pub(crate) health: Arc<Health>,
    pub(crate) tasks: TaskTracker,
    body_limit: usize,
    pub(crate) answer_limit: usize,
}

impl Gate {
    /// A gate at which `payee` is paid what `price` says, by payments on `chain`.
    ///
    /// Payments are pulled; challenges are good for 5 minutes, and for this gate only, which keeps its sales in memory;
    /// bodies may take 1 MiB, answers that can be given again 64 MiB; nothing is refunded. Run [`Gate::maintain`] beside
    /// it.
    ///
    /// # Errors
    /// When the operating system has no random numbers for a secret.
    pub fn new(
        payee: Payee,
        chain: impl Chain + 'static,
        price: impl Price + 'static,
    ) -> Result<Self, NoRandomness> {
        Ok(Gate {
            payee: Arc::new(payee),
            secrets: [Secret::random()?].into(),
            chain: Arc::new(chain),
            price: Arc::new(price),
            store: Arc::new(MemoryStore::default()),
            operator: None,
            sponsorship: None,
            modes: Modes::Pull,
            validity: Duration::from_secs(300),
            health: Arc::default(),
            tasks: TaskTracker::new(),
            body_limit: 1024 * 1024,
            answer_limit: 64 * 1024 * 1024,
        })
    }

    /// Takes challenges of other processes too, earlier ones and those beside this one: `secret` binds them, and `store`
    /// remembers for all of them what was paid.
    ///
    /// The two are kept or lost together. A secret that outlives its store lets every payment of the last minutes buy
    /// again.
    #[must_use]
    pub fn durable(mut self, secret: Secret, store: impl Store + 'static) -> Self {
        let previous = self.secrets.iter().skip(1).cloned();
        self.secrets = std::iter::once(secret).chain(previous).collect();
        self.store = Arc::new(store);
        self
    }

    /// Takes challenges of an earlier secret too. After a change of secrets, the one before is wanted until its challenges
    /// have expired, and as long as somebody may come back for an answer he paid for.
    #[must_use]
    pub fn previous_secret(mut self, secret: Secret) -> Self {
        let secrets: Vec<Secret> = self.secrets.iter().cloned().chain([secret]).collect();
        self.secrets = secrets.into();
        self
    }

    /// The key from which money is given back when there is nothing to give for it. Its address needs the payee's token,
    /// fees included; it need not be the recipient's.
    #[must_use]
    pub fn operator(mut self, key: LocalSigner) -> Self {
        self.operator = Some(Arc::new(key));
        self
    }

    /// Pays the fees of payments, which are pulled then.
    #[must_use]
    pub fn sponsorship(mut self, sponsorship: Sponsorship) -> Self {
        self.sponsorship = Some(Arc::new(sponsorship));
        self
    }

    /// How payments may be submitted.
    #[must_use]
    pub fn modes(mut self, modes: Modes) -> Self {
        self.modes = modes;
        self
    }

    /// How long a challenge can be paid, in whole seconds, an hour at most: what was paid for is remembered for longer.
    #[must_use]
    pub fn validity(mut self, validity: Duration) -> Self {
        self.validity = validity.min(LONGEST_VALIDITY);
        self
    }

    /// The most bytes of a request's body.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// The most bytes of an answer that is kept, to be given again to a payer who lost it. It is held in memory until it
    /// is whole; what is longer is passed on as it comes, and cannot be had again.
    #[must_use]
    pub fn answer_limit(mut self, bytes: usize) -> Self {
        self.answer_limit = bytes;
        self
    }

    /// Returns once everything that was paid for so far has been answered and written down: for the end of a server,
    /// after it takes no more requests.
    pub async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    async fn serve<B>(&self, request: http::Request<B>, behind: Behind) -> Response<Body>
    where
        B: http_body::Body,
        B::Error: Into<BoxError>,
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
        let bound = Request::new(&parts, &body);

        // 2. Who comes back for what he paid for gets it, whatever it would cost by now.
        let known = match self.known(&bound, &credentials).await {
            Ok(known) => known,
            Err(answer) => return own(answer),
        };
        if let Some(sale) = known {
            let request = http::Request::from_parts(parts, Body::whole(body));
            return match self.deliver(sale, request, behind).await {
                Ok(response) => response,
                Err(error) => own(answer::again(&format!("{}; pay anew", answer::with_cause(&error)), 1)),
            };
        }

        // 3. The price, before any talk of payment: a request that would fail is never charged.
        let charge = match self.price.cost(&parts, &body) {
            Cost::Free => {
                return behind(http::Request::from_parts(parts, Body::whole(body))).await;
            }
            Cost::Refused(answer) => return own(answer),
            Cost::Charge(charge) => charge,
        };

        // 4. The money. Up to here nothing has been changed anywhere.
        let terms = Terms::new(self, &bound, &charge);
        let sale = match self.collect(&terms, &parts.headers, credentials).await {
            Ok(sale) => sale,
            Err(answer) => return own(answer),
        };

        // 5. What was paid for.
        let request = http::Request::from_parts(parts, Body::whole(body));
        match self.deliver(sale, request, behind).await {
            Ok(response) => response,
            Err(error) => own(self.not_paid(&terms, &error)),
        }
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
impl<S, B, R> Service<http::Request<B>> for Gated<S>
where
    S: Service<http::Request<Body>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
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

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        // The service that said it was ready is the one to call.
        let next = self.service.clone();
        let mut service = std::mem::replace(&mut self.service, next);
        let behind: Behind = Box::new(move |request| {
            let answer = service.call(request);
            Box::pin(async move {
                let Ok(response) = answer.await;
                response.map(Body::of)
            })
        });
        let gate = Arc::clone(&self.gate);
        Box::pin(async move { Ok(gate.serve(request, behind).await) })
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

const PAYMENT_AUTHORIZATION: HeaderName = HeaderName::from_static("payment-authorization");
/// Well below the time for which the store in memory remembers a sale that ended.
const LONGEST_VALIDITY: Duration = Duration::from_secs(3600);
