//! Payments that their payers sent themselves, and how a charge may be paid at all: modes and splits.

use alloy_primitives::B256;
use axum::Router;
use axum::routing::post;
use mpp_core::payee::TransferLog;
use mpp_core::tempo::{self, Modes, SignedPayment};
use mpp_core::{Amount, ChargeRequest, Transfer};
use mpp_gate::chain::Found;
use mpp_gate::{Charge, Cost, Gate};
use serde_json::json;
use tempfile::TempDir;

use crate::shop::{PRICE, Shop};
use crate::support::{Answer, Buyer, RECIPIENT, account, payee, payer, serve, tampered};
use crate::till::{Mood, Till};

/// The credential of somebody who has sent the payment himself.
fn pushed(credential: &str, hash: B256) -> String {
    tampered(credential, |json| json["payload"] = json!({"type": "hash", "hash": hash.to_string()}))
}

fn log(payment: &SignedPayment) -> TransferLog {
    TransferLog {
        token: tempo::PATH_USD,
        from: payer().address(),
        to: RECIPIENT,
        amount: Amount::from_base_units(PRICE.into()),
        memo: payment.memo(),
    }
}

async fn shop() -> Shop {
    Shop::with(|gate| gate.modes(Modes::Both)).await
}

#[tokio::test]
async fn a_pushed_payment_is_taken_once_by_its_logs_and_never_sent() {
    let shop = shop().await;
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    let hash = payment.hash().unwrap();
    shop.till.open().mine(hash, vec![log(&payment)]);
    let credential = pushed(&credential, hash);
    let answer = shop.buyer.post("/apple", "two", &credential).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "two|"));
    answer.receipt().unwrap().check(&payment).unwrap();
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.body, "two|");

    // The same money does not pay another challenge, nor the same challenge in another way.
    let (_, other) = shop.buyer.payment("/apple", "two").await;
    shop.buyer.post("/apple", "two", &pushed(&other, hash)).await.is_problem(402, "verification-failed");
    assert_eq!((shop.till.sent().len(), shop.sold()), (0, 1));
}

#[tokio::test]
async fn logs_that_do_not_pay_buy_nothing() {
    let shop = shop().await;
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    let good = log(&payment);
    let less = Amount::from_base_units(u128::from(PRICE) - 1);
    let cases = [
        ("nothing", Found::Done(Vec::new())),
        ("another token", Found::Done(vec![TransferLog { token: RECIPIENT, ..good }])),
        ("another recipient", Found::Done(vec![TransferLog { to: payer().address(), ..good }])),
        ("less", Found::Done(vec![TransferLog { amount: less, ..good }])),
        ("no memo", Found::Done(vec![TransferLog { memo: None, ..good }])),
        ("a foreign memo", Found::Done(vec![TransferLog { memo: Some(B256::ZERO), ..good }])),
        ("another payer", Found::Done(vec![TransferLog { from: account(1).address(), ..good }])),
        ("reverted", Found::Reverted),
    ];
    for (at, (case, found)) in cases.into_iter().enumerate() {
        let hash = B256::with_last_byte(u8::try_from(at).unwrap() + 1);
        shop.till.open().chain.insert(hash, found);
        let answer = shop.buyer.post("/apple", "two", &pushed(&credential, hash)).await;
        assert_eq!(answer.status, 402, "{case}: {answer:?}");
        answer.is_problem(402, "verification-failed");
    }
    shop.did_nothing();
    // None of it has used the challenge up.
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
}

#[tokio::test]
async fn a_payment_on_its_way_is_waited_for_and_one_that_nobody_knows_is_to_be_sent_again() {
    let shop = shop().await;
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    let hash = payment.hash().unwrap();
    let credential = pushed(&credential, hash);
    let send = || {
        let (buyer, credential) = (shop.buyer.clone(), credential.clone());
        tokio::spawn(async move { buyer.post("/apple", "two", &credential).await })
    };
    let answer = send().await.unwrap();
    answer.is_problem(402, "verification-failed");
    assert!(answer.json()["detail"].as_str().unwrap().contains("send this credential again"));
    let asked = shop.till.open().asked.len();
    let waiting = send();
    crate::support::until("it is asked for", || shop.till.open().asked.len() > asked).await;
    shop.till.open().mine(hash, vec![log(&payment)]);
    assert_eq!(waiting.await.unwrap().status, 200);
    assert_eq!((shop.till.sent().len(), shop.sold()), (0, 1));
}

#[tokio::test]
async fn who_has_pushed_is_never_told_that_nothing_was_paid() {
    let shop = shop().await;
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    let hash = payment.hash().unwrap();
    let credential = pushed(&credential, hash);
    shop.till.open().mine(hash, vec![log(&payment)]);
    shop.till.open().closed = true;
    let answer = shop.buyer.post("/apple", "two", &credential).await;
    answer.is_problem(503, "about:blank");
    assert!(!answer.body.contains("nothing was paid"), "{answer:?}");
    // The node was asked for what the payer chose, so others go on buying.
    assert_eq!(shop.gate.unready(), None);
    // Nor for another reason, while there is no challenge to give.
    let (_, pulled) = shop.buyer.payment("/apple", "two").await;
    shop.till.open().trial = Mood::IsClosed;
    shop.buyer.post("/apple", "two", &pulled).await.is_problem(503, "about:blank");
    let answer = shop.buyer.post("/apple", "three", &credential).await;
    answer.is_problem(503, "about:blank");
    assert!(answer.body.contains("this credential again"), "{answer:?}");
    shop.till.open().closed = false;
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
}

#[tokio::test]
async fn a_pushed_payment_for_nothing_is_refunded_to_who_made_it() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, |gate| gate.modes(Modes::Push).operator(account(3))).await;
    let (payment, credential) = shop.buyer.payment("/rotten", "two").await;
    let hash = payment.hash().unwrap();
    till.open().mine(hash, vec![log(&payment)]);
    let answer = shop.buyer.post("/rotten", "two", &credential).await;
    assert_eq!(answer.json()["refund"], "due");
    crate::book::settles_down(&folder, &["refunded"]).await;
    assert_eq!(till.sent().len(), 1);
}

#[tokio::test]
async fn only_the_modes_that_are_offered_are_taken() {
    for (modes, pull, push) in [(Modes::Pull, 200, 402), (Modes::Push, 402, 200), (Modes::Both, 200, 200)] {
        let shop = Shop::with(|gate| gate.modes(modes)).await;
        let challenge = shop.buyer.challenge("/apple", "two").await;
        assert_eq!(ChargeRequest::from_challenge(&challenge).unwrap().modes(), modes);
        let (payment, credential) = shop.buyer.payment("/apple", "two").await;
        let hash = B256::repeat_byte(9);
        shop.till.open().mine(hash, vec![log(&payment)]);
        let answer = shop.buyer.post("/apple", "two", &pushed(&credential, hash)).await;
        assert_eq!(answer.status.as_u16(), push, "{modes:?}: {answer:?}");
        let (payment, credential) = shop.buyer.payment("/apple", "two").await;
        let raw =
            json!({"type": "transaction", "signature": payment.transaction().unwrap().raw().to_string()});
        let pulled = tampered(&credential, |json| json["payload"] = raw);
        let answer = shop.buyer.post("/apple", "two", &pulled).await;
        assert_eq!(answer.status.as_u16(), pull, "{modes:?}: {answer:?}");
    }
}

#[tokio::test]
async fn parts_of_a_charge_go_to_others() {
    let part = Transfer { to: account(1).address(), amount: Amount::from_base_units(1000), memo: None };
    let till = Till::default();
    let cost = move |_: &_, _: &_| {
        Cost::Charge(Charge::new(Amount::from_base_units(PRICE.into())).splits(vec![part]))
    };
    let gate = Gate::new(payee(), till.clone(), cost).unwrap();
    let router = Router::new().route("/fruit", post(|| async { "mixed" })).layer(gate);
    let buyer = Buyer::of(serve(router).await);
    let charge = ChargeRequest::from_challenge(&buyer.challenge("/fruit", "two").await).unwrap();
    let transfers = charge.transfers();
    assert_eq!((transfers[0].to, transfers[0].amount.base_units(), transfers[1]), (RECIPIENT, 9000, part));
    let (payment, credential) = buyer.payment("/fruit", "two").await;
    let answer: Answer = buyer.post("/fruit", "two", &credential).await;
    assert_eq!(answer.body, "mixed");
    let receipt = answer.receipt().unwrap();
    receipt.check(&payment).unwrap();
    assert_eq!(receipt.amount().unwrap().base_units(), u128::from(PRICE));
    assert_eq!(till.sent().len(), 1);
}
