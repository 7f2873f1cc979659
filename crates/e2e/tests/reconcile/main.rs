//! What became of payments nobody heard of again: the ledger learns it from a real chain, to the base unit, and
//! learns nothing from a node that is silent, elsewhere, or lies.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod chain;
mod nodes;
mod payer;

// In base units.
const CENT: u128 = 10_000;
const DOLLAR: u128 = 1_000_000;
