//! Money is taken once, and what it bought can be had again: at the same time, by another payment, after a restart, and
//! from another instance.

use std::sync::atomic::Ordering;

use axum::http::Method;
use mpp_core::payee::ProblemType;
use mpp_gate::Secret;
use mpp_gate::store::SqlStore;
use tempfile::TempDir;

use crate::book;
use crate::shop::Shop;
use crate::support::{Answer, Buyer, CHAIN, account, now, secret, sign_by, until};
use crate::till::{Mood, Till};

/// What a payer compares.
fn same(first: &Answer, again: &Answer) {
    let seen = |answer: &Answer| {
        let fields = ["payment-receipt", "cache-control", "content-type"];
        let fields = fields.map(|name| answer.header(name).map(str::to_owned));
        (answer.status, answer.body.clone(), fields)
    };
    assert_eq!(seen(first), seen(again));
    assert!(first.receipt().is_some());
}

/// The same at the same time, `count` times.
async fn at_once(buyers: &[&Buyer], count: usize, target: &'static str, credential: &str) -> Vec<Answer> {
    let sends: Vec<_> = buyers
        .iter()
        .cycle()
        .take(count)
        .map(|buyer| {
            let (buyer, credential) = ((*buyer).clone(), credential.to_owned());
            tokio::spawn(async move { buyer.post(target, "two", &credential).await })
        })
        .collect();
    let mut answers = Vec::new();
    for send in sends {
        answers.push(send.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_credential_sent_fifty_times_at_once_buys_one_answer_that_all_get() {
    let shop = Shop::open().await;
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    let answers = at_once(&[&shop.buyer], 50, "/apple", &credential).await;
    answers.iter().for_each(|answer| same(&answers[0], answer));
    answers[0].receipt().unwrap().check(&payment).unwrap();
    assert_eq!((answers[0].status.as_u16(), shop.till.sent().len(), shop.sold()), (200, 1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_instances_settle_one_credential_once() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let first = Shop::lasting(&till, &folder, |gate| gate).await;
    let second = Shop::lasting(&till, &folder, |gate| gate).await;
    let (_, credential) = first.buyer.payment("/apple", "two").await;
    let answers = at_once(&[&first.buyer, &second.buyer], 32, "/apple", &credential).await;
    answers.iter().for_each(|answer| same(&answers[0], answer));
    assert_eq!((till.sent().len(), first.sold() + second.sold()), (1, 1));
}

#[tokio::test]
async fn the_same_credential_again_gets_the_same_answer_even_if_the_price_went_up() {
    let shop = Shop::open().await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    let first = shop.buyer.post("/apple", "two", &credential).await;
    shop.price.fetch_add(1, Ordering::Relaxed);
    same(&first, &shop.buyer.post("/apple", "two", &credential).await);
    assert_eq!((shop.till.sent().len(), shop.sold()), (1, 1));
    // For any other request it is used up.
    shop.buyer.post("/apple", "three", &credential).await.is_problem(402, "invalid-challenge");
    shop.buyer.post("/pear", "two", &credential).await.is_problem(402, "invalid-challenge");
    assert_eq!((shop.till.sent().len(), shop.sold()), (1, 1));
}

#[tokio::test]
async fn a_charge_of_nothing_is_answered_by_a_proof_once_and_the_answer_given_again() {
    let shop = Shop::open().await;
    let (payment, credential) = shop.buyer.payment("/taste", "one").await;
    let first = shop.buyer.post("/taste", "one", &credential).await;
    first.receipt().unwrap().check(&payment).unwrap();
    same(&first, &shop.buyer.post("/taste", "one", &credential).await);
    assert_eq!((shop.till.sent(), shop.sold()), (vec![], 1));
}

#[tokio::test]
async fn another_payment_with_the_same_idempotency_key_gets_the_first_answer_and_is_not_taken() {
    let shop = Shop::open().await;
    let send = async |target: &'static str, body: &'static str, credential: &str, key: &'static str| {
        let fields = [("authorization", credential), ("idempotency-key", key)];
        shop.buyer.send(Method::POST, target, body, &fields).await
    };
    let pay = async |payer: usize, target: &'static str, body: &'static str, key: &'static str| {
        let challenge = shop.buyer.challenge(target, body).await;
        let payment = sign_by(&account(payer), challenge, body, CHAIN, now());
        send(target, body, &payment.credential().header_value(), key).await
    };
    let first = pay(0, "/apple", "two", "a").await;
    same(&first, &pay(0, "/apple", "two", "a").await);
    // Not even who has spent all his money on the first is asked for more.
    shop.till.open().trial = Mood::Refuses(ProblemType::PaymentInsufficient);
    same(&first, &pay(0, "/apple", "two", "a").await);
    shop.till.open().trial = Mood::Takes;
    assert_eq!((shop.till.sent().len(), shop.sold()), (1, 1));

    // Another's, another request's, and another key are something else.
    for (payer, target, body, key) in [
        (1, "/apple", "two", "a"),
        (0, "/pear", "two", "a"),
        (0, "/apple", "three", "a"),
        (0, "/apple", "two", "b"),
    ] {
        let other = pay(payer, target, body, key).await;
        assert_eq!(other.status, 200);
        assert_ne!(other.header("payment-receipt"), first.header("payment-receipt"));
    }
    assert_eq!((shop.till.sent().len(), shop.sold()), (5, 5));
}

#[tokio::test]
async fn a_key_whose_payment_was_for_nothing_buys_again() {
    let shop = Shop::open().await;
    for _ in 0..2 {
        let (_, credential) = shop.buyer.payment("/rotten", "two").await;
        let fields = [("authorization", credential.as_str()), ("idempotency-key", "a")];
        shop.buyer.send(Method::POST, "/rotten", "two", &fields).await.is_problem(502, "about:blank");
    }
    assert_eq!(shop.till.sent().len(), 2);
}

#[tokio::test]
async fn an_answer_survives_a_restart_and_a_change_of_secrets() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let before = Shop::lasting(&till, &folder, |gate| gate).await;
    let (_, spent) = before.buyer.payment("/apple", "two").await;
    let (_, unspent) = before.buyer.payment("/apple", "two").await;
    let first = before.buyer.post("/apple", "two", &spent).await;
    drop(before);

    let after = Shop::lasting(&till, &folder, |gate| gate).await;
    same(&first, &after.buyer.post("/apple", "two", &spent).await);
    drop(after);

    let new = || Secret::new(vec![8; 32]).unwrap();
    let store = async || SqlStore::sqlite(book::file(&folder)).await.unwrap();
    let store_now = store().await;
    let rotated =
        Shop::at(till.clone(), |gate| gate.durable(new(), store_now).previous_secret(secret())).await;
    same(&first, &rotated.buyer.post("/apple", "two", &spent).await);
    assert!(rotated.buyer.challenge("/apple", "two").await.is_bound_by(&[8; 32]));
    assert_eq!((till.sent().len(), rotated.sold()), (1, 0));
    // A live challenge of the secret before is good, too.
    assert_eq!(rotated.buyer.post("/apple", "two", &unspent).await.status, 200);
    assert_eq!((till.sent().len(), rotated.sold()), (2, 1));

    // In whichever order it is told.
    let store_now = store().await;
    let rotated =
        Shop::at(till.clone(), |gate| gate.previous_secret(secret()).durable(new(), store_now)).await;
    same(&first, &rotated.buyer.post("/apple", "two", &spent).await);

    let store_now = store().await;
    let forgetful = Shop::at(till.clone(), |gate| gate.durable(new(), store_now)).await;
    forgetful.buyer.post("/apple", "two", &spent).await.is_problem(402, "invalid-challenge");
    forgetful.did_nothing_more(2);
}

/// Pays for a request, and hangs up without its answer once something is so.
async fn hang_up(
    shop: &Shop,
    target: &'static str,
    credential: &str,
    what: &str,
    is_so: impl FnMut() -> bool,
) {
    let (buyer, credential) = (shop.buyer.clone(), credential.to_owned());
    let call = tokio::spawn(async move { buyer.post(target, "two", &credential).await });
    until(what, is_so).await;
    call.abort();
    shop.somebody_left().await;
}

#[tokio::test]
async fn who_hangs_up_while_his_payment_is_settled_finds_the_answer_when_he_comes_back() {
    let shop = Shop::open().await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    shop.till.shut();
    hang_up(&shop, "/apple", &credential, "it was sent", || shop.till.sent().len() == 1).await;
    shop.till.unlock();
    let answer = shop.buyer.post("/apple", "two", &credential).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "two|"));
    assert_eq!((shop.till.sent().len(), shop.sold()), (1, 1));
}

#[tokio::test]
async fn who_hangs_up_while_he_is_served_finds_the_answer_when_he_comes_back() {
    let shop = Shop::open().await;
    let (_, credential) = shop.buyer.payment("/stew", "two").await;
    hang_up(&shop, "/stew", &credential, "it is cooked", || shop.sold() == 1).await;
    shop.kitchen.add_permits(1);
    let answer = shop.buyer.post("/stew", "two", &credential).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "stew 0"));
    assert_eq!((shop.till.sent().len(), shop.sold()), (1, 1));
}

#[tokio::test]
async fn a_shop_that_closes_finishes_what_is_paid() {
    let shop = Shop::open().await;
    let (_, credential) = shop.buyer.payment("/stew", "two").await;
    hang_up(&shop, "/stew", &credential, "it is cooked", || shop.sold() == 1).await;
    let mut finished = Box::pin(shop.gate.finished());
    let waits = std::future::poll_fn(|context| std::task::Poll::Ready(finished.as_mut().poll(context)));
    assert!(waits.await.is_pending());
    shop.kitchen.add_permits(1);
    finished.await;
    assert_eq!(shop.buyer.post("/stew", "two", &credential).await.body, "stew 0");
}

#[tokio::test]
async fn a_sale_is_somebodys_from_when_it_is_claimed_however_long_the_node_took_before() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, |gate| gate).await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    let trials = till.hold_trials();
    let buyer = shop.buyer.clone();
    let call = tokio::spawn(async move { buyer.post("/apple", "two", &credential).await });
    until("it is tried out", || till.open().tried == 1).await;
    let tried = now();
    until("a second has passed", || now() > tried).await;
    trials.send(Ok(())).unwrap();
    assert_eq!(call.await.unwrap().status, 200);
    let claimed = book::read(&folder, "SELECT CAST(claimed_at AS TEXT) FROM sales").await;
    assert!(claimed[0].parse::<u64>().unwrap() > tried);
}
