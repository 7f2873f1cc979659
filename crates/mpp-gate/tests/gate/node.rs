//! What a node's answers mean for the payer's money. The node says what each test tells it, in the words of real ones;
//! that a real one takes payments is for the tests on a chain.

use std::sync::{Arc, Mutex};

use crate::support::{Buyer, CHAIN, payee, payer, serve};
use alloy_primitives::B256;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use mpp_core::Amount;
use mpp_gate::chain::{Chain as _, ChainError, Found};
use mpp_gate::{Charge, Cost, Gate, Node, RpcError};
use serde_json::{Value, json};

/// What the node says.
#[derive(Clone, Default)]
struct Script {
    /// To a transaction: a status and a body.
    sent: (u16, String),
    /// To who asks for a receipt.
    receipt: Value,
    /// How often that was.
    asked: u32,
    /// To what is tried out; nothing is wrong with it unless something is said.
    tried: Option<(u16, String)>,
    /// The time of its latest block.
    time: u64,
}

impl Script {
    fn error(code: i64, message: &str) -> String {
        json!({"error": {"code": code, "message": message}}).to_string()
    }
}

type Shared = Arc<Mutex<Script>>;

async fn node() -> (String, Shared) {
    let script = Shared::default();
    let said = Arc::clone(&script);
    let answer = move |body: String| async move {
        let call: Value = serde_json::from_str(&body).unwrap();
        let mut said = said.lock().unwrap();
        match call["method"].as_str().unwrap() {
            "eth_chainId" => (StatusCode::OK, json!({"result": format!("{CHAIN:#x}")}).to_string()),
            "eth_sendRawTransactionSync" => {
                assert!(call["params"][0].as_str().unwrap().starts_with("0x76"));
                (StatusCode::from_u16(said.sent.0).unwrap(), said.sent.1.clone())
            }
            "eth_getTransactionReceipt" => {
                said.asked += 1;
                (StatusCode::OK, json!({"result": said.receipt}).to_string())
            }
            "eth_call" => {
                let tried = &call["params"][0];
                assert_eq!(tried["from"], json!(payer().address()));
                assert!(tried["input"].as_str().unwrap().starts_with("0x95777d59"));
                let (status, said) = said.tried.clone().unwrap_or((200, json!({"result": "0x"}).to_string()));
                (StatusCode::from_u16(status).unwrap(), said)
            }
            "eth_getBlockByNumber" => {
                let block = json!({"timestamp": format!("{:#x}", said.time)});
                (StatusCode::OK, json!({"result": block}).to_string())
            }
            other => panic!("{other} was called"),
        }
    };
    let address = serve(Router::new().route("/", post(answer))).await;
    (format!("http://{address}/"), script)
}

async fn shop(settlement: Node) -> Buyer {
    let amount = Amount::from_base_units(10_000);
    let gate = Gate::new(payee(), settlement, move |_: &_, _: &_| Cost::Charge(Charge::new(amount)));
    let shop = Router::new().route("/apple", post(|| async { "sold" })).layer(gate.unwrap());
    Buyer::of(serve(shop).await)
}

/// A node that says `sent` to every transaction and `receipt` of each, and the shop that it settles for.
async fn scene() -> (Shared, Buyer) {
    let (url, script) = node().await;
    let settlement = Node::connect(&url).await.unwrap();
    assert_eq!(settlement.chain_id(), CHAIN);
    (script, shop(settlement).await)
}

#[tokio::test]
async fn each_answer_of_a_node_means_refused_or_unsent_or_unknown() {
    const BLANK: &str = "about:blank";
    const FAILED: &str = "verification-failed";
    const POOR: &str = "payment-insufficient";
    let (script, buyer) = scene().await;
    let error = Script::error;
    let other = json!({"result": {"transactionHash": format!("0x{:064}", 1), "status": "0x1"}}).to_string();
    let cases = [
        // Refused by anvil.
        (200, error(-32003, "insufficient fee token balance: have 0, need 25000"), 402, POOR),
        (200, error(-32003, "Tempo tx valid_before (94) must be > current time + 3s (102)"), 402, FAILED),
        (200, error(-32003, "Tempo tx valid_after (9702) must be <= current time + 1h (3702)"), 402, FAILED),
        (200, error(-32003, "max fee per gas less than block base fee"), 402, FAILED),
        (200, error(-32000, "intrinsic gas too low"), 402, FAILED),
        (200, error(-32602, "Failed to decode transaction"), 402, FAILED),
        // Refused by other nodes.
        (200, error(-32000, "insufficient funds for gas * price + value: balance 0"), 402, POOR),
        (
            200,
            error(-32000, "'valid_before' 94 is too close to current time (min allowed: 105)"),
            402,
            FAILED,
        ),
        (200, error(-32000, "'valid_after' 9702 is too far in the future (max allowed: 3702)"), 402, FAILED),
        (200, error(-32000, "transaction underpriced"), 402, FAILED),
        (400, error(-32602, "failed to decode signed transaction"), 402, FAILED),
        (200, error(-32000, "transaction type not supported"), 402, FAILED),
        (200, error(-32003, "keychain validation failed: KeyNotFound"), 402, FAILED),
        (200, error(-32003, "Access key expired: expiry 94 <= min allowed 105"), 402, FAILED),
        // Unknown, in anvil's words: of one that waits already, and of one that is valid for too long.
        (200, error(-32003, "transaction already imported"), 502, BLANK),
        (200, error(-32603, "Transaction confirmation timeout"), 502, BLANK),
        // Unknown, in others'.
        (200, error(-32000, "already known"), 502, BLANK),
        (200, error(-32000, "nonce too low: next nonce 1, tx nonce 0"), 502, BLANK),
        (200, error(-32000, "upstream request failed"), 502, BLANK),
        (200, error(4, "the transaction's valid_before was not mined in time"), 502, BLANK),
        (200, error(-32603, "internal error: insufficient funds"), 502, BLANK),
        (400, "bad request".to_owned(), 502, BLANK),
        (408, String::new(), 502, BLANK),
        (409, String::new(), 502, BLANK),
        (499, "<html>".to_owned(), 502, BLANK),
        (502, "<html>".to_owned(), 502, BLANK),
        (200, json!({"result": null}).to_string(), 502, BLANK),
        (200, other, 502, BLANK),
        // Unsent: last, as nobody is asked to pay for a while after it.
        (200, error(-32601, "Method not found"), 503, BLANK),
        (401, error(-32000, "no key"), 503, BLANK),
        (403, String::new(), 503, BLANK),
        (404, "<html>".to_owned(), 503, BLANK),
        (405, String::new(), 503, BLANK),
        (413, String::new(), 503, BLANK),
        (429, "slow down".to_owned(), 503, BLANK),
    ];
    let mut payments = Vec::new();
    for _ in &cases {
        payments.push(buyer.payment("/apple", "").await);
    }
    for ((status, said, expected, kind), (payment, credential)) in cases.into_iter().zip(payments) {
        let case = format!("{status} {said}");
        *script.lock().unwrap() = Script { sent: (status, said), ..Script::default() };
        let answer = buyer.post("/apple", "", &credential).await;
        assert_eq!(answer.status.as_u16(), expected, "{case}: {answer:?}");
        answer.is_problem(expected, kind);
        // What was sent, and not taken for certain, is looked for.
        assert_eq!(script.lock().unwrap().asked, u32::from(expected != 503), "{case}");

        // What has surely not happened may be settled later, with the same credential.
        if expected == 502 {
            continue;
        }
        let receipt = json!({"transactionHash": payment.hash().unwrap().to_string(), "status": "0x1"});
        script.lock().unwrap().sent = (200, json!({"result": receipt, "error": null}).to_string());
        let answer = buyer.post("/apple", "", &credential).await;
        assert_eq!(answer.status, 200, "{case}: {answer:?}");
        answer.receipt().unwrap().check(&payment).unwrap();
    }
}

#[tokio::test]
async fn the_receipt_decides_what_the_node_left_open() {
    let (script, buyer) = scene().await;
    for sent in [
        (200, Script::error(-32603, "Transaction confirmation timeout")),
        (200, Script::error(-32000, "already known")),
        (504, "<html>".to_owned()),
    ] {
        for (status, expected) in [("0x1", 200), ("0x0", 402)] {
            let (payment, credential) = buyer.payment("/apple", "").await;
            let receipt = json!({"transactionHash": payment.hash().unwrap().to_string(), "status": status});
            *script.lock().unwrap() = Script { sent: sent.clone(), receipt, ..Script::default() };
            let answer = buyer.post("/apple", "", &credential).await;
            assert_eq!(answer.status.as_u16(), expected, "{sent:?}: {answer:?}");
            assert_eq!(script.lock().unwrap().asked, 1);
            match status {
                "0x1" => answer.receipt().unwrap().check(&payment).unwrap(),
                _ => answer.is_problem(402, "verification-failed"),
            }
        }
    }
}

#[tokio::test]
async fn a_reverted_payment_buys_nothing() {
    let (script, buyer) = scene().await;
    let (payment, credential) = buyer.payment("/apple", "").await;
    let receipt = json!({"transactionHash": payment.hash().unwrap().to_string(), "status": "0x0"});
    script.lock().unwrap().sent = (200, json!({"result": receipt}).to_string());
    buyer.post("/apple", "", &credential).await.is_problem(402, "verification-failed");
}

#[tokio::test]
async fn what_is_no_node_is_found_out_at_the_start() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let shop = serve(Router::new()).await;
    let connect = |url: String| async move { Node::connect(&url).await.unwrap_err() };
    assert!(matches!(connect(format!("http://{free}")).await, RpcError::Unreachable(_)));
    assert!(matches!(connect(format!("http://{shop}")).await, RpcError::Turned { status: 404 }));
    assert!(matches!(connect("ftp://127.0.0.1".to_owned()).await, RpcError::Url));
    assert!(matches!(connect("127.0.0.1:8545".to_owned()).await, RpcError::Url));
}

#[tokio::test]
async fn a_node_elsewhere_is_not_asked_in_the_clear() {
    for host in ["rpc.invalid", "192.0.2.1", "[2001:db8::1]", "localhost.invalid", "127.0.0.1@rpc.invalid"] {
        let error = Node::connect(&format!("http://{host}/")).await.unwrap_err();
        assert!(matches!(error, RpcError::Cleartext), "{host}: {error}");
    }
    for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
        let error = Node::connect(&format!("http://{host}:1/")).await.unwrap_err();
        assert!(matches!(error, RpcError::Unreachable(_)), "{host}: {error}");
    }
}

#[tokio::test]
async fn a_secret_in_the_url_of_a_node_is_never_shown() {
    let (url, _) = node().await;
    let settlement = Node::connect(&format!("{url}?key=hush")).await.unwrap();
    assert!(!format!("{settlement:?}").contains("hush"));
    let error = Node::connect("http://127.0.0.1:1/?key=hush").await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hush"));
}

#[tokio::test]
async fn a_payment_that_would_fail_is_not_sent_and_one_that_cannot_be_tried_out_neither() {
    let (script, buyer) = scene().await;
    let error = Script::error;
    for (tried, status, kind) in [
        ((200, error(3, "execution reverted: InsufficientBalance(0, 10000)")), 402, "payment-insufficient"),
        ((200, error(-32000, "insufficient funds")), 402, "payment-insufficient"),
        ((200, error(3, "execution reverted: Paused()")), 402, "verification-failed"),
        ((200, error(-32003, "nope")), 402, "verification-failed"),
        ((502, "<html>".to_owned()), 503, "about:blank"),
    ] {
        let (_, credential) = buyer.payment("/apple", "").await;
        // To send it would panic.
        *script.lock().unwrap() =
            Script { tried: Some(tried), sent: (0, String::new()), ..Script::default() };
        buyer.post("/apple", "", &credential).await.is_problem(status, kind);
        assert_eq!(script.lock().unwrap().asked, 0);
    }
}

#[tokio::test]
async fn a_payer_with_too_little_is_told_what_he_has_and_what_it_takes() {
    let (script, buyer) = scene().await;
    let word = |number: u64| format!("{number:064x}");
    let token = format!("{:0>64}", "20c0000000000000000000000000000000000000");
    let words = [word(2_500), word(10_000), token].concat();
    // As anvil says it, and as nodes say it that leave the words to the data.
    for message in [&format!("execution reverted: custom error 0x832f98b5: {words}"), "execution reverted"] {
        let error = json!({"code": 3, "message": message, "data": format!("0x832f98b5{words}")});
        let tried = (200, json!({ "error": error }).to_string());
        let (_, credential) = buyer.payment("/apple", "").await;
        *script.lock().unwrap() = Script { tried: Some(tried), ..Script::default() };
        let answer = buyer.post("/apple", "", &credential).await;
        answer.is_problem(402, "payment-insufficient");
        let told = "the payment was refused: the payer has 0.0025 dollars of pathUSD, the payment takes 0.01";
        assert_eq!(answer.json()["detail"], told);
    }
}

#[tokio::test]
async fn a_refusal_is_none_unless_the_node_also_says_that_it_was_not_made() {
    let (script, buyer) = scene().await;
    let (_, credential) = buyer.payment("/apple", "").await;
    let sent = (200, Script::error(-32003, "insufficient funds"));
    *script.lock().unwrap() = Script { sent, receipt: json!({"status": "odd"}), ..Script::default() };
    buyer.post("/apple", "", &credential).await.is_problem(502, "about:blank");
}

#[tokio::test]
async fn what_is_not_on_the_chain_will_never_be_once_its_time_is_over_by_the_chains_clock() {
    let (url, script) = node().await;
    let node = Node::connect(&url).await.unwrap();
    let hash = B256::repeat_byte(5);
    let never = async |time: u64, end: Option<u64>, node: &Node| {
        script.lock().unwrap().time = time;
        match node.find(hash, end).await.unwrap() {
            Found::Never => true,
            Found::NotYet => false,
            found => panic!("{found:?}"),
        }
    };
    assert!(!never(1000, Some(1000), &node).await);
    assert!(!never(1029, Some(1000), &node).await);
    assert!(never(1030, Some(1000), &node).await);
    assert!(!never(u64::MAX, None, &node).await);
    let eager = node.clone().margin(2);
    assert!(!never(1001, Some(1000), &eager).await);
    assert!(never(1002, Some(1000), &eager).await);

    // Whatever the time, a receipt decides.
    for (status, found) in [("0x1", Found::Done(Vec::new())), ("0x0", Found::Reverted)] {
        script.lock().unwrap().receipt = json!({"transactionHash": hash.to_string(), "status": status});
        assert_eq!(node.find(hash, Some(1)).await.unwrap(), found);
    }
    script.lock().unwrap().receipt = json!({"transactionHash": B256::ZERO.to_string(), "status": "0x1"});
    assert!(matches!(node.find(hash, Some(1)).await, Err(ChainError::Unavailable { .. })));
}
