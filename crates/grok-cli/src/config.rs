//! The config file: TOML in, settings out. What it does not know or cannot read, it refuses by name, as a limit that is
//! misspelt limits nothing.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use etcetera::base_strategy::choose_native_strategy;
use mpp_core::printable;
use mpp_http::chain::Rpc;
use mpp_http::ledger::{Limit, Scope, Window};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::failure::{Failure, chain};
use crate::place::Place;

/// What the file says.
#[derive(Default)]
pub(crate) struct Config {
    /// Where payments are written down.
    pub(crate) ledger: Option<Place>,
    /// The node to ask what became of payments.
    pub(crate) rpc: Option<Rpc>,
    /// In no particular order.
    pub(crate) limits: Vec<Limit>,
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
                other => return Err(unknown(key, other, "ledger, rpc, budget")),
            }
        }
        Ok(config)
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
    let dollars = string(value, path, "dollars in quotes, such as \"0.50\"")?;
    let amount =
        dollars.parse().map_err(|error| Wrong { at: value.span(), why: format!("{path} {error}") })?;
    Ok(Limit { scope, window: *window, amount })
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
pub(crate) fn default_path() -> Option<PathBuf> {
    let folders = choose_native_strategy().ok()?;
    // Apple keeps the folder for preferences to itself.
    let folder = if cfg!(target_os = "macos") { folders.data_dir() } else { folders.config_dir() };
    Some(folder.join("grok-mpp").join("config.toml"))
}

/// `grok-mpp/ledger.sqlite` where the platform keeps data; nowhere without a home.
pub(crate) fn default_ledger() -> Option<PathBuf> {
    Some(choose_native_strategy().ok()?.data_dir().join("grok-mpp").join("ledger.sqlite"))
}

/// Longest part of the file that is shown, in characters.
const MAX_SHOWN: usize = 200;
