//! Our client pays the published server on a real chain: every kind of charge, to the base unit, without one
//! JSON-RPC call of its own. What its policy does not allow is not signed.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use bytes::Bytes;
use e2e::{Anvil, Customer, MppxServer, PATH_USD, PAYER, SPONSOR, Sent, Shop};
use mpp_core::error::Refusal;
use mpp_core::exchange::{NotPaid, Reason};
use mpp_core::tempo::{B256, FeePayment, Modes, Payload, SignedTransaction, Transaction};
use mpp_core::{Amount, ChargeRequest, Credential, Decision, Policy};
use mpp_http::ledger::State;
use mpp_http::{Error, Money, Payment};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

const CENT: u128 = 10_000;
const DOLLAR: u128 = 1_000_000;

#[tokio::test]
async fn pull_is_paid_under_the_hash_known_before_it_is_sent() {
    let scene = Scene::enter().await;
    let bought = scene.buy("/pull").await;
    let (transaction, hash) = bought.signed();
    assert_eq!(bought.payment.hash(), Some(hash.unwrap()));
    assert_eq!(bought.payment.quote().description.as_deref(), Some("one apple"));
    assert_eq!(transaction.fee, FeePayment::Sender(Some(PATH_USD)));
    let fee = bought.fee(&scene).await;
    assert_eq!(scene.moved().await, Moved { paid: CENT + fee, received: [CENT, 0, 0], sponsored: 0 });
}

#[tokio::test]
async fn charge_payable_either_way_is_paid_by_pull() {
    let scene = Scene::enter().await;
    let bought = scene.buy("/any").await;
    let (_, hash) = bought.signed();
    assert_eq!(bought.payment.hash(), Some(hash.unwrap()));
    let charge = ChargeRequest::from_challenge(bought.credential().challenge()).unwrap();
    assert_eq!((charge.external_id(), charge.modes()), (Some("order-42"), Modes::Both));
    let fee = bought.fee(&scene).await;
    assert_eq!(scene.moved().await, Moved { paid: CENT + fee, received: [CENT, 0, 0], sponsored: 0 });
}

#[tokio::test]
async fn sponsored_charge_costs_the_price_alone_and_is_found_by_its_memo() {
    let scene = Scene::enter().await;
    let bought = scene.buy("/sponsored").await;
    let (transaction, hash) = bought.signed();
    assert_eq!((transaction.fee, hash), (FeePayment::Sponsor, None));
    assert_eq!(bought.payment.quote().fee_ceiling, Amount::ZERO);
    let fee = bought.fee(&scene).await;
    assert_eq!(scene.moved().await, Moved { paid: CENT, received: [CENT, 0, 0], sponsored: fee });
}

#[tokio::test]
async fn splits_reach_every_recipient_in_one_transaction() {
    let scene = Scene::enter().await;
    let bought = scene.buy("/splits").await;
    let (transaction, hash) = bought.signed();
    assert_eq!((transaction.calls.len(), bought.payment.hash()), (3, hash));
    let fee = bought.fee(&scene).await;
    let received = [700_000, 100_000, 200_000];
    assert_eq!(scene.moved().await, Moved { paid: DOLLAR + fee, received, sponsored: 0 });
    let marked = scene.stage.node.memo_transfers(Some(B256::repeat_byte(0x11))).await;
    assert!(marked.iter().any(|transfer| Some(transfer.transaction) == hash && transfer.amount == 200_000));
}

#[tokio::test]
async fn sponsored_splits_cost_the_price_alone() {
    let scene = Scene::enter().await;
    let bought = scene.buy("/sponsored-splits").await;
    let (transaction, hash) = bought.signed();
    assert_eq!((transaction.calls.len(), transaction.fee, hash), (2, FeePayment::Sponsor, None));
    let fee = bought.fee(&scene).await;
    assert_eq!(scene.moved().await, Moved { paid: DOLLAR, received: [900_000, 100_000, 0], sponsored: fee });
}

#[tokio::test]
async fn charge_of_nothing_is_answered_with_a_proof() {
    let scene = Scene::enter().await;
    let bought = scene.buy("/zero").await;
    assert!(matches!(bought.credential().payload(), Payload::Proof(_)));
    let payment = &bought.payment;
    assert_eq!((payment.hash(), payment.memo(), payment.valid_before()), (None, None, None));
    assert_eq!(payment.receipt().unwrap().reference(), payment.quote().challenge_id);
    assert_eq!(payment.money(), Money::NotMoved);
    assert_eq!(scene.moved().await, Moved::default());
}

#[tokio::test]
async fn payment_ends_with_a_short_lived_challenge() {
    let scene = Scene::enter().await;
    let bought = scene.buy("/short").await;
    let (transaction, _) = bought.signed();
    assert_eq!(transaction.valid_before, bought.payment.quote().expires_at);
    assert_eq!(bought.payment.valid_before(), transaction.valid_before);
    let fee = bought.fee(&scene).await;
    assert_eq!(scene.moved().await, Moved { paid: CENT + fee, received: [CENT, 0, 0], sponsored: 0 });
}

#[tokio::test]
async fn servers_own_correlation_data_goes_back_untouched() {
    let scene = Scene::enter().await;
    let bought = scene.buy("/scoped").await;
    assert!(bought.credential().challenge().opaque().is_some());
    let fee = bought.fee(&scene).await;
    assert_eq!(scene.moved().await, Moved { paid: CENT + fee, received: [CENT, 0, 0], sponsored: 0 });
}

#[tokio::test]
async fn spent_credential_is_refused_without_a_second_charge() {
    let scene = Scene::enter().await;
    let bought = scene.buy("/pull").await;
    let fee = bought.fee(&scene).await;
    // The same request once more, credential and all, from a client that could pay.
    let again = http::Request::get(scene.stage.server.url("/pull"))
        .header("authorization", bought.sent[1].headers.get("authorization").unwrap());
    let error = scene.customer.client().send(again.body(Bytes::new()).unwrap()).await.unwrap_err();
    assert_eq!(refusals(error), [Reason::AuthorizationInUse]);
    assert_eq!(scene.customer.signatures(), 1);
    assert_eq!(scene.moved().await, Moved { paid: CENT + fee, received: [CENT, 0, 0], sponsored: 0 });
}

#[tokio::test]
async fn err_price_above_the_cap() {
    let allowed = Amount::from_base_units(CENT - 1);
    let refusal = refused("/pull", |policy| policy, allowed).await;
    assert_eq!(refusal, Refusal::OverCap { asked: Amount::from_base_units(CENT), allowed });
}

#[tokio::test]
async fn err_push_only() {
    assert_eq!(refused("/push", |policy| policy, Amount::from_base_units(CENT)).await, Refusal::PushOnly);
}

#[tokio::test]
async fn err_foreign_chain() {
    let elsewhere = |_| Policy::new(42431, [PATH_USD], Amount::from_base_units(CENT));
    let refusal = refused("/any", elsewhere, Amount::from_base_units(CENT)).await;
    assert_eq!(refusal, Refusal::Chain { asked: e2e::CHAIN_ID, allowed: 42431 });
}

#[tokio::test]
async fn err_foreign_token() {
    let other = PAYER.address;
    let elsewhere = move |_| Policy::new(e2e::CHAIN_ID, [other], Amount::from_base_units(CENT));
    let refusal = refused("/any", elsewhere, Amount::from_base_units(CENT)).await;
    assert_eq!(refusal, Refusal::Token { asked: PATH_USD });
}

#[tokio::test]
async fn err_fee_that_could_exceed_its_ceiling() {
    let allowed = Amount::from_base_units(24_999);
    let refusal = refused("/pull", |policy| policy.max_fee(allowed), Amount::from_base_units(CENT)).await;
    assert_eq!(refusal, Refusal::Fee { ceiling: Amount::from_base_units(25_000), allowed });
}

#[tokio::test]
async fn err_split_to_a_stranger() {
    let known = Shop::default();
    let pinned = move |policy: Policy| policy.recipients([known.recipient, known.split_recipients[0]]);
    let refusal = refused("/splits", pinned, Amount::from_base_units(DOLLAR)).await;
    assert_eq!(refusal, Refusal::Recipient { asked: Shop::default().split_recipients[1] });
}

#[tokio::test]
async fn err_proof_of_identity_for_a_realm_nobody_named() {
    let refusal = refused("/zero", |policy| policy, Amount::ZERO).await;
    assert_eq!(refusal, Refusal::Realm { asked: "shop.test".to_owned() });
}

#[tokio::test]
async fn err_declined_after_seeing_the_terms() {
    let decline = |policy: Policy| {
        policy.ask(|quote| {
            let terms = (quote.amount.base_units(), quote.fee_ceiling.base_units(), quote.realm.as_str());
            if terms == (CENT, 25_000, "shop.test") { Decision::Decline } else { Decision::Approve }
        })
    };
    assert_eq!(refused("/pull", decline, Amount::from_base_units(CENT)).await, Refusal::Declined);
}

#[tokio::test]
async fn asking_the_price_pays_nothing() {
    let scene = Scene::enter().await;
    let request = http::Request::get(scene.stage.server.url("/splits")).body(Bytes::new()).unwrap();
    let quoted = scene.customer.client().quote(request).await.unwrap().unwrap();
    assert_eq!((quoted.quote.amount.base_units(), quoted.quote.transfers.len()), (DOLLAR, 3));
    assert_eq!((quoted.refusal, scene.customer.signatures(), scene.customer.sent().len()), (None, 0, 1));
    assert_eq!(scene.moved().await, Moved::default());
}

/// Why `route` is not paid under this policy; nothing was signed, sent or moved.
async fn refused(route: &str, policy: impl FnOnce(Policy) -> Policy, cap: Amount) -> Refusal {
    let scene = Scene::enter().await;
    let customer = Customer::new(PAYER.key, policy(Policy::new(e2e::CHAIN_ID, [PATH_USD], cap)));
    let error = customer.get(&scene.stage.server.url(route)).await.unwrap_err();
    assert_eq!((error.money(), customer.signatures(), customer.sent().len()), (Money::NotMoved, 0, 1));
    assert_eq!(scene.moved().await, Moved::default());
    match refusals(error).as_slice() {
        [Reason::Policy(refusal)] => refusal.clone(),
        reasons => panic!("not one refusal: {reasons:?}"),
    }
}

fn refusals(error: Error) -> Vec<Reason> {
    match error {
        Error::NotPaid { reason: NotPaid::Refused(reasons), .. } => reasons,
        error => panic!("not refused: {error:?}"),
    }
}

/// A node and a shop, used by one test at a time.
struct Stage {
    node: Anvil,
    server: MppxServer,
    shop: Shop,
}

/// One test's turn on the stage: a customer, and what everybody held before.
struct Scene {
    stage: MutexGuard<'static, Stage>,
    customer: Customer,
    before: [u128; 5],
}

/// What changed hands, in base units.
#[derive(Debug, Default, PartialEq)]
struct Moved {
    /// Out of the payer's account.
    paid: u128,
    /// Into the shop's and its two split recipients'.
    received: [u128; 3],
    /// Out of the sponsor's.
    sponsored: u128,
}

/// An answer that was paid for.
struct Bought {
    payment: Payment,
    sent: Vec<Sent>,
}

impl Scene {
    async fn enter() -> Self {
        static STAGE: OnceCell<Mutex<Stage>> = OnceCell::const_new();
        let stage = STAGE.get_or_init(|| async {
            let (node, shop) = (Anvil::start(e2e::CHAIN_ID).await, Shop::default());
            Mutex::new(Stage { server: MppxServer::open(&node, shop.clone()).await, node, shop })
        });
        let stage = stage.await.lock().await;
        let before = stage.holdings().await;
        let policy = Policy::new(e2e::CHAIN_ID, [PATH_USD], Amount::from_base_units(DOLLAR))
            .realms([stage.shop.realm.as_str()]);
        Self { stage, customer: Customer::new(PAYER.key, policy), before }
    }

    /// Buys, and checks what is true of every purchase: two requests to the shop and none elsewhere, one signature,
    /// the shop's answer, and a receipt for this payment.
    async fn buy(&self, route: &str) -> Bought {
        let url = self.stage.server.url(route);
        let mut answer = self.customer.post(&url, r#"{"fruit":"äpple"}"#).await.unwrap();
        assert_eq!(answer.status(), 200);
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(body, json!({ "route": route, "method": "POST", "body": r#"{"fruit":"äpple"}"# }));

        let sent = self.customer.sent();
        assert_eq!(sent.iter().map(|sent| sent.uri.to_string()).collect::<Vec<_>>(), [&*url, &*url]);
        assert!(sent[0].credential().is_none() && sent[1].credential().is_some());
        assert_eq!(self.customer.signatures(), 1);
        let payment = answer.payment().unwrap().clone();
        assert_eq!((payment.state(), payment.receipt().is_some()), (State::Delivered, true), "{payment:?}");
        assert_eq!(payment.payer(), PAYER.address);
        Bought { payment, sent }
    }

    /// What changed hands since the test began.
    async fn moved(&self) -> Moved {
        let [payer, sponsor, shop, first, second] = self.stage.holdings().await;
        let [payer_before, sponsor_before, shop_before, first_before, second_before] = self.before;
        Moved {
            paid: payer_before - payer,
            received: [shop - shop_before, first - first_before, second - second_before],
            sponsored: sponsor_before - sponsor,
        }
    }
}

impl Stage {
    /// What payer, sponsor, shop and the split recipients hold.
    async fn holdings(&self) -> [u128; 5] {
        let [first, second] = self.shop.split_recipients;
        let of = |owner| self.node.balance_of(PATH_USD, owner);
        [
            of(PAYER.address).await,
            of(SPONSOR.address).await,
            of(self.shop.recipient).await,
            of(first).await,
            of(second).await,
        ]
    }
}

impl Bought {
    fn credential(&self) -> Credential {
        self.sent[1].credential().unwrap()
    }

    /// The transaction that was handed over, and the hash that follows from its bytes alone.
    fn signed(&self) -> (Transaction, Option<B256>) {
        let credential = self.credential();
        let Payload::Transaction(raw) = credential.payload() else {
            panic!("no transaction: {credential:?}")
        };
        let (signed, transaction, sender) = SignedTransaction::decode(raw).unwrap();
        assert_eq!(sender, PAYER.address);
        (transaction, signed.hash())
    }

    /// The fee of the transaction that the receipt names, which is on the chain and carries the payment's memo.
    async fn fee(&self, scene: &Scene) -> u128 {
        let hash = self.payment.receipt().unwrap().hash().unwrap();
        assert_eq!(self.payment.hash(), Some(hash));
        assert_eq!(self.payment.money(), Money::Paid);
        let node = &scene.stage.node;
        let mined = node.transaction(hash).await.unwrap();
        let quote = self.payment.quote();
        let payer = if quote.sponsored { SPONSOR } else { PAYER };
        assert_eq!((mined.succeeded, mined.from, mined.fee_payer), (true, PAYER.address, payer.address));
        let found = node.memo_transfers(self.payment.memo()).await;
        assert_eq!(found.iter().map(|transfer| transfer.transaction).collect::<Vec<_>>(), [hash]);
        assert!(
            mined.fee > 0 && (quote.sponsored || mined.fee <= quote.fee_ceiling.base_units()),
            "{mined:?}"
        );
        mined.fee
    }
}
