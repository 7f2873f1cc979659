//! From settings to a gateway that takes money: the one place where the parts of the libraries are put together.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use grok_gateway::sandbox::{Python, Runner};
use grok_gateway::{Compatible, Gateway, Upstream, Xai};
use mpp_core::Amount;
use mpp_core::payee::{Sponsor, SponsorLimits};
use mpp_core::tempo::{LocalSigner, Modes};
use mpp_gate::chain::Chain as _;
use mpp_gate::store::SqlStore;
use mpp_gate::{Gate, Node, Sponsorship};
use tokio::sync::watch;

use super::config::{Config, Database};
use super::secrets;
use super::settings::{self, Kind, Mode};

/// A gateway that is ready.
pub(crate) struct Running {
    pub(crate) gateway: Gateway,
    /// What has been sold so far.
    pub(crate) sums: ReadSums,
    /// Goes on beside the connections, and ends some time after the last of them: refunds and the like.
    pub(crate) background: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Sums for the metrics.
pub(crate) struct Sums {
    pub(crate) sold_base_units: u64,
    pub(crate) upstream_ticks: u64,
    pub(crate) refunds_owed: u64,
}

/// Reads them as they are.
pub(crate) type ReadSums = Box<dyn Fn() -> Sums + Send + Sync>;

/// The node, which is on the chain that it should be on.
pub(crate) async fn node(config: &Config) -> Result<Node, String> {
    let node = Node::connect(&config.rpc).await.map_err(|error| chain(&error))?;
    let (expected, found) = (config.chain_id, node.chain_id());
    if found == expected {
        return Ok(node);
    }
    Err(format!("the node is on chain {found}, the settings are for {expected}; set rpc or chain_id"))
}

/// Puts everything together. `drained` tells when the last connection is done.
pub(crate) async fn gateway(config: Config, drained: watch::Receiver<()>) -> Result<Running, String> {
    match config.settings.upstream.kind {
        Kind::Xai => {
            let xai = xai(&config)?;
            assemble(config, xai, drained).await
        }
        Kind::Compatible => {
            let compatible = compatible(&config)?;
            assemble(config, compatible, drained).await
        }
        Kind::Sandbox => {
            let python = python(&config).await?;
            assemble(config, Runner::new(python), drained).await
        }
    }
}

async fn assemble(
    config: Config,
    upstream: impl Upstream + 'static,
    mut drained: watch::Receiver<()>,
) -> Result<Running, String> {
    let node = node(&config).await?;
    let secret = match (config.secret, &config.database) {
        (Some(secret), _) => secret,
        (None, Database::Sqlite(path)) => secrets::kept(&secrets::place(path))?,
        (None, Database::Postgres(_)) => return Err("a shared database needs a secret".into()),
    };
    let store = match &config.database {
        Database::Sqlite(path) => SqlStore::sqlite(path).await,
        Database::Postgres(url) => SqlStore::postgres(url).await,
    };
    let store = Arc::new(store.map_err(|error| chain(&error))?);
    let sold = Arc::clone(&store);
    let payment = config.settings.payment;
    let gateway = Gateway::new(config.payee, node, upstream, config.settings.prices);
    let gateway = gateway.map_err(|error| chain(&error))?.with_gate(|gate| {
        let validity = Duration::from_secs(payment.validity_seconds.get().into());
        let gate = gate.durable(secret, store).validity(validity).modes(modes(&payment.modes));
        let gate = config.previous_secret.into_iter().fold(gate, Gate::previous_secret);
        let gate = config.operator.into_iter().fold(gate, Gate::operator);
        let sponsorship = config.sponsor.map(|(key, settings)| sponsorship(key, &settings));
        sponsorship.into_iter().fold(gate, Gate::sponsorship)
    });
    let owed = Arc::new(AtomicU64::new(0));
    let (sales, counted) = (gateway.sales(), Arc::clone(&owed));
    let sums = Box::new(move || Sums {
        sold_base_units: sales.base_units(),
        upstream_ticks: sales.cost_in_usd_ticks(),
        refunds_owed: counted.load(Ordering::Relaxed),
    });
    let gate = gateway.gate().clone();
    let background = Box::pin(async move {
        tokio::select! {
            () = gate.maintain() => {}
            () = count(&gate, &owed) => {}
            _ = drained.changed() => {}
        }
        // Whoever hung up finds the answer he paid for all the same.
        gate.finished().await;
        sold.close().await;
    });
    Ok(Running { gateway, sums, background })
}

/// Keeps the number of owed refunds up to date, for who watches.
async fn count(gate: &Gate, owed: &AtomicU64) {
    loop {
        // A store that does not answer is told of by the gate.
        if let Ok(now) = gate.owed().await {
            owed.store(now, Ordering::Relaxed);
        }
        tokio::time::sleep(COUNT_EVERY).await;
    }
}

fn modes(named: &[Mode]) -> Modes {
    match (named.contains(&Mode::Pull), named.contains(&Mode::Push)) {
        (true, true) => Modes::Both,
        (false, true) => Modes::Push,
        _ => Modes::Pull,
    }
}

fn sponsorship(key: LocalSigner, settings: &settings::Sponsor) -> Sponsorship {
    let limits = SponsorLimits {
        gas: settings.max_gas.get(),
        fee: units(settings.max_fee_base_units.get()),
        longest_validity: settings.max_window_seconds.get(),
        ..SponsorLimits::default()
    };
    Sponsorship::new(Sponsor::new(key, settings.fee_token).limits(limits))
        .floor(units(settings.floor_base_units))
        .per_hour(settings.per_payer_per_hour.get())
}

fn units(number: u64) -> Amount {
    Amount::from_base_units(number.into())
}

/// Whether the upstream can be asked at all, by its URL and key.
pub(crate) fn upstream_url(config: &Config) -> Result<(), String> {
    match config.settings.upstream.kind {
        Kind::Xai => xai(config).map(drop),
        Kind::Compatible => compatible(config).map(drop),
        Kind::Sandbox => Ok(()),
    }
}

/// The sandbox's Python.
pub(crate) async fn python(config: &Config) -> Result<Python, String> {
    let python = config.settings.upstream.python.clone().unwrap_or_else(|| "python3".into());
    Python::find(python).await.map_err(|error| chain(&error))
}

fn xai(config: &Config) -> Result<Xai, String> {
    let url = config.settings.upstream.base_url.as_deref().unwrap_or(Xai::BASE_URL);
    let key = config.upstream_key.clone().ok_or("xAI takes a key; set XAI_API_KEY")?;
    Xai::new(url, key).map_err(|error| chain(&error))
}

fn compatible(config: &Config) -> Result<Compatible, String> {
    let url = config.settings.upstream.base_url.as_deref();
    let url =
        url.ok_or("upstream.base_url is missing; set it to the base of an API, such as https://api.x.ai/v1")?;
    Compatible::new(url, config.upstream_key.clone()).map_err(|error| chain(&error))
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// How often refunds that are owed are counted.
const COUNT_EVERY: Duration = Duration::from_secs(10);
