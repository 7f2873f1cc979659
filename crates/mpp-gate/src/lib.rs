//! The payee's side of the Machine Payments Protocol: a tower [`Layer`](tower::Layer) that sells any HTTP service per
//! request.
//!
//! A request without payment is answered `402` with a challenge; the same request with a credential is checked, settled
//! on chain, and only then handed to the service, whose answer goes back with a receipt.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use mpp_core::tempo;
//! use mpp_gate::{Charge, Cost, Gate, Node, Payee};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let payee = Payee {
//!     realm: "weather.example".to_owned(),
//!     currency: tempo::PATH_USD,
//!     recipient: "0x060b0fB0Be9d90557577B3AEE480711067149Ff0".parse()?,
//! };
//! let node = Node::connect("https://rpc.tempo.xyz").await?;
//! let price = "0.006".parse()?;
//! let gate = Gate::new(payee, node, move |_: &_, _: &_| Cost::Charge(Charge::new(price)))?;
//! let shop: Router = Router::new().route("/weather", get(|| async { "sunny" }).route_layer(gate));
//! # Ok(())
//! # }
//! ```
//!
//! Each challenge and each transaction is taken once, under any concurrency. A challenge is bound to method, target and
//! body of its request, so it pays for no other. What was paid for is kept: the payer who lost his answer gets it by
//! sending the same request with the same credential, or with another of his and the same `Idempotency-Key`. When the
//! service fails, the money is given back, if the gate has an [operator's key](Gate::operator).
//!
//! Charges are pulled (the payer signs, the payee broadcasts), with the fee paid by the payer or a
//! [sponsor](Gate::sponsorship), or [pushed](Gate::modes); a charge of nothing is answered by a proof. Sales are kept in
//! memory, and with them the challenges' secret, unless [`Gate::durable`] is told where to keep both: in SQLite (feature
//! `sqlite`), or in PostgreSQL (feature `postgres`) for several instances of a gate. [`Gate::maintain`] runs beside the
//! server; it makes refunds that could not be made at once and looks after what a crash left behind.
//!
//! Serve it over TLS, or behind something that does: the drafts forbid challenges in the clear.

// In reading order, which rustfmt keeps within a group.
mod gate;

mod price;

mod terms;

mod collect;

mod sponsor;

mod sale;

mod deliver;

mod produce;

mod maintain;

mod status;

pub mod chain;

mod node;

mod rpc;

pub mod store;

mod health;

mod answer;

mod body;

pub use body::Body;
pub use gate::{Gate, Gated};
pub use node::Node;
pub use price::{Charge, Cost, Price};
pub use rpc::RpcError;
pub use sponsor::Sponsorship;
pub use status::Status;
pub use terms::{NoRandomness, Payee, Secret};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The time, in Unix seconds; before 1970, a time at which everything has expired.
fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(u64::MAX, |since| since.as_secs())
}
