//! Grok as a service that is paid per call: a wallet, a policy and an address in, answers out.

use bytes::Bytes;
use mpp_core::Policy;
use mpp_core::tempo::Signer;
use mpp_http::{Client, Quoted};

use crate::answer::{Answer, ServiceError};
use crate::code_execution::CodeExecution;
use crate::error::Error;

/// A Grok service and the wallet that pays it.
#[derive(Clone, Debug)]
pub struct Grok {
    client: Client,
    base_url: String,
}

impl Grok {
    /// The public service.
    pub const BASE_URL: &'static str = "https://grok.mpp.paywithlocus.com";

    /// The public service, paid from `signer` as far as `policy` allows.
    pub fn new(signer: impl Signer + 'static, policy: Policy) -> Self {
        Grok::with_client(Client::new(signer, policy))
    }

    /// The public service over a client with limits or a transport of its own.
    #[must_use]
    pub fn with_client(client: Client) -> Self {
        Grok { client, base_url: Self::BASE_URL.to_owned() }
    }

    /// Another service of the same shape, such as a gateway of one's own: its scheme, host and port, and a path to put
    /// before `/grok/…` if it has one.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Asks Grok, which runs Python on the server to find the answer. Nothing is sent before
    /// [`send`](CodeExecution::send) or [`quote`](CodeExecution::quote).
    pub fn code_execution(&self, prompt: impl Into<String>) -> CodeExecution<'_> {
        CodeExecution::new(self, prompt.into())
    }

    /// Sends a body to a route, pays for it, and reads the answer.
    pub(crate) async fn call(&self, route: &str, body: Vec<u8>) -> Result<Answer, Error> {
        let mut response = self.client.send(self.request(route, body)?).await?;
        let status = response.status();
        let body = response.bytes().await?;
        let payment = response.payment().cloned().map(Box::new);
        if !status.is_success() {
            return Err(Error::Refused { status, said: ServiceError::parse(&body) });
        }
        match Answer::parse(&body) {
            Ok(answer) => Ok(answer.paid_by(payment)),
            Err(reason) => Err(Error::Unreadable { payment, reason, body }),
        }
    }

    /// Asks what sending a body to a route would cost; `None` when it was answered for nothing.
    pub(crate) async fn price(&self, route: &str, body: Vec<u8>) -> Result<Option<Quoted>, Error> {
        Ok(self.client.quote(self.request(route, body)?).await?)
    }

    fn request(&self, route: &str, body: Vec<u8>) -> Result<http::Request<Bytes>, Error> {
        http::Request::post(format!("{}{route}", self.base_url.trim_end_matches('/')))
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::ACCEPT, "application/json")
            .body(body.into())
            .map_err(Error::BaseUrl)
    }
}
