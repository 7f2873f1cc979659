//! The command as a person or a script meets it: what it prints where, and with which code it ends.

mod access_key;
mod commands;
mod config;
mod keystore;
mod killed;
mod ledger;
mod mcp;
mod node;
mod outcome;
#[cfg(target_os = "linux")]
mod prompt;
mod reconcile;
mod run;
mod serve;
mod session;
mod settings;
mod signer;
mod snapshots;
mod support;
mod terminal;
mod wallet;
