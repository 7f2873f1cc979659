//! Where payments are written down before they are made: budgets are kept here, and a crash loses nothing.
//!
//! Every payment is a record. It is reserved before it is signed, in one step with the check of every limit; marked as
//! sent, signature and all, before the credential leaves; and moved on by what comes back. What is still open, because
//! an answer was lost or a process was killed, [`reconcile`](crate::reconcile) asks the chain about.
//!
//! [`MemoryLedger`] is what a [`Client`](crate::Client) has when it is given no other.
#![cfg_attr(feature = "sqlite", doc = "[`SqlLedger::sqlite`] keeps a file that several processes can share.")]
#![cfg_attr(feature = "postgres", doc = "[`SqlLedger::postgres`] is for several machines with one wallet.")]

mod budget;
mod memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod row;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use mpp_core::Amount;

pub use crate::payment::State;
pub use crate::step::{Answer, Settled, Signed, Step};
pub use budget::{Budget, Currency, Limit, OverBudget, Scope, Slots, Standing, Window};
pub use memory::MemoryLedger;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use sql::SqlLedger;

use crate::payment::Payment;

/// An answer to come from a ledger.
pub type LedgerFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, LedgerError>> + Send + 'a>>;

/// A journal of payments that knows what was spent. Code of yours can stand in front of one of the stores here, as their
/// methods are all there is to it; a new store has to be written in this crate.
///
/// Every method fails when the store does.
pub trait Ledger: Send + Sync {
    /// Writes a payment down as reserved and gives it its number, if it fits every limit of `budget`. Nothing can come
    /// between the check and the writing.
    ///
    /// # Errors
    /// [`LedgerError::OverBudget`] if it does not fit, and [`LedgerError::Clock`].
    fn reserve<'a>(&'a self, payment: Payment, budget: &'a Budget) -> LedgerFuture<'a, Payment>;

    /// Moves a payment on, at `now` in Unix seconds, and counts what it counts from then on.
    ///
    /// # Errors
    /// [`LedgerError::Closed`] for a payment that is to be sent and was sent or given up before, and
    /// [`LedgerError::Missing`].
    fn advance(&self, id: u64, step: Step, now: u64) -> LedgerFuture<'_, Payment>;

    /// A payment by its number.
    fn payment(&self, id: u64) -> LedgerFuture<'_, Option<Payment>>;

    /// At most `most` payments, the newest first, of those numbered below `before`; or only those that the chain
    /// has not yet had the last word on.
    fn payments(&self, before: Option<u64>, most: u32, open: bool) -> LedgerFuture<'_, Vec<Payment>>;

    /// What counts in these slots, in base units.
    fn spent(&self, currency: Currency, scope: Scope, slots: Slots) -> LedgerFuture<'_, Amount>;
}

impl<L: Ledger + ?Sized> Ledger for Arc<L> {
    fn reserve<'a>(&'a self, payment: Payment, budget: &'a Budget) -> LedgerFuture<'a, Payment> {
        L::reserve(self, payment, budget)
    }

    fn advance(&self, id: u64, step: Step, now: u64) -> LedgerFuture<'_, Payment> {
        L::advance(self, id, step, now)
    }

    fn payment(&self, id: u64) -> LedgerFuture<'_, Option<Payment>> {
        L::payment(self, id)
    }

    fn payments(&self, before: Option<u64>, most: u32, open: bool) -> LedgerFuture<'_, Vec<Payment>> {
        L::payments(self, before, most, open)
    }

    fn spent(&self, currency: Currency, scope: Scope, slots: Slots) -> LedgerFuture<'_, Amount> {
        L::spent(self, currency, scope, slots)
    }
}

/// Why a ledger did not do as it was told. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The payment does not fit the budget.
    #[error(transparent)]
    OverBudget(Box<OverBudget>),
    /// The clock is behind the ledger's last record by more than clocks differ.
    #[error(
        "the clock says {now} and the ledger's last payment was at {newest} (Unix seconds); set the clock right, or, if \
         it is the ledger that is wrong, use a new one"
    )]
    Clock {
        /// The time given, in Unix seconds.
        now: u64,
        /// The time of the newest payment, in Unix seconds.
        newest: u64,
    },
    /// The payment was given up in the meantime, or sent before.
    #[error("payment {id} is already {}, so it is not sent", state.name())]
    Closed {
        /// Its number.
        id: u64,
        /// Its state.
        state: State,
    },
    /// There is no such payment.
    #[error("the ledger holds no payment {id}")]
    Missing {
        /// The number asked for.
        id: u64,
    },
    /// More money than the ledger can count.
    #[error("{0} dollars are more than the ledger can count")]
    Amount(Amount),
    /// The database failed.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    #[error("the ledger {0}")]
    Store(#[source] mpp_database::DatabaseError),
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl From<mpp_database::DatabaseError> for LedgerError {
    fn from(error: mpp_database::DatabaseError) -> Self {
        LedgerError::Store(error)
    }
}

/// The time to write down for a payment made at `now`, given the newest there is. Time in a ledger never runs
/// backwards: clocks that differ a little are taken for the latest of them, and one that differs a lot is refused.
pub(crate) fn reserved_at(now: u64, newest: Option<u64>) -> Result<u64, LedgerError> {
    match newest {
        Some(newest) if newest > now.saturating_add(CLOCK_TOLERANCE) => {
            Err(LedgerError::Clock { now, newest })
        }
        newest => Ok(now.max(newest.unwrap_or_default())),
    }
}

/// A number for this process that no other is likely to have.
pub(crate) fn process() -> u64 {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    *PROCESS.get_or_init(|| {
        let mut bytes = [0; 8];
        // Without randomness nothing is signed, so that nothing is counted either.
        let _ = getrandom::fill(&mut bytes);
        u64::from_ne_bytes(bytes) >> 1
    })
}

/// How many seconds the clocks that write to one ledger may differ.
const CLOCK_TOLERANCE: u64 = 600;
