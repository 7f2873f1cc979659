//! The gateway's sandbox settling on a real node: code execution sold to the published client and to ours, once a
//! payment, to the base unit.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use bytes::Bytes;
use e2e::{Anvil, CHAIN_ID, Customer, Mined, MppxClient, PATH_USD, PAYER};
use grok_gateway::sandbox::{Sandbox, SandboxOptions};
use mpp_core::{Amount, Policy};
use mpp_http::ledger::State;
use mpp_http::{Error, Money};
use serde_json::{Value, json};

const FACTORIAL: &str = "30414093201713378043612608166064768844377641568960512000000000000";

#[tokio::test]
async fn published_client_buys_code_execution() {
    let scene = Scene::open().await;
    let price = scene.price().await;
    let bought = MppxClient::new(&scene.node, &PAYER).post(&scene.url(), &request()).await.unwrap();
    assert_eq!(bought.status, 200, "{}", bought.body);
    assert_factorial(&serde_json::from_str(&bought.body).unwrap());
    let mined = scene.mined(&bought.reference.unwrap()).await;
    assert_eq!(scene.moved().await, [price + mined.fee, price]);
}

#[tokio::test]
async fn our_client_buys_code_execution_once_and_can_have_it_again() {
    let scene = Scene::open().await;
    let price = scene.price().await;
    let body = request().to_string();
    let mut answer = scene.customer.post(&scene.url(), &body).await.unwrap();
    let bought = answer.bytes().await.unwrap();
    assert_factorial(&serde_json::from_slice(&bought).unwrap());
    let payment = answer.payment().unwrap().clone();
    assert_eq!((payment.state(), payment.receipt().is_some()), (State::Delivered, true), "{payment:?}");
    let mined = scene.mined(payment.receipt().unwrap().reference()).await;
    assert_eq!(payment.hash(), payment.receipt().unwrap().hash());
    assert_eq!(scene.moved().await, [price + mined.fee, price]);

    // Again by hand: the same request gets the same answer, another that costs the same gets none.
    let sent = scene.customer.sent();
    let credential = sent.iter().find_map(|sent| sent.headers.get("authorization")).unwrap();
    let again = |body: String| {
        let request = http::Request::post(scene.url()).header("authorization", credential);
        scene.customer.client().send(request.body(body.into()).unwrap())
    };
    let mut repeated = again(body.clone()).await.unwrap();
    assert_eq!(repeated.bytes().await.unwrap(), bought);
    let error = again(body.replace("(1, 51)", "(1, 52)")).await.unwrap_err();
    assert!(matches!(error, Error::NotPaid { .. }), "the gateway did not answer 402: {error:?}");
    assert_eq!(scene.customer.signatures(), 1);
    assert_eq!(scene.moved().await, [price + mined.fee, price]);
}

#[tokio::test]
async fn payer_without_money_is_told_so_and_gets_nothing() {
    let scene = Scene::open().await;
    let poor = "0x00000000000000000000000000000000000000000000000000000000c0ffee02";
    let customer = Customer::new(poor, policy());
    let error = customer.post(&scene.url(), &request().to_string()).await.unwrap_err();
    // The node refused the transaction, but a client has only the server's word for that.
    assert_eq!((error.money(), customer.signatures()), (Money::Unknown, 1));
    let payment = error.payment().unwrap();
    let sent = customer.sent();
    let credential = sent.iter().find_map(|sent| sent.headers.get("authorization")).unwrap();
    let again = http::Request::post(scene.url()).header("authorization", credential);
    let told = customer.client().send(again.body(request().to_string().into()).unwrap()).await.unwrap_err();
    let Error::NotPaid { problem: Some(problem), .. } = &told else { panic!("{told:?}") };
    assert_eq!(problem.kind(), "https://paymentauth.org/problems/payment-insufficient");
    let told = format!("has 0.00 dollars of pathUSD, the payment takes {}", payment.quote().amount);
    assert!(problem.detail().ends_with(&told), "{problem}");
    assert_eq!(scene.node.transaction(payment.hash().unwrap()).await, None);
    assert_eq!(scene.moved().await, [0, 0]);
}

/// A gateway on a node of its own, a customer, and what payer and payee held before.
struct Scene {
    node: Anvil,
    sandbox: Sandbox,
    customer: Customer,
    before: [u128; 2],
}

impl Scene {
    async fn open() -> Self {
        let node = Anvil::start(CHAIN_ID).await;
        let options = SandboxOptions { rpc: Some(node.url()), ..SandboxOptions::default() };
        let sandbox = Sandbox::start(options).await.expect("the sandbox starts on the node");
        assert_eq!((sandbox.chain_id(), sandbox.balance(PAYER.address)), (CHAIN_ID, None));
        let customer = Customer::new(PAYER.key, policy());
        let mut scene = Self { node, sandbox, customer, before: [0; 2] };
        scene.before = scene.holdings().await;
        scene
    }

    fn url(&self) -> String {
        format!("{}/grok/code-execution", self.sandbox.base_url())
    }

    /// What the request costs, in base units, as the gateway says.
    async fn price(&self) -> u128 {
        let request = http::Request::post(self.url()).body(Bytes::from(request().to_string())).unwrap();
        let quoted = self.customer.client().quote(request).await.unwrap().unwrap();
        assert_eq!(quoted.refusal, None);
        quoted.quote.amount.base_units()
    }

    /// The transaction that a receipt names.
    async fn mined(&self, reference: &str) -> Mined {
        let mined = self.node.transaction(reference.parse().unwrap()).await.expect("it is on the chain");
        assert_eq!((mined.succeeded, mined.from, mined.fee_payer), (true, PAYER.address, PAYER.address));
        mined
    }

    /// What the payer spent and the payee received, in base units.
    async fn moved(&self) -> [u128; 2] {
        let ([payer_before, payee_before], [payer, payee]) = (self.before, self.holdings().await);
        [payer_before - payer, payee - payee_before]
    }

    async fn holdings(&self) -> [u128; 2] {
        let of = |owner| self.node.balance_of(PATH_USD, owner);
        [of(PAYER.address).await, of(self.sandbox.recipient()).await]
    }
}

fn policy() -> Policy {
    Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(500_000))
}

fn request() -> Value {
    let prompt = "Run this:\n```python\nfrom math import prod\nprint(prod(range(1, 51)))\n```";
    json!({ "model": "grok-4.3", "max_tokens": 512, "messages": [{ "role": "user", "content": prompt }] })
}

fn assert_factorial(answer: &Value) {
    assert_eq!(answer.pointer("/data/output/1/content/0/text"), Some(&json!(FACTORIAL)), "{answer}");
}
