//! How requests leave: one method to implement for any HTTP stack, and the default on reqwest.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::Uri;
use http_body_util::BodyExt as _;
use mpp_core::exchange::is_secure;
use rustls_platform_verifier::BuilderVerifierExt as _;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A response body as it arrives.
pub type Body = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>;

/// A response to come: its head has arrived, its body may not have.
pub type SendFuture<'a> =
    Pin<Box<dyn Future<Output = Result<http::Response<Body>, TransportError>> + Send + 'a>>;

/// Sends one request once.
///
/// An implementation follows no redirect, repeats nothing by itself, and logs no header marked sensitive.
pub trait Transport: Send + Sync {
    /// Sends `request` and waits for the head of the response.
    fn send(&self, request: http::Request<Bytes>) -> SendFuture<'_>;
}

/// A request that got no response.
#[derive(Debug, thiserror::Error)]
#[error("{}", match .reached {
    Reached::Nobody => "the request could not be sent",
    Reached::Perhaps => "the response was malformed or cut off",
    Reached::NoAnswer => "the connection broke before the response",
})]
pub struct TransportError {
    reached: Reached,
    source: BoxError,
}

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    Nobody,
    Perhaps,
    NoAnswer,
}

impl TransportError {
    /// No byte of the request left this machine.
    pub fn unsent(source: impl Into<BoxError>) -> Self {
        TransportError { reached: Reached::Nobody, source: source.into() }
    }

    /// Some or all of the request may have arrived.
    pub fn maybe_sent(source: impl Into<BoxError>) -> Self {
        TransportError { reached: Reached::Perhaps, source: source.into() }
    }

    /// Some or all of the request may have arrived, and the connection broke before there was a response. Such a request
    /// may be sent once more as it is.
    pub fn unanswered(source: impl Into<BoxError>) -> Self {
        TransportError { reached: Reached::NoAnswer, source: source.into() }
    }

    /// Whether the server may have seen some or all of the request.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        self.reached != Reached::Nobody
    }

    /// Whether the connection broke before there was a response.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.reached == Reached::NoAnswer
    }
}

/// The default transport: reqwest over rustls with the operating system's certificates, without redirects, cookies,
/// proxies, compression or retries.
#[derive(Clone, Debug, Default)]
pub struct ReqwestTransport {
    /// Set up by the first request over TLS.
    secure: OnceLock<reqwest::Client>,
    /// Set up by the first request in the clear, which trusts nobody's certificates and needs none.
    plain: OnceLock<reqwest::Client>,
}

impl ReqwestTransport {
    fn client(&self, request: &reqwest::Request) -> Result<&reqwest::Client, TransportError> {
        let secure = request.url().scheme() == "https";
        let slot = if secure { &self.secure } else { &self.plain };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = match secure {
            true => tls.and_then(|tls| tls.with_platform_verifier()),
            false => tls.map(|tls| tls.with_root_certificates(rustls::RootCertStore::empty())),
        };
        let mut tls = tls.map_err(TransportError::unsent)?.with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("mpp-http/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(TransportError::unsent)?;
        Ok(slot.get_or_init(|| client))
    }
}

impl Transport for ReqwestTransport {
    fn send(&self, request: http::Request<Bytes>) -> SendFuture<'_> {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request).map_err(TransportError::unsent)?;
            let client = self.client(&request)?;
            let response = client.execute(request).await.map_err(|error| {
                let reached = match error.is_connect() || error.is_builder() {
                    true => Reached::Nobody,
                    false if broke_off(&error) => Reached::NoAnswer,
                    false => Reached::Perhaps,
                };
                TransportError { reached, source: error.without_url().into() }
            })?;
            let response: http::Response<reqwest::Body> = response.into();
            Ok(response.map(|body| -> Body { Box::pin(body.map_err(BoxError::from)) }))
        })
    }
}

/// Whether nobody else can read along: TLS, or this machine's loopback.
pub(crate) fn is_private(uri: &Uri) -> bool {
    is_secure(uri.scheme_str(), uri.host())
}

/// Whether the connection ended before the head of a response was whole, for whatever reason but what was in it.
fn broke_off(error: &reqwest::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let mut cause = error.source();
    while let Some(error) = cause {
        // Canceled is what hyper calls a connection that was gone before it could take the request.
        let incomplete = error
            .downcast_ref::<hyper::Error>()
            .is_some_and(|error| error.is_incomplete_message() || error.is_canceled());
        let cut = error.downcast_ref::<std::io::Error>().is_some_and(|error| {
            [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof].contains(&error.kind())
        });
        if incomplete || cut {
            return true;
        }
        cause = error.source();
    }
    false
}
