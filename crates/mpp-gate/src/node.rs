//! A Tempo node as the chain: raw transactions in, mined ones out, over JSON-RPC. Only what a node surely did not take
//! has not happened; whatever else it says, or does not say, the transaction's receipt decides, if there is one.

use std::fmt;

use alloy_primitives::{Address, B256, U256, hex};
use mpp_core::Amount;
use mpp_core::error::KeyRefusal;
use mpp_core::payee::{ProblemType, TransferLog};
use mpp_core::tempo::{ACCOUNT_KEYCHAIN, FeePayment, KeyStatus, NotTaken, Transaction, token_name};
use serde_json::{Value, json};

use crate::chain::{Chain, ChainError, ChainFuture, Found, Outgoing};
use crate::now;
use crate::rpc::{Rpc, RpcError};

/// A node that tries and broadcasts transactions and waits until they are mined. It prints as its chain: node URLs hold
/// keys.
#[derive(Clone)]
pub struct Node {
    rpc: Rpc,
    chain_id: u64,
    margin: u64,
}

impl Node {
    /// Asks the node at `url` which chain it is on. Proxies and redirects are not used.
    ///
    /// # Errors
    /// When the URL is none, or cleartext to another machine, or the node does not answer as one.
    pub async fn connect(url: &str) -> Result<Self, RpcError> {
        let rpc = Rpc::new(url)?;
        let chain_id = chain_id(&rpc).await?;
        Ok(Node { rpc, chain_id, margin: MARGIN })
    }

    /// How many seconds the chain has to be past the end of a transaction without it before it is taken for certain that
    /// it will never happen; 30 unless it is said. It covers nodes behind one address that lag behind each other.
    #[must_use]
    pub fn margin(mut self, seconds: u64) -> Self {
        self.margin = seconds;
        self
    }

    /// How many decimals a token has, by the node's latest block; a TIP-20 dollar has six.
    ///
    /// # Errors
    /// When the node does not answer, or there is no such token.
    pub async fn decimals(&self, token: Address) -> Result<u64, RpcError> {
        let answer = self.call(json!({"to": token, "input": hex::encode_prefixed(DECIMALS)})).await?;
        word(&answer).and_then(|decimals| decimals.try_into().ok()).ok_or(RpcError::Answer("no decimals"))
    }

    async fn broadcast(&self, transaction: &Outgoing) -> Result<(), ChainError> {
        let raw = json!([transaction.raw.to_string()]);
        let refused = match self.rpc.call("eth_sendRawTransactionSync", raw).await {
            Ok(receipt) => match judge(&receipt, transaction.hash) {
                Some(Found::Done(_)) => return Ok(()),
                Some(_) => return Err(reverted()),
                None => {
                    ChainError::Unknown { source: RpcError::Answer("the receipt of something else").into() }
                }
            },
            Err(error) => error.into(),
        };
        if let ChainError::Unavailable { .. } = refused {
            return Err(refused);
        }
        // What was there before is refused for that, and what is there has happened whatever was said.
        match self.receipt(transaction.hash).await {
            Ok(Some(Found::Done(_))) => Ok(()),
            Ok(Some(_)) => Err(reverted()),
            Ok(None) => Err(refused),
            Err(error) => Err(ChainError::Unknown { source: error.into() }),
        }
    }

    async fn receipt(&self, hash: B256) -> Result<Option<Found>, RpcError> {
        let receipt = self.rpc.call("eth_getTransactionReceipt", json!([hash.to_string()])).await?;
        if receipt.is_null() {
            return Ok(None);
        }
        judge(&receipt, hash).map(Some).ok_or(RpcError::Answer("the receipt of something else"))
    }

    async fn look(&self, hash: B256, valid_before: Option<u64>) -> Result<Found, RpcError> {
        // The time first: what is not there after it can not come before it.
        let latest = self.rpc.call("eth_getBlockByNumber", json!(["latest", false])).await?;
        let time = latest.get("timestamp").and_then(number).ok_or(RpcError::Answer("no block"))?;
        if let Some(found) = self.receipt(hash).await? {
            return Ok(found);
        }
        let over = valid_before.is_some_and(|end| time >= end.saturating_add(self.margin));
        Ok(if over { Found::Never } else { Found::NotYet })
    }

    /// Whether an access key may sign a transaction: a node that tries the transaction's calls does not ask, and keeps one
    /// that the key may not sign until it is over.
    async fn check_key(
        &self,
        payer: Address,
        key: Address,
        transaction: &Transaction,
    ) -> Result<(), ChainError> {
        let fee_token = if let FeePayment::Sender(token) = transaction.fee { token } else { None };
        let mut spent: Vec<_> =
            fee_token.map(|token| (token, Amount::ZERO, transaction.fee_ceiling())).into_iter().collect();
        for (token, transfer) in transaction.transfers().into_iter().flatten() {
            match spent.iter_mut().find(|(it, ..)| *it == token) {
                Some((_, amount, _)) => *amount = sum(*amount, transfer.amount),
                None => spent.push((token, transfer.amount, Amount::ZERO)),
            }
        }
        for (token, amount, fee) in spent {
            let status = self.key_status(payer, key, token).await.map_err(unavailable)?;
            status.check(amount, fee, now()).map_err(|refusal| {
                let kind = match refusal {
                    KeyRefusal::OverLimit { .. } => ProblemType::PaymentInsufficient,
                    _ => ProblemType::VerificationFailed,
                };
                ChainError::Refused { kind, source: format!("access key {key} {refusal}").into() }
            })?;
        }
        Ok(())
    }

    async fn key_status(&self, payer: Address, key: Address, token: Address) -> Result<KeyStatus, RpcError> {
        let mut answers = [Vec::new(), Vec::new()];
        for (input, answer) in KeyStatus::calls(payer, key, token).into_iter().zip(&mut answers) {
            let call = json!({"to": ACCOUNT_KEYCHAIN, "input": hex::encode_prefixed(input)});
            let said = self.call(call).await?;
            *answer = said.as_str().and_then(|said| hex::decode(said).ok()).unwrap_or_default();
        }
        let [key, limit] = answers;
        KeyStatus::decode(&key, &limit).ok_or(RpcError::Answer("nothing about an access key"))
    }

    /// The error of a call that was tried and would fail.
    fn would_fail(&self, error: RpcError) -> ChainError {
        let RpcError::Node { code, message, data } = &error else { return unavailable(error) };
        if !REVERTED.contains(code) {
            return unavailable(error);
        }
        if let Some(poor) = self.poor(data) {
            return ChainError::Refused { kind: ProblemType::PaymentInsufficient, source: poor.into() };
        }
        let poor = message.to_ascii_lowercase().contains(POOR);
        let kind = if poor { ProblemType::PaymentInsufficient } else { ProblemType::VerificationFailed };
        ChainError::Refused { kind, source: error.into() }
    }

    /// What a token reverts with when a balance is too small, in words.
    fn poor(&self, data: &[u8]) -> Option<String> {
        let (words, []) = data.strip_prefix(&INSUFFICIENT_BALANCE)?.as_chunks::<32>() else { return None };
        let [held, needed, token] = words else { return None };
        let amount = |word: &[u8; 32]| Amount::from_base_units(U256::from_be_bytes(*word).saturating_to());
        let token = Address::from_word(token.into());
        let name = token_name(token, self.chain_id).map_or_else(|| token.to_string(), str::to_owned);
        let (held, needed) = (amount(held), amount(needed));
        Some(format!("the payer has {held} dollars of {name}, the payment takes {needed}"))
    }

    async fn call(&self, call: Value) -> Result<Value, RpcError> {
        self.rpc.call("eth_call", json!([call, "latest"])).await
    }
}

impl Chain for Node {
    fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Each call by itself, as not every node tries several in one, and without the fee, which nodes take for the sender's
    /// even if a sponsor pays it.
    fn simulate<'a>(&'a self, payer: Address, transaction: &'a Transaction) -> ChainFuture<'a, ()> {
        Box::pin(async move {
            if let Some(key) = transaction.access_key {
                self.check_key(payer, key, transaction).await?;
            }
            for call in &transaction.calls {
                let tried = self.call(json!({"from": payer, "to": call.to, "input": call.input})).await;
                tried.map_err(|error| self.would_fail(error))?;
            }
            Ok(())
        })
    }

    fn send<'a>(&'a self, transaction: &'a Outgoing) -> ChainFuture<'a, ()> {
        Box::pin(self.broadcast(transaction))
    }

    fn find(&self, hash: B256, valid_before: Option<u64>) -> ChainFuture<'_, Found> {
        Box::pin(async move { self.look(hash, valid_before).await.map_err(unavailable) })
    }

    fn balance(&self, token: Address, owner: Address) -> ChainFuture<'_, Amount> {
        Box::pin(async move {
            let input = [&BALANCE_OF[..], owner.into_word().as_slice()].concat();
            let call = json!({"to": token, "input": hex::encode_prefixed(input)});
            let answer = self.call(call).await.map_err(unavailable)?;
            let balance = word(&answer).ok_or_else(|| unavailable(RpcError::Answer("no balance")))?;
            Ok(Amount::from_base_units(u128::try_from(balance).unwrap_or(u128::MAX)))
        })
    }

    fn probe(&self) -> ChainFuture<'_, ()> {
        Box::pin(async move {
            match chain_id(&self.rpc).await.map_err(unavailable)? {
                id if id == self.chain_id => Ok(()),
                _ => Err(unavailable(RpcError::Answer("another chain than before"))),
            }
        })
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Node").field("chain_id", &self.chain_id).finish_non_exhaustive()
    }
}

async fn chain_id(rpc: &Rpc) -> Result<u64, RpcError> {
    number(&rpc.call("eth_chainId", json!([])).await?).ok_or(RpcError::Answer("no chain id"))
}

/// The one word that a call answers with.
fn word(answer: &Value) -> Option<U256> {
    let bytes = hex::decode(answer.as_str()?).ok().filter(|bytes| bytes.len() == 32)?;
    U256::try_from_be_slice(&bytes)
}

/// Past 2^128 no limit cares by how much.
fn sum(one: Amount, other: Amount) -> Amount {
    one.checked_add(other).unwrap_or(Amount::from_base_units(u128::MAX))
}

fn number(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

/// What a receipt says of the transaction with this hash; `None` when it is of another.
fn judge(receipt: &Value, hash: B256) -> Option<Found> {
    let member = |name| receipt.get(name).and_then(Value::as_str);
    let named: B256 = member("transactionHash")?.parse().ok()?;
    match (named == hash, member("status")?) {
        (true, "0x1") => {
            let logs = receipt.get("logs").and_then(Value::as_array);
            Some(Found::Done(logs.into_iter().flatten().filter_map(transfer).collect()))
        }
        (true, "0x0") => Some(Found::Reverted),
        _ => None,
    }
}

fn transfer(log: &Value) -> Option<TransferLog> {
    let address = log.get("address")?.as_str()?.parse().ok()?;
    let topics = log.get("topics")?.as_array()?.iter();
    let topics: Vec<B256> = topics.map(|topic| topic.as_str()?.parse().ok()).collect::<Option<_>>()?;
    let data = hex::decode(log.get("data")?.as_str()?).ok()?;
    TransferLog::decode(address, &topics, &data)
}

fn reverted() -> ChainError {
    ChainError::Refused { kind: ProblemType::VerificationFailed, source: RpcError::Reverted.into() }
}

fn unavailable(error: RpcError) -> ChainError {
    ChainError::Unavailable { source: error.into() }
}

impl From<RpcError> for ChainError {
    fn from(error: RpcError) -> Self {
        let not_taken = match &error {
            RpcError::Url
            | RpcError::Cleartext
            | RpcError::Tls(_)
            | RpcError::Unreachable(_)
            | RpcError::Turned { .. } => Some(NotTaken::Unserved),
            RpcError::Node { code, message, .. } => NotTaken::of_error(*code, message),
            _ => None,
        };
        let source = error.into();
        match not_taken {
            Some(NotTaken::Unserved) => ChainError::Unavailable { source },
            Some(NotTaken::Poor) => ChainError::Refused { kind: ProblemType::PaymentInsufficient, source },
            Some(_) => ChainError::Refused { kind: ProblemType::VerificationFailed, source },
            None => ChainError::Unknown { source },
        }
    }
}

/// See [`Node::margin`].
const MARGIN: u64 = 30;
/// `decimals()`
const DECIMALS: [u8; 4] = [0x31, 0x3c, 0xe5, 0x67];
/// `balanceOf(address)`
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

/// What a call that would fail is answered with: EIP-1474's codes, and geth's for a revert.
const REVERTED: [i64; 3] = [3, -32000, -32003];
/// What nodes say of a balance that is too small, if they say it in words.
const POOR: &str = "insufficient";
/// TIP-20's `InsufficientBalance(uint256 available, uint256 required, address token)`
const INSUFFICIENT_BALANCE: [u8; 4] = [0x83, 0x2f, 0x98, 0xb5];
