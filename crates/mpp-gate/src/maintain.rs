//! What nobody is at any more: money to give back, sales that a crash left behind, answers that were kept long enough.
//! A refund is signed anew only once the one before can never happen; each is written down before it is sent.

use std::time::Duration;

use mpp_core::payee::Refund;
use mpp_core::tempo::Fees;

use crate::answer;
use crate::chain::{ChainError, Found, Outgoing};
use crate::gate::Gate;
use crate::now;
use crate::sale::{Sale, State};
use crate::store::StoreError;

impl Gate {
    /// Looks after everything that is due, until it is dropped: refunds, what a crash left behind, answers that need not
    /// be kept any longer, the health of node and store. Several instances of a gate may do so at the same time.
    pub async fn maintain(&self) {
        let mut round: u64 = 0;
        loop {
            if round.is_multiple_of(PROBE_ROUNDS) {
                self.probe().await;
            }
            if let Err(error) = self.look_after(now()).await {
                self.health.fail(&error);
            }
            if round.is_multiple_of(PRUNE_ROUNDS)
                && let Err(error) = self.store.prune(now().saturating_sub(KEEP_ANSWERS)).await
            {
                self.health.fail(&error);
            }
            round = round.wrapping_add(1);
            tokio::time::sleep(ROUND).await;
        }
    }

    /// How many payers have to be refunded and are not yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn owed(&self) -> Result<u64, StoreError> {
        self.store.owed().await
    }

    async fn look_after(&self, now: u64) -> Result<(), StoreError> {
        for sale in self.store.due(now, AT_ONCE).await? {
            let sale = match sale {
                Ok(sale) => sale,
                // Somebody has to mend it, and nothing is sold till then; what others are due for does not wait for that.
                Err(error) => {
                    self.health.fail(&error);
                    continue;
                }
            };
            match sale.state {
                // This chain knows nothing of what happened on another.
                _ if sale.chain_id != self.chain.chain_id() => self.postpone(&sale, LATER).await?,
                State::Claimed => self.look_up(sale).await?,
                State::Settled => {
                    let servable = sale.next(State::Servable, Some(now.saturating_add(GRACE)));
                    self.store.advance(&servable).await?;
                }
                // Nobody can refund it, so that its payer had better come back for it, however late.
                State::Servable if self.operator.is_none() => self.postpone(&sale, UNTIL_A_KEY).await?,
                State::Servable => {
                    let failed = sale.failed("nobody came back for the answer".to_owned(), now);
                    if self.store.advance(&failed).await? {
                        self.refund(failed).await;
                    }
                }
                // Nobody can; what others are due for must not wait behind it.
                State::RefundDue if self.operator.is_none() => {
                    self.postpone(&sale, UNTIL_A_KEY).await?;
                }
                State::RefundDue => self.refund(sale).await,
                State::Refunding => self.look_up_refund(sale).await?,
                State::Served | State::Refunded => {}
            }
        }
        Ok(())
    }

    /// A payment that may have been sent by somebody who is gone.
    async fn look_up(&self, sale: Sale) -> Result<(), StoreError> {
        let found = match &sale.payment {
            Some(payment) => self.chain.find(payment.hash, payment.valid_before).await,
            None => Ok(Found::Never),
        };
        match found {
            Ok(Found::Done(_)) => {
                let due_at = Some(now().saturating_add(GRACE));
                let servable = Sale { settled_at: Some(now()), ..sale.next(State::Servable, due_at) };
                self.store.advance(&servable).await?;
            }
            Ok(Found::Reverted | Found::Never) => self.store.forget(&sale).await?,
            Ok(Found::NotYet) => self.postpone(&sale, LATER).await?,
            Err(error) => {
                self.health.fail(&error);
                self.postpone(&sale, LATER).await?;
            }
        }
        Ok(())
    }

    async fn look_up_refund(&self, sale: Sale) -> Result<(), StoreError> {
        let Some(refund) = &sale.refund else { return Ok(()) };
        match self.chain.find(refund.hash, refund.valid_before).await {
            Ok(Found::Done(_)) => self.refunded(&sale).await,
            Ok(Found::Reverted | Found::Never) => self.due_again(&sale).await,
            Ok(Found::NotYet) => self.postpone(&sale, LATER).await,
            Err(error) => {
                self.health.fail(&error);
                self.postpone(&sale, LATER).await
            }
        }
    }

    async fn postpone(&self, sale: &Sale, seconds: u64) -> Result<(), StoreError> {
        let later = sale.next(sale.state, Some(now().saturating_add(seconds)));
        self.store.advance(&later).await.map(drop)
    }

    /// Gives the money of a sale back that is due for it, if there is a key to do so. What fails is due again later.
    pub(crate) async fn refund(&self, sale: Sale) {
        let Some(operator) = self.operator.clone().filter(|_| sale.state == State::RefundDue) else { return };
        let mut salt = [0; 8];
        if getrandom::fill(&mut salt).is_err() {
            return;
        }
        let refund = Refund::new(sale.chain_id, sale.currency, sale.payer, sale.amount, &sale.reference);
        let (signed, end) = refund.sign(&operator, &Fees::default(), now(), u64::from_ne_bytes(salt));
        let Some(hash) = signed.hash() else { return };
        let outgoing = Outgoing { raw: signed.raw().clone(), hash, valid_before: Some(end) };
        let sending = Sale {
            refund: Some(outgoing.clone()),
            refund_tries: sale.refund_tries.saturating_add(1),
            ..sale.next(State::Refunding, Some(end))
        };
        // Whoever writes it down sends it, and nobody else.
        match self.store.advance(&sending).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return self.health.fail(&error),
        }
        let sent = self.chain.send(&outgoing).await;
        let done = match &sent {
            Ok(()) => self.refunded(&sending).await,
            // It never left, and goes no further: another can be signed.
            Err(ChainError::Unavailable { .. }) => self.due_again(&sending).await,
            // It may happen, until its end.
            Err(_) => Ok(()),
        };
        if let Err(error) = &sent {
            tracing::error!(
                reference = sale.reference,
                error = answer::chain(error),
                "a refund was not made"
            );
        }
        if let Err(error) = done {
            self.health.fail(&error);
        }
    }

    /// A refund that was not made and never will be: the next is tried after a while that grows, as one that fails on
    /// chain costs its fee.
    async fn due_again(&self, sale: &Sale) -> Result<(), StoreError> {
        let wait = 1_u64.checked_shl(sale.refund_tries).unwrap_or(u64::MAX).min(LONGEST_WAIT);
        let again = Sale { refund: None, ..sale.next(State::RefundDue, Some(now().saturating_add(wait))) };
        self.store.advance(&again).await.map(drop)
    }

    async fn refunded(&self, sale: &Sale) -> Result<(), StoreError> {
        tracing::info!(reference = sale.reference, amount = %sale.amount, "refunded");
        let refunded = Sale { ended_at: Some(now()), ..sale.next(State::Refunded, None) };
        self.store.advance(&refunded).await.map(drop)
    }
}

/// How often there is a look at what is due.
const ROUND: Duration = Duration::from_secs(1);
const PROBE_ROUNDS: u64 = 5;
const PRUNE_ROUNDS: u64 = 600;
/// Sales looked after in a round.
const AT_ONCE: u32 = 64;
/// For how many seconds a payer can come back for an answer that nobody has made, before he is refunded.
const GRACE: u64 = 3600;
/// For how many seconds an answer is kept.
const KEEP_ANSWERS: u64 = 24 * 3600;
/// Until the chain is asked again, in seconds.
const LATER: u64 = 5;
/// Until there is another look whether refunds can be made, in seconds.
const UNTIL_A_KEY: u64 = 60;
/// Longest wait before a refund is tried again, in seconds.
const LONGEST_WAIT: u64 = 600;
