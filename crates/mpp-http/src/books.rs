//! What a call tells the ledger, and what happens when the ledger does not listen.

use std::sync::Arc;
use std::time::SystemTime;

use crate::chain::Rpc;
use crate::ledger::{Ledger, Step};
use crate::payment::Payment;

/// The ledger of a client and the node that it asks about lost payments.
#[derive(Clone)]
pub(crate) struct Books {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) rpc: Option<Rpc>,
}

impl Books {
    /// Moves a payment on after it was sent. A ledger that fails now does not hold the answer up: the payment stays open
    /// in it, and reconciling finds out the rest.
    pub(crate) async fn note(&self, payment: &mut Payment, step: Step) {
        let now = now();
        match self.ledger.advance(payment.id, step.clone(), now).await {
            Ok(known) => *payment = known,
            Err(error) => {
                tracing::warn!(payment.id, %error, "the ledger missed a step");
                // Only being sent can be refused, and it was not.
                let _ = payment.advance(step, now);
            }
        }
    }
}

/// Unix seconds; the only clock of a payment.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
