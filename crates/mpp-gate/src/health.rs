//! Whether payments can be taken: what failed a moment ago is believed to fail still, so that nobody is asked to pay for
//! what could not be settled or written down.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::answer;
use crate::gate::Gate;
use crate::now;

#[derive(Default)]
pub(crate) struct Health(Mutex<Option<Fault>>);

struct Fault {
    reason: String,
    until: Instant,
}

impl Health {
    /// Takes note of a failure; `error` is told to payers, its causes to the log only.
    pub(crate) fn fail(&self, error: &dyn std::error::Error) {
        let mut fault = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.is_none() {
            tracing::error!(error = answer::chain(error), "nothing can be sold");
        }
        let Some(until) = Instant::now().checked_add(BELIEVED) else { return };
        *fault = Some(Fault { reason: error.to_string(), until });
    }

    fn mend(&self) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("sales go on");
        }
    }
}

impl Gate {
    /// Why nothing can be sold right now, such as a node or a database that does not answer; meanwhile requests are
    /// answered `503` with `Retry-After` instead of a challenge.
    #[must_use]
    pub fn unready(&self) -> Option<String> {
        let mut fault = self.health.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Without maintenance nobody looks again, so that the next request is the one to try.
        if fault.as_ref().is_some_and(|fault| fault.until < Instant::now()) {
            *fault = None;
        }
        fault.as_ref().map(|fault| fault.reason.clone())
    }

    /// Looks at node and store, and at the sponsor's balance.
    pub(crate) async fn probe(&self) {
        let chain = self.chain.probe().await;
        let store = self.store.probe(now()).await;
        match (&chain, &store) {
            (Err(error), _) => self.health.fail(error),
            (_, Err(error)) => self.health.fail(error),
            (Ok(()), Ok(())) => self.health.mend(),
        }
        if let Some(sponsorship) = &self.sponsorship {
            sponsorship.look(&*self.chain).await;
        }
    }
}

/// Longer than it takes until somebody looks again.
const BELIEVED: Duration = Duration::from_secs(10);
