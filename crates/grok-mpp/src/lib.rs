//! Answers from Grok, bought per call over MPP/Tempo: chat, answers for which it runs Python on the server, searches,
//! pictures, speech. No account, no API key: a wallet and a limit.
//!
//! In goes a signer, a [`Policy`](mpp_core::Policy) and a question; out comes an [`Answer`](answer::Answer) with the payment that bought
//! it, or an [`Error`] that says what became of the money.
//!
//! ```no_run
//! use grok_mpp::Grok;
//! use mpp_core::Policy;
//! use mpp_core::tempo::{LocalSigner, MAINNET, PATH_USD, USDC_E};
//!
//! # async fn run(key: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let policy = Policy::new(MAINNET, [PATH_USD, USDC_E], "0.50".parse()?);
//! let grok = Grok::new(LocalSigner::from_hex(key)?, policy);
//! let answer = grok.code_execution("Compute the factorial of 50 in Python.").max_tokens(512).send().await?;
//!
//! println!("{}", answer.text());
//! for run in answer.executions() {
//!     println!("{}\n{}", run.code, run.output);
//! }
//! println!("{:?} {:?}", answer.usage(), answer.payment());
//! # Ok(())
//! # }
//! ```
//!
//! # Reading on
//!
//! - [`Grok`] is the service and the wallet that pays it. It has a method for each of the service's seven routes, and
//!   [`raw`](Grok::raw) for one that is newer than this crate.
//! - [`Call`](call::Call) is what such a method returns: settings, then [`send`](call::Call::send),
//!   [`stream`](call::Call::stream) for an answer that comes in pieces, or [`quote`](call::Call::quote) for the price alone. What the service would refuse is refused before
//!   anything is sent.
//! - [`Conversation`] holds what was said so far, as the service keeps nothing between calls.
//! - [`Answer`](answer::Answer) reads what came back. What the service may answer is known only in part, so nothing of an answer is
//!   required and [`raw`](answer::Answer::raw) always holds all of it: a bought answer is never lost to its shape.
//! - [`schema`] tells what the service says it sells that is not known here.
//!
//! # Errors and money
//!
//! Ask [`Error::money`] before anything else: after [`Unknown`](mpp_http::Money::Unknown) nothing must be asked again before
//! the chain was. What came in place of an answer is in [`Error::body`]. Payments are made, written down and limited over
//! time by [`mpp_http`]; a [`Client`](mpp_http::Client) with a ledger and a budget goes into [`Grok::with_client`].
//!
//! The crate has no features.

pub mod answer;
pub mod call;
mod client;
mod conversation;
mod error;
pub mod schema;
mod sse;
mod stream;

pub use client::Grok;
pub use conversation::{Conversation, Message};
pub use error::{Error, RequestError};
pub use stream::{AnswerStream, Event};
