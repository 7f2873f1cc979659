//! What a thief can do with what he heard: find the credentials, take the transactions out, and broadcast them.

use std::collections::BTreeSet;
use std::time::Duration;

use alloy_primitives::{B256, Bytes, hex, keccak256};
use base64_022::Engine as _;
use base64_022::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{Anvil, Heard, Mined};
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

/// Every field value that is a credential, whatever the field is called and however long it is.
pub(crate) fn credentials(heard: &Heard) -> Vec<String> {
    let fields = heard.head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.map(|(_, value)| value.to_owned()).filter(|value| value.starts_with(SCHEME)).collect()
}

/// The same of a request on its way.
pub(crate) fn credentials_among(headers: &HeaderMap) -> Vec<String> {
    let texts = headers.values().filter_map(|value| value.to_str().ok().map(str::to_owned));
    texts.filter(|value| value.starts_with(SCHEME)).collect()
}

/// The distinct transactions that need nobody's signature but the payer's.
pub(crate) fn transactions<'a>(credentials: impl Iterator<Item = &'a String>) -> BTreeSet<Bytes> {
    let raws = credentials
        .filter_map(|value| payload(value, "transaction", "signature"))
        .map(|raw| Bytes::from(hex::decode(raw).expect("hexadecimal")));
    // Any other type lacks the sponsor's signature.
    raws.filter(|raw| raw.first() == Some(&0x76)).collect()
}

/// The distinct hashes of transactions that their payer broadcast himself.
pub(crate) fn pushed<'a>(credentials: impl Iterator<Item = &'a String>) -> BTreeSet<B256> {
    let hashes = credentials.filter_map(|value| payload(value, "hash", "hash"));
    hashes.map(|hash| hash.parse().expect("a hash")).collect()
}

/// A member of a credential's payload, if that is of this type.
fn payload(value: &str, kind: &str, member: &str) -> Option<String> {
    let json = URL_SAFE_NO_PAD.decode(value.strip_prefix(SCHEME)?).expect("base64url");
    let credential: Value = serde_json::from_slice(&json).expect("JSON");
    let payload = credential.get("payload").expect("a payload");
    let text = |name: &str| payload.get(name).and_then(Value::as_str).expect("a member of the payload");
    (text("type") == kind).then(|| text(member).to_owned())
}

/// Broadcasts a transaction as a thief would, and waits for it to be in a block.
pub(crate) async fn cash_in(node: &Anvil, raw: &Bytes) -> Option<Mined> {
    // What was mined already is refused, and has a receipt all the same.
    let _ = node.rpc("eth_sendRawTransaction", json!([hex::encode_prefixed(raw)])).await;
    let mined = async {
        loop {
            if let Some(mined) = node.transaction(keccak256(raw)).await {
                return mined;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), mined).await.ok()
}

/// What a credential's field value starts with.
pub(crate) const SCHEME: &str = "Payment ";
