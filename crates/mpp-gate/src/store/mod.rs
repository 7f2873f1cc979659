//! Where sales are kept: every challenge and every transaction is taken once, whoever asks at the same time, and what
//! was paid for is there after a crash.

mod memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod row;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;

use std::pin::Pin;
use std::sync::Arc;

use crate::BoxError;
pub use crate::sale::{Sale, State};
pub(crate) use memory::MemoryStore;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use sql::SqlStore;

/// Remembers sales. Each call happens whole or not at all, between instances too. Code of yours can stand in front of
/// one of the stores here; a new one has to be written in this crate.
pub trait Store: Send + Sync {
    /// Writes a sale down as a new one; or says which has its challenge, its transaction or its `Idempotency-Key`.
    fn claim<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, Option<Sale>>;

    /// The sale to a challenge.
    fn of_challenge<'a>(&'a self, challenge_id: &'a str) -> StoreFuture<'a, Option<Sale>>;

    /// The sale with an `Idempotency-Key`, as its digest.
    fn of_idempotency<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Sale>>;

    /// The sale whose receipt names `reference`.
    fn of_reference<'a>(&'a self, reference: &'a str) -> StoreFuture<'a, Option<Sale>>;

    /// Writes the next version of a sale; `false` when somebody else did before.
    fn advance<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, bool>;

    /// Forgets a sale whose payment has not happened, if it is still this version.
    fn forget<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, ()>;

    /// At most `most` sales that are due at `now`, in Unix seconds, the longest due first; one that cannot be read is an
    /// error among them.
    fn due(&self, now: u64, most: u32) -> StoreFuture<'_, Vec<Result<Sale, StoreError>>>;

    /// What is owed to payers: how many sales have to be refunded and are not.
    fn owed(&self) -> StoreFuture<'_, u64>;

    /// Drops the answers, not the records, of sales that ended before `before`, in Unix seconds.
    fn prune(&self, before: u64) -> StoreFuture<'_, ()>;

    /// Whether anything can be written at `now`, in Unix seconds.
    fn probe(&self, now: u64) -> StoreFuture<'_, ()>;
}

/// A store's answer to come.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

impl<S: Store + ?Sized> Store for Arc<S> {
    fn claim<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, Option<Sale>> {
        (**self).claim(sale)
    }

    fn of_challenge<'a>(&'a self, challenge_id: &'a str) -> StoreFuture<'a, Option<Sale>> {
        (**self).of_challenge(challenge_id)
    }

    fn of_idempotency<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Sale>> {
        (**self).of_idempotency(key)
    }

    fn of_reference<'a>(&'a self, reference: &'a str) -> StoreFuture<'a, Option<Sale>> {
        (**self).of_reference(reference)
    }

    fn advance<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, bool> {
        (**self).advance(sale)
    }

    fn forget<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, ()> {
        (**self).forget(sale)
    }

    fn due(&self, now: u64, most: u32) -> StoreFuture<'_, Vec<Result<Sale, StoreError>>> {
        (**self).due(now, most)
    }

    fn owed(&self) -> StoreFuture<'_, u64> {
        (**self).owed()
    }

    fn prune(&self, before: u64) -> StoreFuture<'_, ()> {
        (**self).prune(before)
    }

    fn probe(&self, now: u64) -> StoreFuture<'_, ()> {
        (**self).probe(now)
    }
}

/// A store that did not do as it was told.
#[derive(Debug, thiserror::Error)]
#[error("the store of sales did not answer")]
pub struct StoreError(#[source] BoxError);

impl StoreError {
    /// Wraps the store's own error.
    pub fn new(source: impl Into<BoxError>) -> Self {
        StoreError(source.into())
    }
}
