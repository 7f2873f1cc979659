//! What a call tells the ledger, also when the ledger does not listen and when the call is dropped.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::runtime::Handle;

use crate::chain::Rpc;
use crate::error::{Error, Failure};
use crate::ledger::{Budget, Ledger, LedgerError, Signed, State, Step};
use crate::payment::Payment;
use crate::reconcile::watch;

/// The ledger of a client, and the node it asks what became of payments.
#[derive(Clone)]
pub(crate) struct Journal {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) rpc: Option<Rpc>,
}

/// A payment of a call under way.
pub(crate) struct Entry {
    journal: Journal,
    payment: Box<Payment>,
    /// What the ledger has not heard yet.
    missed: Vec<Step>,
}

impl Journal {
    /// Sets the money of a payment aside.
    pub(crate) async fn reserve(&self, payment: Payment, budget: &Budget) -> Result<Entry, LedgerError> {
        let payment = Box::new(self.ledger.reserve(payment, budget).await?);
        Ok(Entry { journal: self.clone(), payment, missed: Vec::new() })
    }
}

impl Entry {
    /// The payment as far as is known.
    pub(crate) fn payment(&self) -> &Payment {
        &self.payment
    }

    /// The node of its call.
    pub(crate) fn rpc(&self) -> Option<&Rpc> {
        self.journal.rpc.as_ref()
    }

    /// The error of a call that ends without an answer, the payment as far as is known.
    pub(crate) fn lost(&self, failure: Failure) -> Error {
        Error::AfterSigning { payment: self.payment.clone(), failure }
    }

    /// Writes down that the credential is about to leave; if it cannot, it must not leave.
    pub(crate) async fn sent(&mut self, signed: Signed) -> Result<(), LedgerError> {
        let ledger = &self.journal.ledger;
        *self.payment = ledger.advance(self.payment.id, Step::Sent(signed), now()).await?;
        Ok(())
    }

    /// Moves the payment on. A ledger that fails now holds nothing up: it hears of the step together with the next, or
    /// reconciling finds out the rest.
    pub(crate) async fn note(&mut self, step: Step) {
        let now = now();
        // Only being sent can be refused, and this is not that.
        let _ = self.payment.advance(step.clone(), now);
        self.missed.push(step);
        while let Some(step) = self.missed.first() {
            match self.journal.ledger.advance(self.payment.id, step.clone(), now).await {
                Ok(known) => {
                    self.missed.remove(0);
                    if self.missed.is_empty() {
                        *self.payment = known;
                    }
                }
                Err(error) => {
                    tracing::warn!(self.payment.id, %error, "the ledger missed a step");
                    return;
                }
            }
        }
    }
}

/// However a call ends, and be it by being dropped: what was only set aside is given back, and what was sent is looked up,
/// if there is a node to ask.
impl Drop for Entry {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        let (Journal { ledger, rpc }, id) = (self.journal.clone(), self.payment.id);
        match (self.payment.state, &self.payment.settled, rpc) {
            (State::Reserved, ..) => drop(runtime.spawn(async move {
                let _ = ledger.advance(id, Step::GivenUp, now()).await;
            })),
            (_, None, Some(rpc)) => drop(runtime.spawn(async move {
                match watch(&*ledger, &rpc, id).await {
                    Ok(known) => {
                        tracing::info!(payment.id = id, state = known.state.name(), "looked up on chain")
                    }
                    Err(error) => tracing::warn!(payment.id = id, %error, "could not be looked up on chain"),
                }
            })),
            _ => {}
        }
    }
}

/// Unix seconds; the only clock of a payment.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
