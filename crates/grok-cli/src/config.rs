//! The config file: TOML in, settings out. What it does not know or cannot read, it refuses by name, as a limit that is
//! misspelt limits nothing.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use etcetera::base_strategy::choose_native_strategy;
use grok_mpp::Grok;
use mpp_core::tempo::{Address, MAINNET};
use mpp_core::{Amount, printable};
use mpp_http::chain::Rpc;
use mpp_http::ledger::{Limit, Scope, Window};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::args::ConfigArgs;
use crate::failure::{Failure, chain};
use crate::place::{NO_TILDE, Place};
use crate::wallet::SignerCommand;

/// What the file says.
#[derive(Default)]
pub(crate) struct Config {
    /// Where payments are written down.
    pub(crate) ledger: Option<Place>,
    /// The node to ask what became of payments.
    pub(crate) rpc: Option<Rpc>,
    /// In no particular order.
    pub(crate) limits: Vec<Limit>,
    /// Where the service is.
    pub(crate) base_url: Option<String>,
    /// The chain to pay on.
    pub(crate) chain_id: Option<u64>,
    /// The most that an answer may cost.
    pub(crate) max_cost: Option<Amount>,
    /// What signs.
    pub(crate) wallet: Option<Wallet>,
    /// For which account, if the key is not its own.
    pub(crate) root_account: Option<Address>,
}

/// What signs, as the file says it.
pub(crate) enum Wallet {
    File(PathBuf),
    Command(SignerCommand),
}

/// The windows of a limit, as they are called in the file and in JSON.
pub(crate) const WINDOWS: [(&str, Window); 5] = [
    ("call", Window::Call),
    ("process", Window::Process),
    ("hour", Window::Hour),
    ("day", Window::Day),
    ("month", Window::Month),
];

impl Config {
    /// Reads the file that was named, or the default one, which need not be there.
    pub(crate) fn read(named: Option<&Path>) -> Result<Self, Failure> {
        let default = default_path();
        let Some(path) = named.or(default.as_deref()) else { return Ok(Config::default()) };
        match std::fs::read(path) {
            Ok(text) => Config::parse(&text, path).map_err(|Wrong { at, why }| {
                let before = text.iter().take(at.start);
                let line = before.filter(|byte| **byte == b'\n').count().saturating_add(1);
                Failure::usage(format!("config file {}, line {line}: {why}", path.display()))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => Ok(Config::default()),
            Err(error) => Err(Failure::usage(format!("config file {}: {error}", path.display()))),
        }
    }

    fn parse(text: &[u8], path: &Path) -> Result<Self, Wrong> {
        let text = std::str::from_utf8(text).map_err(|error| Wrong {
            at: error.valid_up_to()..text.len(),
            why: "not UTF-8, as TOML must be".to_owned(),
        })?;
        let table = DeTable::parse(text).map_err(|error| Wrong {
            at: error.span().unwrap_or_default(),
            why: format!("not TOML: {}", printable(error.message(), MAX_SHOWN)),
        })?;
        let mut config = Config::default();
        for (key, value) in table.get_ref() {
            match &**key.get_ref() {
                "ledger" => config.ledger = Some(ledger(value, path)?),
                "rpc" => {
                    let rpc = Rpc::new(string(value, "rpc", "a URL")?);
                    config.rpc = Some(rpc.map_err(|error| Wrong {
                        at: value.span(),
                        why: format!("rpc: {}", chain(&error)),
                    })?);
                }
                "budget" => config.limits = budget(value)?,
                "base_url" => config.base_url = Some(string(value, "base_url", "a URL")?.to_owned()),
                "chain_id" => config.chain_id = Some(chain_id(value)?),
                "max_cost" => config.max_cost = Some(dollars(value, "max_cost")?),
                name @ ("key_file" | "signer_command") if config.wallet.is_some() => {
                    let why = format!(
                        "{name} beside the other of key_file and signer_command; there is one wallet"
                    );
                    return Err(Wrong { at: key.span(), why });
                }
                "root_account" => {
                    let address = string(value, "root_account", "an address")?.parse();
                    config.root_account = Some(address.map_err(|_| Wrong {
                        at: value.span(),
                        why: "root_account must be an address: 0x and 40 hexadecimal digits".to_owned(),
                    })?);
                }
                "key_file" => config.wallet = Some(Wallet::File(key_file(value, path)?)),
                "signer_command" => config.wallet = Some(Wallet::Command(signer_command(value)?)),
                other => return Err(unknown(key, other, KNOWN)),
            }
        }
        Ok(config)
    }

    /// Where the service is, if the command line does not say.
    pub(crate) fn base_url<'a>(&'a self, given: Option<&'a str>) -> &'a str {
        given.or(self.base_url.as_deref()).unwrap_or(Grok::BASE_URL)
    }

    /// The chain to pay on, if the command line does not say.
    pub(crate) fn chain_id(&self, given: Option<u64>) -> u64 {
        given.or(self.chain_id).unwrap_or(MAINNET)
    }

    /// The most that an answer may cost, if the command line does not say.
    pub(crate) fn max_cost(&self, given: Option<Amount>) -> Amount {
        given.or(self.max_cost).unwrap_or(MAX_COST)
    }
}

impl ConfigArgs {
    /// Where the file is, or would be; nowhere without a home.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.file.clone().or_else(default_path)
    }

    /// Reads the file.
    pub(crate) fn read(&self) -> Result<Config, Failure> {
        Config::read(self.file.as_deref())
    }
}

/// The ledger's place. A path is relative to the file: if it depended on where one happens to be, there would be a new
/// budget in every folder.
fn ledger(value: &Spanned<DeValue<'_>>, file: &Path) -> Result<Place, Wrong> {
    let place = Place::parse(string(value, "ledger", "a path")?);
    let place = place.map_err(|why| Wrong { at: value.span(), why: format!("ledger {why}") })?;
    Ok(match (place, file.parent()) {
        (Place::File(path), Some(folder)) => Place::File(folder.join(path).display().to_string()),
        (place, _) => place,
    })
}

/// The wallet's file, relative to this one.
fn key_file(value: &Spanned<DeValue<'_>>, file: &Path) -> Result<PathBuf, Wrong> {
    let path = string(value, "key_file", "a path")?;
    let wrong = |why: &str| Wrong { at: value.span(), why: format!("key_file {why}") };
    match path {
        "" => Err(wrong("must not be empty")),
        path if path.starts_with('~') => Err(wrong(NO_TILDE)),
        path => Ok(file.parent().map_or_else(|| path.into(), |folder| folder.join(path))),
    }
}

fn signer_command(value: &Spanned<DeValue<'_>>) -> Result<SignerCommand, Wrong> {
    let command = SignerCommand::parse(string(value, "signer_command", "a command")?);
    command.map_err(|why| Wrong { at: value.span(), why: format!("signer_command {why}") })
}

fn chain_id(value: &Spanned<DeValue<'_>>) -> Result<u64, Wrong> {
    let number = match value.get_ref() {
        DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    };
    number.ok_or_else(|| Wrong { at: value.span(), why: "chain_id must be a whole number".to_owned() })
}

fn dollars(value: &Spanned<DeValue<'_>>, path: &str) -> Result<Amount, Wrong> {
    let dollars = string(value, path, "dollars in quotes, such as \"0.50\"")?;
    dollars.parse().map_err(|error| Wrong { at: value.span(), why: format!("{path} {error}") })
}

/// The budget: limits on all payments, and tables of those on some.
fn budget(value: &Spanned<DeValue<'_>>) -> Result<Vec<Limit>, Wrong> {
    let mut limits = Vec::new();
    for (key, value) in table(value, "budget")? {
        let name = &**key.get_ref();
        let path = format!("budget.{name}");
        match name {
            "realms" | "recipients" => {
                for (whose, value) in table(value, &path)? {
                    let text = &**whose.get_ref();
                    let path = format!("{path}.\"{}\"", printable(text, MAX_SHOWN));
                    let scope = match name {
                        "realms" => Scope::Realm(text.to_owned()),
                        _ => Scope::Recipient(text.parse().map_err(|_| Wrong {
                            at: whose.span(),
                            why: format!("{path} must be an address: 0x and 40 hexadecimal digits"),
                        })?),
                    };
                    for (window, value) in table(value, &path)? {
                        let path = format!("{path}.{}", window.get_ref());
                        limits.push(limit(
                            scope.clone(),
                            window,
                            value,
                            &path,
                            "call, process, hour, day, month",
                        )?);
                    }
                }
            }
            _ => {
                let known = "call, process, hour, day, month, realms, recipients";
                limits.push(limit(Scope::All, key, value, &path, known)?);
            }
        }
    }
    Ok(limits)
}

fn limit(
    scope: Scope,
    key: &Spanned<impl AsRef<str>>,
    value: &Spanned<DeValue<'_>>,
    path: &str,
    known: &str,
) -> Result<Limit, Wrong> {
    let window = WINDOWS.iter().find(|(name, _)| *name == key.get_ref().as_ref());
    let (_, window) = window.ok_or_else(|| unknown(key, path, known))?;
    Ok(Limit { scope, window: *window, amount: dollars(value, path)? })
}

fn table<'a, 'i>(value: &'a Spanned<DeValue<'i>>, path: &str) -> Result<&'a DeTable<'i>, Wrong> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table),
        _ => Err(Wrong { at: value.span(), why: format!("{path} must be a table") }),
    }
}

fn string<'a>(value: &'a Spanned<DeValue<'_>>, path: &str, wanted: &str) -> Result<&'a str, Wrong> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        _ => Err(Wrong { at: value.span(), why: format!("{} must be {wanted}", printable(path, MAX_SHOWN)) }),
    }
}

fn unknown<T>(key: &Spanned<T>, path: &str, known: &str) -> Wrong {
    Wrong { at: key.span(), why: format!("unknown key {}; there are {known}", printable(path, MAX_SHOWN)) }
}

/// What is wrong with the file, and where in it.
struct Wrong {
    at: Range<usize>,
    why: String,
}

/// `grok-mpp/config.toml` where the platform keeps settings; nowhere without a home.
fn default_path() -> Option<PathBuf> {
    let folders = choose_native_strategy().ok()?;
    // Apple keeps the folder for preferences to itself.
    let folder = if cfg!(target_os = "macos") { folders.data_dir() } else { folders.config_dir() };
    Some(folder.join("grok-mpp").join("config.toml"))
}

/// `grok-mpp/ledger.sqlite` where the platform keeps data; nowhere without a home.
pub(crate) fn default_ledger() -> Option<PathBuf> {
    Some(choose_native_strategy().ok()?.data_dir().join("grok-mpp").join("ledger.sqlite"))
}

/// `grok-mpp/wallet.json` where the platform keeps data; nowhere without a home.
pub(crate) fn default_wallet() -> Option<PathBuf> {
    Some(choose_native_strategy().ok()?.data_dir().join("grok-mpp").join("wallet.json"))
}

/// What the file can hold.
const KNOWN: &str =
    "ledger, rpc, budget, base_url, chain_id, max_cost, key_file, signer_command, root_account";
/// The most that an answer may cost unless somebody says otherwise: half a dollar.
const MAX_COST: Amount = Amount::from_base_units(500_000);
/// Longest part of the file that is shown, in characters.
const MAX_SHOWN: usize = 200;
