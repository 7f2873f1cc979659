//! The gateway as its sandbox serves it, paid over a real socket by a payer that writes its own credentials.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::net::TcpListener;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use alloy_primitives::{Address, address};
use axum::Router;
use axum::routing::post;
use grok_gateway::sandbox::{Sandbox, SandboxError, SandboxOptions};
use mpp_core::tempo::{Fees, LocalSigner, SignedPayment};
use mpp_core::{Amount, Challenge, ChargeRequest, Policy, Receipt};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::{Value, json};

const ROUTE: &str = "/grok/code-execution";
const FUNDS: u128 = 1_000_000;
const FEE: u128 = 29;
const FEE_COLLECTOR: Address = address!("feec000000000000000000000000000000000000");

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn challenge(&self) -> Challenge {
        assert_eq!(self.status, 402, "{}", self.body);
        Challenge::parse_all([self.headers["www-authenticate"].as_bytes()]).remove(0).unwrap()
    }

    fn is_refused(&self, status: u16, error: &str) {
        let body = self.json();
        assert_eq!(
            (self.status, &body["error"], &body["success"]),
            (status, &json!(error), &json!(false)),
            "{body}"
        );
        assert!(!body["message"].as_str().unwrap().is_empty());
        assert_eq!(self.headers["content-type"], "application/json");
        assert!(!self.headers.contains_key("www-authenticate"));
    }
}

#[derive(Clone)]
struct Payer {
    http: Client,
    url: String,
    signer: Arc<LocalSigner>,
    policy: Policy,
}

impl Payer {
    fn of(sandbox: &Sandbox, signer: LocalSigner) -> Self {
        let policy = Policy::new(sandbox.chain_id(), [sandbox.token()], "0.50".parse().unwrap());
        Payer { http: http(), url: sandbox.base_url().to_owned(), signer: Arc::new(signer), policy }
    }

    async fn send(&self, method: Method, route: &str, body: &str, credential: Option<&str>) -> Answer {
        let request = self.http.request(method, format!("{}{route}", self.url)).body(body.to_owned());
        let request = credential.into_iter().fold(request, |it, value| it.header("authorization", value));
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    async fn post(&self, body: &str, credential: Option<&str>) -> Answer {
        self.send(Method::POST, ROUTE, body, credential).await
    }

    async fn payment(&self, body: &str) -> (SignedPayment, String) {
        static SALT: AtomicU64 = AtomicU64::new(1);
        let challenge = self.post(body, None).await.challenge();
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let approval = self.policy.approve(challenge, body.as_bytes(), now).unwrap();
        let unsigned = approval.prepare(self.signer.address(), now, SALT.fetch_add(1, Ordering::Relaxed));
        let signature = self.signer.sign(&unsigned);
        let payment = unsigned.signed(&signature);
        let credential = payment.credential().header_value();
        (payment, credential)
    }
}

fn http() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

/// The public first key of anvil.
fn rich() -> LocalSigner {
    LocalSigner::from_hex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").unwrap()
}

fn units(amount: u128) -> Option<Amount> {
    Some(Amount::from_base_units(amount))
}

async fn open() -> (Sandbox, Payer) {
    let fund = vec![(rich().address(), Amount::from_base_units(FUNDS))];
    let sandbox = Sandbox::start(SandboxOptions { fund, ..SandboxOptions::default() }).await.unwrap();
    let payer = Payer::of(&sandbox, rich());
    (sandbox, payer)
}

fn ask(prompt: &str) -> String {
    json!({"model": "grok-4.3", "max_tokens": 2000, "messages": [{"role": "user", "content": prompt}]})
        .to_string()
}

#[tokio::test]
async fn a_paid_call_is_answered_and_the_balances_are_exact() {
    let (sandbox, payer) = open().await;
    let body = ask("`print(6*7)`");
    let (payment, credential) = payer.payment(&body).await;
    let answer = payer.post(&body, Some(&credential)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["success"], true);
    assert_eq!(answer.json()["data"]["output"][1]["content"][0]["text"], "42");
    assert_eq!(answer.headers["cache-control"], "private");
    let receipt = Receipt::parse(answer.headers["payment-receipt"].as_bytes()).unwrap();
    receipt.check(&payment).unwrap();
    // 42 bytes of messages are 11 tokens: floor((11·1.25 + 2000·2.5)·1.15)
    let price = payment.quote().amount.base_units();
    assert_eq!(price, 5765);
    assert_eq!(sandbox.balance(payer.signer.address()), units(FUNDS - price - FEE));
    assert_eq!(sandbox.balance(sandbox.recipient()), units(price));
    assert_eq!(sandbox.balance(FEE_COLLECTOR), units(FEE));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_stream_that_is_asked_for_tells_the_same_answer_in_events() {
    let (_sandbox, payer) = open().await;
    let mut body: Value = serde_json::from_str(&ask("`print(6*7)`")).unwrap();
    body["stream"] = json!(true);
    let (payment, credential) = payer.payment(&body.to_string()).await;
    let answer = payer.post(&body.to_string(), Some(&credential)).await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    Receipt::parse(answer.headers["payment-receipt"].as_bytes()).unwrap().check(&payment).unwrap();
    let events: Vec<(&str, Value)> = answer
        .body
        .split_terminator("\n\n")
        .map(|event| event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap())
        .map(|(name, data)| (name, serde_json::from_str(data).unwrap()))
        .collect();
    let names: Vec<&str> = events.iter().map(|(name, _)| *name).collect();
    let item = ["response.output_item.added", "response.output_item.done"];
    let text = ["response.output_text.delta", "response.output_text.done"];
    let expected = [
        &["response.created"][..],
        &item,
        &item[..1],
        &["response.content_part.added"],
        &text,
        &["response.content_part.done"],
        &item[1..],
        &["response.completed"],
    ];
    assert_eq!(names, expected.concat());
    for (number, (name, data)) in events.iter().enumerate() {
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(number)));
    }
    assert_eq!(
        (&events[0].1["response"]["status"], &events[5].1["delta"]),
        (&json!("in_progress"), &json!("42"))
    );
    let last = &events.last().unwrap().1["response"];
    assert_eq!((&last["status"], &last["output"][0]), (&json!("completed"), &events[2].1["item"]));
    assert_eq!(last["output"][1]["content"][0]["text"], "42");
    assert!(last["usage"]["output_tokens"].is_u64());
}

#[tokio::test]
async fn the_challenge_says_what_is_sold_and_on_which_chain() {
    let (sandbox, payer) = open().await;
    let challenge = payer.post(&ask("`1`"), None).await.challenge();
    assert_eq!(challenge.description(), Some("Grok: code execution"));
    let charge = ChargeRequest::from_challenge(&challenge).unwrap();
    assert_eq!(charge.chain_id(), Some(31337));
    assert_eq!((charge.currency(), charge.recipient()), (sandbox.token(), sandbox.recipient()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_credential_is_taken_once_however_often_it_is_sent() {
    let (sandbox, payer) = open().await;
    let body = ask("`print(1)`");
    let (payment, credential) = payer.payment(&body).await;
    let sends: Vec<_> = (0..50)
        .map(|_| {
            let (payer, body, credential) = (payer.clone(), body.clone(), credential.clone());
            tokio::spawn(async move { payer.post(&body, Some(&credential)).await })
        })
        .collect();
    let mut answers = Vec::new();
    for send in sends {
        let answer = send.await.unwrap();
        assert_eq!(answer.status, 200);
        answers.push(answer.body);
    }
    // Answers are numbered, so that two runs would differ.
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(sandbox.balance(sandbox.recipient()), Some(payment.quote().amount));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_payments_at_once_from_one_key_are_all_answered() {
    let (sandbox, payer) = open().await;
    let sends: Vec<_> = (0..8)
        .map(|number| {
            let (payer, body) = (payer.clone(), ask(&format!("`print({number})`")));
            tokio::spawn(async move {
                let (payment, credential) = payer.payment(&body).await;
                let answer = payer.post(&body, Some(&credential)).await;
                assert_eq!(answer.json()["data"]["output"][1]["content"][0]["text"], number.to_string());
                payment.quote().amount.base_units()
            })
        })
        .collect();
    let mut paid = 0;
    for send in sends {
        paid += send.await.unwrap();
    }
    assert_eq!(sandbox.balance(sandbox.recipient()), units(paid));
    assert_eq!(sandbox.balance(payer.signer.address()), units(FUNDS - paid - 8 * FEE));
}

#[tokio::test]
async fn four_programs_run_at_once_and_the_others_wait() {
    let (_sandbox, payer) = open().await;
    let program = "import time\nbegin = time.monotonic()\ntime.sleep(0.3)\nprint(begin, time.monotonic())";
    let sends: Vec<_> = (0..12)
        .map(|number| {
            let (payer, body) = (payer.clone(), ask(&format!("```\n{program}\n# {number}\n```")));
            tokio::spawn(async move {
                let (_, credential) = payer.payment(&body).await;
                let answer = payer.post(&body, Some(&credential)).await.json();
                let text = answer["data"]["output"][1]["content"][0]["text"].as_str().unwrap();
                let (begin, end) = text.split_once(' ').unwrap();
                begin.parse::<f64>().unwrap()..end.parse::<f64>().unwrap()
            })
        })
        .collect();
    let mut runs = Vec::new();
    for send in sends {
        runs.push(send.await.unwrap());
    }
    let beside = |run: &Range<f64>| runs.iter().filter(|other| other.contains(&run.start)).count();
    let most = runs.iter().map(beside).max();
    assert!(most <= Some(4), "{most:?} at once: {runs:?}");
}

#[tokio::test]
async fn a_bad_request_is_refused_before_any_payment() {
    let (_sandbox, payer) = open().await;
    let message = json!([{"role": "user", "content": "`print(1)`"}]);
    let with = |change: Value| {
        let mut body = json!({"model": "grok-4.3", "messages": message});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body.to_string()
    };
    for (body, error) in [
        (String::new(), "invalid_json"),
        ("{".to_owned(), "invalid_json"),
        ("[]".to_owned(), "invalid_model"),
        (with(json!({"model": "grok-3"})), "invalid_model"),
        (with(json!({"model": "grok-40"})), "invalid_model"),
        (with(json!({"model": "grok-4o"})), "invalid_model"),
        (with(json!({"model": 4})), "invalid_model"),
        (with(json!({"messages": []})), "invalid_messages"),
        (with(json!({"messages": "hello"})), "invalid_messages"),
        (with(json!({"messages": [{"role": "user"}]})), "invalid_messages"),
        (with(json!({"temperature": 2.1})), "invalid_temperature"),
        (with(json!({"temperature": "hot"})), "invalid_temperature"),
        (with(json!({"max_tokens": 0})), "invalid_max_tokens"),
        (with(json!({"max_tokens": -1})), "invalid_max_tokens"),
        (with(json!({"max_tokens": 1.5})), "invalid_max_tokens"),
        (with(json!({"tools": {}})), "invalid_tools"),
        (ask("Compute the factorial of 50."), "no_program"),
    ] {
        payer.post(&body, None).await.is_refused(400, error);
    }
    assert_eq!(payer.post(&"x".repeat(1024 * 1024 + 1), None).await.status, 413);
    let good = with(json!({"temperature": 2, "tools": [], "stream": true}));
    assert_eq!(payer.post(&good, None).await.status, 402);
}

#[tokio::test]
async fn other_methods_and_routes_get_structured_errors() {
    let (_sandbox, payer) = open().await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = payer.send(method, ROUTE, "", None).await;
        answer.is_refused(405, "method_not_allowed");
        assert_eq!(answer.headers["allow"], "POST");
    }
    payer.send(Method::POST, "/grok/video", "{}", None).await.is_refused(404, "not_found");
    let health = payer.send(Method::GET, "/health", "", None).await;
    assert_eq!((health.status, health.json()["success"].clone()), (200, json!(true)));
}

#[tokio::test]
async fn who_lacks_the_money_for_price_and_fee_ceiling_pays_nothing() {
    let body = ask("`print(1)`");
    let ceiling = Fees::default().ceiling(1).base_units();
    // floor((10·1.25 + 2000·2.5)·1.15) and the ceiling of the fee, all of it and one less
    for (funds, status) in [(5764 + ceiling - 1, 402), (5764 + ceiling, 200)] {
        let fund = vec![(rich().address(), Amount::from_base_units(funds))];
        let sandbox = Sandbox::start(SandboxOptions { fund, ..SandboxOptions::default() }).await.unwrap();
        let payer = Payer::of(&sandbox, rich());
        let (payment, credential) = payer.payment(&body).await;
        assert_eq!(payment.quote().amount.base_units(), 5764);
        let answer = payer.post(&body, Some(&credential)).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        if status == 402 {
            assert_eq!(answer.json()["type"], "https://paymentauth.org/problems/payment-insufficient");
            assert!(
                answer.json()["detail"].as_str().unwrap().contains("the payment takes 0.005764"),
                "{}",
                answer.body
            );
            assert_eq!(sandbox.balance(payer.signer.address()), units(funds));
        }
    }
}

#[tokio::test]
async fn a_transaction_that_could_not_pay_its_fee_is_refused() {
    let (sandbox, mut payer) = open().await;
    let fees = Fees { max_fee_per_gas: 1, ..Fees::default() };
    payer.policy = payer.policy.fees(fees);
    let body = ask("`print(1)`");
    let (_, credential) = payer.payment(&body).await;
    let answer = payer.post(&body, Some(&credential)).await;
    assert_eq!(
        answer.json()["type"],
        "https://paymentauth.org/problems/verification-failed",
        "{}",
        answer.body
    );
    assert_eq!(sandbox.balance(payer.signer.address()), units(FUNDS));
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let start = |options| async { Sandbox::start(options).await.unwrap_err() };
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let used = start(SandboxOptions { port, ..SandboxOptions::default() }).await;
    assert_eq!(
        used.to_string(),
        format!("port {port} of 127.0.0.1 is not to be had; choose another, or 0 for any that is free")
    );
    for url in [
        "http://rpc.example:8545",
        "http://127.0.0.1@rpc.example",
        "http://127.0.0.1.rpc.example",
        "http://localhost.rpc.example",
        "http://10.0.0.1:8545",
        "nonsense",
        "",
    ] {
        let error = start(SandboxOptions { rpc: Some(url.to_owned()), ..SandboxOptions::default() }).await;
        assert!(matches!(error, SandboxError::NotLoopback), "{url}: {error}");
    }
    for host in ["127.0.0.1", "localhost"] {
        let dead = format!("http://{host}:1");
        let error = start(SandboxOptions { rpc: Some(dead), ..SandboxOptions::default() }).await;
        assert!(matches!(error, SandboxError::Node(_)), "{host}: {error}");
    }
    let python = Some("/nowhere/python3".into());
    let error = start(SandboxOptions { python, ..SandboxOptions::default() }).await;
    assert!(matches!(error, SandboxError::Python(_)), "{error}");
}

#[tokio::test]
async fn a_node_of_a_chain_with_real_money_is_refused() {
    for (chain_id, refused) in [(4217_u64, true), (42431, true), (31337, false), (1337, false)] {
        let answer = json!({"jsonrpc": "2.0", "id": 1, "result": format!("{chain_id:#x}")}).to_string();
        let node = Router::new().route("/", post(|| async { answer }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, node).await });
        match Sandbox::start(SandboxOptions { rpc: Some(url), ..SandboxOptions::default() }).await {
            Ok(sandbox) => assert_eq!((refused, sandbox.chain_id()), (false, chain_id)),
            Err(error) => {
                assert!(refused && matches!(error, SandboxError::RealMoney { .. }), "{chain_id}: {error}");
                let words = format!("the node is on chain {chain_id}, where money may be real; ");
                assert!(error.to_string().starts_with(&words), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_sandbox_that_is_shut_down_answers_what_it_has_and_takes_no_more() {
    let (sandbox, payer) = open().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // The program reports that it runs, and goes on once this test says so.
    let program = format!(
        "import socket\ns = socket.create_connection(('127.0.0.1', {port}))\ns.recv(1)\nprint('done')"
    );
    let body = ask(&format!("```python\n{program}\n```"));
    let (_, credential) = payer.payment(&body).await;
    let sender = payer.clone();
    let answer = tokio::spawn(async move { sender.post(&body, Some(&credential)).await });
    let (mut program, _) = tokio::task::spawn_blocking(move || listener.accept().unwrap()).await.unwrap();
    let url = format!("{}/health", sandbox.base_url());
    let end = tokio::spawn(sandbox.shutdown());
    while http().get(&url).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!end.is_finished());
    std::io::Write::write_all(&mut program, b"!").unwrap();
    assert_eq!(answer.await.unwrap().json()["data"]["output"][1]["content"][0]["text"], "done");
    end.await.unwrap();
}

#[tokio::test]
async fn a_sandbox_that_is_dropped_is_gone() {
    let (sandbox, payer) = open().await;
    assert_eq!(payer.send(Method::GET, "/health", "", None).await.status, 200);
    let url = format!("{}/health", sandbox.base_url());
    drop(sandbox);
    while http().get(&url).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
}
