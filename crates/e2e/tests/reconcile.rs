//! What became of payments nobody heard of again: the ledger learns it from a real chain, to the base unit, and
//! learns nothing from a node that is silent, elsewhere, or lies.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use alloy_primitives::{Address, hex};
use bytes::Bytes;
use e2e::{Anvil, CHAIN_ID, Customer, Heard, MppxServer, PATH_USD, Reply, ScriptedServer, Then};
use mpp_core::tempo::{B256, LocalSigner, SignFuture, Signer, Unsigned};
use mpp_core::{Amount, Policy};
use mpp_http::chain::{Rpc, RpcError};
use mpp_http::ledger::{Ledger, MemoryLedger, Open, ReconcileError, Settled, State, reconcile, watch};
use mpp_http::{Client, Money, Payment, ReqwestTransport, Transport};
use serde_json::{Value, json};
use tokio::sync::Notify;

const CENT: u128 = 10_000;
const DOLLAR: u128 = 1_000_000;

#[tokio::test]
async fn lost_answer_to_a_payment_that_landed_is_paid_to_the_unit() {
    let (node, payer) = (Anvil::shared().await, Payer::funded(DOLLAR).await);
    let payment = payer.lose(&silent_shop().await).await;
    assert_eq!((payment.state(), payment.counted().base_units()), (State::Unknown, CENT + 25_000));
    land(node, &payment).await;
    let known = watch(&*payer.ledger, &rpc(node), payment.id()).await.unwrap();
    assert_eq!((known.state(), known.money()), (State::PaidUndelivered, Money::Paid));
    let settled = known.settled().unwrap();
    assert_eq!((settled.hash, settled.amount.base_units()), (payment.hash(), CENT));
    assert!(settled.fee > Amount::ZERO && settled.fee < payment.quote().fee_ceiling);
    assert_eq!(payer.lost().await, settled.amount.base_units() + settled.fee.base_units());
    assert_eq!(payer.lost().await, known.counted().base_units());
}

#[tokio::test]
async fn payment_nobody_broadcast_is_open_until_its_end_and_then_dead() {
    let (node, payer) = (Anvil::shared().await, Payer::funded(DOLLAR).await.validity(2));
    let payment = payer.lose(&silent_shop().await).await;
    let until = payment.valid_before().unwrap() + 1;
    let open = reconcile(&*payer.ledger, Some(&rpc(node))).await.unwrap().open;
    assert!(matches!(open[..], [(_, Open::MayStillHappen { until: when })] if when == until), "{open:?}");
    assert_eq!(payer.known(&payment).await, payment);

    let known = watch(&*payer.ledger, &rpc(node), payment.id()).await.unwrap();
    assert!(node.latest_timestamp().await >= until);
    assert_eq!((known.state(), known.money()), (State::NotPaid, Money::NotMoved));
    assert_eq!(known.counted(), Amount::ZERO);
    // It is as dead as that: not even its own bytes bring it back.
    let refused = node.rpc("eth_sendRawTransaction", json!([raw(&known)])).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(payer.lost().await, 0);
}

#[tokio::test]
async fn delivered_payment_counts_its_real_fee_and_a_sponsored_one_none() {
    let (node, payer) = (Anvil::shared().await, Payer::funded(DOLLAR).await);
    let shop = MppxServer::start(node).await;
    for (route, sponsored) in [("/pull", false), ("/sponsored", true)] {
        let before = payer.lost().await;
        let mut answer = payer.customer.get(&shop.url(route)).await.unwrap();
        answer.bytes().await.unwrap();
        let payment = answer.payment().unwrap().clone();
        let ceiling = if sponsored { 0 } else { 25_000 };
        assert_eq!((payment.state(), payment.counted().base_units()), (State::Delivered, CENT + ceiling));

        let done = reconcile(&*payer.ledger, Some(&rpc(node))).await.unwrap();
        let [known] = &done.settled[..] else { panic!("{done:?}") };
        let Settled { hash, amount, fee, .. } = known.settled().unwrap();
        assert_eq!((known.id(), known.state()), (payment.id(), State::Delivered));
        assert_eq!((*hash, amount.base_units()), (payment.receipt().unwrap().hash(), CENT));
        assert_eq!(*fee == Amount::ZERO, sponsored);
        assert_eq!(payer.lost().await - before, known.counted().base_units());
        assert!(done.open.is_empty() && payer.ledger.payments(None, 9, true).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn answer_delivered_for_a_payment_that_was_never_taken_costs_nothing() {
    let (node, payer) = (Anvil::shared().await, Payer::funded(DOLLAR).await.validity(2));
    let generous = shop_at(CENT, |_| Reply::new(200, &[], "bought")).await;
    let mut answer = payer.customer.get(&generous.url("/")).await.unwrap();
    answer.bytes().await.unwrap();
    let known = watch(&*payer.ledger, &rpc(node), answer.payment().unwrap().id()).await.unwrap();
    assert_eq!((known.state(), known.money()), (State::Delivered, Money::NotMoved));
    assert_eq!((known.counted(), payer.lost().await), (Amount::ZERO, 0));
}

#[tokio::test]
async fn reverted_payment_moved_nothing_but_its_fee() {
    // Enough to promise the fee, too little for the price.
    let (node, payer) = (Anvil::shared().await, Payer::funded(26_000).await);
    let dear = shop_at(3 * CENT, |_| Reply::new(500, &[], "")).await;
    let payment = payer.lose(&dear).await;
    land(node, &payment).await;
    assert!(!node.transaction(payment.hash().unwrap()).await.unwrap().succeeded);
    let known = watch(&*payer.ledger, &rpc(node), payment.id()).await.unwrap();
    let settled = known.settled().unwrap();
    assert_eq!((known.state(), known.money()), (State::NotPaid, Money::NotMoved));
    assert_eq!((settled.hash, settled.amount), (payment.hash(), Amount::ZERO));
    assert!(settled.fee > Amount::ZERO);
    assert_eq!(payer.lost().await, known.counted().base_units());
}

#[tokio::test]
async fn two_sponsored_payments_of_one_challenge_are_told_apart_by_their_signatures() {
    let (node, payer) = (Anvil::shared().await, Payer::funded(DOLLAR).await.validity(5));
    let real = MppxServer::start(node).await;
    let thief = thief(&real.url("/sponsored")).await;
    let (dead, alive) = (payer.lose(&thief).await, payer.lose(&thief).await);
    assert_eq!((dead.memo(), dead.hash(), alive.hash()), (alive.memo(), None, None));
    let credential = thief.heard()[3].header("authorization").unwrap().to_owned();
    assert_eq!(get(&real.url("/sponsored"), Some(&credential)).await.status(), 200);

    let done = reconcile(&*payer.ledger, Some(&rpc(node))).await.unwrap();
    let ([known], [(open, why)]) = (&done.settled[..], &done.open[..]) else { panic!("{done:?}") };
    assert_eq!((known.id(), known.state()), (alive.id(), State::PaidUndelivered));
    let [mined] = &node.memo_transfers(alive.memo()).await[..] else { panic!("not one transfer") };
    let settled = known.settled().unwrap();
    assert_eq!((settled.hash, settled.amount.base_units()), (Some(mined.transaction), CENT));
    assert_eq!((settled.fee, known.hash()), (Amount::ZERO, settled.hash));
    assert!(open.id() == dead.id() && matches!(why, Open::MayStillHappen { .. }), "{open:?} {why}");
    let known = watch(&*payer.ledger, &rpc(node), dead.id()).await.unwrap();
    assert_eq!((known.state(), payer.lost().await), (State::NotPaid, CENT));
}

#[tokio::test]
async fn payment_without_an_outcome_is_looked_up_in_the_background() {
    let (node, payer) = (Anvil::shared().await, Payer::funded(DOLLAR).await);
    let payer = payer.with(|client| client.rpc(rpc(node)));
    let payment = payer.lose(&silent_shop().await).await;
    land(node, &payment).await;
    let looked_up = async {
        while payer.known(&payment).await.settled().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looked_up).await.unwrap();
    assert_eq!(payer.known(&payment).await.state(), State::PaidUndelivered);
}

#[tokio::test]
async fn payment_that_is_being_signed_is_left_alone() {
    let signing = Arc::new((Notify::new(), Notify::new()));
    let slow = SlowSigner(LocalSigner::from_hex(&fresh_key()).unwrap(), Arc::clone(&signing));
    let payer = Payer::new(Customer::with_signer(slow, policy()));
    let generous = shop_at(CENT, |_| Reply::new(200, &[], "bought")).await;
    let url = generous.url("/");
    let call = payer.customer.get(&url);
    let meanwhile = async {
        signing.0.notified().await;
        let done = reconcile(&*payer.ledger, Some(&node_that(|_, _| None).await)).await.unwrap();
        assert!(matches!(done.open[..], [(_, Open::Reserved)]) && done.settled.is_empty(), "{done:?}");
        signing.1.notify_one();
    };
    let (answer, ()) = tokio::join!(call, meanwhile);
    assert_eq!(answer.unwrap().payment().unwrap().state(), State::Paid);
}

#[tokio::test]
async fn without_a_node_nothing_is_proven() {
    let payer = Payer::poor();
    let payment = payer.lose(&silent_shop().await).await;
    let done = reconcile(&*payer.ledger, None).await.unwrap();
    assert!(matches!(done.open[..], [(_, Open::NoNode)]) && done.settled.is_empty(), "{done:?}");
    assert_eq!(payer.known(&payment).await, payment);
}

#[tokio::test]
async fn node_on_another_chain_changes_nothing() {
    let (elsewhere, payer) = (Anvil::start(42431).await, Payer::poor().validity(1));
    let payment = payer.lose(&silent_shop().await).await;
    let done = reconcile(&*payer.ledger, Some(&rpc(&elsewhere))).await.unwrap();
    let [(open, Open::OtherChain { asked: CHAIN_ID, node: 42431 })] = &done.open[..] else {
        panic!("{done:?}")
    };
    assert_eq!((open, payer.known(&payment).await), (&payment, payment.clone()));
    let error = watch(&*payer.ledger, &rpc(&elsewhere), payment.id()).await.unwrap_err();
    assert!(matches!(error, ReconcileError::Node(RpcError::Chain { .. })), "{error:?}");
}

#[tokio::test]
async fn silent_node_changes_nothing_is_asked_once_and_its_url_stays_secret() {
    let gone = ScriptedServer::start(|_| Reply::new(200, &[], "").stop_listening()).await;
    get(&gone.url("/"), None).await;
    let away = ScriptedServer::start(|_| Reply::new(302, &[("location", "/elsewhere")], "")).await;
    let cut = ScriptedServer::start(|_| Reply::raw("HTTP/1.1 200 OK\r\n").then(Then::Close)).await;
    let long = ScriptedServer::start(|_| Reply::new(200, &[], vec![b' '; 10 << 20])).await;
    for server in [&gone, &away, &cut, &long] {
        let payer = Payer::poor();
        let shop = silent_shop().await;
        let (first, second) = (payer.lose(&shop).await, payer.lose(&shop).await);
        let node = Rpc::new(&server.url("/v2/S3CR3T-KEY?key=S3CR3T-KEY")).unwrap();
        let done = reconcile(&*payer.ledger, Some(&node)).await.unwrap();
        let [(_, Open::Failed(error)), (_, Open::NotAsked)] = &done.open[..] else { panic!("{done:?}") };
        let mut said = format!("{node:?} {done:?} {}", done.open[0].1);
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            said += &format!(" {error} {error:?}");
            cause = error.source();
        }
        assert!(!said.contains("S3CR3T"), "{said}");
        assert_eq!((payer.known(&first).await, payer.known(&second).await), (first, second));
        assert!(server.heard().len() <= 1, "it was asked again");
    }
    assert!(long.written().await < 6 << 20, "ten megabytes were read");
}

#[tokio::test]
async fn node_that_answers_nonsense_changes_nothing() {
    let hash = B256::repeat_byte(1);
    let lies: [(&str, Value); 17] = [
        ("eth_chainId", json!("31337")),
        ("eth_chainId", json!(31337)),
        ("eth_chainId", json!("0x7a6900000000000000000")),
        ("eth_getBlockByNumber", json!(null)),
        ("eth_getBlockByNumber", json!([{ "number": "0x1" }])),
        ("eth_getBlockByNumber", json!({ "number": "0x1", "timestamp": "soon" })),
        ("eth_getTransactionReceipt", json!("paid")),
        ("eth_getTransactionReceipt", json!({ "transactionHash": hash, "status": "0x0", "logs": [] })),
        ("eth_getTransactionReceipt", json!({ "transactionHash": "ours", "status": "0x1" })),
        ("eth_getTransactionReceipt", json!({ "transactionHash": "ours", "status": "0x2", "logs": [] })),
        ("eth_getTransactionReceipt", json!({ "transactionHash": "ours", "status": true, "logs": [] })),
        ("eth_getTransactionReceipt", json!({ "transactionHash": "ours", "status": "0x1", "logs": {} })),
        ("eth_getTransactionReceipt", json!({ "transactionHash": "ours", "status": "0x1", "logs": [] })),
        ("eth_getTransactionReceipt", json!({ "transactionHash": "ours", "status": "0x1", "logs": [1, {}] })),
        ("eth_getTransactionReceipt", receipt(json!(format!("0x1{:063x}", CENT)))),
        ("eth_getTransactionReceipt", receipt(json!(format!("0x{}", "f".repeat(200))))),
        ("eth_getTransactionReceipt", receipt(json!("0xé"))),
    ];
    let payer = Payer::poor();
    let payment = payer.lose(&silent_shop().await).await;
    for (method, lie) in lies {
        let lie = ours(lie, &payment);
        let node = node_that(move |asked, _| (asked == method).then(|| lie.clone())).await;
        let done = reconcile(&*payer.ledger, Some(&node)).await.unwrap();
        let [(_, Open::Failed(RpcError::Answer(_)))] = &done.open[..] else { panic!("{method}: {done:?}") };
        assert_eq!(payer.known(&payment).await, payment);
    }
    // The same node believed once it makes sense.
    let truth = ours(receipt(json!(format!("0x{CENT:064x}"))), &payment);
    let node = node_that(move |asked, _| (asked == "eth_getTransactionReceipt").then(|| truth.clone())).await;
    let done = reconcile(&*payer.ledger, Some(&node)).await.unwrap();
    assert_eq!(done.settled[0].counted().base_units(), CENT);
}

#[tokio::test]
async fn node_that_answers_no_json_or_an_error_changes_nothing() {
    let bodies: [(&[u8], bool); 7] = [
        (b"", false),
        (b"<html>", false),
        (b"{}", false),
        (b"\xff\xfe", false),
        (&[b'['; 100_000], false),
        (br#"{"error":{"code":-32005,"message":"limit of \u001b[2Jkey S3CR3T-KEY"}}"#, true),
        (br#"{"error":7,"result":"0x7a69"}"#, true),
    ];
    let payer = Payer::poor();
    let payment = payer.lose(&silent_shop().await).await;
    for (body, refused) in bodies {
        let server = ScriptedServer::start(move |_| Reply::new(200, &[], body)).await;
        let node = Rpc::new(&server.url("/S3CR3T-KEY")).unwrap();
        let done = reconcile(&*payer.ledger, Some(&node)).await.unwrap();
        let [(_, why @ Open::Failed(error))] = &done.open[..] else { panic!("{done:?}") };
        assert_eq!(matches!(error, RpcError::Node { .. }), refused, "{error:?}");
        assert!(!format!("{why} {why:?}").contains("S3CR3T") && !why.to_string().contains('\u{1b}'));
        assert_eq!(payer.known(&payment).await, payment);
    }
}

#[tokio::test]
async fn payment_that_may_have_happened_between_two_questions_stays_open() {
    let payer = Payer::poor();
    let payment = payer.lose(&silent_shop().await).await;
    let asked = AtomicBool::new(false);
    let node = node_that(move |method, _| match method {
        "eth_getTransactionReceipt" => {
            asked.store(true, Ordering::SeqCst);
            None
        }
        // Its end has come only once it was asked about.
        "eth_getBlockByNumber" if !asked.load(Ordering::SeqCst) => {
            Some(json!({ "number": "0x1", "timestamp": "0x1" }))
        }
        _ => None,
    });
    assert_eq!(node.await.find(&payment, 7).await.unwrap(), None);
}

#[tokio::test]
async fn node_that_forgot_the_payment_s_time_does_not_make_it_unpaid() {
    let payer = Payer::poor();
    let payment = payer.lose(&silent_shop().await).await;
    for (kept, dead) in [(Value::Null, false), (json!({}), true)] {
        let node = node_that(move |asked, params| match asked {
            "eth_getTransactionByBlockNumberAndIndex" => Some(json!({ "hash": B256::repeat_byte(7) })),
            "eth_getTransactionReceipt" if params[0] == json!(B256::repeat_byte(7)) => Some(kept.clone()),
            _ => None,
        });
        let done = reconcile(&*payer.ledger, Some(&node.await)).await.unwrap();
        assert_eq!(done.settled.len() == 1, dead, "{done:?}");
        assert!(dead || matches!(done.open[..], [(_, Open::Failed(RpcError::Forgotten))]), "{done:?}");
        assert_eq!(payer.known(&payment).await.state() == State::NotPaid, dead);
    }
}

#[tokio::test]
async fn sponsored_payment_is_searched_for_in_few_blocks_and_taken_from_nobody_else() {
    let (real, payer) = (MppxServer::start(Anvil::shared().await).await, Payer::poor());
    let payment = payer.lose(&thief(&real.url("/sponsored")).await).await;
    let (from, end) = (payer.customer.address(), payment.valid_before().unwrap());
    let strangers = json!({ "from": PATH_USD });
    let another = json!({ "from": from, "signature": { "r": "0x1", "s": "0x2" } });
    let unreadable = json!({ "from": from, "signature": { "r": 1 } });
    for (found, understood) in [(strangers, true), (another, true), (unreadable, false), (json!({}), false)] {
        let node = node_that(move |asked, params| match asked {
            "eth_getLogs" => {
                let [from, to] = ["fromBlock", "toBlock"].map(|name| number(&params[0][name]));
                assert!(time(from) <= end - 30 && end <= time(to) && to - from < 1000, "{from} to {to}");
                Some(json!([{ "transactionHash": B256::repeat_byte(9) }]))
            }
            "eth_getTransactionByHash" => Some(found.clone()),
            _ => None,
        });
        match node.await.find(&payment, 7).await {
            Ok(found) => assert!(understood && found.unwrap().hash.is_none()),
            Err(error) => assert!(!understood && matches!(error, RpcError::Answer(_)), "{error:?}"),
        }
    }
}

#[test]
fn err_node_in_the_clear_or_by_password() {
    for url in ["http://node.example/", "ftp://127.0.0.1/", "127.0.0.1:1", "/", "https://a:b@node.example/"] {
        assert!(matches!(Rpc::new(url), Err(RpcError::Url)), "{url}");
    }
    for url in ["https://node.example/key", "http://127.0.0.1:1", "http://[::1]:1/", "http://localhost/"] {
        assert!(Rpc::new(url).is_ok(), "{url}");
    }
}

/// Somebody who pays, and the ledger he keeps.
struct Payer {
    key: String,
    customer: Customer,
    ledger: Arc<MemoryLedger>,
    funds: u128,
}

impl Payer {
    /// One who holds this much on the shared node.
    async fn funded(funds: u128) -> Self {
        let payer = Self { funds, ..Self::poor() };
        Anvil::shared().await.fund(payer.customer.address(), funds).await;
        payer
    }

    /// One who holds nothing anywhere.
    fn poor() -> Self {
        let key = fresh_key();
        let payer = Self::new(Customer::new(&key, policy()));
        Self { key, ..payer }
    }

    fn new(customer: Customer) -> Self {
        let ledger = Arc::new(MemoryLedger::new());
        let customer = customer.with(|client| client.ledger(Arc::clone(&ledger)));
        Self { key: String::new(), customer, ledger, funds: 0 }
    }

    /// The same one, whose payments live that many seconds.
    fn validity(self, seconds: u64) -> Self {
        let Self { customer, ledger, .. } =
            Self::new(Customer::new(&self.key, policy().max_validity(seconds)));
        Self { customer, ledger, ..self }
    }

    fn with(self, options: impl FnOnce(Client) -> Client) -> Self {
        Self { customer: self.customer.with(options), ..self }
    }

    /// Pays a server that gives nothing for it.
    async fn lose(&self, shop: &ScriptedServer) -> Payment {
        let error = self.customer.get(&shop.url("/")).await.unwrap_err();
        assert_eq!(error.money(), Money::Unknown, "{error:?}");
        error.payment().unwrap().clone()
    }

    /// What the ledger knows of a payment.
    async fn known(&self, payment: &Payment) -> Payment {
        self.ledger.payment(payment.id()).await.unwrap().unwrap()
    }

    /// What left the account, by the chain.
    async fn lost(&self) -> u128 {
        self.funds - Anvil::shared().await.balance_of(PATH_USD, self.customer.address()).await
    }
}

struct SlowSigner(LocalSigner, Arc<(Notify, Notify)>);

impl Signer for SlowSigner {
    fn address(&self) -> Address {
        self.0.address()
    }

    fn sign<'a>(&'a self, payment: &'a Unsigned) -> SignFuture<'a> {
        Box::pin(async move {
            self.1.0.notify_one();
            self.1.1.notified().await;
            Ok(self.0.sign(payment))
        })
    }
}

fn policy() -> Policy {
    Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(3 * CENT))
}

fn fresh_key() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(1000);
    format!("{:064x}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// A server that asks for `price` and does as `script` says once it is paid.
async fn shop_at(price: u128, script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> ScriptedServer {
    let price = Amount::from_base_units(price);
    ScriptedServer::start(move |heard| match heard.credential() {
        None => Reply::payment_required(&e2e::demand(price, None, 300)),
        Some(_) => script(heard),
    })
    .await
}

/// One that takes the credential and hangs up.
async fn silent_shop() -> ScriptedServer {
    shop_at(CENT, |_| Reply::raw("").then(Then::Close)).await
}

/// One that asks everybody for what the server at `url` asked it, and fails once it has the credential.
async fn thief(url: &str) -> ScriptedServer {
    let asked = get(url, None).await;
    let challenge = asked.headers()["www-authenticate"].to_str().unwrap().to_owned();
    ScriptedServer::start(move |heard| match heard.credential() {
        None => Reply::new(402, &[("www-authenticate", &challenge)], ""),
        Some(_) => Reply::new(500, &[], ""),
    })
    .await
}

async fn get(url: &str, credential: Option<&str>) -> http::Response<mpp_http::Body> {
    let request = http::Request::get(url).header("authorization", credential.unwrap_or("none"));
    ReqwestTransport::default().send(request.body(Bytes::new()).unwrap()).await.unwrap()
}

fn rpc(node: &Anvil) -> Rpc {
    Rpc::new(&node.url()).unwrap().margin(1)
}

fn raw(payment: &Payment) -> String {
    hex::encode_prefixed(payment.transaction().unwrap())
}

/// Has a payment mined that its payee kept to itself.
async fn land(node: &Anvil, payment: &Payment) {
    node.rpc("eth_sendRawTransactionSync", json!([raw(payment)])).await.unwrap();
}

/// A node that answers as `script` says, and else as one on which nothing happened, a day from now: its blocks come
/// twice a second.
async fn node_that(script: impl Fn(&str, &Value) -> Option<Value> + Send + Sync + 'static) -> Rpc {
    let head = (UNIX_EPOCH.elapsed().unwrap().as_secs() + 86_400 - GENESIS) * 2;
    let server = ScriptedServer::start(move |heard| {
        let call: Value = serde_json::from_slice(&heard.body).unwrap();
        let (method, params) = (call["method"].as_str().unwrap(), &call["params"]);
        let answer = script(method, params).unwrap_or_else(|| match method {
            "eth_chainId" => json!(format!("{CHAIN_ID:#x}")),
            "eth_getBlockByNumber" => {
                let block = if params[0] == "latest" { head } else { number(&params[0]) };
                json!({ "number": format!("{block:#x}"), "timestamp": format!("{:#x}", time(block)) })
            }
            _ => Value::Null,
        });
        Reply::new(200, &[], json!({ "jsonrpc": "2.0", "id": 1, "result": answer }).to_string())
    });
    Rpc::new(&server.await.url("/")).unwrap()
}

const GENESIS: u64 = 1_700_000_000;

fn time(block: u64) -> u64 {
    GENESIS + block / 2
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
}

/// A receipt of "ours" in which "payer" transfers `amount`.
fn receipt(amount: Value) -> Value {
    let topics = ["0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", "payer", "0x8"];
    let log = json!({ "address": PATH_USD, "topics": topics, "data": amount });
    json!({ "transactionHash": "ours", "status": "0x1", "logs": [log] })
}

fn ours(answer: Value, payment: &Payment) -> Value {
    let hash = payment.hash().unwrap().to_string();
    let answer = answer.to_string().replace("\"ours\"", &json!(hash).to_string());
    serde_json::from_str(&answer.replace("\"payer\"", &json!(payment.payer().into_word()).to_string()))
        .unwrap()
}
