//! The paid Grok endpoint, self-hosted, and its sandbox.
//!
//! A request goes through [`mpp_gate`], which asks for its price and takes the money, to an upstream that answers it:
//! [`Xai`], any service [`Compatible`] with OpenAI's API, or the [`sandbox`]. What sells Grok is here; what sells
//! anything is in mpp-gate. What cannot be answered is refused before payment.
//!
//! ```no_run
//! use grok_gateway::{ApiKey, Gateway, Prices, Xai};
//! use mpp_core::tempo;
//! use mpp_gate::{Node, Payee};
//!
//! # async fn example(key: String) -> Result<(), Box<dyn std::error::Error>> {
//! let payee = Payee {
//!     realm: "grok.example".to_owned(),
//!     currency: tempo::PATH_USD,
//!     recipient: "0x060b0fB0Be9d90557577B3AEE480711067149Ff0".parse()?,
//! };
//! let node = Node::connect("https://rpc.tempo.xyz").await?;
//! let xai = Xai::new(Xai::BASE_URL, ApiKey::new(key).ok_or("that is no key")?)?;
//! let gateway = Gateway::new(payee, node, xai, Prices::default())?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8402").await?;
//! gateway.serve(listener, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Reading on
//!
//! - [`Gateway`] puts a gate in front of each [`Route`] and documents beside them; `catalog.rs` is the table that server,
//!   checks and documents are made from.
//! - An [`Order`] is a request that was checked and priced, by [`Prices`]; an [`Upstream`] makes an [`Answer`] or a
//!   [`Refusal`] of it. One of your own makes the gateway sell something else by the same routes.
//! - [`sandbox`] is all of it without a model, on a chain inside the process or a node of this machine, for tests and for
//!   trying things out.
//!
//! # Errors and money
//!
//! What is promised of the money is [`mpp_gate`]'s: [`Gateway::with_gate`] gives its gate an operator's key, so that an order
//! whose upstream fails after it was paid is refunded, and a place where sales outlast the process. While an upstream is
//! down, a breaker asks nobody to pay for it.
//!
//! # Features
//!
//! - `serve` is for who does not want to write that program: it adds the command `grok-gateway`, with limits, TLS, logs and
//!   metrics, and nothing to this library.

// In reading order, which rustfmt keeps within a group.
mod gateway;

mod catalog;

mod request;

mod price;

mod upstream;

mod answer;

mod stream;

mod sale;

mod breaker;

mod discovery;

pub mod sandbox;

pub use answer::{Answer, Refusal};
pub use catalog::Route;
pub use gateway::Gateway;
pub use price::{Prices, Tariff, TokenPrice};
pub use request::Order;
pub use sale::Sales;
pub use stream::Events;
pub use upstream::{AnswerFuture, ApiKey, Compatible, Upstream, UpstreamUrlError, Xai};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
