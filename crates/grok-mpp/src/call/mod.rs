//! One call of the service: what is asked, and the settings that every capability has. Every check of a request runs
//! before a price is asked, so that no money is spent on one that cannot be answered.

mod chat;
mod code_execution;
mod dialogue;
mod image_edit;
mod image_generation;
mod raw;
mod speech;
mod web_search;
mod x_search;

use mpp_http::Quoted;
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::client::Grok;
use crate::conversation::Conversation;
use crate::error::{Error, RequestError};
use crate::stream::AnswerStream;

pub use chat::Chat;
pub use code_execution::CodeExecution;
pub(crate) use dialogue::Dialogue;
use dialogue::{number, text, tools, whole};
pub use image_edit::{ImageEdit, Picture};
pub use image_generation::ImageGeneration;
pub use raw::Raw;
pub use speech::Speech;
pub use web_search::WebSearch;
pub use x_search::XSearch;

/// A request of the capability `C`, sent by [`send`](Call::send).
#[derive(Clone, Debug)]
#[must_use = "nothing is asked before send, stream or quote"]
pub struct Call<'g, C> {
    grok: &'g Grok,
    capability: C,
    extra: Map<String, Value>,
}

/// What the service can be asked for, by a route each. There are those of this module.
pub trait Capability: sealed::Encode {}

impl<C: sealed::Encode> Capability for C {}

/// A capability that answers a [`Conversation`].
pub trait Conversing: Capability + sealed::Talk {}

impl<C: sealed::Talk> Conversing for C {}

pub(crate) mod sealed {
    use serde_json::{Map, Value};

    use super::Dialogue;
    use crate::error::RequestError;

    /// How a capability becomes a request.
    pub trait Encode {
        /// Where it is, such as `/grok/chat`.
        fn route(&self) -> &str;

        /// The fields that have settings here.
        fn fields(&self) -> &'static [&'static str];

        /// The most bytes of a request.
        fn body_limit(&self) -> usize {
            1 << 20
        }

        /// Puts the settings into a body, or says what the service would refuse.
        fn encode(&self, body: &mut Map<String, Value>) -> Result<(), RequestError>;
    }

    /// A capability with the settings of a dialogue.
    pub trait Talk: Encode {
        fn dialogue(&mut self) -> &mut Dialogue;
    }
}

impl<'g, C: Capability> Call<'g, C> {
    pub(crate) fn new(grok: &'g Grok, capability: C) -> Self {
        Call { grok, capability, extra: Map::new() }
    }

    /// Asks, pays what the policy allows, and reads the answer.
    ///
    /// # Errors
    /// See [`Error`]; its [`money`](Error::money) says what became of the money.
    pub async fn send(self) -> Result<Answer, Error> {
        self.grok.call(self.capability.route(), self.body()?).await
    }

    /// Asks for the price alone, and pays nothing. `None` when the service answered for nothing.
    ///
    /// # Errors
    /// When there is no price to be had.
    pub async fn quote(&self) -> Result<Option<Quoted>, Error> {
        self.grok.price(self.capability.route(), self.body()?).await
    }

    /// Adds a field that this type does not know; whether the service heeds it is the service's business.
    pub fn extra(mut self, key: impl Into<String>, value: Value) -> Self {
        self.extra.insert(key.into(), value);
        self
    }

    /// The bytes to send, the same every time, or the first thing that the service would refuse.
    pub(crate) fn body(&self) -> Result<Vec<u8>, RequestError> {
        let known = self.capability.fields();
        if let Some(field) = known.iter().find(|field| self.extra.contains_key(**field)) {
            return Err(RequestError::DeclaredExtra { field });
        }
        let mut body = self.extra.clone();
        self.capability.encode(&mut body)?;
        let bytes = Value::Object(body).to_string().into_bytes();
        let limit = self.capability.body_limit();
        if bytes.len() > limit {
            return Err(RequestError::TooLarge { bytes: bytes.len(), limit });
        }
        Ok(bytes)
    }

    /// The same with the settings changed.
    fn with(mut self, change: impl FnOnce(&mut C)) -> Self {
        change(&mut self.capability);
        self
    }
}

impl<C: Conversing> Call<'_, C> {
    /// Asks as [`send`](Call::send) does, for an answer that comes piece by piece. A service that does not stream
    /// answers whole, in one piece.
    ///
    /// # Errors
    /// See [`Error`]; its [`money`](Error::money) says what became of the money.
    pub async fn stream(mut self) -> Result<AnswerStream, Error> {
        self.capability.dialogue().stream = true;
        self.grok.stream(self.capability.route(), self.body()?).await
    }

    /// Sets the model's id. The routes with tools take the grok-4 family only.
    pub fn model(self, id: impl Into<String>) -> Self {
        self.talk(|dialogue| dialogue.model = id.into())
    }

    /// Sets the system message, which is sent before all others.
    pub fn system(self, instructions: impl Into<String>) -> Self {
        self.talk(|dialogue| dialogue.system = Some(instructions.into()))
    }

    /// Puts a data file, which has to be text, below what was asked last, as a block of code with its name.
    pub fn file(self, name: &str, text: &str) -> Self {
        // A fence longer than any in the file, and the language by the name's ending.
        let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.saturating_add(1).max(3));
        let language = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let language = if language.chars().all(char::is_alphanumeric) { language } else { "" };
        let line = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        let attached = format!("File {name}:\n{fence}{language}\n{text}{line}{fence}");
        self.talk(|dialogue| dialogue.conversation.attach(&attached))
    }

    /// Sets the sampling temperature, 0 to 2; unset, the service chooses.
    pub fn temperature(self, temperature: f64) -> Self {
        self.talk(|dialogue| dialogue.temperature = Some(temperature))
    }

    /// Sets the most tokens the answer may take, hidden reasoning among them; the price follows this number.
    pub fn max_tokens(self, tokens: u32) -> Self {
        self.talk(|dialogue| dialogue.max_tokens = tokens)
    }

    fn talk(self, change: impl FnOnce(&mut Dialogue)) -> Self {
        self.with(|capability| change(capability.dialogue()))
    }
}

/// The routes that have a call here, each with the fields that have a setting.
pub(crate) fn known() -> Vec<(String, &'static [&'static str])> {
    let dialogue = || Dialogue::new(Conversation::new());
    let image = || ImageGeneration::new(String::new());
    let calls: [&dyn sealed::Encode; 7] = [
        &CodeExecution::new(dialogue()),
        &Chat::new(dialogue()),
        &WebSearch::new(dialogue()),
        &XSearch::new(dialogue()),
        &image(),
        &ImageEdit::new(String::new(), Picture::at("")),
        &Speech::new(String::new()),
    ];
    calls.map(|call| (call.route().to_owned(), call.fields())).into()
}

#[cfg(test)]
mod tests;
