//! Answers that come in parts, that are too long to be kept, and what of them can be had again.

use axum::body::Bytes;
use mpp_core::Receipt;

use crate::shop::{LIMIT, Shop};
use crate::support::{Buyer, eventually};

fn part(text: &'static str) -> Result<Bytes, std::io::Error> {
    Ok(Bytes::from(text))
}

fn broken() -> Result<Bytes, std::io::Error> {
    Err(std::io::Error::other("the press broke"))
}

/// A paid request, its head only; the body comes as it comes.
async fn begin(buyer: &Buyer, target: &str, credential: &str) -> reqwest::Response {
    buyer.request(reqwest::Method::POST, target, "two", &[("authorization", credential)]).await
}

#[tokio::test]
async fn a_stream_arrives_part_by_part_and_is_kept_whole() {
    let shop = Shop::open().await;
    let press = shop.press();
    let (payment, credential) = shop.buyer.payment("/juice", "two").await;
    press.send(part("data: a\n\n")).await.unwrap();
    let mut answer = begin(&shop.buyer, "/juice", &credential).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    let receipt = answer.headers()["payment-receipt"].clone();
    Receipt::parse(receipt.as_bytes()).unwrap().check(&payment).unwrap();
    // Each is there before the next is made.
    for text in ["data: a\n\n", "data: b\n\n", "data: c\n\n"] {
        if text != "data: a\n\n" {
            press.send(part(text)).await.unwrap();
        }
        assert_eq!(answer.chunk().await.unwrap().unwrap(), text);
    }
    drop(press);
    assert_eq!(answer.chunk().await.unwrap(), None);

    let again = shop.buyer.post("/juice", "two", &credential).await;
    assert_eq!((again.status.as_u16(), again.body.as_str()), (200, "data: a\n\ndata: b\n\ndata: c\n\n"));
    assert_eq!(again.headers["payment-receipt"], receipt);
    assert_eq!((shop.till.sent().len(), shop.sold()), (1, 1));
}

#[tokio::test]
async fn a_stream_whose_payer_hangs_up_is_made_and_kept_all_the_same() {
    let shop = Shop::open().await;
    let press = shop.press();
    let (_, credential) = shop.buyer.payment("/juice", "two").await;
    press.send(part("data: a\n\n")).await.unwrap();
    let mut answer = begin(&shop.buyer, "/juice", &credential).await;
    answer.chunk().await.unwrap().unwrap();
    drop(answer);
    for _ in 0..50 {
        press.send(part("data: b\n\n")).await.unwrap();
    }
    drop(press);
    let again = shop.buyer.post("/juice", "two", &credential).await;
    assert_eq!(again.body, format!("data: a\n\n{}", "data: b\n\n".repeat(50)));
}

#[tokio::test]
async fn a_stream_that_breaks_is_seen_to_be_broken_and_is_not_given_again() {
    let shop = Shop::open().await;
    let press = shop.press();
    let (_, credential) = shop.buyer.payment("/juice", "two").await;
    press.send(part("data: a\n\n")).await.unwrap();
    let mut answer = begin(&shop.buyer, "/juice", &credential).await;
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "data: a\n\n");
    press.send(broken()).await.unwrap();
    assert!(answer.chunk().await.is_err());
    let again = shop.buyer.post("/juice", "two", &credential).await;
    again.is_problem(502, "about:blank");
    assert_eq!(again.json()["refund"], "owed");
    assert_eq!((shop.till.sent().len(), shop.sold()), (1, 1));
}

#[tokio::test]
async fn an_answer_that_breaks_before_it_began_is_a_problem_and_no_half_answer() {
    let shop = Shop::open().await;
    let press = shop.press();
    let (_, credential) = shop.buyer.payment("/cider", "two").await;
    press.send(part("half")).await.unwrap();
    tokio::spawn(async move { press.send(broken()).await });
    let answer = shop.buyer.post("/cider", "two", &credential).await;
    answer.is_problem(502, "about:blank");
    assert_eq!(answer.json()["refund"], "owed");
}

#[tokio::test]
async fn an_answer_too_long_to_be_kept_is_passed_on_and_gone_afterwards() {
    let shop = Shop::with(|gate| gate.answer_limit(LIMIT)).await;
    for (target, length, again) in [("/box", LIMIT, 200), ("/crate", LIMIT + 1, 410)] {
        let (payment, credential) = shop.buyer.payment(target, "two").await;
        let answer = shop.buyer.post(target, "two", &credential).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, length));
        answer.receipt().unwrap().check(&payment).unwrap();
        let next = shop.buyer.post(target, "two", &credential).await;
        assert_eq!(next.status.as_u16(), again);
        if again == 410 {
            next.is_problem(410, "about:blank");
            assert_eq!(next.json()["reference"], payment.hash().unwrap().to_string());
        }
    }
    assert_eq!(shop.till.sent().len(), 2);
}

#[tokio::test]
async fn a_long_answer_comes_as_it_is_made() {
    let shop = Shop::with(|gate| gate.answer_limit(4)).await;
    let press = shop.press();
    let (_, credential) = shop.buyer.payment("/cider", "two").await;
    let call = begin(&shop.buyer, "/cider", &credential);
    let parts = async {
        press.send(part("four")).await.unwrap();
        press.send(part("more")).await.unwrap();
    };
    let (mut answer, ()) = tokio::join!(call, parts);
    let mut seen = Vec::new();
    while seen.len() < 8 {
        seen.extend(answer.chunk().await.unwrap().unwrap());
    }
    assert_eq!(seen, b"fourmore");
    press.send(broken()).await.unwrap();
    assert!(answer.chunk().await.is_err());
    let gone = eventually("it is written down", async || {
        let again = shop.buyer.post("/cider", "two", &credential).await;
        (again.status == 502).then_some(again)
    });
    assert_eq!(gone.await.json()["refund"], "owed");
}

#[tokio::test]
async fn a_service_that_fails_after_the_payment_says_that_it_was_taken() {
    let shop = Shop::open().await;
    for (target, status, words) in
        [("/rotten", 502, Some("a worm")), ("/resold", 502, None), ("/sold-out", 503, None)]
    {
        let (payment, credential) = shop.buyer.payment(target, "two").await;
        for fresh in [true, false] {
            let answer = shop.buyer.post(target, "two", &credential).await;
            let problem = answer.json();
            answer.is_problem(if fresh { status } else { 502 }, "about:blank");
            assert!(problem["detail"].as_str().unwrap().starts_with("the payment was taken"), "{problem}");
            assert_eq!(problem["reference"], payment.hash().unwrap().to_string());
            assert_eq!(problem["refund"], "owed");
            assert_eq!(problem["answer"].as_str(), words.filter(|_| fresh));
            assert_eq!(answer.header("retry-after"), (target == "/sold-out" && fresh).then_some("9"));
        }
    }
    assert_eq!(shop.till.sent().len(), 3);
    assert_eq!(shop.gate.owed().await.unwrap(), 3);

    let (_, proof) = shop.buyer.payment("/mould", "two").await;
    let answer = shop.buyer.post("/mould", "two", &proof).await;
    answer.is_problem(502, "about:blank");
    assert_eq!(answer.json()["refund"], "none");
    assert_eq!(shop.gate.owed().await.unwrap(), 3);
}
