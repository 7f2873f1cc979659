//! Push: a payment that is written down as sent goes to the node first, and its credential to the payee once the chain has
//! taken it.

use mpp_core::tempo::NotTaken;
use serde_json::json;

use crate::chain::{Rpc, RpcError, took};
use crate::error::{Error, Failure};
use crate::journal::{Entry, now};
use crate::ledger::{Settled, Step};
use crate::payment::Payment;
use crate::reconcile::PAUSE;
use crate::response::Deadline;
use crate::transport::TransportError;

/// Broadcasts a payment and waits until it has happened. The ledger hears how that ended, whichever way.
///
/// # Errors
/// When it did not happen, or when that is not known.
pub(crate) async fn push(entry: &mut Entry, deadline: Deadline) -> Result<(), Error> {
    let payment = entry.payment();
    tracing::info!(payment.id, "broadcasting the payment");
    let failure = match broadcast(entry.rpc(), payment, deadline).await {
        End::Mined(settled) => {
            // What one pays to oneself moves nothing, reverted or not.
            let moves = payment.quote.transfers.iter().any(|transfer| transfer.to != payment.payer);
            let reverted = moves && settled.amount.is_zero();
            entry.note(Step::Settled(settled)).await;
            if !reverted {
                return Ok(());
            }
            entry.note(Step::NotSent { failure: Failure::Reverted.to_string() }).await;
            Failure::Reverted
        }
        End::Dead(failure) => {
            entry.note(Step::NotSent { failure: failure.to_string() }).await;
            failure
        }
        End::Unknown(failure) => {
            let step = Step::Failed { answer: None, receipt: None, failure: failure.to_string() };
            entry.note(step).await;
            failure
        }
    };
    let payment = entry.payment();
    tracing::warn!(payment.id, state = payment.state.name(), %failure, "not pushed");
    Err(entry.lost(failure))
}

/// How a broadcast ended.
enum End {
    /// The transaction is in a block; this is what it took.
    Mined(Settled),
    /// It is in none and never will be.
    Dead(Failure),
    /// Nobody says.
    Unknown(Failure),
}

async fn broadcast(rpc: Option<&Rpc>, payment: &Payment, deadline: Deadline) -> End {
    let Some(rpc) = rpc else {
        return End::Dead(Failure::Transport(TransportError::unsent("there is no node to broadcast on")));
    };
    // Another chain's node would be told of the payment for nothing.
    match deadline.limit(rpc.check_chain(payment.quote.chain_id)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return End::Dead(Failure::Node(Box::new(error))),
        Err(timeout) => return End::Dead(timeout),
    }
    let failure = match deadline.limit(hand_in(rpc, payment)).await {
        Ok(Ok(settled)) => return End::Mined(settled),
        Ok(Err(error)) if was_not_taken(&error) => return End::Dead(Failure::Node(Box::new(error))),
        Ok(Err(error)) => Failure::Node(Box::new(error)),
        Err(timeout) => timeout,
    };
    tracing::info!(payment.id, %failure, "it is not known whether the node took the payment, looking it up");
    match deadline.limit(last_word(rpc, payment)).await {
        Ok(settled) if settled.hash.is_some() => End::Mined(settled),
        Ok(_) => End::Dead(failure),
        Err(_) => End::Unknown(failure),
    }
}

/// What the chain says of a payment for good, asked until it does. As long as the payment can happen the very same bytes
/// are handed in again: it is the same payment, which can happen but once.
async fn last_word(rpc: &Rpc, payment: &Payment) -> Settled {
    loop {
        if let Ok(Some(settled)) = rpc.find(payment, now()).await {
            return settled;
        }
        if payment.valid_before().is_some_and(|end| now() < end)
            && let Ok(settled) = hand_in(rpc, payment).await
        {
            return settled;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Has the node broadcast a payment and wait for the block it is in.
async fn hand_in(rpc: &Rpc, payment: &Payment) -> Result<Settled, RpcError> {
    let (hash, raw) = payment.hash().zip(payment.transaction()).ok_or(RpcError::Answer("transaction"))?;
    let receipt = rpc.call("eth_sendRawTransactionSync", json!([format!("{raw:#x}")])).await?;
    took(&receipt, hash, payment, now())
}

/// Whether a node that was handed a payment for the first time has surely not taken it.
fn was_not_taken(error: &RpcError) -> bool {
    match error {
        RpcError::Unanswered(Failure::Transport(error)) => !error.may_have_been_sent(),
        RpcError::Status { status } => NotTaken::of_status(*status).is_some(),
        RpcError::Node { code, message } => NotTaken::of_error(*code, message).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_node_surely_did_not_take_is_unpaid() {
        let said = |code, message: &str| RpcError::Node { code, message: message.to_owned() };
        let sent = |error| RpcError::Unanswered(Failure::Transport(error));
        for (error, not_taken) in [
            (sent(TransportError::unsent("refused")), true),
            (sent(TransportError::maybe_sent("cut off")), false),
            (sent(TransportError::unanswered("reset")), false),
            (RpcError::Unanswered(Failure::Timeout { after: PAUSE }), false),
            (RpcError::Status { status: 429 }, true),
            (RpcError::Status { status: 502 }, false),
            (said(-32601, "no such method"), true),
            (said(-32000, "Insufficient funds for gas * price + value"), true),
            (said(-32003, "valid_before is too close"), true),
            (said(-32000, "already known"), false),
            (said(4, "valid_before was waited for in vain"), false),
            (said(-32603, "internal error: underpriced"), false),
            (RpcError::Answer("logs"), false),
        ] {
            assert_eq!(was_not_taken(&error), not_taken, "{error:?}");
        }
    }
}
