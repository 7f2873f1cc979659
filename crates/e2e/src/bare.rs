//! A payer without a client: each request is the test's own, so that a credential is sent when and as often as it likes.

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use mpp_core::error::Refusal;
use mpp_core::tempo::{LocalSigner, SignedPayment};
use mpp_core::{Amount, Challenge, Policy, Receipt};
use tokio::net::TcpStream;

use crate::{CHAIN_ID, PATH_USD};

/// A connection to a loopback port, kept alive; it is opened when it is needed.
#[derive(Debug)]
pub struct Connection {
    port: u16,
    open: Option<SendRequest<Full<Bytes>>>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Connection {
    /// A connection to this port.
    pub fn to(port: u16) -> Self {
        Self { port, open: None }
    }

    /// Posts a body, with a credential or without.
    ///
    /// # Errors
    /// When there is nobody, or whoever is there breaks off.
    pub async fn post(
        &mut self,
        target: &str,
        body: &str,
        fields: &[(&str, &str)],
    ) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let mut open = match self.open.take().filter(|open| !open.is_closed()) {
            Some(open) => open,
            None => {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
                stream.set_nodelay(true)?;
                let (open, connection) = http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                open
            }
        };
        open.ready().await?;
        let mut request = Request::post(target).header("host", "127.0.0.1");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let answer = open.send_request(request.body(Full::new(body.to_owned().into()))?).await?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        self.open = Some(open);
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

impl Answer {
    /// The challenge of a 402.
    pub fn challenge(&self) -> Challenge {
        let fields = self.headers.get_all("www-authenticate").iter().map(|value| value.as_bytes());
        let first = Challenge::parse_all(fields).into_iter().next();
        first.and_then(Result::ok).unwrap_or_else(|| panic!("no challenge: {self:?}"))
    }

    /// The receipt, if there is one.
    pub fn receipt(&self) -> Option<Receipt> {
        let field = self.headers.get("payment-receipt")?;
        Some(Receipt::parse(field.as_bytes()).unwrap_or_else(|error| panic!("{error}: {self:?}")))
    }

    /// A member of a problem.
    pub fn member(&self, name: &str) -> Option<String> {
        let problem: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        Some(problem.get(name)?.as_str()?.to_owned())
    }
}

/// Signs a challenge of up to a dollar for a request with this body. No two payments are the same.
///
/// # Errors
/// When the challenge has too little time left, say.
pub fn pay(key: &LocalSigner, challenge: Challenge, body: &str) -> Result<SignedPayment, Refusal> {
    static SALT: AtomicU64 = AtomicU64::new(1);
    let policy = Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(1_000_000));
    let now = UNIX_EPOCH.elapsed().expect("it is after 1970").as_secs();
    let policy = policy.realms([challenge.realm()]);
    let approval = policy.approve(challenge, body.as_bytes(), now)?;
    let unsigned = approval.prepare(key.address(), now, SALT.fetch_add(1, Ordering::Relaxed));
    let signature = key.sign(&unsigned);
    Ok(unsigned.signed(&signature))
}
