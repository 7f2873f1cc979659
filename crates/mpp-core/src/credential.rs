//! The credential: an answered challenge and the payment, to and from the value of an `Authorization` field
//! (draft-httpauth-payment §5.2). The challenge goes back exactly as it came.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use alloy_primitives::{Address, B256, Bytes, hex};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::base64url;
use crate::challenge::{Challenge, Fault, SCHEME};
use crate::charge;
use crate::json::{self, Json};

/// A payment for one challenge. Whoever holds it can spend it, so it prints as its id and payer only.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    challenge: Challenge,
    payload: Payload,
    source: Option<(u64, Address)>,
}

/// The payment itself (draft-tempo-charge-00 §5).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    /// A signed transaction for the payee to broadcast.
    Transaction(Bytes),
    /// The hash of a transaction that the payer broadcast.
    Hash(B256),
    /// A signature that proves who asks, for a charge of nothing.
    Proof([u8; 65]),
}

impl Credential {
    pub(crate) fn new(challenge: Challenge, payload: Payload, source: Option<(u64, Address)>) -> Self {
        Credential { challenge, payload, source }
    }

    /// Reads the value of an `Authorization` or `Payment-Authorization` field.
    ///
    /// # Errors
    /// When it is another scheme, too long, no JSON with unique keys, or lacks what it must have.
    pub fn parse(value: &[u8]) -> Result<Self, CredentialError> {
        let value = value.trim_ascii();
        let (scheme, token) = value.split_at_checked(SCHEME.len()).ok_or(CredentialError::Scheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) || token.first() != Some(&b' ') {
            return Err(CredentialError::Scheme);
        }
        let token = std::str::from_utf8(token.trim_ascii())
            .map_err(|_| CredentialError::Encoding("is not base64url"))?;
        let bytes = base64url::decode(token, MAX_CREDENTIAL).map_err(CredentialError::Encoding)?;
        let credential = json::object(&bytes).map_err(CredentialError::Encoding)?;
        let Some(Json::Object(echo)) = credential.get("challenge") else {
            return Err(CredentialError::Member("challenge"));
        };
        let wrong_type = Cell::new(false);
        let challenge = Challenge::from_parameters(|name| {
            let value = echo.string(name).unwrap_or_else(|_| {
                wrong_type.set(true);
                None
            });
            Some((value?, None))
        });
        if wrong_type.get() {
            return Err(CredentialError::Member("challenge"));
        }
        let Some(Json::Object(payload)) = credential.get("payload") else {
            return Err(CredentialError::Member("payload"));
        };
        let member = |name| payload.string(name).ok().flatten().ok_or(CredentialError::Member("payload"));
        let payload = match member("type")? {
            "transaction" => {
                let raw = Some(member("signature")?).filter(|raw| raw.starts_with("0x"));
                raw.and_then(|raw| hex::decode(raw).ok()).map(|raw| Payload::Transaction(raw.into()))
            }
            "hash" => charge::hex(member("hash")?).map(|hash| Payload::Hash(hash.into())),
            "proof" => charge::hex(member("signature")?).map(Payload::Proof),
            _ => None,
        };
        let source = credential.string("source").ok().flatten().and_then(parse_did);
        Ok(Credential {
            challenge: challenge.map_err(CredentialError::Challenge)?,
            payload: payload.ok_or(CredentialError::Member("payload"))?,
            source,
        })
    }

    /// The field to send it in: `Authorization`, unless the challenge named `Payment-Authorization`.
    #[must_use]
    pub fn header_name(&self) -> &'static str {
        self.challenge.credential_header()
    }

    /// The value of that field. Mark it sensitive; never log it.
    #[must_use]
    pub fn header_value(&self) -> String {
        let json = serde_json::to_vec(&Wire(self)).unwrap_or_default();
        [SCHEME, " ", &base64url::encode(json)].concat()
    }

    /// The challenge it answers.
    #[must_use]
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// The payment.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The chain and address the payer claims, if it is a `did:pkh:eip155`.
    #[must_use]
    pub fn source(&self) -> Option<(u64, Address)> {
        self.source
    }
}

/// `did:pkh:eip155:<chain id>:<address>`, the chain id without a sign or zeros before it (CAIP-2).
fn parse_did(text: &str) -> Option<(u64, Address)> {
    let (digits, address) = text.strip_prefix(DID)?.split_once(':')?;
    let chain_id: u64 = digits.parse().ok()?;
    (chain_id.to_string() == digits).then_some((chain_id, charge::hex(address)?.into()))
}

/// A credential as JSON. Not the credential itself, which nobody should serialise by accident.
struct Wire<'a>(&'a Credential);

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Credential { challenge, payload, source } = self.0;
        let (member, value, kind) = match payload {
            Payload::Transaction(raw) => ("signature", hex::encode_prefixed(raw), "transaction"),
            Payload::Hash(hash) => ("hash", hex::encode_prefixed(hash), "hash"),
            Payload::Proof(signature) => ("signature", hex::encode_prefixed(signature), "proof"),
        };
        let mut credential = serializer.serialize_map(None)?;
        credential.serialize_entry("challenge", &challenge.parameters().collect::<BTreeMap<_, _>>())?;
        credential.serialize_entry("payload", &BTreeMap::from([(member, value.as_str()), ("type", kind)]))?;
        if let Some((chain_id, address)) = source {
            credential.serialize_entry("source", &format_args!("{DID}{chain_id}:{address}"))?;
        }
        credential.end()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credential")
            .field("challenge_id", &self.challenge.id())
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Payload::Transaction(_) => "Transaction(..)",
            Payload::Hash(_) => "Hash(..)",
            Payload::Proof(_) => "Proof(..)",
        })
    }
}

const DID: &str = "did:pkh:eip155:";
/// Longest credential read, in characters, as in every deployed SDK; the draft asks for 4 KiB.
const MAX_CREDENTIAL: usize = 64 * 1024;

/// Why a field value is no credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// Another scheme than `Payment`.
    #[error("not a credential of the Payment scheme")]
    Scheme,
    /// Not base64url of a JSON object with unique keys.
    #[error("the credential {0}")]
    Encoding(&'static str),
    /// The echoed challenge is none.
    #[error("the credential's challenge: {0}")]
    Challenge(Fault),
    /// A required member is missing or malformed.
    #[error("the credential's {0} is missing or malformed")]
    Member(&'static str),
}
