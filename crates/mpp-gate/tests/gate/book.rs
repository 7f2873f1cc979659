//! Sales in a file, as a test sees and changes them, and a store of them that fails when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mpp_gate::store::{Sale, SqlStore, Store, StoreError, StoreFuture};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};
use tempfile::TempDir;

use crate::support::eventually;

pub(crate) fn file(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("sales.db")
}

/// Runs a statement on the sales that a shop keeps in `folder`, and says how many it was about.
pub(crate) async fn write(folder: &TempDir, sql: &str) -> u64 {
    let mut book = open(folder).await;
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut book).await.unwrap().rows_affected()
}

/// The first column of what a statement finds, as text.
pub(crate) async fn read(folder: &TempDir, sql: &str) -> Vec<String> {
    let mut book = open(folder).await;
    let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut book).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

/// Waits until all sales are in these states.
pub(crate) async fn settles_down(folder: &TempDir, expected: &[&str]) {
    let what = format!("sales are {expected:?}");
    let states = || read(folder, "SELECT state FROM sales ORDER BY state");
    eventually(&what, async || (states().await == expected).then_some(())).await;
}

/// Whoever was at the sales is gone, for longer than anybody waits.
pub(crate) async fn age(folder: &TempDir) {
    assert!(write(folder, "UPDATE sales SET due_at = 0 WHERE due_at IS NOT NULL").await > 0);
}

async fn open(folder: &TempDir) -> AnyConnection {
    let url = format!("sqlite:{}", file(folder).display());
    let mut book = AnyConnection::connect(&url).await.unwrap();
    sqlx::query("PRAGMA busy_timeout = 5000").execute(&mut book).await.unwrap();
    book
}

/// Stands in front of a store, and fails while it is locked.
#[derive(Clone)]
pub(crate) struct Shelf {
    store: Arc<SqlStore>,
    locked: Arc<AtomicBool>,
}

impl Shelf {
    pub(crate) fn of(store: SqlStore) -> Self {
        Shelf { store: Arc::new(store), locked: Arc::default() }
    }

    pub(crate) fn lock(&self, locked: bool) {
        self.locked.store(locked, Ordering::SeqCst);
    }

    fn unless_locked<'a, T: Send + 'a>(&self, answer: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        if self.locked.load(Ordering::SeqCst) {
            return Box::pin(std::future::ready(Err(StoreError::new("locked"))));
        }
        answer
    }
}

impl Store for Shelf {
    fn claim<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, Option<Sale>> {
        self.unless_locked(self.store.claim(sale))
    }

    fn of_challenge<'a>(&'a self, challenge_id: &'a str) -> StoreFuture<'a, Option<Sale>> {
        self.unless_locked(self.store.of_challenge(challenge_id))
    }

    fn of_idempotency<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Sale>> {
        self.unless_locked(self.store.of_idempotency(key))
    }

    fn of_reference<'a>(&'a self, reference: &'a str) -> StoreFuture<'a, Option<Sale>> {
        self.unless_locked(self.store.of_reference(reference))
    }

    fn advance<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, bool> {
        self.unless_locked(self.store.advance(sale))
    }

    fn forget<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, ()> {
        self.unless_locked(self.store.forget(sale))
    }

    fn due(&self, now: u64, most: u32) -> StoreFuture<'_, Vec<Result<Sale, StoreError>>> {
        self.unless_locked(self.store.due(now, most))
    }

    fn owed(&self) -> StoreFuture<'_, u64> {
        self.unless_locked(self.store.owed())
    }

    fn prune(&self, before: u64) -> StoreFuture<'_, ()> {
        self.unless_locked(self.store.prune(before))
    }

    fn probe(&self, now: u64) -> StoreFuture<'_, ()> {
        self.unless_locked(self.store.probe(now))
    }
}
