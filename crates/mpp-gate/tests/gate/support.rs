//! Who is paid, who pays and writes its credentials itself, and what both look at in an answer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use alloy_primitives::{Address, address};
use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mpp_core::tempo::{self, LocalSigner, SignedPayment};
use mpp_core::{Challenge, Policy, Receipt};
use mpp_gate::{Payee, Secret};
use reqwest::{Method, StatusCode};
use serde_json::Value;

pub(crate) const CHAIN: u64 = 31337;
pub(crate) const REALM: &str = "fruit.example";
pub(crate) const RECIPIENT: Address = address!("23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f");

/// Who pays unless it is said.
pub(crate) fn payer() -> LocalSigner {
    account(0)
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

/// Anvil's account with this number.
pub(crate) fn account(number: usize) -> LocalSigner {
    LocalSigner::from_hex(key(number)).unwrap()
}

/// Its key, which is public.
pub(crate) fn key(number: usize) -> &'static str {
    [
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
        "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
        "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    ][number]
}

/// Waits until something is so, and fails if it never is.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    eventually(what, async || is_so().then_some(())).await;
}

/// Waits for something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}")
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
        let response = self.request(method, target, body, fields).await;
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    /// An answer whose body is yet to come.
    pub(crate) async fn request(
        &self,
        method: Method,
        target: &str,
        body: &str,
        fields: &[(&str, &str)],
    ) -> reqwest::Response {
        let url = format!("http://{}{target}", self.address);
        let mut request = self.client.request(method, url).body(body.to_owned());
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
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
    sign_by(&payer(), challenge, body, chain_id, at)
}

pub(crate) fn sign_by(
    payer: &LocalSigner,
    challenge: Challenge,
    body: &str,
    chain_id: u64,
    at: u64,
) -> SignedPayment {
    static SALT: AtomicU64 = AtomicU64::new(1);
    let policy = Policy::new(chain_id, [tempo::PATH_USD], "1".parse().unwrap()).realms([challenge.realm()]);
    let approval =
        policy.push(true).approve(challenge, body.as_bytes(), at).expect("the challenge can be paid");
    let unsigned = approval.prepare(payer.address(), at, SALT.fetch_add(1, Ordering::Relaxed));
    let signature = payer.sign(&unsigned);
    unsigned.signed(&signature)
}

/// The credential with its JSON changed.
pub(crate) fn tampered(credential: &str, change: impl FnOnce(&mut Value)) -> String {
    let json = URL_SAFE_NO_PAD.decode(credential.strip_prefix("Payment ").unwrap()).unwrap();
    let mut json: Value = serde_json::from_slice(&json).unwrap();
    change(&mut json);
    format!("Payment {}", URL_SAFE_NO_PAD.encode(json.to_string()))
}
