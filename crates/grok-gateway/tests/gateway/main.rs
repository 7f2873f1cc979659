//! The gateway as it is served: what it sells, what it refuses, what its documents say, and what becomes of a payment
//! when the service behind fails. The ledger is the sandbox's, in memory; xAI is played by a stand-in.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod breaker;
mod compatible;
mod compliance;
mod documents;
mod failures;
mod orders;
mod sandbox;
mod sold;
mod stand_in;
mod streams;
mod support;
