//! Nodes that say nothing, too little, or what is not so: nothing is learnt from them, and nothing given away to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use e2e::{Anvil, CHAIN_ID, Customer, MppxServer, PATH_USD, Reply, ScriptedServer, Then};
use mpp_core::tempo::{B256, LocalSigner};
use mpp_http::Payment;
use mpp_http::chain::{Rpc, RpcError};
use mpp_http::ledger::State;
use mpp_http::reconcile::{Open, ReconcileError, reconcile, watch};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::CENT;
use crate::payer::{Payer, SlowSigner, fresh_key, get, policy, rpc, shop_at, silent_shop, thief};

#[tokio::test]
async fn payment_that_is_being_signed_is_left_alone() {
    let (asked, told) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let signer = LocalSigner::from_hex(&fresh_key()).unwrap();
    let slow = SlowSigner { signer, asked: Arc::clone(&asked), told: Arc::clone(&told) };
    let payer = Payer::new(Customer::with_signer(slow, policy()));
    let generous = shop_at(CENT, |_| Reply::new(200, &[], "bought")).await;
    let url = generous.url("/");
    let call = payer.customer.get(&url);
    let meanwhile = async {
        asked.notified().await;
        let done = reconcile(&*payer.ledger, Some(&node_that(|_, _| None).await)).await.unwrap();
        assert!(matches!(done.open[..], [(_, Open::UnderWay)]) && done.settled.is_empty(), "{done:?}");
        told.notify_one();
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
            // Every other block is empty.
            "eth_getTransactionByBlockNumberAndIndex" if number(&params[0]).is_multiple_of(2) => None,
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
