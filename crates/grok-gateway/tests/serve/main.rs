//! The program `grok-gateway` as somebody runs it: its checks, its limits, its end, and what it says. Node and upstream
//! are played by stand-ins on loopback.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod checks;
mod limits;
mod metrics;
mod payer;
mod program;
mod secrecy;
mod stand_ins;
mod stop;
mod tls;
