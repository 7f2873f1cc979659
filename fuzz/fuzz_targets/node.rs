//! Any answers of a node to the questions of what became of a payment: what is taken for true is what the node said, no
//! payment is taken for dead before its time, and no node keeps anybody asking.
//!
//! Words in the first line: which payment, what time it is here, the node's chain, its last block's number and time, and
//! seconds between blocks. Each further line answers one question, by a result or, behind a `!`, by a whole body.

#![no_main]
#![allow(dead_code, unreachable_pub, reason = "of the module that is included, a part is used")]

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use mpp_core::Amount;
use mpp_core::tempo::B256;
use mpp_core_fuzz::payments::PAYMENTS;
use mpp_core_fuzz::words::Words;
use serde_json::{Value, json};

#[path = "../../crates/mpp-http/src/chain.rs"]
mod chain;

use ledger::{Settled, Signed};
use payment::Payment;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut words = Words::new(lines.next().unwrap_or_default());
    let signed = &PAYMENTS[words.read::<usize>() % PAYMENTS.len()];
    let now = words.read();
    let [chain_id, head, time, step] = [(); 4].map(|()| words.read::<u64>());
    let answers = lines.map(<[u8]>::to_vec).collect();
    let node =
        Arc::new(Mutex::new(Node { chain_id, head, time, step, answers, receipts: Vec::new(), asked: 0 }));
    let rpc = chain::Rpc::with_transport("https://node.example", transport::Scripted(Arc::clone(&node)));
    let payment = Payment {
        quote: signed.quote().clone(),
        payer: signed.payer(),
        signed: Some(Signed {
            transaction: signed.transaction().map(|it| it.raw().to_vec()).unwrap_or_default().into(),
            hash: signed.hash(),
            memo: signed.memo(),
            valid_before: signed.valid_before(),
        }),
    };
    let found = at_once(rpc.expect("a URL").find(&payment, now));
    let node = node.lock().expect("nobody panicked");
    assert!(node.asked < 600, "{} questions", node.asked);
    let Ok(Some(Settled { at, hash, amount, fee })) = found else { return };
    assert_eq!(at, now);
    if payment.quote.amount.is_zero() {
        assert_eq!((hash, amount, fee), (None, Amount::ZERO, Amount::ZERO));
        return;
    }
    assert_eq!(chain_id, payment.quote.chain_id);
    let Some(hash) = hash else {
        assert!(signed.valid_before().is_some_and(|end| time >= end + 30), "it could still happen");
        return;
    };
    assert!(signed.hash().is_none_or(|signed| signed == hash));
    assert!(amount <= payment.quote.amount && fee <= payment.quote.fee_ceiling);
    let said = |receipt: &Value| {
        let is = |name: &str, number: u64| {
            let text = receipt.get(name).and_then(Value::as_str).and_then(|text| text.strip_prefix("0x"));
            text.and_then(|digits| u64::from_str_radix(digits, 16).ok()) == Some(number)
        };
        let named = receipt.get("transactionHash").and_then(Value::as_str);
        let named = named.is_some_and(|named| padded(named) == Some(hash));
        named && (is("status", 1) || is("status", 0) && amount.is_zero())
    };
    assert!(node.receipts.iter().any(said), "{:?}", node.receipts);
});

/// Up to 64 digits.
fn padded(text: &str) -> Option<B256> {
    format!("{:0>64}", text.strip_prefix("0x")?).parse().ok()
}

/// Nothing here waits.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

pub struct Node {
    chain_id: u64,
    head: u64,
    time: u64,
    step: u64,
    answers: VecDeque<Vec<u8>>,
    /// What was answered to the question for one.
    receipts: Vec<Value>,
    asked: u32,
}

impl Node {
    fn answer(&mut self, question: &[u8]) -> Vec<u8> {
        self.asked += 1;
        let question: Value = serde_json::from_slice(question).expect("JSON");
        let whole =
            |result: &Value| json!({ "jsonrpc": "2.0", "id": 1, "result": result }).to_string().into();
        let method = question["method"].as_str().expect("a method");
        match method {
            "eth_chainId" => return whole(&format!("{:#x}", self.chain_id).into()),
            "eth_getBlockByNumber" => {
                let digits = question["params"][0].as_str().expect("which").trim_start_matches("0x");
                let number = u64::from_str_radix(digits, 16).unwrap_or(self.head);
                let before = self.head.saturating_sub(number).saturating_mul(self.step);
                let time = self.time.saturating_sub(before);
                return whole(
                    &json!({ "number": format!("{number:#x}"), "timestamp": format!("{time:#x}") }),
                );
            }
            _ => {}
        }
        let answer = match self.answers.pop_front().unwrap_or_default() {
            body if body.starts_with(b"!") => body[1..].to_vec(),
            result => whole(&serde_json::from_slice(&result).unwrap_or_default()),
        };
        if method == "eth_getTransactionReceipt" {
            let body: Value = serde_json::from_slice(&answer).unwrap_or_default();
            self.receipts.extend(body.get("result").cloned());
        }
        answer
    }
}

pub mod error {
    use crate::transport::TransportError;

    #[derive(Debug, thiserror::Error)]
    pub enum Failure {
        #[error(transparent)]
        Transport(TransportError),
    }
}

pub mod ledger {
    use bytes::Bytes;
    use mpp_core::Amount;
    use mpp_core::tempo::B256;

    #[derive(Debug)]
    pub struct Settled {
        pub at: u64,
        pub hash: Option<B256>,
        pub amount: Amount,
        pub fee: Amount,
    }

    impl Settled {
        pub fn nothing(at: u64) -> Self {
            Settled { at, hash: None, amount: Amount::ZERO, fee: Amount::ZERO }
        }
    }

    pub struct Signed {
        pub transaction: Bytes,
        pub hash: Option<B256>,
        pub memo: Option<B256>,
        pub valid_before: Option<u64>,
    }
}

pub mod payment {
    use mpp_core::tempo::{Address, B256};
    use mpp_core::{Amount, Quote};

    use crate::ledger::Signed;

    pub struct Payment {
        pub quote: Quote,
        pub payer: Address,
        pub signed: Option<Signed>,
    }

    impl Payment {
        pub fn memo(&self) -> Option<B256> {
            self.signed.as_ref()?.memo
        }

        pub fn valid_before(&self) -> Option<u64> {
            self.signed.as_ref()?.valid_before
        }
    }

    pub fn sum(one: Amount, other: Amount) -> Amount {
        one.checked_add(other).unwrap_or(Amount::from_base_units(u128::MAX))
    }
}

pub mod response {
    use std::time::Duration;

    use bytes::Bytes;

    use crate::error::Failure;

    #[derive(Clone, Copy)]
    pub struct Deadline;

    impl Deadline {
        pub fn after(_: Duration) -> Self {
            Deadline
        }

        pub async fn limit<T>(self, work: impl Future<Output = T>) -> Result<T, Failure> {
            Ok(work.await)
        }

        pub async fn read(self, body: Bytes, _: usize) -> Result<Bytes, Failure> {
            Ok(body)
        }
    }
}

pub mod transport {
    use std::future::{Ready, ready};
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use http::{Request, Response, Uri};

    use crate::Node;

    #[derive(Debug, thiserror::Error)]
    #[error("there is always an answer")]
    pub struct TransportError;

    pub trait Transport: Send + Sync {
        fn send(&self, request: Request<Bytes>) -> Ready<Result<Response<Bytes>, TransportError>>;
    }

    pub struct Scripted(pub Arc<Mutex<Node>>);

    impl Transport for Scripted {
        fn send(&self, request: Request<Bytes>) -> Ready<Result<Response<Bytes>, TransportError>> {
            let answer = self.0.lock().expect("nobody panicked").answer(request.body());
            ready(Ok(Response::new(answer.into())))
        }
    }

    #[derive(Default)]
    pub struct ReqwestTransport(());

    impl Transport for ReqwestTransport {
        fn send(&self, _: Request<Bytes>) -> Ready<Result<Response<Bytes>, TransportError>> {
            ready(Err(TransportError))
        }
    }

    pub fn is_private(_: &Uri) -> bool {
        true
    }
}
