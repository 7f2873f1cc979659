//! Transactions written field by field and signed by whoever likes: what a payer who is not this crate could send.

use alloy_primitives::keccak256;
use alloy_rlp::{Encodable, Header};
use k256::ecdsa::SigningKey;
use mpp_core::Challenge;
use mpp_core::tempo::{Call, FeePayment, Transaction};
use serde_json::{Value, json};

use crate::support::{KEY, base64url, bytes};

/// The RLP of every field, in the order of TIP-0001, without the signature.
pub(crate) fn fields(transaction: &Transaction) -> Vec<Vec<u8>> {
    let (fee_token, sponsor) = match &transaction.fee {
        FeePayment::Sender(token) => {
            (item(token.as_ref().map_or(&[][..], |token| token.as_slice())), vec![0x80])
        }
        FeePayment::Sponsor => (vec![0x80], vec![0x00]),
    };
    let call = |call: &Call| list(&[item(call.to.as_slice()), vec![0x80], item(&*call.input)]);
    vec![
        item(transaction.chain_id),
        item(transaction.max_priority_fee_per_gas),
        item(transaction.max_fee_per_gas),
        item(transaction.gas_limit),
        list(&transaction.calls.iter().map(call).collect::<Vec<_>>()),
        vec![0xc0],
        item(&*transaction.nonce_key.to_be_bytes_trimmed_vec()),
        item(transaction.nonce),
        item(transaction.valid_before.unwrap_or(0)),
        item(transaction.valid_after.unwrap_or(0)),
        fee_token,
        sponsor,
        vec![0xc0],
    ]
}

/// Where `fields` puts what the tests change.
pub(crate) const ACCESS_LIST: usize = 5;
pub(crate) const FEE_TOKEN: usize = 10;
pub(crate) const SPONSOR: usize = 11;

/// A transaction of type 0x76 with its signature.
pub(crate) fn signed(transaction: &Transaction) -> Vec<u8> {
    let fields = fields(transaction);
    with_signature(&fields, &signature(&fields))
}

pub(crate) fn with_signature(fields: &[Vec<u8>], signature: &[u8]) -> Vec<u8> {
    typed(0x76, &[fields, &[item(signature)]].concat())
}

/// r, s and v of the key of the tests over the fields.
pub(crate) fn signature(fields: &[Vec<u8>]) -> [u8; 65] {
    let key = SigningKey::from_slice(&bytes(&json!(KEY))).expect("a key");
    let (signature, recovery) = key.sign_prehash_recoverable(keccak256(typed(0x76, fields)).as_slice());
    let mut bytes = [27 + recovery.to_byte(); 65];
    bytes[..64].copy_from_slice(&signature.to_bytes());
    bytes
}

pub(crate) fn item(value: impl Encodable) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out);
    out
}

pub(crate) fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    let mut out = Vec::new();
    Header { list: true, payload_length: payload.len() }.encode(&mut out);
    [out, payload].concat()
}

pub(crate) fn typed(kind: u8, items: &[Vec<u8>]) -> Vec<u8> {
    [vec![kind], list(items)].concat()
}

/// An `Authorization` value for `challenge` with any payload.
pub(crate) fn authorization(challenge: &Challenge, payload: &Value, source: Option<&str>) -> String {
    let optional = [
        ("digest", challenge.digest()),
        ("description", challenge.description()),
        ("opaque", challenge.opaque()),
        ("expires", challenge.expires_at().map(|_| "2027-01-15T08:01:00Z")),
    ];
    let mut echo = json!({
        "id": challenge.id(),
        "realm": challenge.realm(),
        "method": challenge.method(),
        "intent": challenge.intent(),
        "request": challenge.request(),
    });
    for (name, value) in optional {
        if let Some(value) = value {
            echo[name] = json!(value);
        }
    }
    let mut credential = json!({ "challenge": echo, "payload": payload });
    if let Some(source) = source {
        credential["source"] = json!(source);
    }
    format!("Payment {}", base64url(&credential))
}
