//! The command line as clap reads it.

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind::{ArgumentConflict, MissingSubcommand};
use clap::parser::ValueSource;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use grok_mpp::{CodeExecution, Grok};
use mpp_core::Amount;
use mpp_core::tempo::MAINNET;

const EXIT_CODES: &str = "\
Exit codes:
  0  answered
  2  wrong usage, nothing was sent
  3  refused by policy, nothing was signed
  4  failed, no money moved
  5  failed, and it is unknown whether money moved
  6  paid, but the answer failed or was lost";

/// Ask Grok, which runs Python to find the answer, and pay per call from a Tempo wallet.
#[derive(Debug, Parser)]
#[command(name = "grok-mpp", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Buy an answer: the answer on standard output, all else on standard error
    Run(Call),
    /// Ask for the price, and pay nothing
    Quote(Call),
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) question: Question,
    #[command(flatten)]
    pub(crate) service: Service,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

impl Cli {
    /// Reads the arguments, or ends the program with help or an error.
    pub(crate) fn read() -> Self {
        let matches = Cli::command().get_matches();
        let read = Cli::from_arg_matches(&matches).and_then(|cli| {
            let (_, call) =
                matches.subcommand().ok_or_else(|| Cli::command().error(MissingSubcommand, ""))?;
            let given = |name: &&str| call.value_source(name) == Some(ValueSource::CommandLine);
            let alone = ["base_url", "chain_id"].iter().find(|name| given(name) && call.get_flag("sandbox"));
            match alone {
                // The environment may say where the public service is; the command line would mean it.
                Some(name) => Err(Cli::command().error(
                    ArgumentConflict,
                    format!("--{} means nothing with --sandbox, which has its own", name.replace('_', "-")),
                )),
                None => Ok(cli),
            }
        });
        read.unwrap_or_else(|error| error.exit())
    }
}

#[derive(Debug, Args)]
pub(crate) struct Question {
    /// What to ask; - reads it from standard input
    #[arg(required_unless_present = "file")]
    pub(crate) prompt: Option<String>,
    /// Put the text of a file after the prompt, or in its place
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Instructions that stand before the prompt
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// Which Grok answers; must be of the grok-4 family
    #[arg(long, default_value = CodeExecution::DEFAULT_MODEL)]
    pub(crate) model: String,
    /// Most tokens of the answer, hidden reasoning included; the price follows it
    #[arg(long, value_name = "N", default_value_t = CodeExecution::DEFAULT_MAX_TOKENS)]
    pub(crate) max_tokens: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Service {
    /// Most dollars the answer may cost, network fee not included
    #[arg(long, value_name = "DOLLARS", env = "GROK_MPP_MAX_COST", default_value = "0.50")]
    pub(crate) max_cost: Amount,
    /// File with the wallet's private key in hexadecimal; must be readable by you alone. Without it the key is taken
    /// from the environment variable GROK_MPP_PRIVATE_KEY
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Where the service is
    #[arg(long, value_name = "URL", env = "GROK_MPP_BASE_URL", default_value = Grok::BASE_URL)]
    pub(crate) base_url: String,
    /// Chain to pay on: 4217 is Tempo mainnet, 42431 its testnet
    #[arg(long, value_name = "ID", env = "GROK_MPP_CHAIN_ID", default_value_t = MAINNET)]
    pub(crate) chain_id: u64,
    /// Seconds to wait for the answer once it is paid for
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Start a service on this machine and pay it with play money. It holds no language model: it runs the Python
    /// that the prompt holds in backticks
    #[arg(long)]
    pub(crate) sandbox: bool,
    /// Port of the sandbox; any free one if not given
    #[arg(long, value_name = "PORT", requires = "sandbox", default_value_t = 0)]
    pub(crate) sandbox_port: u16,
    /// Have the sandbox settle on the Tempo node at this loopback URL; the wallet must have its dollars there
    #[arg(long, value_name = "URL", requires = "sandbox")]
    pub(crate) rpc: Option<String>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("must be a whole number of seconds, from 1 to 86400, which is a day".into()),
    }
}
