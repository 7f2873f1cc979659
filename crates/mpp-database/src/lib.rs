//! A database for what must not be forgotten about money: one text of SQL in, run in SQLite or PostgreSQL; what a user
//! can do about it when it fails, out.
//!
//! [`mpp-http`](https://docs.rs/mpp-http) keeps its ledger here and [`mpp-gate`](https://docs.rs/mpp-gate) its sales. It is
//! made for the two, shows types of sqlx, and promises no stable interface to anybody else.
//!
//! A [`Database`] is opened with the [`Schema`] that it has to have, which is made if it is not there. Work on it is a
//! function of a connection, and [`Access`] says what it needs: a transaction that writes is alone with the database, so
//! that what it read is still so. Work that nobody finishes in time, or waits for any more, takes its connection with it.
//! Single statements that write are [executed](Database::execute) together where they wait for each other.
//! A [`DatabaseError`] says in words what there is to do and holds the [`Fault`] it is; neither shows a password.
//!
//! # Features
//!
//! Without one there is no database; users turn on the features of the same names of the two crates above.
//!
//! - `sqlite` is for one machine: a file, and SQLite itself is built in.
//! - `postgres` is for several machines.
#![cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(dead_code, reason = "without a database none is opened")
)]

mod fault;
mod place;
mod together;

use std::fmt;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use sqlx::any::AnyConnectOptions;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Any, AnyConnection, Connection as _, Executor as _, SqlStr, Transaction};
use tokio::sync::{Semaphore, SemaphorePermit};

pub use fault::{DatabaseError, Fault};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A database that is opened, at its newest schema. Connections are opened anew after a failure.
pub struct Database(Arc<Opened>);

struct Opened {
    options: AnyConnectOptions,
    schema: Schema,
    /// What to call it in an error; without a password.
    place: String,
    turns: Semaphore,
    idle: Mutex<Vec<AnyConnection>>,
    waiting: together::Waiting,
}

/// The tables that a database has to have.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// What it holds, in one word.
    pub name: &'static str,
    /// The statements that make the tables.
    pub sql: &'static str,
    /// The advisory lock of its writers in PostgreSQL.
    pub lock: i64,
}

/// What a connection is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Statements each on its own.
    Statements,
    /// A transaction that only reads.
    Reading,
    /// A transaction that no other writer can get between, so that what it reads is still so when it writes.
    Writing,
}

/// Why work ends undone.
#[derive(Debug)]
pub enum Stop<E> {
    /// The caller says no; the database is well.
    Refused(E),
    /// The database failed.
    Failed(sqlx::Error),
}

impl<E> From<sqlx::Error> for Stop<E> {
    fn from(error: sqlx::Error) -> Self {
        Stop::Failed(error)
    }
}

impl Database {
    /// An SQLite file, which is made if it is not there, readable by its owner alone. Any number of processes can share
    /// it; each has one connection, as writers wait for each other anyway.
    ///
    /// # Errors
    /// When the file can't be opened, holds something else, or was written by a newer version.
    #[cfg(feature = "sqlite")]
    pub async fn sqlite(path: &std::path::Path, schema: Schema) -> Result<Self, DatabaseError> {
        let (url, place) = place::of_file(path)?;
        Self::open(&url, place, schema, 1).await
    }

    /// A PostgreSQL database, given its URL `postgres://user:password@host/database`, with at most so many connections.
    /// Between machines TLS is used and the server's certificate checked, unless the URL has an `sslmode` that says
    /// otherwise.
    ///
    /// # Errors
    /// When it can't be reached, or was written by a newer version.
    #[cfg(feature = "postgres")]
    pub async fn postgres(url: &str, schema: Schema, connections: usize) -> Result<Self, DatabaseError> {
        Self::open(url, "in PostgreSQL".to_owned(), schema, connections).await
    }

    async fn open(
        url: &str,
        place: String,
        schema: Schema,
        connections: usize,
    ) -> Result<Self, DatabaseError> {
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
        let options = url.parse::<AnyConnectOptions>().map_err(|error| DatabaseError::of(&place, error))?;
        let opened = Opened {
            options: place::private(options),
            schema,
            place,
            turns: Semaphore::new(connections),
            idle: Mutex::default(),
            waiting: together::Waiting::default(),
        };
        let ready = opened.connect_and_migrate().await.map_err(|error| opened.failed(error))?;
        opened.put_back(ready);
        Ok(Database(Arc::new(opened)))
    }

    /// Runs `work`. A connection on which anything went wrong, or that nobody waited for, is not used again.
    ///
    /// # Errors
    /// The caller's own, or the database's.
    pub async fn within<T, E: From<DatabaseError>>(
        &self,
        access: Access,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, Stop<E>>,
    ) -> Result<T, E> {
        match tokio::time::timeout(PATIENCE, self.0.at_once(access, work)).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => Err(self.0.failed(error).into()),
            Err(_) => Err(DatabaseError::silent(&self.0.place).into()),
        }
    }

    /// Runs one statement that writes, and says how many rows it wrote.
    ///
    /// A commit waits for the disk. In SQLite, which has one at a time, statements that wait for it meanwhile share the next:
    /// if one of them fails, none is written, and all are told so.
    ///
    /// # Errors
    /// The database's.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn execute(&self, statement: Statement) -> Result<u64, DatabaseError> {
        let written = self.0.waiting.add(statement);
        // A task of its own: who hangs up takes nothing of others' with him.
        tokio::spawn(Arc::clone(&self.0).write_what_waits());
        match tokio::time::timeout(PATIENCE, written).await {
            Ok(Ok(written)) => written,
            // Too late, or the runtime ends.
            Ok(Err(_)) | Err(_) => Err(DatabaseError::silent(&self.0.place)),
        }
    }

    /// Closes an SQLite file, for the end of a program: what was written is in the file then, and not in the one with
    /// `-wal` at its end, if nobody else has it open. It is opened anew by whoever uses it after that.
    pub async fn close(&self) {
        if !self.0.is_sqlite() {
            return;
        }
        let _turn = self.0.turn().await;
        // A new one, where work that nobody waited for took the last with it.
        if let Ok(connection) = self.0.connection().await {
            // Whatever was committed stays so.
            let _ = connection.close().await;
        }
    }

    /// The error of this database that one of sqlx's is.
    pub fn failed(&self, error: sqlx::Error) -> DatabaseError {
        self.0.failed(error)
    }
}

/// A statement with its values.
pub type Statement = sqlx::query::Query<'static, Any, sqlx::any::AnyArguments>;

impl Opened {
    async fn connect_and_migrate(&self) -> Result<AnyConnection, sqlx::Error> {
        let mut connection = self.connect().await?;
        // What is up to date is not written to, and so need not be writable to be read.
        let version = sqlx::query_scalar::<_, i64>(VERSION).bind(self.schema.name);
        if let Ok(NEWEST) = version.fetch_one(&mut connection).await {
            return Ok(connection);
        }
        if self.is_sqlite() {
            place::check_empty(&mut connection).await?;
        }
        let sql = SqlStr::from_static(self.schema.sql);
        let first = Migration::new(NEWEST, self.schema.name.into(), MigrationType::Simple, sql, false);
        let mut migrator = Migrator::with_migrations(vec![first]);
        // The transaction locks out other processes already.
        migrator.set_locking(false);
        let mut transaction = self.begin(&mut connection).await?;
        migrator.run_direct(None, &mut *transaction, false).await?;
        transaction.commit().await?;
        Ok(connection)
    }

    async fn connect(&self) -> Result<AnyConnection, sqlx::Error> {
        let mut connection = AnyConnection::connect_with(&self.options).await?;
        if !self.is_sqlite() {
            connection.execute(POSTGRES).await?;
            return Ok(connection);
        }
        connection.execute(WAIT).await?;
        // The one statement that does not wait for others that open the same new file.
        let mut tries = 0;
        while let Err(error) = connection.execute(WAL).await {
            tries += 1;
            if tries > 100 || Fault::of(&error) != Fault::Locked {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(connection)
    }

    async fn at_once<T, E>(
        &self,
        access: Access,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, Stop<E>>,
    ) -> Result<Result<T, E>, sqlx::Error> {
        let _turn = self.turn().await;
        let mut connection = self.connection().await?;
        let done = match access {
            Access::Statements => match work(&mut connection).await {
                Ok(done) => Ok(done),
                Err(Stop::Refused(error)) => Err(error),
                Err(Stop::Failed(error)) => return Err(error),
            },
            Access::Reading => finish(connection.begin().await?, work).await?,
            Access::Writing => finish(self.begin(&mut connection).await?, work).await?,
        };
        self.put_back(connection);
        Ok(done)
    }

    fn is_sqlite(&self) -> bool {
        self.options.database_url.scheme() == "sqlite"
    }

    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // The only error is a closed semaphore, and nobody closes this one.
        self.turns.acquire().await.ok()
    }

    /// One that is idle, or a new one.
    async fn connection(&self) -> Result<AnyConnection, sqlx::Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => self.connect().await,
        }
    }

    /// Begins a transaction that waits for other writers first.
    async fn begin<'c>(
        &self,
        connection: &'c mut AnyConnection,
    ) -> Result<Transaction<'c, Any>, sqlx::Error> {
        if self.is_sqlite() {
            return connection.begin_with("BEGIN IMMEDIATE").await;
        }
        let mut transaction = connection.begin().await?;
        let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(self.schema.lock);
        lock.execute(&mut *transaction).await?;
        Ok(transaction)
    }

    fn put_back(&self, connection: AnyConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    fn failed(&self, error: sqlx::Error) -> DatabaseError {
        DatabaseError::of(&self.place, error)
    }
}

async fn finish<T, E>(
    mut transaction: Transaction<'_, Any>,
    work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, Stop<E>>,
) -> Result<Result<T, E>, sqlx::Error> {
    match work(&mut transaction).await {
        Ok(done) => {
            transaction.commit().await?;
            Ok(Ok(done))
        }
        Err(Stop::Refused(error)) => {
            transaction.rollback().await?;
            Ok(Err(error))
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Database").field("place", &self.0.place).finish_non_exhaustive()
    }
}

/// What is written survives the machine's end, not just the program's.
const WAIT: &str = "PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL";
const WAL: &str = "PRAGMA journal_mode = WAL";
const POSTGRES: &str = "SET lock_timeout = '5s'; SET default_transaction_isolation = 'read committed'";
/// Longest wait for the database, other calls' turns included. Nobody who has paid waits longer for the answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Most statements that SQLite commits together, so that none waits for long.
const TOGETHER: usize = 256;
/// Of these tables; nothing of others'.
const VERSION: &str = "SELECT MAX(version) FROM _sqlx_migrations \
    WHERE EXISTS (SELECT 1 FROM _sqlx_migrations WHERE version = 1 AND description = $1)";
/// The newest migration.
const NEWEST: i64 = 1;
