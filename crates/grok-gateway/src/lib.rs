//! The paid Grok endpoint, self-hosted, and its sandbox.
//!
//! A request goes through [`mpp_gate`], which asks for its price and takes the money, to an upstream that answers it.
//! What sells code execution is here; what sells anything is in mpp-gate. So far there is one route and one upstream,
//! the [`sandbox`].

// In reading order, which rustfmt keeps within a group.
mod routes;

mod request;

mod answer;

pub mod sandbox;
