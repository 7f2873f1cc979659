//! The one payment loop: send, and on a `402` decide, sign, send once more, judge.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use mpp_core::error::{Refusal, SignerError};
use mpp_core::exchange::{Next, NotPaid, Outcome, Reason};
use mpp_core::payee::body_digest;
use mpp_core::tempo::{Payload, SignedPayment, Signer};
use mpp_core::{Amount, Approval, Challenge, Policy, Problem, Quote};

use crate::access_key;
use crate::chain::Rpc;
use crate::error::{Error, Failure};
use crate::journal::{Entry, Journal, now};
use crate::ledger::{Answer, Budget, Ledger, LedgerError, MemoryLedger, Signed, Step};
use crate::payment::Payment;
use crate::push::push;
use crate::request::{add_idempotency_key, challenges, exchange, prepare, random, with_credential};
use crate::response::{Deadline, Response, read_failure};
use crate::transport::{Body, ReqwestTransport, Transport, TransportError};

/// An HTTP client with a wallet and a policy. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    signer: Arc<dyn Signer>,
    policy: Policy,
    /// Whether the policy accepts push, once there is a node to broadcast on.
    push: bool,
    transport: Arc<dyn Transport>,
    unpaid_timeout: Duration,
    paid_timeout: Duration,
    body_limit: usize,
    journal: Journal,
    budget: Budget,
    announce: Arc<Announce>,
}

type Announce = dyn Fn(&Payment) -> Result<(), BoxError> + Send + Sync;

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
            push: policy.accepts_push(),
            // Without a node nobody here broadcasts what would have to be pushed.
            policy: policy.push(false),
            transport: Arc::new(transport),
            unpaid_timeout: Duration::from_secs(30),
            paid_timeout: Duration::from_secs(120),
            body_limit: 64 * 1024 * 1024,
            journal: Journal { ledger: MemoryLedger::shared(), rpc: None },
            budget: Budget::new(),
            announce: Arc::new(|_| Ok(())),
        }
    }

    /// How long the unpaid request may take.
    #[must_use]
    pub fn unpaid_timeout(mut self, timeout: Duration) -> Self {
        self.unpaid_timeout = timeout;
        self
    }

    /// How long the paid request may take, with the broadcast of what is pushed. Giving up does not stop the payment.
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

    /// Lowers the most that a call may cost, as [`Policy::at_most`] does.
    #[must_use]
    pub fn at_most(mut self, amount: Amount) -> Self {
        self.policy = self.policy.at_most(amount);
        self
    }

    /// The policy that decides what is paid.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Where payments are written down; unless given, in memory, together with all other clients of this process that are
    /// given none. Clients that share a ledger share what it allows.
    #[must_use]
    pub fn ledger(mut self, ledger: impl Ledger + 'static) -> Self {
        self.journal.ledger = Arc::new(ledger);
        self
    }

    /// What may be spent over time; without it only the policy's cap on a call limits what is spent.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// A node to ask in the background what a payment took, or, where its outcome is unknown, what became of it. If the
    /// [policy accepts push](Policy::push), what can only be pushed is paid too, by a broadcast on this node.
    ///
    /// If an [access key](mpp_core::tempo::AccessKey) signs, it is asked before each payment what the key may still spend:
    /// price and highest fee must fit, or nothing is signed. Payments at the same time do not see each other there, and a
    /// node that does not answer within five seconds stops none: the chain holds the key to its limit all the same.
    #[must_use]
    pub fn rpc(mut self, rpc: Rpc) -> Self {
        self.policy = self.policy.push(self.push);
        self.journal.rpc = Some(rpc);
        self
    }

    /// Tells `announce` of every payment once it is written down as sent and before any of it leaves. If it fails, nothing
    /// is sent.
    #[must_use]
    pub fn announce(
        mut self,
        announce: impl Fn(&Payment) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.announce = Arc::new(announce);
        self
    }

    /// Sends `request`, pays if it is asked to and may, and sends it once more.
    ///
    /// Redirects are not followed: an unpaid one is handed back, a paid one is a failure. Dropping the call stops
    /// waiting for it, but not a payment that was sent: that is in the [`ledger`](Client::ledger).
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

        // An access key that the chain would not let pay is not tried.
        access_key::check(self.journal.rpc.as_ref(), &*self.signer, approval.quote()).await?;

        // 3. The money is set aside, in one step with the check of every limit. The policy's hook may have taken its time.
        let now = now();
        if let Err(refusal) = still_open(&approval, now) {
            return Err(self.not_paid(NotPaid::Refused(vec![Reason::Policy(refusal)]), answer).await);
        }
        if idempotency_key {
            add_idempotency_key(&mut request)?;
        }
        let payment = Payment::new(&request, &approval, self.signer.address(), now);
        let mut entry = self.journal.reserve(payment, &self.budget).await.map_err(|error| match error {
            LedgerError::OverBudget(over) => Error::OverBudget(*over),
            error => Error::Ledger(error),
        })?;

        // 4. The one signature of this call: it uses the approval up. With it the payment is written down as sent.
        let signed = match self.sign(approval, now).await {
            Ok(signed) => signed,
            Err(error) => {
                entry.note(Step::NotSent { failure: error.to_string() }).await;
                return Err(error);
            }
        };
        let request = self.ready(request, &mut entry, &signed).await?;

        // 5. What has to be pushed is broadcast. Then the same request once more with the credential. From here on money may
        // move.
        self.paid(request, entry, &signed).await
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

    /// Sends `request` and hands back whatever answers it, a `402` too. Pays nothing.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send_unpaid(&self, request: http::Request<Bytes>) -> Result<Response, Error> {
        let (answer, deadline) = self.unpaid(prepare(request)?).await?;
        Ok(self.deliver(answer, deadline, None))
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
        let salt = u64::from_ne_bytes(random()?);
        let signing = approval.sign(&*self.signer, now, salt);
        let payment = match Deadline::after(self.unpaid_timeout).limit(signing).await {
            Ok(payment) => payment.map_err(Error::Signer)?,
            Err(timeout) => return Err(Error::Signer(SignerError::new(timeout))),
        };
        let span = tracing::Span::current();
        span.record("amount", payment.quote().amount.base_units());
        span.record("chain_id", payment.quote().chain_id);
        span.record("challenge_id", payment.challenge().id());
        span.record("hash", payment.hash().map(tracing::field::display));
        Ok(payment)
    }

    /// The request with its credential, once the payment is written down as sent, announced, and still in time.
    async fn ready(
        &self,
        request: http::Request<Bytes>,
        entry: &mut Entry,
        signed: &SignedPayment,
    ) -> Result<http::Request<Bytes>, Error> {
        let failure = match self.write_down(entry, signed).await {
            Ok(()) => match with_credential(request, signed.credential()) {
                Ok(request) => return Ok(request),
                Err(error) => Failure::Transport(TransportError::unsent(error)),
            },
            Err(failure) => failure,
        };
        entry.note(Step::NotSent { failure: failure.to_string() }).await;
        Err(entry.lost(failure))
    }

    async fn write_down(&self, entry: &mut Entry, signed: &SignedPayment) -> Result<(), Failure> {
        entry.sent(Signed::new(signed, now())).await.map_err(Failure::Ledger)?;
        (self.announce)(entry.payment())
            .map_err(|error| Failure::Transport(TransportError::unsent(error)))?;
        match signed.valid_before() {
            Some(end) if end <= now() => Err(Failure::Transport(TransportError::unsent(
                "signing took so long that the payment can no longer happen",
            ))),
            _ => Ok(()),
        }
    }

    async fn paid(
        &self,
        request: http::Request<Bytes>,
        mut entry: Entry,
        signed: &SignedPayment,
    ) -> Result<Response, Error> {
        let deadline = Deadline::after(self.paid_timeout);
        if matches!(signed.credential().payload(), Payload::Hash(_)) {
            push(&mut entry, deadline).await?;
        }
        tracing::info!(payment.id = entry.payment().id, "sending the payment");
        let (step, failure) = match deadline.limit(self.send_credential(request, signed)).await {
            Ok(Ok(answer)) => {
                let status = answer.status();
                let receipt = answer.headers().get(PAYMENT_RECEIPT).map(HeaderValue::as_bytes);
                let outcome = signed.answered(status.as_u16(), receipt);
                let mut head = Answer { at: now(), status: Some(status.as_u16()), body_digest: None };
                if status.is_success() {
                    entry.note(Step::answered(head, outcome)).await;
                    tracing::info!(
                        status = status.as_u16(),
                        state = entry.payment().state.name(),
                        "answered"
                    );
                    return Ok(self.deliver(answer, deadline, Some(entry)));
                }
                let body = read_failure(answer.into_body()).await;
                head.body_digest = Some(body_digest(&body));
                let failure = Failure::Status { status, body };
                (Step::failed(Some(head), outcome, &failure), failure)
            }
            Ok(Err(error)) if !error.may_have_been_sent() => {
                let failure = Failure::Transport(error);
                (Step::NotSent { failure: failure.to_string() }, failure)
            }
            Ok(Err(error)) => {
                let failure = Failure::Transport(error);
                (Step::failed(None, Outcome::Unknown, &failure), failure)
            }
            Err(timeout) => (Step::failed(None, Outcome::Unknown, &timeout), timeout),
        };
        entry.note(step).await;
        let payment = entry.payment();
        tracing::warn!(payment.id, state = payment.state.name(), "no answer to a paid request");
        Err(entry.lost(failure))
    }

    /// Sends the credential, and once more the very same one if the connection broke before there was an answer: it is
    /// the same payment, which can happen but once.
    async fn send_credential(
        &self,
        request: http::Request<Bytes>,
        signed: &SignedPayment,
    ) -> Result<http::Response<Body>, TransportError> {
        let first = match self.transport.send(request.clone()).await {
            Err(error) if error.is_unanswered() => error,
            answered => return answered,
        };
        if signed.valid_before().is_some_and(|end| end <= now()) {
            return Err(first);
        }
        tracing::info!("the connection broke, sending the same payment again");
        // Whether the second arrived or not, the first may have.
        self.transport
            .send(request)
            .await
            .map_err(|error| if error.may_have_been_sent() { error } else { first })
    }

    fn deliver(
        &self,
        mut answer: http::Response<Body>,
        deadline: Deadline,
        entry: Option<Entry>,
    ) -> Response {
        if let Some(receipt) = answer.headers_mut().get_mut(PAYMENT_RECEIPT) {
            receipt.set_sensitive(true);
        }
        Response::new(answer, entry, deadline, self.body_limit)
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

type BoxError = Box<dyn std::error::Error + Send + Sync>;

const PAYMENT_RECEIPT: HeaderName = HeaderName::from_static("payment-receipt");
