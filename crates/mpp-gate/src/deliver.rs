//! What was paid for: a sale in; its answer out, the first time or once more. The work is done in a task of its own,
//! so that a payer who hangs up loses nothing: he finds the answer when he comes back.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use tokio::sync::oneshot;

use crate::answer::{self, Answer};
use crate::body::Body;
use crate::chain::{ChainError, Found, Outgoing};
use crate::collect::Claimed;
use crate::gate::Gate;
use crate::now;
use crate::produce::{Behind, End, Failure, Reply, produce};
use crate::sale::{Kept, LEASE, Sale, State};
use crate::store::StoreError;

impl Gate {
    /// The answer to a sale: what there is of it, or what the service `behind` makes of `request`.
    ///
    /// # Errors
    /// When the payment surely was not made.
    pub(crate) async fn deliver(
        &self,
        claimed: Claimed,
        request: Request<Body>,
        behind: Behind,
    ) -> Result<Response<Body>, ChainError> {
        let sale = match claimed {
            Claimed::Now(sale) => sale,
            Claimed::Before(sale) => match self.take_over(sale).await {
                Ok(sale) => sale,
                Err(answer) => return Ok(answer.map(Body::whole)),
            },
        };
        let reference = sale.reference.clone();
        let (reply, answer) = oneshot::channel();
        let gate = self.clone();
        self.tasks.spawn(async move {
            match gate.settle(sale).await {
                Ok(Ok(sale)) => gate.make(sale, request, behind, reply).await,
                Ok(Err(answer)) => drop(reply.send(Ok(answer.map(Body::whole)))),
                Err(error) => drop(reply.send(Err(error))),
            }
        });
        answer.await.unwrap_or_else(|_| {
            let detail = "the work broke down; send the request with this credential again in a minute";
            Ok(answer::taken(StatusCode::INTERNAL_SERVER_ERROR, detail, &reference).map(Body::whole))
        })
    }

    /// Waits until a sale is answered, or nobody is at it: then it is the caller's.
    async fn take_over(&self, mut sale: Sale) -> Result<Sale, Answer> {
        let failed = |error| self.silent(&error);
        let begun = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(10);
        while begun.elapsed() < PATIENCE {
            match sale.state {
                State::Served => return Err(again(&sale)),
                State::RefundDue | State::Refunding | State::Refunded => return Err(self.gone(&sale)),
                State::Claimed | State::Settled | State::Servable => {}
            }
            if !sale.is_held(now()) {
                let state = if sale.state == State::Claimed { State::Claimed } else { State::Settled };
                let ours = sale.next(state, Some(now().saturating_add(LEASE)));
                if self.store.advance(&ours).await.map_err(failed)? {
                    return Ok(ours);
                }
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            match self.store.of_challenge(&sale.challenge_id).await.map_err(failed)? {
                Some(found) => sale = found,
                None => return Err(answer::again("this payment was not made; ask for a new challenge", 1)),
            }
        }
        Err(answer::again("this payment is being worked on; send the same request again", 5))
    }

    /// Makes the payment, unless it was made: the sale goes on, or an answer says why it may.
    async fn settle(&self, mut sale: Sale) -> Result<Result<Sale, Answer>, ChainError> {
        let settled = |sale: Sale| Sale { state: State::Settled, settled_at: Some(now()), ..sale };
        let Some(payment) = sale.payment.clone().filter(|_| sale.state == State::Claimed) else {
            return Ok(Ok(sale));
        };
        let made = match sale.version {
            1 => self.held(&mut sale, self.chain.send(&payment)).await,
            _ => {
                let chain_id = sale.chain_id;
                self.held(&mut sale, self.resend(&payment, chain_id)).await
            }
        };
        let Err(error) = made else { return Ok(Ok(settled(sale))) };
        if let ChainError::Unknown { .. } = error {
            tracing::error!(transaction = %payment.hash, error = answer::chain(&error), "a payment hangs");
            let detail = format!(
                "{}; send the same request again, or look for transaction {} on chain {}, before paying again",
                answer::with_cause(&error),
                payment.hash,
                sale.chain_id
            );
            return Ok(Err(answer::taken(StatusCode::BAD_GATEWAY, &detail, &sale.reference)));
        }
        // A store that fails here errs on the safe side: the credential stays used until somebody has looked.
        if let Err(error) = self.store.forget(&sale).await {
            self.health.fail(&error);
        }
        Err(error)
    }

    /// Makes a payment that somebody may have sent before: only the chain knows that it was not made.
    async fn resend(&self, payment: &Outgoing, chain_id: u64) -> Result<(), ChainError> {
        let unknown = |error: ChainError| ChainError::Unknown { source: error.into() };
        if chain_id != self.chain.chain_id() {
            return Err(ChainError::Unknown { source: "it is on another chain than payments by now".into() });
        }
        match self.chain.find(payment.hash, payment.valid_before).await.map_err(unknown)? {
            Found::Done(_) => Ok(()),
            Found::NotYet => self.chain.send(payment).await.map_err(unknown),
            Found::Reverted | Found::Never => Err(ChainError::never()),
        }
    }

    /// Does something for a sale, and keeps it meanwhile.
    async fn held<T>(&self, sale: &mut Sale, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            match tokio::time::timeout(RENEWAL, work.as_mut()).await {
                Ok(done) => return done,
                Err(_) => self.renew(sale).await,
            }
        }
    }

    /// Has the answer made and kept, and sends it.
    async fn make(&self, sale: Sale, request: Request<Body>, behind: Behind, reply: Reply) {
        let receipt = HeaderValue::from_str(&sale.receipt(now()).encode()).ok();
        let mut held = sale;
        let work = produce(behind(request), receipt, reply, self.answer_limit);
        let (made, end) = self.held(&mut held, work).await;
        match made {
            Ok(kept) => {
                self.persist(held.served(kept.clone(), now())).await;
                match end {
                    End::Whole(reply, parts) => {
                        let body = Body::whole(kept.body.unwrap_or_default());
                        drop(reply.send(Ok(Response::from_parts(parts, body))));
                    }
                    mut open => open.send(Ok(Bytes::new())).await,
                }
            }
            Err(failure) => {
                tracing::error!(reference = held.reference, why = failure.why, "a paid answer failed");
                let failed = held.failed(failure.why.clone(), now());
                let answer = self.refused(&failed, &failure);
                let written = self.persist(failed.clone()).await;
                match end {
                    End::Whole(reply, _) => drop(reply.send(Ok(answer.map(Body::whole)))),
                    mut open => open.send(Err(failure.why.into())).await,
                }
                // What is not written down may be somebody else's by now, who makes the answer.
                if written {
                    self.refund(failed).await;
                }
            }
        }
    }

    /// Keeps a sale for whoever is at it.
    async fn renew(&self, held: &mut Sale) {
        let next = held.next(held.state, Some(now().saturating_add(LEASE)));
        if let Ok(true) = self.store.advance(&next).await {
            *held = next;
        }
    }

    /// Writes down how a sale ended, and goes on trying when the store fails. An answer that was made counts even if
    /// somebody else has begun to make another. Whether it is written down already.
    async fn persist(&self, sale: Sale) -> bool {
        let error = match self.try_persist(sale.clone()).await {
            Ok(written) => return written,
            Err(error) => error,
        };
        self.health.fail(&error);
        let gate = self.clone();
        self.tasks.spawn(async move {
            for _ in 0..PERSIST_TRIES {
                tokio::time::sleep(LONGEST_PAUSE).await;
                match gate.try_persist(sale.clone()).await {
                    Ok(true) => return gate.refund(sale).await,
                    Ok(false) => return,
                    Err(_) => {}
                }
            }
            tracing::error!(
                reference = sale.reference,
                state = sale.state.name(),
                "could not be written down"
            );
        });
        false
    }

    async fn try_persist(&self, mut sale: Sale) -> Result<bool, StoreError> {
        while !self.store.advance(&sale).await? {
            let Some(found) = self.store.of_challenge(&sale.challenge_id).await? else { return Ok(false) };
            let open = matches!(found.state, State::Claimed | State::Settled | State::Servable);
            if !open || sale.state != State::Served {
                return Ok(false);
            }
            sale.version = found.version.saturating_add(1);
        }
        Ok(true)
    }

    /// The answer when the service failed after the payment: its status and words, and what becomes of the money. There
    /// is no receipt on failures (draft-httpauth-payment §5.3.1).
    fn refused(&self, sale: &Sale, failure: &Failure) -> Answer {
        let mut answer =
            answer::returned(failure.status, sale, self.operator.is_some(), failure.words.as_deref());
        if let Some(after) = &failure.retry_after {
            answer.headers_mut().insert(RETRY_AFTER, after.clone());
        }
        answer
    }

    fn gone(&self, sale: &Sale) -> Answer {
        answer::returned(StatusCode::BAD_GATEWAY, sale, self.operator.is_some(), None)
    }
}

/// The answer once more.
fn again(sale: &Sale) -> Answer {
    match sale.answer.as_ref().and_then(Kept::again) {
        Some(answer) => Box::new(answer),
        None => {
            let detail = "this was paid for and answered; the answer is not kept any more";
            answer::taken(StatusCode::GONE, detail, &sale.reference)
        }
    }
}

/// Longest wait for somebody else's work on a sale; who waited longer comes again.
const PATIENCE: Duration = Duration::from_secs(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Twice within a lease, with room for one that fails.
const RENEWAL: Duration = Duration::from_secs(LEASE / 3);
/// Ten minutes.
const PERSIST_TRIES: usize = 1200;
