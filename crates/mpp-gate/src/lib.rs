//! The payee's side of the Machine Payments Protocol: a tower [`Layer`](tower::Layer) that sells any HTTP service per
//! request.
//!
//! A request without payment is answered `402` with a challenge; the same request with a credential is checked, settled
//! on chain, and only then handed to the service, whose answer goes back with a receipt.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use mpp_core::tempo;
//! use mpp_gate::{Cost, Gate, Payee, RpcSettlement};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let payee = Payee {
//!     realm: "weather.example".to_owned(),
//!     currency: tempo::PATH_USD,
//!     recipient: "0x060b0fB0Be9d90557577B3AEE480711067149Ff0".parse()?,
//! };
//! let node = RpcSettlement::connect("https://rpc.tempo.xyz").await?;
//! let price = "0.006".parse()?;
//! let gate = Gate::new(payee, node, move |_: &_, _: &_| Cost::Charge { amount: price, description: None })?;
//! let shop: Router = Router::new().route("/weather", get(|| async { "sunny" }).route_layer(gate));
//! # Ok(())
//! # }
//! ```
//!
//! Each challenge and each transaction is taken once, under any concurrency. A challenge is bound to method, target and
//! body of its request, so it pays for no other. Charges are pulled (the payer signs, the payee broadcasts), the payer
//! pays the fee, and a charge of nothing is answered by a proof.
//!
//! What is not here yet: a payment that was taken while the service failed is answered by a problem that says so, and is
//! not refunded; the same goes for a payer who hangs up meanwhile. Challenges are forgotten with the process, and with
//! them what was paid, unless [`Gate::durable`] is told where to keep both.
//!
//! Serve it over TLS, or behind something that does: the drafts forbid challenges in the clear.

// In reading order, which rustfmt keeps within a group.
mod gate;

mod price;

mod terms;

mod collect;

pub mod settle;

mod rpc;

pub mod replay;

mod answer;

mod body;

pub use body::Body;
pub use gate::{Gate, Gated};
pub use price::{Cost, Price};
pub use rpc::{RpcError, RpcSettlement};
pub use terms::{NoRandomness, Payee, Secret};
