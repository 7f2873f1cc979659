//! Somebody who pays, and the shops that take his money and do not say so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::{Address, hex};
use bytes::Bytes;
use e2e::{Anvil, CHAIN_ID, Customer, Heard, PATH_USD, Reply, ScriptedServer, Then};
use mpp_core::tempo::{LocalSigner, SignFuture, Signer, Unsigned};
use mpp_core::{Amount, Policy};
use mpp_http::chain::Rpc;
use mpp_http::ledger::{Ledger, MemoryLedger};
use mpp_http::{Client, Money, Payment, ReqwestTransport, Transport};
use serde_json::json;
use tokio::sync::Notify;

use crate::CENT;

/// Somebody who pays, and the ledger he keeps.
pub(crate) struct Payer {
    key: String,
    pub(crate) customer: Customer,
    pub(crate) ledger: Arc<MemoryLedger>,
    funds: u128,
}

impl Payer {
    /// One who holds this much on the shared node.
    pub(crate) async fn funded(funds: u128) -> Self {
        let payer = Self { funds, ..Self::poor() };
        Anvil::shared().await.fund(payer.customer.address(), funds).await;
        payer
    }

    /// One who holds nothing anywhere.
    pub(crate) fn poor() -> Self {
        let key = fresh_key();
        let payer = Self::new(Customer::new(&key, policy()));
        Self { key, ..payer }
    }

    pub(crate) fn new(customer: Customer) -> Self {
        let ledger = Arc::new(MemoryLedger::new());
        let customer = customer.with(|client| client.ledger(Arc::clone(&ledger)));
        Self { key: String::new(), customer, ledger, funds: 0 }
    }

    /// The same one, whose payments live that many seconds.
    pub(crate) fn validity(self, seconds: u64) -> Self {
        let Self { customer, ledger, .. } =
            Self::new(Customer::new(&self.key, policy().max_validity(seconds)));
        Self { customer, ledger, ..self }
    }

    pub(crate) fn with(self, options: impl FnOnce(Client) -> Client) -> Self {
        Self { customer: self.customer.with(options), ..self }
    }

    /// Pays a server that gives nothing for it.
    pub(crate) async fn lose(&self, shop: &ScriptedServer) -> Payment {
        let error = self.customer.get(&shop.url("/")).await.unwrap_err();
        assert_eq!(error.money(), Money::Unknown, "{error:?}");
        error.payment().unwrap().clone()
    }

    /// What the ledger knows of a payment.
    pub(crate) async fn known(&self, payment: &Payment) -> Payment {
        self.ledger.payment(payment.id()).await.unwrap().unwrap()
    }

    /// What left the account, by the chain.
    pub(crate) async fn lost(&self) -> u128 {
        self.funds - Anvil::shared().await.balance_of(PATH_USD, self.customer.address()).await
    }
}

/// Says when it is asked to sign, and waits to be told to.
pub(crate) struct SlowSigner {
    pub(crate) signer: LocalSigner,
    pub(crate) asked: Arc<Notify>,
    pub(crate) told: Arc<Notify>,
}

impl Signer for SlowSigner {
    fn address(&self) -> Address {
        self.signer.address()
    }

    fn sign<'a>(&'a self, payment: &'a Unsigned) -> SignFuture<'a> {
        Box::pin(async move {
            self.asked.notify_one();
            self.told.notified().await;
            Ok(self.signer.sign(payment))
        })
    }
}

pub(crate) fn policy() -> Policy {
    Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(3 * CENT))
}

pub(crate) fn fresh_key() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(1000);
    format!("{:064x}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// A server that asks for `price` and does as `script` says once it is paid.
pub(crate) async fn shop_at(
    price: u128,
    script: impl Fn(&Heard) -> Reply + Send + Sync + 'static,
) -> ScriptedServer {
    let price = Amount::from_base_units(price);
    ScriptedServer::start(move |heard| match heard.credential() {
        None => Reply::payment_required(&e2e::demand(price, None, 300)),
        Some(_) => script(heard),
    })
    .await
}

/// One that takes the credential and hangs up.
pub(crate) async fn silent_shop() -> ScriptedServer {
    shop_at(CENT, |_| Reply::raw("").then(Then::Close)).await
}

/// One that takes the credential and says nothing.
pub(crate) async fn silent_shop_that_waits() -> ScriptedServer {
    shop_at(CENT, |_| Reply::raw("").then(Then::Silence)).await
}

/// One that asks everybody for what the server at `url` asked it, and fails once it has the credential.
pub(crate) async fn thief(url: &str) -> ScriptedServer {
    let asked = get(url, None).await;
    let challenge = asked.headers()["www-authenticate"].to_str().unwrap().to_owned();
    ScriptedServer::start(move |heard| match heard.credential() {
        None => Reply::new(402, &[("www-authenticate", &challenge)], ""),
        Some(_) => Reply::new(500, &[], ""),
    })
    .await
}

pub(crate) async fn get(url: &str, credential: Option<&str>) -> http::Response<mpp_http::Body> {
    let request = http::Request::get(url).header("authorization", credential.unwrap_or("none"));
    ReqwestTransport::default().send(request.body(Bytes::new()).unwrap()).await.unwrap()
}

pub(crate) fn rpc(node: &Anvil) -> Rpc {
    Rpc::new(&node.url()).unwrap().margin(1)
}

pub(crate) fn raw(payment: &Payment) -> String {
    hex::encode_prefixed(payment.transaction().unwrap())
}

/// Has a payment mined that its payee kept to itself.
pub(crate) async fn land(node: &Anvil, payment: &Payment) {
    node.rpc("eth_sendRawTransactionSync", json!([raw(payment)])).await.unwrap();
}
