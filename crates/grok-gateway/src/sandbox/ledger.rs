//! A chain of one process: balances, and transfers that a Tempo node would make too. It keeps what matters to a payer
//! (balance, fee ceiling, one use of a hash) and trusts mpp-gate for the rest (signature, chain, window, calls).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use alloy_primitives::{Address, B256, U256, address};
use mpp_core::payee::ProblemType;
use mpp_core::tempo::{FeePayment, SignedTransaction, Transaction};
use mpp_core::{Amount, Transfer};
use mpp_gate::chain::{Chain, ChainError, ChainFuture, Found, Outgoing};

/// Balances by token and owner, and the hashes of what moved them: a chain to try a gateway on. It prints as nothing.
#[derive(Default)]
pub struct Ledger {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    balances: HashMap<(Address, Address), Amount>,
    /// What was made, and until when it could be.
    made: HashMap<B256, u64>,
}

impl Ledger {
    /// Not a chain's of anybody's money, so that what is signed for it is worth nothing elsewhere.
    pub const CHAIN_ID: u64 = 31337;

    /// What `owner` has of `token`, in base units.
    #[must_use]
    pub fn balance(&self, token: Address, owner: Address) -> Amount {
        self.state().balance(token, owner)
    }

    /// What a transaction took in fees, in base units; `None` unless it was made.
    #[must_use]
    pub fn fee(&self, hash: B256) -> Option<Amount> {
        self.state().made.contains_key(&hash).then_some(FEE)
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

impl Chain for Ledger {
    fn chain_id(&self) -> u64 {
        Self::CHAIN_ID
    }

    fn simulate<'a>(&'a self, payer: Address, transaction: &'a Transaction) -> ChainFuture<'a, ()> {
        let tried = self.state().check(payer, transaction, now()).map(drop);
        Box::pin(std::future::ready(tried.map_err(refused)))
    }

    fn send<'a>(&'a self, transaction: &'a Outgoing) -> ChainFuture<'a, ()> {
        Box::pin(std::future::ready(self.state().make(transaction).map_err(refused)))
    }

    fn find(&self, hash: B256, valid_before: Option<u64>) -> ChainFuture<'_, Found> {
        let found = match self.state().made.contains_key(&hash) {
            true => Found::Done(Vec::new()),
            false if valid_before.is_some_and(|end| end <= now()) => Found::Never,
            false => Found::NotYet,
        };
        Box::pin(std::future::ready(Ok(found)))
    }

    fn balance(&self, token: Address, owner: Address) -> ChainFuture<'_, Amount> {
        Box::pin(std::future::ready(Ok(Ledger::balance(self, token, owner))))
    }

    fn probe(&self) -> ChainFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn refused(error: LedgerError) -> ChainError {
    let insufficient = matches!(error, LedgerError::Insufficient { .. });
    let kind = if insufficient { ProblemType::PaymentInsufficient } else { ProblemType::VerificationFailed };
    ChainError::Refused { kind, source: error.into() }
}

impl State {
    /// All of a transaction or nothing of it; one that was made before stays made.
    fn make(&mut self, outgoing: &Outgoing) -> Result<(), LedgerError> {
        // As long as a payer may come back.
        let now = now();
        self.made.retain(|_, end| end.saturating_add(REMEMBERED) > now);
        if self.made.contains_key(&outgoing.hash) {
            return Ok(());
        }
        let (_, transaction, payer) = SignedTransaction::decode(&outgoing.raw)?;
        let (fee_token, transfers) = self.check(payer, &transaction, now)?;
        for (token, transfer) in transfers {
            self.debit(token, payer, transfer.amount);
            self.credit(token, transfer.to, transfer.amount);
        }
        self.debit(fee_token, payer, FEE);
        self.credit(fee_token, FEE_COLLECTOR, FEE);
        self.made.insert(outgoing.hash, transaction.valid_before.unwrap_or(u64::MAX));
        Ok(())
    }

    /// What a transaction would move, and the token of its fee.
    fn check(
        &self,
        payer: Address,
        transaction: &Transaction,
        now: u64,
    ) -> Result<(Address, Vec<(Address, Transfer)>), LedgerError> {
        if let Some(key) = transaction.access_key {
            return Err(LedgerError::AccessKey { key });
        }
        if transaction.nonce_key != U256::MAX || transaction.nonce != 0 {
            return Err(LedgerError::Nonce);
        }
        if transaction.valid_before.is_none_or(|end| end <= now) {
            return Err(LedgerError::Late);
        }
        let transfers = transaction.transfers().filter(|transfers| !transfers.is_empty());
        let transfers = transfers.ok_or(LedgerError::Calls)?;
        let currency = transfers.first().map_or(Address::ZERO, |(token, _)| *token);
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
        let mut amounts = HashMap::from([(fee_token, Some(Amount::ZERO))]);
        for (token, transfer) in &transfers {
            let amount = amounts.entry(*token).or_insert(Some(Amount::ZERO));
            *amount = amount.and_then(|amount| amount.checked_add(transfer.amount));
        }
        for (token, amount) in amounts {
            let held = self.balance(token, payer);
            let fee = if token == fee_token { ceiling } else { Amount::ZERO };
            if amount.and_then(|amount| amount.checked_add(fee)).is_none_or(|needed| needed > held) {
                let amount = amount.unwrap_or(Amount::from_base_units(u128::MAX));
                return Err(LedgerError::Insufficient { held, amount, fee });
            }
        }
        Ok((fee_token, transfers))
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

/// The time, in Unix seconds; before 1970, a time at which everything is late.
fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(u64::MAX, |since| since.as_secs())
}

/// For how many seconds a transaction is known after its end.
const REMEMBERED: u64 = 3600;
/// What a transfer on mainnet was seen to cost.
const FEE: Amount = Amount::from_base_units(29);
/// Where Tempo's fees go.
const FEE_COLLECTOR: Address = address!("feec000000000000000000000000000000000000");

/// Why a payment was not made.
#[derive(Debug, thiserror::Error)]
enum LedgerError {
    /// Whether it may sign for the payer is for a chain to know.
    #[error("access key {key} signed, and the sandbox knows of none; sign with the payer's own key")]
    AccessKey { key: Address },
    /// The sandbox keeps no nonces.
    #[error("the transaction has no expiring nonce, and the sandbox takes no other (TIP-1009)")]
    Nonce,
    #[error("the transaction can no longer be made, or has no end")]
    Late,
    #[error(transparent)]
    Transaction(#[from] mpp_core::error::TransactionError),
    #[error("the sandbox makes nothing but transfers")]
    Calls,
    #[error("the transaction waits for a sponsor, and the sandbox has none")]
    Sponsor,
    #[error("the transaction's gas limit times its highest fee is less than its fee")]
    FeeTooLow,
    #[error("the payer has {held} dollars, the payment takes {amount} and up to {fee} in fees")]
    Insufficient { held: Amount, amount: Amount, fee: Amount },
}
