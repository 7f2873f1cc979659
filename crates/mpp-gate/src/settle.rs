//! Settlement: a payment that checks out in, money moved or the certainty that it was not out.

use std::pin::Pin;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use mpp_core::ChargeRequest;
use mpp_core::payee::ProblemType;
use mpp_core::tempo::{SignedTransaction, Transaction};

/// Somebody who makes payments happen, on one chain.
pub trait Settle: Send + Sync {
    /// The chain that payments are asked for on.
    fn chain_id(&self) -> u64;

    /// Makes a payment happen, and returns when it has.
    fn settle<'a>(&'a self, payment: &'a Payment) -> SettleFuture<'a>;
}

/// A settlement to come.
pub type SettleFuture<'a> = Pin<Box<dyn Future<Output = Result<(), SettleError>> + Send + 'a>>;

impl<S: Settle + ?Sized> Settle for Arc<S> {
    fn chain_id(&self) -> u64 {
        (**self).chain_id()
    }

    fn settle<'a>(&'a self, payment: &'a Payment) -> SettleFuture<'a> {
        (**self).settle(payment)
    }
}

/// A payment that pays its challenge, by all that can be seen without a chain.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Payment {
    /// What it pays; its transaction makes exactly these transfers.
    pub charge: ChargeRequest,
    /// Who pays.
    pub payer: Address,
    /// The transaction's fields.
    pub transaction: Box<Transaction>,
    /// The transaction's bytes.
    pub signed: SignedTransaction,
    /// The transaction's hash.
    pub hash: B256,
    /// When it was checked, in Unix seconds.
    pub checked_at: u64,
}

/// Why a payment was not made, as far as is known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// It was refused: it has not happened. The payer may mend what was wrong and send the same credential again.
    #[error("the payment was refused")]
    Refused {
        /// What to call it to the payer.
        kind: ProblemType,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing was sent anywhere: it has not happened.
    #[error("payments cannot be settled right now")]
    Unavailable {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It may have happened, or may yet.
    #[error("the outcome of the payment is unknown")]
    Unknown {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
