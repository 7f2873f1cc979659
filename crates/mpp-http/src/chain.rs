//! What a Tempo node knows of a payment: whether it happened, and what it took.
//!
//! In goes a payment as it was signed, out comes what the chain says of it for good, or that it may yet happen. What a
//! node answers is read field by field, to a bound; what does not fit leaves the payment as it is.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Uri;
use http::header::CONTENT_TYPE;
use mpp_core::Amount;
use mpp_core::tempo::{Address, B256};
use serde_json::{Value, json};

use crate::error::Failure;
use crate::ledger::{Settled, Signed};
use crate::payment::{Payment, sum};
use crate::response::Deadline;
use crate::transport::{ReqwestTransport, Transport, is_private};

/// A node that is asked what became of payments, and given those that must be pushed. It prints without its URL, which may hold a key.
#[derive(Clone)]
pub struct Rpc {
    transport: Arc<dyn Transport>,
    url: Uri,
    margin: u64,
    chain_id: Arc<OnceLock<u64>>,
}

/// A block's number and its time in Unix seconds.
#[derive(Clone, Copy)]
struct Block {
    number: u64,
    time: u64,
}

impl Rpc {
    /// The node at `url`: https, or http on this machine, without user name or password.
    ///
    /// # Errors
    /// When it is not.
    pub fn new(url: &str) -> Result<Self, RpcError> {
        Rpc::with_transport(url, ReqwestTransport::default())
    }

    /// The node at `url` on another HTTP stack.
    ///
    /// # Errors
    /// As for [`new`](Rpc::new).
    pub fn with_transport(url: &str, transport: impl Transport + 'static) -> Result<Self, RpcError> {
        let url: Uri = url.parse().map_err(|_| RpcError::Url)?;
        let http = [Some("http"), Some("https")].contains(&url.scheme_str());
        if !http || !is_private(&url) || url.authority().is_none_or(|host| host.as_str().contains('@')) {
            return Err(RpcError::Url);
        }
        Ok(Rpc { transport: Arc::new(transport), url, margin: 30, chain_id: Arc::default() })
    }

    /// How many seconds past the end of its validity a payment must be absent to be taken for dead; 30 unless given. It
    /// is for nodes behind one URL of which some are late.
    #[must_use]
    pub fn margin(mut self, seconds: u64) -> Self {
        self.margin = seconds;
        self
    }

    /// The chain's time, in Unix seconds, from which on the absence of a payment is final.
    pub(crate) fn final_at(&self, payment: &Payment) -> Option<u64> {
        Some(payment.valid_before()?.saturating_add(self.margin))
    }

    /// Looks a payment up, at `now` in Unix seconds: `None` while it may yet happen.
    ///
    /// # Errors
    /// When the node does not answer, answers nonsense, has dropped its receipts, or is on another chain.
    pub async fn find(&self, payment: &Payment, now: u64) -> Result<Option<Settled>, RpcError> {
        let Some(signed) = &payment.signed else { return Ok(None) };
        if payment.quote.amount.is_zero() {
            return Ok(Some(Settled::nothing(now)));
        }
        self.check_chain(payment.quote.chain_id).await?;
        // The time is asked first: what is absent after a block past the end stays absent.
        let head = self.block("latest").await?;
        let hash = match (signed.hash, signature(signed)) {
            (Some(hash), _) => Some(hash),
            (None, Some(ours)) => self.sponsored(payment, ours, head).await?,
            (None, None) => return Ok(None),
        };
        if let Some(hash) = hash {
            let receipt = self.call("eth_getTransactionReceipt", json!([hash])).await?;
            if !receipt.is_null() {
                return took(&receipt, hash, payment, now).map(Some);
            }
            if signed.hash.is_none() {
                return Err(RpcError::Answer("result"));
            }
        }
        match (signed.valid_before, self.final_at(payment)) {
            (Some(end), Some(last)) if head.time >= last => {
                self.check_memory(end, head).await?;
                Ok(Some(Settled::nothing(now)))
            }
            _ => Ok(None),
        }
    }

    /// What `owner` holds of `token` on chain `chain_id`, in base units.
    ///
    /// # Errors
    /// When the node does not answer, answers nonsense, as where there is no such token, or is on another chain.
    pub async fn balance_of(
        &self,
        chain_id: u64,
        token: Address,
        owner: Address,
    ) -> Result<Amount, RpcError> {
        self.check_chain(chain_id).await?;
        let call = json!({ "to": token, "data": format!("{BALANCE_OF}{:x}", owner.into_word()) });
        let balance = self.call("eth_call", json!([call, "latest"])).await?;
        let word = Some(&balance).filter(|word| word.as_str().is_some_and(|word| word.len() == 66));
        word.and_then(amount).ok_or(RpcError::Answer("balance"))
    }

    /// Whether the node is on chain `asked`. It is asked once.
    pub(crate) async fn check_chain(&self, asked: u64) -> Result<(), RpcError> {
        let node = match self.chain_id.get() {
            Some(node) => *node,
            None => {
                let answer = self.call("eth_chainId", json!([])).await?;
                let node = quantity(&answer).ok_or(RpcError::Answer("chain id"))?;
                *self.chain_id.get_or_init(|| node)
            }
        };
        if node == asked { Ok(()) } else { Err(RpcError::Chain { asked, node }) }
    }

    async fn block(&self, which: &str) -> Result<Block, RpcError> {
        let block = self.call("eth_getBlockByNumber", json!([which, false])).await?;
        let member = |name| block.get(name).and_then(quantity).ok_or(RpcError::Answer(name));
        Ok(Block { number: member("number")?, time: member("timestamp")? })
    }

    async fn numbered(&self, number: u64) -> Result<Block, RpcError> {
        let block = self.block(&hex(number)).await?;
        if block.number == number { Ok(block) } else { Err(RpcError::Answer("number")) }
    }

    /// Two blocks not far from each other, one at or before `time`, one after it; the first or the last block if there is
    /// none. In growing steps back from `head`, then by halves.
    async fn around(&self, time: u64, head: Block) -> Result<(u64, u64), RpcError> {
        let (mut before, mut after, mut step) = (head, head.number, NEAR);
        while before.time > time && before.number > 0 {
            after = before.number;
            before = self.numbered(after.saturating_sub(step)).await?;
            step = step.saturating_mul(2);
        }
        while after.saturating_sub(before.number) > NEAR {
            let middle = self.numbered(before.number.midpoint(after)).await?;
            if middle.time > time { after = middle.number } else { before = middle }
        }
        Ok((before.number, after))
    }

    /// The hash of a transaction that its sponsor made of ours: found by the memo, known by our signature in it. Others may
    /// bear the same memo, as when one challenge is paid twice.
    async fn sponsored(
        &self,
        payment: &Payment,
        ours: [B256; 2],
        head: Block,
    ) -> Result<Option<B256>, RpcError> {
        let (Some(memo), Some(end)) = (payment.memo(), payment.valid_before()) else { return Ok(None) };
        let (from, _) = self.around(end.saturating_sub(WINDOW), head).await?;
        let (_, to) = self.around(end, head).await?;
        let filter = json!({
            "fromBlock": hex(from),
            "toBlock": hex(to),
            "address": payment.quote.token,
            "topics": [TRANSFER_WITH_MEMO, payment.payer.into_word(), null, memo],
        });
        let logs = self.call("eth_getLogs", json!([filter])).await?;
        let logs = logs.as_array().ok_or(RpcError::Answer("logs"))?;
        let mut hashes =
            logs.iter().map(|log| word(log, "transactionHash")).collect::<Result<Vec<_>, _>>()?;
        hashes.dedup();
        for hash in hashes {
            let transaction = self.call("eth_getTransactionByHash", json!([hash])).await?;
            let from = transaction.get("from").and_then(Value::as_str).and_then(|text| text.parse().ok());
            let from: Address = from.ok_or(RpcError::Answer("from"))?;
            // Whoever the payer allowed to can transfer from him, in a transaction of any kind.
            if from != payment.payer {
                continue;
            }
            let signature = transaction.get("signature");
            // An access key's is within one that names the account.
            let signature = signature.and_then(|it| it.get("signature")).or(signature);
            let part = |name| signature.and_then(|it| padded(it.get(name)?.as_str()?));
            let found = (part("r").zip(part("s"))).ok_or(RpcError::Answer("signature"))?;
            if [found.0, found.1] == ours {
                return Ok(Some(hash));
            }
        }
        Ok(None)
    }

    /// Whether the node still has the receipts of a payment's time. What a node has forgotten it reports as absent.
    async fn check_memory(&self, end: u64, head: Block) -> Result<(), RpcError> {
        let (first, _) = self.around(end.saturating_sub(WINDOW), head).await?;
        for block in first..=head.number.min(first.saturating_add(PROBES)) {
            let place = json!([hex(block), hex(0)]);
            let known = self.call("eth_getTransactionByBlockNumberAndIndex", place).await?;
            if known.is_null() {
                // An empty block proves nothing.
                continue;
            }
            let hash = word(&known, "hash")?;
            let receipt = self.call("eth_getTransactionReceipt", json!([hash])).await?;
            return if receipt.is_null() { Err(RpcError::Forgotten) } else { Ok(()) };
        }
        Ok(())
    }

    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let request = http::Request::post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let request = request.body(call.into()).map_err(|_| RpcError::Url)?;
        let deadline = Deadline::after(PATIENCE);
        let answer = deadline.limit(self.transport.send(request)).await.map_err(RpcError::Unanswered)?;
        let answer = answer.map_err(|error| RpcError::Unanswered(Failure::Transport(error)))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(RpcError::Status { status: status.as_u16() });
        }
        let body = deadline.read(answer.into_body(), MAX_ANSWER).await.map_err(RpcError::Unanswered)?;
        let mut answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
            let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
            return Err(RpcError::Node { code, message: self.without_key(message) });
        }
        answer.get_mut("result").map(Value::take).ok_or(RpcError::Answer("result"))
    }

    /// What a node says, unless it repeats what in its URL may be a key.
    fn without_key(&self, message: &str) -> String {
        let path = self.url.path_and_query().map_or("", |path| path.as_str());
        let mut parts = path.split(['/', '?', '&', '=']).filter(|part| part.len() >= SHORTEST_KEY);
        match parts.any(|part| message.contains(part)) {
            true => "a part of its URL".to_owned(),
            false => mpp_core::printable(message, MAX_MESSAGE),
        }
    }
}

impl fmt::Debug for Rpc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Rpc").field("host", &self.url.host()).finish_non_exhaustive()
    }
}

/// What a mined transaction took from the payer, to the unit, by the token's own log: what went to the fee collector, and
/// what else went out and did not come back.
pub(crate) fn took(receipt: &Value, hash: B256, payment: &Payment, now: u64) -> Result<Settled, RpcError> {
    if word(receipt, "transactionHash")? != hash {
        return Err(RpcError::Answer("transactionHash"));
    }
    let succeeded = match receipt.get("status").and_then(quantity) {
        Some(1) => true,
        Some(0) => false,
        _ => return Err(RpcError::Answer("status")),
    };
    let (mut fee, mut out, mut back) = (Amount::ZERO, Amount::ZERO, Amount::ZERO);
    for log in receipt.get("logs").and_then(Value::as_array).ok_or(RpcError::Answer("logs"))? {
        let token = log.get("address").and_then(Value::as_str).and_then(|text| text.parse().ok());
        let topics = log.get("topics").and_then(Value::as_array).ok_or(RpcError::Answer("topics"))?;
        let [kind, from, to] = topics.as_slice() else { continue };
        let is_transfer = kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(TRANSFER));
        if token != Some(payment.quote.token) || !is_transfer {
            continue;
        }
        let [from, to] = [from, to].map(|topic| topic.as_str().and_then(padded));
        let amount = log.get("data").and_then(amount).ok_or(RpcError::Answer("data"))?;
        let payer = Some(payment.payer.into_word());
        match (from == payer, to == payer) {
            (true, _) if to == Some(FEE_COLLECTOR.into_word()) => fee = sum(fee, amount),
            (true, false) => out = sum(out, amount),
            (false, true) => back = sum(back, amount),
            _ => {}
        }
    }
    let to_self = payment.quote.transfers.iter().filter(|transfer| transfer.to == payment.payer);
    let to_self = to_self.fold(Amount::ZERO, |total, transfer| sum(total, transfer.amount));
    // Some nodes drop logs, and some may make them up.
    if (succeeded && sum(out, to_self) != payment.quote.amount) || fee > payment.quote.fee_ceiling {
        return Err(RpcError::Answer("logs"));
    }
    let amount = if succeeded { out.checked_sub(back).unwrap_or(Amount::ZERO) } else { Amount::ZERO };
    Ok(Settled { at: now, hash: Some(hash), amount, fee })
}

/// The two numbers of our signature, at the end of what we signed.
fn signature(signed: &Signed) -> Option<[B256; 2]> {
    let (numbers, _) = signed.transaction.last_chunk::<65>()?.as_chunks::<32>();
    let [r, s] = numbers else { return None };
    Some([r.into(), s.into()])
}

fn hex(number: u64) -> String {
    format!("{number:#x}")
}

fn quantity(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

fn word(value: &Value, name: &'static str) -> Result<B256, RpcError> {
    value.get(name).and_then(Value::as_str).and_then(padded).ok_or(RpcError::Answer(name))
}

/// A number of up to 32 bytes, with or without leading zeros.
fn padded(text: &str) -> Option<B256> {
    format!("{:0>64}", text.strip_prefix("0x")?).parse().ok()
}

pub(crate) fn amount(data: &Value) -> Option<Amount> {
    let word = padded(data.as_str()?)?;
    let (high, low) = word.split_last_chunk::<16>()?;
    high.iter().all(|byte| *byte == 0).then(|| Amount::from_base_units(u128::from_be_bytes(*low)))
}

/// `Transfer(address,address,uint256)`.
const TRANSFER: &str = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
/// `TransferWithMemo(address,address,uint256,bytes32)`.
const TRANSFER_WITH_MEMO: &str = "0x57bc7354aa85aed339e000bccffabbc529466af35f0772c8f8ee1145927de7f0";
/// `balanceOf(address)`.
const BALANCE_OF: &str = "0x70a08231";
/// Where the chain transfers fees to.
const FEE_COLLECTOR: Address =
    Address::new([0xfe, 0xec, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/// How long before the end of its validity a payment may have happened, in seconds: the 30 that the chain allows
/// (TIP-1009), and a minute for good measure.
const WINDOW: u64 = 90;
/// How many empty blocks are passed over in search of one whose receipts can be asked for.
const PROBES: u64 = 8;
/// How many blocks a search for a time may be off; a minute's worth. Nodes look through a thousand or more at once.
const NEAR: u64 = 128;
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer read, in bytes; a receipt of eleven transfers takes 20 kB.
const MAX_ANSWER: usize = 1024 * 1024;
/// Longest part of a node's message that is kept, in characters.
const MAX_MESSAGE: usize = 200;
/// Shortest part of a URL that may be a key, in bytes.
const SHORTEST_KEY: usize = 8;

/// Why a node did not say what became of a payment, or did not take it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// Not a URL to ask.
    #[error("the node's URL must be https, or http on this machine, and hold no user name or password")]
    Url,
    /// No answer, or none within the limits.
    #[error("the node did not answer; check its URL and that it runs")]
    Unanswered(#[source] Failure),
    /// Something in front of the node sent the call away, as for want of a key or because of too many calls.
    #[error("the node's server answered with status {status}; check the URL, its key and its quota")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// It is on another chain than the payment.
    #[error(
        "the payment is on chain {asked} and the node on chain {node}; ask a node of the payment's chain"
    )]
    Chain {
        /// The payment's chain.
        asked: u64,
        /// The node's.
        node: u64,
    },
    /// It said no.
    #[error("the node refused: {message} (code {code})")]
    Node {
        /// The JSON-RPC error code.
        code: i64,
        /// Its words.
        message: String,
    },
    /// It answered, but not what it was asked.
    #[error("the node's answer is wrong or incomplete at \"{0}\"; ask another node")]
    Answer(&'static str),
    /// It has dropped the receipts of that time, so that absence proves nothing.
    #[error("the node no longer has the receipts of the payment's time; ask one that keeps them all")]
    Forgotten,
}

impl RpcError {
    /// Whether asking about another payment would end the same way.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, RpcError::Unanswered(_) | RpcError::Status { .. })
    }
}
