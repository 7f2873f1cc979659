//! Many payments at once from one key: no nonce to queue for, and no two payments that are one transaction.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::HashSet;
use std::sync::Arc;

use alloy_primitives::B256;
use e2e::{Anvil, Customer, MppxServer, PATH_USD, RECIPIENT};
use mpp_core::{Amount, Policy};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const PAYMENTS: usize = 200;
const IN_FLIGHT: usize = 32;
const PRICE: u128 = 10_000;
const FEE_CEILING: u128 = 25_000;
/// A key nobody else uses.
const KEY: &str = "0x00000000000000000000000000000000000000000000000000000000c0ffee01";

#[tokio::test]
async fn ok_200_payments_32_in_flight_from_one_fresh_key() {
    let node = Anvil::shared().await;
    let shop = MppxServer::start(node).await;
    let policy = Policy::new(node.chain_id(), [PATH_USD], Amount::from_base_units(PRICE))
        .max_fee(Amount::from_base_units(FEE_CEILING));
    let customer = Customer::new(KEY, policy);
    let funds = 200 * (PRICE + FEE_CEILING);
    node.fund(customer.address(), funds).await;
    let received = node.balance_of(PATH_USD, RECIPIENT.address).await;

    let hashes = buy_all(&customer, &shop.url("/pull")).await;
    assert_eq!((hashes.len(), hashes.iter().collect::<HashSet<_>>().len()), (PAYMENTS, PAYMENTS));
    // A busy server closes idle connections, and a request that met one is sent again: what was signed is what counts.
    let credentials: HashSet<_> =
        customer.sent().iter().filter_map(|sent| sent.headers.get("authorization").cloned()).collect();
    assert_eq!((customer.signatures(), credentials.len()), (PAYMENTS, PAYMENTS));

    let mut spent = 0;
    for hash in hashes {
        let mined = node.transaction(hash).await.expect("a receipt's transaction is on the chain");
        assert!(mined.succeeded && mined.from == customer.address(), "{mined:?}");
        assert!(mined.fee <= FEE_CEILING, "{mined:?}");
        spent += PRICE + mined.fee;
    }
    assert_eq!(node.balance_of(PATH_USD, customer.address()).await, funds - spent);
    assert_eq!(node.balance_of(PATH_USD, RECIPIENT.address).await, received + 200 * PRICE);
}

/// The hashes of the payments, each for an answer of its own.
async fn buy_all(customer: &Customer, url: &str) -> Vec<B256> {
    let turns = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut calls = JoinSet::new();
    for number in 0..PAYMENTS {
        let (turns, customer, url) = (Arc::clone(&turns), customer.clone(), url.to_owned());
        calls.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            let body = format!(r#"{{"number":{number}}}"#);
            let mut answer = customer.post(&url, &body).await.unwrap();
            let payment = answer.payment().unwrap().clone();
            assert!(payment.receipt().is_some(), "{payment:?}");
            let answer = String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap();
            assert!(answer.contains(&format!(r#"\"number\":{number}}}"#)), "{answer}");
            payment.hash().unwrap()
        });
    }
    calls.join_all().await
}
