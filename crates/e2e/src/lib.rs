//! Real components for tests: a Tempo node, the published MPP server and client, funded accounts, our own client
//! with everything it does on record, a payer without a client ([`bare`]), a server that misbehaves to order, and a
//! PostgreSQL server. And what a test needs that prints a table, [`harness`], or that runs programs of other languages'
//! packages, [`install`] and [`python`].
//!
//! In comes nothing but Node 20 with npm; the parts are pinned in `peers/package-lock.json` and installed into
//! the target folder on first use. PostgreSQL is the machine's own. Out comes a chain whose balances can be
//! asserted to the base unit:
//!
//! ```no_run
//! # async fn example() {
//! use e2e::{Anvil, MppxClient, MppxServer, PATH_USD, PAYER, RECIPIENT};
//!
//! let node = Anvil::shared().await;
//! let shop = MppxServer::start(node).await;
//! let bought = MppxClient::new(node, &PAYER).get(&shop.url("/pull")).await.expect("the client gave up");
//! assert_eq!(bought.status, 200);
//! assert!(node.balance_of(PATH_USD, RECIPIENT.address).await > 0);
//! # }
//! ```
//!
//! Whatever goes wrong with a component panics and says so: there is no test to go on with. Every component
//! ends with the process that started it.

/// Compiles the programs in the READMEs and in the guides.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../../README.md")]
    #[doc = include_str!("../../grok-mpp/README.md")]
    #[doc = include_str!("../../mpp-core/README.md")]
    #[doc = include_str!("../../mpp-gate/README.md")]
    #[doc = include_str!("../../mpp-http/README.md")]
    struct Readmes;
    #[doc = include_str!("../../../docs/gateway.md")]
    struct Gateway;
    #[doc = include_str!("../../../docs/reuse-mpp-core.md")]
    struct ReuseMppCore;
}

mod account;
mod anvil;
pub mod bare;
#[cfg(unix)]
pub mod books;
mod customer;
pub mod harness;
pub mod install;
mod keychain;
mod mppx;
mod peer;
#[cfg(unix)]
mod postgres;
pub mod python;
mod rpc;
mod scripted;
mod token;

pub use account::{
    Account, BANK, OTHER_PAYER, PAYER, RECIPIENT, SECOND_SPLIT_RECIPIENT, SPLIT_RECIPIENT, SPONSOR,
};
pub use anvil::{Anvil, CHAIN_ID};
pub use customer::{Customer, Sent};
pub use mppx::{Answer, Mode, MppxClient, MppxServer, Shop};
#[cfg(unix)]
pub use postgres::{Postgres, free_port};
pub use scripted::{Heard, Reply, ScriptedServer, Then, demand};
pub use token::{MemoTransfer, Mined, PATH_USD};
