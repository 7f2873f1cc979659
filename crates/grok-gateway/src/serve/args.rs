//! The command line as clap reads it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0  stopped as told, all work finished; or all checks passed
  1  failed while serving, or stopped with work unfinished
  2  wrong usage or settings, nothing was started
  3  a start-up check failed, nothing was served";

/// Sell Grok's answers for dollars on the Tempo chain, one call at a time.
#[derive(Debug, Parser)]
#[command(name = "grok-gateway", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check everything, then serve until SIGTERM or SIGINT; a second one ends it at once
    Serve(Place),
    /// Check everything, say what was found, and serve nothing
    Check(Place),
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Settings; see gateway.toml for all of them. Without it they are those of the environment
    #[arg(short, long, value_name = "FILE", env = "GROK_GATEWAY_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}
