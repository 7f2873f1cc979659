//! What became of a payment, for whoever knows its reference.

use mpp_gate::store::{SqlStore, State};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::book::{self, Shelf};
use crate::shop::{PRICE, Shop};
use crate::support::{CHAIN, account, payer, secret};
use crate::till::Till;

#[tokio::test]
async fn a_payment_is_reported_in_every_state_it_can_be_in() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, |gate| gate.operator(account(3))).await;
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
    let reference = payment.hash().unwrap().to_string();
    let refund = format!("0x{}", "5".repeat(64));
    for (state, failed, said) in [
        (State::Claimed, false, None),
        (State::Settled, false, None),
        (State::Servable, false, None),
        (State::Served, false, None),
        (State::RefundDue, true, Some("due")),
        (State::Refunding, true, Some("sent")),
        (State::Refunded, true, Some("made")),
    ] {
        let failure = if failed { "'a worm'" } else { "NULL" };
        let hash =
            if ["refunding", "refunded"].contains(&state.name()) { &*format!("'{refund}'") } else { "NULL" };
        let sql = format!(
            "UPDATE sales SET state = '{}', due_at = NULL, failure = {failure}, refund_hash = {hash}",
            state.name()
        );
        assert_eq!(book::write(&folder, &sql).await, 1);
        let answer = shop.buyer.send(Method::GET, &format!("/payments/{reference}"), "", &[]).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/json")));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let mut report = answer.json();
        assert_eq!(report["refund"]["status"].as_str(), said, "{report}");
        assert_eq!(report["failure"].as_str(), failed.then_some("a worm"));
        let transaction = report["refund"]["transaction"].as_str();
        assert_eq!(transaction, (hash != "NULL").then_some(&*refund), "{report}");
        // Nothing else is told: not what was asked, paid with, or answered.
        let members = report.as_object_mut().unwrap();
        for member in ["failure", "refund"] {
            assert_eq!(members.remove(member).is_some(), failed);
        }
        for member in ["claimedAt", "settledAt", "endedAt"] {
            assert!(members.remove(member).is_some_and(|at| at.is_u64()), "{member}");
        }
        let rest = json!({
            "reference": reference,
            "state": state.name(),
            "chainId": CHAIN,
            "currency": mpp_core::tempo::PATH_USD.to_string().to_lowercase(),
            "amount": PRICE.to_string(),
            "payer": payer().address().to_string().to_lowercase(),
        });
        assert_eq!(
            Value::Object(members.clone()).to_string().to_lowercase(),
            rest.to_string().to_lowercase()
        );
    }
    assert_eq!(State::ALL.len(), 7);
}

#[tokio::test]
async fn a_proof_is_reported_by_its_challenge_and_what_is_unknown_is_not_found() {
    let shop = Shop::open().await;
    let (payment, credential) = shop.buyer.payment("/mould", "two").await;
    shop.buyer.post("/mould", "two", &credential).await.is_problem(502, "about:blank");
    let target = format!("/payments/{}", payment.challenge().id());
    let report = shop.buyer.send(Method::GET, &target, "", &[]).await.json();
    assert_eq!((&report["state"], &report["refund"]["status"]), (&json!("refunded"), &json!("none")));
    assert_eq!(report["amount"], "0");
    for unknown in ["/payments/0x00", "/payments/'; DROP TABLE sales"] {
        let unknown = unknown.replace(' ', "%20");
        shop.buyer.send(Method::GET, &unknown, "", &[]).await.is_problem(404, "about:blank");
    }
}

#[tokio::test]
async fn a_store_that_is_down_is_not_a_payment_that_is_not_there() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shelf = Shelf::of(SqlStore::sqlite(book::file(&folder)).await.unwrap());
    let front = shelf.clone();
    let shop = Shop::at(till, |gate| gate.durable(secret(), front)).await;
    shelf.lock(true);
    let answer = shop.buyer.send(Method::GET, "/payments/0x00", "", &[]).await;
    answer.is_problem(503, "about:blank");
    assert_eq!(answer.header("retry-after"), Some("5"));
}
