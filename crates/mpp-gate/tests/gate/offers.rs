//! What is asked for a request, and what is given for it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::Method;
use mpp_core::payee::body_digest;
use mpp_core::tempo::Modes;
use mpp_core::{Amount, ChargeRequest};

use tempfile::TempDir;

use crate::shop::{LIMIT, PRICE, Shop};
use crate::support::{CHAIN, REALM, RECIPIENT, now};
use crate::till::Till;

#[tokio::test]
async fn an_unpaid_request_is_answered_with_a_whole_challenge() {
    let folder = TempDir::new().unwrap();
    let shop = Shop::lasting(&Till::default(), &folder, |gate| gate).await;
    let before = now();
    let answer = shop.buyer.send(Method::POST, "/apple", "two", &[("accept-payment", "stripe/charge")]).await;
    answer.is_problem(402, "payment-required");
    let challenge = answer.challenge();
    assert!(challenge.is_bound_by(&[7; 32]));
    assert_eq!(challenge.realm(), REALM);
    assert_eq!(challenge.digest(), Some(body_digest(b"two").as_str()));
    assert_eq!(challenge.description(), Some("une \"poêle\" "));
    assert!((before + 300..=now() + 300).contains(&challenge.expires_at().unwrap()));
    let charge = ChargeRequest::from_challenge(&challenge).unwrap();
    assert_eq!(charge.amount(), Amount::from_base_units(10_000));
    assert_eq!(
        (charge.recipient(), charge.chain_id(), charge.modes()),
        (RECIPIENT, Some(CHAIN), Modes::Pull)
    );
    assert_ne!(shop.buyer.challenge("/apple", "two").await.id(), challenge.id());
    shop.did_nothing();
}

#[tokio::test]
async fn a_request_without_a_body_has_no_digest() {
    let shop = Shop::open().await;
    assert_eq!(shop.buyer.challenge("/pear", "").await.digest(), None);
    let (_, credential) = shop.buyer.payment("/pear", "").await;
    assert_eq!(shop.buyer.post("/pear", "", &credential).await.status, 200);
}

#[tokio::test]
async fn a_paid_request_is_answered_with_a_receipt_for_the_payment() {
    let shop = Shop::open().await;
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    let fields = [("authorization", "Bearer x"), ("payment-authorization", credential.as_str())];
    let answer = shop.buyer.send(Method::POST, "/apple", "two", &fields).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "two|Bearer x"));
    assert_eq!(answer.header("cache-control"), Some("private"));
    answer.receipt().unwrap().check(&payment).unwrap();
    assert_eq!(shop.till.sent(), [payment.hash().unwrap()]);
}

#[tokio::test]
async fn a_sold_answer_is_kept_by_no_shared_cache_and_maybe_by_none() {
    let shop = Shop::open().await;
    for (target, expected) in
        [("/secret", "max-age=0, No-Store"), ("/own", "private,max-age=9"), ("/poster", "private")]
    {
        let (_, credential) = shop.buyer.payment(target, "two").await;
        let answer = shop.buyer.post(target, "two", &credential).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, Some(expected)));
    }
}

#[tokio::test]
async fn a_credential_pays_for_no_other_request() {
    let shop = Shop::open().await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    let paid = [("authorization", credential.as_str())];
    for (method, target, body) in [
        (Method::POST, "/apple", "three"),
        (Method::POST, "/apple?size=big", "two"),
        (Method::POST, "/pear", "two"),
        (Method::PUT, "/apple", "two"),
    ] {
        shop.buyer.send(method, target, body, &paid).await.is_problem(402, "invalid-challenge");
    }
    shop.did_nothing();
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
}

#[tokio::test]
async fn a_challenge_for_less_than_the_request_costs_is_not_enough() {
    let shop = Shop::open().await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    let fields = [("authorization", credential.as_str()), ("gift-wrapped", "yes")];
    let answer = shop.buyer.send(Method::POST, "/apple", "two", &fields).await;
    answer.is_problem(402, "payment-insufficient");
    shop.price.store(PRICE + 1, Ordering::Relaxed);
    shop.buyer.post("/apple", "two", &credential).await.is_problem(402, "payment-insufficient");
    shop.did_nothing();
    shop.price.store(PRICE - 1, Ordering::Relaxed);
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_sold_is_never_asked_to_be_paid() {
    let shop = Shop::open().await;
    let refused = shop.buyer.send(Method::POST, "/apple", "", &[]).await;
    assert_eq!((refused.status.as_u16(), refused.body.as_str()), (400, "how many?"));
    let exact = "x".repeat(LIMIT);
    assert_eq!(shop.buyer.send(Method::POST, "/apple", &exact, &[]).await.status, 402);
    shop.buyer.send(Method::POST, "/apple", &(exact + "x"), &[]).await.is_problem(413, "about:blank");
    shop.did_nothing();
}

#[tokio::test]
async fn a_free_request_goes_through_without_its_credential() {
    let shop = Shop::open().await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    let answer = shop.buyer.send(Method::GET, "/window", "", &[("authorization", &credential)]).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "|"));
    assert!(answer.receipt().is_none());
    assert!(shop.till.sent().is_empty());
}

#[tokio::test]
async fn a_challenge_can_be_paid_for_as_long_as_it_is_said_but_an_hour_at_most() {
    for (asked, given) in [(60, 60), (3600, 3600), (7200, 3600)] {
        let shop = Shop::with(|gate| gate.validity(Duration::from_secs(asked))).await;
        let before = now();
        let expires_at = shop.buyer.challenge("/apple", "two").await.expires_at().unwrap();
        assert!((before + given..=now() + given).contains(&expires_at));
    }
}
