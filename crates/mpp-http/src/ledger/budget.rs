//! What may be spent over time: limits in, and what of a payment counts against which of them.

use std::fmt;

use mpp_core::Amount;
use mpp_core::tempo::Address;

use super::{Ledger, LedgerError};
use crate::payment::{Payment, sum};

/// Limits on what is spent, fees included; none to begin with. Each holds for each token on its own, in base units.
///
/// ```
/// use mpp_http::ledger::{Budget, Window};
///
/// let budget = Budget::new()
///     .per(Window::Call, "0.10".parse()?)
///     .per(Window::Day, "5".parse()?)
///     .realm("weather.example", Window::Hour, "0.50".parse()?);
/// # Ok::<(), mpp_core::error::AmountError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    limits: Vec<Limit>,
}

/// One limit of a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Which payments count.
    pub scope: Scope,
    /// Over which time.
    pub window: Window,
    /// The most they may come to, in base units.
    pub amount: Amount,
}

/// The payments that a limit counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All of the ledger's.
    All,
    /// Those of a realm.
    Realm(String),
    /// What this address receives of them, fees not included.
    Recipient(Address),
}

/// The time over which a limit counts.
///
/// The rolling ones reach back a little further than they say, so that they never let more through: an hour by up to a
/// minute, a day by up to an hour, a month by up to a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// A single payment.
    Call,
    /// As long as this process runs.
    Process,
    /// The last 60 minutes.
    Hour,
    /// The last 24 hours.
    Day,
    /// The last 30 days.
    Month,
}

/// A token on a chain: what amounts are amounts of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency {
    /// The chain.
    pub chain_id: u64,
    /// The TIP-20 token.
    pub token: Address,
}

/// A limit and how much of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// The limit.
    pub limit: Limit,
    /// What counts against it, payments whose outcome is unknown included.
    pub spent: Amount,
}

impl Standing {
    /// What may still be spent, in base units.
    #[must_use]
    pub fn left(&self) -> Amount {
        self.limit.amount.checked_sub(self.spent).unwrap_or(Amount::ZERO)
    }
}

impl Budget {
    /// No limits.
    #[must_use]
    pub fn new() -> Self {
        Budget::default()
    }

    /// Limits all payments together, to `amount` base units of each token.
    #[must_use]
    pub fn per(self, window: Window, amount: Amount) -> Self {
        self.and(Scope::All, window, amount)
    }

    /// Limits the payments of one realm. A realm is what a server calls itself: this holds against a server only together
    /// with [`Policy::realms`](mpp_core::Policy::realms).
    #[must_use]
    pub fn realm(self, realm: impl Into<String>, window: Window, amount: Amount) -> Self {
        self.and(Scope::Realm(realm.into()), window, amount)
    }

    /// Limits what one address receives.
    #[must_use]
    pub fn recipient(self, recipient: Address, window: Window, amount: Amount) -> Self {
        self.and(Scope::Recipient(recipient), window, amount)
    }

    fn and(mut self, scope: Scope, window: Window, amount: Amount) -> Self {
        self.limits.push(Limit { scope, window, amount });
        self
    }

    /// The limits, in the order they were given.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// What is left of each limit for one currency, at `now` in Unix seconds.
    ///
    /// # Errors
    /// When the ledger can't be read.
    pub async fn standing(
        &self,
        ledger: &dyn Ledger,
        currency: Currency,
        now: u64,
    ) -> Result<Vec<Standing>, LedgerError> {
        let mut standing = Vec::with_capacity(self.limits.len());
        for limit in &self.limits {
            let spent = match Slots::of(limit.window, now) {
                None => Amount::ZERO,
                Some(slots) => ledger.spent(currency, limit.scope.clone(), slots).await?,
            };
            standing.push(Standing { limit: limit.clone(), spent });
        }
        Ok(standing)
    }

    /// The limits that `payment` counts against, with what it counts there, and the slots to sum for each; none for a
    /// limit per call.
    pub(crate) fn applying<'a>(
        &'a self,
        payment: &'a Payment,
    ) -> impl Iterator<Item = (&'a Limit, Amount, Option<Slots>)> {
        self.limits.iter().filter(|limit| limit.scope.covers(payment)).map(|limit| {
            let asked = match limit.scope {
                Scope::Recipient(to) => payment.counted_for(to),
                Scope::All | Scope::Realm(_) => payment.counted(),
            };
            (limit, asked, Slots::of(limit.window, payment.reserved_at))
        })
    }
}

impl FromIterator<Limit> for Budget {
    fn from_iter<I: IntoIterator<Item = Limit>>(limits: I) -> Self {
        Budget { limits: limits.into_iter().collect() }
    }
}

impl Scope {
    /// Whether a payment is one of those it counts.
    #[must_use]
    pub fn covers(&self, payment: &Payment) -> bool {
        match self {
            Scope::All => true,
            Scope::Realm(realm) => *realm == payment.quote.realm,
            Scope::Recipient(to) => payment.quote.transfers.iter().any(|share| share.to == *to),
        }
    }
}

impl Limit {
    /// Whether `asked` still fits beside `spent`.
    pub(crate) fn admit(&self, spent: Amount, asked: Amount) -> Result<(), OverBudget> {
        match sum(spent, asked) <= self.amount {
            true => Ok(()),
            false => Err(OverBudget { limit: self.clone(), spent, asked }),
        }
    }
}

/// A payment that a budget does not allow. Nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could take {asked} dollars{}; of the {} allowed {limit}, {} are left", self.fee(), limit.amount, self.left())]
#[non_exhaustive]
pub struct OverBudget {
    /// The limit it would break.
    pub limit: Limit,
    /// What counts against it already, in base units.
    pub spent: Amount,
    /// What the payment could take, in base units; its fee included, unless the limit is a recipient's.
    pub asked: Amount,
}

impl OverBudget {
    fn fee(&self) -> &'static str {
        if let Scope::Recipient(_) = self.limit.scope { "" } else { ", fee included" }
    }

    fn left(&self) -> Amount {
        self.limit.amount.checked_sub(self.spent).unwrap_or(Amount::ZERO)
    }
}

/// `an hour`, `a day for realm "weather.example"`.
impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.window {
            Window::Call => "a call",
            Window::Process => "a process",
            Window::Hour => "an hour",
            Window::Day => "a day",
            Window::Month => "a month",
        })?;
        match &self.scope {
            Scope::All => Ok(()),
            Scope::Realm(realm) => write!(formatter, " for realm \"{}\"", mpp_core::printable(realm, 200)),
            Scope::Recipient(to) => write!(formatter, " for recipient {to}"),
        }
    }
}

/// A row of adjoining time slots whose totals make up a window. Totals are kept by slot, so that a window takes at most 61
/// of them to sum, however many payments there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// The kind of slot.
    pub(crate) span: Span,
    /// The first that counts; all later ones do, so that a clock set back frees nothing.
    pub(crate) first: u64,
}

/// How totals are cut up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Span {
    Process,
    Minute,
    Hour,
    Day,
}

impl Span {
    pub(crate) const ALL: [Span; 4] = [Span::Process, Span::Minute, Span::Hour, Span::Day];

    /// The slot a payment falls in.
    pub(crate) fn slot(self, payment: &Payment) -> u64 {
        match self {
            Span::Process => payment.process,
            Span::Minute => payment.reserved_at / MINUTE,
            Span::Hour => payment.reserved_at / HOUR,
            Span::Day => payment.reserved_at / DAY,
        }
    }
}

impl Slots {
    /// Those of a window that ends at `now`; none for a single call.
    fn of(window: Window, now: u64) -> Option<Slots> {
        let (span, first) = match window {
            Window::Call => return None,
            Window::Process => (Span::Process, super::process()),
            Window::Hour => (Span::Minute, now.saturating_sub(HOUR) / MINUTE),
            Window::Day => (Span::Hour, now.saturating_sub(DAY) / HOUR),
            Window::Month => (Span::Day, now.saturating_sub(30 * DAY) / DAY),
        };
        Some(Slots { span, first })
    }

    /// The last that counts.
    pub(crate) fn last(self) -> u64 {
        if self.span == Span::Process { self.first } else { i64::MAX.unsigned_abs() }
    }
}

/// What a payment counts, by scope; a payment has the same scopes all its life.
pub(crate) fn shares(payment: &Payment) -> Vec<(Scope, Amount)> {
    let total = payment.counted();
    let mut shares = vec![(Scope::All, total), (Scope::Realm(payment.quote.realm.clone()), total)];
    for transfer in &payment.quote.transfers {
        let scope = Scope::Recipient(transfer.to);
        if shares.iter().all(|(known, _)| *known != scope) {
            shares.push((scope, payment.counted_for(transfer.to)));
        }
    }
    shares
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
