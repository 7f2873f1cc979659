//! The command as a person or a script meets it: what it prints where, and with which code it ends.

mod commands;
mod config;
mod killed;
mod ledger;
mod node;
mod outcome;
mod reconcile;
mod run;
mod snapshots;
mod support;
mod terminal;
