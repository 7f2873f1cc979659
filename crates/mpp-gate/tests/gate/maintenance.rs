//! What a crash or a payer who does not come back leaves behind is looked after.

use tempfile::TempDir;

use crate::book;
use crate::shop::Shop;
use crate::support::{account, eventually, until};
use crate::till::{Mood, Till};

/// A payment that hangs, and nobody at it.
async fn hanging(till: &Till, folder: &TempDir, mood: Mood) -> (Shop, String, String) {
    let shop = Shop::lasting(till, folder, |gate| gate.operator(account(3))).await;
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    till.set(mood);
    shop.buyer.post("/apple", "two", &credential).await.is_problem(502, "about:blank");
    till.set(Mood::Takes);
    book::age(folder).await;
    (shop.maintained(), credential, payment.hash().unwrap().to_string())
}

async fn state(shop: &Shop, reference: &str) -> serde_json::Value {
    let target = format!("/payments/{reference}");
    let answer = shop.buyer.send(reqwest::Method::GET, &target, "", &[]).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    if answer.status == 404 { "none".into() } else { answer.json()["state"].clone() }
}

#[tokio::test]
async fn a_payment_that_landed_is_servable_and_its_payer_gets_the_answer() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let (shop, credential, reference) = hanging(&till, &folder, Mood::TakesSilently).await;
    book::settles_down(&folder, &["servable"]).await;
    assert_eq!(state(&shop, &reference).await, "servable");
    assert_eq!(shop.sold(), 0);
    let answer = shop.buyer.post("/apple", "two", &credential).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "two|"));
    assert_eq!(answer.receipt().unwrap().reference(), reference);
    assert_eq!(state(&shop, &reference).await, "served");
    assert_eq!((till.sent().len(), shop.sold()), (1, 1));
}

#[tokio::test]
async fn a_payment_that_never_landed_is_forgotten_once_it_cannot_happen() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let (shop, _, reference) = hanging(&till, &folder, Mood::DoesNotAnswer).await;
    let asked = till.open().asked.len();
    until("it is looked for", || till.open().asked.len() > asked).await;
    assert_eq!(state(&shop, &reference).await, "claimed");
    // A silent node proves nothing.
    till.open().closed = true;
    till.open().over = true;
    let asked = till.open().asked.len();
    book::age(&folder).await;
    until("it is looked for", || till.open().asked.len() > asked).await;
    assert_eq!(state(&shop, &reference).await, "claimed");
    till.open().closed = false;
    book::age(&folder).await;
    book::settles_down(&folder, &[]).await;
    assert_eq!(state(&shop, &reference).await, "none");
    assert_eq!((till.sent().len(), shop.sold()), (1, 0));
}

#[tokio::test]
async fn a_settled_sale_that_nobody_is_at_becomes_servable_and_then_is_refunded() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, |gate| gate.operator(account(3))).await;
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
    // As a crash would have left it.
    let crashed = "UPDATE sales SET state = 'settled', due_at = 0, ended_at = NULL, answer_status = NULL";
    assert_eq!(book::write(&folder, crashed).await, 1);
    let shop = shop.maintained();
    book::settles_down(&folder, &["servable"]).await;
    assert_eq!(till.sent().len(), 1);
    book::age(&folder).await;
    book::settles_down(&folder, &["refunded"]).await;
    assert_eq!(till.sent().len(), 2);
    let answer = shop.buyer.post("/apple", "two", &credential).await;
    answer.is_problem(502, "about:blank");
    assert_eq!(answer.json()["refund"], "made");
    let target = format!("/payments/{}", payment.hash().unwrap());
    let report = shop.buyer.send(reqwest::Method::GET, &target, "", &[]);
    assert_eq!(report.await.json()["failure"], "nobody came back for the answer");
    assert_eq!((till.sent().len(), shop.sold()), (2, 1));
}

#[tokio::test]
async fn a_payment_on_another_chain_is_not_looked_for_on_this_one() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, |gate| gate).await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    till.set(Mood::DoesNotAnswer);
    shop.buyer.post("/apple", "two", &credential).await.is_problem(502, "about:blank");
    // Here it would count as never made, and be forgotten.
    till.open().over = true;
    let elsewhere = "UPDATE sales SET chain_id = chain_id + 1, due_at = 0";
    assert_eq!(book::write(&folder, elsewhere).await, 1);
    shop.buyer.post("/apple", "two", &credential).await.is_problem(502, "about:blank");
    book::age(&folder).await;
    let shop = shop.maintained();
    let looked_at = "SELECT state FROM sales WHERE due_at > 0";
    eventually("it is looked at", async || book::read(&folder, looked_at).await.pop()).await;
    book::settles_down(&folder, &["claimed"]).await;
    assert_eq!((till.sent().len(), till.open().asked.len(), shop.sold()), (1, 0, 0));
}

#[tokio::test]
async fn what_nobody_can_refund_stays_servable() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, |gate| gate).await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    till.set(Mood::TakesSilently);
    shop.buyer.post("/apple", "two", &credential).await.is_problem(502, "about:blank");
    book::age(&folder).await;
    let shop = shop.maintained();
    book::settles_down(&folder, &["servable"]).await;
    book::age(&folder).await;
    let looked_at = "SELECT state FROM sales WHERE due_at > 0";
    let state = eventually("it is looked at", async || book::read(&folder, looked_at).await.pop()).await;
    assert_eq!(state, "servable");
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
}

#[tokio::test]
async fn a_sale_that_somebody_is_at_is_left_alone_for_as_long_as_it_takes() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, |gate| gate).await.maintained();
    for (mood, target) in [("being settled", "/apple"), ("being served", "/stew")] {
        let (payment, credential) = shop.buyer.payment(target, "two").await;
        let due =
            format!("SELECT CAST(due_at AS TEXT) FROM sales WHERE reference = '{}'", payment.hash().unwrap());
        if target == "/apple" {
            till.shut();
        }
        let buyer = shop.buyer.clone();
        let call = tokio::spawn(async move { buyer.post(target, "two", &credential).await });
        let claimed = eventually("it is claimed", async || book::read(&folder, &due).await.pop()).await;
        eventually(mood, async || (book::read(&folder, &due).await[0] > claimed).then_some(())).await;
        match target {
            "/apple" => till.unlock(),
            _ => shop.kitchen.add_permits(1),
        }
        assert_eq!(call.await.unwrap().status, 200);
    }
    assert_eq!(till.open().asked.len(), 0);
    assert_eq!((till.sent().len(), shop.sold()), (2, 2));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_closes_the_shop_and_keeps_nobody_elses_money_back() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, |gate| gate.operator(account(3))).await;
    let mut references = Vec::new();
    for _ in 0..2 {
        let (payment, credential) = shop.buyer.payment("/apple", "two").await;
        assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
        references.push(payment.hash().unwrap().to_string());
    }
    let owed = "UPDATE sales SET state = 'refund-due', due_at = 0, ended_at = NULL, answer_status = NULL";
    assert_eq!(book::write(&folder, owed).await, 2);
    let damaged = format!("UPDATE sales SET amount = 'two' WHERE reference = '{}'", references[0]);
    assert_eq!(book::write(&folder, &damaged).await, 1);
    let shop = shop.maintained();
    let other =
        format!("SELECT state FROM sales WHERE reference = '{}' AND state = 'refunded'", references[1]);
    eventually("it is refunded", async || book::read(&folder, &other).await.pop()).await;
    eventually("the shop is closed", async || {
        let answer = shop.buyer.post("/apple", "two", "").await;
        (answer.status == 503).then_some(())
    })
    .await;
    assert_eq!(till.sent().len(), 3);
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day_and_its_record_for_good() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, |gate| gate).await;
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    let (_, fresh) = shop.buyer.payment("/apple", "two").await;
    for credential in [&credential, &fresh] {
        assert_eq!(shop.buyer.post("/apple", "two", credential).await.status, 200);
    }
    let reference = payment.hash().unwrap().to_string();
    book::write(&folder, &format!("UPDATE sales SET ended_at = 1 WHERE reference = '{reference}'")).await;
    let shop = shop.maintained();
    let gone = eventually("it is gone", async || {
        let answer = shop.buyer.post("/apple", "two", &credential).await;
        (answer.status == 410).then_some(answer)
    });
    assert_eq!(gone.await.json()["reference"], reference);
    assert_eq!(state(&shop, &reference).await, "served");
    assert_eq!(shop.buyer.post("/apple", "two", &fresh).await.status, 200);
    assert_eq!((till.sent().len(), shop.sold()), (2, 2));
}
