//! The ledger of a run, and the limits it keeps: opened from arguments, environment and config file, in this order.

use std::fs::DirBuilder;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use mpp_core::Amount;
use mpp_core::tempo::{MAINNET, PATH_USD, USDC_E};
use mpp_http::Payment;
use mpp_http::chain::Rpc;
use mpp_http::ledger::{Budget, Currency, LedgerError, Limit, Scope, SqlLedger, Standing, Window};

use crate::args::{LedgerArgs, LimitArgs};
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::place::Place;

/// An open ledger and what else the config file says.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) ledger: Arc<SqlLedger>,
    /// What to call the ledger.
    pub(crate) place: String,
    pub(crate) budget: Budget,
    /// The config file's node.
    pub(crate) rpc: Option<Rpc>,
}

impl Books {
    /// Opens the ledger to pay, making it if need be. `limits` replace the config file's on all payments.
    pub(crate) async fn open(args: &LedgerArgs, limits: &LimitArgs) -> Result<Self, Failure> {
        Books::open_named(args, limits, true).await
    }

    /// Opens the ledger to look at it: one that was named and is not there was misnamed.
    pub(crate) async fn look(args: &LedgerArgs, limits: &LimitArgs) -> Result<Self, Failure> {
        Books::open_named(args, limits, false).await
    }

    async fn open_named(args: &LedgerArgs, limits: &LimitArgs, make: bool) -> Result<Self, Failure> {
        let Config { ledger, rpc, limits: configured, .. } = args.config.read()?;
        let named = args.ledger.as_deref().map(Place::parse).transpose();
        let named = named
            .map_err(|why| Failure::usage(format!("the ledger of --ledger or GROK_MPP_LEDGER {why}")))?;
        let (ledger, place) = match named.or(ledger) {
            Some(Place::File(path)) if !make && matches!(Path::new(&path).try_exists(), Ok(false)) => {
                return Err(Failure::unpaid(format!("there is no ledger {path}")));
            }
            Some(Place::Postgres(url)) => (postgres(&url).await?, "in PostgreSQL".to_owned()),
            Some(Place::File(path)) => (SqlLedger::sqlite(&path).await?, path),
            None => {
                let path = config::default_ledger().ok_or_else(|| {
                    Failure::unpaid("no home folder to keep the ledger in; say where with --ledger FILE")
                })?;
                make_folder(&path).map_err(|error| {
                    Failure::unpaid(format!(
                        "the ledger {} cannot be made: {error}; say where else with --ledger FILE",
                        path.display()
                    ))
                })?;
                (SqlLedger::sqlite(&path).await?, path.display().to_string())
            }
        };
        Ok(Books { ledger: Arc::new(ledger), place, budget: budget(configured, limits), rpc })
    }

    /// What is left of the limits that a payment counts against; of those on a single payment there is nothing to say.
    pub(crate) async fn left(&self, payment: &Payment) -> Result<Vec<Standing>, LedgerError> {
        let mut standing = self.budget.standing(&*self.ledger, payment.currency(), now()).await?;
        standing
            .retain(|standing| standing.limit.scope.covers(payment) && standing.limit.window != Window::Call);
        Ok(standing)
    }
}

/// The dollars of mainnet, or of the only chain that is asked about, and whatever these were paid in there.
pub(crate) fn currencies<'p>(
    only: Option<u64>,
    payments: impl IntoIterator<Item = &'p Payment>,
) -> Vec<Currency> {
    let mut currencies = match only {
        None | Some(MAINNET) => vec![
            Currency { chain_id: MAINNET, token: PATH_USD },
            Currency { chain_id: MAINNET, token: USDC_E },
        ],
        Some(chain_id) => vec![Currency { chain_id, token: PATH_USD }],
    };
    for currency in payments.into_iter().map(Payment::currency) {
        if only.is_none_or(|only| currency.chain_id == only) && !currencies.contains(&currency) {
            currencies.push(currency);
        }
    }
    currencies
}

fn budget(mut limits: Vec<Limit>, args: &LimitArgs) -> Budget {
    let given: [(Window, Option<Amount>); 4] = [
        (Window::Process, args.max_per_process),
        (Window::Hour, args.max_per_hour),
        (Window::Day, args.max_per_day),
        (Window::Month, args.max_per_month),
    ];
    for (window, amount) in given {
        let Some(amount) = amount else { continue };
        limits.retain(|limit| limit.scope != Scope::All || limit.window != window);
        limits.push(Limit { scope: Scope::All, window, amount });
    }
    limits.into_iter().collect()
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str) -> Result<SqlLedger, Failure> {
    Ok(SqlLedger::postgres(url).await?)
}

#[cfg(not(feature = "postgres"))]
async fn postgres(_url: &str) -> Result<SqlLedger, Failure> {
    Err(Failure::usage(
        "this grok-mpp is built without PostgreSQL; build it with --features postgres, or name an SQLite file",
    ))
}

/// Makes the folder of the default ledger or wallet, for its owner alone.
pub(crate) fn make_folder(file: &Path) -> std::io::Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    let mut builder = DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Unix seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
