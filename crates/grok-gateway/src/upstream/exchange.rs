//! One call to an HTTP service: a path and a JSON body in; its answer whole or as a stream, or a refusal that names no
//! secret, out.
//!
//! A call is made once. Only when no connection came about, so that nothing was sent, is it tried a second time.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, Url};
use rustls_platform_verifier::BuilderVerifierExt as _;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::BoxError;
use crate::answer::{Answer, EVENT_STREAM, Refusal};
use crate::stream::Events;

/// A service's key, wiped when dropped. It prints as nothing.
#[derive(Clone)]
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// A key of visible ASCII characters; `None` for anything else, such as a line that was read with its end.
    #[must_use]
    pub fn new(text: String) -> Option<Self> {
        let text = Zeroizing::new(text);
        let visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        visible.then_some(ApiKey(text))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiKey(..)")
    }
}

/// Why a service cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamUrlError {
    /// Not the base of an API.
    #[error("the upstream's address is not an http(s) URL without a query; use one such as https://api.x.ai")]
    Url,
    /// The key would be sent for everybody to read.
    #[error("a key is sent over https only, or within this machine; use an https URL")]
    Cleartext,
    /// TLS could not be set up.
    #[error("TLS could not be set up; check the certificates of this machine")]
    Tls(#[source] BoxError),
}

/// A service at one address. Proxies and redirects are not used.
pub(super) struct Exchange {
    client: Client,
    base: Url,
    key: Option<ApiKey>,
    pub(super) patience: Duration,
    pub(super) quiet: Duration,
}

/// What a service answered when it did as asked.
pub(super) struct Reply {
    pub(super) content_type: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Exchange {
    pub(super) fn new(base: &str, key: Option<ApiKey>) -> Result<Self, UpstreamUrlError> {
        let base = Url::parse(base).map_err(|_| UpstreamUrlError::Url)?;
        let whole = base.has_host() && base.query().is_none() && base.fragment().is_none();
        match base.scheme() {
            "http" if key.is_some() && !is_loopback(&base) => return Err(UpstreamUrlError::Cleartext),
            "http" | "https" if whole => {}
            _ => return Err(UpstreamUrlError::Url),
        }
        Ok(Exchange { client: client()?, base, key, patience: PATIENCE, quiet: QUIET })
    }

    /// A JSON object, or the stream that was asked for in its place.
    pub(super) async fn answer(&self, path: &str, body: &Value, streams: bool) -> Result<Answer, Refusal> {
        if streams {
            return self.events(path, body).await.map(Answer::Events);
        }
        let reply = self.post(path, body).await?;
        let value = serde_json::from_slice(&reply.body).ok().filter(Value::is_object);
        let other = || unusable("the service behind answered with something else than a JSON object");
        value.map(Answer::Whole).ok_or_else(other)
    }

    /// Whatever there is.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Reply, Refusal> {
        // One patience for everything: the payer waits.
        self.in_time(async {
            let mut response = self.accepted(path, body).await?;
            let content_type = content_type(&response).map(str::to_owned);
            let body = read(&mut response, MAX_ANSWER).await?;
            Ok(Reply { content_type, body })
        })
        .await
    }

    async fn events(&self, path: &str, body: &Value) -> Result<Events, Refusal> {
        let begun = Instant::now();
        let response = self.in_time(self.accepted(path, body)).await?;
        let kind = content_type(&response).and_then(|kind| kind.split(';').next()).unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case(EVENT_STREAM) {
            return Err(unusable("the service behind answered with something else than a stream of events"));
        }
        let left = self.patience.saturating_sub(begun.elapsed());
        Ok(Events::new(reqwest::Body::from(response), left, self.quiet))
    }

    async fn in_time<T>(&self, call: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        tokio::time::timeout(self.patience, call).await.unwrap_or_else(|_| Err(late()))
    }

    /// An answer whose status is 200.
    async fn accepted(&self, path: &str, body: &Value) -> Result<Response, Refusal> {
        let response = self.send(path, body).await?;
        if response.status() == StatusCode::OK { Ok(response) } else { Err(self.refusal(response).await) }
    }

    async fn send(&self, path: &str, body: &Value) -> Result<Response, Refusal> {
        let url = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        let mut request = self.client.post(url).header(CONTENT_TYPE, "application/json");
        if let Some(mut value) = self.authorization() {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(body.to_string());
        let again = request.try_clone();
        let sent = match (request.send().await, again) {
            (Err(error), Some(again)) if error.is_connect() => again.send().await,
            (sent, _) => sent,
        };
        sent.map_err(|error| {
            let unsent = error.is_connect();
            tracing::warn!(error = chain(&error.without_url()), unsent, "the upstream did not answer");
            if unsent {
                let message = "the service behind cannot be reached; try again later";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "upstream_unreachable", message).outage()
            } else {
                broken("the service behind broke off without an answer").outage()
            }
        })
    }

    fn authorization(&self) -> Option<HeaderValue> {
        let key = self.key.as_ref()?;
        HeaderValue::from_str(&Zeroizing::new(format!("Bearer {}", *key.0))).ok()
    }

    /// What an answer other than 200 means to the payer. What the service says of a request is passed on; what it says
    /// of its operator's account is not.
    async fn refusal(&self, mut response: Response) -> Refusal {
        let status = response.status().as_u16();
        tracing::warn!(status, "the upstream refused");
        let refuse = |status, code, message: String| Refusal::new(status, code, message);
        match status {
            401..=403 => {
                let message =
                    "the service behind does not take this gateway's key; only its operator can mend that";
                let refusal = refuse(StatusCode::BAD_GATEWAY, "upstream_account", message.to_owned());
                // xAI says 403 to words that it will not answer, too: those must not close the gateway to everybody.
                if status == 403 { refusal } else { refusal.outage() }
            }
            408 | 504 => late(),
            429 | 503 | 529 => {
                let field = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                let seconds: Option<u64> = field.and_then(|value| value.parse().ok());
                let when = seconds.map_or("later".to_owned(), |seconds| format!("in {seconds} seconds"));
                let message = format!("the service behind is busy; try again {when}");
                refuse(StatusCode::SERVICE_UNAVAILABLE, "upstream_busy", message)
                    .retry_after(seconds)
                    .outage()
            }
            400..=499 => {
                let body = read(&mut response, MAX_REFUSAL).await.unwrap_or_default();
                let said = self.words(&body).map_or(String::new(), |words| format!(": {words}"));
                let message = format!("the service behind refused the request with status {status}{said}");
                refuse(StatusCode::BAD_GATEWAY, "upstream_refused", message)
            }
            500.. => broken(&format!("the service behind failed with status {status}")).outage(),
            _ => broken(&format!("the service behind failed with status {status}")),
        }
    }

    /// The words of an error in any of the shapes that are in use, on one line and without the key.
    fn words(&self, body: &[u8]) -> Option<String> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let words = ["/error/message", "/error", "/message"];
        let words = words.iter().find_map(|path| body.pointer(path)?.as_str())?;
        let words = match &self.key {
            Some(key) => words.replace(key.0.as_str(), "…"),
            None => words.to_owned(),
        };
        Some(words.chars().filter(|letter| !letter.is_control()).take(MAX_WORDS).collect())
    }
}

async fn read(response: &mut Response, most: usize) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    let cut = |_| unusable("the service behind broke off in the middle of its answer").outage();
    while let Some(chunk) = response.chunk().await.map_err(cut)? {
        if body.len().saturating_add(chunk.len()) > most {
            return Err(unusable("the service behind answered with more than can be passed on"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn content_type(response: &Response) -> Option<&str> {
    response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

fn late() -> Refusal {
    let message = "the service behind took too long; a shorter answer may come in time";
    Refusal::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", message).outage()
}

/// An answer that is none, though its status is that of one: only the log tells the operator why.
pub(super) fn unusable(message: &str) -> Refusal {
    tracing::warn!(error = message, "the upstream's answer is of no use");
    broken(message)
}

fn broken(message: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_GATEWAY, "upstream_failed", message)
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host.parse::<IpAddr>().map_or(host == "localhost", |address| address.is_loopback())
}

fn client() -> Result<Client, UpstreamUrlError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(|error| UpstreamUrlError::Tls(error.into()))?
        .with_no_client_auth();
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(CONNECT_TIME)
        .build();
    client.map_err(|error| UpstreamUrlError::Tls(error.into()))
}

/// Long runs of code take minutes; a payer who waits longer has hung up.
const PATIENCE: Duration = Duration::from_secs(300);
/// A model that thinks, or runs a program, sends nothing meanwhile.
const QUIET: Duration = Duration::from_secs(120);
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// In bytes: 15,000 characters of speech as uncompressed audio take some 50 MB.
const MAX_ANSWER: usize = 64 << 20;
/// Of an answer that says no, in bytes.
const MAX_REFUSAL: usize = 64 << 10;
/// Of its words, in characters.
const MAX_WORDS: usize = 400;
