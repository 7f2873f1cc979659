//! The arguments of the commands that sell what they buy on: to programs, and to the hosts of language models.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::{LedgerArgs, LimitArgs, ServiceArgs};

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen. Where other machines can connect, clients need a token, and a proxy with TLS in front to keep it
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8403")]
    pub(crate) listen: SocketAddr,
    /// File with the token that clients have to give as their API key. Without it the token is taken from the environment
    /// variable GROK_MPP_SERVE_TOKEN, if it is set
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Most answers that are bought at once; further requests wait
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) at_once: u16,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Mcp {
    /// Serve streamable HTTP at http://ADDRESS:PORT/mcp instead of standard input and output. Beyond this machine it
    /// takes a token
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) http: Option<SocketAddr>,
    /// File with the token that HTTP clients must send as "Authorization: Bearer …". Without it the token is taken from
    /// the environment variable GROK_MPP_MCP_TOKEN, if that is set
    #[arg(long, value_name = "FILE", requires = "http")]
    pub(crate) token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

/// The end of `serve --help`.
pub(super) const SERVE_CODES: &str = "\
Any client of OpenAI's API works with the base URL that is printed, such as OPENAI_BASE_URL=http://127.0.0.1:8403/v1.
What an answer cost is in its head: x-mpp-amount (base units), x-mpp-currency, x-mpp-payment-id, x-mpp-transaction.

Exit codes:
  0  stopped, and of every payment it is known what became of it
  2  wrong usage
  4  cannot start
  5  stopped, and of some payments it is unknown: grok-mpp reconcile finds out";
