//! Sales in this process's memory, for a gate whose secret is lost with them. Those that ended and whose challenges have
//! expired are dropped.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use alloy_primitives::B256;

use super::{Sale, State, Store, StoreError, StoreFuture};

#[derive(Default)]
pub(crate) struct MemoryStore(Mutex<Sales>);

#[derive(Default)]
struct Sales {
    by_challenge: HashMap<String, Sale>,
    /// Who has a transaction or an `Idempotency-Key`, by the sale's challenge.
    taken: HashMap<Key, String>,
    by_reference: HashMap<String, String>,
    /// How many sales are worth looking through for old ones.
    sweep_at: usize,
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    Transaction(B256),
    Idempotency(String),
}

impl MemoryStore {
    fn sales(&self) -> MutexGuard<'_, Sales> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keys(sale: &Sale) -> impl Iterator<Item = Key> {
    let transaction = sale.payment.as_ref().map(|payment| Key::Transaction(payment.hash));
    let idempotency = sale.idempotency.clone().map(Key::Idempotency);
    transaction.into_iter().chain(idempotency)
}

impl Sales {
    fn claim(&mut self, sale: &Sale) -> Option<Sale> {
        let known = keys(sale).find_map(|key| self.taken.get(&key));
        if let Some(known) = self.by_challenge.get(known.unwrap_or(&sale.challenge_id)) {
            return Some(known.clone());
        }
        // Looking through all of them whenever they have doubled costs a constant a sale.
        if self.by_challenge.len() >= self.sweep_at {
            self.sweep(sale.claimed_at.saturating_sub(KEPT));
            self.sweep_at = self.by_challenge.len().saturating_mul(2).max(MIN_SWEEP);
        }
        self.insert(sale);
        None
    }

    fn sweep(&mut self, before: u64) {
        let old = |sale: &Sale| sale.ended_at.is_some_and(|ended| ended < before);
        let gone: Vec<Sale> = self.by_challenge.values().filter(|sale| old(sale)).cloned().collect();
        gone.iter().for_each(|sale| self.remove(sale));
    }

    fn insert(&mut self, sale: &Sale) {
        let id = &sale.challenge_id;
        self.taken.extend(keys(sale).map(|key| (key, id.clone())));
        self.by_reference.insert(sale.reference.clone(), id.clone());
        self.by_challenge.insert(id.clone(), sale.clone());
    }

    fn remove(&mut self, sale: &Sale) {
        for key in keys(sale) {
            self.taken.remove(&key);
        }
        self.by_reference.remove(&sale.reference);
        self.by_challenge.remove(&sale.challenge_id);
    }

    /// The sale as it is written, if nobody wrote it since `version`.
    fn at(&self, sale: &Sale, version: u64) -> Option<Sale> {
        self.by_challenge.get(&sale.challenge_id).filter(|held| held.version == version).cloned()
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> StoreFuture<'a, T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Store for MemoryStore {
    fn claim<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, Option<Sale>> {
        ready(self.sales().claim(sale))
    }

    fn of_challenge<'a>(&'a self, challenge_id: &'a str) -> StoreFuture<'a, Option<Sale>> {
        ready(self.sales().by_challenge.get(challenge_id).cloned())
    }

    fn of_idempotency<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Sale>> {
        let sales = self.sales();
        let id = sales.taken.get(&Key::Idempotency(key.to_owned()));
        ready(id.and_then(|id| sales.by_challenge.get(id)).cloned())
    }

    fn of_reference<'a>(&'a self, reference: &'a str) -> StoreFuture<'a, Option<Sale>> {
        let sales = self.sales();
        let sale = sales.by_reference.get(reference).and_then(|id| sales.by_challenge.get(id));
        ready(sale.cloned())
    }

    fn advance<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, bool> {
        let mut sales = self.sales();
        let held = sales.at(sale, sale.version.saturating_sub(1));
        if let Some(held) = &held {
            sales.remove(held);
            sales.insert(sale);
        }
        ready(held.is_some())
    }

    fn forget<'a>(&'a self, sale: &'a Sale) -> StoreFuture<'a, ()> {
        let mut sales = self.sales();
        if let Some(held) = sales.at(sale, sale.version) {
            sales.remove(&held);
        }
        ready(())
    }

    fn due(&self, now: u64, most: u32) -> StoreFuture<'_, Vec<Result<Sale, StoreError>>> {
        let sales = self.sales();
        let due = |sale: &&Sale| sale.due_at.is_some_and(|due| due <= now);
        let mut due: Vec<Sale> = sales.by_challenge.values().filter(due).cloned().collect();
        due.sort_by_key(|sale| sale.due_at);
        due.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        ready(due.into_iter().map(Ok).collect())
    }

    fn owed(&self) -> StoreFuture<'_, u64> {
        let sales = self.sales();
        let owed = |sale: &&Sale| matches!(sale.state, State::RefundDue | State::Refunding);
        ready(u64::try_from(sales.by_challenge.values().filter(owed).count()).unwrap_or(u64::MAX))
    }

    fn prune(&self, before: u64) -> StoreFuture<'_, ()> {
        self.sales().sweep(before);
        ready(())
    }

    fn probe(&self, _: u64) -> StoreFuture<'_, ()> {
        ready(())
    }
}

/// How long a sale is kept after it ended, in seconds: longer than its challenge can be paid, by a clock that may be set
/// back.
const KEPT: u64 = 3600 * 2;
/// Fewer sales than this are not worth looking through.
const MIN_SWEEP: usize = 1024;
