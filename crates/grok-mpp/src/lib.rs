//! Grok chat with server-side code execution, bought per call over MPP/Tempo: no account, no API key, a wallet and a
//! limit.
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
//! What the service may answer is known only in part, so nothing of an answer is required and
//! [`raw`](Answer::raw) always holds all of it: a bought answer is never lost to its shape.

/// Compiles the README's example.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

pub mod answer;
pub mod call;
mod client;
mod conversation;
mod error;
pub mod schema;
mod sse;
mod stream;

pub use answer::Answer;
pub use call::Call;
pub use client::Grok;
pub use conversation::{Conversation, Message};
pub use error::{Error, RequestError};
pub use stream::{AnswerStream, Event};
