//! Sales in a database: one text of SQL for SQLite and PostgreSQL. Each call but one is a single statement, so that
//! nothing can come between what it reads and what it writes, and those that write can share a commit.

use mpp_database::{Access, Database, DatabaseError, Schema, Statement};
use sqlx::AssertSqlSafe;

use super::row::{self, COLUMNS, FIXED, signed};
use super::{Sale, Store, StoreError, StoreFuture};

/// Sales that outlast the process.
#[derive(Debug)]
pub struct SqlStore(Database);

impl SqlStore {
    /// Sales in an SQLite file, which is made if it is not there, readable by its owner alone.
    ///
    /// # Errors
    /// When the file can't be opened, holds something else, or was written by a newer version.
    #[cfg(feature = "sqlite")]
    pub async fn sqlite(path: impl AsRef<std::path::Path>) -> Result<Self, StoreError> {
        Ok(SqlStore(Database::sqlite(path.as_ref(), SCHEMA).await?))
    }

    /// Sales in PostgreSQL, given its URL `postgres://user:password@host/database`, for several instances of one gate.
    /// Between machines TLS is used and the server's certificate checked, unless the URL has an `sslmode` that says
    /// otherwise.
    ///
    /// # Errors
    /// When it can't be reached, or was written by a newer version.
    #[cfg(feature = "postgres")]
    pub async fn postgres(url: &str) -> Result<Self, StoreError> {
        Ok(SqlStore(Database::postgres(url, SCHEMA, CONNECTIONS).await?))
    }

    /// Closes an SQLite file, for the end of a program: the file alone holds all sales then. It is opened anew by whoever
    /// uses it after that.
    pub async fn close(&self) {
        self.0.close().await;
    }

    async fn one(&self, query: Statement) -> Result<Option<Sale>, StoreError> {
        let found = self.0.within(Access::Statements, async move |db| {
            let row = query.fetch_optional(&mut *db).await?;
            Ok(row.as_ref().map(row::read).transpose()?)
        });
        found.await
    }

    fn write(&self, statement: Statement) -> StoreFuture<'_, ()> {
        Box::pin(async move { Ok(self.0.execute(statement).await.map(drop)?) })
    }
}

impl Store for SqlStore {
    fn claim<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, Option<Sale>> {
        Box::pin(async move {
            // Whoever is in the way may be forgotten before he is looked at: then there is room.
            for _ in 0..CLAIM_TRIES {
                if self.0.execute(row::bind(sqlx::query(insert()), sale)).await? == 1 {
                    return Ok(None);
                }
                let found = sqlx::query(select(CONFLICT))
                    .bind(sale.challenge_id.clone())
                    .bind(sale.payment.as_ref().map(|payment| payment.hash.to_string()))
                    .bind(sale.idempotency.clone());
                if let Some(found) = self.one(found).await? {
                    return Ok(Some(found));
                }
            }
            Err(self.0.failed(sqlx::Error::RowNotFound).into())
        })
    }

    fn of_challenge<'a>(&'a self, challenge_id: &'a str) -> StoreFuture<'a, Option<Sale>> {
        Box::pin(self.one(sqlx::query(select("WHERE challenge_id = $1")).bind(challenge_id.to_owned())))
    }

    fn of_idempotency<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Sale>> {
        Box::pin(self.one(sqlx::query(select("WHERE idempotency = $1")).bind(key.to_owned())))
    }

    fn of_reference<'a>(&'a self, reference: &'a str) -> StoreFuture<'a, Option<Sale>> {
        Box::pin(self.one(sqlx::query(select("WHERE reference = $1")).bind(reference.to_owned())))
    }

    fn advance<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.0.execute(row::bind(sqlx::query(update()), sale)).await? == 1) })
    }

    fn forget<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, ()> {
        let gone = sqlx::query("DELETE FROM sales WHERE challenge_id = $1 AND version = $2");
        self.write(gone.bind(sale.challenge_id.clone()).bind(signed(sale.version)))
    }

    fn due(&self, now: u64, most: u32) -> StoreFuture<'_, Vec<Result<Sale, StoreError>>> {
        Box::pin(self.0.within(Access::Statements, async move |db| {
            let query = select("WHERE due_at <= $1 ORDER BY due_at LIMIT $2");
            let rows = sqlx::query(query).bind(signed(now)).bind(i64::from(most)).fetch_all(&mut *db).await?;
            Ok(rows.iter().map(|row| row::read(row).map_err(|error| self.0.failed(error).into())).collect())
        }))
    }

    fn owed(&self) -> StoreFuture<'_, u64> {
        Box::pin(self.0.within(Access::Statements, async move |db| {
            let owed: i64 = sqlx::query_scalar(OWED).fetch_one(&mut *db).await?;
            Ok(u64::try_from(owed).unwrap_or_default())
        }))
    }

    fn prune(&self, before: u64) -> StoreFuture<'_, ()> {
        self.write(sqlx::query(PRUNE).bind(signed(before)))
    }

    fn probe(&self, now: u64) -> StoreFuture<'_, ()> {
        self.write(sqlx::query(PROBE).bind(signed(now)))
    }
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        StoreError::new(error)
    }
}

fn select(rest: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT {} FROM sales {rest}", COLUMNS.join(", ")))
}

fn insert() -> AssertSqlSafe<String> {
    let values: Vec<_> = (1..=COLUMNS.len()).map(|value| format!("${value}")).collect();
    let (columns, values) = (COLUMNS.join(", "), values.join(", "));
    AssertSqlSafe(format!("INSERT INTO sales ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING"))
}

/// Names nothing that stays: SQLite writes every index anew that has a column which an update names.
fn update() -> AssertSqlSafe<String> {
    let moved = COLUMNS.iter().zip(1..).skip(FIXED).map(|(column, value)| format!("{column} = ${value}"));
    let (moved, version) = (moved.collect::<Vec<_>>().join(", "), FIXED + 1);
    AssertSqlSafe(format!("UPDATE sales SET {moved} WHERE challenge_id = $1 AND version = ${version} - 1"))
}

const SCHEMA: Schema = Schema {
    name: "sales",
    sql: include_str!("../../migrations/1_sales.sql"),
    // "mpps"
    lock: 0x6d70_7073,
};
/// As many as commit side by side with profit.
#[cfg(feature = "postgres")]
const CONNECTIONS: usize = 8;
const CLAIM_TRIES: usize = 3;

const CONFLICT: &str = "WHERE challenge_id = $1 OR payment_hash = $2 OR idempotency = $3 LIMIT 1";
/// What has to be given back and is not has no end yet, and an answer neither.
const OWED: &str = "SELECT COUNT(*) FROM sales WHERE state IN ('refund-due', 'refunding')";
/// The records stay, as nothing is paid with twice.
const PRUNE: &str = "UPDATE sales SET answer_body = NULL WHERE ended_at < $1 AND answer_body IS NOT NULL";
const PROBE: &str =
    "INSERT INTO probes (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = excluded.at";
