//! The two examples that pay from within somebody else's HTTP client, by `mpp_core::exchange` alone: what the published
//! server gets from them, and what servers that cheat or break do not.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alloy_primitives::Address;
use bytes::Bytes;
use e2e::{Anvil, CHAIN_ID, Heard, MppxServer, PATH_USD, PAYER, RECIPIENT, Reply, ScriptedServer, Then};
use http_body_util::BodyExt as _;
use mpp_core::exchange::Outcome;
use mpp_core::tempo::{LocalSigner, SignFuture, Signer, Unsigned};
use mpp_core::{Amount, Policy};
use mpp_http::{ReqwestTransport, Transport as _};
use tower::{Layer as _, ServiceExt as _, service_fn};

#[expect(dead_code, reason = "its main is not called")]
#[path = "../../../examples/tower_layer.rs"]
mod layer;
#[expect(dead_code, reason = "its main is not called")]
#[path = "../../../examples/reqwest_middleware.rs"]
mod middleware;

const CENT: Amount = Amount::from_base_units(10_000);

#[tokio::test]
async fn published_server_is_paid_once_by_each() {
    let node = Anvil::start(CHAIN_ID).await;
    let shop = MppxServer::start(&node).await;
    for adapter in Adapter::ALL {
        let payer = node.balance_of(PATH_USD, PAYER.address).await;
        let payee = node.balance_of(PATH_USD, RECIPIENT.address).await;
        let scene = Scene::new(adapter);
        let (outcome, body) = scene.post(&shop.url("/pull")).await.unwrap();
        assert!(body.contains(r#""method":"POST","body":"a pear""#), "{adapter:?}: {body}");

        let Some(Outcome::Paid(receipt)) = outcome else { panic!("{adapter:?}: {outcome:?}") };
        let hash = receipt.hash().unwrap();
        assert!(scene.record().contains(&hash.to_string()), "{adapter:?}: {}", scene.record());
        assert_eq!((scene.signatures(), scene.record().lines().count()), (1, 1), "{adapter:?}");
        let mined = node.transaction(hash).await.unwrap();
        let paid = payer - node.balance_of(PATH_USD, PAYER.address).await;
        let received = node.balance_of(PATH_USD, RECIPIENT.address).await - payee;
        assert_eq!((paid, received), (CENT.base_units() + mined.fee, CENT.base_units()), "{adapter:?}");
    }
}

#[tokio::test]
async fn what_costs_nothing_is_not_signed_for() {
    for adapter in Adapter::ALL {
        let server = ScriptedServer::start(|_| Reply::new(200, &[], "a pear")).await;
        let scene = Scene::new(adapter);
        assert_eq!(scene.post(&server.url("/")).await, Ok((None, "a pear".to_owned())), "{adapter:?}");
        scene.assert_unsigned(&server);
    }
}

#[tokio::test]
async fn second_402_is_not_paid_and_leaves_it_unknown_whether_the_first_was() {
    for adapter in Adapter::ALL {
        let server = ScriptedServer::start(|_| fresh_402(CENT)).await;
        let scene = Scene::new(adapter);
        assert_eq!(scene.post(&server.url("/")).await, Err(Failure::Sent(Outcome::Unknown)), "{adapter:?}");
        scene.assert_sent_once(&server);
    }
}

#[tokio::test]
async fn lost_answer_leaves_it_unknown_whether_it_was_paid() {
    for adapter in Adapter::ALL {
        let server = paid(|_| Reply::raw("").then(Then::Close)).await;
        let scene = Scene::new(adapter);
        assert_eq!(scene.post(&server.url("/")).await, Err(Failure::Sent(Outcome::Unknown)), "{adapter:?}");
        scene.assert_sent_once(&server);
    }
}

#[tokio::test]
async fn redirect_takes_no_credential_with_it() {
    for adapter in Adapter::ALL {
        let thief = ScriptedServer::start(|_| Reply::new(200, &[], "")).await;
        let elsewhere = thief.url("/");
        let server = paid(move |_| Reply::new(307, &[("location", &elsewhere)], "")).await;
        let scene = Scene::new(adapter);
        assert_eq!(scene.post(&server.url("/")).await, Err(Failure::Sent(Outcome::Unknown)), "{adapter:?}");
        scene.assert_sent_once(&server);
        assert_eq!(thief.heard().len(), 0, "{adapter:?}");
    }
}

#[tokio::test]
async fn failure_with_a_receipt_was_paid() {
    for adapter in Adapter::ALL {
        let server =
            paid(|heard| Reply::new(500, &[("payment-receipt", &heard.receipt().encode())], "")).await;
        let scene = Scene::new(adapter);
        let failure = scene.post(&server.url("/")).await;
        assert!(matches!(failure, Err(Failure::Sent(Outcome::Paid(_)))), "{adapter:?}: {failure:?}");
        scene.assert_sent_once(&server);
    }
}

#[tokio::test]
async fn price_above_the_cap_is_not_signed_for() {
    for adapter in Adapter::ALL {
        let server = ScriptedServer::start(|_| fresh_402(Amount::from_base_units(10_001))).await;
        let scene = Scene::new(adapter);
        let failure = scene.post(&server.url("/")).await;
        let Err(Failure::NotPaid(reason)) = failure else { panic!("{adapter:?}: {failure:?}") };
        assert!(reason.contains("asks for 0.010001 dollars, the policy allows 0.01 a call"), "{reason}");
        scene.assert_unsigned(&server);
    }
}

#[tokio::test]
async fn credential_does_not_cross_a_network_in_the_clear() {
    for adapter in Adapter::ALL {
        let server = ScriptedServer::start(|_| fresh_402(CENT)).await;
        let scene = Scene::new(adapter);
        // It reaches the server, by an address that is not loopback's.
        let failure = scene.post(&format!("http://0.0.0.0:{}/", server.port())).await;
        assert!(matches!(failure, Err(Failure::NotPaid(_))), "{adapter:?}: {failure:?}");
        scene.assert_unsigned(&server);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn payment_that_is_not_on_record_is_not_sent() {
    for adapter in Adapter::ALL {
        let server = paid(|_| Reply::new(200, &[], "a pear")).await;
        let scene = Scene::new(adapter);
        // A disk without room.
        let failure = scene.post_recording(&server.url("/"), Path::new("/dev/full")).await;
        assert!(matches!(failure, Err(Failure::NotPaid(_))), "{adapter:?}: {failure:?}");
        assert_eq!(
            (scene.signatures(), server.heard().len(), credentials(&server)),
            (1, 1, 0),
            "{adapter:?}"
        );
    }
}

#[derive(Clone, Copy, Debug)]
enum Adapter {
    Layer,
    Middleware,
}

impl Adapter {
    const ALL: [Adapter; 2] = [Adapter::Layer, Adapter::Middleware];
}

/// Why an answer did not come.
#[derive(Debug, PartialEq)]
enum Failure {
    NotPaid(String),
    Sent(Outcome),
}

/// Somebody who pays up to a cent by an adapter, and what he signs and writes down.
struct Scene {
    adapter: Adapter,
    signatures: Arc<AtomicUsize>,
    record: tempfile::NamedTempFile,
}

impl Scene {
    fn new(adapter: Adapter) -> Self {
        Self { adapter, signatures: Arc::default(), record: tempfile::NamedTempFile::new().unwrap() }
    }

    /// Buys a pear.
    async fn post(&self, url: &str) -> Result<(Option<Outcome>, String), Failure> {
        self.post_recording(url, self.record.path()).await
    }

    async fn post_recording(&self, url: &str, record: &Path) -> Result<(Option<Outcome>, String), Failure> {
        let signer = Counting(LocalSigner::from_hex(PAYER.key).unwrap(), Arc::clone(&self.signatures));
        let policy = Policy::new(CHAIN_ID, [PATH_USD], CENT);
        let record = File::options().append(true).open(record).unwrap();
        match self.adapter {
            Adapter::Layer => {
                let pay = layer::Pay { signer: Arc::new(signer), policy, record: Arc::new(record) };
                let transport = Arc::new(ReqwestTransport::default());
                let service = pay.layer(service_fn(move |request: http::Request<Bytes>| {
                    let credential = request.headers().get("authorization");
                    assert!(credential.is_none_or(http::HeaderValue::is_sensitive));
                    let transport = Arc::clone(&transport);
                    async move { transport.send(request).await }
                }));
                let answer = service.oneshot(http::Request::post(url).body("a pear".into()).unwrap()).await?;
                let outcome = answer.extensions().get().cloned();
                Ok((outcome, text(answer.into_body().collect().await.unwrap().to_bytes())))
            }
            Adapter::Middleware => {
                let pay = middleware::Pay { signer: Box::new(signer), policy, record };
                // For reqwest, which is built without one here; it is there already if a test came before.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let client = pay.client(reqwest::Client::builder()).unwrap();
                let answer = client.post(url).body("a pear").send().await?;
                let outcome = answer.extensions().get().cloned();
                Ok((outcome, text(answer.bytes().await.unwrap())))
            }
        }
    }

    fn signatures(&self) -> usize {
        self.signatures.load(Ordering::SeqCst)
    }

    fn record(&self) -> String {
        std::fs::read_to_string(self.record.path()).unwrap()
    }

    /// One signature, which was written down, and two requests, of which the second held it.
    fn assert_sent_once(&self, server: &ScriptedServer) {
        let made = (self.signatures(), self.record().lines().count());
        assert_eq!((made, server.heard().len(), credentials(server)), ((1, 1), 2, 1), "{:?}", self.adapter);
    }

    /// One request, and nothing to pay for it.
    fn assert_unsigned(&self, server: &ScriptedServer) {
        let made = (self.signatures(), self.record().lines().count());
        assert_eq!((made, server.heard().len(), credentials(server)), ((0, 0), 1, 0), "{:?}", self.adapter);
    }
}

impl From<layer::Error> for Failure {
    fn from(error: layer::Error) -> Self {
        match error {
            layer::Error::NotPaid(reason) => Failure::NotPaid(reason.to_string()),
            layer::Error::Sent(_, outcome, _) => Failure::Sent(*outcome),
        }
    }
}

impl From<reqwest_middleware::Error> for Failure {
    fn from(error: reqwest_middleware::Error) -> Self {
        let reqwest_middleware::Error::Middleware(error) = error else { panic!("passed on: {error:?}") };
        match error.downcast().unwrap() {
            middleware::Failed::NotPaid(reason) => Failure::NotPaid(reason.to_string()),
            middleware::Failed::Sent(_, outcome, _) => Failure::Sent(*outcome),
        }
    }
}

struct Counting(LocalSigner, Arc<AtomicUsize>);

impl Signer for Counting {
    fn address(&self) -> Address {
        self.0.address()
    }

    fn sign<'a>(&'a self, payment: &'a Unsigned) -> SignFuture<'a> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Signer::sign(&self.0, payment)
    }
}

/// A server that asks everybody for a cent, each time anew, and does as `script` says once it is paid.
async fn paid(script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> ScriptedServer {
    ScriptedServer::start(move |heard| match heard.credential() {
        None => fresh_402(CENT),
        Some(_) => script(heard),
    })
    .await
}

fn fresh_402(amount: Amount) -> Reply {
    Reply::payment_required(&e2e::demand(amount, None, 300))
}

/// How many requests held one.
fn credentials(server: &ScriptedServer) -> usize {
    server.heard().iter().filter(|heard| heard.credential().is_some()).count()
}

fn text(bytes: Bytes) -> String {
    String::from_utf8(bytes.into()).unwrap()
}
