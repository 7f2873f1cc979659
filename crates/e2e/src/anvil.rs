//! A real Tempo node of one's own: what tests ask it and how they fund an account.

use std::time::Duration;

use alloy_primitives::{Address, B256};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::{sleep, timeout};

use crate::peer::Peer;
use crate::token::{self, MemoTransfer, Mined, PATH_USD, TRANSFER_WITH_MEMO};
use crate::{BANK, rpc};

/// The chain id of [`Anvil::shared`].
pub const CHAIN_ID: u64 = 31337;

/// A running node, stopped when dropped; an [`Anvil::shared`] one when this process ends.
#[derive(Debug)]
pub struct Anvil {
    peer: Peer,
    chain_id: u64,
    /// The bank's nonce is the node's to choose, so its transfers go one by one.
    bank: Mutex<()>,
}

impl Anvil {
    /// The node that all tests of this process share; about one second on first use.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Anvil> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::start(CHAIN_ID)).await
    }

    /// A node of one's own with this chain id, once it has mined a block.
    pub async fn start(chain_id: u64) -> Self {
        let peer = Peer::start("tempo-node.mjs", json!({ "chainId": chain_id })).await;
        let node = Self { peer, chain_id, bank: Mutex::new(()) };
        assert_eq!(token::number::<u64>(&node.ask("eth_chainId", json!([])).await), chain_id);
        // Servers simulate at the latest block's time, and the first one's is not the present.
        node.until("the first block", || async {
            (token::number::<u64>(&node.ask("eth_blockNumber", json!([])).await) > 0).then_some(())
        })
        .await;
        node
    }

    /// Where the node answers JSON-RPC: `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.peer.port)
    }

    /// The id of a process whose one child is the node.
    pub fn process_id(&self) -> u32 {
        self.peer.process_id()
    }

    /// The chain id the node was started with.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Any JSON-RPC call.
    ///
    /// # Errors
    /// The `error` object the node answered with.
    pub async fn rpc(&self, method: &str, params: Value) -> Result<Value, Value> {
        rpc::call(self.peer.port, method, &params).await
    }

    /// The latest block's time, in seconds since 1970.
    pub async fn latest_timestamp(&self) -> u64 {
        let block = self.ask("eth_getBlockByNumber", json!(["latest", false])).await;
        token::number(block.get("timestamp").unwrap_or_default())
    }

    /// What `owner` holds of `token`, in base units.
    pub async fn balance_of(&self, token: Address, owner: Address) -> u128 {
        let call = json!({ "to": token.to_string(), "data": token::balance_of(owner) });
        token::number(&self.ask("eth_call", json!([call, "latest"])).await)
    }

    /// The transaction with this hash, if it is in a block.
    pub async fn transaction(&self, hash: B256) -> Option<Mined> {
        let receipt = self.ask("eth_getTransactionReceipt", json!([hash.to_string()])).await;
        (!receipt.is_null()).then(|| Mined::from_receipt(&receipt))
    }

    /// Every `TransferWithMemo` on the chain that carries `memo`; of all memos if there is none.
    pub async fn memo_transfers(&self, memo: Option<B256>) -> Vec<MemoTransfer> {
        let topics =
            [Some(TRANSFER_WITH_MEMO), None, None, memo].map(|topic| topic.map(|hash| hash.to_string()));
        let filter = json!({ "fromBlock": "0x0", "topics": topics });
        let logs = self.ask("eth_getLogs", json!([filter])).await;
        logs.as_array().expect("logs are a list").iter().map(MemoTransfer::from_log).collect()
    }

    /// Gives `to` this many base units of pathUSD from the [`BANK`].
    pub async fn fund(&self, to: Address, amount: u128) {
        let one_at_a_time = self.bank.lock().await;
        self.order(BANK.address, PATH_USD, token::transfer(to, amount)).await;
        drop(one_at_a_time);
    }

    /// Has one of the node's own accounts call a contract.
    pub(crate) async fn order(&self, from: Address, to: Address, input: String) {
        // With a gas limit of its own the node need not estimate; the unused part is not charged.
        let call =
            json!({ "from": from.to_string(), "to": to.to_string(), "data": input, "gas": "0x1e8480" });
        let hash = self.ask("eth_sendTransaction", json!([call])).await;
        let hash: B256 = hash.as_str().and_then(|hash| hash.parse().ok()).expect("a transaction's hash");
        let mined = self.until("a call by one of its accounts", || self.transaction(hash)).await;
        assert!(mined.succeeded, "{from} could not call {to}: {input}");
    }

    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        let answer = self.rpc(method, params).await;
        answer.unwrap_or_else(|error| panic!("the node refused {method}: {error}"))
    }

    /// Asks again until there is an answer; panics after half a minute without one.
    async fn until<T, F: Future<Output = Option<T>>>(&self, what: &str, mut ask: impl FnMut() -> F) -> T {
        let answer = timeout(Duration::from_secs(30), async {
            loop {
                if let Some(answer) = ask().await {
                    return answer;
                }
                sleep(Duration::from_millis(10)).await;
            }
        });
        answer.await.unwrap_or_else(|_| panic!("the node did not mine {what} within 30 s"))
    }
}
