//! The command line as clap reads it.

mod ask;
mod sell;
mod wallet;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Styles;
use clap::error::ErrorKind::{ArgumentConflict, MissingSubcommand};
use clap::parser::ValueSource;
use clap::{Arg, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;
use mpp_core::Amount;

pub(crate) use ask::{
    Chat, Edit, Image, Pictures, Purchase, Question, Quote, Repl, Run, Schema, Speak, Tool, Web, X,
};
pub(crate) use sell::{Mcp, Serve};
pub(crate) use wallet::{BalanceArgs, FundArgs, MakeArgs, ShowArgs, WalletArgs, WalletCommand};

use crate::terminal::Color;

const EXIT_CODES: &str = "\
Exit codes:
  0  answered
  2  wrong usage, nothing was sent
  3  refused by policy or budget, nothing was signed
  4  failed, nothing was paid (at most a fee on chain)
  5  failed, and it is unknown whether money moved: grok-mpp reconcile finds out
  6  paid, but the answer failed or was lost";

const RECONCILE_CODES: &str = "\
Exit codes:
  0  no payment is open any more
  4  the ledger cannot be opened
  5  some payments stay open";

const HELP: Styles = {
    let bold = anstyle::Style::new().bold();
    Styles::plain().header(bold).usage(bold).literal(bold).error(bold).invalid(bold).valid(bold)
};

/// Ask Grok, and pay per call from a Tempo wallet: no account, no API key.
#[derive(Debug, Parser)]
#[command(name = "grok-mpp", version, after_help = EXIT_CODES, arg_required_else_help = true, max_term_width = 100, styles = HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to use colour: auto, always or never
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_possible_values = true,
        display_order = 900
    )]
    pub(crate) color: Color,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Buy an answer that Grok finds by running Python
    Run(Run),
    /// Buy an answer
    Chat(Chat),
    /// Buy an answer from the web
    Web(Web),
    /// Buy an answer from posts on X
    X(X),
    /// Buy pictures of what a prompt says
    Image(Image),
    /// Buy a picture, changed as a prompt says
    Edit(Edit),
    /// Buy a text, spoken
    Speak(Speak),
    /// Talk with Grok, and buy each answer
    Repl(Repl),
    /// Ask what run would cost, and pay nothing; the others have --dry-run
    Quote(Quote),
    /// Show what the service says it sells, and how that differs from what is known here
    Schema(Schema),
    /// List payments, the newest last
    History(History),
    /// Show what is left of each limit
    Budget(Budget),
    /// Ask the chain what became of payments, and what they cost
    #[command(after_help = RECONCILE_CODES)]
    Reconcile(Reconcile),
    /// Print all that is known of a payment, as JSON
    Evidence(Evidence),
    /// Make a wallet, see what it holds, fill it
    #[command(subcommand, after_long_help = wallet::SIGNER_COMMAND)]
    Wallet(WalletCommand),
    /// Show the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a shell's completions of this command, to be sourced by it
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print a manual page
    Man {
        /// The command it is about, such as wallet new; grok-mpp as a whole if not given
        command: Vec<String>,
    },
    /// Sell the service on, on this machine, to whatever speaks OpenAI's API
    #[command(after_help = sell::SERVE_CODES)]
    Serve(Serve),
    /// Let the host of a language model buy answers: an MCP server on standard input and output, or over HTTP
    Mcp(Mcp),
}

#[derive(Debug, Args)]
pub(crate) struct History {
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    /// Most payments to list
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Only those that the chain has not had the last word on
    #[arg(long)]
    pub(crate) open: bool,
    /// Print a JSON array of what evidence prints of each
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Budget {
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    /// The only chain to look at; by default mainnet and those of the latest payments
    #[arg(long, value_name = "ID", env = "GROK_MPP_CHAIN_ID")]
    pub(crate) chain_id: Option<u64>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Reconcile {
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    /// The one Tempo node to ask; by default a public one of Tempo's for each of its chains, mainnet and testnet
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the settings that hold now, and where each comes from
    Show {
        #[command(flatten)]
        config: ConfigArgs,
        /// Print one JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Print where the config file is, or would be
    Path {
        #[command(flatten)]
        config: ConfigArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Evidence {
    /// The payment's number
    pub(crate) id: u64,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    /// Print errors as JSON, too
    #[arg(long)]
    pub(crate) json: bool,
}

impl Cli {
    /// Reads the arguments, or ends the program with help or an error.
    pub(crate) fn read() -> Self {
        let command = without_empty_variables(Cli::command());
        let matches = command.get_matches();
        let read = Cli::from_arg_matches(&matches).and_then(|cli| {
            let (_, call) =
                matches.subcommand().ok_or_else(|| Cli::command().error(MissingSubcommand, ""))?;
            let sandbox = matches!(call.try_get_one("sandbox"), Ok(Some(true)));
            let given = |name: &&str| call.value_source(name) == Some(ValueSource::CommandLine);
            match ["base_url", "chain_id"].iter().find(|name| sandbox && given(name)) {
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
pub(crate) struct ServiceArgs {
    /// Most dollars the answer may cost, network fee not included; 0.50 unless the config file says otherwise
    #[arg(long, value_name = "DOLLARS", env = "GROK_MPP_MAX_COST", allow_negative_numbers = true)]
    pub(crate) max_cost: Option<Amount>,
    #[command(flatten)]
    pub(crate) wallet: WalletArgs,
    /// Where the service is; the public one unless the config file says otherwise
    #[arg(long, value_name = "URL", env = "GROK_MPP_BASE_URL")]
    pub(crate) base_url: Option<String>,
    /// Chain to pay on: 4217 is Tempo mainnet, 42431 its testnet; mainnet unless the config file says otherwise
    #[arg(long, value_name = "ID", env = "GROK_MPP_CHAIN_ID")]
    pub(crate) chain_id: Option<u64>,
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
    /// Tempo node to ask what a payment took, and to wait for when it is unknown whether it happened. With --sandbox it
    /// must be on this machine, and the sandbox settles on it too: the wallet must have its dollars there
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
}

/// Where payments are written down.
#[derive(Debug, Args)]
pub(crate) struct LedgerArgs {
    /// Where payments are written down: an SQLite file, or postgres://… where that is built in. By default
    /// grok-mpp/ledger.sqlite in your data folder
    #[arg(long, value_name = "FILE", env = "GROK_MPP_LEDGER", hide_env_values = true)]
    pub(crate) ledger: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// Where the settings are.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Settings. By default grok-mpp/config.toml in your configuration folder, if it is there
    #[arg(id = "config", long = "config", value_name = "FILE", env = "GROK_MPP_CONFIG")]
    pub(crate) file: Option<PathBuf>,
}

/// Limits in place of the config file's.
#[derive(Debug, Default, Args)]
#[command(
    next_help_heading = "Limits, fees included, of each token on its own; in place of the config file's"
)]
pub(crate) struct LimitArgs {
    /// Most dollars that this process may spend
    #[arg(long, value_name = "DOLLARS", allow_negative_numbers = true)]
    pub(crate) max_per_process: Option<Amount>,
    /// Most dollars in any 60 minutes
    #[arg(long, value_name = "DOLLARS", allow_negative_numbers = true)]
    pub(crate) max_per_hour: Option<Amount>,
    /// Most dollars in any 24 hours
    #[arg(long, value_name = "DOLLARS", allow_negative_numbers = true)]
    pub(crate) max_per_day: Option<Amount>,
    /// Most dollars in any 30 days
    #[arg(long, value_name = "DOLLARS", allow_negative_numbers = true)]
    pub(crate) max_per_month: Option<Amount>,
}

/// The command and those below it.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    command.mut_args(without_empty_variable).mut_subcommands(without_empty_variables)
}

/// A variable that is there and empty is as good as none.
fn without_empty_variable(argument: Arg) -> Arg {
    let value = argument.get_env().and_then(std::env::var_os);
    if value.is_some_and(|value| value.is_empty()) { argument.env(None) } else { argument }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("must be a whole number of seconds, from 1 to 86400, which is a day".into()),
    }
}
