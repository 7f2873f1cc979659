//! Payments of which nobody knows whether they were made: never forgotten, never asked for a second time.

use mpp_core::payee::ProblemType;
use tempfile::TempDir;

use crate::book;
use crate::shop::Shop;
use crate::support::{Answer, until};
use crate::till::{Mood, Till};

fn is_unknown(answer: &Answer, reference: &str) {
    answer.is_problem(502, "about:blank");
    assert_eq!(answer.json()["reference"], reference);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("the outcome of the payment is unknown"), "{detail}");
    assert!(detail.contains("before paying again"), "{detail}");
}

/// A payment that hangs, and nobody at it.
async fn hanging(till: &Till, folder: &TempDir, mood: Mood) -> (Shop, String, String) {
    let shop = Shop::lasting(till, folder, |gate| gate).await;
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    let reference = payment.hash().unwrap().to_string();
    till.set(mood);
    is_unknown(&shop.buyer.post("/apple", "two", &credential).await, &reference);
    assert_eq!((till.sent().len(), shop.sold()), (1, 0));
    book::age(folder).await;
    (shop, credential, reference)
}

#[tokio::test]
async fn a_payment_that_was_made_without_a_word_buys_when_its_credential_comes_again() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let (shop, credential, _) = hanging(&till, &folder, Mood::TakesSilently).await;
    let answer = shop.buyer.post("/apple", "two", &credential).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "two|"));
    assert_eq!((till.sent().len(), shop.sold()), (1, 1));
}

#[tokio::test]
async fn a_payment_that_has_not_happened_is_sent_again_by_its_credential() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let (shop, credential, _) = hanging(&till, &folder, Mood::DoesNotAnswer).await;
    till.set(Mood::Takes);
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
    let sent = till.sent();
    assert_eq!((sent.len(), sent[0], shop.sold()), (2, sent[1], 1));
}

#[tokio::test]
async fn what_may_have_been_sent_is_not_given_up_for_a_refusal_or_a_silent_node() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let (shop, credential, reference) = hanging(&till, &folder, Mood::DoesNotAnswer).await;
    for (mood, closed) in [
        (Mood::IsClosed, false),
        (Mood::Refuses(ProblemType::PaymentInsufficient), false),
        (Mood::DoesNotAnswer, false),
        (Mood::Takes, true),
    ] {
        till.set(mood);
        till.open().closed = closed;
        is_unknown(&shop.buyer.post("/apple", "two", &credential).await, &reference);
        assert_eq!(book::read(&folder, "SELECT state FROM sales").await, ["claimed"]);
        book::age(&folder).await;
    }
    till.open().closed = false;
    till.set(Mood::Takes);
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
    assert_eq!(shop.sold(), 1);
}

#[tokio::test]
async fn a_payment_that_can_never_happen_is_to_be_paid_anew() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let (shop, credential, _) = hanging(&till, &folder, Mood::DoesNotAnswer).await;
    till.open().over = true;
    let answer = shop.buyer.post("/apple", "two", &credential).await;
    answer.is_problem(409, "about:blank");
    assert!(answer.json()["detail"].as_str().unwrap().ends_with("pay anew"));
    assert!(answer.json().get("reference").is_none());
    assert_eq!(book::read(&folder, "SELECT state FROM sales").await, [""; 0]);
    assert_eq!((till.sent().len(), shop.sold()), (1, 0));
}

#[tokio::test]
async fn whose_money_is_gone_by_the_same_credential_is_served_and_not_asked_for_more() {
    // The second request finds no sale, then the first takes all the money there is.
    let shop = Shop::open().await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    let rest = shop.till.hold_trials();
    let (buyer, held) = (shop.buyer.clone(), credential.clone());
    let second = tokio::spawn(async move { buyer.post("/apple", "two", &held).await });
    until("it is tried out", || shop.till.open().tried == 1).await;
    let (buyer, held) = (shop.buyer.clone(), credential.clone());
    let first = tokio::spawn(async move { buyer.post("/apple", "two", &held).await });
    until("so is the other", || shop.till.open().tried == 2).await;
    rest.send(Ok(())).unwrap();
    let answers = [first, second];
    until("the money is taken", || shop.till.sent().len() == 1).await;
    rest.send(Err(ProblemType::PaymentInsufficient)).unwrap();
    for answer in answers {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!((shop.till.sent().len(), shop.sold()), (1, 1));
}
