//! A shop behind a gate on a real socket, a till that counts, a book that lasts, and a payer who writes its credentials
//! itself.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use alloy_primitives::{Address, B256, address};
use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mpp_core::payee::ProblemType;
use mpp_core::tempo::{self, LocalSigner, SignedPayment};
use mpp_core::{Challenge, Policy, Receipt};
use mpp_gate::replay::{Claim, ReplayStore, StoreFuture};
use mpp_gate::settle::{Payment, Settle, SettleError, SettleFuture};
use mpp_gate::{Payee, Secret};
use reqwest::{Method, StatusCode};
use serde_json::Value;

pub(crate) const CHAIN: u64 = 31337;
pub(crate) const REALM: &str = "fruit.example";
pub(crate) const RECIPIENT: Address = address!("23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f");

/// The public first key of anvil.
pub(crate) fn payer() -> LocalSigner {
    LocalSigner::from_hex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").unwrap()
}

pub(crate) fn payee() -> Payee {
    Payee { realm: REALM.to_owned(), currency: tempo::PATH_USD, recipient: RECIPIENT }
}

/// A secret that tests know too.
pub(crate) fn secret() -> Secret {
    Secret::new(vec![7; 32]).unwrap()
}

pub(crate) fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// Settles as it is told and remembers what.
#[derive(Clone, Default)]
pub(crate) struct Till {
    settled: Arc<Mutex<Vec<B256>>>,
    mood: Arc<Mutex<Mood>>,
}

#[derive(Clone, Copy, Default)]
pub(crate) enum Mood {
    #[default]
    Takes,
    Refuses(ProblemType),
    IsClosed,
    DoesNotAnswer,
}

impl Till {
    pub(crate) fn settled(&self) -> Vec<B256> {
        self.settled.lock().unwrap().clone()
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    async fn take(&self, payment: &Payment) -> Result<(), SettleError> {
        // Lets every other request run before this one is done.
        tokio::task::yield_now().await;
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Takes => self.settled.lock().unwrap().push(payment.hash),
            Mood::Refuses(kind) => return Err(SettleError::Refused { kind, source: "no such money".into() }),
            Mood::IsClosed => return Err(SettleError::Unavailable { source: "closed".into() }),
            Mood::DoesNotAnswer => return Err(SettleError::Unknown { source: "no answer".into() }),
        }
        Ok(())
    }
}

impl Settle for Till {
    fn chain_id(&self) -> u64 {
        CHAIN
    }

    fn settle<'a>(&'a self, payment: &'a Payment) -> SettleFuture<'a> {
        Box::pin(self.take(payment))
    }
}

/// Remembers payments for longer than a shop is open.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Mutex<HashSet<String>>>);

impl Book {
    fn lines(claim: &Claim) -> impl Iterator<Item = String> {
        [claim.challenge_id.clone()].into_iter().chain(claim.transaction.map(|hash| hash.to_string()))
    }
}

impl ReplayStore for Book {
    fn claim<'a>(&'a self, claim: &'a Claim, _now: u64) -> StoreFuture<'a, bool> {
        let mut book = self.0.lock().unwrap();
        let new = Book::lines(claim).all(|line| !book.contains(&line));
        if new {
            book.extend(Book::lines(claim));
        }
        Box::pin(std::future::ready(Ok(new)))
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> StoreFuture<'a, ()> {
        let mut book = self.0.lock().unwrap();
        book.retain(|line| Book::lines(claim).all(|released| released != *line));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Serves until the test ends.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// What a test looks at in an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn receipt(&self) -> Option<Receipt> {
        self.headers.get("payment-receipt").map(|value| Receipt::parse(value.as_bytes()).unwrap())
    }

    /// The one challenge of a 402.
    pub(crate) fn challenge(&self) -> Challenge {
        let fields = self.headers.get_all("www-authenticate").iter().map(|value| value.as_bytes());
        let mut challenges = Challenge::parse_all(fields);
        assert_eq!(challenges.len(), 1, "{self:?}");
        challenges.remove(0).unwrap()
    }

    /// Checks a refusal: its status, its type, and that a 402 brings a new challenge.
    pub(crate) fn is_problem(&self, status: u16, kind: &str) {
        let problem = self.json();
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        assert_eq!(problem["status"], status);
        assert_eq!(self.header("payment-receipt"), None);
        if kind == "about:blank" {
            assert_eq!(problem["type"], kind, "{problem}");
        } else {
            assert_eq!(problem["type"], format!("https://paymentauth.org/problems/{kind}"), "{problem}");
        }
        match status {
            402 => assert_eq!(problem["challengeId"], self.challenge().id()),
            _ => assert_eq!(self.header("www-authenticate"), None),
        }
    }
}

/// One request to make, with or without credentials.
#[derive(Clone)]
pub(crate) struct Buyer {
    client: reqwest::Client,
    address: SocketAddr,
}

impl Buyer {
    pub(crate) fn of(address: SocketAddr) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Buyer { client, address }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        target: &str,
        body: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let url = format!("http://{}{target}", self.address);
        let mut request = self.client.request(method, url).body(body.to_owned());
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    pub(crate) async fn post(&self, target: &str, body: &str, credential: &str) -> Answer {
        self.send(Method::POST, target, body, &[("authorization", credential)]).await
    }

    pub(crate) async fn challenge(&self, target: &str, body: &str) -> Challenge {
        self.send(Method::POST, target, body, &[]).await.challenge()
    }

    /// A payment for what a request costs, and its credential.
    pub(crate) async fn payment(&self, target: &str, body: &str) -> (SignedPayment, String) {
        let payment = sign(self.challenge(target, body).await, body, CHAIN, now());
        let credential = payment.credential().header_value();
        (payment, credential)
    }
}

/// Signs whatever is asked on that chain, as if it were `at`.
pub(crate) fn sign(challenge: Challenge, body: &str, chain_id: u64, at: u64) -> SignedPayment {
    static SALT: AtomicU64 = AtomicU64::new(1);
    let policy = Policy::new(chain_id, [tempo::PATH_USD], "1".parse().unwrap()).realms([challenge.realm()]);
    let approval = policy.approve(challenge, body.as_bytes(), at).expect("the challenge can be paid");
    let unsigned = approval.prepare(payer().address(), at, SALT.fetch_add(1, Ordering::Relaxed));
    let signature = payer().sign(&unsigned);
    unsigned.signed(&signature)
}

/// The credential with its JSON changed.
pub(crate) fn tampered(credential: &str, change: impl FnOnce(&mut Value)) -> String {
    let json = URL_SAFE_NO_PAD.decode(credential.strip_prefix("Payment ").unwrap()).unwrap();
    let mut json: Value = serde_json::from_slice(&json).unwrap();
    change(&mut json);
    format!("Payment {}", URL_SAFE_NO_PAD.encode(json.to_string()))
}
