//! The breaker between payers and a service that is down: it is told how orders end, and says whether the next one is
//! worth being paid. Time is a parameter.
//!
//! Closed, it lets every order through. Some failures in a row open it for a pause, and so does a service that names one
//! itself. After the pause one paid order finds out: an answer closes it, a failure opens it for twice as long. Until
//! that order has ended nobody else is charged; asking for a price alone holds nobody up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// In a row.
    failures: u32,
    /// When the pause ends or ended; nothing while the breaker is closed.
    until: Option<Instant>,
    pause: Duration,
    /// Whether an order is finding out if the service is back.
    trying: bool,
}

/// An order on its way to the service. Dropped, it says nothing of the service.
#[derive(Debug)]
pub(crate) struct Attempt {
    breaker: Arc<Breaker>,
    trying: bool,
}

impl Breaker {
    /// After how many seconds to come back; nothing where an order may be paid.
    pub(crate) fn pause(&self, now: Instant) -> Option<u64> {
        let state = self.state();
        let left = state.until?.saturating_duration_since(now);
        match (left.is_zero(), state.trying) {
            (true, false) => None,
            (true, true) => Some(FIRST_PAUSE.as_secs()),
            (false, _) => Some(left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0))),
        }
    }

    /// An order that is paid, and is tried whatever there is to say against it.
    pub(crate) fn attempt(self: &Arc<Self>, now: Instant) -> Attempt {
        let mut state = self.state();
        let trying = state.until.is_some_and(|until| until <= now);
        state.trying |= trying;
        Attempt { breaker: Arc::clone(self), trying }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here is ever half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// The service has answered.
    pub(crate) fn succeeded(self) {
        *self.breaker.state() = State::default();
    }

    /// The service has failed, and may have said for how many seconds it will.
    pub(crate) fn failed(self, now: Instant, asked: Option<u64>) {
        let mut state = self.breaker.state();
        state.failures = state.failures.saturating_add(1);
        // Orders that were under way when it opened tell nothing new.
        let over = state.until.map_or(state.failures >= FAILURES, |until| until <= now);
        if over {
            state.pause = state.pause.saturating_mul(2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            state.until = Some(now + state.pause);
        }
        if let Some(seconds) = asked {
            let asked = now + Duration::from_secs(seconds).min(LONGEST_ASKED);
            state.until = state.until.max(Some(asked));
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.trying {
            self.breaker.state().trying = false;
        }
    }
}

const FAILURES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Of the pauses that a service asks for: one who errs by a day is not believed.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Arc<Breaker>, times: u32, now: Instant) {
        for _ in 0..times {
            breaker.attempt(now).failed(now, None);
        }
    }

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_for_longer_each_time_up_to_a_bound() {
        let (breaker, mut now) = (Arc::new(Breaker::default()), Instant::now());
        fail(&breaker, FAILURES - 1, now);
        breaker.attempt(now).succeeded();
        fail(&breaker, FAILURES - 1, now);
        drop(breaker.attempt(now));
        assert_eq!(breaker.pause(now), None);
        for pause in [5, 10, 20, 40, 80, 160, 300, 300] {
            fail(&breaker, 1, now);
            assert_eq!(breaker.pause(now), Some(pause));
            fail(&breaker, 3, now + seconds(1));
            assert_eq!(breaker.pause(now + seconds(1)), Some(pause - 1), "stragglers make it no longer");
            now += seconds(pause);
            assert_eq!(breaker.pause(now - Duration::from_millis(1)), Some(1));
            assert_eq!(breaker.pause(now), None);
        }
        breaker.attempt(now).succeeded();
        fail(&breaker, FAILURES - 1, now);
        assert_eq!(breaker.pause(now), None);
        fail(&breaker, 1, now);
        assert_eq!(breaker.pause(now), Some(5), "it starts over");
    }

    #[test]
    fn after_the_pause_one_order_finds_out_while_nobody_else_is_charged() {
        let (breaker, start) = (Arc::new(Breaker::default()), Instant::now());
        fail(&breaker, FAILURES, start);
        let early = breaker.attempt(start);
        let now = start + seconds(5);
        assert_eq!(breaker.pause(now), None, "an order from before holds nobody up");
        let first = breaker.attempt(now);
        assert_eq!(breaker.pause(now), Some(5));
        drop(early);
        assert_eq!(breaker.pause(now), Some(5));
        drop(first);
        assert_eq!(breaker.pause(now), None, "that order told nothing");
        breaker.attempt(now).failed(now, None);
        assert_eq!(breaker.pause(now), Some(10));
        let second = breaker.attempt(now + seconds(10));
        assert_eq!(breaker.pause(now + seconds(10)), Some(5));
        second.succeeded();
        assert_eq!(breaker.pause(now), None);
    }

    #[test]
    fn a_service_that_says_for_how_long_is_believed_at_once_up_to_a_bound() {
        let (breaker, now) = (Arc::new(Breaker::default()), Instant::now());
        breaker.attempt(now).failed(now, Some(30));
        assert_eq!(breaker.pause(now), Some(30));
        breaker.attempt(now).failed(now, Some(7));
        assert_eq!(breaker.pause(now), Some(30));
        breaker.attempt(now).failed(now, Some(u64::MAX));
        assert_eq!(breaker.pause(now), Some(3600));
        breaker.attempt(now).succeeded();
        assert_eq!(breaker.pause(now), None);
    }
}
