//! Settles what a ledger has open: a node's answers in, last words on payments out.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::chain::{Rpc, RpcError};
use crate::journal::now;
use crate::ledger::{Ledger, LedgerError, Settled, State, Step};
use crate::payment::Payment;

/// What asking the chain about every open payment came to.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// The payments that were open and no longer are, as they are now.
    pub settled: Vec<Payment>,
    /// Those that still are, and why.
    pub open: Vec<(Payment, Open)>,
}

/// Why a payment stays open. Until it is settled it counts as spent.
#[derive(Debug)]
#[non_exhaustive]
pub enum Open {
    /// It was set aside or sent a moment ago.
    UnderWay,
    /// It is not on the chain, and may yet be.
    MayStillHappen {
        /// The chain's time from which on it can no longer, the node's margin included, in Unix seconds.
        until: u64,
    },
    /// The node is on another chain.
    OtherChain {
        /// The payment's chain.
        asked: u64,
        /// The node's.
        node: u64,
    },
    /// There is no node to ask, and nothing but the chain can tell.
    NoNode,
    /// The node did not say.
    Failed(RpcError),
    /// The node was not asked, as it had not answered before.
    NotAsked,
}

/// Settles what can be settled of the ledger's open payments, by asking `rpc`. Without it only payments that were never
/// sent are; without an answer from it the rest stay open, each with the reason.
///
/// # Errors
/// When the ledger fails. What was settled before stays so.
pub async fn reconcile(ledger: &dyn Ledger, rpc: Option<&Rpc>) -> Result<Reconciled, ReconcileError> {
    let mut reconciled = Reconciled::default();
    let mut silent = false;
    let mut before = None;
    loop {
        let read_at = now();
        let page = ledger.payments(before, PAGE, true).await?;
        let Some(last) = page.last() else { return Ok(reconciled) };
        before = Some(last.id());
        for payment in page {
            let step = match verdict(&payment, rpc.filter(|_| !silent), read_at).await {
                Err(Open::NoNode) if silent => Err(Open::NotAsked),
                step => step,
            };
            match step {
                Ok(step) => match ledger.advance(payment.id(), step, now()).await {
                    Ok(payment) if payment.settled().is_some() => reconciled.settled.push(payment),
                    Ok(payment) => reconciled.open.push((payment, Open::UnderWay)),
                    // A ledger in memory may have let go of it.
                    Err(LedgerError::Missing { .. }) => {}
                    Err(error) => return Err(error.into()),
                },
                Err(open) => {
                    silent |= matches!(&open, Open::Failed(error) if error.is_silence());
                    reconciled.open.push((payment, open));
                }
            }
        }
    }
}

/// The last word on a payment read at `read_at`, or why there is none.
async fn verdict(payment: &Payment, rpc: Option<&Rpc>, read_at: u64) -> Result<Step, Open> {
    if payment.state() == State::Reserved {
        let age = read_at.saturating_sub(payment.reserved_at());
        return match age > ABANDONED {
            true => Ok(Step::GivenUp),
            false => Err(Open::UnderWay),
        };
    }
    // A proof of identity moves no money.
    if payment.quote().amount.is_zero() {
        return Ok(Step::Settled(Settled::nothing(now())));
    }
    let rpc = rpc.ok_or(Open::NoNode)?;
    match rpc.find(payment, now()).await {
        Ok(Some(settled)) => Ok(Step::Settled(settled)),
        Ok(None) => Err(Open::MayStillHappen { until: rpc.final_at(payment).unwrap_or(u64::MAX) }),
        Err(RpcError::Chain { asked, node }) => Err(Open::OtherChain { asked, node }),
        Err(error) => Err(Open::Failed(error)),
    }
}

/// Asks `rpc` about one payment, once a second, until the chain has the last word on it: at most as long as it may yet
/// happen, and a minute more.
///
/// # Errors
/// When that time is over, the node is on another chain, or the ledger fails.
pub async fn watch(ledger: &dyn Ledger, rpc: &Rpc, id: u64) -> Result<Payment, ReconcileError> {
    let payment = ledger.payment(id).await?.ok_or(LedgerError::Missing { id })?;
    if payment.settled().is_some() {
        return Ok(payment);
    }
    let last = rpc.final_at(&payment).unwrap_or_default().saturating_add(GRACE);
    let end = Instant::now().checked_add(Duration::from_secs(last.saturating_sub(now())));
    loop {
        let error = match rpc.find(&payment, now()).await {
            Ok(Some(settled)) => return Ok(ledger.advance(id, Step::Settled(settled), now()).await?),
            Ok(None) => None,
            Err(error @ RpcError::Chain { .. }) => return Err(ReconcileError::Node(error)),
            Err(error) => Some(error),
        };
        if end.is_none_or(|end| Instant::now() >= end) {
            return Err(error.map_or(ReconcileError::Undecided { id }, ReconcileError::Node));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl fmt::Display for Open {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Open::UnderWay => formatter.write_str("its call may still be under way"),
            Open::MayStillHappen { until } => {
                write!(formatter, "not on the chain, it may still happen until {until} (Unix seconds)")
            }
            Open::OtherChain { asked, node } => {
                write!(formatter, "it is on chain {asked}, and the node on chain {node}")
            }
            Open::NoNode => formatter.write_str("only a node of its chain can tell, and none is given"),
            Open::Failed(error) => error.fmt(formatter),
            Open::NotAsked => formatter.write_str("not asked about, as the node did not answer before"),
        }
    }
}

/// Why there is no last word on payments.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconcileError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The node did not say.
    #[error(transparent)]
    Node(RpcError),
    /// The chain has come no further than when the payment could still happen.
    #[error("the chain does not yet say what became of payment {id}; look it up again later")]
    Undecided {
        /// Its number.
        id: u64,
    },
}

/// Payments read at once.
const PAGE: u32 = 100;
/// Seconds after which a payment that was set aside is not waited for: a signature is given up after thirty unless the
/// caller says otherwise, and whoever is later still is refused by the ledger when he comes to send it.
const ABANDONED: u64 = 300;
/// How long a payment is watched beyond what the chain should need, in seconds.
const GRACE: u64 = 60;
/// Between two questions about a payment.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mpp_core::payee::Offer;
    use mpp_core::tempo::{MAINNET, PATH_USD};
    use mpp_core::{Amount, Challenge, ChargeRequest, Policy};

    use super::*;
    use crate::ledger::{Budget, MemoryLedger, Signed};

    #[tokio::test]
    async fn payment_set_aside_too_long_ago_is_given_up_and_can_no_longer_be_sent() {
        for (age, given_up) in [(ABANDONED - 5, false), (ABANDONED + 1, true)] {
            let ledger = MemoryLedger::new();
            let payment = ledger.reserve(payment(now() - age), &Budget::new()).await.unwrap();
            let done = reconcile(&ledger, None).await.unwrap();
            assert_eq!((done.settled.len(), done.open.len()), if given_up { (1, 0) } else { (0, 1) });
            let known = ledger.payment(payment.id()).await.unwrap().unwrap();
            assert_eq!(known.state(), if given_up { State::NotPaid } else { State::Reserved });
            assert_eq!(known.counted().is_zero(), given_up);
            let sent =
                Signed { at: 0, hash: None, memo: None, valid_before: None, transaction: Bytes::new() };
            assert_eq!(ledger.advance(payment.id(), Step::Sent(sent), now()).await.is_err(), given_up);
        }
    }

    #[tokio::test]
    async fn every_page_of_open_payments_is_gone_through() {
        let ledger = MemoryLedger::new();
        for _ in 0..=2 * PAGE {
            ledger.reserve(payment(now() - ABANDONED - 1), &Budget::new()).await.unwrap();
        }
        assert_eq!(reconcile(&ledger, None).await.unwrap().settled.len(), 201);
        assert_eq!(ledger.payments(None, PAGE, true).await.unwrap(), []);
    }

    fn payment(reserved_at: u64) -> Payment {
        let charge = ChargeRequest::new(Amount::from_base_units(1), PATH_USD, PATH_USD, MAINNET);
        let offer = Offer {
            realm: "shop.test",
            request: &charge,
            expires_at: None,
            digest: None,
            description: None,
            opaque: [].into(),
        };
        let challenge = Challenge::issue(b"a secret", &offer).unwrap();
        let policy = Policy::new(MAINNET, [PATH_USD], Amount::from_base_units(1));
        let approval = policy.approve(challenge, b"", reserved_at).unwrap();
        Payment::new(&http::Request::new(Bytes::new()), &approval, PATH_USD, reserved_at)
    }
}
