//! What a node makes of a broadcast, and what the payer makes of that.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alloy_primitives::keccak256;
use e2e::{Anvil, Reply, Then};
use mpp_core::Amount;
use mpp_http::chain::RpcError;
use mpp_http::ledger::State;
use mpp_http::reconcile::watch;
use mpp_http::{Error, Failure, Money};

use crate::payer::{BROADCAST, Payer, after, bought, broadcasts, gone, policy, push_shop, relay, rpc};
use crate::{CENT, DOLLAR};

#[tokio::test]
async fn node_that_is_gone_before_the_broadcast_leaves_it_unpaid() {
    // The second still says which chain it is on.
    for url in [gone(), relay(|_, send| send().stop_listening()).await.url("/")] {
        let payer = Payer::funded(DOLLAR, &rpc(&url)).await;
        let (payment, failure) = payer.fails(&push_shop(CENT, bought).await).await;
        assert!(matches!(&failure, Failure::Node(error) if matches!(**error, RpcError::Unanswered(_))));
        payer.assert_unpaid(&payment).await;
    }
}

#[tokio::test]
async fn node_of_another_chain_is_shown_nothing() {
    let elsewhere = Anvil::start(42431).await;
    let payer = Payer::funded(DOLLAR, &rpc(&elsewhere.url())).await;
    let (payment, failure) = payer.fails(&push_shop(CENT, bought).await).await;
    assert!(
        matches!(&failure, Failure::Node(error) if matches!(**error, RpcError::Chain { node: 42431, .. }))
    );
    payer.assert_unpaid(&payment).await;
}

#[tokio::test]
async fn refused_broadcast_is_unpaid_in_the_node_s_words() {
    let payer = Payer::funded(1, &rpc(&Anvil::shared().await.url())).await;
    let (payment, failure) = payer.fails(&push_shop(CENT, bought).await).await;
    assert!(failure.to_string().contains("nsufficient f"), "{failure}");
    assert_eq!(payment.failure(), Some(&*failure.to_string()));
    payer.assert_unpaid(&payment).await;
}

#[tokio::test]
async fn reverted_broadcast_costs_its_fee_and_says_so() {
    // Enough to promise the fee, too little for the price.
    let payer = Payer::funded(26_000, &rpc(&Anvil::shared().await.url())).await;
    let shop = push_shop(3 * CENT, bought).await;
    let error = payer.customer.get(&shop.url("/")).await.unwrap_err();
    let payment = error.payment().unwrap();
    let settled = payment.settled().unwrap();
    assert!(matches!(error, Error::AfterSigning { failure: Failure::Reverted, .. }));
    let said = format!("the payment failed on chain, its fee of {} dollars is gone", settled.fee);
    assert_eq!((error.to_string(), error.money()), (said, Money::NotMoved));
    assert_eq!((payment.state(), settled.hash), (State::NotPaid, payment.hash()));
    assert!(settled.fee > Amount::ZERO && payment.failure().unwrap().contains("reverted"));
    assert_eq!((payer.lost().await, shop.heard().len()), (settled.fee.base_units(), 1));
    assert_eq!(payer.known(payment).await, *payment);
}

#[tokio::test]
async fn lost_answer_of_the_node_is_looked_up_and_nothing_is_paid_again() {
    for status in [None, Some(502)] {
        let node = relay(move |method, send| match (method, status) {
            (BROADCAST, None) => after(send(), Reply::raw("").then(Then::Close)),
            (BROADCAST, Some(status)) => after(send(), Reply::new(status, &[], "")),
            _ => send(),
        });
        let node = node.await;
        let payer = Payer::funded(DOLLAR, &rpc(&node.url("/"))).await;
        let payment = payer.buys(&push_shop(CENT, bought).await).await;
        assert_eq!(broadcasts(&node).len(), 1);
        payer.assert_paid_once(&payment).await;
    }
}

#[tokio::test]
async fn broadcast_that_did_not_arrive_is_repeated_in_the_same_bytes() {
    let asked = AtomicUsize::new(0);
    let node = relay(move |method, send| match method {
        BROADCAST if asked.fetch_add(1, Ordering::SeqCst) == 0 => Reply::raw("").then(Then::Close),
        _ => send(),
    });
    let node = node.await;
    let payer = Payer::funded(DOLLAR, &rpc(&node.url("/"))).await;
    let payment = payer.buys(&push_shop(CENT, bought).await).await;
    let [first, second] = &broadcasts(&node)[..] else { panic!("not two broadcasts") };
    assert_eq!((first, keccak256(payment.transaction().unwrap())), (second, payment.hash().unwrap()));
    payer.assert_paid_once(&payment).await;
}

#[tokio::test]
async fn node_that_took_it_and_fell_silent_leaves_it_unknown_until_another_is_asked() {
    let node = relay(|method, send| match method {
        BROADCAST => after(send(), Reply::raw("").then(Then::Silence)),
        "eth_chainId" => send(),
        _ => Reply::raw("").then(Then::Silence),
    });
    let node = node.await;
    let payer = Payer::funded(DOLLAR, &rpc(&node.url("/"))).await;
    let payer = payer.with(|client| client.paid_timeout(Duration::from_secs(2)));
    let shop = push_shop(CENT, bought).await;
    let (payment, _) = payer.fails(&shop).await;
    assert_eq!((payment.state(), payment.money()), (State::Unknown, Money::Unknown));
    assert_eq!(payment.counted().base_units(), CENT + 25_000);
    let real = rpc(&Anvil::shared().await.url());
    let known = watch(&*payer.ledger, &real, payment.id()).await.unwrap();
    assert_eq!((known.state(), shop.heard().len()), (State::PaidUndelivered, 1));
    payer.assert_paid_once(&known).await;
}

#[tokio::test]
async fn payment_that_no_node_took_is_dead_after_its_end() {
    let node = relay(|method, send| match method {
        BROADCAST => Reply::new(502, &[], ""),
        _ => send(),
    });
    let node = node.await;
    let payer = Payer::new(policy().max_validity(4), &rpc(&node.url("/")));
    let (payment, failure) = payer.fails(&push_shop(CENT, bought).await).await;
    assert!(matches!(&failure, Failure::Node(error) if matches!(**error, RpcError::Status { status: 502 })));
    assert!(broadcasts(&node).len() > 1);
    assert!(Anvil::shared().await.latest_timestamp().await > payment.valid_before().unwrap());
    payer.assert_unpaid(&payment).await;
}
