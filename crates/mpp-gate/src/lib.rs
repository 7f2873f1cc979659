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
//! # What is promised
//!
//! Each challenge and each transaction is taken once, under any concurrency. A challenge is bound to method, target and
//! body of its request, so it pays for no other. What was paid for is kept: the payer who lost his answer gets it by
//! sending the same request with the same credential, or with another of his and the same `Idempotency-Key`. When the
//! service fails, the money is given back, if the gate has an [operator's key](Gate::operator).
//!
//! [`Gate::maintain`] runs beside the server; it makes refunds that could not be made at once and looks after what a crash
//! left behind. [`Gate::status`] is a page that tells what became of a payment. At the end of a server,
//! [`Gate::finished`] waits for what was paid.
//!
//! Serve it over TLS, or behind something that does: the drafts forbid challenges in the clear.
//!
//! # Reading on
//!
//! - [`Gate`] is the layer, and its methods are all the choices there are. `Gate::serve`, in `gate.rs`, is the one path on
//!   which money is taken.
//! - [`Price`] says what a request [costs](Cost): nothing, a [`Charge`], or that it is not to be had. What the service
//!   would refuse is best refused there, before payment.
//! - [`Payee`] is who is paid, and in what. [`Node`] is the chain, asked by JSON-RPC; [`chain::Chain`] is what it is to the
//!   gate.
//! - Charges are pulled (the payer signs, the payee broadcasts), with the fee paid by the payer or a
//!   [sponsor](Gate::sponsorship), or [pushed](Gate::modes); a charge of nothing is answered by a proof.
//! - [`store`] is where sales are kept: in memory, and with them the challenges' [`Secret`], unless [`Gate::durable`] is
//!   told where to keep both.
//!
//! # Features
//!
//! None is on by default, which is enough for a shop that may forget its sales when it ends.
//!
//! - `sqlite` is for who sells on one machine and wants sales to outlast the process.
//! - `postgres` is for several instances behind a balancer, which are one gate then.

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
