//! What several tests share: vector files, a payer, a policy, and challenges to hand to it.

use alloy_primitives::hex;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mpp_core::tempo::{self, LocalSigner, SignedPayment};
use mpp_core::{Challenge, Policy};
use serde_json::{Value, json};

/// The time of every test that needs one, in Unix seconds: 2027-01-15T08:00:00Z.
pub(crate) const NOW: u64 = 1_800_000_000;
/// The salt of every test that needs one.
pub(crate) const SALT: u64 = 0x5eed;
/// A throw-away key of the vectors.
pub(crate) const KEY: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
/// Recipient of [`charge`].
pub(crate) const RECIPIENT: &str = "0x742d35cc6634c0532925a3b844bc9e7595f8fe00";
/// Somebody else.
pub(crate) const STRANGER: &str = "0xa1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2";

/// A file of `testdata/`.
pub(crate) fn vectors(file: &str) -> Value {
    let path = format!("{}/testdata/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The items of a JSON array.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

/// A JSON string.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string"))
}

/// The bytes of a JSON string of hexadecimal.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).expect("hexadecimal")
}

/// Base64url of JSON in canonical form: serde_json sorts the members of a `Value` and adds no space.
pub(crate) fn base64url(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

/// The JSON behind base64url.
pub(crate) fn decoded(text: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("JSON")
}

/// A `WWW-Authenticate` value of these parameters, quotes and backslashes escaped.
pub(crate) fn header(parameters: &[(&str, &str)]) -> String {
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
    let parameters = parameters.iter().map(|(name, value)| format!("{name}=\"{}\"", quoted(value)));
    format!("Payment {}", parameters.collect::<Vec<_>>().join(", "))
}

/// The only challenge of a field.
pub(crate) fn parse(field: &str) -> Challenge {
    let mut challenges = Challenge::parse_all([field]);
    assert_eq!(challenges.len(), 1, "{field}");
    challenges.remove(0).unwrap_or_else(|error| panic!("{error}: {field}"))
}

/// One cent in pathUSD on mainnet.
pub(crate) fn charge() -> Value {
    json!({
        "amount": "10000",
        "currency": "0x20c0000000000000000000000000000000000000",
        "recipient": RECIPIENT,
        "methodDetails": { "chainId": 4217 },
    })
}

/// The parameters of a challenge for `request` that is good for a minute.
pub(crate) fn parameters(request: &str) -> [(&str, &str); 6] {
    [
        ("id", "challenge-123"),
        ("realm", "api.example.com"),
        ("method", "tempo"),
        ("intent", "charge"),
        ("request", request),
        ("expires", "2027-01-15T08:01:00Z"),
    ]
}

/// A challenge for `request`, good for a minute.
pub(crate) fn challenge(request: &Value) -> Challenge {
    parse(&header(&parameters(&base64url(request))))
}

/// Up to a dollar in pathUSD on mainnet.
pub(crate) fn policy() -> Policy {
    Policy::new(tempo::MAINNET, [tempo::PATH_USD], "1".parse().expect("dollars"))
}

pub(crate) fn signer() -> LocalSigner {
    LocalSigner::from_hex(KEY).expect("a key")
}

/// A payment of what `policy` approves.
pub(crate) fn pay(policy: &Policy, challenge: Challenge) -> SignedPayment {
    let signer = signer();
    let approval = policy.approve(challenge, b"", NOW).expect("approved");
    let unsigned = approval.prepare(signer.address(), NOW, SALT);
    let signature = signer.sign(&unsigned);
    unsigned.signed(&signature)
}
