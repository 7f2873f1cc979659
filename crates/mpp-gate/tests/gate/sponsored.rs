//! Payments whose fees the payee pays, within limits.

use axum::http::Method;
use mpp_core::payee::Sponsor;
use mpp_core::tempo::{self, Modes, SignedTransaction};
use mpp_core::{Amount, Challenge, ChargeRequest};
use mpp_gate::{Gate, Sponsorship};
use tempfile::TempDir;

use crate::book;
use crate::shop::Shop;
use crate::support::{CHAIN, account, now, payer, sign, sign_by, until};
use crate::till::Till;

fn sponsorship() -> Sponsorship {
    Sponsorship::new(Sponsor::new(account(2), tempo::PATH_USD))
}

fn sponsored(gate: Gate) -> Gate {
    gate.sponsorship(sponsorship())
}

fn offers(challenge: &Challenge) -> (bool, Modes) {
    let charge = ChargeRequest::from_challenge(challenge).unwrap();
    (charge.fee_payer(), charge.modes())
}

#[tokio::test]
async fn a_sponsored_payment_is_sent_with_both_signatures_and_kept_by_its_final_hash() {
    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let shop = Shop::lasting(&till, &folder, |gate| sponsored(gate.modes(Modes::Both))).await;
    assert_eq!(offers(&shop.buyer.challenge("/apple", "two").await), (true, Modes::Pull));
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    assert_eq!(payment.hash(), None);
    let answer = shop.buyer.post("/apple", "two", &credential).await;
    let receipt = answer.receipt().unwrap();
    receipt.check(&payment).unwrap();
    let sent = till.open().sent.clone();
    assert_eq!((answer.status.as_u16(), sent.len(), receipt.hash()), (200, 1, Some(sent[0].hash)));
    // What the payer signed is an envelope; what is sent holds the fee's token and a second signature, as its hash says.
    let envelope = payment.transaction().unwrap().raw();
    assert_eq!((envelope[0], sent[0].raw[0]), (0x78, 0x76));
    assert!(sent[0].raw.len() > envelope.len() + 60);
    assert_eq!(alloy_primitives::keccak256(&sent[0].raw), sent[0].hash);
    assert!(SignedTransaction::decode(envelope).unwrap().2 == payer().address());
    // The same again is the same.
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.body, answer.body);
    assert_eq!((till.sent().len(), shop.sold()), (1, 1));
    assert_eq!(book::read(&folder, "SELECT payment_hash FROM sales").await, [sent[0].hash.to_string()]);
}

#[tokio::test]
async fn what_costs_nothing_has_no_fee_to_pay() {
    let shop = Shop::with(sponsored).await;
    assert_eq!(offers(&shop.buyer.challenge("/taste", "two").await), (false, Modes::Pull));
    let (_, credential) = shop.buyer.payment("/taste", "two").await;
    assert_eq!(shop.buyer.post("/taste", "two", &credential).await.status, 200);
}

#[tokio::test]
async fn a_payer_is_sponsored_so_often_in_an_hour_and_others_all_the_same() {
    let shop = Shop::with(|gate| gate.sponsorship(sponsorship().per_hour(2))).await;
    // All within one hour, if it is not over in between: then there is another try.
    loop {
        let hour = now() / 3600;
        let mut statuses = Vec::new();
        for _ in 0..3 {
            let (_, credential) = shop.buyer.payment("/apple", "two").await;
            let answer = shop.buyer.post("/apple", "two", &credential).await;
            if answer.status == 402 {
                answer.is_problem(402, "verification-failed");
                assert!(answer.json()["detail"].as_str().unwrap().contains("2 payments of one payer"));
            }
            statuses.push(answer.status.as_u16());
        }
        let challenge = shop.buyer.challenge("/apple", "two").await;
        let other = sign_by(&account(1), challenge, "two", CHAIN, now());
        let other = shop.buyer.post("/apple", "two", &other.credential().header_value()).await;
        if now() / 3600 == hour {
            assert_eq!((statuses, other.status.as_u16()), (vec![200, 200, 402], 200));
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_sponsored_payment_sent_thirty_times_at_once_is_one_fee_and_one_answer() {
    let shop = Shop::with(|gate| gate.sponsorship(sponsorship().per_hour(1))).await;
    let (_, credential) = shop.buyer.payment("/apple", "two").await;
    // None of them has found a sale before all of them are signed for.
    let trials = shop.till.hold_trials();
    let sends: Vec<_> = (0..30)
        .map(|_| {
            let (buyer, credential) = (shop.buyer.clone(), credential.clone());
            tokio::spawn(async move { buyer.post("/apple", "two", &credential).await })
        })
        .collect();
    until("all are tried out", || shop.till.open().tried == 30).await;
    (0..30).for_each(|_| trials.send(Ok(())).unwrap());
    for send in sends {
        assert_eq!(send.await.unwrap().status, 200);
    }
    assert_eq!((shop.till.sent().len(), shop.sold()), (1, 1));
}

#[tokio::test]
async fn a_dry_purse_is_offered_to_nobody_until_it_is_filled() {
    let shop = Shop::with(|gate| gate.sponsorship(sponsorship().floor(Amount::from_base_units(500)))).await;
    let (_, envelope) = shop.buyer.payment("/apple", "two").await;
    shop.till.open().balance = 499;
    let shop = shop.maintained();
    let offered = async || offers(&shop.buyer.challenge("/apple", "two").await).0;
    crate::support::eventually("it is noticed", async || (!offered().await).then_some(())).await;
    let refused = shop.buyer.post("/apple", "two", &envelope).await;
    refused.is_problem(402, "verification-failed");
    assert!(!offers(&refused.challenge()).0);
    shop.did_nothing();
    // Payers pay their fees themselves.
    let (payment, credential) = shop.buyer.payment("/apple", "two").await;
    assert_eq!(shop.buyer.post("/apple", "two", &credential).await.status, 200);
    assert_eq!(shop.till.sent(), [payment.hash().unwrap()]);
    shop.till.open().balance = 500;
    crate::support::eventually("it is noticed", async || offered().await.then_some(())).await;
}

#[tokio::test]
async fn what_a_sponsor_does_not_sign_is_not_sent() {
    let shop = Shop::with(sponsored).await;
    let challenge = shop.buyer.challenge("/apple", "two").await;
    // Twelve seconds are left of its 25.
    let late = sign(challenge, "two", CHAIN, now() - 13).credential().header_value();
    let answer = shop.buyer.send(Method::POST, "/apple", "two", &[("authorization", &late)]).await;
    answer.is_problem(402, "verification-failed");
    assert!(answer.json()["detail"].as_str().unwrap().contains("the sponsor signs from 15 to 30"));
    // The sponsor's own payment.
    let challenge = shop.buyer.challenge("/apple", "two").await;
    let own = sign_by(&account(2), challenge, "two", CHAIN, now()).credential().header_value();
    shop.buyer.post("/apple", "two", &own).await.is_problem(402, "verification-failed");
    shop.did_nothing();
}
