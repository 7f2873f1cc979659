//! JSON-RPC to a node: a method and its parameters in, the result out, or what is known of its absence.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::Bytes;
use mpp_core::tempo::NotTaken;
use reqwest::Url;
use rustls_platform_verifier::BuilderVerifierExt as _;
use serde_json::{Value, json};

use crate::BoxError;

/// A node's address. Proxies and redirects are not used.
#[derive(Clone)]
pub(crate) struct Rpc {
    client: reqwest::Client,
    url: Url,
}

impl Rpc {
    pub(crate) fn new(url: &str) -> Result<Self, RpcError> {
        let url = Url::parse(url).map_err(|_| RpcError::Url)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err(RpcError::Cleartext),
            _ => return Err(RpcError::Url),
        }
        Ok(Rpc { client: client()?, url })
    }

    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = self.client.post(self.url.clone()).header("content-type", "application/json");
        let mut response = request.body(call.to_string()).send().await.map_err(|error| {
            let unsent = error.is_connect() || error.is_builder();
            let source = error.without_url().into();
            if unsent { RpcError::Unreachable(source) } else { RpcError::Exchange(source) }
        })?;
        let status = response.status().as_u16();
        if NotTaken::of_status(status).is_some() {
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
            let data = error.get("data").and_then(Value::as_str).and_then(|data| data.parse().ok());
            return Err(RpcError::Node { code, message, data: data.unwrap_or_default() });
        }
        answer.get_mut("result").map(Value::take).ok_or(RpcError::Answer("no JSON-RPC"))
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
        /// What a call reverted with, if the node says.
        data: Bytes,
    },
}
