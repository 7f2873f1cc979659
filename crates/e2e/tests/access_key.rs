//! A key that the account authorised on chain with a spending limit, on a real node: within the limit it pays the
//! published server and our gateway to the base unit; beyond it nothing is signed, and who forces it is refused.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use e2e::{Anvil, CHAIN_ID, Customer, MppxServer, PATH_USD, PAYER, RECIPIENT, SPONSOR};
use grok_gateway::sandbox::{Sandbox, SandboxOptions};
use mpp_core::error::KeyRefusal;
use mpp_core::tempo::{AccessKey, Address, KeyStatus, LocalSigner, Payload, SignedTransaction};
use mpp_core::{Amount, Policy};
use mpp_http::chain::Rpc;
use mpp_http::ledger::{Ledger, MemoryLedger, State};
use mpp_http::reconcile::{reconcile, watch};
use mpp_http::{Error, Money, Payment};
use serde_json::{Value, json};

const CENT: u128 = 10_000;
/// The most that a transfer can cost in fees.
const FEE_CEILING: u128 = 25_000;
/// Of the access key; the chain never hears of it but by its signatures.
const KEY: &str = "0x2222222222222222222222222222222222222222222222222222222222222222";

#[tokio::test]
async fn within_the_limit_price_and_fee_are_taken_from_it_to_the_unit() {
    let scene = Scene::open(100_000).await;
    let server = MppxServer::start(&scene.node).await;
    let payment = scene.buy(&server.url("/pull")).await;
    let mined = scene.node.transaction(payment.hash().unwrap()).await.unwrap();
    assert_eq!((mined.succeeded, mined.from, mined.fee_payer), (true, PAYER.address, PAYER.address));
    assert!((1..=FEE_CEILING).contains(&mined.fee), "{mined:?}");
    assert_eq!(scene.moved().await, [CENT + mined.fee, CENT, 0]);
    assert_eq!(scene.left().await, 100_000 - CENT - mined.fee);
    let KeyStatus::Authorized { limit: Some(limit), .. } =
        scene.rpc().access_key(PAYER.address, key(), PATH_USD).await.unwrap()
    else {
        panic!("not authorised")
    };
    assert_eq!((limit.remaining.base_units(), limit.renewed_at), (scene.left().await, None));
    let held = scene.rpc().balance_of(CHAIN_ID, PATH_USD, PAYER.address).await.unwrap();
    assert_eq!(held.base_units(), scene.holdings().await[0]);
    let settled = scene.settled(&payment).await.settled().unwrap().clone();
    assert_eq!((settled.amount.base_units(), settled.fee.base_units()), (CENT, mined.fee));
}

#[tokio::test]
async fn sponsored_payment_takes_the_price_alone_from_the_limit() {
    let scene = Scene::open(CENT).await;
    let server = MppxServer::start(&scene.node).await;
    let payment = scene.buy(&server.url("/sponsored")).await;
    // Found by its memo and the access key's signature alone: the payer knew no hash.
    let known = scene.settled(&payment).await;
    let mined = scene.node.transaction(known.settled().unwrap().hash.unwrap()).await.unwrap();
    assert_eq!((mined.from, mined.fee_payer), (PAYER.address, SPONSOR.address));
    assert_eq!(scene.moved().await, [CENT, CENT, mined.fee]);
    assert_eq!((scene.left().await, known.settled().unwrap().amount.base_units()), (0, CENT));
}

#[tokio::test]
async fn published_server_takes_an_access_keys_proof_for_the_accounts() {
    let scene = Scene::open(0).await;
    let server = MppxServer::start(&scene.node).await;
    let payment = scene.buy(&server.url("/zero")).await;
    assert_eq!((payment.payer(), payment.money()), (PAYER.address, Money::NotMoved));
    assert_eq!((scene.moved().await, scene.left().await), ([0; 3], 0));
}

#[tokio::test]
async fn gateway_is_paid_within_the_limit() {
    let scene = Scene::open(1_000_000).await;
    let sandbox = scene.gateway().await;
    let before = scene.node.balance_of(PATH_USD, sandbox.recipient()).await;
    let mut answer = scene.customer.post(&url(&sandbox), &order()).await.unwrap();
    answer.bytes().await.unwrap();
    let payment = answer.payment().unwrap();
    assert_eq!(payment.state(), State::Delivered);
    let price = payment.quote().amount.base_units();
    let mined = scene.node.transaction(payment.hash().unwrap()).await.unwrap();
    assert_eq!(scene.node.balance_of(PATH_USD, sandbox.recipient()).await - before, price);
    assert_eq!(scene.before[0] - scene.holdings().await[0], price + mined.fee);
    assert_eq!(scene.left().await, 1_000_000 - price - mined.fee);
}

#[tokio::test]
async fn beyond_the_limit_nothing_is_signed_until_the_account_raises_it() {
    let scene = Scene::open(CENT + FEE_CEILING - 1).await;
    let server = MppxServer::start(&scene.node).await;
    let error = scene.refused(&server.url("/pull")).await;
    assert_eq!(
        error.to_string(),
        format!(
            "payment refused: access key {} may spend 0.034999 dollars more, the payment takes 0.01 and up to 0.025 in \
             fees; raise its limit from the account that pays",
            key()
        )
    );
    scene.node.limit_key(&PAYER, key(), CENT + FEE_CEILING).await;
    scene.buy(&server.url("/pull")).await;
}

#[tokio::test]
async fn key_that_is_unknown_revoked_or_expired_is_refused_by_name() {
    let scene = Scene::open(100_000).await;
    let server = MppxServer::start(&scene.node).await;
    let refusal = |error| match error {
        Error::AccessKey { key: named, refusal } if named == key() => refusal,
        error => panic!("{error:?}"),
    };
    scene.node.revoke_key(&PAYER, key()).await;
    assert_eq!(refusal(scene.refused(&server.url("/pull")).await), KeyRefusal::Revoked);

    let strange = scene.with_key(STRANGE, |client| client);
    assert!(matches!(
        strange.refused(&server.url("/pull")).await,
        Error::AccessKey { refusal: KeyRefusal::Unknown, .. }
    ));
    let expires_at = strange.node.latest_timestamp().await + 5;
    strange.node.authorize_key(&PAYER, address(STRANGE), 100_000, expires_at).await;
    while SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() < expires_at {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let error = strange.refused(&server.url("/pull")).await;
    let expired = |refusal| matches!(refusal, KeyRefusal::Expired { expires_at: at, .. } if at == expires_at);
    assert!(matches!(error, Error::AccessKey { refusal, .. } if expired(refusal)), "{error:?}");
}

#[tokio::test]
async fn node_that_does_not_answer_stops_no_payment() {
    let scene = Scene::open(100_000).await;
    let server = MppxServer::start(&scene.node).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let nobody = Rpc::new(&format!("http://{}", free.unwrap())).unwrap();
    let scene = scene.with_key(KEY, |client| client.rpc(nobody));
    scene.buy(&server.url("/pull")).await;
}

#[tokio::test]
async fn forced_beyond_the_limit_the_chain_refuses_and_takes_its_fee() {
    // The chain can set the fee aside, and the first transfer exceeds the rest.
    let scene = Scene::open(50_000).await;
    let server = MppxServer::start(&scene.node).await;
    let forced = scene.forced(KEY);
    let error = forced.customer.get(&server.url("/splits")).await.unwrap_err();
    assert_eq!((error.money(), forced.customer.signatures()), (Money::Unknown, 1), "{error:?}");
    let known = forced.settled(error.payment().unwrap()).await;
    let mined = forced.node.transaction(known.hash().unwrap()).await.unwrap();
    assert_eq!((mined.succeeded, known.money(), known.state()), (false, Money::NotMoved, State::NotPaid));
    assert_eq!((known.counted().base_units(), forced.left().await), (mined.fee, 50_000 - mined.fee));
    assert_eq!(forced.moved().await, [mined.fee, 0, 0]);
}

#[tokio::test]
async fn forced_on_the_gateway_it_is_refused_and_gives_nothing_away() {
    let scene = Scene::open(CENT).await;
    let sandbox = scene.gateway().await;
    // What somebody bought with the account's own key, under the name of an order.
    let owner = Customer::new(PAYER.key, policy());
    let named = |customer: &Customer| {
        let request = http::Request::post(url(&sandbox)).header("idempotency-key", "order 1");
        let request = request.header("content-type", "application/json").body(Bytes::from(order())).unwrap();
        let client = customer.client().clone();
        async move { client.send(request).await }
    };
    named(&owner).await.unwrap().bytes().await.unwrap();
    let scene = Scene { before: scene.holdings().await, ..scene };

    for (secret, kind, says) in [
        (KEY, "payment-insufficient", "may spend 0.01 dollars more"),
        (STRANGE, "verification-failed", "is not authorised by the account that pays"),
    ] {
        let forced = scene.forced(secret);
        let error = named(&forced.customer).await.unwrap_err();
        assert_eq!((error.money(), forced.customer.signatures()), (Money::Unknown, 1), "{error:?}");
        let said = error.to_string() + &format!("{:?}", std::error::Error::source(&error));
        assert!(said.contains(kind), "{said}");
        let Error::AfterSigning { failure, .. } = &error else { panic!("{error:?}") };
        let said = failure.to_string();
        assert!(said.contains(&format!("access key {} {says}", address(secret))), "{said}");
        // The node takes it too and never mines it.
        let raw = forced.signed();
        let _ = scene.node.rpc("eth_sendRawTransaction", json!([raw.raw()])).await;
        let known = forced.settled(error.payment().unwrap()).await;
        assert_eq!((known.money(), known.state()), (Money::NotMoved, State::NotPaid));
        assert!(known.counted().is_zero() && forced.ledger.payments(None, 9, true).await.unwrap().is_empty());
        assert_eq!(scene.node.transaction(raw.hash().unwrap()).await, None);
    }
    assert_eq!((scene.moved().await, scene.left().await), ([0; 3], CENT));
}

#[tokio::test]
async fn ledger_in_memory_knows_no_keys_and_says_so() {
    let rich = vec![(PAYER.address, Amount::from_base_units(1_000_000))];
    let sandbox = Sandbox::start(SandboxOptions { fund: rich, ..SandboxOptions::default() }).await.unwrap();
    let customer = Customer::with_signer(signer(KEY), policy());
    let error = customer.post(&url(&sandbox), &order()).await.unwrap_err();
    let Error::AfterSigning { failure, .. } = &error else { panic!("{error:?}") };
    let said = failure.to_string();
    assert!(said.contains(&format!("access key {} signed, and the sandbox knows of none", key())), "{said}");
    assert_eq!(sandbox.balance(PAYER.address), Some(Amount::from_base_units(1_000_000)));
}

/// A node where [`PAYER`] authorised [`KEY`], who pays with it, and what payer, payee and sponsor held before.
struct Scene {
    node: Arc<Anvil>,
    key: Address,
    customer: Customer,
    ledger: Arc<MemoryLedger>,
    before: [u128; 3],
}

impl Scene {
    async fn open(limit: u128) -> Self {
        let node = Arc::new(Anvil::start(CHAIN_ID).await);
        let end = node.latest_timestamp().await + 3600;
        node.authorize_key(&PAYER, key(), limit, end).await;
        let (customer, ledger) = (Customer::with_signer(signer(KEY), policy()), Arc::default());
        let scene = Self { node, key: key(), customer, ledger, before: [0; 3] };
        let before = scene.holdings().await;
        Self { before, ..scene }.with_key(KEY, |client| client)
    }

    /// The same scene, payments signed by another key on another client.
    fn with_key(&self, secret: &str, options: impl FnOnce(mpp_http::Client) -> mpp_http::Client) -> Self {
        let ledger = Arc::new(MemoryLedger::new());
        let customer = Customer::with_signer(signer(secret), policy())
            .with(|client| options(client.rpc(self.rpc()).ledger(Arc::clone(&ledger))));
        Self { node: Arc::clone(&self.node), key: address(secret), customer, ledger, before: self.before }
    }

    /// One who pays with this key whatever a node says, as he asks none; his payments end soon.
    fn forced(&self, secret: &str) -> Self {
        let ledger = Arc::new(MemoryLedger::new());
        let customer = Customer::with_signer(signer(secret), policy().max_validity(6))
            .with(|client| client.ledger(Arc::clone(&ledger)));
        Self { node: Arc::clone(&self.node), key: address(secret), customer, ledger, before: self.before }
    }

    fn rpc(&self) -> Rpc {
        Rpc::new(&self.node.url()).unwrap().margin(0)
    }

    async fn gateway(&self) -> Sandbox {
        let options = SandboxOptions { rpc: Some(self.node.url()), ..SandboxOptions::default() };
        Sandbox::start(options).await.unwrap()
    }

    /// Buys, with one signature.
    async fn buy(&self, url: &str) -> Payment {
        let mut answer = self.customer.get(url).await.unwrap();
        answer.bytes().await.unwrap();
        let payment = answer.payment().unwrap().clone();
        assert_eq!((payment.state(), payment.receipt().is_some()), (State::Delivered, true), "{payment:?}");
        assert_eq!((payment.payer(), self.customer.signatures()), (PAYER.address, 1));
        payment
    }

    /// Why the key does not pay; nothing was signed, sent or written down, and nothing moved.
    async fn refused(&self, url: &str) -> Error {
        let error = self.customer.get(url).await.unwrap_err();
        assert_eq!((error.money(), self.customer.signatures()), (Money::NotMoved, 0), "{error:?}");
        assert!(self.customer.sent().iter().all(|sent| sent.credential().is_none()));
        assert!(self.ledger.payments(None, 9, false).await.unwrap().is_empty());
        error
    }

    /// A payment once the chain has the last word on it.
    async fn settled(&self, payment: &Payment) -> Payment {
        let known = watch(&*self.ledger, &self.rpc(), payment.id()).await.unwrap();
        assert!(reconcile(&*self.ledger, Some(&self.rpc())).await.unwrap().open.is_empty());
        known
    }

    /// The transaction that was sent.
    fn signed(&self) -> SignedTransaction {
        let credential = self.customer.sent().iter().find_map(e2e::Sent::credential).unwrap();
        let Payload::Transaction(raw) = credential.payload() else { panic!("{credential:?}") };
        let (signed, transaction, sender) = SignedTransaction::decode(raw).unwrap();
        assert_eq!((sender, transaction.access_key), (PAYER.address, Some(self.key)));
        signed
    }

    /// What is left of the key's limit, in base units.
    async fn left(&self) -> u128 {
        self.node.left_of(&PAYER, self.key).await
    }

    /// What the payer and the sponsor spent and the payee received, in base units: payer, payee, sponsor.
    async fn moved(&self) -> [u128; 3] {
        let ([payer, payee, sponsor], now) = (self.before, self.holdings().await);
        [payer - now[0], now[1] - payee, sponsor - now[2]]
    }

    async fn holdings(&self) -> [u128; 3] {
        let of = |owner| self.node.balance_of(PATH_USD, owner);
        [of(PAYER.address).await, of(RECIPIENT.address).await, of(SPONSOR.address).await]
    }
}

/// A key that nobody authorised.
const STRANGE: &str = "0x3333333333333333333333333333333333333333333333333333333333333333";

fn signer(secret: &str) -> AccessKey<LocalSigner> {
    AccessKey::new(PAYER.address, LocalSigner::from_hex(secret).unwrap())
}

fn address(secret: &str) -> Address {
    LocalSigner::from_hex(secret).unwrap().address()
}

fn key() -> Address {
    address(KEY)
}

fn policy() -> Policy {
    Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(1_000_000))
        .realms(["shop.test", "grok-sandbox.local"])
}

fn url(sandbox: &Sandbox) -> String {
    format!("{}/grok/code-execution", sandbox.base_url())
}

fn order() -> String {
    let content = "```python\nprint(6 * 7)\n```";
    let request: Value = json!({ "model": "grok-4.3", "messages": [{ "role": "user", "content": content }] });
    request.to_string()
}
