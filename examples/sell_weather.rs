//! Sells the weather for half a cent a request, on any chain that a node is at hand for, and gives the money back when it
//! has none to tell. What was paid for is kept in a file, so that it is not lost when this ends.
//!
//!     NODE=http://127.0.0.1:8545 RECIPIENT=0x… OPERATOR_KEY=0x… cargo run -p mpp-gate --features sqlite --example sell_weather

#![expect(clippy::print_stderr, reason = "it is what the example does")]

use std::path::Path;

use axum::Router;
use axum::extract;
use axum::http::StatusCode;
use axum::routing::{get, get_service};
use mpp_core::tempo::{self, Address, LocalSigner};
use mpp_gate::store::SqlStore;
use mpp_gate::{Charge, Cost, Gate, Node, Payee, Secret};

async fn weather(extract::Path(city): extract::Path<String>) -> Result<String, StatusCode> {
    match city.as_str() {
        "paris" => Ok("rain, 9 °C\n".to_owned()),
        "rome" => Ok("sun, 21 °C\n".to_owned()),
        // Whoever paid for this is refunded.
        _ => Err(StatusCode::BAD_GATEWAY),
    }
}

/// The shop, paid over `node`, with its sales in the file `sales` and refunds by `operator`.
pub(crate) async fn shop(
    node: &str,
    recipient: Address,
    operator: LocalSigner,
    sales: &Path,
) -> Result<Router, Box<dyn std::error::Error>> {
    let payee = Payee { realm: "weather.example".to_owned(), currency: tempo::PATH_USD, recipient };
    let price = Charge::new("0.005".parse()?).description("the weather");
    let gate = Gate::new(payee, Node::connect(node).await?, move |_: &_, _: &_| Cost::Charge(price.clone()))?
        // A shop that is more than an example keeps a secret of its own, 32 random bytes, beside the file.
        .durable(Secret::new(vec![7; 32]).ok_or("a longer secret")?, SqlStore::sqlite(sales).await?)
        .operator(operator);

    let upkeep = gate.clone();
    tokio::spawn(async move { upkeep.maintain().await });
    Ok(Router::new()
        .route("/payments/{reference}", get_service(gate.status()))
        .route("/{city}", get(weather).route_layer(gate)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let recipient = std::env::var("RECIPIENT")?.parse()?;
    let operator = LocalSigner::from_hex(&std::env::var("OPERATOR_KEY")?)?;
    let shop = shop(&std::env::var("NODE")?, recipient, operator, Path::new("weather.sqlite")).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8405").await?;
    eprintln!("the weather is at http://127.0.0.1:8405/paris");
    Ok(axum::serve(listener, shop).await?)
}
