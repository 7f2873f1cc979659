//! The one payment loop: send, and on a `402` decide, sign, send once more, judge.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use http::uri::Scheme;
use http::{HeaderMap, Uri};
use mpp_core::error::{Refusal, SignerError};
use mpp_core::exchange::ACCEPT_PAYMENT;
use mpp_core::exchange::{Exchange, Next, NotPaid, Outcome, Reason};
use mpp_core::tempo::{SignedPayment, Signer};
use mpp_core::{Approval, Challenge, Credential, Policy, Problem, Quote};

use crate::error::{Error, Failure};
use crate::response::{Deadline, Payment, Response, read_failure};
use crate::transport::{Body, ReqwestTransport, Transport, TransportError};

/// An HTTP client with a wallet and a policy. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    signer: Arc<dyn Signer>,
    policy: Policy,
    transport: Arc<dyn Transport>,
    unpaid_timeout: Duration,
    paid_timeout: Duration,
    body_limit: usize,
    record: Arc<Record>,
}

type Record = dyn Fn(&Payment) -> Result<(), BoxError> + Send + Sync;

/// What a request would cost.
#[derive(Clone, Debug)]
pub struct Quoted {
    /// The terms.
    pub quote: Quote,
    /// Why the policy would not pay them, if it would not.
    pub refusal: Option<Refusal>,
}

impl Client {
    /// A client on reqwest that pays from `signer` what `policy` allows.
    ///
    /// The unpaid request may take 30 seconds and the paid one 120, bodies included, and a body 64 MiB.
    pub fn new(signer: impl Signer + 'static, policy: Policy) -> Self {
        Client::with_transport(signer, policy, ReqwestTransport::default())
    }

    /// A client on another HTTP stack.
    pub fn with_transport(
        signer: impl Signer + 'static,
        policy: Policy,
        transport: impl Transport + 'static,
    ) -> Self {
        Client {
            signer: Arc::new(signer),
            // Nobody here broadcasts what would have to be pushed.
            policy: policy.push(false),
            transport: Arc::new(transport),
            unpaid_timeout: Duration::from_secs(30),
            paid_timeout: Duration::from_secs(120),
            body_limit: 64 * 1024 * 1024,
            record: Arc::new(|_| Ok(())),
        }
    }

    /// How long the unpaid request may take.
    #[must_use]
    pub fn unpaid_timeout(mut self, timeout: Duration) -> Self {
        self.unpaid_timeout = timeout;
        self
    }

    /// How long the paid request may take. Giving up does not stop the payment.
    #[must_use]
    pub fn paid_timeout(mut self, timeout: Duration) -> Self {
        self.paid_timeout = timeout;
        self
    }

    /// The longest body that is read, in bytes.
    #[must_use]
    pub fn body_limit(mut self, limit: usize) -> Self {
        self.body_limit = limit;
        self
    }

    /// The policy that decides what is paid.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Hands every payment to `record` once it is signed and before a byte of it is sent. If `record` fails, nothing is
    /// sent. It is the place to write down what a crash, or a dropped call, must not lose.
    #[must_use]
    pub fn record(
        mut self,
        record: impl Fn(&Payment) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.record = Arc::new(record);
        self
    }

    /// Sends `request`, pays if it is asked to and may, and sends it once more.
    ///
    /// Redirects are not followed: an unpaid one is handed back, a paid one is a failure. Dropping the call stops
    /// waiting for it, but not a payment that was sent: see [`record`](Client::record).
    ///
    /// # Errors
    /// See [`Error`]; ask its [`money`](Error::money) before anything else.
    #[tracing::instrument(
        name = "mpp_call",
        skip_all,
        fields(method = %request.method(), host = request.uri().host(), amount, chain_id, challenge_id, hash)
    )]
    pub async fn send(&self, request: http::Request<Bytes>) -> Result<Response, Error> {
        // 1. The request as it is. What could not be paid for in private is not sent at all.
        let mut request = prepare(request)?;
        let (answer, deadline) = self.unpaid(request.clone()).await?;

        // 2. The decision. Whatever else a server says, only the policy makes an approval.
        let status = answer.status().as_u16();
        let next = exchange(&request, &self.policy).answered(status, challenges(answer.headers()), now());
        let (approval, idempotency_key) = match next {
            Ok(Next::Deliver) => return Ok(self.deliver(answer, deadline, None)),
            Ok(Next::Pay { approval, idempotency_key }) => (*approval, idempotency_key),
            Err(reason) => return Err(self.not_paid(reason, answer).await),
        };

        // 3. The one signature of this call: it uses the approval up. The hook may have taken its time over it.
        let now = now();
        if let Err(refusal) = still_open(&approval, now) {
            return Err(self.not_paid(NotPaid::Refused(vec![Reason::Policy(refusal)]), answer).await);
        }
        if idempotency_key {
            add_idempotency_key(&mut request)?;
        }
        let payment = self.sign(approval, now).await?;

        // 4. The record, and the same request once more with the credential. From here on money may move.
        let deadline = Deadline::after(self.paid_timeout);
        let request = self.ready(request, &payment)?;
        self.paid(request, payment, deadline).await
    }

    /// Asks what `request` would cost, and pays nothing. Of several offers it is the one that would be paid, or else
    /// the first. `None` when the request was answered without payment.
    ///
    /// # Errors
    /// When there is no answer, a failure, or no offer that could be read.
    pub async fn quote(&self, request: http::Request<Bytes>) -> Result<Option<Quoted>, Error> {
        let request = prepare(request)?;
        let (answer, _) = self.unpaid(request.clone()).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(None);
        }
        if status != http::StatusCode::PAYMENT_REQUIRED {
            let body = read_failure(answer.into_body()).await;
            return Err(Error::Unpaid(Failure::Status { status, body }));
        }
        let readable = Challenge::parse_all(challenges(answer.headers())).into_iter().flatten();
        let offers =
            readable.filter_map(|challenge| self.policy.appraise(challenge, request.body(), now()).ok());
        let offers: Vec<_> = offers.map(|(quote, refusal)| Quoted { quote, refusal }).collect();
        match offers.iter().find(|offer| offer.refusal.is_none()).or(offers.first()) {
            Some(offer) => Ok(Some(offer.clone())),
            None => {
                let none =
                    exchange(&request, &self.policy).answered(402, challenges(answer.headers()), now());
                Err(self.not_paid(none.err().unwrap_or(NotPaid::NoChallenge), answer).await)
            }
        }
    }

    async fn unpaid(&self, request: http::Request<Bytes>) -> Result<(http::Response<Body>, Deadline), Error> {
        let deadline = Deadline::after(self.unpaid_timeout);
        match deadline.limit(self.transport.send(request)).await {
            Ok(Ok(answer)) => Ok((answer, deadline)),
            Ok(Err(error)) => Err(Error::Unpaid(Failure::Transport(error))),
            Err(timeout) => Err(Error::Unpaid(timeout)),
        }
    }

    /// A refusal, with what the server's body says about it.
    async fn not_paid(&self, reason: NotPaid, answer: http::Response<Body>) -> Error {
        tracing::info!(%reason, "not paid");
        let body = read_failure(answer.into_body()).await;
        Error::NotPaid { reason, problem: Problem::parse(&body).map(Box::new) }
    }

    async fn sign(&self, approval: Approval, now: u64) -> Result<SignedPayment, Error> {
        let salt = random()?;
        let unsigned = approval.prepare(self.signer.address(), now, u64::from_ne_bytes(salt));
        let signature = match Deadline::after(self.unpaid_timeout).limit(self.signer.sign(&unsigned)).await {
            Ok(signature) => signature.map_err(Error::Signer)?,
            Err(timeout) => return Err(Error::Signer(SignerError::new(timeout))),
        };
        let payment = unsigned.signed(&signature);
        let span = tracing::Span::current();
        span.record("amount", payment.quote().amount.base_units());
        span.record("chain_id", payment.quote().chain_id);
        span.record("challenge_id", payment.challenge().id());
        span.record("hash", payment.hash().map(tracing::field::display));
        Ok(payment)
    }

    /// The request with its credential, the payment recorded, and still in time.
    fn ready(
        &self,
        request: http::Request<Bytes>,
        payment: &SignedPayment,
    ) -> Result<http::Request<Bytes>, Error> {
        let record = Payment::signed(payment);
        let unsent = |source: BoxError| {
            let failure = Failure::Transport(TransportError::unsent(source));
            Error::AfterSigning { payment: Box::new(record.clone()), failure }
        };
        let request = with_credential(request, payment.credential()).map_err(|error| unsent(error.into()))?;
        (self.record)(&record).map_err(unsent)?;
        if payment.valid_before().is_some_and(|end| end <= now()) {
            return Err(unsent("signing took so long that the payment can no longer happen".into()));
        }
        Ok(request)
    }

    async fn paid(
        &self,
        request: http::Request<Bytes>,
        payment: SignedPayment,
        deadline: Deadline,
    ) -> Result<Response, Error> {
        let record = Payment::signed(&payment);
        tracing::info!("sending the payment");
        let (record, failure) = match deadline.limit(self.transport.send(request)).await {
            Ok(Ok(answer)) => {
                let status = answer.status();
                let receipt = answer.headers().get(PAYMENT_RECEIPT).map(HeaderValue::as_bytes);
                let record = record.sent(payment.answered(status.as_u16(), receipt));
                tracing::info!(status = status.as_u16(), money = ?record.money(), "answered");
                if status.is_success() {
                    return Ok(self.deliver(answer, deadline, Some(record)));
                }
                (record, Failure::Status { status, body: read_failure(answer.into_body()).await })
            }
            Ok(Err(error)) if !error.may_have_been_sent() => (record, Failure::Transport(error)),
            Ok(Err(error)) => (record.sent(Outcome::Unknown), Failure::Transport(error)),
            Err(timeout) => (record.sent(Outcome::Unknown), timeout),
        };
        tracing::warn!(money = ?record.money(), "no answer to a paid request");
        Err(Error::AfterSigning { payment: Box::new(record), failure })
    }

    fn deliver(
        &self,
        answer: http::Response<Body>,
        deadline: Deadline,
        payment: Option<Payment>,
    ) -> Response {
        let (http::response::Parts { status, mut headers, .. }, body) = answer.into_parts();
        if let Some(receipt) = headers.get_mut(PAYMENT_RECEIPT) {
            receipt.set_sensitive(true);
        }
        Response { status, headers, body, payment: payment.map(Box::new), deadline, limit: self.body_limit }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (payer, policy) = (self.signer.address(), &self.policy);
        formatter
            .debug_struct("Client")
            .field("payer", &payer)
            .field("policy", policy)
            .finish_non_exhaustive()
    }
}

/// Whether an approval is still good when its signature is due.
fn still_open(approval: &Approval, now: u64) -> Result<(), Refusal> {
    match approval.challenge().expires_at() {
        Some(expires_at) if expires_at <= now => Err(Refusal::Expired { expires_at, now }),
        _ => Ok(()),
    }
}

/// Refuses what must not be sent, and says what this client can pay with.
fn prepare(mut request: http::Request<Bytes>) -> Result<http::Request<Bytes>, Error> {
    let uri = request.uri();
    if uri.host().is_none() || ![Some("http"), Some("https")].contains(&uri.scheme_str()) {
        return Err(Error::Request("the address must be an absolute http or https URL"));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Error::Request("the address must not hold a user name or password"));
    }
    if !is_private(uri) {
        return Err(Error::Request(
            "the address must be https, as payments cross it; http is for this machine alone",
        ));
    }
    let accept = HeaderValue::from_static(ACCEPT_PAYMENT);
    request.headers_mut().entry("accept-payment").or_insert(accept);
    Ok(request)
}

/// Whether nobody else can read along: TLS, or this machine's loopback.
fn is_private(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let loopback =
        host.parse::<IpAddr>().map_or(host.eq_ignore_ascii_case("localhost"), |ip| ip.is_loopback());
    uri.scheme() == Some(&Scheme::HTTPS) || loopback
}

fn exchange<'a>(request: &'a http::Request<Bytes>, policy: &'a Policy) -> Exchange<'a> {
    Exchange {
        method: request.method().as_str(),
        body: Some(request.body()),
        secure: is_private(request.uri()),
        has_authorization: request.headers().contains_key(AUTHORIZATION),
        policy,
    }
}

/// The same request with the credential.
fn with_credential(
    mut request: http::Request<Bytes>,
    credential: &Credential,
) -> Result<http::Request<Bytes>, http::Error> {
    let name = HeaderName::from_bytes(credential.header_name().as_bytes())?;
    let mut value = HeaderValue::try_from(credential.header_value())?;
    value.set_sensitive(true);
    request.headers_mut().insert(name, value);
    Ok(request)
}

/// Lets a server that knows the field see that a repeated request is the same (draft-httpauth-payment §11.4).
fn add_idempotency_key(request: &mut http::Request<Bytes>) -> Result<(), Error> {
    let [high, low]: [u64; 2] = [random()?, random()?].map(u64::from_ne_bytes);
    if let Ok(key) = HeaderValue::try_from(format!("\"{high:016x}{low:016x}\"")) {
        request.headers_mut().entry("idempotency-key").or_insert(key);
    }
    Ok(())
}

fn challenges(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(WWW_AUTHENTICATE).into_iter().map(HeaderValue::as_bytes)
}

/// Unix seconds; the only clock of a payment.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn random() -> Result<[u8; 8], Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| Error::Signer(SignerError::new(error)))?;
    Ok(bytes)
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

const PAYMENT_RECEIPT: HeaderName = HeaderName::from_static("payment-receipt");

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(uri: &str) -> Result<http::Request<Bytes>, Error> {
        prepare(http::Request::get(uri).body(Bytes::new()).unwrap())
    }

    #[test]
    fn only_tls_and_loopback_are_private() {
        for uri in ["https://shop.example/", "http://127.0.0.1:1/", "http://127.9.9.9/", "http://[::1]:80/"] {
            assert!(prepared(uri).is_ok(), "{uri}");
        }
        assert!(prepared("http://LOCALHOST/").is_ok());
        let refused = [
            "http://shop.example/",
            "http://127.0.0.1.shop.example/",
            "http://localhost.example/",
            "http://10.0.0.1/",
            "http://[::2]/",
            "https://user:password@shop.example/",
            "ftp://127.0.0.1/",
            "/relative",
        ];
        for uri in refused {
            assert!(matches!(prepared(uri), Err(Error::Request(_))), "{uri}");
        }
    }

    #[test]
    fn a_caller_s_own_preferences_are_kept() {
        let request = http::Request::get("https://shop.example/").header("Accept-Payment", "tempo/*;q=0.5");
        let request = prepare(request.body(Bytes::new()).unwrap()).unwrap();
        assert_eq!(request.headers().get_all("accept-payment").iter().collect::<Vec<_>>(), ["tempo/*;q=0.5"]);
    }
}
