//! The paid Grok endpoint, self-hosted, and its sandbox.

pub mod sandbox;
