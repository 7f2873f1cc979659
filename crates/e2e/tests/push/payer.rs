//! Somebody who pushes, the shops that ask for it, and the nodes between him and the chain.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use e2e::{Anvil, CHAIN_ID, Customer, Heard, PATH_USD, RECIPIENT, Reply, ScriptedServer};
use mpp_core::payee::Offer;
use mpp_core::tempo::Modes;
use mpp_core::{Amount, Challenge, ChargeRequest, Policy};
use mpp_http::chain::Rpc;
use mpp_http::ledger::{Ledger, MemoryLedger, State};
use mpp_http::{Error, Failure, Money, Payment};
use serde_json::Value;

use crate::CENT;

/// Somebody who pushes, and the ledger he keeps.
pub(crate) struct Payer {
    pub(crate) key: String,
    pub(crate) customer: Customer,
    pub(crate) ledger: Arc<MemoryLedger>,
    funds: u128,
}

impl Payer {
    /// One who holds this much on the shared node, and broadcasts on `node`.
    pub(crate) async fn funded(funds: u128, node: &Rpc) -> Self {
        let payer = Self { funds, ..Self::new(policy(), node) };
        Anvil::shared().await.fund(payer.customer.address(), funds).await;
        payer
    }

    pub(crate) fn new(policy: Policy, node: &Rpc) -> Self {
        let (key, ledger) = (fresh_key(), Arc::new(MemoryLedger::new()));
        let customer = Customer::new(&key, policy);
        let customer = customer.with(|client| client.ledger(Arc::clone(&ledger)).rpc(node.clone()));
        Self { key, customer, ledger, funds: 0 }
    }

    pub(crate) fn with(self, options: impl FnOnce(mpp_http::Client) -> mpp_http::Client) -> Self {
        Self { customer: self.customer.with(options), ..self }
    }

    pub(crate) async fn buys(&self, shop: &ScriptedServer) -> Payment {
        let mut answer = self.customer.get(&shop.url("/")).await.unwrap();
        answer.bytes().await.unwrap();
        let payment = answer.payment().unwrap();
        assert_eq!((payment.state(), shop.heard().len()), (State::Delivered, 2));
        payment.clone()
    }

    pub(crate) async fn fails(&self, shop: &ScriptedServer) -> (Payment, Failure) {
        match self.customer.get(&shop.url("/")).await.unwrap_err() {
            Error::AfterSigning { payment, failure } => (*payment, failure),
            error => panic!("{error:?}"),
        }
    }

    pub(crate) async fn known(&self, payment: &Payment) -> Payment {
        self.ledger.payment(payment.id()).await.unwrap().unwrap()
    }

    /// What left the account, by the chain.
    pub(crate) async fn lost(&self) -> u128 {
        self.funds - Anvil::shared().await.balance_of(PATH_USD, self.customer.address()).await
    }

    /// One signature, one transfer, and ledger and chain agree.
    pub(crate) async fn assert_paid_once(&self, payment: &Payment) {
        let settled = payment.settled().unwrap();
        assert_eq!((settled.hash, settled.amount.base_units()), (payment.hash(), CENT));
        assert!(settled.fee > Amount::ZERO);
        assert_eq!(self.lost().await, payment.counted().base_units());
        assert_eq!(self.known(payment).await, *payment);
        let [mined] = &Anvil::shared().await.memo_transfers(payment.memo()).await[..] else {
            panic!("not one transfer")
        };
        assert_eq!((Some(mined.transaction), self.customer.signatures()), (payment.hash(), 1));
    }

    /// One signature of which nothing came, nor was the payee shown a credential.
    pub(crate) async fn assert_unpaid(&self, payment: &Payment) {
        assert_eq!((payment.state(), payment.money()), (State::NotPaid, Money::NotMoved));
        assert_eq!((payment.counted(), self.lost().await), (Amount::ZERO, 0));
        assert_eq!(self.known(payment).await, *payment);
        assert_eq!((self.customer.signatures(), self.customer.sent().len()), (1, 1));
    }
}

pub(crate) fn policy() -> Policy {
    Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(3 * CENT)).push(true)
}

pub(crate) fn fresh_key() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(2000);
    format!("{:064x}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn rpc(url: &str) -> Rpc {
    Rpc::new(url).unwrap().margin(1)
}

/// A server that asks for a push of `price` and does as `script` says once it is paid.
pub(crate) async fn push_shop(
    price: u128,
    script: impl Fn(&Heard) -> Reply + Send + Sync + 'static,
) -> ScriptedServer {
    ScriptedServer::start(move |heard| match heard.credential() {
        None => Reply::new(402, &[("www-authenticate", &push_only(price))], ""),
        Some(_) => script(heard),
    })
    .await
}

/// A demand that was never made before.
pub(crate) fn push_only(price: u128) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
    let price = Amount::from_base_units(price);
    let offer = Offer {
        realm: "shop.test",
        request: &ChargeRequest::new(price, PATH_USD, RECIPIENT.address, CHAIN_ID).with_modes(Modes::Push),
        expires_at: None,
        digest: None,
        description: None,
        opaque: [("number", number.as_str())].into(),
    };
    Challenge::issue(b"a secret", &offer).unwrap().encode()
}

pub(crate) fn bought(heard: &Heard) -> Reply {
    Reply::new(200, &[("payment-receipt", &heard.receipt().encode())], "bought")
}

/// Passes calls on to the shared node, unless `script` has it otherwise.
pub(crate) async fn relay(
    script: impl Fn(&str, &dyn Fn() -> Reply) -> Reply + Send + Sync + 'static,
) -> ScriptedServer {
    let node = Anvil::shared().await.url();
    ScriptedServer::start(move |heard| {
        let call: Value = serde_json::from_slice(&heard.body).unwrap();
        script(call["method"].as_str().unwrap(), &|| {
            let mut stream = TcpStream::connect(node.trim_start_matches("http://")).unwrap();
            let length = heard.body.len();
            let fields = format!("content-type: application/json\r\ncontent-length: {length}");
            write!(stream, "POST / HTTP/1.0\r\n{fields}\r\n\r\n").unwrap();
            stream.write_all(&heard.body).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let (_, body) = answer.split_once("\r\n\r\n").unwrap();
            Reply::new(200, &[("connection", "close")], body)
        })
    })
    .await
}

/// The node did as it was asked, and then this.
pub(crate) fn after(_: Reply, then: Reply) -> Reply {
    then
}

/// The transactions a node was handed, in order.
pub(crate) fn broadcasts(node: &ScriptedServer) -> Vec<String> {
    let calls = node.heard().into_iter().map(|heard| serde_json::from_slice::<Value>(&heard.body).unwrap());
    let calls = calls.filter(|call| call["method"] == BROADCAST);
    calls.map(|call| call["params"][0].as_str().unwrap().to_owned()).collect()
}

/// The URL of a node that no longer runs.
pub(crate) fn gone() -> String {
    let node = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", node.local_addr().unwrap())
}

pub(crate) const BROADCAST: &str = "eth_sendRawTransactionSync";
