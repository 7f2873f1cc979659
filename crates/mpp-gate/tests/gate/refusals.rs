//! What the gate does not take for a payment, and what it does not change then.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mpp_core::ChargeRequest;
use mpp_core::payee::{ProblemType, body_digest};
use serde_json::json;
use tempfile::TempDir;

use crate::shop::Shop;
use crate::support::{CHAIN, REALM, RECIPIENT, now, payer, sign, tampered};
use crate::till::{Mood, Till};

#[tokio::test]
async fn a_shop_that_opens_anew_takes_no_payment_of_the_day_before() {
    let (before, after) = (Shop::open().await, Shop::open().await);
    for spent in [true, false] {
        let (_, credential) = before.buyer.payment("/apple", "two").await;
        if spent {
            assert_eq!(before.buyer.post("/apple", "two", &credential).await.status, 200);
        }
        after.buyer.post("/apple", "two", &credential).await.is_problem(402, "invalid-challenge");
    }
    after.did_nothing();
}

#[tokio::test]
async fn what_is_wrong_with_a_credential_is_said_and_nothing_else_happens() {
    let shop = Shop::open().await;
    let (_, good) = shop.buyer.payment("/apple", "two").await;
    let (_, other) = shop.buyer.payment("/apple", "two").await;
    let padded = tampered(&good, |credential| {
        let id = credential["challenge"]["id"].as_str().unwrap().to_owned();
        credential["challenge"]["id"] = json!(id + "=");
    });
    let set = |name: &'static str, value: &'static str| {
        tampered(&good, |credential| credential["challenge"][name] = json!(value))
    };
    let payload = |value| tampered(&good, |credential| credential["payload"] = value);
    let mut payment = json!(null);
    tampered(&other, |credential| payment = credential["payload"].clone());
    let elsewhere = format!("did:pkh:eip155:{CHAIN}:{RECIPIENT}");
    for (credential, status, kind) in [
        ("Payment !".to_owned(), 402, "malformed-credential"),
        ("Payment e30".to_owned(), 402, "malformed-credential"),
        (payload(json!({"type": "gold"})), 402, "malformed-credential"),
        ("Bearer x".to_owned(), 402, "payment-required"),
        (set("id", "AAAA"), 402, "invalid-challenge"),
        (padded, 402, "invalid-challenge"),
        (set("realm", "other.example"), 402, "invalid-challenge"),
        (set("request", "e30"), 402, "invalid-challenge"),
        (set("expires", "2100-01-01T00:00:00Z"), 402, "invalid-challenge"),
        (set("opaque", "e30"), 402, "invalid-challenge"),
        (set("method", "stripe"), 400, "method-unsupported"),
        (set("intent", "session"), 400, "method-unsupported"),
        (payload(payment), 402, "verification-failed"),
        (payload(json!({"type": "transaction", "signature": "0x76"})), 402, "verification-failed"),
        (payload(json!({"type": "hash", "hash": format!("0x{:064}", 1)})), 402, "verification-failed"),
        (payload(json!({"type": "proof", "signature": format!("0x{:0130}", 1)})), 402, "verification-failed"),
        (tampered(&good, |credential| credential["source"] = json!(elsewhere)), 402, "verification-failed"),
    ] {
        shop.buyer.post("/apple", "two", &credential).await.is_problem(status, kind);
    }
    shop.did_nothing();
    assert_eq!(shop.buyer.post("/apple", "two", &tampered(&good, |_| {})).await.status, 200);
}

#[tokio::test]
async fn a_foreign_secret_an_expired_challenge_and_another_realm_or_chain_are_refused() {
    let folder = TempDir::new().unwrap();
    let shop = Shop::lasting(&Till::default(), &folder, |gate| gate).await;
    let body = "two";
    let ours = shop.buyer.challenge("/apple", body).await;
    let charge = ChargeRequest::from_challenge(&ours).unwrap();
    let digest = body_digest(body.as_bytes());
    let correlation: BTreeMap<String, String> =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(ours.opaque().unwrap()).unwrap()).unwrap();
    let offer = mpp_core::payee::Offer {
        realm: REALM,
        request: &charge,
        expires_at: ours.expires_at(),
        digest: Some(&digest),
        description: None,
        opaque: correlation.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
    };
    let to_another = ChargeRequest::new(charge.amount(), charge.currency(), payer().address(), CHAIN);
    let elsewhere = ChargeRequest::new(charge.amount(), charge.currency(), RECIPIENT, 1);
    let issue = |secret: u8, offer: mpp_core::payee::Offer<'_>| {
        mpp_core::Challenge::issue(&[secret; 32], &offer).unwrap()
    };
    for (challenge, at, chain, kind) in [
        (issue(8, offer.clone()), now(), CHAIN, "invalid-challenge"),
        (
            issue(7, mpp_core::payee::Offer { realm: "other", ..offer.clone() }),
            now(),
            CHAIN,
            "invalid-challenge",
        ),
        (
            issue(7, mpp_core::payee::Offer { request: &to_another, ..offer.clone() }),
            now(),
            CHAIN,
            "invalid-challenge",
        ),
        (
            issue(7, mpp_core::payee::Offer { request: &elsewhere, ..offer.clone() }),
            now(),
            1,
            "invalid-challenge",
        ),
        (
            issue(7, mpp_core::payee::Offer { expires_at: None, ..offer.clone() }),
            now(),
            CHAIN,
            "payment-expired",
        ),
        (ours.clone(), now() - 60, CHAIN, "payment-expired"),
        (ours, now() + 60, CHAIN, "verification-failed"),
    ] {
        let credential = sign(challenge, body, chain, at).credential().header_value();
        shop.buyer.post("/apple", body, &credential).await.is_problem(402, kind);
    }
    shop.did_nothing();

    let shop = Shop::with(|gate| gate.validity(Duration::ZERO)).await;
    let challenge = shop.buyer.challenge("/apple", body).await;
    let credential = sign(challenge, body, CHAIN, now() - 5).credential().header_value();
    shop.buyer.post("/apple", body, &credential).await.is_problem(402, "payment-expired");
    shop.did_nothing();
}

#[tokio::test]
async fn two_credentials_are_one_too_many() {
    let shop = Shop::open().await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    for field in ["authorization", "payment-authorization"] {
        let fields = [("authorization", credential.as_str()), (field, credential.as_str())];
        shop.buyer.send(Method::POST, "/apple", "two", &fields).await.is_problem(400, "about:blank");
    }
    shop.did_nothing();
}

#[tokio::test]
async fn a_payment_that_was_not_made_can_be_sent_again() {
    let shop = Shop::open().await;
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    shop.till.set(Mood::Refuses(ProblemType::PaymentInsufficient));
    let answer = shop.buyer.post("/apple", "two", &credential).await;
    answer.is_problem(402, "payment-insufficient");
    assert_eq!(answer.json()["detail"], "the payment was refused: no such money");
    shop.till.set(Mood::IsClosed);
    let answer = shop.buyer.post("/apple", "two", &credential).await;
    answer.is_problem(503, "about:blank");
    assert_eq!(answer.header("retry-after"), Some("5"));
    shop.did_nothing();
    shop.till.set(Mood::Takes);
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
    assert_eq!(shop.till.sent(), [payment.hash().unwrap()]);
}
