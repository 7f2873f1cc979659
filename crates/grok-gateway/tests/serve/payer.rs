//! Somebody who asks and pays, over plain HTTP or TLS.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use mpp_core::tempo::{self, LocalSigner};
use mpp_core::{Challenge, Policy};
use reqwest::{Client, Method, Response};
use serde_json::json;

use crate::stand_ins::CHAIN;

/// The public first key of anvil.
pub(crate) const PAYER_KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
pub(crate) const CHAT: &str = "/grok/chat";
pub(crate) const QUESTION: &str = "a question that nobody else must see";

#[derive(Clone)]
pub(crate) struct Payer {
    http: Client,
    base: String,
    forwarded_for: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Payer {
    pub(crate) fn of(address: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Payer::with(Client::builder().no_proxy().build().unwrap(), format!("http://{address}"))
    }

    pub(crate) fn with(http: Client, base: String) -> Self {
        Payer { http, base, forwarded_for: None }
    }

    /// One behind a proxy, as the proxy says.
    pub(crate) fn forwarded_for(&self, address: &str) -> Self {
        Payer { forwarded_for: Some(address.to_owned()), ..self.clone() }
    }

    pub(crate) fn question() -> String {
        json!({"model": "grok-4.6", "messages": [{"role": "user", "content": QUESTION}]}).to_string()
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: String,
        credential: Option<&str>,
    ) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).body(body);
        if let Some(credential) = credential {
            request = request.header("authorization", credential);
        }
        if let Some(address) = &self.forwarded_for {
            request = request.header("x-forwarded-for", address);
        }
        Answer::read(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, String::new(), None).await
    }

    pub(crate) async fn ask(&self) -> Answer {
        self.send(Method::POST, CHAT, Payer::question(), None).await
    }

    /// A credential for the question.
    pub(crate) async fn credential(&self) -> String {
        static SALT: AtomicU64 = AtomicU64::new(1);
        let answer = self.ask().await;
        assert_eq!(answer.status, 402, "{}", answer.body);
        let challenge =
            Challenge::parse_all([answer.headers["www-authenticate"].as_bytes()]).remove(0).unwrap();
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let policy = Policy::new(CHAIN, [tempo::PATH_USD], "1".parse().unwrap()).realms(["grok.example"]);
        let approval = policy.approve(challenge, Payer::question().as_bytes(), now).unwrap();
        let signer = LocalSigner::from_hex(PAYER_KEY).unwrap();
        let unsigned = approval.prepare(signer.address(), now, SALT.fetch_add(1, Ordering::Relaxed));
        let signature = signer.sign(&unsigned);
        unsigned.signed(&signature).credential().header_value()
    }

    pub(crate) async fn pay(&self, credential: &str) -> Answer {
        self.send(Method::POST, CHAT, Payer::question(), Some(credential)).await
    }
}

impl Answer {
    async fn read(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// A refusal of a limit, and when to come again.
    pub(crate) fn is_refused(&self, status: u16, error: &str, retries: bool) {
        assert_eq!(self.status, status, "{}", self.body);
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!((&body["success"], &body["error"]), (&json!(false), &json!(error)));
        let seconds = self.header("retry-after").map(|value| value.parse::<u64>().unwrap());
        assert_eq!(seconds.is_some_and(|seconds| seconds > 0), retries, "{self:?}");
        assert!(self.header("x-request-id").is_some());
    }
}
