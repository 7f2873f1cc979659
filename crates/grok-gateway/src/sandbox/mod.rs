//! The sandbox: what answers in place of Grok when the gateway runs locally. It holds no model, and says so in every
//! answer by `"sandbox": true` and a `note`. Its payments are real but for the chain: a ledger in memory, unless a node
//! is named.
//!
//! | route | what it answers |
//! |---|---|
//! | `/grok/code-execution` | what the Python in the prompt printed |
//! | `/grok/chat` | how many messages there are and what the last one says |
//! | the same with function tools | calls of those that the last message names in backticks, such as `` `add({"a":6})` ``; then what the tools said |
//! | `/grok/web-search`, `/grok/x-search` | what it was asked for, with pages that do not exist |
//! | `/grok/image-generate`, `/grok/image-edit` | patterns drawn from a hash of the request |
//! | `/grok/tts` | a tone for each character, as WAV or PCM |
//!
//! The same request gets the same answer, but for ids, times, and what a program does. In reading order: the words of a
//! request; the program in the prompt, its run, the response that tells of it; the other routes' answers; answers as
//! events; the upstream that they make up; the ledger; the server around them.

mod words;

mod prompt;
mod runner;

mod code;
mod response;

mod chat;
mod search;

mod picture;
mod speech;

mod events;
mod upstream;

mod ledger;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use alloy_primitives::{Address, B256, address};
use axum::http::Uri;
use mpp_core::Amount;
use mpp_core::tempo::{self, LocalSigner};
use mpp_gate::chain::Chain;
use mpp_gate::{NoRandomness, Node, Payee, RpcError};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::gateway::Gateway;
use crate::price::Prices;

pub use code::{UpstreamError, code_execution};
pub use ledger::Ledger;
pub use prompt::PromptError;
pub use runner::{Ending, Limits, Output, Python, Run, RunError};
pub use upstream::Runner;

/// How to start a [`Sandbox`]. The default is a ledger in memory, nobody with money, `python3`, any free port.
#[derive(Clone, Debug, Default)]
pub struct SandboxOptions {
    /// The port on 127.0.0.1; 0 for any that is free.
    pub port: u16,
    /// A node of a local Tempo chain on this machine to settle on, instead of the ledger in memory.
    pub rpc: Option<String>,
    /// Who has how many base units of pathUSD in the ledger in memory; a node is not asked to give anybody anything.
    pub fund: Vec<(Address, Amount)>,
    /// The Python to run, by path or name.
    pub python: Option<PathBuf>,
}

/// A running gateway on 127.0.0.1. Dropped, it takes no more requests and finishes those it has.
pub struct Sandbox {
    base_url: String,
    chain_id: u64,
    ledger: Option<Arc<Ledger>>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

impl Sandbox {
    /// Starts one on the current tokio runtime. It takes requests once this returns.
    ///
    /// # Errors
    /// When the port, the node or Python is not to be had, or the node is one whose money may be real.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        let python = options.python.unwrap_or_else(|| "python3".into());
        let runner = Runner::new(Python::find(python).await?);
        let payee = Payee { realm: REALM.to_owned(), currency: tempo::PATH_USD, recipient: RECIPIENT };
        let (gateway, chain_id, ledger) = match &options.rpc {
            None => {
                let ledger = Arc::new(Ledger::default());
                for (owner, amount) in options.fund {
                    ledger.fund(tempo::PATH_USD, owner, amount);
                }
                ledger.fund(tempo::PATH_USD, OPERATOR, Amount::from_base_units(1_000_000_000_000));
                let gateway = Gateway::new(payee, Arc::clone(&ledger), runner, Prices::default())?;
                (gateway, ledger.chain_id(), Some(ledger))
            }
            Some(url) if !is_loopback(url) => return Err(SandboxError::NotLoopback),
            Some(url) => {
                let node = Node::connect(url).await?;
                let chain_id = node.chain_id();
                // What answers on this machine may be a node of any chain, or a tunnel to one.
                if [tempo::MAINNET, tempo::MODERATO].contains(&chain_id) {
                    return Err(SandboxError::RealMoney { chain_id });
                }
                (Gateway::new(payee, node, runner, Prices::default())?, chain_id, None)
            }
        };
        let gateway = gateway.with_gate(|gate| match LocalSigner::from_hex(OPERATOR_KEY) {
            Ok(key) => gate.operator(key),
            Err(_) => gate,
        });
        Sandbox::serve(options.port, gateway, chain_id, ledger).await
    }

    async fn serve(
        port: u16,
        gateway: Gateway,
        chain_id: u64,
        ledger: Option<Arc<Ledger>>,
    ) -> Result<Self, SandboxError> {
        let taken = |source| SandboxError::Port { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(taken)?;
        let base_url = format!("http://{}", listener.local_addr().map_err(taken)?);
        let (stop, stopped) = oneshot::channel();
        // The sender's end, by a word or by being dropped, is the server's.
        let server = tokio::spawn(gateway.serve(listener, async { drop(stopped.await) }));
        Ok(Sandbox { base_url, chain_id, ledger, stop, server })
    }

    /// Where it answers: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The chain to pay on.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The token to pay in.
    #[must_use]
    pub fn token(&self) -> Address {
        tempo::PATH_USD
    }

    /// Who is paid.
    #[must_use]
    pub fn recipient(&self) -> Address {
        RECIPIENT
    }

    /// What `owner` has of the token, in base units, by the ledger in memory; `None` where a node settles.
    #[must_use]
    pub fn balance(&self, owner: Address) -> Option<Amount> {
        self.ledger.as_deref().map(|ledger| Ledger::balance(ledger, tempo::PATH_USD, owner))
    }

    /// What a transaction took in fees, in base units, by the ledger in memory; `None` unless it was made there.
    #[must_use]
    pub fn fee(&self, hash: B256) -> Option<Amount> {
        self.ledger.as_deref()?.fee(hash)
    }

    /// Takes no more requests, and returns when those under way are answered.
    pub async fn shutdown(self) {
        drop(self.stop);
        // Neither a panic of the server nor its socket's last error matters to who is done with it.
        drop(self.server.await);
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sandbox")
            .field("base_url", &self.base_url)
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}

/// Whether a node is on this machine, by the address in its URL or the name `localhost`.
fn is_loopback(url: &str) -> bool {
    let url: Option<Uri> = url.parse().ok();
    let host = url.as_ref().and_then(Uri::host).unwrap_or_default();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback())
}

/// The protection space its challenges name.
const REALM: &str = "grok-sandbox.local";
/// The tenth development account that every local chain knows, key and all.
const RECIPIENT: Address = address!("a0Ee7A142d267C1f36714E4a8F75612F20a79720");

/// The ninth, which makes refunds.
const OPERATOR: Address = address!("23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f");
const OPERATOR_KEY: &str = "0xdbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97";

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The port is used or not allowed.
    #[error("port {port} of 127.0.0.1 is not to be had; choose another, or 0 for any that is free")]
    Port {
        /// The port asked for.
        port: u16,
        /// Why not.
        source: io::Error,
    },
    /// The node is somewhere else, where money may be real.
    #[error("the sandbox settles only on a node of this machine, such as http://127.0.0.1:8545")]
    NotLoopback,
    /// The node is of a public chain: whatever is paid there is gone, as everybody has the recipient's key.
    #[error(
        "the node is on chain {chain_id}, where money may be real; the sandbox settles on local chains only, such as \
         anvil's 31337"
    )]
    RealMoney {
        /// The chain that the node says it is on.
        chain_id: u64,
    },
    /// The node does not answer as one.
    #[error("the sandbox cannot settle on the node it was given")]
    Node(#[from] RpcError),
    /// Python is missing or broken.
    #[error(transparent)]
    Python(#[from] RunError),
    /// There was nothing to make a secret of.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}
