//! Our client pushes: it broadcasts on a node of its own, on a real chain, before it shows the payee the hash. Whatever node
//! and payee do, there is one payment a call at most, and the ledger says of it what the chain does, to the unit.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use alloy_primitives::{address, keccak256};
use base64_022::Engine as _;
use base64_022::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{
    Anvil, CHAIN_ID, Customer, Heard, MppxServer, PATH_USD, RECIPIENT, Reply, ScriptedServer, Shop, Then,
};
use mpp_core::tempo::Payload;
use mpp_core::{Amount, Policy};
use mpp_http::chain::{Rpc, RpcError};
use mpp_http::ledger::{Ledger, MemoryLedger, SqlLedger, State};
use mpp_http::reconcile::{Open, reconcile, watch};
use mpp_http::{Error, Failure, Money, Payment};
use serde_json::{Value, json};
use tokio::sync::Notify;

const CENT: u128 = 10_000;
const DOLLAR: u128 = 1_000_000;

#[tokio::test]
async fn published_server_is_paid_price_and_fee_and_delivers() {
    let node = Anvil::shared().await;
    let recipient = address!("00000000000000000000000000000000000b0a7e");
    let server = MppxServer::open(node, Shop { recipient, ..Shop::default() }).await;
    let payer = Payer::funded(DOLLAR, &rpc(&node.url())).await;
    let mut answer = payer.customer.get(&server.url("/push")).await.unwrap();
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!((answer.status().as_u16(), &body["route"]), (200, &json!("/push")));

    let payment = answer.payment().unwrap();
    assert_eq!((payment.state(), payment.receipt().unwrap().hash()), (State::Delivered, payment.hash()));
    let [_, paid] = &payer.customer.sent()[..] else { panic!("not two requests") };
    assert_eq!(paid.credential().unwrap().payload(), &Payload::Hash(payment.hash().unwrap()));
    assert_eq!(node.balance_of(PATH_USD, recipient).await, CENT);
    payer.assert_paid_once(payment).await;
}

#[tokio::test]
async fn node_without_the_policy_s_leave_broadcasts_nothing() {
    let (shop, node) = (push_shop(CENT, bought).await, relay(|_, send| send()).await);
    let policy = Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(CENT));
    let customer = Customer::new(&fresh_key(), policy).with(|client| client.rpc(rpc(&node.url("/"))));
    let error = customer.get(&shop.url("/")).await.unwrap_err();
    assert!(error.to_string().contains("takes a policy that accepts it, a node to broadcast on"), "{error}");
    assert_eq!((error.payment(), customer.signatures(), node.heard().len()), (None, 0, 0));
}

#[tokio::test]
async fn node_that_is_gone_before_the_broadcast_leaves_it_unpaid() {
    // The second still says which chain it is on.
    for url in [gone(), relay(|_, send| send().stop_listening()).await.url("/")] {
        let payer = Payer::funded(DOLLAR, &rpc(&url)).await;
        let (payment, failure) = payer.fails(&push_shop(CENT, bought).await).await;
        assert!(matches!(&failure, Failure::Node(error) if matches!(**error, RpcError::Unanswered(_))));
        payer.assert_unpaid(&payment).await;
    }
}

#[tokio::test]
async fn node_of_another_chain_is_shown_nothing() {
    let elsewhere = Anvil::start(42431).await;
    let payer = Payer::funded(DOLLAR, &rpc(&elsewhere.url())).await;
    let (payment, failure) = payer.fails(&push_shop(CENT, bought).await).await;
    assert!(
        matches!(&failure, Failure::Node(error) if matches!(**error, RpcError::Chain { node: 42431, .. }))
    );
    payer.assert_unpaid(&payment).await;
}

#[tokio::test]
async fn refused_broadcast_is_unpaid_in_the_node_s_words() {
    let payer = Payer::funded(1, &rpc(&Anvil::shared().await.url())).await;
    let (payment, failure) = payer.fails(&push_shop(CENT, bought).await).await;
    assert!(failure.to_string().contains("nsufficient f"), "{failure}");
    assert_eq!(payment.failure(), Some(&*failure.to_string()));
    payer.assert_unpaid(&payment).await;
}

#[tokio::test]
async fn reverted_broadcast_costs_its_fee_and_says_so() {
    // Enough to promise the fee, too little for the price.
    let payer = Payer::funded(26_000, &rpc(&Anvil::shared().await.url())).await;
    let shop = push_shop(3 * CENT, bought).await;
    let error = payer.customer.get(&shop.url("/")).await.unwrap_err();
    let payment = error.payment().unwrap();
    let settled = payment.settled().unwrap();
    assert!(matches!(error, Error::AfterSigning { failure: Failure::Reverted, .. }));
    let said = format!("the payment failed on chain, its fee of {} dollars is gone", settled.fee);
    assert_eq!((error.to_string(), error.money()), (said, Money::NotMoved));
    assert_eq!((payment.state(), settled.hash), (State::NotPaid, payment.hash()));
    assert!(settled.fee > Amount::ZERO && payment.failure().unwrap().contains("reverted"));
    assert_eq!((payer.lost().await, shop.heard().len()), (settled.fee.base_units(), 1));
    assert_eq!(payer.known(payment).await, *payment);
}

#[tokio::test]
async fn lost_answer_of_the_node_is_looked_up_and_nothing_is_paid_again() {
    for status in [None, Some(502)] {
        let node = relay(move |method, send| match (method, status) {
            (BROADCAST, None) => after(send(), Reply::raw("").then(Then::Close)),
            (BROADCAST, Some(status)) => after(send(), Reply::new(status, &[], "")),
            _ => send(),
        });
        let node = node.await;
        let payer = Payer::funded(DOLLAR, &rpc(&node.url("/"))).await;
        let payment = payer.buys(&push_shop(CENT, bought).await).await;
        assert_eq!(broadcasts(&node).len(), 1);
        payer.assert_paid_once(&payment).await;
    }
}

#[tokio::test]
async fn broadcast_that_did_not_arrive_is_repeated_in_the_same_bytes() {
    let asked = AtomicUsize::new(0);
    let node = relay(move |method, send| match method {
        BROADCAST if asked.fetch_add(1, Ordering::SeqCst) == 0 => Reply::raw("").then(Then::Close),
        _ => send(),
    });
    let node = node.await;
    let payer = Payer::funded(DOLLAR, &rpc(&node.url("/"))).await;
    let payment = payer.buys(&push_shop(CENT, bought).await).await;
    let [first, second] = &broadcasts(&node)[..] else { panic!("not two broadcasts") };
    assert_eq!((first, keccak256(payment.transaction().unwrap())), (second, payment.hash().unwrap()));
    payer.assert_paid_once(&payment).await;
}

#[tokio::test]
async fn node_that_took_it_and_fell_silent_leaves_it_unknown_until_another_is_asked() {
    let node = relay(|method, send| match method {
        BROADCAST => after(send(), Reply::raw("").then(Then::Silence)),
        "eth_chainId" => send(),
        _ => Reply::raw("").then(Then::Silence),
    });
    let node = node.await;
    let payer = Payer::funded(DOLLAR, &rpc(&node.url("/"))).await;
    let payer = payer.with(|client| client.paid_timeout(Duration::from_secs(2)));
    let shop = push_shop(CENT, bought).await;
    let (payment, _) = payer.fails(&shop).await;
    assert_eq!((payment.state(), payment.money()), (State::Unknown, Money::Unknown));
    assert_eq!(payment.counted().base_units(), CENT + 25_000);
    let real = rpc(&Anvil::shared().await.url());
    let known = watch(&*payer.ledger, &real, payment.id()).await.unwrap();
    assert_eq!((known.state(), shop.heard().len()), (State::PaidUndelivered, 1));
    payer.assert_paid_once(&known).await;
}

#[tokio::test]
async fn payment_that_no_node_took_is_dead_after_its_end() {
    let node = relay(|method, send| match method {
        BROADCAST => Reply::new(502, &[], ""),
        _ => send(),
    });
    let node = node.await;
    let payer = Payer::new(policy().max_validity(4), &rpc(&node.url("/")));
    let (payment, failure) = payer.fails(&push_shop(CENT, bought).await).await;
    assert!(matches!(&failure, Failure::Node(error) if matches!(**error, RpcError::Status { status: 502 })));
    assert!(broadcasts(&node).len() > 1);
    assert!(Anvil::shared().await.latest_timestamp().await > payment.valid_before().unwrap());
    payer.assert_unpaid(&payment).await;
}

#[tokio::test]
async fn payee_that_fails_after_a_push_has_the_money_and_the_payer_the_hash() {
    let failures: [fn(&Heard) -> Reply; 3] = [
        |_| Reply::new(500, &[], ""),
        |_| Reply::new(402, &[("www-authenticate", &push_only(CENT))], ""),
        |_| Reply::raw("").then(Then::Close),
    ];
    for failure in failures {
        let payer = Payer::funded(DOLLAR, &rpc(&Anvil::shared().await.url())).await;
        let error = payer.customer.get(&push_shop(CENT, failure).await.url("/")).await.unwrap_err();
        assert_eq!(error.to_string(), "0.01 dollars were paid, but the answer failed or is lost");
        let payment = error.payment().unwrap();
        assert_eq!((payment.state(), error.money()), (State::PaidUndelivered, Money::Paid));
        payer.assert_paid_once(payment).await;
    }
}

#[tokio::test]
async fn payee_that_is_gone_after_a_push_was_paid() {
    let node = rpc(&Anvil::shared().await.url());
    let shop = ScriptedServer::start(|_| {
        let fields = [("www-authenticate", &*push_only(CENT)), ("connection", "close")];
        Reply::new(402, &fields, "").stop_listening()
    });
    let payer = Payer::funded(DOLLAR, &node).await;
    let (payment, failure) = payer.fails(&shop.await).await;
    assert!(matches!(&failure, Failure::Transport(error) if !error.may_have_been_sent()), "{failure:?}");
    assert_eq!((payment.state(), payment.money()), (State::PaidUndelivered, Money::Paid));
    payer.assert_paid_once(&payment).await;
}

#[tokio::test]
async fn call_dropped_during_the_broadcast_is_looked_up() {
    let took = Arc::new(Notify::new());
    let tell = Arc::clone(&took);
    let node = relay(move |method, send| match method {
        BROADCAST => {
            tell.notify_one();
            after(send(), Reply::raw("").then(Then::Silence))
        }
        _ => send(),
    });
    let payer = Payer::funded(DOLLAR, &rpc(&node.await.url("/"))).await;
    let shop = push_shop(CENT, bought).await;
    let url = shop.url("/");
    tokio::select! {
        ended = payer.customer.get(&url) => panic!("{ended:?}"),
        () = took.notified() => {}
    }
    while payer.ledger.payment(1).await.unwrap().unwrap().settled().is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let payment = payer.ledger.payment(1).await.unwrap().unwrap();
    assert_eq!((payment.state(), shop.heard().len()), (State::Paid, 1));
    payer.assert_paid_once(&payment).await;
}

#[tokio::test]
async fn payer_that_dies_at_the_broadcast_finds_it_in_its_ledger() {
    for arrives in [false, true] {
        let payer = Payer::funded(DOLLAR, &rpc(&gone())).await;
        let (dies, node) = (Arc::new(Notify::new()), Anvil::shared().await);
        let tell = Arc::clone(&dies);
        let relay = relay(move |method, send| {
            if method != BROADCAST {
                return send();
            }
            tell.notify_one();
            let silence = Reply::raw("").then(Then::Silence);
            if arrives { after(send(), silence) } else { silence }
        });
        let (relay, shop) = (relay.await.url("/"), push_shop(CENT, bought).await.url("/"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite").to_str().unwrap().to_owned();
        let (key, ledger) = (payer.key.clone(), path.clone());
        // A runtime of its own ends as a process does: nobody is left to look anything up.
        let life = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let ledger = SqlLedger::sqlite(&ledger).await.unwrap();
                let customer = Customer::new(&key, policy().max_validity(5));
                let customer = customer.with(|client| client.rpc(rpc(&relay)).ledger(ledger));
                tokio::select! {
                    ended = customer.get(&shop) => panic!("{ended:?}"),
                    () = dies.notified() => {}
                }
            });
        });
        life.await.unwrap();

        let ledger = SqlLedger::sqlite(&path).await.unwrap();
        let payment = ledger.payment(1).await.unwrap().unwrap();
        assert_eq!((payment.state(), payment.settled()), (State::Sent, None));
        let done = reconcile(&ledger, Some(&rpc(&node.url()))).await.unwrap();
        assert_eq!(matches!(done.open[..], [(_, Open::MayStillHappen { .. })]), !arrives, "{done:?}");
        let known = watch(&ledger, &rpc(&node.url()), 1).await.unwrap();
        assert_eq!(known.state(), if arrives { State::Paid } else { State::NotPaid });
        assert_eq!(payer.lost().await, known.counted().base_units());
        assert_eq!(node.memo_transfers(known.memo()).await.len(), usize::from(arrives));
    }
}

/// Somebody who pushes, and the ledger he keeps.
struct Payer {
    key: String,
    customer: Customer,
    ledger: Arc<MemoryLedger>,
    funds: u128,
}

impl Payer {
    /// One who holds this much on the shared node, and broadcasts on `node`.
    async fn funded(funds: u128, node: &Rpc) -> Self {
        let payer = Self { funds, ..Self::new(policy(), node) };
        Anvil::shared().await.fund(payer.customer.address(), funds).await;
        payer
    }

    fn new(policy: Policy, node: &Rpc) -> Self {
        let (key, ledger) = (fresh_key(), Arc::new(MemoryLedger::new()));
        let customer = Customer::new(&key, policy);
        let customer = customer.with(|client| client.ledger(Arc::clone(&ledger)).rpc(node.clone()));
        Self { key, customer, ledger, funds: 0 }
    }

    fn with(self, options: impl FnOnce(mpp_http::Client) -> mpp_http::Client) -> Self {
        Self { customer: self.customer.with(options), ..self }
    }

    async fn buys(&self, shop: &ScriptedServer) -> Payment {
        let mut answer = self.customer.get(&shop.url("/")).await.unwrap();
        answer.bytes().await.unwrap();
        let payment = answer.payment().unwrap();
        assert_eq!((payment.state(), shop.heard().len()), (State::Delivered, 2));
        payment.clone()
    }

    async fn fails(&self, shop: &ScriptedServer) -> (Payment, Failure) {
        match self.customer.get(&shop.url("/")).await.unwrap_err() {
            Error::AfterSigning { payment, failure } => (*payment, failure),
            error => panic!("{error:?}"),
        }
    }

    async fn known(&self, payment: &Payment) -> Payment {
        self.ledger.payment(payment.id()).await.unwrap().unwrap()
    }

    /// What left the account, by the chain.
    async fn lost(&self) -> u128 {
        self.funds - Anvil::shared().await.balance_of(PATH_USD, self.customer.address()).await
    }

    /// One signature, one transfer, and ledger and chain agree.
    async fn assert_paid_once(&self, payment: &Payment) {
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
    async fn assert_unpaid(&self, payment: &Payment) {
        assert_eq!((payment.state(), payment.money()), (State::NotPaid, Money::NotMoved));
        assert_eq!((payment.counted(), self.lost().await), (Amount::ZERO, 0));
        assert_eq!(self.known(payment).await, *payment);
        assert_eq!((self.customer.signatures(), self.customer.sent().len()), (1, 1));
    }
}

fn policy() -> Policy {
    Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(3 * CENT)).push(true)
}

fn fresh_key() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(2000);
    format!("{:064x}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn rpc(url: &str) -> Rpc {
    Rpc::new(url).unwrap().margin(1)
}

/// A server that asks for a push of `price` and does as `script` says once it is paid.
async fn push_shop(price: u128, script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> ScriptedServer {
    ScriptedServer::start(move |heard| match heard.credential() {
        None => Reply::new(402, &[("www-authenticate", &push_only(price))], ""),
        Some(_) => script(heard),
    })
    .await
}

/// A demand that was never made before.
fn push_only(price: u128) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let request = json!({
        "amount": price.to_string(),
        "currency": PATH_USD,
        "recipient": RECIPIENT.address,
        "methodDetails": { "chainId": CHAIN_ID, "supportedModes": ["push"] },
    });
    let request = URL_SAFE_NO_PAD.encode(request.to_string());
    format!(
        r#"Payment id="p{number}", realm="shop.test", method="tempo", intent="charge", request="{request}""#
    )
}

fn bought(heard: &Heard) -> Reply {
    Reply::new(200, &[("payment-receipt", &heard.receipt().encode())], "bought")
}

/// Passes calls on to the shared node, unless `script` has it otherwise.
async fn relay(script: impl Fn(&str, &dyn Fn() -> Reply) -> Reply + Send + Sync + 'static) -> ScriptedServer {
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
fn after(_: Reply, then: Reply) -> Reply {
    then
}

/// The transactions a node was handed, in order.
fn broadcasts(node: &ScriptedServer) -> Vec<String> {
    let calls = node.heard().into_iter().map(|heard| serde_json::from_slice::<Value>(&heard.body).unwrap());
    let calls = calls.filter(|call| call["method"] == BROADCAST);
    calls.map(|call| call["params"][0].as_str().unwrap().to_owned()).collect()
}

/// The URL of a node that no longer runs.
fn gone() -> String {
    let node = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", node.local_addr().unwrap())
}

const BROADCAST: &str = "eth_sendRawTransactionSync";
