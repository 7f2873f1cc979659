//! The config file as serde reads it, with the defaults of what it leaves out. There is no secret in it, only files
//! that hold them; what it does not know, it refuses.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use grok_gateway::Prices;
use mpp_core::{printable, tempo};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::tariff;

/// All of it. Units are in the names, or are those of [`Prices`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) realm: Option<String>,
    #[serde(deserialize_with = "some_address")]
    pub(crate) recipient: Option<Address>,
    #[serde(deserialize_with = "an_address")]
    pub(crate) currency: Address,
    pub(crate) chain_id: Option<u64>,
    pub(crate) rpc: Option<String>,
    pub(crate) rpc_file: Option<PathBuf>,
    pub(crate) database: PathBuf,
    pub(crate) database_file: Option<PathBuf>,
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) previous_secret_file: Option<PathBuf>,
    pub(crate) finish_seconds: u64,
    pub(crate) payment: Payment,
    pub(crate) operator: Operator,
    pub(crate) sponsor: Option<Sponsor>,
    pub(crate) upstream: Upstream,
    #[serde(deserialize_with = "tariff::read")]
    pub(crate) prices: Prices,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Tls>,
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 8402)),
            realm: None,
            recipient: None,
            currency: tempo::PATH_USD,
            chain_id: None,
            rpc: None,
            rpc_file: None,
            database: "gateway.sqlite".into(),
            database_file: None,
            secret_file: None,
            previous_secret_file: None,
            finish_seconds: 300,
            payment: Payment::default(),
            operator: Operator::default(),
            sponsor: None,
            upstream: Upstream::default(),
            prices: Prices::default(),
            limits: Limits::default(),
            tls: None,
            log: Log::default(),
            metrics: Metrics::default(),
        }
    }
}

impl Settings {
    /// Reads a file; paths in it are relative to it.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let wrong = |why: &str| format!("{}: {why}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error.to_string()))?;
        let mut settings = Settings::parse(&text).map_err(|(line, why)| {
            format!("{}, line {line}: {why}; gateway.toml of the sources shows every setting", path.display())
        })?;
        if let Some(folder) = path.parent() {
            settings.paths().into_iter().for_each(|path| *path = folder.join(&*path));
        }
        Ok(settings)
    }

    /// What a text says, or in which of its lines what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, (usize, String)> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = text.bytes().take(error.span().unwrap_or_default().start);
            let line = before.filter(|byte| *byte == b'\n').count().saturating_add(1);
            (line, printable(error.message(), MAX_SHOWN))
        })
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let files = [
            &mut self.rpc_file,
            &mut self.database_file,
            &mut self.secret_file,
            &mut self.previous_secret_file,
            &mut self.operator.key_file,
            &mut self.upstream.key_file,
        ];
        let mut paths: Vec<_> = files.into_iter().flatten().collect();
        paths.push(&mut self.database);
        paths.extend(self.sponsor.iter_mut().filter_map(|sponsor| sponsor.key_file.as_mut()));
        paths.extend(self.tls.iter_mut().flat_map(|tls| [&mut tls.certificate_file, &mut tls.key_file]));
        paths
    }
}

/// What challenges offer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Payment {
    pub(crate) modes: Vec<Mode>,
    pub(crate) validity_seconds: NonZeroU32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Pull,
    Push,
}

impl Default for Payment {
    fn default() -> Self {
        Payment { modes: vec![Mode::Pull, Mode::Push], validity_seconds: some32(300) }
    }
}

/// Who refunds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Operator {
    pub(crate) key_file: Option<PathBuf>,
}

/// Who pays payers' fees, and how much of them at most.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sponsor {
    pub(crate) key_file: Option<PathBuf>,
    #[serde(deserialize_with = "an_address")]
    pub(crate) fee_token: Address,
    pub(crate) max_gas: NonZeroU64,
    pub(crate) max_fee_base_units: NonZeroU64,
    pub(crate) max_window_seconds: NonZeroU64,
    pub(crate) per_payer_per_hour: NonZeroU32,
    pub(crate) floor_base_units: u64,
}

impl Default for Sponsor {
    fn default() -> Self {
        Sponsor {
            key_file: None,
            fee_token: tempo::PATH_USD,
            max_gas: NonZeroU64::new(2_000_000).unwrap_or(NonZeroU64::MIN),
            max_fee_base_units: NonZeroU64::new(50_000).unwrap_or(NonZeroU64::MIN),
            max_window_seconds: NonZeroU64::new(30).unwrap_or(NonZeroU64::MIN),
            per_payer_per_hour: some32(60),
            floor_base_units: 1_000_000,
        }
    }
}

/// Who answers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Upstream {
    pub(crate) kind: Kind,
    pub(crate) base_url: Option<String>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) python: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    #[default]
    Xai,
    Compatible,
    Sandbox,
}

/// What one address, and all of them, may take of this machine.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    pub(crate) connections: NonZeroUsize,
    pub(crate) connections_per_ip: NonZeroUsize,
    pub(crate) requests: NonZeroUsize,
    pub(crate) requests_reserved_for_paid: usize,
    pub(crate) requests_per_second: NonZeroU32,
    pub(crate) burst: NonZeroU32,
    pub(crate) body_bytes: NonZeroUsize,
    pub(crate) header_bytes: NonZeroUsize,
    pub(crate) header_seconds: NonZeroU32,
    pub(crate) body_seconds: NonZeroU32,
    pub(crate) write_seconds: NonZeroU32,
    pub(crate) trusted_proxies: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: some(2048),
            connections_per_ip: some(128),
            requests: some(512),
            requests_reserved_for_paid: 128,
            requests_per_second: some32(20),
            burst: some32(40),
            body_bytes: some(16 << 20),
            header_bytes: some(32 << 10),
            header_seconds: some32(10),
            body_seconds: some32(30),
            write_seconds: some32(30),
            trusted_proxies: 0,
        }
    }
}

/// Files in PEM.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) certificate_file: PathBuf,
    pub(crate) key_file: PathBuf,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    pub(crate) format: Format,
    pub(crate) level: Level,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    pub(crate) enabled: bool,
    pub(crate) listen: SocketAddr,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics { enabled: true, listen: SocketAddr::from(([127, 0, 0, 1], 9402)) }
    }
}

fn an_address<'de, D: Deserializer<'de>>(value: D) -> Result<Address, D::Error> {
    address(&String::deserialize(value)?).map_err(D::Error::custom)
}

/// An address as people copy it: one with letters of both cases has to have them where EIP-55 says.
pub(crate) fn address(text: &str) -> Result<Address, &'static str> {
    let address: Address = text.parse().map_err(|_| ADDRESS)?;
    let digits = text.trim_start_matches("0x");
    let one_case = digits == digits.to_ascii_lowercase() || digits == digits.to_ascii_uppercase();
    let right = one_case || address.to_checksum(None).trim_start_matches("0x") == digits;
    right
        .then_some(address)
        .ok_or("the address has a letter in the wrong case, as mistyped ones have; copy it again")
}

fn some_address<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Address>, D::Error> {
    an_address(value).map(Some)
}

/// Nobody passes a zero.
fn some(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}

fn some32(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

const ADDRESS: &str = "an address is 0x and 40 hexadecimal digits";
/// Longest part of an error that is shown, in characters: it may quote the file.
const MAX_SHOWN: usize = 400;
