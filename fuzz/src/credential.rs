//! The value of an `Authorization: Payment` field by draft-httpauth-payment §5.2 and draft-tempo-charge-00 §5.

use mpp_core::tempo::{Address, B256, Payload};

use crate::json::{self, Json};
use crate::{base64, charge, header};

/// What a credential says.
#[derive(Debug)]
pub struct Credential {
    pub challenge: header::Challenge,
    pub payload: Payload,
    pub source: Option<(u64, Address)>,
}

/// Reads a field's value. As in mpp-core, a source that is no `did:pkh:eip155` is none.
pub fn read(value: &[u8]) -> Option<Credential> {
    let value = value.trim_ascii();
    let (scheme, token) = value.split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case(b"payment") || !token.starts_with(b" ") {
        return None;
    }
    let token = std::str::from_utf8(token).ok()?.trim_ascii();
    let credential = json::parse(&base64::decode_any(token).filter(|_| token.len() <= 65_536)?)?;
    let Json::Object(echo) = credential.get("challenge")? else { return None };
    let mut parameters = Vec::new();
    for (name, value) in echo.iter().filter(|(name, _)| PARAMETERS.contains(&name.as_str())) {
        match value {
            Json::String(value) => parameters.push((name.clone(), value.clone())),
            Json::Null => {}
            _ => return None,
        }
    }
    let payload = credential.get("payload")?;
    let member = |name| match payload.get(name) {
        Some(Json::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let payload = match member("type")? {
        "transaction" => Payload::Transaction(charge::bytes(member("signature")?)?.into()),
        "hash" => Payload::Hash(B256::new(charge::hex(member("hash")?)?)),
        "proof" => Payload::Proof(charge::hex(member("signature")?)?),
        _ => return None,
    };
    let source = match credential.get("source") {
        Some(Json::String(did)) => source(did),
        _ => None,
    };
    Some(Credential { challenge: header::check(&parameters)?, payload, source })
}

/// `did:pkh:eip155:<chain>:<address>`, the chain in decimal without zeros before it (CAIP-2).
fn source(did: &str) -> Option<(u64, Address)> {
    let [chain, address] = did.strip_prefix("did:pkh:eip155:")?.split(':').collect::<Vec<_>>()[..] else {
        return None;
    };
    let id: u64 = chain.parse().ok()?;
    Some((id, Address::new(charge::hex(address)?))).filter(|_| id.to_string() == chain)
}

const PARAMETERS: [&str; 10] =
    ["id", "realm", "method", "intent", "request", "expires", "digest", "description", "opaque", "header"];
