//! What a node's answers mean for the payer's money. The node says what each test tells it; that a real one says such
//! things, and takes payments, is for the tests on a chain.

use std::sync::{Arc, Mutex};

use crate::support::{Buyer, CHAIN, payee, serve};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use mpp_core::Amount;
use mpp_gate::{Cost, Gate, RpcError, RpcSettlement, Settle};
use serde_json::{Value, json};

/// What the node says to a transaction: a status and a body.
type Script = Arc<Mutex<(u16, String)>>;

async fn node() -> (String, Script) {
    let script = Script::default();
    let said = Arc::clone(&script);
    let answer = move |body: String| async move {
        let call: Value = serde_json::from_str(&body).unwrap();
        match call["method"].as_str().unwrap() {
            "eth_chainId" => (StatusCode::OK, json!({"result": format!("{CHAIN:#x}")}).to_string()),
            "eth_sendRawTransactionSync" => {
                assert!(call["params"][0].as_str().unwrap().starts_with("0x76"));
                let (status, body) = said.lock().unwrap().clone();
                (StatusCode::from_u16(status).unwrap(), body)
            }
            other => panic!("{other} was called"),
        }
    };
    let address = serve(Router::new().route("/", post(answer))).await;
    (format!("http://{address}/"), script)
}

async fn shop(settlement: RpcSettlement) -> Buyer {
    let amount = Amount::from_base_units(10_000);
    let gate = Gate::new(payee(), settlement, move |_: &_, _: &_| Cost::Charge { amount, description: None });
    Buyer::of(serve(Router::new().route("/apple", post(|| async { "sold" })).layer(gate)).await)
}

#[tokio::test]
async fn each_answer_of_a_node_means_refused_or_unsent_or_unknown() {
    let (url, script) = node().await;
    let settlement = RpcSettlement::connect(&url).await.unwrap();
    assert_eq!(settlement.chain_id(), CHAIN);
    let buyer = shop(settlement).await;
    let error = |code: i64, message: &str| json!({"error": {"code": code, "message": message}}).to_string();
    let other = json!({"result": {"transactionHash": format!("0x{:064}", 1), "status": "0x1"}}).to_string();
    for (status, said, expected, kind, again) in [
        (200, error(-32003, "insufficient funds for gas"), 402, "payment-insufficient", 200),
        (200, error(-32003, "valid_before must be > current time"), 402, "verification-failed", 200),
        (400, error(-32602, "failed to decode transaction"), 402, "verification-failed", 200),
        (200, error(-32601, "method not found"), 503, "about:blank", 200),
        (429, "slow down".to_owned(), 503, "about:blank", 200),
        (200, error(-32000, "already known"), 502, "about:blank", 402),
        (200, error(4, "was not mined in time"), 502, "about:blank", 402),
        (200, error(-32603, "internal error"), 502, "about:blank", 402),
        (502, "<html>".to_owned(), 502, "about:blank", 402),
        (200, json!({"result": null}).to_string(), 502, "about:blank", 402),
        (200, other, 502, "about:blank", 402),
    ] {
        let (payment, credential) = buyer.payment("/apple", "").await;
        *script.lock().unwrap() = (status, said);
        buyer.post("/apple", "", &credential).await.is_problem(expected, kind);

        // Only what has surely not happened may be settled later, with the same credential.
        let receipt = json!({"transactionHash": payment.hash().unwrap().to_string(), "status": "0x1"});
        *script.lock().unwrap() = (200, json!({"result": receipt}).to_string());
        let answer = buyer.post("/apple", "", &credential).await;
        assert_eq!(answer.status.as_u16(), again, "{answer:?}");
        if again == 200 {
            answer.receipt().unwrap().check(&payment).unwrap();
        }
    }
}

#[tokio::test]
async fn a_reverted_payment_buys_nothing() {
    let (url, script) = node().await;
    let buyer = shop(RpcSettlement::connect(&url).await.unwrap()).await;
    let (payment, credential) = buyer.payment("/apple", "").await;
    let receipt = json!({"transactionHash": payment.hash().unwrap().to_string(), "status": "0x0"});
    *script.lock().unwrap() = (200, json!({"result": receipt}).to_string());
    buyer.post("/apple", "", &credential).await.is_problem(402, "verification-failed");
}

#[tokio::test]
async fn what_is_no_node_is_found_out_at_the_start() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let shop = serve(Router::new()).await;
    let connect = |url: String| async move { RpcSettlement::connect(&url).await.unwrap_err() };
    assert!(matches!(connect(format!("http://{free}")).await, RpcError::Unreachable(_)));
    assert!(matches!(connect(format!("http://{shop}")).await, RpcError::Turned { status: 404 }));
    assert!(matches!(connect("ftp://127.0.0.1".to_owned()).await, RpcError::Url));
    assert!(matches!(connect("127.0.0.1:8545".to_owned()).await, RpcError::Url));
}

#[tokio::test]
async fn a_secret_in_the_url_of_a_node_is_never_shown() {
    let (url, _) = node().await;
    let settlement = RpcSettlement::connect(&format!("{url}?key=hush")).await.unwrap();
    assert!(!format!("{settlement:?}").contains("hush"));
    let error = RpcSettlement::connect("http://127.0.0.1:1/?key=hush").await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hush"));
}
