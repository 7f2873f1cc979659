//! `config`: what holds when the command line says nothing more, and where each setting comes from. It shows no secrets, and
//! no URL of a node or a database, which may hold one.

use std::env;
use std::path::{Path, PathBuf};

use mpp_core::printable;
use serde_json::{Map, json};

use crate::args::{ConfigArgs, ConfigCommand, WalletArgs};
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::output;
use crate::place::Place;
use crate::wallet::{self, Source};

/// One line: what is set, to what, and by whom.
struct Setting {
    name: &'static str,
    value: String,
    source: &'static str,
}

/// Does what one of its commands says.
pub(crate) fn config(command: &ConfigCommand) -> Result<(), Failure> {
    let printed = match command {
        ConfigCommand::Path { config } => output::print_text(&path(config)?.display().to_string()),
        ConfigCommand::Show { config, json } => show(&path(config)?, &list(&config.read()?)?, *json),
    };
    output::printed(printed, None)
}

fn path(config: &ConfigArgs) -> Result<PathBuf, Failure> {
    config
        .path()
        .ok_or_else(|| Failure::unpaid("no home folder to keep settings in; say where with --config FILE"))
}

fn show(path: &Path, settings: &[Setting], as_json: bool) -> std::io::Result<()> {
    if as_json {
        let settings = settings.iter().map(|Setting { name, value, source }| {
            ((*name).to_owned(), json!({ "value": value, "source": source }))
        });
        return output::print_json(&json!({
            "file": path.display().to_string(),
            "exists": path.exists(),
            "settings": settings.collect::<Map<_, _>>(),
        }));
    }
    let missing = if path.exists() { "" } else { ", which is not there" };
    let file = format!("config file  {}{missing}", path.display());
    let lines = settings.iter().map(|Setting { name, value, source }| {
        format!("{name:<12} {} ({source})", printable(value, MAX_SHOWN))
    });
    output::print_text(&[file].into_iter().chain(lines).collect::<Vec<_>>().join("\n"))
}

fn list(config: &Config) -> Result<Vec<Setting>, Failure> {
    let setting = |name, variable: Option<&'static str>, value: String, is_in_file| {
        let set = variable.and_then(|name| env::var(name).ok().filter(|value| !value.is_empty()));
        match (variable, set) {
            (Some(variable), Some(value)) => Setting { name, value, source: variable },
            _ => Setting { name, value, source: file_or_default(is_in_file) },
        }
    };
    let ledger = match (&config.ledger, config::default_ledger()) {
        (Some(place), _) => name(place),
        (None, Some(path)) => path.display().to_string(),
        (None, None) => "nowhere".to_owned(),
    };
    let mut ledger = setting("ledger", Some("GROK_MPP_LEDGER"), ledger, config.ledger.is_some());
    if ledger.value.contains("://") {
        ledger.value =
            Place::parse(&ledger.value).map_or_else(|why| format!("wrong: {why}"), |place| name(&place));
    }
    let rpc = if config.rpc.is_some() { "a node of its own" } else { "Tempo's public nodes" };
    let budget = if config.limits.is_empty() { "no limits" } else { "limits, which grok-mpp budget shows" };
    let account = config.root_account.map_or("the wallet's own".to_owned(), |account| account.to_string());
    let (base_url, chain_id, max_cost) =
        (config.base_url(None), config.chain_id(None).to_string(), config.max_cost(None).to_string());
    Ok(vec![
        setting("base_url", Some("GROK_MPP_BASE_URL"), base_url.to_owned(), config.base_url.is_some()),
        setting("chain_id", Some("GROK_MPP_CHAIN_ID"), chain_id, config.chain_id.is_some()),
        setting("max_cost", Some("GROK_MPP_MAX_COST"), max_cost, config.max_cost.is_some()),
        signer(config)?,
        setting("root_account", Some("GROK_MPP_ROOT_ACCOUNT"), account, config.root_account.is_some()),
        ledger,
        setting("rpc", None, rpc.to_owned(), config.rpc.is_some()),
        setting("budget", None, budget.to_owned(), !config.limits.is_empty()),
    ])
}

fn signer(config: &Config) -> Result<Setting, Failure> {
    let source = file_or_default(config.wallet.is_some());
    let (value, source) = match Source::find(&WalletArgs::default(), config)? {
        Some(Source::Variable(_)) => ("a private key".to_owned(), wallet::VARIABLE),
        Some(Source::File(path)) => (path.display().to_string(), source),
        // Its arguments may hold a secret.
        Some(Source::Command(command)) => (format!("the signer command {}", command.program), source),
        None => ("none; grok-mpp wallet new makes one".to_owned(), source),
    };
    Ok(Setting { name: "wallet", value, source })
}

fn name(place: &Place) -> String {
    match place {
        Place::File(path) => path.clone(),
        Place::Postgres(_) => "in PostgreSQL".to_owned(),
    }
}

fn file_or_default(is_in_file: bool) -> &'static str {
    if is_in_file { "config file" } else { "default" }
}

/// Longest value shown, in characters.
const MAX_SHOWN: usize = 300;
