//! A fruit shop behind the gate: what it lets through, what it refuses, and that it takes money once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::support::{
    Book, Buyer, CHAIN, Mood, REALM, RECIPIENT, Till, now, payee, payer, secret, serve, sign, tampered,
};
use axum::Router;
use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{any, get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mpp_core::payee::{ProblemType, body_digest};
use mpp_core::tempo::Modes;
use mpp_core::{Amount, ChargeRequest};
use mpp_gate::{Cost, Gate};
use reqwest::Method;
use serde_json::json;

const PRICE: u64 = 10_000;
const LIMIT: usize = 1000;

struct Shop {
    till: Till,
    buyer: Buyer,
    price: Arc<AtomicU64>,
    sold: Arc<AtomicU64>,
}

impl Shop {
    async fn open() -> Self {
        Self::with(|gate| gate).await
    }

    async fn with(configure: impl FnOnce(Gate) -> Gate) -> Self {
        let (till, price, sold) =
            (Till::default(), Arc::new(AtomicU64::new(PRICE)), Arc::new(AtomicU64::new(0)));
        let asked = Arc::clone(&price);
        let gate = Gate::new(payee(), till.clone(), move |request: &Parts, body: &Bytes| {
            let units = match request.uri.path() {
                "/window" => return Cost::Free,
                "/apple" if body.is_empty() => {
                    let answer = Response::builder().status(400).body(Bytes::from("how many?")).unwrap();
                    return Cost::Refused(Box::new(answer));
                }
                "/taste" => 0,
                _ if request.headers.contains_key("gift-wrapped") => 2 * PRICE,
                _ => asked.load(Ordering::Relaxed),
            };
            let amount = Amount::from_base_units(u128::from(units));
            Cost::Charge { amount, description: Some("une \"poêle\"\n".to_owned()) }
        });
        let counter = Arc::clone(&sold);
        let sell = move |headers: HeaderMap, body: Bytes| {
            counter.fetch_add(1, Ordering::Relaxed);
            let seen =
                headers.get_all("authorization").iter().map(|value| value.to_str().unwrap().to_owned());
            let seen: Vec<String> = seen.collect();
            std::future::ready(format!("{}|{}", String::from_utf8_lossy(&body), seen.join(",")))
        };
        let router = Router::new()
            .route("/apple", any(sell.clone()))
            .route("/pear", post(sell.clone()))
            .route("/taste", post(sell.clone()))
            .route("/window", get(sell))
            .route("/rotten", post(|| async { (StatusCode::BAD_GATEWAY, "a worm") }))
            .route("/resold", post(|| async { StatusCode::PAYMENT_REQUIRED }))
            .route("/secret", post(|| async { [("cache-control", "max-age=0, No-Store")] }))
            .route("/own", post(|| async { [("cache-control", "private,max-age=9")] }))
            .route("/poster", post(|| async { [("cache-control", "public")] }))
            .layer(configure(gate.unwrap().body_limit(LIMIT)));
        Shop { till, buyer: Buyer::of(serve(router).await), price, sold }
    }

    /// Nothing was settled and nothing sold.
    fn did_nothing(&self) {
        assert!(self.till.settled().is_empty());
        assert_eq!(self.sold.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test]
async fn an_unpaid_request_is_answered_with_a_whole_challenge() {
    let shop = Shop::with(|gate| gate.durable(secret(), Book::default())).await;
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
    assert_eq!(shop.till.settled(), [payment.hash().unwrap()]);
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
async fn a_shop_that_keeps_its_secret_and_its_book_takes_each_payment_once() {
    let book = Book::default();
    let open = || Shop::with(|gate| gate.durable(secret(), book.clone()));
    let (before, after) = (open().await, open().await);
    let (_, spent) = before.buyer.payment("/apple", "two").await;
    assert_eq!(before.buyer.post("/apple", "two", &spent).await.status, 200);
    let answer = after.buyer.post("/apple", "two", &spent).await;
    answer.is_problem(402, "invalid-challenge");
    assert_eq!(answer.json()["detail"], "this payment was used before");
    after.did_nothing();
    let (_, unspent) = before.buyer.payment("/apple", "two").await;
    assert_eq!(after.buyer.post("/apple", "two", &unspent).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_credential_sent_fifty_times_at_once_buys_one_answer() {
    let shop = Shop::open().await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    let sends: Vec<_> = (0..50)
        .map(|_| {
            let (buyer, credential) = (shop.buyer.clone(), credential.clone());
            tokio::spawn(async move { buyer.post("/apple", "two", &credential).await })
        })
        .collect();
    let mut answered = 0;
    for send in sends {
        match send.await.unwrap() {
            answer if answer.status == 200 => answered += 1,
            answer => answer.is_problem(402, "invalid-challenge"),
        }
    }
    assert_eq!((answered, shop.till.settled().len(), shop.sold.load(Ordering::Relaxed)), (1, 1, 1));
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
    let shop = Shop::with(|gate| gate.durable(secret(), Book::default())).await;
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
    assert!(shop.till.settled().is_empty());
}

#[tokio::test]
async fn a_charge_of_nothing_is_answered_by_a_proof_once() {
    let shop = Shop::open().await;
    let (payment, credential) = shop.buyer.payment("/taste", "one").await;
    let answer = shop.buyer.post("/taste", "one", &credential).await;
    assert_eq!(answer.status, 200);
    answer.receipt().unwrap().check(&payment).unwrap();
    shop.buyer.post("/taste", "one", &credential).await.is_problem(402, "invalid-challenge");
    assert_eq!((shop.till.settled(), shop.sold.load(Ordering::Relaxed)), (vec![], 1));
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
    assert_eq!(shop.till.settled(), [payment.hash().unwrap()]);
}

#[tokio::test]
async fn a_payment_with_an_unknown_outcome_stays_used_and_is_not_asked_for_again() {
    let shop = Shop::open().await;
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    shop.till.set(Mood::DoesNotAnswer);
    let answer = shop.buyer.post("/apple", "two", &credential).await;
    answer.is_problem(502, "about:blank");
    assert_eq!(answer.json()["reference"], payment.hash().unwrap().to_string());
    assert!(answer.json()["detail"].as_str().unwrap().contains("outcome of the payment is unknown"));
    shop.till.set(Mood::Takes);
    shop.buyer.post("/apple", "two", &credential).await.is_problem(402, "invalid-challenge");
    shop.did_nothing();
}

#[tokio::test]
async fn a_service_that_fails_after_the_payment_says_that_it_was_taken() {
    let shop = Shop::open().await;
    for (target, words) in [("/rotten", json!("a worm")), ("/resold", json!(null))] {
        let (payment, credential) = shop.buyer.payment(target, "two").await;
        let answer = shop.buyer.post(target, "two", &credential).await;
        answer.is_problem(502, "about:blank");
        let problem = answer.json();
        assert!(problem["detail"].as_str().unwrap().starts_with("the payment was taken"), "{problem}");
        assert_eq!(problem["reference"], payment.hash().unwrap().to_string());
        assert_eq!(problem["answer"], words);
    }
    assert_eq!(shop.till.settled().len(), 2);
}
