//! Money for which there was nothing is given back once: written down before it is sent, signed anew only when the one
//! before can never happen.

use mpp_core::payee::{ProblemType, Refund};
use mpp_core::tempo::{self, SignedTransaction};
use mpp_core::{Amount, Transfer};
use mpp_gate::Gate;
use serde_json::Value;
use tempfile::TempDir;

use crate::book::{self, Shelf};
use crate::shop::{PRICE, Shop};
use crate::support::{Answer, account, eventually, payer, secret, until};
use crate::till::{Mood, Till};

fn refunding(gate: Gate) -> Gate {
    gate.operator(account(3))
}

/// A payment for something rotten: its reference, its credential, and what was said.
async fn fail(shop: &Shop) -> (String, String, Answer) {
    let (payment, credential) = shop.buyer.payment("/rotten", "two").await;
    let answer = shop.buyer.post("/rotten", "two", &credential).await;
    (payment.hash().unwrap().to_string(), credential, answer)
}

/// What is said of a payment at its reference.
async fn report(shop: &Shop, reference: &str) -> Value {
    let target = format!("/payments/{reference}");
    let answer = shop.buyer.send(reqwest::Method::GET, &target, "", &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Checks a refund of the price to the payer, and where it is.
fn gives_back(raw: &[u8], reference: &str) {
    let (_, transaction, sender) = SignedTransaction::decode(raw).unwrap();
    let amount = Amount::from_base_units(PRICE.into());
    let transfer = Transfer { to: payer().address(), amount, memo: Some(Refund::memo(reference)) };
    assert_eq!(transaction.transfers(), Some(vec![(tempo::PATH_USD, transfer)]));
    assert_eq!(sender, account(3).address());
}

#[tokio::test]
async fn a_failed_service_is_refunded_to_the_payer_with_a_memo_of_the_payment() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, refunding).await;
    let (reference, credential, answer) = fail(&shop).await;
    answer.is_problem(502, "about:blank");
    assert_eq!(
        (&answer.json()["refund"], &answer.json()["reference"]),
        (&"due".into(), &reference.clone().into())
    );
    book::settles_down(&folder, &["refunded"]).await;
    let sent = till.open().sent.clone();
    assert_eq!(sent.len(), 2);
    gives_back(&sent[1].raw, &reference);
    assert!(sent[1].valid_before.is_some());

    let again = shop.buyer.post("/rotten", "two", &credential).await;
    again.is_problem(502, "about:blank");
    assert_eq!(
        (&again.json()["refund"], &again.json()["refundTransaction"]),
        (&"made".into(), &sent[1].hash.to_string().into())
    );
    let report = report(&shop, &reference).await;
    assert_eq!((&report["state"], &report["refund"]["status"]), (&"refunded".into(), &"made".into()));
    assert_eq!(report["refund"]["transaction"], sent[1].hash.to_string());
    assert_eq!(shop.gate.owed().await.unwrap(), 0);
    assert_eq!(till.sent().len(), 2);
}

#[tokio::test]
async fn without_an_operator_it_is_owed_and_holds_nothing_else_up() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, |gate| gate).await;
    let (reference, _, answer) = fail(&shop).await;
    assert_eq!(answer.json()["refund"], "owed");
    // More of them than are looked after at once, all due for longer than what comes after.
    for _ in 0..70 {
        fail(&shop).await;
    }
    book::age(&folder).await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    till.set(Mood::TakesSilently);
    shop.buyer.post("/apple", "two", &credential).await.is_problem(502, "about:blank");
    book::write(&folder, "UPDATE sales SET due_at = 1 WHERE state = 'claimed'").await;
    let shop = shop.maintained();
    let servable = "SELECT state FROM sales WHERE state = 'servable'";
    eventually("it is found", async || (book::read(&folder, servable).await.len() == 1).then_some(())).await;
    assert_eq!(report(&shop, &reference).await["refund"]["status"], "owed");
    assert_eq!(shop.gate.owed().await.unwrap(), 71);

    // Whoever gets a key refunds them all.
    drop(shop);
    till.set(Mood::Takes);
    book::write(&folder, "UPDATE sales SET due_at = 1 WHERE state = 'refund-due'").await;
    let shop = Shop::lasting(&till, &folder, refunding).await.maintained();
    eventually("all are refunded", async || (shop.gate.owed().await.unwrap() == 0).then_some(())).await;
    assert_eq!(till.sent().len(), 71 + 1 + 71);
}

#[tokio::test]
async fn a_refund_of_unknown_outcome_is_not_signed_again_before_it_can_never_happen() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, refunding).await.maintained();
    let held = hold(&shop).await;
    till.set(Mood::DoesNotAnswer);
    shop.kitchen.close();
    let answer = held.await.unwrap();
    assert_eq!(answer.json()["refund"], "due");
    until("it is sent", || till.sent().len() == 2).await;
    assert_eq!(book::read(&folder, "SELECT state FROM sales").await, ["refunding"]);
    let sent = till.sent();

    // It is looked for, again and again, and nothing is signed meanwhile.
    for round in 1..=2 {
        book::age(&folder).await;
        until("it is looked for", || {
            till.open().asked.iter().filter(|hash| **hash == sent[1]).count() >= round
        })
        .await;
    }
    assert_eq!(till.sent(), sent);
    // Nor when the node is silent.
    till.open().closed = true;
    let asked = till.open().asked.len();
    book::age(&folder).await;
    until("it is looked for", || till.open().asked.len() > asked).await;
    assert_eq!(till.sent(), sent);
    till.open().closed = false;

    till.open().over = true;
    till.set(Mood::Takes);
    eventually("it is refunded", async || {
        book::write(&folder, "UPDATE sales SET due_at = 0 WHERE due_at IS NOT NULL").await;
        (shop.gate.owed().await.unwrap() == 0).then_some(())
    })
    .await;
    let after = till.sent();
    assert_eq!((after.len(), &after[..2]), (3, &sent[..]));
    assert_ne!(after[1], after[2]);
    assert_eq!(book::read(&folder, "SELECT refund_hash FROM sales").await, [after[2].to_string()]);
}

#[tokio::test]
async fn a_refund_that_happened_without_a_word_is_not_made_again() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, refunding).await.maintained();
    let held = hold(&shop).await;
    till.set(Mood::TakesSilently);
    shop.kitchen.close();
    held.await.unwrap();
    until("it is sent", || till.sent().len() == 2).await;
    book::age(&folder).await;
    book::settles_down(&folder, &["refunded"]).await;
    assert_eq!(till.sent().len(), 2);
}

#[tokio::test]
async fn a_refund_that_no_node_takes_is_tried_again_later_and_later() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, refunding).await;
    let held = hold(&shop).await;
    till.set(Mood::IsClosed);
    shop.kitchen.close();
    held.await.unwrap();
    let waits =
        "SELECT CAST(due_at - (SELECT MAX(claimed_at) FROM sales) AS TEXT) FROM sales WHERE refund_tries = ";
    let _shop = shop.maintained();
    let mut before = 0;
    for tries in [1, 4, 8] {
        if tries > 1 {
            let sql = format!(
                "UPDATE sales SET due_at = 0, refund_tries = {} WHERE state = 'refund-due'",
                tries - 1
            );
            eventually("it is due", async || (book::write(&folder, &sql).await == 1).then_some(())).await;
        }
        let sql = format!("{waits}{tries} AND state = 'refund-due' AND due_at > 0");
        let wait = eventually("it was tried", async || book::read(&folder, &sql).await.pop()).await;
        let wait: u64 = wait.parse().unwrap();
        assert!(wait > before && wait >= 1 << tries, "{wait} after {tries}");
        before = wait;
    }
    assert_eq!(till.sent().len(), 1);
    till.set(Mood::Takes);
    book::age(&folder).await;
    book::settles_down(&folder, &["refunded"]).await;
    assert_eq!(till.sent().len(), 2);
}

#[tokio::test]
async fn a_refund_that_is_refused_stays_on_its_way_until_its_end() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, refunding).await;
    let held = hold(&shop).await;
    till.set(Mood::Refuses(ProblemType::PaymentInsufficient));
    shop.kitchen.close();
    held.await.unwrap();
    book::settles_down(&folder, &["refunding"]).await;
    shop.gate.finished().await;
    book::settles_down(&folder, &["refunding"]).await;
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_refunded_until_it_is() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shelf = Shelf::of(mpp_gate::store::SqlStore::sqlite(book::file(&folder)).await.unwrap());
    let front = shelf.clone();
    let shop = Shop::at(till.clone(), |gate| refunding(gate.durable(secret(), front))).await;
    let held = hold(&shop).await;
    shelf.lock(true);
    shop.kitchen.close();
    assert_eq!(held.await.unwrap().json()["refund"], "due");
    assert_eq!(till.sent().len(), 1);
    shelf.lock(false);
    book::settles_down(&folder, &["refunded"]).await;
    assert_eq!(till.sent().len(), 2);
}

#[tokio::test]
async fn a_failure_after_somebody_else_took_over_refunds_nothing() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let first = Shop::lasting(&till, &folder, refunding).await;
    let second = Shop::lasting(&till, &folder, refunding).await;
    let (_, credential) = first.buyer.payment("/stew", "two").await;
    let send = |shop: &Shop| {
        let (buyer, credential) = (shop.buyer.clone(), credential.clone());
        tokio::spawn(async move { buyer.post("/stew", "two", &credential).await })
    };
    let failing = send(&first);
    until("it is cooked", || first.sold() == 1).await;
    book::age(&folder).await;
    let serving = send(&second);
    until("it is cooked again", || second.sold() == 1).await;
    first.kitchen.close();
    failing.await.unwrap().is_problem(502, "about:blank");
    first.gate.finished().await;
    assert_eq!(till.sent().len(), 1);
    second.kitchen.add_permits(1);
    assert_eq!(serving.await.unwrap().status, 200);
    book::settles_down(&folder, &["served"]).await;
    assert_eq!(till.sent().len(), 1);
}

#[tokio::test]
async fn an_answer_that_comes_after_the_refund_does_not_undo_it() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let first = Shop::lasting(&till, &folder, refunding).await;
    let second = Shop::lasting(&till, &folder, refunding).await;
    let (_, credential) = first.buyer.payment("/stew", "two").await;
    let (buyer, held) = (first.buyer.clone(), credential.clone());
    let slow = tokio::spawn(async move { buyer.post("/stew", "two", &held).await });
    until("it is cooked", || first.sold() == 1).await;
    book::age(&folder).await;
    second.kitchen.close();
    second.buyer.post("/stew", "two", &credential).await.is_problem(502, "about:blank");
    book::settles_down(&folder, &["refunded"]).await;
    first.kitchen.add_permits(1);
    slow.await.unwrap();
    first.gate.finished().await;
    assert_eq!(book::read(&folder, "SELECT state FROM sales").await, ["refunded"]);
    assert_eq!(first.buyer.post("/stew", "two", &credential).await.json()["refund"], "made");
    assert_eq!(till.sent().len(), 2);
}

/// A paid request that is being served, until the kitchen is closed.
async fn hold(shop: &Shop) -> tokio::task::JoinHandle<Answer> {
    let (_, credential) = shop.buyer.payment("/stew", "two").await;
    let buyer = shop.buyer.clone();
    let call = tokio::spawn(async move { buyer.post("/stew", "two", &credential).await });
    until("it is cooked", || shop.sold() == 1).await;
    call
}
