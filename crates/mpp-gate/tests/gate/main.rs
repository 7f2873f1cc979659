//! The gate on real sockets: in front of a fruit shop, and with a node's answers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod shop;
mod support;
mod till;

mod node;
mod offers;
mod refusals;
