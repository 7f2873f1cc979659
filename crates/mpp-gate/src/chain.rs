//! The chain: a transaction that checks out in; money moved, or the certainty that it was not and will not be, out.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes};
use mpp_core::Amount;
use mpp_core::payee::{ProblemType, TransferLog};
use mpp_core::tempo::Transaction;

use crate::BoxError;

/// Somebody who makes payments happen, and knows which have, on one chain.
pub trait Chain: Send + Sync {
    /// The chain that payments are asked for on.
    fn chain_id(&self) -> u64;

    /// Tries a payment without making it: what would fail on chain costs its sender a fee, or its sponsor. If an
    /// [access key](Transaction::access_key) signed, nobody but this has asked whether it may sign for `payer`.
    fn simulate<'a>(&'a self, payer: Address, transaction: &'a Transaction) -> ChainFuture<'a, ()>;

    /// Makes a transaction happen, and returns when it has. Sending the same one again does no harm.
    fn send<'a>(&'a self, transaction: &'a Outgoing) -> ChainFuture<'a, ()>;

    /// What became of a transaction that is valid before `valid_before`, in Unix seconds.
    fn find(&self, hash: B256, valid_before: Option<u64>) -> ChainFuture<'_, Found>;

    /// What `owner` has of `token`, in base units.
    fn balance(&self, token: Address, owner: Address) -> ChainFuture<'_, Amount>;

    /// Whether payments could be settled right now.
    fn probe(&self) -> ChainFuture<'_, ()>;
}

/// A chain's answer to come.
pub type ChainFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, ChainError>> + Send + 'a>>;

/// A transaction on its way to the chain. Whoever has its bytes can make it happen, so it prints as its hash.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outgoing {
    /// Its bytes; empty when somebody else has sent it.
    pub raw: Bytes,
    /// Its hash.
    pub hash: B256,
    /// It cannot happen from this on, in Unix seconds.
    pub valid_before: Option<u64>,
}

/// What a chain knows of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// It happened, and moved this.
    Done(Vec<TransferLog>),
    /// It was mined, and failed: nothing moved but its fee.
    Reverted,
    /// It has not happened, and may yet.
    NotYet,
    /// It has not happened, and cannot any more.
    Never,
}

impl<C: Chain + ?Sized> Chain for Arc<C> {
    fn chain_id(&self) -> u64 {
        (**self).chain_id()
    }

    fn simulate<'a>(&'a self, payer: Address, transaction: &'a Transaction) -> ChainFuture<'a, ()> {
        (**self).simulate(payer, transaction)
    }

    fn send<'a>(&'a self, transaction: &'a Outgoing) -> ChainFuture<'a, ()> {
        (**self).send(transaction)
    }

    fn find(&self, hash: B256, valid_before: Option<u64>) -> ChainFuture<'_, Found> {
        (**self).find(hash, valid_before)
    }

    fn balance(&self, token: Address, owner: Address) -> ChainFuture<'_, Amount> {
        (**self).balance(token, owner)
    }

    fn probe(&self) -> ChainFuture<'_, ()> {
        (**self).probe()
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Outgoing").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// Why a transaction was not made, as far as is known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// It was refused: it has not happened. The payer may mend what was wrong and send the same credential again.
    #[error("the payment was refused")]
    Refused {
        /// What to call it to the payer.
        kind: ProblemType,
        /// Why.
        source: BoxError,
    },
    /// Nothing was sent anywhere: it has not happened.
    #[error("payments cannot be settled right now")]
    Unavailable {
        /// Why.
        source: BoxError,
    },
    /// It may have happened, or may yet.
    #[error("the outcome of the payment is unknown")]
    Unknown {
        /// Why.
        source: BoxError,
    },
}

impl ChainError {
    /// A transaction that was not made in time.
    pub(crate) fn never() -> Self {
        let source = "the transaction failed, or was not mined before its end".into();
        ChainError::Refused { kind: ProblemType::PaymentExpired, source }
    }
}
