//! What the command line says of the wallet: where it is, and the commands that make it and look at it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mpp_core::tempo::Address;

use super::ConfigArgs;

/// Where what signs payments is.
#[derive(Debug, Default, Args)]
pub(crate) struct WalletArgs {
    /// File with the wallet: a keystore, or a private key in hexadecimal, which must be readable by you alone. Without it
    /// and --signer-command it is the key in the environment variable GROK_MPP_PRIVATE_KEY, what the config file says,
    /// or grok-mpp/wallet.json in your data folder
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Program that signs payments in place of a key, with its arguments; grok-mpp wallet --help says how it is asked
    #[arg(long, value_name = "COMMAND", conflicts_with = "key_file")]
    pub(crate) signer_command: Option<String>,
    /// File whose first line is the keystore's passphrase. Without it the passphrase is taken from the environment
    /// variable GROK_MPP_PASSPHRASE, or asked for on the terminal
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// The account that pays, where the wallet holds not its key but an access key, which the account authorised on chain.
    /// What it may spend is looked up with --rpc, or a node in the config file, before anything is signed
    #[arg(long, value_name = "ADDRESS", env = "GROK_MPP_ROOT_ACCOUNT")]
    pub(crate) root_account: Option<Address>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    /// Make a new wallet under a passphrase, and print its address
    New(MakeArgs),
    /// Put a private key, from the terminal or standard input, under a passphrase, and print its address
    Import(MakeArgs),
    /// Print the wallet's address
    Address(ShowArgs),
    /// Ask the chain how many dollars the wallet holds
    Balance(BalanceArgs),
    /// Show how to get dollars into the wallet
    Fund(FundArgs),
}

/// A keystore file to be made.
#[derive(Debug, Args)]
pub(crate) struct MakeArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where a keystore file will be, and its passphrase.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// Where to write the wallet; by default where the config file says, or grok-mpp/wallet.json in your data folder
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// File whose first line is the passphrase. Without it the passphrase is taken from the environment variable
    /// GROK_MPP_PASSPHRASE, or asked for on the terminal
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) wallet: WalletArgs,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BalanceArgs {
    #[command(flatten)]
    pub(crate) show: ShowArgs,
    /// Chain to look at: 4217 is Tempo mainnet, 42431 its testnet
    #[arg(long, value_name = "ID", env = "GROK_MPP_CHAIN_ID")]
    pub(crate) chain_id: Option<u64>,
    /// Tempo node to ask; by default a public one of Tempo's
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct FundArgs {
    #[command(flatten)]
    pub(crate) show: ShowArgs,
    /// Chain to pay on: 4217 is Tempo mainnet, 42431 its testnet
    #[arg(long, value_name = "ID", env = "GROK_MPP_CHAIN_ID")]
    pub(crate) chain_id: Option<u64>,
}

impl WalletCommand {
    pub(crate) fn json(&self) -> bool {
        match self {
            WalletCommand::New(args) | WalletCommand::Import(args) => args.json,
            WalletCommand::Address(args) => args.json,
            WalletCommand::Balance(args) => args.show.json,
            WalletCommand::Fund(args) => args.show.json,
        }
    }
}

/// How a signer command is asked; the end of `wallet --help`.
pub(crate) const SIGNER_COMMAND: &str = "\
Signer commands:
  --signer-command COMMAND, or signer_command in the config file, is started
  for every question, without a shell. It reads one JSON object from standard
  input and prints one line of JSON. The questions are
    {\"version\":1,\"request\":\"address\"}
    {\"version\":1,\"request\":\"sign\",\"address\":…,\"hash\":…,\"terms\":…,\"transaction\":…}
  and the answers
    {\"address\":\"0x…\"}
    {\"signature\":\"0x…\"}  of the hash: r, s and v, 65 bytes, with a low s
    {\"error\":\"…\"}        will not sign
  terms are for who decides: dollars; amount and fee_ceiling in base units, a
  millionth of a dollar each; token, chain_id, realm, and recipients, each with
  address, amount and memo. transaction is for who makes the hash himself: all
  that is in it; null where the key is to be proved and nothing is paid. There
  are 20 seconds to answer. Of a command that ends with another code than 0,
  the last line on standard error is shown.";
