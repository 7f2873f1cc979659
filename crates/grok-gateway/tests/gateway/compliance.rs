//! What the drafts ask of a payee's answers, one test each; that the documents are as OpenAPI has them, and requests and
//! answers as the documents say, is in `documents`.

use std::time::SystemTime;

use mpp_core::ChargeRequest;
use mpp_core::payee::body_digest;
use serde_json::{Value, json};

use crate::stand_in::StandIn;
use crate::support::{Answer, RECIPIENT, Scene, xai};

const CHAT: &str = "/grok/chat";

fn question() -> Value {
    json!({"model": "grok-4.3", "max_tokens": 100, "messages": [{"role": "user", "content": "Why?"}]})
}

async fn unpaid() -> Answer {
    let service = StandIn::open().await;
    Scene::of(xai(&service.url)).await.post(CHAT, &question()).await
}

#[tokio::test]
async fn an_unpaid_request_is_answered_402_with_one_challenge() {
    let answer = unpaid().await;
    assert_eq!(answer.status, 402);
    assert_eq!(answer.headers.get_all("www-authenticate").iter().count(), 1);
}

#[tokio::test]
async fn a_challenge_is_stored_by_no_cache() {
    assert_eq!(unpaid().await.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_challenge_has_every_required_parameter() {
    let answer = unpaid().await;
    let challenge = answer.challenge();
    let field = answer.header("www-authenticate").unwrap();
    assert!(field.starts_with("Payment "), "{field}");
    for required in ["id", "realm", "method", "intent", "request"] {
        assert_eq!(field.matches(&format!(" {required}=\"")).count(), 1, "{field}");
    }
    assert_eq!((challenge.method(), challenge.intent()), ("tempo", "charge"));
    let charge = ChargeRequest::from_challenge(&challenge).unwrap();
    assert_eq!((charge.recipient(), charge.chain_id()), (RECIPIENT, Some(31337)));
}

#[tokio::test]
async fn a_challenge_expires_soon() {
    let before = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let expires = unpaid().await.challenge().expires_at().unwrap();
    let after = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((before + 300..=after + 300).contains(&expires));
}

#[tokio::test]
async fn a_challenge_has_the_digest_of_the_body() {
    let digest = body_digest(question().to_string().as_bytes());
    assert_eq!(unpaid().await.challenge().digest(), Some(digest.as_str()));
}

#[tokio::test]
async fn no_two_challenges_are_the_same() {
    let service = StandIn::open().await;
    let scene = Scene::of(xai(&service.url)).await;
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(scene.post(CHAT, &question()).await.challenge().id().to_owned());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 50);
}

#[tokio::test]
async fn a_402_is_a_problem_that_names_its_challenge() {
    let answer = unpaid().await;
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["type"], "https://paymentauth.org/problems/payment-required");
    assert_eq!((&problem["status"], &problem["challengeId"]), (&json!(402), &json!(answer.challenge().id())));
    for member in ["title", "detail"] {
        assert!(!problem[member].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_paid_answer_has_a_receipt_and_is_private() {
    let service = StandIn::open().await;
    let scene = Scene::of(xai(&service.url)).await;
    let (payment, answer) = scene.buy(CHAT, &question()).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("private")));
    let receipt = mpp_core::Receipt::parse(answer.headers["payment-receipt"].as_bytes()).unwrap();
    receipt.check(&payment).unwrap();
    assert_eq!((receipt.amount(), receipt.payer()), (Some(payment.quote().amount), Some(payment.payer())));
    assert_eq!(receipt.currency(), Some(payment.quote().token));
}

#[tokio::test]
async fn a_failure_after_the_payment_has_no_receipt_and_is_no_402() {
    let service = StandIn::saying(500, &[], "oh").await;
    let (payment, answer) = Scene::of(xai(&service.url)).await.buy(CHAT, &question()).await;
    assert_eq!((answer.status, answer.header("payment-receipt")), (502, None));
    assert_eq!(answer.json()["reference"], payment.hash().unwrap().to_string());
}

#[tokio::test]
async fn what_became_of_a_payment_is_told_by_its_reference() {
    let service = StandIn::open().await;
    let scene = Scene::of(xai(&service.url)).await;
    let (payment, _) = scene.buy(CHAT, &question()).await;
    let page = scene.get(&format!("/payments/{}", payment.hash().unwrap())).await;
    assert_eq!((page.status, &page.json()["state"]), (200, &json!("served")));
    assert_eq!(page.json()["amount"], payment.quote().amount.base_units().to_string());
    assert_eq!(scene.get("/payments/0x00").await.status, 404);
    let document = scene.get("/openapi.json").await.json();
    let operation = &document["paths"]["/payments/{reference}"]["get"];
    let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
    assert!(jsonschema::draft202012::is_valid(schema, &page.json()), "{}", page.body);
    assert!(!jsonschema::draft202012::is_valid(schema, &json!({"reference": "0x00"})));
}
