//! What a server asks for, right or wrong: `WWW-Authenticate` fields made from a well-formed one.

use base64_022::Engine as _;
use base64_022::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{CHAIN_ID, PATH_USD, RECIPIENT, Reply};
use mpp_core::Amount;
use serde_json::{Value, json};

/// The price of everything, and the cap of every policy, unless an attack says otherwise.
pub(crate) const CENT: Amount = Amount::from_base_units(10_000);

/// A well-formed demand for a cent that was never made before.
pub(crate) fn plain() -> String {
    e2e::demand(CENT, None, 300).encode()
}

/// A demand whose request is changed by `patch`.
pub(crate) fn asks(patch: Value) -> String {
    let mut request = json!({
        "amount": CENT.base_units().to_string(),
        "currency": PATH_USD,
        "recipient": RECIPIENT.address,
        "methodDetails": { "chainId": CHAIN_ID },
    });
    merge(&mut request, patch);
    requests(request.to_string())
}

/// A demand whose request is these bytes.
pub(crate) fn requests(request: impl AsRef<[u8]>) -> String {
    with(&plain(), "request", &URL_SAFE_NO_PAD.encode(request))
}

/// The same field, one parameter replaced or added.
pub(crate) fn with(field: &str, name: &str, value: &str) -> String {
    let start = format!(" {name}=\"");
    match field.split_once(&start) {
        None => format!("{field},{start}{value}\""),
        Some((before, behind)) => {
            let (_, behind) = behind.split_once('"').expect("a closing quote");
            format!("{before}{start}{value}\"{behind}")
        }
    }
}

/// The same field without one parameter, which is not the first.
pub(crate) fn without(field: &str, name: &str) -> String {
    let (before, behind) = field.split_once(&format!(", {name}=\"")).expect("such a parameter");
    let (_, behind) = behind.split_once('"').expect("a closing quote");
    format!("{before}{behind}")
}

/// A `402` with these fields, whatever bytes are in them, and no body.
pub(crate) fn required(fields: &[impl AsRef<[u8]>]) -> Reply {
    let mut bytes = b"HTTP/1.1 402 Payment Required\r\ncontent-length: 0\r\n".to_vec();
    for field in fields {
        bytes.extend([b"www-authenticate: ", field.as_ref(), b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    Reply::raw(bytes)
}

/// Changes `target` by `patch`, as RFC 7386 has it.
pub(crate) fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (name, value) in patch {
                match value {
                    Value::Null => drop(target.remove(&name)),
                    value => merge(target.entry(name).or_insert(Value::Null), value),
                }
            }
        }
        (target, patch) => *target = patch,
    }
}
