//! A ledger in a database: one text of SQL for SQLite and PostgreSQL.

use mpp_core::Amount;
use mpp_database::{Access, Database, Schema};
use sqlx::{AnyConnection, AssertSqlSafe};

use super::budget::{self, Span};
use super::row::{self, COLUMNS, integer, signed_64};
use super::{Budget, Currency, Ledger, LedgerError, LedgerFuture, Scope, Slots, Step, reserved_at};
use crate::payment::Payment;

/// A ledger that outlasts the process. It has one connection, as writers wait for each other anyway, and opens it anew
/// after a failure.
#[derive(Debug)]
pub struct SqlLedger(Database);

impl SqlLedger {
    /// A ledger in an SQLite file, which is made if it is not there, readable by its owner alone. Any number of processes
    /// can share it.
    ///
    /// # Errors
    /// When the file can't be opened, is no ledger, or was written by a newer version.
    #[cfg(feature = "sqlite")]
    pub async fn sqlite(path: impl AsRef<std::path::Path>) -> Result<Self, LedgerError> {
        Ok(SqlLedger(Database::sqlite(path.as_ref(), SCHEMA).await?))
    }

    /// A ledger in PostgreSQL, given its URL `postgres://user:password@host/database`. Between machines TLS is used and
    /// the server's certificate checked, unless the URL has an `sslmode` that says otherwise.
    ///
    /// # Errors
    /// When it can't be reached, or was written by a newer version.
    #[cfg(feature = "postgres")]
    pub async fn postgres(url: &str) -> Result<Self, LedgerError> {
        Ok(SqlLedger(Database::postgres(url, SCHEMA, 1).await?))
    }

    /// Closes an SQLite file, for the end of a program: the file alone holds all payments then. It is opened anew by whoever
    /// uses it after that.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

impl Ledger for SqlLedger {
    fn reserve<'a>(&'a self, mut payment: Payment, budget: &'a Budget) -> LedgerFuture<'a, Payment> {
        Box::pin(self.0.within(Access::Writing, async move |db| {
            let last = sqlx::query_as::<_, (i64, i64)>(LAST).fetch_optional(&mut *db).await?;
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
            // What could not be read back could not be moved on.
            let written = sqlx::query(select("WHERE id = $1")).bind(signed_64(payment.id));
            let read = row::read(&written.fetch_one(&mut *db).await?)?;
            if read == payment { Ok(read) } else { Err(Stop::Failed(row::wrong("challenge"))) }
        }))
    }

    fn advance(&self, id: u64, step: Step, now: u64) -> LedgerFuture<'_, Payment> {
        Box::pin(self.0.within(Access::Writing, async move |db| {
            let found =
                sqlx::query(select("WHERE id = $1")).bind(signed_64(id)).fetch_optional(&mut *db).await?;
            let old = row::read(&found.ok_or(LedgerError::Missing { id })?)?;
            let mut new = old.clone();
            new.advance(step, now).map_err(|state| LedgerError::Closed { id, state })?;
            write(db, Some(&old), &new).await?;
            Ok(new)
        }))
    }

    fn payment(&self, id: u64) -> LedgerFuture<'_, Option<Payment>> {
        Box::pin(self.0.within(Access::Reading, async move |db| {
            let found =
                sqlx::query(select("WHERE id = $1")).bind(signed_64(id)).fetch_optional(&mut *db).await?;
            Ok(found.as_ref().map(row::read).transpose()?)
        }))
    }

    fn payments(&self, before: Option<u64>, most: u32, open: bool) -> LedgerFuture<'_, Vec<Payment>> {
        let condition = if open { "AND settled_at IS NULL" } else { "" };
        let query = select(&format!("WHERE id < $1 {condition} ORDER BY id DESC LIMIT $2"));
        Box::pin(self.0.within(Access::Reading, async move |db| {
            let before = before.map_or(i64::MAX, signed_64);
            let rows = sqlx::query(query).bind(before).bind(i64::from(most)).fetch_all(&mut *db).await?;
            Ok(rows.iter().map(row::read).collect::<Result<_, _>>()?)
        }))
    }

    fn spent(&self, currency: Currency, scope: Scope, slots: Slots) -> LedgerFuture<'_, Amount> {
        Box::pin(self.0.within(Access::Reading, async move |db| spent(db, currency, &scope, slots).await))
    }
}

type Stop = mpp_database::Stop<LedgerError>;

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        Stop::Refused(error)
    }
}

/// Writes a payment and counts it for what it is now instead of what it was.
async fn write(db: &mut AnyConnection, old: Option<&Payment>, new: &Payment) -> Result<(), Stop> {
    let statement = if old.is_none() { insert() } else { update() };
    row::bind(sqlx::query(statement), new)?.execute(&mut *db).await?;
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
        query = query.bind(chain_id.cast_signed()).bind(token.to_string()).bind(scope);
        query = query.bind(number(span)).bind(signed_64(span.slot(new))).bind(change);
    }
    query.execute(&mut *db).await?;
    Ok(())
}

async fn spent(
    db: &mut AnyConnection,
    currency: Currency,
    scope: &Scope,
    slots: Slots,
) -> Result<Amount, Stop> {
    let query = sqlx::query_scalar::<_, i64>(SPENT).bind(currency.chain_id.cast_signed());
    let query = query.bind(currency.token.to_string()).bind(key(scope)).bind(number(slots.span));
    let spent = query.bind(signed_64(slots.first)).bind(signed_64(slots.last())).fetch_one(&mut *db).await?;
    Ok(Amount::from_base_units(u128::try_from(spent).unwrap_or_default()))
}

fn select(rest: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT {} FROM payments {rest}", COLUMNS.join(", ")))
}

fn insert() -> AssertSqlSafe<String> {
    let values: Vec<_> = (1..=COLUMNS.len()).map(|value| format!("${value}")).collect();
    AssertSqlSafe(format!("INSERT INTO payments ({}) VALUES ({})", COLUMNS.join(", "), values.join(", ")))
}

fn update() -> AssertSqlSafe<String> {
    let moved = COLUMNS.iter().zip(1..).skip(1).map(|(column, value)| format!("{column} = ${value}"));
    AssertSqlSafe(format!("UPDATE payments SET {} WHERE id = $1", moved.collect::<Vec<_>>().join(", ")))
}

/// A scope in a column. A realm can be longer than an index takes.
fn key(scope: &Scope) -> String {
    match scope {
        Scope::All => "all".to_owned(),
        Scope::Realm(realm) if realm.len() <= 200 => format!("realm {realm}"),
        Scope::Realm(realm) => format!("realm-digest {}", mpp_core::payee::body_digest(realm.as_bytes())),
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

const SCHEMA: Schema = Schema {
    name: "ledger",
    sql: include_str!("../../migrations/1_ledger.sql"),
    // "mppl"
    lock: 0x6d70_706c,
};

const LAST: &str = "SELECT id, reserved_at FROM payments ORDER BY id DESC LIMIT 1";
const COUNT: &str =
    "ON CONFLICT (chain_id, token, scope, span, slot) DO UPDATE SET spent = totals.spent + excluded.spent";
const SPENT: &str = "SELECT CAST(COALESCE(SUM(spent), 0) AS BIGINT) FROM totals \
    WHERE chain_id = $1 AND token = $2 AND scope = $3 AND span = $4 AND slot BETWEEN $5 AND $6";
