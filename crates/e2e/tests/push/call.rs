//! Calls that push, to their end and cut short: what the payee gets, and what the payer knows.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::address;
use e2e::{Anvil, CHAIN_ID, Customer, Heard, MppxServer, PATH_USD, Reply, ScriptedServer, Shop, Then};
use mpp_core::tempo::Payload;
use mpp_core::{Amount, Policy};
use mpp_http::ledger::{Ledger, SqlLedger, State};
use mpp_http::reconcile::{Open, reconcile, watch};
use mpp_http::{Failure, Money};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::payer::{
    BROADCAST, Payer, after, bought, fresh_key, gone, policy, push_only, push_shop, relay, rpc,
};
use crate::{CENT, DOLLAR};

#[tokio::test]
async fn published_server_is_paid_price_and_fee_and_delivers() {
    let node = Anvil::shared().await;
    let recipient = address!("00000000000000000000000000000000000b0a7e");
    let server = MppxServer::open(node, Shop { recipient, ..Shop::default() }).await;
    let payer = Payer::funded(DOLLAR, &rpc(&node.url())).await;
    let mut answer = payer.customer.get(&server.url("/push")).await.unwrap();
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!((answer.status().as_u16(), &body["route"]), (200, &json!("/push")));

    let payment = answer.payment().unwrap();
    assert_eq!((payment.state(), payment.receipt().unwrap().hash()), (State::Delivered, payment.hash()));
    let [_, paid] = &payer.customer.sent()[..] else { panic!("not two requests") };
    assert_eq!(paid.credential().unwrap().payload(), &Payload::Hash(payment.hash().unwrap()));
    assert_eq!(node.balance_of(PATH_USD, recipient).await, CENT);
    payer.assert_paid_once(payment).await;
}

#[tokio::test]
async fn node_without_the_policy_s_leave_broadcasts_nothing() {
    let (shop, node) = (push_shop(CENT, bought).await, relay(|_, send| send()).await);
    let policy = Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(CENT));
    let customer = Customer::new(&fresh_key(), policy).with(|client| client.rpc(rpc(&node.url("/"))));
    let error = customer.get(&shop.url("/")).await.unwrap_err();
    assert!(error.to_string().contains("takes a policy that accepts it, a node to broadcast on"), "{error}");
    assert_eq!((error.payment(), customer.signatures(), node.heard().len()), (None, 0, 0));
}

#[tokio::test]
async fn payee_that_fails_after_a_push_has_the_money_and_the_payer_the_hash() {
    let failures: [fn(&Heard) -> Reply; 3] = [
        |_| Reply::new(500, &[], ""),
        |_| Reply::new(402, &[("www-authenticate", &push_only(CENT))], ""),
        |_| Reply::raw("").then(Then::Close),
    ];
    for failure in failures {
        let payer = Payer::funded(DOLLAR, &rpc(&Anvil::shared().await.url())).await;
        let error = payer.customer.get(&push_shop(CENT, failure).await.url("/")).await.unwrap_err();
        assert_eq!(error.to_string(), "0.01 dollars were paid, but the answer failed or is lost");
        let payment = error.payment().unwrap();
        assert_eq!((payment.state(), error.money()), (State::PaidUndelivered, Money::Paid));
        payer.assert_paid_once(payment).await;
    }
}

#[tokio::test]
async fn payee_that_is_gone_after_a_push_was_paid() {
    let node = rpc(&Anvil::shared().await.url());
    let shop = ScriptedServer::start(|_| {
        let fields = [("www-authenticate", &*push_only(CENT)), ("connection", "close")];
        Reply::new(402, &fields, "").stop_listening()
    });
    let payer = Payer::funded(DOLLAR, &node).await;
    let (payment, failure) = payer.fails(&shop.await).await;
    assert!(matches!(&failure, Failure::Transport(error) if !error.may_have_been_sent()), "{failure:?}");
    assert_eq!((payment.state(), payment.money()), (State::PaidUndelivered, Money::Paid));
    payer.assert_paid_once(&payment).await;
}

#[tokio::test]
async fn call_dropped_during_the_broadcast_is_looked_up() {
    let took = Arc::new(Notify::new());
    let tell = Arc::clone(&took);
    let node = relay(move |method, send| match method {
        BROADCAST => {
            tell.notify_one();
            after(send(), Reply::raw("").then(Then::Silence))
        }
        _ => send(),
    });
    let payer = Payer::funded(DOLLAR, &rpc(&node.await.url("/"))).await;
    let shop = push_shop(CENT, bought).await;
    let url = shop.url("/");
    tokio::select! {
        ended = payer.customer.get(&url) => panic!("{ended:?}"),
        () = took.notified() => {}
    }
    while payer.ledger.payment(1).await.unwrap().unwrap().settled().is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let payment = payer.ledger.payment(1).await.unwrap().unwrap();
    assert_eq!((payment.state(), shop.heard().len()), (State::Paid, 1));
    payer.assert_paid_once(&payment).await;
}

#[tokio::test]
async fn payer_that_dies_at_the_broadcast_finds_it_in_its_ledger() {
    for arrives in [false, true] {
        let payer = Payer::funded(DOLLAR, &rpc(&gone())).await;
        let (dies, node) = (Arc::new(Notify::new()), Anvil::shared().await);
        let tell = Arc::clone(&dies);
        let relay = relay(move |method, send| {
            if method != BROADCAST {
                return send();
            }
            tell.notify_one();
            let silence = Reply::raw("").then(Then::Silence);
            if arrives { after(send(), silence) } else { silence }
        });
        let (relay, shop) = (relay.await.url("/"), push_shop(CENT, bought).await.url("/"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite").to_str().unwrap().to_owned();
        let (key, ledger) = (payer.key.clone(), path.clone());
        // A runtime of its own ends as a process does: nobody is left to look anything up.
        let life = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let ledger = SqlLedger::sqlite(&ledger).await.unwrap();
                let customer = Customer::new(&key, policy().max_validity(5));
                let customer = customer.with(|client| client.rpc(rpc(&relay)).ledger(ledger));
                tokio::select! {
                    ended = customer.get(&shop) => panic!("{ended:?}"),
                    () = dies.notified() => {}
                }
            });
        });
        life.await.unwrap();

        let ledger = SqlLedger::sqlite(&path).await.unwrap();
        let payment = ledger.payment(1).await.unwrap().unwrap();
        assert_eq!((payment.state(), payment.settled()), (State::Sent, None));
        let done = reconcile(&ledger, Some(&rpc(&node.url()))).await.unwrap();
        assert_eq!(matches!(done.open[..], [(_, Open::MayStillHappen { .. })]), !arrives, "{done:?}");
        let known = watch(&ledger, &rpc(&node.url()), 1).await.unwrap();
        assert_eq!(known.state(), if arrives { State::Paid } else { State::NotPaid });
        assert_eq!(payer.lost().await, known.counted().base_units());
        assert_eq!(node.memo_transfers(known.memo()).await.len(), usize::from(arrives));
    }
}
