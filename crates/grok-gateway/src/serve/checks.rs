//! What has to be right before anything is sold: each thing is looked at, whatever became of those before it, and told in
//! one line that says what to do.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Error;
use std::path::Path;

use alloy_primitives::Address;
use grok_gateway::Xai;
use mpp_core::{Amount, tempo};
use mpp_gate::Node;
use mpp_gate::chain::Chain as _;
use reqwest::StatusCode;

use super::Failure;
use super::config::{Config, Database};
use super::settings::Kind;
use super::{files, reach, secrets, start, tls};

/// All that was found, in the order in which it was looked for.
#[derive(Default)]
pub(crate) struct Findings(Vec<Finding>);

pub(crate) struct Finding {
    grade: Grade,
    about: &'static str,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grade {
    Fine,
    Unwise,
    Wrong,
}

/// Looks at everything.
pub(crate) async fn run(config: &Config) -> Findings {
    let mut findings = Findings::default();
    findings.add("settings", Ok(format!("from {}", config.origin)));
    for warning in &config.warnings {
        findings.warn("settings", warning.clone());
    }
    findings.local(config);
    findings.chain(config).await;
    findings.upstream(config).await;
    findings
}

impl Findings {
    pub(crate) fn list(&self) -> &[Finding] {
        &self.0
    }

    pub(crate) fn log(&self) {
        for Finding { grade, about, text } in &self.0 {
            match grade {
                Grade::Fine => tracing::info!("{about}: {text}"),
                Grade::Unwise => tracing::warn!("{about}: {text}"),
                Grade::Wrong => tracing::error!("{about}: {text}"),
            }
        }
    }

    /// # Errors
    /// When something is wrong.
    pub(crate) fn judge(&self) -> Result<(), Failure> {
        match self.0.iter().filter(|finding| finding.grade == Grade::Wrong).count() {
            0 => Ok(()),
            1 => Err(Failure::Check("a check failed, so nothing is served".into())),
            wrong => Err(Failure::Check(format!("{wrong} checks failed, so nothing is served"))),
        }
    }

    fn add(&mut self, about: &'static str, found: Result<String, String>) {
        let (grade, text) = match found {
            Ok(text) => (Grade::Fine, text),
            Err(text) => (Grade::Wrong, text),
        };
        self.0.push(Finding { grade, about, text });
    }

    fn warn(&mut self, about: &'static str, text: String) {
        self.0.push(Finding { grade: Grade::Unwise, about, text });
    }

    /// What is on this machine.
    fn local(&mut self, config: &Config) {
        let listen = config.settings.listen;
        if let Some(tls) = &config.settings.tls {
            self.add("tls", tls::acceptor(tls).map(|_| "certificate and key fit".into()));
        } else if !listen.ip().is_loopback() && config.settings.limits.trusted_proxies == 0 {
            let why =
                "payments go in the clear: set [tls], or listen on 127.0.0.1 behind a proxy that has TLS";
            self.warn("tls", why.into());
        }
        if let Some(most) = files::too_few(&config.settings.limits) {
            let advice = "lower limits.connections, or raise the limit (ulimit -n, LimitNOFILE)";
            self.warn(
                "files",
                format!("only {most} may be open, fewer than the settings can need: {advice}"),
            );
        }
        match &config.database {
            Database::Sqlite(path) => {
                let found = writable(path);
                // Made when serving starts, as who checks may be another user.
                if config.secret.is_none() && found.is_ok() {
                    let place = secrets::place(path);
                    let found = if place.exists() { secrets::kept(&place).map(drop) } else { Ok(()) };
                    self.add("secret", found.map(|()| format!("kept in {}", place.display())));
                }
                let advice = "set database to a file in a folder that this user may write to";
                let wrong = |error: Error| format!("{}: {}; {advice}", path.display(), error.kind());
                self.add("database", found.map(|()| path.display().to_string()).map_err(wrong));
            }
            Database::Postgres(_) => self.add("database", Ok("PostgreSQL".into())),
        }
    }

    /// What only the node knows.
    async fn chain(&mut self, config: &Config) {
        let node = match start::node(config).await {
            Ok(node) => node,
            Err(why) => return self.add("node", Err(why)),
        };
        let chain_id = config.chain_id;
        self.add("node", Ok(format!("answers for chain {chain_id}")));
        let (token, recipient) = (config.payee.currency, config.payee.recipient);
        self.add(
            "currency",
            match node.decimals(token).await {
                Ok(DECIMALS) => Ok(format!("{token}, paid to {recipient}")),
                Ok(other) => {
                    Err(format!("{token} has {other} decimals, not 6; set currency to a TIP-20 dollar"))
                }
                Err(why) => {
                    let why = start::chain(&why);
                    Err(format!("{token} is no token of chain {chain_id}: {why}; set currency to one"))
                }
            },
        );
        match &config.operator {
            None => self.warn(
                "operator",
                "no key to refund from: set GROK_GATEWAY_OPERATOR_KEY, or who pays for an answer that fails has \
                 paid for nothing"
                    .into(),
            ),
            Some(key) => {
                // With the first sale, the recipient has money.
                let least = if key.address() == recipient { Amount::ZERO } else { Amount::from_base_units(1) };
                self.balance("operator", &node, (token, key.address()), least).await;
            }
        }
        if let Some((key, policy)) = &config.sponsor {
            let least = Amount::from_base_units(policy.floor_base_units.into());
            self.balance("sponsor", &node, (policy.fee_token, key.address()), least).await;
        }
    }

    async fn balance(
        &mut self,
        whose: &'static str,
        node: &Node,
        (token, owner): (Address, Address),
        least: Amount,
    ) {
        let found = match node.balance(token, owner).await {
            Ok(held) if held >= least => Ok(format!("{owner} has {held} dollars")),
            Ok(held) => {
                Err(format!("{owner} has {held} dollars of {token} and needs {least}: send some there"))
            }
            Err(why) => Err(format!("the balance of {owner} is not to be had: {}", start::chain(&why))),
        };
        self.add(whose, found);
    }

    /// Who answers.
    async fn upstream(&mut self, config: &Config) {
        let upstream = &config.settings.upstream;
        let url = match upstream.kind {
            Kind::Xai => upstream.base_url.as_deref().unwrap_or(Xai::BASE_URL),
            Kind::Compatible => upstream.base_url.as_deref().unwrap_or_default(),
            Kind::Sandbox => {
                let loopback = config.settings.listen.ip().is_loopback();
                let found = match config.chain_id {
                    tempo::MAINNET | tempo::MODERATO => {
                        Err("the sandbox sells for play money only: use a local chain, or another upstream"
                            .into())
                    }
                    _ if !loopback => Err("the sandbox runs what it is sent: set listen to 127.0.0.1".into()),
                    _ => {
                        start::python(config).await.map(|_| "the sandbox runs Python on this machine".into())
                    }
                };
                return self.add("upstream", found);
            }
        };
        if let Err(why) = start::upstream_url(config) {
            return self.add("upstream", Err(why));
        }
        // Without the key: who asks for one is there.
        let asked = match upstream.kind {
            Kind::Compatible => format!("{}/models", url.trim_end_matches('/')),
            Kind::Xai | Kind::Sandbox => url.to_owned(),
        };
        match reach::status(&asked).await {
            // It may sell without a list of its models.
            Ok(StatusCode::NOT_FOUND) if upstream.kind == Kind::Compatible => {
                let advice = "the base of a compatible service ends with its version, such as /v1";
                let found = format!("{url} may not be the base: GET {asked} is answered 404");
                self.warn("upstream", format!("{found}; {advice}: check upstream.base_url"));
            }
            Ok(_) => self.add("upstream", Ok(format!("{url} answers"))),
            // It may be back before anybody asks.
            Err(why) => {
                self.warn("upstream", format!("{url} does not answer: {why}; check upstream.base_url"))
            }
        }
    }
}

/// One line of text.
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grade = match self.grade {
            Grade::Fine => "ok",
            Grade::Unwise => "warning",
            Grade::Wrong => "FAILED",
        };
        write!(formatter, "{grade:8} {:9} {}", self.about, self.text)
    }
}

/// Whether the file can be written, or made where there is none; it is not made here.
fn writable(path: &Path) -> Result<(), Error> {
    if path.exists() {
        return OpenOptions::new().read(true).append(true).open(path).map(drop);
    }
    tempfile::NamedTempFile::new_in(secrets::folder(path)).map(drop)
}

/// Of every TIP-20 dollar.
const DECIMALS: u64 = 6;
