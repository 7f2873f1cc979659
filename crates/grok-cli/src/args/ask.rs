//! The arguments of the commands that buy.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use grok_mpp::Grok;
use mpp_core::Amount;

use super::{ConfigArgs, LedgerArgs, LimitArgs, ServiceArgs};

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) question: Question,
    /// File with a JSON array of tools to offer beside Python
    #[arg(long, value_name = "FILE")]
    pub(crate) tools: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) purchase: Purchase,
}

#[derive(Debug, Args)]
pub(crate) struct Quote {
    #[command(flatten)]
    pub(crate) question: Question,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Chat {
    #[command(flatten)]
    pub(crate) question: Question,
    /// Picture to show the model: a file, or an http(s) URL; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Vec<String>,
    /// File with a JSON array of functions that the answer may ask to be called
    #[arg(long, value_name = "FILE")]
    pub(crate) tools: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) purchase: Purchase,
}

#[derive(Debug, Args)]
pub(crate) struct Web {
    #[command(flatten)]
    pub(crate) question: Question,
    /// Search this domain, and those given likewise, alone; at most 5
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) allow_domain: Vec<String>,
    /// Do not search this domain; at most 5
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) exclude_domain: Vec<String>,
    #[command(flatten)]
    pub(crate) purchase: Purchase,
}

#[derive(Debug, Args)]
pub(crate) struct X {
    #[command(flatten)]
    pub(crate) question: Question,
    #[command(flatten)]
    pub(crate) purchase: Purchase,
}

#[derive(Debug, Args)]
pub(crate) struct Image {
    /// What to make a picture of; - reads it from standard input
    pub(crate) prompt: String,
    #[command(flatten)]
    pub(crate) pictures: Pictures,
    /// Proportions: 1:1, 16:9, 9:16, 4:3, 3:2 or auto
    #[arg(long, value_name = "RATIO")]
    pub(crate) aspect_ratio: Option<String>,
    #[command(flatten)]
    pub(crate) purchase: Purchase,
}

#[derive(Debug, Args)]
pub(crate) struct Edit {
    /// The picture: a PNG, JPEG, WebP or GIF file, or an http(s) URL
    pub(crate) picture: String,
    /// What to change; - reads it from standard input
    pub(crate) prompt: String,
    #[command(flatten)]
    pub(crate) pictures: Pictures,
    #[command(flatten)]
    pub(crate) purchase: Purchase,
}

/// What making and changing pictures have in common.
#[derive(Debug, Args)]
pub(crate) struct Pictures {
    /// How many pictures to make, 1 to 10, each of which is paid
    #[arg(short, value_name = "N")]
    pub(crate) n: Option<u32>,
    /// Which model makes them; the service's choice if not given
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Where to keep them: a file, or a folder; by default this folder, named after the prompt
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Speak {
    /// What to say, at most 15,000 characters; - reads it from standard input
    pub(crate) text: String,
    /// Who says it: eve, ara, rex, sal, leo, or another that the service has
    #[arg(long)]
    pub(crate) voice: Option<String>,
    /// The text's language, such as en or pt-BR; found by the text if not given
    #[arg(long, value_name = "TAG")]
    pub(crate) language: Option<String>,
    /// mp3, wav, pcm, mulaw or alaw; the service's choice if not given
    #[arg(long)]
    pub(crate) codec: Option<String>,
    /// Where to keep it: a file, or a folder; by default this folder, named after the text
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) purchase: Purchase,
}

#[derive(Debug, Args)]
pub(crate) struct Repl {
    /// What Grok may use for its answers: chat (nothing), run (Python), web, or x
    #[arg(long, value_name = "TOOL", value_enum, default_value_t, hide_possible_values = true)]
    pub(crate) with: Tool,
    /// Instructions that stand before the conversation
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// Which Grok answers
    #[arg(long, default_value = Grok::DEFAULT_MODEL)]
    pub(crate) model: String,
    /// Most tokens of an answer, hidden reasoning included; its price follows it
    #[arg(long, value_name = "N", default_value_t = Grok::DEFAULT_MAX_TOKENS)]
    pub(crate) max_tokens: u32,
    #[command(flatten)]
    pub(crate) purchase: Purchase,
}

/// What Grok may use for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tool {
    #[default]
    Chat,
    Run,
    Web,
    X,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Print one JSON object instead of text, the whole description in it
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Question {
    /// What to ask; - reads it from standard input
    #[arg(required_unless_present = "file")]
    pub(crate) prompt: Option<String>,
    /// Text file to put below the prompt, such as data.csv, or, without a prompt, in its place; may be given several times
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,
    /// Instructions that stand before the prompt
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// Which Grok answers; chat takes any that the service sells, the others those of the grok-4 family
    #[arg(long, default_value = Grok::DEFAULT_MODEL)]
    pub(crate) model: String,
    /// Most tokens of the answer, hidden reasoning included; the price follows it
    #[arg(long, value_name = "N", default_value_t = Grok::DEFAULT_MAX_TOKENS)]
    pub(crate) max_tokens: u32,
    /// Sampling temperature, 0 to 2; the service's choice if not given
    #[arg(long, value_name = "NUMBER")]
    pub(crate) temperature: Option<f64>,
    /// Print the answer as it comes, if the service streams it
    #[arg(long, conflicts_with = "json")]
    pub(crate) stream: bool,
}

/// What every command that buys is told beside what it buys.
#[derive(Debug, Args)]
pub(crate) struct Purchase {
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Ask for the price, and pay nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// On a terminal, show the price and ask before paying more than this
    #[arg(long, value_name = "DOLLARS", default_value = "0.10", allow_negative_numbers = true)]
    pub(crate) ask_above: Amount,
    /// Pay without asking whatever the limits allow
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}
