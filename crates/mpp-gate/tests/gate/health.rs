//! A node or a store that does not answer: nobody is asked to pay for what could not be settled or written down.

use mpp_gate::store::SqlStore;
use tempfile::TempDir;

use crate::book::{self, Shelf};
use crate::shop::Shop;
use crate::support::{Answer, eventually, secret, until};
use crate::till::{Mood, Till};

fn is_down(answer: &Answer) {
    answer.is_problem(503, "about:blank");
    assert_eq!(answer.header("retry-after"), Some("5"));
}

async fn shelf(till: &Till, folder: &TempDir) -> (Shop, Shelf) {
    let shelf = Shelf::of(SqlStore::sqlite(book::file(folder)).await.unwrap());
    let front = shelf.clone();
    (Shop::at(till.clone(), |gate| gate.durable(secret(), front)).await, shelf)
}

#[tokio::test]
async fn while_the_node_or_the_store_is_down_nobody_is_asked_to_pay_and_then_again() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let (shop, shelf) = shelf(&till, &folder).await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    let shop = shop.maintained();
    for (node, store) in [(true, false), (false, true)] {
        till.open().closed = node;
        till.open().trial = if node { Mood::IsClosed } else { Mood::Takes };
        shelf.lock(store);
        eventually("it is noticed", async || shop.gate.unready()).await;
        is_down(&shop.buyer.post("/apple", "two", "Bearer x").await);
        is_down(&shop.buyer.post("/apple", "two", &credential).await);
        // What is wrong with a request, and what is free, is said all the same.
        assert_eq!(shop.buyer.post("/apple", "", "Bearer x").await.status, 400);
        assert_eq!(shop.buyer.send(reqwest::Method::GET, "/window", "", &[]).await.status, 200);
        shop.till.open().closed = false;
        till.open().trial = Mood::Takes;
        shelf.lock(false);
        until("it is noticed", || shop.gate.unready().is_none()).await;
        shop.buyer.challenge("/apple", "two").await;
    }
    assert!(till.sent().is_empty());
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
}

#[tokio::test]
async fn a_payment_finds_out_that_the_node_is_down_before_it_is_sent() {
    let shop = Shop::open().await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    shop.till.open().trial = Mood::IsClosed;
    is_down(&shop.buyer.post("/apple", "two", &credential).await);
    // Without maintenance too, the next are not asked to pay.
    is_down(&shop.buyer.post("/apple", "two", "Bearer x").await);
    shop.did_nothing();
    shop.till.open().trial = Mood::Takes;
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
}

#[tokio::test]
async fn who_has_paid_is_never_told_that_nothing_was_paid() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let (shop, shelf) = shelf(&till, &folder).await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    let first = shop.buyer.post("/apple", "two", &credential).await;
    assert_eq!(first.status, 200);
    shelf.lock(true);
    let answer = shop.buyer.post("/apple", "two", &credential).await;
    is_down(&answer);
    assert!(!answer.body.contains("nothing was paid"), "{answer:?}");
    assert!(answer.body.contains("this credential again"), "{answer:?}");
    shelf.lock(false);
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.body, first.body);
    assert_eq!((till.sent().len(), shop.sold()), (1, 1));
}

#[tokio::test]
async fn an_answer_is_given_even_if_it_cannot_be_written_down_at_once() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let (shop, shelf) = shelf(&till, &folder).await;
    let (_, credential) = shop.buyer.payment("/stew", "two").await;
    let (buyer, held) = (shop.buyer.clone(), credential.clone());
    let call = tokio::spawn(async move { buyer.post("/stew", "two", &held).await });
    until("it is cooked", || shop.sold() == 1).await;
    shelf.lock(true);
    shop.kitchen.add_permits(1);
    assert_eq!(call.await.unwrap().body, "stew 0");
    is_down(&shop.buyer.post("/apple", "two", "Bearer x").await);
    shelf.lock(false);
    book::settles_down(&folder, &["served"]).await;
    assert_eq!(shop.buyer.post("/stew", "two", &credential).await.body, "stew 0");
    assert_eq!((till.sent().len(), shop.sold()), (1, 1));
}
