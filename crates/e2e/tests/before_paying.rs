//! Between a demand and its payment: prices are asked for free, the clock is read again after every wait, and the
//! payment is recorded before it leaves. Whatever stops there leaves the money where it was.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use base64_022::Engine as _;
use base64_022::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use e2e::{CHAIN_ID, Customer, PATH_USD, PAYER, RECIPIENT, Reply, ScriptedServer};
use mpp_core::error::Refusal;
use mpp_core::exchange::{NotPaid, Reason};
use mpp_core::tempo::{Address, LocalSigner, Payload, SignFuture, Signer, Unsigned};
use mpp_core::{Amount, Decision, Policy, Quote};
use mpp_http::ledger::State;
use mpp_http::{Client, Error, Failure, Money, Payment, Quoted};
use serde_json::json;

const CENT: Amount = Amount::from_base_units(10_000);
const LESS: Amount = Amount::from_base_units(9_999);
const MORE: Amount = Amount::from_base_units(10_001);
const MOST: Amount = Amount::from_base_units(10_002);

#[tokio::test]
async fn payment_is_recorded_before_the_server_hears_of_it() {
    let book = Arc::new(Mutex::new(Vec::<Payment>::new()));
    let page = Arc::clone(&book);
    let server = ScriptedServer::start(move |heard| {
        let last = page.lock().unwrap().last().and_then(Payment::hash);
        match heard.credential() {
            None => Reply::payment_required(&e2e::demand(CENT, None, 300)),
            Some(_) if last.is_some() && last == heard.receipt().hash() => Reply::new(200, &[], "bought"),
            Some(_) => Reply::new(409, &[], "not on record"),
        }
    })
    .await;
    let pen = Arc::clone(&book);
    let scene = Scene::at(server, customer()).with(|client| {
        client.announce(move |payment| {
            pen.lock().unwrap().push(payment.clone());
            Ok(())
        })
    });
    for call in 1..=2 {
        let answer = scene.get().await.unwrap();
        let sent = answer.payment().unwrap();
        let book = book.lock().unwrap();
        let signed = book.last().unwrap();
        assert_eq!((signed.state(), sent.state(), book.len()), (State::Sent, State::Paid, call));
        assert_eq!((signed.quote(), signed.payer()), (sent.quote(), PAYER.address));
        assert!(signed.memo().is_some() && signed.valid_before().is_some());
        assert_eq!((signed.memo(), signed.valid_before()), (sent.memo(), sent.valid_before()));
    }
    assert_eq!(scene.counts(), [2, 4, 4]);
}

#[tokio::test]
async fn payment_that_could_not_be_recorded_is_not_sent() {
    let scene = Scene::demanding(|| vec![demand(CENT)], customer()).await;
    let scene = scene.with(|client| client.announce(|_| Err("the disk is full".into())));
    let error = scene.get().await.unwrap_err();
    assert_unsent(&error, "the disk is full");
    assert_eq!(scene.counts(), [1, 1, 1]);
}

#[tokio::test]
async fn approval_that_outlasts_the_challenge_signs_nothing() {
    let (policy, asked) = asking(policy(), |quote| wait_until(quote.expires_at.unwrap()));
    let short = || vec![e2e::demand(CENT, None, 6).encode()];
    let scene = Scene::demanding(short, Customer::new(PAYER.key, policy)).await;
    let error = scene.get().await.unwrap_err();
    assert_eq!((error.money(), asked.load(Ordering::SeqCst)), (Money::NotMoved, 1));
    let refusals = refusals(error);
    let [Reason::Policy(Refusal::Expired { expires_at, now })] = refusals[..] else { panic!("{refusals:?}") };
    assert!(now >= expires_at, "it was refused at {now}, before {expires_at}");
    assert_eq!(scene.counts(), [0, 1, 1]);
}

#[tokio::test]
async fn payment_that_can_no_longer_happen_is_not_sent() {
    let brief = || policy().max_validity(1);
    let signed_late = Customer::with_signer(LateSigner(key()), brief());
    let recorded_late = Customer::new(PAYER.key, brief()).with(|client| {
        client.announce(|payment| {
            wait_until(payment.valid_before().unwrap());
            Ok(())
        })
    });
    for customer in [signed_late, recorded_late] {
        let scene = Scene::demanding(|| vec![demand(CENT)], customer).await;
        assert_unsent(&scene.get().await.unwrap_err(), "can no longer happen");
        assert_eq!(scene.counts(), [1, 1, 1]);
    }
}

#[tokio::test]
async fn signer_that_never_answers_is_given_up() {
    let scene = Scene::demanding(|| vec![demand(CENT)], Customer::with_signer(SilentSigner, policy())).await;
    let limit = Duration::from_secs(1);
    let scene = scene.with(|client| client.unpaid_timeout(limit));
    let error = scene.get().await.unwrap_err();
    assert!(matches!(error, Error::Signer(_)), "{error:?}");
    let cause = error.source().unwrap().downcast_ref::<Failure>();
    assert!(matches!(cause, Some(Failure::Timeout { after }) if *after == limit), "{cause:?}");
    assert_eq!((error.money(), error.payment()), (Money::NotMoved, None));
    assert_eq!(scene.counts(), [1, 1, 1]);
}

#[tokio::test]
async fn push_only_charge_is_not_signed_though_the_policy_allows_it() {
    let (policy, asked) = asking(policy().push(true), |_| {});
    let scene = Scene::demanding(|| vec![push_only(CENT)], Customer::new(PAYER.key, policy)).await;
    let quoted = scene.quote().await.unwrap().unwrap();
    assert_eq!(quoted.refusal, Some(Refusal::PushOnly), "a quote says what a call would do");
    let error = scene.get().await.unwrap_err();
    assert_eq!((error.money(), asked.load(Ordering::SeqCst)), (Money::NotMoved, 0));
    assert_eq!(refusals(error), [Reason::Policy(Refusal::PushOnly)]);
    assert_eq!(scene.counts(), [0, 2, 2]);
}

#[tokio::test]
async fn push_only_charge_does_not_hide_the_offer_behind_it() {
    let customer = Customer::new(PAYER.key, policy().push(true));
    let scene = Scene::demanding(|| vec![push_only(CENT), demand(CENT)], customer).await;
    scene.get().await.unwrap();
    assert_eq!(scene.counts(), [1, 2, 2]);
}

#[tokio::test]
async fn push_only_charge_of_nothing_is_answered_with_a_proof() {
    let customer = Customer::new(PAYER.key, policy().push(true).realms(["shop.test"]));
    let scene = Scene::demanding(|| vec![push_only(Amount::ZERO)], customer).await;
    let answer = scene.get().await.unwrap();
    assert_eq!(answer.payment().unwrap().money(), Money::NotMoved);
    let credential = scene.customer.sent().last().unwrap().credential().unwrap();
    assert!(matches!(credential.payload(), Payload::Proof(_)), "{credential:?}");
    assert_eq!(scene.counts(), [1, 2, 2]);
}

#[tokio::test]
async fn quote_is_of_the_offer_that_would_be_paid() {
    let offers = || vec![demand(MORE), "Basic realm=x".to_owned(), demand(CENT), demand(LESS)];
    let scene = Scene::demanding(offers, customer()).await;
    let Quoted { quote, refusal } = scene.quote().await.unwrap().unwrap();
    assert_eq!((quote.amount, refusal), (CENT, None));
    assert_eq!(scene.counts(), [0, 1, 1]);
    let answer = scene.get().await.unwrap();
    assert_eq!(answer.payment().unwrap().quote().amount, quote.amount);
    assert_eq!(scene.counts(), [1, 3, 3]);
}

#[tokio::test]
async fn quote_is_of_the_first_offer_where_none_would_be_paid() {
    let scene = Scene::demanding(|| vec![demand(MORE), demand(MOST)], customer()).await;
    let Quoted { quote, refusal } = scene.quote().await.unwrap().unwrap();
    assert_eq!((quote.amount, refusal), (MORE, Some(Refusal::OverCap { asked: MORE, allowed: CENT })));
    assert_eq!(scene.counts(), [0, 1, 1]);
}

#[tokio::test]
async fn quote_asks_and_records_nothing() {
    let curious = policy().ask(|_| panic!("the caller's own check was asked"));
    let customer = Customer::new(PAYER.key, curious)
        .with(|client| client.announce(|payment| panic!("{payment:?} was recorded")));
    let scene = Scene::demanding(|| vec![demand(CENT)], customer).await;
    assert_eq!(scene.quote().await.unwrap().unwrap().quote.amount, CENT);
    assert_eq!(scene.counts(), [0, 1, 1]);
}

#[tokio::test]
async fn quote_of_an_answer_is_none() {
    let scene = Scene::at(ScriptedServer::start(|_| Reply::new(200, &[], "free")).await, customer());
    assert!(scene.quote().await.unwrap().is_none());
    assert_eq!(scene.counts(), [0, 1, 1]);
}

#[tokio::test]
async fn quote_of_a_failure_is_that_failure() {
    for status in [301, 400, 404, 500] {
        let elsewhere =
            ScriptedServer::start(|_| Reply::payment_required(&e2e::demand(CENT, None, 300))).await;
        let (location, challenge) = (elsewhere.url("/"), demand(CENT));
        let server = ScriptedServer::start(move |_| {
            Reply::new(status, &[("location", &location), ("www-authenticate", &challenge)], "no such thing")
        });
        let scene = Scene::at(server.await, customer());
        match scene.quote().await {
            Err(Error::Unpaid(Failure::Status { status: got, body })) => {
                assert_eq!((got.as_u16(), body.as_ref()), (status, &b"no such thing"[..]));
            }
            quoted => panic!("{status}: {quoted:?}"),
        }
        assert_eq!((scene.counts(), elsewhere.heard().len()), ([0, 1, 1], 0));
    }
}

#[tokio::test]
async fn quote_of_a_402_without_an_offer_is_refused() {
    let scene = Scene::demanding(|| vec!["Basic realm=x".to_owned()], customer()).await;
    let error = scene.quote().await.unwrap_err();
    assert!(matches!(error, Error::NotPaid { reason: NotPaid::NoChallenge, .. }), "{error:?}");
    assert_eq!(scene.counts(), [0, 1, 1]);
}

/// A server, and somebody who asks it for something.
struct Scene {
    server: ScriptedServer,
    customer: Customer,
}

impl Scene {
    fn at(server: ScriptedServer, customer: Customer) -> Self {
        Self { server, customer }
    }

    /// A server that demands this of whoever has not paid.
    async fn demanding(
        challenges: impl Fn() -> Vec<String> + Send + Sync + 'static,
        customer: Customer,
    ) -> Self {
        let script = move |heard: &e2e::Heard| match heard.credential() {
            Some(_) => Reply::new(200, &[], "bought"),
            None => {
                let challenges = challenges();
                let fields: Vec<_> = challenges.iter().map(|it| ("www-authenticate", it.as_str())).collect();
                Reply::new(402, &fields, "")
            }
        };
        Self::at(ScriptedServer::start(script).await, customer)
    }

    fn with(self, options: impl FnOnce(Client) -> Client) -> Self {
        Self { customer: self.customer.with(options), ..self }
    }

    async fn get(&self) -> Result<mpp_http::Response, Error> {
        self.customer.get(&self.server.url("/")).await
    }

    async fn quote(&self) -> Result<Option<Quoted>, Error> {
        let request = http::Request::get(self.server.url("/")).body(Bytes::new()).unwrap();
        self.customer.client().quote(request).await
    }

    /// Signatures asked for, requests that left, and requests that arrived.
    fn counts(&self) -> [usize; 3] {
        [self.customer.signatures(), self.customer.sent().len(), self.server.heard().len()]
    }
}

/// Signs only what can no longer happen.
struct LateSigner(LocalSigner);

impl Signer for LateSigner {
    fn address(&self) -> Address {
        self.0.address()
    }

    fn sign<'a>(&'a self, payment: &'a Unsigned) -> SignFuture<'a> {
        Box::pin(async move {
            let end = payment.transaction().and_then(|transaction| transaction.valid_before).unwrap();
            tokio::task::spawn_blocking(move || wait_until(end)).await.unwrap();
            Ok(self.0.sign(payment))
        })
    }
}

/// Has lost its connection, and does not know.
struct SilentSigner;

impl Signer for SilentSigner {
    fn address(&self) -> Address {
        PAYER.address
    }

    fn sign<'a>(&'a self, _: &'a Unsigned) -> SignFuture<'a> {
        Box::pin(std::future::pending())
    }
}

fn key() -> LocalSigner {
    LocalSigner::from_hex(PAYER.key).unwrap()
}

fn policy() -> Policy {
    Policy::new(CHAIN_ID, [PATH_USD], CENT)
}

/// Asks its caller, who does this, approves, and is counted.
fn asking(policy: Policy, then: impl Fn(&Quote) + Send + Sync + 'static) -> (Policy, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let policy = policy.ask(move |quote| {
        count.fetch_add(1, Ordering::SeqCst);
        then(quote);
        Decision::Approve
    });
    (policy, asked)
}

fn customer() -> Customer {
    Customer::new(PAYER.key, policy())
}

fn demand(amount: Amount) -> String {
    e2e::demand(amount, None, 300).encode()
}

/// A challenge that no constructor makes: the payer is to broadcast.
fn push_only(amount: Amount) -> String {
    let request = json!({
        "amount": amount.base_units().to_string(),
        "currency": PATH_USD,
        "recipient": RECIPIENT.address,
        "methodDetails": { "chainId": CHAIN_ID, "supportedModes": ["push"] },
    });
    let request = URL_SAFE_NO_PAD.encode(request.to_string());
    format!(r#"Payment id="p1", realm="shop.test", method="tempo", intent="charge", request="{request}""#)
}

/// Holds everything up until the clock says `second`.
fn wait_until(second: u64) {
    while UNIX_EPOCH.elapsed().unwrap().as_secs() < second {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Signed under a known hash, and kept, for this reason.
fn assert_unsent(error: &Error, why: &str) {
    assert_eq!(error.money(), Money::NotMoved, "{error:?}");
    assert_eq!(error.to_string(), "a payment was signed, but no money moved");
    assert!(error.payment().unwrap().hash().is_some());
    let Error::AfterSigning { failure: Failure::Transport(failure), .. } = error else { panic!("{error:?}") };
    assert!(!failure.may_have_been_sent());
    let cause = failure.source().unwrap().to_string();
    assert!(cause.contains(why), "{cause}");
}

fn refusals(error: Error) -> Vec<Reason> {
    match error {
        Error::NotPaid { reason: NotPaid::Refused(reasons), .. } => reasons,
        error => panic!("not refused: {error:?}"),
    }
}
