//! A ledger that lasts as long as its process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use mpp_core::Amount;

use super::budget::{self, Span};
use super::{Budget, Currency, Ledger, LedgerError, LedgerFuture, Scope, Slots, State, Step, reserved_at};
use crate::payment::{Payment, sum};

/// A ledger in memory: it keeps every limit, but forgets with its process what was spent. Of the payments that are done
/// with it remembers the newest ten thousand.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    payments: BTreeMap<u64, Payment>,
    totals: HashMap<(Currency, Scope, Span), BTreeMap<u64, Amount>>,
    newest: Option<u64>,
    last_id: u64,
}

impl MemoryLedger {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        MemoryLedger::default()
    }

    /// The one that clients use which are given none: budgets per process are the process's.
    pub(crate) fn shared() -> Arc<MemoryLedger> {
        static SHARED: OnceLock<Arc<MemoryLedger>> = OnceLock::new();
        Arc::clone(SHARED.get_or_init(Arc::default))
    }

    /// No code of others runs while it is held, so a panic leaves nothing half done.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for MemoryLedger {
    fn reserve<'a>(&'a self, payment: Payment, budget: &'a Budget) -> LedgerFuture<'a, Payment> {
        Box::pin(async move { self.books().reserve(payment, budget) })
    }

    fn advance(&self, id: u64, step: Step, now: u64) -> LedgerFuture<'_, Payment> {
        Box::pin(async move { self.books().advance(id, step, now) })
    }

    fn payment(&self, id: u64) -> LedgerFuture<'_, Option<Payment>> {
        Box::pin(async move { Ok(self.books().payments.get(&id).cloned()) })
    }

    fn payments(&self, before: Option<u64>, most: u32, open: bool) -> LedgerFuture<'_, Vec<Payment>> {
        Box::pin(async move {
            let books = self.books();
            let older = books.payments.range(..before.unwrap_or(u64::MAX)).rev().map(|(_, payment)| payment);
            let wanted = older.filter(|payment| !open || payment.settled.is_none());
            Ok(wanted.take(usize::try_from(most).unwrap_or(usize::MAX)).cloned().collect())
        })
    }

    fn spent(&self, currency: Currency, scope: Scope, slots: Slots) -> LedgerFuture<'_, Amount> {
        Box::pin(async move { Ok(self.books().spent(currency, scope, slots)) })
    }
}

impl Books {
    fn reserve(&mut self, mut payment: Payment, budget: &Budget) -> Result<Payment, LedgerError> {
        payment.reserved_at = reserved_at(payment.reserved_at, self.newest)?;
        let currency = payment.currency();
        for (limit, asked, slots) in budget.applying(&payment) {
            let spent = slots.map_or(Amount::ZERO, |slots| self.spent(currency, limit.scope.clone(), slots));
            limit.admit(spent, asked).map_err(|over| LedgerError::OverBudget(Box::new(over)))?;
        }
        self.last_id += 1;
        payment.id = self.last_id;
        self.newest = Some(payment.reserved_at);
        self.count(None, &payment);
        self.forget();
        self.payments.insert(payment.id, payment.clone());
        Ok(payment)
    }

    fn advance(&mut self, id: u64, step: Step, now: u64) -> Result<Payment, LedgerError> {
        let old = self.payments.get(&id).cloned().ok_or(LedgerError::Missing { id })?;
        let mut new = old.clone();
        new.advance(step, now).map_err(|state| LedgerError::Closed { id, state })?;
        self.count(Some(&old), &new);
        self.payments.insert(id, new.clone());
        Ok(new)
    }

    /// Counts a payment for what it is now instead of what it was.
    fn count(&mut self, old: Option<&Payment>, new: &Payment) {
        let before = old.map(budget::shares);
        for (index, (scope, after)) in budget::shares(new).into_iter().enumerate() {
            let before = before.as_ref().and_then(|shares| shares.get(index));
            let before = before.map_or(Amount::ZERO, |(_, amount)| *amount);
            // Whoever pays nothing can name any number of realms.
            if before == after {
                continue;
            }
            for span in Span::ALL {
                let slots = self.totals.entry((new.currency(), scope.clone(), span)).or_default();
                let total = slots.entry(span.slot(new)).or_default();
                *total = sum(*total, after).checked_sub(before).unwrap_or(Amount::ZERO);
                // One more than the longest window has.
                if slots.len() > MAX_SLOTS {
                    slots.pop_first();
                }
            }
        }
    }

    fn spent(&self, currency: Currency, scope: Scope, slots: Slots) -> Amount {
        let totals = self.totals.get(&(currency, scope, slots.span));
        let counting = totals.into_iter().flat_map(|totals| totals.range(slots.first..=slots.last()));
        counting.fold(Amount::ZERO, |total, (_, amount)| sum(total, *amount))
    }

    /// Makes room for one more, if something that is done with can go.
    fn forget(&mut self) {
        if self.payments.len() < KEPT {
            return;
        }
        let needed =
            |payment: &Payment| matches!(payment.state, State::Reserved | State::Sent | State::Unknown);
        if let Some(id) = self.payments.values().find(|payment| !needed(payment)).map(|payment| payment.id) {
            self.payments.remove(&id);
        }
    }
}

/// Most payments remembered.
const KEPT: usize = 10_000;
/// Most slots of a kind remembered; an hour has 61 minutes that count.
const MAX_SLOTS: usize = 64;
