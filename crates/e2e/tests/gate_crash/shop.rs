//! The process that is killed: a service that is slow and fails at random, behind a gate that lasts.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::post;
use bytes::Bytes;
use e2e::PATH_USD;
use mpp_core::Amount;
use mpp_core::tempo::LocalSigner;
use mpp_gate::store::SqlStore;
use mpp_gate::{Charge, Cost, Gate, Node, Payee, Secret};
use tokio::net::TcpListener;

use crate::{dice, price};

/// How long a challenge can be paid, in seconds; a payer takes none that has fewer than five left.
const VALIDITY: u64 = 8;

pub(crate) async fn sell([port, store, rpc, recipient, operator]: [&str; 5]) {
    let payee =
        Payee { realm: "shop.test".to_owned(), currency: PATH_USD, recipient: recipient.parse().unwrap() };
    let cost = |_: &Parts, body: &Bytes| {
        let number = std::str::from_utf8(body).unwrap().parse().unwrap();
        Cost::Charge(Charge::new(Amount::from_base_units(price(number))))
    };
    let node = Node::connect(rpc).await.unwrap().margin(1);
    let gate = Gate::new(payee, node, cost).unwrap();
    let gate = gate.operator(LocalSigner::from_hex(operator).unwrap());
    let gate = gate.validity(Duration::from_secs(VALIDITY));
    let secret = Secret::new(vec![7; 32]).unwrap();
    let store = match store.starts_with("postgres:") {
        true => SqlStore::postgres(store).await.unwrap(),
        false => SqlStore::sqlite(store).await.unwrap(),
    };
    let gate = gate.durable(secret, store);
    let maintained = gate.clone();
    tokio::spawn(async move { maintained.maintain().await });
    let asked = gate.clone();
    let owed = move || async move { asked.owed().await.unwrap().to_string() };
    let shop = Router::new().route("/", post(serve)).layer(gate).route("/owed", post(owed));
    let listener = TcpListener::bind(("127.0.0.1", port.parse().unwrap())).await.unwrap();
    println!("ready");
    axum::serve(listener, shop).await.unwrap();
}

/// No two answers are the same, so that one that is made twice shows.
async fn serve(body: String) -> (StatusCode, String) {
    if dice(4) > 0 {
        tokio::time::sleep(Duration::from_millis(dice(250))).await;
    }
    match dice(3) {
        0 => (StatusCode::SERVICE_UNAVAILABLE, "out of apples".to_owned()),
        _ => (StatusCode::OK, format!("apple {} for {body}", dice(u64::MAX))),
    }
}
