//! What a real node says is taken to the base unit.

use std::time::Duration;

use e2e::{Anvil, MppxServer, Reply};
use mpp_core::Amount;
use mpp_http::Money;
use mpp_http::ledger::{Ledger, Settled, State};
use mpp_http::reconcile::{Open, reconcile, watch};
use serde_json::json;

use crate::payer::{Payer, get, land, raw, rpc, shop_at, silent_shop, silent_shop_that_waits, thief};
use crate::{CENT, DOLLAR};

#[tokio::test]
async fn lost_answer_to_a_payment_that_landed_is_paid_to_the_unit() {
    let (node, payer) = (Anvil::shared().await, Payer::funded(DOLLAR).await);
    let payment = payer.lose(&silent_shop().await).await;
    assert_eq!((payment.state(), payment.counted().base_units()), (State::Unknown, CENT + 25_000));
    land(node, &payment).await;
    let known = watch(&*payer.ledger, &rpc(node), payment.id()).await.unwrap();
    assert_eq!((known.state(), known.money()), (State::PaidUndelivered, Money::Paid));
    let settled = known.settled().unwrap();
    assert_eq!((settled.hash, settled.amount.base_units()), (payment.hash(), CENT));
    assert!(settled.fee > Amount::ZERO && settled.fee < payment.quote().fee_ceiling);
    assert_eq!(payer.lost().await, settled.amount.base_units() + settled.fee.base_units());
    assert_eq!(payer.lost().await, known.counted().base_units());
}

#[tokio::test]
async fn payment_nobody_broadcast_is_open_until_its_end_and_then_dead() {
    let (node, payer) = (Anvil::shared().await, Payer::funded(DOLLAR).await.validity(2));
    let payment = payer.lose(&silent_shop().await).await;
    let until = payment.valid_before().unwrap() + 1;
    let open = reconcile(&*payer.ledger, Some(&rpc(node))).await.unwrap().open;
    assert!(matches!(open[..], [(_, Open::MayStillHappen { until: when })] if when == until), "{open:?}");
    assert_eq!(payer.known(&payment).await, payment);

    let known = watch(&*payer.ledger, &rpc(node), payment.id()).await.unwrap();
    assert!(node.latest_timestamp().await >= until);
    assert_eq!((known.state(), known.money()), (State::NotPaid, Money::NotMoved));
    assert_eq!(known.counted(), Amount::ZERO);
    // It is as dead as that: not even its own bytes bring it back.
    let refused = node.rpc("eth_sendRawTransaction", json!([raw(&known)])).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(payer.lost().await, 0);
}

#[tokio::test]
async fn call_that_is_dropped_after_paying_is_looked_up() {
    let (node, payer) = (Anvil::shared().await, Payer::funded(DOLLAR).await.validity(6));
    let payer = payer.with(|client| client.rpc(rpc(node)));
    let shop = silent_shop_that_waits().await;
    {
        let url = shop.url("/");
        let call = payer.customer.get(&url);
        tokio::pin!(call);
        while shop.heard().iter().all(|heard| heard.credential().is_none()) {
            assert!(tokio::time::timeout(Duration::from_millis(1), &mut call).await.is_err());
        }
    }
    let payment = payer.ledger.payment(1).await.unwrap().unwrap();
    assert_eq!(payment.state(), State::Sent);
    land(node, &payment).await;
    while payer.known(&payment).await.settled().is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(payer.known(&payment).await.state(), State::Paid);
}

#[tokio::test]
async fn delivered_payment_counts_its_real_fee_and_a_sponsored_one_none() {
    let (node, payer) = (Anvil::shared().await, Payer::funded(DOLLAR).await);
    let shop = MppxServer::start(node).await;
    for (route, sponsored) in [("/pull", false), ("/sponsored", true)] {
        let before = payer.lost().await;
        let mut answer = payer.customer.get(&shop.url(route)).await.unwrap();
        answer.bytes().await.unwrap();
        let payment = answer.payment().unwrap().clone();
        let ceiling = if sponsored { 0 } else { 25_000 };
        assert_eq!((payment.state(), payment.counted().base_units()), (State::Delivered, CENT + ceiling));

        let done = reconcile(&*payer.ledger, Some(&rpc(node))).await.unwrap();
        let [known] = &done.settled[..] else { panic!("{done:?}") };
        let Settled { hash, amount, fee, .. } = known.settled().unwrap();
        assert_eq!((known.id(), known.state()), (payment.id(), State::Delivered));
        assert_eq!((*hash, amount.base_units()), (payment.receipt().unwrap().hash(), CENT));
        assert_eq!(*fee == Amount::ZERO, sponsored);
        assert_eq!(payer.lost().await - before, known.counted().base_units());
        assert!(done.open.is_empty() && payer.ledger.payments(None, 9, true).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn answer_delivered_for_a_payment_that_was_never_taken_costs_nothing() {
    let (node, payer) = (Anvil::shared().await, Payer::funded(DOLLAR).await.validity(2));
    let generous = shop_at(CENT, |_| Reply::new(200, &[], "bought")).await;
    let mut answer = payer.customer.get(&generous.url("/")).await.unwrap();
    answer.bytes().await.unwrap();
    let known = watch(&*payer.ledger, &rpc(node), answer.payment().unwrap().id()).await.unwrap();
    assert_eq!((known.state(), known.money()), (State::Delivered, Money::NotMoved));
    assert_eq!((known.counted(), payer.lost().await), (Amount::ZERO, 0));
}

#[tokio::test]
async fn reverted_payment_moved_nothing_but_its_fee() {
    // Enough to promise the fee, too little for the price.
    let (node, payer) = (Anvil::shared().await, Payer::funded(26_000).await);
    let dear = shop_at(3 * CENT, |_| Reply::new(500, &[], "")).await;
    let payment = payer.lose(&dear).await;
    land(node, &payment).await;
    assert!(!node.transaction(payment.hash().unwrap()).await.unwrap().succeeded);
    let known = watch(&*payer.ledger, &rpc(node), payment.id()).await.unwrap();
    let settled = known.settled().unwrap();
    assert_eq!((known.state(), known.money()), (State::NotPaid, Money::NotMoved));
    assert_eq!((settled.hash, settled.amount), (payment.hash(), Amount::ZERO));
    assert!(settled.fee > Amount::ZERO);
    assert_eq!(payer.lost().await, known.counted().base_units());
}

#[tokio::test]
async fn two_sponsored_payments_of_one_challenge_are_told_apart_by_their_signatures() {
    let (node, payer) = (Anvil::shared().await, Payer::funded(DOLLAR).await.validity(5));
    let real = MppxServer::start(node).await;
    let thief = thief(&real.url("/sponsored")).await;
    let (dead, alive) = (payer.lose(&thief).await, payer.lose(&thief).await);
    assert_eq!((dead.memo(), dead.hash(), alive.hash()), (alive.memo(), None, None));
    let credential = thief.heard()[3].header("authorization").unwrap().to_owned();
    assert_eq!(get(&real.url("/sponsored"), Some(&credential)).await.status(), 200);

    let done = reconcile(&*payer.ledger, Some(&rpc(node))).await.unwrap();
    let ([known], [(open, why)]) = (&done.settled[..], &done.open[..]) else { panic!("{done:?}") };
    assert_eq!((known.id(), known.state()), (alive.id(), State::PaidUndelivered));
    let [mined] = &node.memo_transfers(alive.memo()).await[..] else { panic!("not one transfer") };
    let settled = known.settled().unwrap();
    assert_eq!((settled.hash, settled.amount.base_units()), (Some(mined.transaction), CENT));
    assert_eq!((settled.fee, known.hash()), (Amount::ZERO, settled.hash));
    assert!(open.id() == dead.id() && matches!(why, Open::MayStillHappen { .. }), "{open:?} {why}");
    let known = watch(&*payer.ledger, &rpc(node), dead.id()).await.unwrap();
    assert_eq!((known.state(), payer.lost().await), (State::NotPaid, CENT));
}

#[tokio::test]
async fn payment_without_an_outcome_is_looked_up_in_the_background() {
    let (node, payer) = (Anvil::shared().await, Payer::funded(DOLLAR).await);
    let payer = payer.with(|client| client.rpc(rpc(node)));
    let payment = payer.lose(&silent_shop().await).await;
    land(node, &payment).await;
    let looked_up = async {
        while payer.known(&payment).await.settled().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looked_up).await.unwrap();
    assert_eq!(payer.known(&payment).await.state(), State::PaidUndelivered);
}
