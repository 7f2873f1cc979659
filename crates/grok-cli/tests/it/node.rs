//! A node that knows what it is told.

use std::io::Write as _;
use std::net::TcpListener;
use std::time::{SystemTime, UNIX_EPOCH};

use mpp_core::tempo::{LocalSigner, PATH_USD};
use serde_json::{Value, json};

use crate::support::{KEY, answer, read_request};

/// What a node knows of every transaction it is asked about.
#[derive(Clone, Copy)]
pub(crate) enum Knows {
    /// It happened, and took 1,000 base units and 29 in fees.
    Happened,
    /// It was tried and failed, and took 29 in fees.
    Failed,
    /// It did not, and its time is over.
    Absent,
    /// It did not, and may yet.
    NotYet,
}

/// A node of a chain; its URL.
pub(crate) fn node(chain_id: u64, knows: Knows) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            let call: Value = serde_json::from_slice(&read_request(&stream).1).expect("JSON");
            let result = result(&call, chain_id, knows);
            let body = json!({ "jsonrpc": "2.0", "id": call.get("id"), "result": result }).to_string();
            let _ = (&stream).write_all(answer("200 OK", &body).as_bytes());
        }
    });
    url
}

fn result(call: &Value, chain_id: u64, knows: Knows) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let tomorrow = now + 86_400;
    match (call.get("method").and_then(Value::as_str).expect("a method"), knows) {
        ("eth_chainId", _) => json!(format!("{chain_id:#x}")),
        ("eth_getBlockByNumber", Knows::NotYet) => {
            json!({ "number": "0x0", "timestamp": format!("{now:#x}") })
        }
        ("eth_getBlockByNumber", _) => json!({ "number": "0x0", "timestamp": format!("{tomorrow:#x}") }),
        ("eth_getTransactionReceipt", Knows::Happened | Knows::Failed) => {
            let payer = LocalSigner::from_hex(KEY).expect("a key").address().into_word();
            let transfer = |to: &str, amount: &str| {
                json!({
                    "address": PATH_USD,
                    "topics": ["0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", payer, to],
                    "data": amount,
                })
            };
            let price = transfer("0x742d35cc6634c0532925a3b844bc9e7595f8fe00", "0x3e8");
            let fee = transfer("0xfeec000000000000000000000000000000000000", "0x1d");
            let (status, logs) = match knows {
                Knows::Happened => ("0x1", json!([price, fee])),
                _ => ("0x0", json!([fee])),
            };
            json!({ "transactionHash": call.pointer("/params/0"), "status": status, "logs": logs })
        }
        _ => Value::Null,
    }
}
