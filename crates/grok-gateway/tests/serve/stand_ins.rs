//! A Tempo node that takes every payment, and an upstream that answers when it is let.

use std::sync::{Arc, Mutex};

use alloy_primitives::{hex, keccak256};
use axum::Router;
use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::program::PATIENCE;

pub(crate) const CHAIN: u64 = 31337;

/// A node of chain 31337 on which every token of TIP-20 is there and everybody has the same balance of it.
pub(crate) struct Node {
    pub(crate) url: String,
}

impl Node {
    pub(crate) async fn start() -> Self {
        Node::with(1_000_000).await
    }

    /// One on which everybody has so many base units.
    pub(crate) async fn with(balance: u64) -> Self {
        let router = Router::new().fallback(move |call: Bytes| async move {
            answer(&serde_json::from_slice(&call).unwrap(), balance).to_string()
        });
        Node { url: format!("{}/a-key-in-the-url", serve(router).await) }
    }
}

fn answer(call: &Value, balance: u64) -> Value {
    let method = call["method"].as_str().unwrap();
    let result = match method {
        "eth_chainId" => json!(format!("{CHAIN:#x}")),
        "eth_call" => {
            // A payment that is tried out.
            if call["params"][0]["calls"].is_array() {
                return json!({"jsonrpc": "2.0", "id": call["id"], "result": "0x"});
            }
            let (to, data) =
                (call["params"][0]["to"].as_str().unwrap(), call["params"][0]["input"].as_str().unwrap());
            let value = if data.starts_with("0x313ce567") { 6 } else { balance };
            if to.starts_with("0x20c0") { json!(format!("0x{value:064x}")) } else { json!("0x") }
        }
        "eth_sendRawTransactionSync" => {
            let raw = hex::decode(call["params"][0].as_str().unwrap()).unwrap();
            json!({"transactionHash": keccak256(raw), "status": "0x1", "blockNumber": "0x1", "logs": []})
        }
        "eth_getTransactionReceipt" => Value::Null,
        "eth_getBlockByNumber" => json!({"timestamp": "0x1"}),
        other => panic!("the node was asked for {other}"),
    };
    json!({"jsonrpc": "2.0", "id": call["id"], "result": result})
}

/// A service with xAI's chat, which it answers as long as it is open; until then it lets wait.
pub(crate) struct Service {
    pub(crate) url: String,
    open: watch::Sender<bool>,
    asked: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
}

impl Service {
    pub(crate) async fn start(open: bool) -> Self {
        let (open, opened) = watch::channel(open);
        let (counter, count) = watch::channel(0);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (memory, counter) = (Arc::clone(&asked), Arc::new(counter));
        let answer = move |body: Bytes| {
            let mut opened = opened.clone();
            // Whether it is there, it says at once.
            let asked = !body.is_empty();
            if asked {
                memory.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
                counter.send_modify(|count| *count += 1);
            }
            async move {
                let _ = opened.wait_for(|open| *open || !asked).await;
                json!({
                    "id": "c_1", "object": "chat.completion", "created": 1, "model": "grok-4.6",
                    "choices": [{"index": 0, "finish_reason": "stop", "message":
                        {"role": "assistant", "content": "an answer that nobody else must see"}}],
                    "usage": {"prompt_tokens": 12, "completion_tokens": 5, "cost_in_usd_ticks": 540_000},
                })
                .to_string()
            }
        };
        let url = serve(Router::new().fallback(answer)).await;
        Service { url, open, asked, count }
    }

    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Returns once it has been asked so often.
    pub(crate) async fn until_asked(&self, times: usize) {
        let mut count = self.count.clone();
        timeout(PATIENCE, count.wait_for(|count| *count >= times)).await.expect("it is not asked").unwrap();
    }
}

pub(crate) async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
