//! Any answers of a node to a payee's questions: what is taken for mined, failed or never to happen is what the node said of
//! that very transaction, a payment is refused only where it surely did not happen, what is tried out passed every call, and
//! a balance is what was told.
//!
//! Words in the first line: what is asked, of which payment, when it ends and the margin. Each further line answers one
//! question: by a result, of which `@` is the transaction's hash; behind a `!`, by a whole body; behind a `#`, by a status
//! alone, of which 0 is a connection that broke and 1 one that never was.

#![no_main]
#![allow(dead_code, unreachable_pub, reason = "of the modules that are included, a part is used")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use alloy_primitives::{Address, B256, U256};
use libfuzzer_sys::fuzz_target;
use mpp_core::payee::TransferLog;
use mpp_core::tempo::{FeePayment, MAINNET, NotTaken, PATH_USD, Transaction};
use mpp_core_fuzz::charge;
use mpp_core_fuzz::payments::{NOW, PAYMENTS, UNSIGNED};
use mpp_core_fuzz::words::Words;
use serde_json::{Value, json};

// So that asking takes no HTTP stack.
extern crate self as reqwest;
extern crate self as rustls;
extern crate self as rustls_platform_verifier;

#[path = "../../crates/mpp-gate/src/chain.rs"]
mod chain;
#[path = "../../crates/mpp-gate/src/node.rs"]
mod node;
#[path = "../../crates/mpp-gate/src/rpc.rs"]
mod rpc;

use chain::{Chain as _, ChainError, Found, Outgoing};
use node::Node;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut words = Words::new(lines.next().unwrap_or_default());
    let (question, which, end, margin) =
        (words.word(), words.read::<usize>() % 5, words.read(), words.read());
    let signed = PAYMENTS[which].transaction().expect("none is a proof");
    let hash = signed.hash().unwrap_or(B256::repeat_byte(0xab));
    let first = format!("{{\"result\":\"{MAINNET:#x}\"}}").into();
    let answers = [Answer::Body(first)].into_iter().chain(lines.map(|line| Answer::read(line, hash)));
    SCRIPT.set(Script { answers: answers.collect(), asked: Vec::new() });
    let node = now_or_never(Node::connect("https://node.example")).expect("an https URL").margin(margin);
    SCRIPT.with_borrow_mut(|script| script.asked.clear());
    match question {
        "send" => sent(&node, &Outgoing { raw: signed.raw().clone(), hash, valid_before: Some(end) }),
        "try" => tried(&node, UNSIGNED[which].payer(), UNSIGNED[which].transaction().expect("one")),
        "balance" => {
            let Ok(balance) = now_or_never(node.balance(PATH_USD, Address::ZERO)) else { return };
            let told = word(&asked()[0]).expect("a word");
            assert_eq!(U256::from(balance.base_units()), told.min(U256::from(u128::MAX)));
        }
        "decimals" => {
            let found = now_or_never(node.decimals(PATH_USD)).ok().map(U256::from);
            assert_eq!(found, word(&asked()[0]).filter(|told| *told <= U256::from(u64::MAX)));
        }
        "probe" => {
            let well = now_or_never(node.probe()).is_ok();
            assert_eq!(well, asked()[0].result().as_ref().and_then(number) == Some(MAINNET));
        }
        _ => found(&node, hash, end, margin),
    }
});

/// What became of a transaction.
fn found(node: &Node, hash: B256, end: u64, margin: u64) {
    let found = now_or_never(node.find(hash, (end != 0).then_some(end)));
    let asked = asked();
    let time = asked.first().and_then(|block| number(block.result()?.get("timestamp")?));
    let receipt = asked.get(1).and_then(Answer::result);
    match found {
        Ok(Found::Done(logs)) => {
            let receipt = receipt.expect("a receipt");
            assert!(status(&receipt, hash) == Some(true) && time.is_some());
            assert_eq!(logs, transfers(&receipt));
        }
        Ok(Found::Reverted) => assert_eq!(receipt.and_then(|it| status(&it, hash)), Some(false)),
        Ok(other) => {
            assert_eq!(receipt, Some(Value::Null));
            let over = end != 0 && time.expect("a time") >= end.saturating_add(margin);
            assert_eq!(other, if over { Found::Never } else { Found::NotYet });
        }
        Err(ChainError::Unavailable { .. }) => {
            assert!(time.is_none() || !receipt.is_some_and(|it| it.is_null() || status(&it, hash).is_some()));
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// Whether it was mined, or surely was not.
fn sent(node: &Node, transaction: &Outgoing) {
    let sent = now_or_never(node.send(transaction));
    let asked = asked();
    let [first, second] = [asked.first(), asked.get(1)];
    let mined = |answer: Option<&Answer>| status(&answer?.result()?, transaction.hash);
    let refused = |kind: fn(NotTaken) -> bool| match first.map(Answer::error) {
        Some(Some((code, message))) => NotTaken::of_error(code, &message).is_some_and(kind),
        _ => false,
    };
    match sent {
        Ok(()) => {
            assert!(mined(first) == Some(true) || mined(first).is_none() && mined(second) == Some(true))
        }
        Err(ChainError::Refused { .. }) => {
            let gone = refused(|why| why != NotTaken::Unserved);
            let gone = gone && second.and_then(Answer::result) == Some(Value::Null);
            assert!(gone || mined(first) == Some(false) || mined(second) == Some(false), "{asked:?}");
        }
        Err(ChainError::Unavailable { .. }) => {
            let turned = matches!(first, Some(Answer::Status(1 | 401 | 403 | 404 | 405 | 413 | 429)));
            assert!(turned || refused(|why| why == NotTaken::Unserved), "{asked:?}");
        }
        Err(ChainError::Unknown { .. }) => {
            assert!(mined(first).is_none() && mined(second).is_none(), "{asked:?}");
        }
    }
}

/// Whether all that a transaction calls would do, and its key may sign for that.
fn tried(node: &Node, payer: Address, transaction: &Transaction) {
    let tried = now_or_never(node.simulate(payer, transaction));
    let asked = asked();
    let keys = if transaction.access_key.is_some() { 2 } else { 0 };
    let passed = |answer: &Answer| answer.result().is_some();
    match tried {
        Ok(()) => {
            assert_eq!(asked.len(), transaction.calls.len() + keys);
            assert!(asked.iter().all(passed), "{asked:?}");
            if keys > 0 {
                let words = |answer: &Answer| {
                    let bytes = answer.result().and_then(|it| bytes(it.as_str()?)).unwrap_or_default();
                    bytes.chunks(32).map(U256::from_be_slice).collect::<Vec<_>>()
                };
                let (key, limit) = (words(&asked[0]), words(&asked[1]));
                assert!(!key[1].is_zero() && key[2] > U256::from(NOW) && key[4].is_zero());
                let paid: u128 = transaction
                    .transfers()
                    .expect("transfers")
                    .iter()
                    .map(|(_, transfer)| transfer.amount.base_units())
                    .sum();
                assert_eq!(transaction.fee, FeePayment::Sender(Some(PATH_USD)));
                let most = paid + transaction.fee_ceiling().base_units();
                assert!(key[3].is_zero() || limit[0] >= U256::from(most));
            }
        }
        Err(ChainError::Refused { .. }) => {
            assert!(keys > 0 || asked.last().is_some_and(|it| it.error().is_some()))
        }
        Err(ChainError::Unavailable { .. }) => {
            assert!(keys > 0 || asked.last().is_some_and(|it| !passed(it)))
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// Whether a receipt of this transaction says that it did what it was to do.
fn status(receipt: &Value, hash: B256) -> Option<bool> {
    let named = bytes(receipt.get("transactionHash")?.as_str()?)?;
    (named == hash.as_slice()).then_some(())?;
    match receipt.get("status")?.as_str()? {
        "0x1" => Some(true),
        "0x0" => Some(false),
        _ => None,
    }
}

/// The transfers among a receipt's logs.
fn transfers(receipt: &Value) -> Vec<TransferLog> {
    let log = |log: &Value| {
        let address = Address::try_from(&*bytes(log.get("address")?.as_str()?)?).ok()?;
        let topics = log.get("topics")?.as_array()?.iter();
        let topics: Option<Vec<B256>> =
            topics.map(|topic| B256::try_from(&*bytes(topic.as_str()?)?).ok()).collect();
        TransferLog::decode(address, &topics?, &bytes(log.get("data")?.as_str()?)?)
    };
    let logs = receipt.get("logs").and_then(Value::as_array);
    logs.into_iter().flatten().filter_map(log).collect()
}

/// Behind `0x` or not.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(text);
    charge::bytes(&format!("0x{digits}"))
}

fn word(answer: &Answer) -> Option<U256> {
    let bytes = bytes(answer.result()?.as_str()?)?;
    (bytes.len() == 32).then(|| U256::from_be_slice(&bytes))
}

fn number(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

/// An answer of the node.
#[derive(Clone, Debug)]
pub enum Answer {
    Body(Vec<u8>),
    Status(u16),
}

impl Answer {
    fn read(line: &[u8], hash: B256) -> Self {
        match line {
            [b'!', body @ ..] => Answer::Body(body.to_vec()),
            [b'#', status @ ..] => Answer::Status(Words::new(status).read()),
            result => {
                let hash = hash.to_string();
                let result = result.split(|byte| *byte == b'@').collect::<Vec<_>>().join(hash.as_bytes());
                let result: Value = serde_json::from_slice(&result).unwrap_or_default();
                Answer::Body(json!({ "jsonrpc": "2.0", "id": 1, "result": result }).to_string().into())
            }
        }
    }

    fn json(&self) -> Value {
        match self {
            Answer::Body(body) if body.len() <= 1 << 20 => serde_json::from_slice(body).unwrap_or_default(),
            _ => Value::Null,
        }
    }

    fn result(&self) -> Option<Value> {
        self.json().get("result").filter(|_| self.error().is_none()).cloned()
    }

    /// By its code, and its words in one line.
    fn error(&self) -> Option<(i64, String)> {
        let error = self.json().get("error").filter(|error| !error.is_null()).cloned()?;
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
        let message = message.chars().filter(|it| !it.is_control()).take(400).collect();
        Some((error.get("code").and_then(Value::as_i64).unwrap_or_default(), message))
    }
}

/// What is to be answered, and what was.
#[derive(Default)]
pub struct Script {
    answers: VecDeque<Answer>,
    asked: Vec<Answer>,
}

impl Script {
    fn next() -> Answer {
        SCRIPT.with_borrow_mut(|script| {
            let answer = script.answers.pop_front().unwrap_or(Answer::Status(0));
            script.asked.push(answer.clone());
            answer
        })
    }
}

thread_local! {
    static SCRIPT: RefCell<Script> = RefCell::default();
}

fn asked() -> Vec<Answer> {
    SCRIPT.with_borrow(|script| script.asked.clone())
}

/// Nothing here waits.
fn now_or_never<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

fn now() -> u64 {
    NOW
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
pub struct Client;

impl Client {
    pub fn builder() -> Self {
        Client
    }

    pub fn tls_backend_preconfigured(self, _: ClientConfig) -> Self {
        self
    }

    pub fn redirect(self, _: Off) -> Self {
        self
    }

    pub fn retry(self, _: Off) -> Self {
        self
    }

    pub fn no_proxy(self) -> Self {
        self
    }

    pub fn timeout(self, _: std::time::Duration) -> Self {
        self
    }

    pub fn build(self) -> Result<Self, Error> {
        Ok(self)
    }

    pub fn post(&self, _: Url) -> Self {
        Client
    }

    pub fn header(self, _: &str, _: &str) -> Self {
        self
    }

    pub fn body(self, _: String) -> Self {
        self
    }

    pub async fn send(self) -> Result<Response, Error> {
        match Script::next() {
            Answer::Body(body) => Ok(Response(http::StatusCode::OK, Some(body))),
            Answer::Status(status) => {
                let status = http::StatusCode::from_u16(status).map_err(|_| Error(status == 1))?;
                Ok(Response(status, None))
            }
        }
    }
}

pub struct Response(http::StatusCode, Option<Vec<u8>>);

impl Response {
    pub fn status(&self) -> http::StatusCode {
        self.0
    }

    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.1.take())
    }
}

/// Whether nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("no connection")]
pub struct Error(bool);

impl Error {
    pub fn is_connect(&self) -> bool {
        self.0
    }

    pub fn is_builder(&self) -> bool {
        false
    }

    pub fn without_url(self) -> Self {
        self
    }
}

#[derive(Clone)]
pub struct Url;

impl Url {
    pub fn parse(_: &str) -> Result<Self, Error> {
        Ok(Url)
    }

    pub fn scheme(&self) -> &str {
        "https"
    }

    pub fn host_str(&self) -> Option<&str> {
        None
    }
}

/// What is not done here.
pub struct Off;

pub mod redirect {
    pub struct Policy;

    impl Policy {
        pub fn none() -> crate::Off {
            crate::Off
        }
    }
}

pub mod retry {
    pub fn never() -> crate::Off {
        crate::Off
    }
}

pub struct ClientConfig;

impl ClientConfig {
    pub fn builder_with_provider(_: std::sync::Arc<Off>) -> Self {
        ClientConfig
    }

    pub fn with_safe_default_protocol_versions(self) -> Result<Self, Error> {
        Ok(self)
    }

    pub fn with_no_client_auth(self) -> Self {
        self
    }
}

pub trait BuilderVerifierExt: Sized {
    fn with_platform_verifier(self) -> Result<Self, Error> {
        Ok(self)
    }
}

impl BuilderVerifierExt for ClientConfig {}

pub mod crypto {
    pub mod ring {
        pub fn default_provider() -> crate::Off {
            crate::Off
        }
    }
}
