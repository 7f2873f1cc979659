//! What was paid with before: every challenge and every transaction is taken once, whoever asks at the same time.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use alloy_primitives::B256;

/// What a payment uses up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The challenge it answers.
    pub challenge_id: String,
    /// The transaction's hash; `None` for a proof.
    pub transaction: Option<B256>,
    /// When the challenge expires, in Unix seconds. Afterwards it is refused without asking the store.
    pub expires_at: u64,
}

/// Remembers claims, for longer than a process lives. An implementation that several instances share must be as atomic
/// between them as within one.
pub trait ReplayStore: Send + Sync {
    /// Takes the challenge and the transaction, both or neither; `false` when either was taken before. `now` is in Unix
    /// seconds.
    fn claim<'a>(&'a self, claim: &'a Claim, now: u64) -> StoreFuture<'a, bool>;

    /// Gives back a claim whose payment has not happened.
    fn release<'a>(&'a self, claim: &'a Claim) -> StoreFuture<'a, ()>;
}

/// A store's answer to come.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store that could not say.
#[derive(Debug, thiserror::Error)]
#[error("the replay store did not answer")]
pub struct StoreError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl StoreError {
    /// Wraps the store's own error.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        StoreError(source.into())
    }
}

/// Claims in this process's memory, for a gate whose secret is lost with them. They are dropped once their challenges
/// have expired.
#[derive(Default)]
pub(crate) struct MemoryReplays {
    claims: Mutex<Claims>,
}

#[derive(Default)]
struct Claims {
    /// What was taken, and until when it matters.
    taken: HashMap<Key, u64>,
    /// How many are worth looking through for expired ones.
    sweep_at: usize,
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    Challenge(String),
    Transaction(B256),
}

impl Claim {
    fn keys(&self) -> impl Iterator<Item = Key> {
        let challenge = Key::Challenge(self.challenge_id.clone());
        std::iter::once(challenge).chain(self.transaction.map(Key::Transaction))
    }
}

impl Claims {
    fn take(&mut self, claim: &Claim, now: u64) -> bool {
        if claim.keys().any(|key| self.taken.contains_key(&key)) {
            return false;
        }
        // Looking through all of them whenever they have doubled costs a constant a claim.
        if self.taken.len() >= self.sweep_at {
            self.taken.retain(|_, expires_at| expires_at.saturating_add(CLOCK_STEP) > now);
            self.sweep_at = self.taken.len().saturating_mul(2).max(MIN_SWEEP);
        }
        self.taken.extend(claim.keys().map(|key| (key, claim.expires_at)));
        true
    }
}

impl ReplayStore for MemoryReplays {
    fn claim<'a>(&'a self, claim: &'a Claim, now: u64) -> StoreFuture<'a, bool> {
        let taken = self.claims.lock().unwrap_or_else(PoisonError::into_inner).take(claim, now);
        Box::pin(std::future::ready(Ok(taken)))
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> StoreFuture<'a, ()> {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        for key in claim.keys() {
            claims.taken.remove(&key);
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

/// How far a clock may be set back, in seconds, without an expired claim being needed again.
const CLOCK_STEP: u64 = 3600;
/// Fewer claims than this are not worth looking through.
const MIN_SWEEP: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(id: usize, hash: Option<u8>, expires_at: u64) -> Claim {
        Claim { challenge_id: id.to_string(), transaction: hash.map(B256::repeat_byte), expires_at }
    }

    #[test]
    fn a_challenge_and_a_transaction_are_taken_once_and_together() {
        let mut claims = Claims::default();
        assert!(claims.take(&claim(1, Some(1), 100), 50));
        assert!(!claims.take(&claim(1, Some(2), 100), 50));
        assert!(!claims.take(&claim(2, Some(1), 100), 50));
        assert!(claims.take(&claim(2, Some(2), 100), 50), "a refused claim took a half");
    }

    #[test]
    fn expired_claims_do_not_pile_up_and_live_ones_stay() {
        let mut claims = Claims::default();
        let live = claim(0, None, u64::MAX);
        assert!(claims.take(&live, 0));
        for id in 1..100_000 {
            let now = u64::try_from(id).unwrap();
            assert!(claims.take(&claim(id, None, now + 300), now));
        }
        assert!(claims.taken.len() < 20_000, "{}", claims.taken.len());
        assert!(!claims.take(&live, 1_000_000));
    }
}
