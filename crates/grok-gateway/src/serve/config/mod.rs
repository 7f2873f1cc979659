//! What is served and how: the settings with the environment over them, checked as far as that goes without asking
//! anybody.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use grok_gateway::ApiKey;
use mpp_core::tempo::LocalSigner;
use mpp_gate::{Payee, Secret};
use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as ValueError, StrDeserializer};
use zeroize::Zeroizing;

use super::secrets::{self, Environment};
use super::settings::{self, Kind, Settings, Sponsor};

/// Everything that is settled before anything is started.
pub(crate) struct Config {
    /// What the environment has a say in is not to be read here, but in the other fields.
    pub(crate) settings: Settings,
    /// Where they are from.
    pub(crate) origin: String,
    pub(crate) payee: Payee,
    pub(crate) chain_id: u64,
    /// Holds a key, more often than not.
    pub(crate) rpc: Zeroizing<String>,
    pub(crate) database: Database,
    /// `None` where it is kept beside the database.
    pub(crate) secret: Option<Secret>,
    pub(crate) previous_secret: Option<Secret>,
    pub(crate) operator: Option<LocalSigner>,
    pub(crate) sponsor: Option<(LocalSigner, Sponsor)>,
    pub(crate) upstream_key: Option<ApiKey>,
    /// What is not wrong, but unwise.
    pub(crate) warnings: Vec<String>,
}

/// Where sales are kept.
pub(crate) enum Database {
    Sqlite(PathBuf),
    /// Its URL, which holds a password.
    Postgres(Zeroizing<String>),
}

impl Config {
    /// Reads the file, if one was named, and the environment.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, String> {
        let settings = file.map(Settings::read).transpose()?.unwrap_or_default();
        let origin = file.map_or("the environment".to_owned(), |path| path.display().to_string());
        Config::of(settings, origin, &Environment::of_process())
    }

    fn of(mut settings: Settings, origin: String, environment: &Environment) -> Result<Self, String> {
        overrule(&mut settings, environment)?;
        let mut warnings = Vec::new();
        let payee = payee(&settings)?;
        let chain_id = settings.chain_id.ok_or_else(|| missing("chain_id", "4217 for Tempo's mainnet"))?;
        if settings.payment.modes.is_empty() {
            return Err("payment.modes is empty; set it to [\"pull\"], [\"push\"] or both".into());
        }
        let mut secret = |name: &str, file: Option<&PathBuf>| {
            environment.secret(name, file.map(PathBuf::as_path), &mut warnings)
        };

        let rpc = secret("GROK_GATEWAY_RPC", settings.rpc_file.as_ref())?;
        let rpc = rpc.or_else(|| settings.rpc.clone().map(Zeroizing::new));
        let rpc = rpc.ok_or_else(|| missing("rpc", "the URL of a node, such as https://rpc.tempo.xyz"))?;
        let database = secret("GROK_GATEWAY_DATABASE", settings.database_file.as_ref())?;
        let gate_secret = secret("GROK_GATEWAY_SECRET", settings.secret_file.as_ref())?;
        let previous = secret("GROK_GATEWAY_PREVIOUS_SECRET", settings.previous_secret_file.as_ref())?;
        let operator = secret("GROK_GATEWAY_OPERATOR_KEY", settings.operator.key_file.as_ref())?;
        let sponsor_file = settings.sponsor.as_ref().and_then(|sponsor| sponsor.key_file.as_ref());
        let sponsor = secret("GROK_GATEWAY_SPONSOR_KEY", sponsor_file)?;
        let key_name = if settings.upstream.kind == Kind::Xai { XAI_KEY } else { UPSTREAM_KEY };
        let upstream_key = secret(key_name, settings.upstream.key_file.as_ref())?;

        let database = database_of(database, &settings.database)?;
        if gate_secret.is_none() && matches!(database, Database::Postgres(_)) {
            let why = "all who share a database need one secret: set GROK_GATEWAY_SECRET or secret_file";
            return Err(why.into());
        }
        let sponsor = match (key("the sponsor's", sponsor)?, &settings.sponsor) {
            (Some(key), policy) => Some((key, policy.clone().unwrap_or_default())),
            (None, None) => None,
            (None, Some(_)) => {
                return Err("[sponsor] has no key: set GROK_GATEWAY_SPONSOR_KEY or sponsor.key_file".into());
            }
        };
        Ok(Config {
            payee,
            chain_id,
            rpc,
            database,
            secret: parsed("the secret", gate_secret)?,
            previous_secret: parsed("the previous secret", previous)?,
            operator: key("the operator's", operator)?,
            sponsor,
            upstream_key: api_key(settings.upstream.kind, upstream_key, &mut warnings)?,
            settings,
            origin,
            warnings,
        })
    }
}

/// Who is paid.
fn payee(settings: &Settings) -> Result<Payee, String> {
    let realm = settings.realm.clone().filter(|realm| !realm.is_empty());
    let realm = realm.ok_or_else(|| missing("realm", "the host name that clients ask"))?;
    let recipient = settings.recipient.ok_or_else(|| missing("recipient", "the address that is paid"))?;
    if recipient.is_zero() {
        return Err("recipient is the zero address, whose money is lost; set it to one of yours".into());
    }
    if recipient.starts_with(&TOKENS) {
        return Err("recipient is a token, which takes no money; set it to an address of yours".into());
    }
    Ok(Payee { realm, currency: settings.currency, recipient })
}

fn missing(key: &str, what: &str) -> String {
    format!("{key} is missing: set it in the config file, or GROK_GATEWAY_{}, to {what}", key.to_uppercase())
}

/// The environment's word on what is no secret.
fn overrule(settings: &mut Settings, environment: &Environment) -> Result<(), String> {
    let of = |name: &str| environment.text(&format!("GROK_GATEWAY_{name}"));
    let wrong = |name: &str, why: &str| format!("GROK_GATEWAY_{name}: {why}");
    fn number<T: FromStr>(text: &str) -> Result<T, &'static str> {
        text.parse().map_err(|_| "must be a whole number")
    }
    fn named<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, String> {
        let text: StrDeserializer<'de, ValueError> = text.into_deserializer();
        T::deserialize(text).map_err(|error| error.to_string())
    }
    macro_rules! overrule {
        ($($name:literal => $field:expr, $read:expr;)*) => {
            $(if let Some(text) = of($name) {
                $field = $read(&text).map_err(|why| wrong($name, why.as_ref()))?;
            })*
        };
    }
    let text = |text: &str| Ok::<_, &str>(Some(text.to_owned()));
    let address = settings::address;
    overrule! {
        "LISTEN" => settings.listen, named;
        "REALM" => settings.realm, text;
        "RECIPIENT" => settings.recipient, |text| address(text).map(Some);
        "CURRENCY" => settings.currency, address;
        "CHAIN_ID" => settings.chain_id, |text| number(text).map(Some);
        "UPSTREAM" => settings.upstream.kind, named;
        "UPSTREAM_URL" => settings.upstream.base_url, text;
        "TRUSTED_PROXIES" => settings.limits.trusted_proxies, number;
        "METRICS_LISTEN" => settings.metrics.listen, named;
        "LOG_FORMAT" => settings.log.format, named;
        "LOG_LEVEL" => settings.log.level, named;
    }
    Ok(())
}

fn database_of(named: Option<Zeroizing<String>>, set: &Path) -> Result<Database, String> {
    match named {
        Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            Ok(Database::Postgres(url))
        }
        Some(path) if !path.contains("://") => Ok(Database::Sqlite(path.as_str().into())),
        None if !set.to_string_lossy().contains("://") => Ok(Database::Sqlite(set.to_owned())),
        Some(_) => Err("the database is neither a file nor a postgres:// URL".into()),
        None => Err("database is a file here; put a URL, which holds a password, into the environment as \
                     GROK_GATEWAY_DATABASE, or into a file of its own as database_file"
            .into()),
    }
}

fn parsed(name: &str, text: Option<Zeroizing<String>>) -> Result<Option<Secret>, String> {
    let secret = text.map(|text| secrets::parse(&text)).transpose();
    secret.map_err(|why| format!("{name} is none: {why}"))
}

fn key(whose: &str, text: Option<Zeroizing<String>>) -> Result<Option<LocalSigner>, String> {
    let key = text.map(|text| LocalSigner::from_hex(&text)).transpose();
    key.map_err(|error| format!("{whose} key cannot be used: {error}"))
}

fn api_key(
    kind: Kind,
    text: Option<Zeroizing<String>>,
    warnings: &mut Vec<String>,
) -> Result<Option<ApiKey>, String> {
    let Some(text) = text else {
        return match kind {
            Kind::Xai => {
                Err(format!("{XAI_KEY} is missing: set it, or upstream.key_file, to a key of console.x.ai"))
            }
            Kind::Compatible | Kind::Sandbox => Ok(None),
        };
    };
    if kind == Kind::Xai && !text.starts_with("xai-") {
        warnings.push(format!("{XAI_KEY} does not begin with xai-, as the keys of console.x.ai do"));
    }
    let key = ApiKey::new(text.to_string());
    key.map(Some)
        .ok_or_else(|| "the upstream's key holds what no key does; look for spaces and line ends".into())
}

/// How the address of every TIP-20 token begins.
const TOKENS: [u8; 12] = [0x20, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const XAI_KEY: &str = "XAI_API_KEY";
const UPSTREAM_KEY: &str = "GROK_GATEWAY_UPSTREAM_KEY";

#[cfg(test)]
mod tests;
