//! Grok as a service that is paid per call: a wallet, a policy and an address in, answers out.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use mpp_core::Policy;
use mpp_core::tempo::Signer;
use mpp_http::{Client, Quoted, Response};
use serde_json::{Map, Value};

use crate::answer::{Answer, ServiceError};
use crate::call::{
    Call, Chat, CodeExecution, Dialogue, ImageEdit, ImageGeneration, Picture, Raw, Speech, WebSearch, XSearch,
};
use crate::conversation::Conversation;
use crate::error::Error;
use crate::schema::Schema;
use crate::stream::AnswerStream;

/// A Grok service and the wallet that pays it. Nothing is sent before a call's [`send`](Call::send),
/// [`stream`](Call::stream) or [`quote`](Call::quote).
#[derive(Clone, Debug)]
pub struct Grok {
    client: Client,
    base_url: String,
}

impl Grok {
    /// The public service.
    pub const BASE_URL: &'static str = "https://grok.mpp.paywithlocus.com";
    /// Model asked for unless told otherwise: the cheapest current grok-4, to which the upstream already sends the
    /// retired ids that the service's own page names.
    pub const DEFAULT_MODEL: &'static str = "grok-4.3";
    /// Tokens asked for unless told otherwise: hidden reasoning is paid from the same budget and has been seen to
    /// take twenty times the visible text, while 4096 is what the service prices when the field is missing.
    pub const DEFAULT_MAX_TOKENS: u32 = 2048;

    /// Whether the routes with tools take a model: one of the grok-4 family, of which `grok-40` would be none.
    #[must_use]
    pub fn has_tools(model: &str) -> bool {
        model.strip_prefix("grok-4").is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
    }

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

    /// Asks Grok, which has no tools for it.
    pub fn chat(&self, conversation: impl Into<Conversation>) -> Call<'_, Chat> {
        Call::new(self, Chat::new(Dialogue::new(conversation.into())))
    }

    /// Asks Grok, which runs Python on the server to find the answer.
    pub fn code_execution(&self, conversation: impl Into<Conversation>) -> Call<'_, CodeExecution> {
        Call::new(self, CodeExecution::new(Dialogue::new(conversation.into())))
    }

    /// Asks Grok, which searches the web for the answer.
    pub fn web_search(&self, conversation: impl Into<Conversation>) -> Call<'_, WebSearch> {
        Call::new(self, WebSearch::new(Dialogue::new(conversation.into())))
    }

    /// Asks Grok, which searches posts on X for the answer.
    pub fn x_search(&self, conversation: impl Into<Conversation>) -> Call<'_, XSearch> {
        Call::new(self, XSearch::new(Dialogue::new(conversation.into())))
    }

    /// Has pictures made of what a prompt says.
    pub fn generate_image(&self, prompt: impl Into<String>) -> Call<'_, ImageGeneration> {
        Call::new(self, ImageGeneration::new(prompt.into()))
    }

    /// Has a picture changed as a prompt says.
    pub fn edit_image(&self, prompt: impl Into<String>, picture: Picture) -> Call<'_, ImageEdit> {
        Call::new(self, ImageEdit::new(prompt.into(), picture))
    }

    /// Has a text spoken.
    pub fn speak(&self, text: impl Into<String>) -> Call<'_, Speech> {
        Call::new(self, Speech::new(text.into()))
    }

    /// Asks a route, such as `/grok/chat`, with a body of the caller's own.
    pub fn raw(&self, route: impl Into<String>, body: Map<String, Value>) -> Call<'_, Raw> {
        Call::new(self, Raw::new(route.into(), body))
    }

    /// Reads the service's description of itself, and tells what in it differs from what is known here. Pays nothing.
    ///
    /// # Errors
    /// When it does not answer, or with something else than a description.
    pub async fn schema(&self) -> Result<Schema, Error> {
        let request =
            http::Request::get(self.url("/openapi.json")).body(Bytes::new()).map_err(Error::BaseUrl)?;
        let body = success(self.client.send_unpaid(request).await?).await?.bytes().await?;
        Schema::parse(&body).map_err(|reason| Error::Unreadable { payment: None, reason, body })
    }

    /// Sends a body to a route, pays for it, and reads the answer.
    pub(crate) async fn call(&self, route: &str, body: Vec<u8>) -> Result<Answer, Error> {
        let mut response = self.send(route, body, "application/json").await?;
        let body = response.bytes().await?;
        let payment = response.payment().cloned().map(Box::new);
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if let Some(kind) = kind.filter(|kind| kind.starts_with("audio/")) {
            return Ok(Answer::spoken(body.into(), kind).paid_by(payment));
        }
        match Answer::parse(&body) {
            Ok(answer) => Ok(answer.paid_by(payment)),
            Err(reason) => Err(Error::Unreadable { payment, reason, body }),
        }
    }

    /// As [`call`](Grok::call), for an answer that may come as events.
    pub(crate) async fn stream(&self, route: &str, body: Vec<u8>) -> Result<AnswerStream, Error> {
        let response = self.send(route, body, "text/event-stream, application/json;q=0.9").await?;
        Ok(AnswerStream::new(response))
    }

    /// Asks what sending a body to a route would cost; `None` when it was answered for nothing.
    pub(crate) async fn price(&self, route: &str, body: Vec<u8>) -> Result<Option<Quoted>, Error> {
        Ok(self.client.quote(self.request(route, body, "application/json")?).await?)
    }

    async fn send(&self, route: &str, body: Vec<u8>, accept: &str) -> Result<Response, Error> {
        success(self.client.send(self.request(route, body, accept)?).await?).await
    }

    fn request(&self, route: &str, body: Vec<u8>, accept: &str) -> Result<http::Request<Bytes>, Error> {
        http::Request::post(self.url(route))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, accept)
            .body(body.into())
            .map_err(Error::BaseUrl)
    }

    fn url(&self, route: &str) -> String {
        format!("{}{route}", self.base_url.trim_end_matches('/'))
    }
}

/// The response, unless it is a failure, which only an unpaid one can be.
async fn success(mut response: Response) -> Result<Response, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.bytes().await?;
    Err(Error::Refused { status, said: ServiceError::parse(&body) })
}
