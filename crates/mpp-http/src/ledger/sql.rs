//! A ledger in a database: one text of SQL for SQLite and PostgreSQL.

use std::fmt;
use std::sync::Once;

use mpp_core::Amount;
use sqlx::any::AnyConnectOptions;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Any, AnyConnection, AssertSqlSafe, Connection as _, Executor as _, SqlStr, Transaction};
use tokio::sync::Mutex;

use super::budget::{self, Span};
use super::row::{self, COLUMNS, integer, signed_64};
use super::{
    Budget, Currency, Ledger, LedgerError, LedgerFuture, Scope, Slots, Step, StoreFault, reserved_at,
};
use crate::payment::Payment;

/// A ledger that outlasts the process. It has one connection, as writers wait for each other anyway, and opens it anew
/// after a failure.
pub struct SqlLedger {
    options: AnyConnectOptions,
    /// What to call the database in an error; without a password.
    place: String,
    connection: Mutex<Option<AnyConnection>>,
}

impl SqlLedger {
    /// A ledger in an SQLite file, which is made if it is not there, readable by its owner alone. Any number of processes
    /// can share it.
    ///
    /// # Errors
    /// When the file can't be opened, is no ledger, or was written by a newer version.
    #[cfg(feature = "sqlite")]
    pub async fn sqlite(path: impl AsRef<std::path::Path>) -> Result<Self, LedgerError> {
        let path = path.as_ref();
        let place = path.display().to_string();
        let fail = |fault, source: BoxError| LedgerError::Store { place: place.clone(), fault, source };
        make_private(path).map_err(|error| fail(StoreFault::Unreachable, error.into()))?;
        let Some(text) = path.to_str() else {
            return Err(fail(StoreFault::Unreachable, "its path is not UTF-8".into()));
        };
        // The slashes too, as a URL would resolve a path's dots.
        let escaped: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        Self::open(&format!("sqlite:{escaped}?mode=rw"), place).await
    }

    /// A ledger in PostgreSQL, given its URL `postgres://user:password@host/database`. Between machines TLS is used and
    /// the server's certificate checked, unless the URL has an `sslmode` that says otherwise.
    ///
    /// # Errors
    /// When it can't be reached, or was written by a newer version.
    #[cfg(feature = "postgres")]
    pub async fn postgres(url: &str) -> Result<Self, LedgerError> {
        Self::open(url, "in PostgreSQL".to_owned()).await
    }

    async fn open(url: &str, place: String) -> Result<Self, LedgerError> {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            // Fails if the program has installed drivers of its own, which then serve.
            let _ = sqlx::any::install_drivers(&[
                #[cfg(feature = "sqlite")]
                sqlx::sqlite::any::DRIVER,
                #[cfg(feature = "postgres")]
                sqlx::postgres::any::DRIVER,
            ]);
        });
        let options = url.parse::<AnyConnectOptions>().map_err(|error| failed(&place, error))?;
        let mut ledger = SqlLedger { options: private(options), place, connection: Mutex::new(None) };
        let migrated = ledger.connect_and_migrate().await.map_err(|error| ledger.failed(error))?;
        ledger.connection = Mutex::new(Some(migrated));
        Ok(ledger)
    }

    async fn connect_and_migrate(&self) -> Result<AnyConnection, sqlx::Error> {
        let mut connection = self.connect().await?;
        let sql = SqlStr::from_static(include_str!("../../migrations/1_ledger.sql"));
        let first = Migration::new(1, "ledger".into(), MigrationType::Simple, sql, false);
        let mut migrator = Migrator::with_migrations(vec![first]);
        // The transaction locks out other processes already.
        migrator.set_locking(false);
        let mut transaction = begin(&mut connection).await?;
        migrator.run(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(connection)
    }

    async fn connect(&self) -> Result<AnyConnection, sqlx::Error> {
        let mut connection = AnyConnection::connect_with(&self.options).await?;
        connection.execute(if is_sqlite(&connection) { SQLITE } else { POSTGRES }).await?;
        Ok(connection)
    }

    /// Runs `work` in a transaction that no other writer can get between. A connection on which anything went wrong, or
    /// that nobody waited for, is not used again.
    async fn locked<T>(
        &self,
        work: impl AsyncFnOnce(&mut Transaction<'_, Any>) -> Result<T, Stop>,
    ) -> Result<T, LedgerError> {
        let mut slot = self.connection.lock().await;
        let taken = slot.take();
        let done = async {
            let mut connection = match taken {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let mut transaction = begin(&mut connection).await?;
            let done = match work(&mut transaction).await {
                Ok(done) => {
                    transaction.commit().await?;
                    Ok(done)
                }
                Err(Stop::Refused(error)) => {
                    transaction.rollback().await?;
                    Err(error)
                }
                Err(Stop::Failed(error)) => return Err(error),
            };
            Ok((connection, done))
        };
        let (connection, done) = done.await.map_err(|error| self.failed(error))?;
        *slot = Some(connection);
        done
    }

    fn failed(&self, error: sqlx::Error) -> LedgerError {
        failed(&self.place, error)
    }
}

impl Ledger for SqlLedger {
    fn reserve<'a>(&'a self, mut payment: Payment, budget: &'a Budget) -> LedgerFuture<'a, Payment> {
        Box::pin(self.locked(async move |db| {
            let last = sqlx::query_as::<_, (i64, i64)>(LAST).fetch_optional(&mut **db).await?;
            let (last, newest) = last.unzip();
            let newest = newest.and_then(|newest| u64::try_from(newest).ok());
            payment.reserved_at = reserved_at(payment.reserved_at, newest)?;
            payment.id = u64::try_from(last.unwrap_or_default()).unwrap_or_default() + 1;
            for (limit, asked, slots) in budget.applying(&payment) {
                let spent = match slots {
                    Some(slots) => spent(db, payment.currency(), &limit.scope, slots).await?,
                    None => Amount::ZERO,
                };
                limit.admit(spent, asked).map_err(|over| LedgerError::OverBudget(Box::new(over)))?;
            }
            write(db, None, &payment).await?;
            Ok(payment)
        }))
    }

    fn advance(&self, id: u64, step: Step, now: u64) -> LedgerFuture<'_, Payment> {
        Box::pin(self.locked(async move |db| {
            let found =
                sqlx::query(select("WHERE id = $1")).bind(signed_64(id)).fetch_optional(&mut **db).await?;
            let old = row::read(&found.ok_or(LedgerError::Missing { id })?)?;
            let mut new = old.clone();
            new.advance(step, now).map_err(|state| LedgerError::Closed { id, state })?;
            write(db, Some(&old), &new).await?;
            Ok(new)
        }))
    }

    fn payment(&self, id: u64) -> LedgerFuture<'_, Option<Payment>> {
        Box::pin(self.locked(async move |db| {
            let found =
                sqlx::query(select("WHERE id = $1")).bind(signed_64(id)).fetch_optional(&mut **db).await?;
            Ok(found.as_ref().map(row::read).transpose()?)
        }))
    }

    fn payments(&self, before: Option<u64>, most: u32, open: bool) -> LedgerFuture<'_, Vec<Payment>> {
        let condition = if open { "AND settled_at IS NULL" } else { "" };
        let query = select(&format!("WHERE id < $1 {condition} ORDER BY id DESC LIMIT $2"));
        Box::pin(self.locked(async move |db| {
            let before = before.map_or(i64::MAX, signed_64);
            let rows = sqlx::query(query).bind(before).bind(i64::from(most)).fetch_all(&mut **db).await?;
            Ok(rows.iter().map(row::read).collect::<Result<_, _>>()?)
        }))
    }

    fn spent(&self, currency: Currency, scope: Scope, slots: Slots) -> LedgerFuture<'_, Amount> {
        Box::pin(self.locked(async move |db| spent(db, currency, &scope, slots).await))
    }
}

impl fmt::Debug for SqlLedger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SqlLedger").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Why a transaction ends without its work done.
enum Stop {
    /// The ledger says no; the database is well.
    Refused(LedgerError),
    Failed(sqlx::Error),
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        Stop::Refused(error)
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Stop::Failed(error)
    }
}

/// Begins a transaction that waits for other writers first, so that what it reads is still so when it writes.
async fn begin(connection: &mut AnyConnection) -> Result<Transaction<'_, Any>, sqlx::Error> {
    if is_sqlite(connection) {
        return connection.begin_with("BEGIN IMMEDIATE").await;
    }
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    Ok(transaction)
}

/// Writes a payment and counts it for what it is now instead of what it was.
async fn write(db: &mut Transaction<'_, Any>, old: Option<&Payment>, new: &Payment) -> Result<(), Stop> {
    row::bind(sqlx::query(upsert()), new)?.execute(&mut **db).await?;
    let before = old.map(budget::shares).unwrap_or_default();
    let mut changes = Vec::new();
    for (index, (scope, after)) in budget::shares(new).into_iter().enumerate() {
        let before = before.get(index).map_or(Amount::ZERO, |(_, amount)| *amount);
        let change = integer(after)?.checked_sub(integer(before)?).ok_or(LedgerError::Amount(before))?;
        if change != 0 {
            let scope = key(&scope);
            changes.extend(Span::ALL.map(|span| (scope.clone(), span, change)));
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    let rows = (0..changes.len()).map(|row| {
        let values = (1..=6).map(|value| format!("${}", row * 6 + value));
        format!("({})", values.collect::<Vec<_>>().join(", "))
    });
    let rows = rows.collect::<Vec<_>>().join(", ");
    let mut query = sqlx::query(AssertSqlSafe(format!("INSERT INTO totals VALUES {rows} {COUNT}")));
    for (scope, span, change) in changes {
        let Currency { chain_id, token } = new.currency();
        query = query.bind(signed_64(chain_id)).bind(token.to_string()).bind(scope);
        query = query.bind(number(span)).bind(signed_64(span.slot(new))).bind(change);
    }
    query.execute(&mut **db).await?;
    Ok(())
}

async fn spent(
    db: &mut Transaction<'_, Any>,
    currency: Currency,
    scope: &Scope,
    slots: Slots,
) -> Result<Amount, Stop> {
    let query = sqlx::query_scalar::<_, i64>(SPENT).bind(signed_64(currency.chain_id));
    let query = query.bind(currency.token.to_string()).bind(key(scope)).bind(number(slots.span));
    let spent = query.bind(signed_64(slots.first)).bind(signed_64(slots.last())).fetch_one(&mut **db).await?;
    Ok(Amount::from_base_units(u128::try_from(spent).unwrap_or_default()))
}

fn select(rest: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT {} FROM payments {rest}", COLUMNS.join(", ")))
}

fn upsert() -> AssertSqlSafe<String> {
    let values: Vec<_> = (1..=COLUMNS.len()).map(|value| format!("${value}")).collect();
    let moved: Vec<_> =
        COLUMNS.iter().skip(1).map(|column| format!("{column} = excluded.{column}")).collect();
    AssertSqlSafe(format!(
        "INSERT INTO payments ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}",
        COLUMNS.join(", "),
        values.join(", "),
        moved.join(", ")
    ))
}

/// A scope in a column. A realm can be longer than an index takes.
fn key(scope: &Scope) -> String {
    match scope {
        Scope::All => "all".to_owned(),
        Scope::Realm(realm) if realm.len() <= 200 => format!("realm {realm}"),
        Scope::Realm(realm) => format!("realm of {}", mpp_core::payee::body_digest(realm.as_bytes())),
        Scope::Recipient(to) => format!("to {to}"),
    }
}

fn number(span: Span) -> i64 {
    match span {
        Span::Process => 0,
        Span::Minute => 1,
        Span::Hour => 2,
        Span::Day => 3,
    }
}

fn is_sqlite(connection: &AnyConnection) -> bool {
    connection.backend_name() == "SQLite"
}

/// Makes the file, if there is none, for its owner alone: it holds signed transactions.
#[cfg(feature = "sqlite")]
fn make_private(path: &std::path::Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Between machines, TLS with a certificate that is checked is what silence means.
fn private(mut options: AnyConnectOptions) -> AnyConnectOptions {
    let url = &mut options.database_url;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = host.is_empty()
        || host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let told =
        url.query_pairs().any(|(name, _)| matches!(&*name, "sslmode" | "ssl-mode" | "host" | "hostaddr"));
    if !here && !told {
        url.query_pairs_mut().append_pair("sslmode", "verify-full");
    }
    options
}

fn failed(place: &str, error: sqlx::Error) -> LedgerError {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
    let fault = match (&error, code.parse::<u32>().map(|code| code & 0xff)) {
        (sqlx::Error::Migrate(error), _) if matches!(**error, MigrateError::VersionMissing(_)) => {
            StoreFault::Newer
        }
        (sqlx::Error::Migrate(_) | sqlx::Error::ColumnDecode { .. }, _) => StoreFault::Damaged,
        // PostgreSQL's have five digits, or letters.
        (_, _) if code.len() == 5 => match code.as_str() {
            "55P03" => StoreFault::Locked,
            "25006" | "42501" => StoreFault::ReadOnly,
            "53100" => StoreFault::Full,
            "57P01" | "57P02" | "57P03" | "28P01" | "28000" | "3D000" => StoreFault::Unreachable,
            _ => StoreFault::Failed,
        },
        (_, Ok(5 | 6)) => StoreFault::Locked,
        (_, Ok(8)) => StoreFault::ReadOnly,
        (_, Ok(10 | 13)) => StoreFault::Full,
        (_, Ok(11 | 26)) => StoreFault::Damaged,
        (_, Ok(14)) => StoreFault::Unreachable,
        (sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Configuration(_), _) => {
            StoreFault::Unreachable
        }
        _ => StoreFault::Failed,
    };
    // sqlx prints a cause of its own accord, and has it as a cause besides.
    let source: BoxError = match error {
        sqlx::Error::Database(error) => error,
        sqlx::Error::Io(error) => error.into(),
        error => error.into(),
    };
    LedgerError::Store { place: place.to_owned(), fault, source }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What is written survives the machine's end, not just the program's.
const SQLITE: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";
const POSTGRES: &str = "SET lock_timeout = '5s'";
/// The advisory lock of a ledger's writers: "mppl".
const LOCK: i64 = 0x6d70_706c;

const LAST: &str = "SELECT id, reserved_at FROM payments ORDER BY id DESC LIMIT 1";
const COUNT: &str =
    "ON CONFLICT (chain_id, token, scope, span, slot) DO UPDATE SET spent = totals.spent + excluded.spent";
const SPENT: &str = "SELECT CAST(COALESCE(SUM(spent), 0) AS BIGINT) FROM totals \
    WHERE chain_id = $1 AND token = $2 AND scope = $3 AND span = $4 AND slot BETWEEN $5 AND $6";
