//! A gateway on a real socket, and a payer who writes its credentials itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use alloy_primitives::{Address, address};
use grok_gateway::sandbox::Ledger;
use grok_gateway::{ApiKey, Gateway, Prices, Upstream, Xai};
use mpp_core::tempo::{self, LocalSigner, SignedPayment};
use mpp_core::{Amount, Challenge, Policy, Receipt};
use mpp_gate::Payee;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

pub(crate) const KEY: &str = "xai-a-key-that-nobody-must-see";
pub(crate) const RECIPIENT: Address = address!("23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f");
pub(crate) const FUNDS: u128 = 10_000_000;
const REALM: &str = "grok.example";

pub(crate) fn key() -> Option<ApiKey> {
    ApiKey::new(KEY.to_owned())
}

pub(crate) fn xai(url: &str) -> Xai {
    Xai::new(url, key().unwrap()).unwrap()
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn challenge(&self) -> Challenge {
        assert_eq!(self.status, 402, "{}", self.body);
        Challenge::parse_all([self.headers["www-authenticate"].as_bytes()]).remove(0).unwrap()
    }

    /// A refusal that costs nothing: structured, and without a challenge.
    pub(crate) fn is_refused(&self, status: u16, error: &str) {
        let body = self.json();
        let expected = (status, &json!(error), &json!(false));
        assert_eq!((self.status, &body["error"], &body["success"]), expected, "{body}");
        assert!(!body["message"].as_str().unwrap().is_empty());
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!((self.header("www-authenticate"), self.header("payment-receipt")), (None, None));
    }
}

/// A gateway and someone with money.
pub(crate) struct Scene {
    pub(crate) ledger: Arc<Ledger>,
    address: SocketAddr,
    http: Client,
    signer: LocalSigner,
}

impl Scene {
    pub(crate) async fn of(upstream: impl Upstream + 'static) -> Self {
        Scene::with(upstream, Prices::default()).await
    }

    pub(crate) async fn with(upstream: impl Upstream + 'static, prices: Prices) -> Self {
        // The public first key of anvil.
        let key = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
        let signer = LocalSigner::from_hex(key).unwrap();
        let ledger = Arc::new(Ledger::default());
        ledger.fund(tempo::PATH_USD, signer.address(), Amount::from_base_units(FUNDS));
        let payee = Payee { realm: REALM.to_owned(), currency: tempo::PATH_USD, recipient: RECIPIENT };
        let gateway = Gateway::new(payee, Arc::clone(&ledger), upstream, prices).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(gateway.serve(listener, std::future::pending()));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().build().unwrap();
        Scene { ledger, address, http, signer }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &str,
        credential: Option<&str>,
    ) -> Answer {
        let request =
            self.http.request(method, format!("http://{}{path}", self.address)).body(body.to_owned());
        let request = credential.into_iter().fold(request, |it, value| it.header("authorization", value));
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "", None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &body.to_string(), None).await
    }

    /// Pays what is asked, and what comes of it.
    pub(crate) async fn buy(&self, path: &str, body: &Value) -> (SignedPayment, Answer) {
        let (payment, credential) = self.payment(path, body).await;
        (payment, self.send(Method::POST, path, &body.to_string(), Some(&credential)).await)
    }

    /// Pays for a stream, and its answer as soon as that has begun.
    pub(crate) async fn stream(&self, path: &str, body: &Value) -> (SignedPayment, Response) {
        let (payment, credential) = self.payment(path, body).await;
        let request = self.http.post(format!("http://{}{path}", self.address)).body(body.to_string());
        (payment, request.header("authorization", credential).send().await.unwrap())
    }

    /// A payment of what is asked, not sent yet, and its credential.
    pub(crate) async fn payment(&self, path: &str, body: &Value) -> (SignedPayment, String) {
        static SALT: AtomicU64 = AtomicU64::new(1);
        let body = body.to_string();
        let challenge = self.send(Method::POST, path, &body, None).await.challenge();
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let policy = Policy::new(Ledger::CHAIN_ID, [tempo::PATH_USD], "1".parse().unwrap()).realms([REALM]);
        let approval = policy.approve(challenge, body.as_bytes(), now).unwrap();
        let unsigned = approval.prepare(self.signer.address(), now, SALT.fetch_add(1, Ordering::Relaxed));
        let signature = self.signer.sign(&unsigned);
        let payment = unsigned.signed(&signature);
        let credential = payment.credential().header_value();
        (payment, credential)
    }

    /// Buys and gets what is in the envelope, with a receipt.
    pub(crate) async fn bought(&self, path: &str, body: &Value) -> Value {
        let (payment, answer) = self.buy(path, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        Receipt::parse(answer.headers["payment-receipt"].as_bytes()).unwrap().check(&payment).unwrap();
        let mut body = answer.json();
        assert_eq!((body.as_object().unwrap().len(), &body["success"]), (2, &json!(true)));
        body["data"].take()
    }

    /// What the payee has, in base units.
    pub(crate) fn earned(&self) -> u128 {
        self.ledger.balance(tempo::PATH_USD, RECIPIENT).base_units()
    }
}
