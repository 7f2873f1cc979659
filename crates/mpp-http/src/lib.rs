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
//! What it never does, whatever a server answers: sign twice in one call, sign before the policy approved, send a
//! credential in the clear or to another place than the one that asked, follow a redirect, or take a lost answer for
//! an unpaid one.

mod books;
pub mod chain;
mod client;
mod error;
mod evidence;
pub mod ledger;
mod payment;
mod reconcile;
mod response;
mod transport;

pub use client::{Client, Quoted};
pub use error::{Error, Failure, Money};
pub use payment::Payment;
pub use response::Response;
pub use transport::{Body, ReqwestTransport, SendFuture, Transport, TransportError};
