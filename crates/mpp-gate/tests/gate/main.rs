//! The gate on real sockets: in front of a fruit shop, and with a node's answers.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod book;
mod shop;
mod support;
mod till;

mod offers;

mod refusals;

mod once;

mod answers;

mod unknown;

mod refunds;

mod maintenance;

mod health;

mod status;

mod sponsored;

mod pushed;

mod node;

mod mistakes;
