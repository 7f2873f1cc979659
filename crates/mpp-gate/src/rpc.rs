//! Settlement by a Tempo node: raw transactions in, mined ones out, over JSON-RPC. Only what a node surely did not take
//! has not happened; whatever else it says, or does not say, the transaction's receipt decides, if there is one.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mpp_core::payee::ProblemType;
use reqwest::Url;
use rustls_platform_verifier::BuilderVerifierExt as _;
use serde_json::{Value, json};

use crate::settle::{Payment, Settle, SettleError, SettleFuture};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A node that broadcasts payments and waits until they are mined. It prints as its chain: node URLs hold keys.
#[derive(Clone)]
pub struct RpcSettlement {
    client: reqwest::Client,
    url: Url,
    chain_id: u64,
}

impl RpcSettlement {
    /// Asks the node at `url` which chain it is on. Proxies and redirects are not used.
    ///
    /// # Errors
    /// When the URL is none, or cleartext to another machine, or the node does not answer as one.
    pub async fn connect(url: &str) -> Result<Self, RpcError> {
        let url = Url::parse(url).map_err(|_| RpcError::Url)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err(RpcError::Cleartext),
            _ => return Err(RpcError::Url),
        }
        let mut node = RpcSettlement { client: client()?, url, chain_id: 0 };
        let answer = node.call("eth_chainId", json!([])).await?;
        let digits = answer.as_str().and_then(|text| text.strip_prefix("0x"));
        let chain_id = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        node.chain_id = chain_id.ok_or(RpcError::Answer("no chain id"))?;
        Ok(node)
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = self.client.post(self.url.clone()).header("content-type", "application/json");
        let mut response = request.body(call.to_string()).send().await.map_err(|error| {
            let unsent = error.is_connect() || error.is_builder();
            let source = error.without_url().into();
            if unsent { RpcError::Unreachable(source) } else { RpcError::Exchange(source) }
        })?;
        let status = response.status().as_u16();
        if TURNED_AWAY.contains(&status) {
            return Err(RpcError::Turned { status });
        }
        let mut body = Vec::new();
        let broken = |error: reqwest::Error| RpcError::Exchange(error.without_url().into());
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(RpcError::Answer("more than 1 MiB"));
            }
        }
        let mut answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
            let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
            let message = message.chars().filter(|letter| !letter.is_control()).take(MAX_MESSAGE).collect();
            return Err(RpcError::Node { code, message });
        }
        answer.get_mut("result").map(Value::take).ok_or(RpcError::Answer("no JSON-RPC"))
    }

    async fn broadcast(&self, payment: &Payment) -> Result<(), SettleError> {
        let raw = alloy_primitives::hex::encode_prefixed(payment.signed.raw());
        let sent = match self.call("eth_sendRawTransactionSync", json!([raw])).await {
            Ok(receipt) => judge(&receipt, payment),
            Err(error) => Err(error.into()),
        };
        let Err(SettleError::Unknown { .. }) = sent else { return sent };
        match self.call("eth_getTransactionReceipt", json!([payment.hash.to_string()])).await {
            Ok(receipt) if !receipt.is_null() => judge(&receipt, payment),
            _ => sent,
        }
    }
}

impl Settle for RpcSettlement {
    fn chain_id(&self) -> u64 {
        self.chain_id
    }

    fn settle<'a>(&'a self, payment: &'a Payment) -> SettleFuture<'a> {
        Box::pin(self.broadcast(payment))
    }
}

impl fmt::Debug for RpcSettlement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RpcSettlement").field("chain_id", &self.chain_id).finish_non_exhaustive()
    }
}

/// A mined transaction of our hash that did what it says, or why it is not that.
fn judge(receipt: &Value, payment: &Payment) -> Result<(), SettleError> {
    let member = |name| receipt.get(name).and_then(Value::as_str);
    let hash = member("transactionHash").and_then(|hash| hash.parse().ok());
    match (hash == Some(payment.hash), member("status")) {
        (true, Some("0x1")) => Ok(()),
        (true, Some("0x0")) => {
            let source = RpcError::Reverted.into();
            Err(SettleError::Refused { kind: ProblemType::VerificationFailed, source })
        }
        _ => Err(SettleError::Unknown { source: RpcError::Answer("the receipt of something else").into() }),
    }
}

/// Whether nobody but this machine sees what is said: with anybody in between, an answer proves nothing.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host.parse::<IpAddr>().map_or(host == "localhost", |address| address.is_loopback())
}

fn client() -> Result<reqwest::Client, RpcError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(|error| RpcError::Tls(error.into()))?
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .timeout(PATIENCE)
        .build();
    client.map_err(|error| RpcError::Tls(error.into()))
}

/// A node holds a transaction that it cannot mine for 30 seconds before it says so.
const PATIENCE: Duration = Duration::from_secs(45);
/// Longest answer read, in bytes; a receipt of eleven transfers takes 20 kB.
const MAX_ANSWER: usize = 1024 * 1024;
/// Longest part of a node's message that is kept, in characters.
const MAX_MESSAGE: usize = 400;

/// Why a node did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// Not the URL of a node.
    #[error("the node's address is not an https URL, nor an http URL of this machine")]
    Url,
    /// Whoever sits on the way to the node could answer in its place.
    #[error(
        "a node on another machine is asked over https only; use an https URL, or a node of this machine"
    )]
    Cleartext,
    /// TLS could not be set up.
    #[error("TLS could not be set up; check the certificates of this machine")]
    Tls(#[source] BoxError),
    /// Nothing was sent.
    #[error("the node cannot be reached; check its URL and that it runs")]
    Unreachable(#[source] BoxError),
    /// Something was sent, and no answer came.
    #[error("the node broke off without an answer; check that it runs")]
    Exchange(#[source] BoxError),
    /// Something in front of the node sent the call away, as for want of a key or because of too many calls.
    #[error(
        "the node's server turned the call away with status {status}; check the URL, its key and its quota"
    )]
    Turned {
        /// The HTTP status.
        status: u16,
    },
    /// It answered, but not what it was asked.
    #[error("the node answered with {0}")]
    Answer(&'static str),
    /// It mined the transaction, which did nothing but pay its fee.
    #[error("the transaction was mined but reverted, most likely for want of money")]
    Reverted,
    /// It said no.
    #[error("the node refused: {message} (code {code})")]
    Node {
        /// The JSON-RPC error code.
        code: i64,
        /// The node's words.
        message: String,
    },
}

impl From<RpcError> for SettleError {
    fn from(error: RpcError) -> Self {
        match &error {
            RpcError::Node { code: UNKNOWN_METHOD, .. }
            | RpcError::Url
            | RpcError::Cleartext
            | RpcError::Tls(_)
            | RpcError::Unreachable(_)
            | RpcError::Turned { .. } => SettleError::Unavailable { source: error.into() },
            RpcError::Node { code, message }
                if REJECTED.contains(code)
                    && let Some(kind) = refusal(message) =>
            {
                SettleError::Refused { kind, source: error.into() }
            }
            _ => SettleError::Unknown { source: error.into() },
        }
    }
}

/// What to call a rejection to the payer; `None` unless its words say that the node did not take the transaction.
fn refusal(message: &str) -> Option<ProblemType> {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if says(&NO_MONEY) {
        return Some(ProblemType::PaymentInsufficient);
    }
    says(&NOT_TAKEN).then_some(ProblemType::VerificationFailed)
}

/// HTTP statuses of what stands in front of a node, which has then not seen the call.
const TURNED_AWAY: [u16; 6] = [401, 403, 404, 405, 413, 429];
/// The node does not know the call, so it has done nothing.
const UNKNOWN_METHOD: i64 = -32601;
/// Invalid input, transaction rejected (EIP-1474), and invalid parameters; nodes also use the first two for
/// transactions that they have already. Other codes can stand for a transaction that waits (EIP-7966 has 4 to 6 for
/// these).
const REJECTED: [i64; 3] = [-32000, -32003, -32602];
/// What Ethereum's nodes, and Tempo's, say to a payer without money.
const NO_MONEY: [&str; 2] = ["insufficient funds", "insufficient fee token balance"];
/// What geth, reth, anvil and Tempo say of a window, a fee, a gas limit or bytes that they do not take.
const NOT_TAKEN: [&str; 7] = [
    "valid_before",
    "valid_after",
    "underpriced",
    "less than block base fee",
    "intrinsic gas",
    "failed to decode",
    "transaction type not supported",
];
