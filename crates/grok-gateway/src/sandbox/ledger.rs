//! A chain of one process: balances, and transfers that a Tempo node would make too. It keeps what matters to a payer
//! (balance, fee ceiling, one use of a hash) and trusts mpp-gate for the rest (signature, chain, window, calls).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use alloy_primitives::{Address, B256, U256, address};
use mpp_core::Amount;
use mpp_core::payee::ProblemType;
use mpp_core::tempo::FeePayment;
use mpp_gate::settle::{Payment, Settle, SettleError, SettleFuture};

/// Balances by token and owner, and the hashes of what moved them: a chain to try a gateway on. It prints as nothing.
#[derive(Default)]
pub struct Ledger {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    balances: HashMap<(Address, Address), Amount>,
    /// When each transaction ends; from then on it is refused for its age.
    settled: HashMap<B256, u64>,
}

impl Ledger {
    /// Not a chain's of anybody's money, so that what is signed for it is worth nothing elsewhere.
    pub const CHAIN_ID: u64 = 31337;

    /// What `owner` has of `token`, in base units.
    #[must_use]
    pub fn balance(&self, token: Address, owner: Address) -> Amount {
        self.state().balance(token, owner)
    }

    /// Makes money out of nothing.
    pub fn fund(&self, token: Address, owner: Address, amount: Amount) {
        self.state().credit(token, owner, amount);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ledger").finish_non_exhaustive()
    }
}

impl Settle for Ledger {
    fn chain_id(&self) -> u64 {
        Self::CHAIN_ID
    }

    fn settle<'a>(&'a self, payment: &'a Payment) -> SettleFuture<'a> {
        let settled = self.state().settle(payment).map_err(|error| {
            let insufficient = matches!(error, LedgerError::Insufficient { .. });
            let kind =
                if insufficient { ProblemType::PaymentInsufficient } else { ProblemType::VerificationFailed };
            SettleError::Refused { kind, source: error.into() }
        });
        Box::pin(std::future::ready(settled))
    }
}

impl State {
    /// All of a payment or nothing of it.
    fn settle(&mut self, payment: &Payment) -> Result<(), LedgerError> {
        let transaction = &payment.transaction;
        if transaction.nonce_key != U256::MAX || transaction.nonce != 0 {
            return Err(LedgerError::Nonce);
        }
        self.settled.retain(|_, end| *end > payment.checked_at);
        if self.settled.contains_key(&payment.hash) {
            return Err(LedgerError::Replayed);
        }
        let currency = payment.charge.currency();
        let fee_token = match transaction.fee {
            // Without a word of the sender's, Tempo takes the fee in the token that is transferred.
            FeePayment::Sender(token) => token.unwrap_or(currency),
            FeePayment::Sponsor => return Err(LedgerError::Sponsor),
        };
        // A chain wants the whole of it covered before it starts.
        let ceiling = transaction.fee_ceiling();
        if ceiling < FEE {
            return Err(LedgerError::FeeTooLow);
        }
        let amount = payment.charge.amount();
        let debts = if fee_token == currency {
            vec![(currency, amount.checked_add(ceiling))]
        } else {
            vec![(currency, Some(amount)), (fee_token, Some(ceiling))]
        };
        for (token, needed) in debts {
            let held = self.balance(token, payment.payer);
            if needed.is_none_or(|needed| needed > held) {
                return Err(LedgerError::Insufficient { held, amount, ceiling });
            }
        }
        for transfer in payment.charge.transfers() {
            self.debit(currency, payment.payer, transfer.amount);
            self.credit(currency, transfer.to, transfer.amount);
        }
        self.debit(fee_token, payment.payer, FEE);
        self.credit(fee_token, FEE_COLLECTOR, FEE);
        self.settled.insert(payment.hash, transaction.valid_before.unwrap_or(u64::MAX));
        Ok(())
    }

    fn balance(&self, token: Address, owner: Address) -> Amount {
        self.balances.get(&(token, owner)).copied().unwrap_or_default()
    }

    fn credit(&mut self, token: Address, owner: Address, amount: Amount) {
        let balance = self.balances.entry((token, owner)).or_default();
        *balance = balance.checked_add(amount).unwrap_or(Amount::from_base_units(u128::MAX));
    }

    fn debit(&mut self, token: Address, owner: Address, amount: Amount) {
        let balance = self.balances.entry((token, owner)).or_default();
        *balance = balance.checked_sub(amount).unwrap_or_default();
    }
}

/// What a transfer on mainnet was seen to cost.
const FEE: Amount = Amount::from_base_units(29);
/// Where Tempo's fees go.
const FEE_COLLECTOR: Address = address!("feec000000000000000000000000000000000000");

/// Why a payment was not made.
#[derive(Debug, thiserror::Error)]
enum LedgerError {
    /// The sandbox keeps no nonces.
    #[error("the transaction has no expiring nonce, and the sandbox takes no other (TIP-1009)")]
    Nonce,
    #[error("the transaction was made before")]
    Replayed,
    #[error("the transaction waits for a sponsor, and the sandbox has none")]
    Sponsor,
    #[error("the transaction's gas limit times its highest fee is less than its fee")]
    FeeTooLow,
    #[error("the payer has {held} dollars, the payment takes {amount} and up to {ceiling} in fees")]
    Insufficient { held: Amount, amount: Amount, ceiling: Amount },
}
