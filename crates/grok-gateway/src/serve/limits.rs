//! How much is taken at once: of one place, and in all. Who carries a payment is never turned away for those who do not.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many in a second of each key on average, and `burst` of them at once (the "generic cell rate algorithm": of each
/// key it is kept when all that it had would have been due).
pub(crate) struct Rate<K> {
    interval: Duration,
    tolerance: Duration,
    due: Mutex<Due<K>>,
}

struct Due<K> {
    at: HashMap<K, Instant>,
    /// How many are worth looking through for those of long ago.
    sweep_at: usize,
}

impl<K: Eq + Hash> Rate<K> {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        let tolerance = interval.saturating_mul(burst.saturating_sub(1));
        let due = Mutex::new(Due { at: HashMap::new(), sweep_at: MIN_SWEEP });
        Rate { interval, tolerance, due }
    }

    /// Counts one of `key`.
    ///
    /// # Errors
    /// When it is one too many: how long to wait. It is then not counted.
    pub(crate) fn admit(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut due = lock(&self.due);
        let at = due.at.get(&key).copied().unwrap_or(now).max(now);
        let early = at.saturating_duration_since(now);
        if early > self.tolerance {
            return Err(early.saturating_sub(self.tolerance));
        }
        // Looking through all of them whenever they have doubled costs a constant each.
        if due.at.len() >= due.sweep_at {
            due.at.retain(|_, at| *at > now);
            due.sweep_at = due.at.len().saturating_mul(2).max(MIN_SWEEP);
        }
        due.at.insert(key, at.checked_add(self.interval).unwrap_or(at));
        Ok(())
    }
}

/// How many requests are worked on: some room is for those that carry a payment alone.
pub(crate) struct Rooms {
    common: Arc<Semaphore>,
    paid: Arc<Semaphore>,
}

impl Rooms {
    /// `all` of them, `reserved` for those with a payment; one at least is for everybody.
    pub(crate) fn new(all: usize, reserved: usize) -> Self {
        let common = all.saturating_sub(reserved).max(1);
        let paid = all.saturating_sub(common);
        Rooms { common: Arc::new(Semaphore::new(common)), paid: Arc::new(Semaphore::new(paid)) }
    }

    /// A place until the permit is dropped, if there is one.
    pub(crate) fn enter(&self, pays: bool) -> Option<OwnedSemaphorePermit> {
        let common = Arc::clone(&self.common).try_acquire_owned().ok();
        common.or_else(|| pays.then(|| Arc::clone(&self.paid).try_acquire_owned().ok())?)
    }
}

/// How many connections each place has.
#[derive(Clone)]
pub(crate) struct PerPlace {
    most: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl PerPlace {
    pub(crate) fn new(most: usize) -> Self {
        PerPlace { most, counts: Arc::default() }
    }

    /// One more of `place` until the guard is dropped, unless that is too many.
    pub(crate) fn enter(&self, place: IpAddr) -> Option<Counted> {
        let mut counts = lock(&self.counts);
        let count = counts.entry(place).or_default();
        if *count >= self.most {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Counted { counts: Arc::clone(&self.counts), place })
    }
}

/// One that counts.
pub(crate) struct Counted {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    place: IpAddr,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        let left = counts.get(&self.place).map_or(0, |count| count.saturating_sub(1));
        match left {
            0 => counts.remove(&self.place),
            left => counts.insert(self.place, left),
        };
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fewer keys than this are not worth looking through.
const MIN_SWEEP: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let rate = Rate::new(10, 5);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let passed = |from: u64, to: u64| (from..to).filter(|ms| rate.admit("a", at(*ms)).is_ok()).count();
        assert_eq!((0..9).filter(|_| rate.admit("a", start).is_ok()).count(), 5);
        assert_eq!(rate.admit("a", start), Err(Duration::from_millis(100)));
        assert_eq!(rate.admit("b", start), Ok(()), "another pays for it");
        assert_eq!(passed(1, 1001), 10);
        assert_eq!(passed(1001, 11_001), 100);
        assert_eq!((0..9).filter(|_| rate.admit("a", at(60_000)).is_ok()).count(), 5, "a pause gave more");
    }

    #[test]
    fn who_has_not_asked_for_long_is_forgotten() {
        let rate = Rate::new(10, 5);
        let start = Instant::now();
        for key in 0..100_000u64 {
            rate.admit(key, start + Duration::from_millis(key)).unwrap();
        }
        assert!(lock(&rate.due).at.len() < 3000);
    }

    #[test]
    fn reserved_rooms_are_for_payers_alone() {
        let rooms = Rooms::new(3, 2);
        let first = rooms.enter(false);
        assert!(first.is_some() && rooms.enter(false).is_none());
        let payers = [rooms.enter(true), rooms.enter(true)];
        assert!(payers.iter().all(Option::is_some) && rooms.enter(true).is_none());
        drop(first);
        assert!(rooms.enter(true).is_some(), "a payer may not use what everybody may");
    }

    #[test]
    fn a_place_has_only_so_many_connections_and_gets_them_back() {
        let places = PerPlace::new(2);
        let home = IpAddr::from([127, 0, 0, 1]);
        let (first, _second) = (places.enter(home), places.enter(home));
        assert!(places.enter(home).is_none());
        assert!(places.enter([127, 0, 0, 2].into()).is_some());
        drop(first);
        assert!(places.enter(home).is_some());
        assert_eq!(lock(&places.counts).len(), 1, "a place that has left is kept");
    }
}
