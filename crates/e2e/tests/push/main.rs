//! Our client pushes: it broadcasts on a node of its own, on a real chain, before it shows the payee the hash. Whatever node
//! and payee do, there is one payment a call at most, and the ledger says of it what the chain does, to the unit.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod broadcast;
mod call;
mod payer;

// In base units.
const CENT: u128 = 10_000;
const DOLLAR: u128 = 1_000_000;
