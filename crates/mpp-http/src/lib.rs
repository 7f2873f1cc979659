//! Sends HTTP requests and pays for them when asked to, at most once a call.
//!
//! [`Client::send`] takes any request. A server that answers `402 Payment Required` with a Payment challenge is paid
//! if the [`Policy`](mpp_core::Policy) allows it, and asked again with the credential. What comes back is the answer
//! with the [`Payment`] made for it, or an [`Error`] whose [`money`](Error::money) says what became of the money.
//!
//! ```no_run
//! use mpp_core::{Policy, tempo};
//! use mpp_http::Client;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let signer = tempo::LocalSigner::from_hex(&std::env::var("KEY")?)?;
//! let policy = Policy::new(tempo::MAINNET, [tempo::PATH_USD, tempo::USDC_E], "0.05".parse()?);
//! let client = Client::new(signer, policy);
//! let mut answer = client.send(http::Request::get("https://weather.example/paris").body("".into())?).await?;
//! println!("{:?}", answer.payment());
//! println!("{:?}", answer.bytes().await?);
//! # Ok(())
//! # }
//! ```
//!
//! Every payment is written down in a [`ledger`] before it is sent. Given one that outlasts the program, nothing is lost
//! with it, and a budget holds for all who share the ledger:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use mpp_http::chain::Rpc;
//! use mpp_http::ledger::{Budget, MemoryLedger, Window};
//! use mpp_http::{Client, reconcile};
//!
//! # async fn run(client: Client) -> Result<(), Box<dyn std::error::Error>> {
//! // Or SqlLedger::sqlite("payments.sqlite").await?, or SqlLedger::postgres(url).await?, by features of those names.
//! let ledger = Arc::new(MemoryLedger::new());
//! let client = client.ledger(Arc::clone(&ledger)).budget(Budget::new().per(Window::Day, "5".parse()?));
//! // Later, as after a crash: what became of the payments whose answer never came.
//! let node = Rpc::new("https://rpc.tempo.xyz")?;
//! for payment in reconcile::reconcile(&*ledger, Some(&node)).await?.settled {
//!     println!("{} {:?} {}", payment.id(), payment.money(), payment.evidence());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What it never does, whatever a server answers: sign twice in one call, sign before the policy approved, send a
//! credential in the clear or to another place than the one that asked, follow a redirect, or take a lost answer for
//! an unpaid one.
//!
//! # Reading on
//!
//! - [`Client`] is signer, policy and options; [`Client::send`] is the one loop, commented by step.
//!   [`Client::quote`] asks the price and pays nothing.
//! - [`Response`] is an answer whose body is still to come, and the [`Payment`] that bought it, which knows how far it has
//!   come and prints as [evidence](Payment::evidence) for a refund claim.
//! - [`Error`] and [`Money`] say what became of the money, and with it whether to ask again: after
//!   [`Unknown`](Money::Unknown) never before the chain was asked.
//! - [`ledger`] keeps payments and budgets, [`reconcile`] settles what is open, [`chain`] is the node it asks.
//! - [`Transport`] is one method, for another HTTP stack than reqwest.
//!
//! # Features
//!
//! None is on by default: payments are kept in memory then.
//!
//! - `sqlite` is for who wants payments and budgets to outlast the process, or to be shared by processes of one machine.
//! - `postgres` is for who pays from one wallet on several machines.

mod access_key;
pub mod chain;
mod client;
mod error;
mod evidence;
mod journal;
pub mod ledger;
mod payment;
mod push;
pub mod reconcile;
mod request;
mod response;
mod step;
mod transport;

pub use client::{Client, Quoted};
pub use error::{Error, Failure, Money};
pub use payment::Payment;
pub use response::Response;
pub use transport::{Body, ReqwestTransport, SendFuture, Transport, TransportError};
