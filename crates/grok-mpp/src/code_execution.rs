//! `POST /grok/code-execution`: a question and settings in, a bought answer out. Every check of a request runs before
//! a price is asked, so that no money is spent on one that cannot be answered.

use mpp_http::Quoted;
use serde_json::{Map, Number, Value, json};

use crate::answer::Answer;
use crate::client::Grok;
use crate::error::Error;

/// A question that Grok answers with the help of Python, which runs on the server.
#[derive(Clone, Debug)]
#[must_use = "nothing is asked before send or quote"]
pub struct CodeExecution<'g> {
    grok: &'g Grok,
    model: String,
    system: Option<String>,
    messages: Vec<Message>,
    temperature: Option<f64>,
    max_tokens: u32,
    tools: Vec<Value>,
    extra: Map<String, Value>,
}

/// One turn of the conversation that a request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// What the person said.
    User(String),
    /// What the model answered earlier.
    Assistant(String),
}

impl<'g> CodeExecution<'g> {
    /// Model asked for unless told otherwise: the cheapest current grok-4, to which the upstream already sends the
    /// retired ids that the service's own page names.
    pub const DEFAULT_MODEL: &'static str = "grok-4.3";
    /// Tokens asked for unless told otherwise: hidden reasoning is paid from the same budget and has been seen to
    /// take twenty times the visible text, while 4096 is what the service prices when the field is missing.
    pub const DEFAULT_MAX_TOKENS: u32 = 2048;

    pub(crate) fn new(grok: &'g Grok, prompt: String) -> Self {
        Self {
            grok,
            model: Self::DEFAULT_MODEL.to_owned(),
            system: None,
            messages: vec![Message::User(prompt)],
            temperature: None,
            max_tokens: Self::DEFAULT_MAX_TOKENS,
            tools: Vec::new(),
            extra: Map::new(),
        }
    }

    /// Asks, pays what the policy allows, and reads the answer.
    ///
    /// # Errors
    /// See [`Error`]; its [`money`](Error::money) says what became of the money.
    pub async fn send(self) -> Result<Answer, Error> {
        self.grok.call(ROUTE, self.body()?).await
    }

    /// Asks for the price alone, and pays nothing. `None` when the service answered for nothing.
    ///
    /// # Errors
    /// When there is no price to be had.
    pub async fn quote(&self) -> Result<Option<Quoted>, Error> {
        self.grok.price(ROUTE, self.body()?).await
    }

    /// Puts earlier turns, oldest first, before the prompt.
    pub fn history(mut self, turns: impl IntoIterator<Item = Message>) -> Self {
        self.messages.splice(..0, turns);
        self
    }

    /// Sets the model's id; the service takes the grok-4 family only.
    pub fn model(mut self, id: impl Into<String>) -> Self {
        self.model = id.into();
        self
    }

    /// Sets the system message, which is sent before all others.
    pub fn system(mut self, instructions: impl Into<String>) -> Self {
        self.system = Some(instructions.into());
        self
    }

    /// Sets the sampling temperature, 0 to 2; unset, the service chooses.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Sets the most tokens the answer may take, hidden reasoning among them; the price follows this number.
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = tokens;
        self
    }

    /// Adds a tool beside code execution, which the service always switches on.
    pub fn tool(mut self, tool: Value) -> Self {
        self.tools.push(tool);
        self
    }

    /// Adds a field that this type does not know; whether the service heeds it is the service's business.
    pub fn extra(mut self, key: impl Into<String>, value: Value) -> Self {
        self.extra.insert(key.into(), value);
        self
    }

    /// The bytes to send, the same every time, or the first thing that the service would refuse.
    fn body(&self) -> Result<Vec<u8>, RequestError> {
        self.check()?;
        let mut body = self.extra.clone();
        let system = self.system.iter().map(|text| json!({"role": "system", "content": text}));
        let messages: Value = system.chain(self.messages.iter().map(Message::encode)).collect();
        body.insert("model".to_owned(), Value::from(self.model.as_str()));
        body.insert("messages".to_owned(), messages);
        body.insert("max_tokens".to_owned(), Value::from(self.max_tokens));
        if let Some(temperature) = self.temperature {
            let number = Number::from_f64(temperature).ok_or(RequestError::Temperature)?;
            body.insert("temperature".to_owned(), Value::Number(number));
        }
        if !self.tools.is_empty() {
            body.insert("tools".to_owned(), Value::from(self.tools.clone()));
        }
        let bytes = Value::Object(body).to_string().into_bytes();
        if bytes.len() > MAX_BODY_BYTES {
            return Err(RequestError::TooLarge { bytes: bytes.len(), limit: MAX_BODY_BYTES });
        }
        Ok(bytes)
    }

    fn check(&self) -> Result<(), RequestError> {
        let mut users = self.messages.iter().filter(|message| matches!(message, Message::User(_)));
        if users.any(|message| message.content().trim().is_empty()) {
            return Err(RequestError::EmptyPrompt);
        }
        if self.model.is_empty() {
            return Err(RequestError::NoModel);
        }
        if !in_family(&self.model) {
            return Err(RequestError::ForeignModel { model: self.model.clone() });
        }
        if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            return Err(RequestError::Temperature);
        }
        if self.max_tokens == 0 {
            return Err(RequestError::NoTokens);
        }
        if let Some(key) = DECLARED.iter().find(|key| self.extra.contains_key(**key)) {
            return Err(RequestError::DeclaredExtra { key });
        }
        if self.extra.get("stream") == Some(&Value::Bool(true)) {
            return Err(RequestError::Stream);
        }
        Ok(())
    }
}

impl Message {
    fn content(&self) -> &str {
        match self {
            Self::User(text) | Self::Assistant(text) => text,
        }
    }

    fn encode(&self) -> Value {
        let role = match self {
            Self::User(_) => "user",
            Self::Assistant(_) => "assistant",
        };
        json!({"role": role, "content": self.content()})
    }
}

/// Why a request is not worth sending.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A user message is blank.
    #[error("the prompt is empty; say what to compute")]
    EmptyPrompt,
    /// The model id is empty.
    #[error("the model id is empty; leave it out to use {}", CodeExecution::DEFAULT_MODEL)]
    NoModel,
    /// The model is not of the family that the service runs code with.
    #[error(
        "model {model:?} cannot run code: the service takes the grok-4 family only, such as {}",
        CodeExecution::DEFAULT_MODEL
    )]
    ForeignModel {
        /// The id asked for.
        model: String,
    },
    /// The temperature is out of range or no number.
    #[error("the temperature is outside 0 to 2")]
    Temperature,
    /// `max_tokens` is zero.
    #[error("max_tokens is 0, which buys an empty answer; allow at least 1")]
    NoTokens,
    /// An extra field would overwrite a declared one.
    #[error("the extra field {key:?} has a setting of its own; use that instead")]
    DeclaredExtra {
        /// The declared field.
        key: &'static str,
    },
    /// A stream was asked for, which could not be read as an answer once paid.
    #[error("the extra field \"stream\" is true, but answers are read whole; leave it out")]
    Stream,
    /// The encoded request is too large.
    #[error("the request is {bytes} bytes, over the limit of {limit}; shorten the prompt")]
    TooLarge {
        /// Size of the encoded request.
        bytes: usize,
        /// Largest size sent.
        limit: usize,
    },
}

/// Whether the id is `grok-4` itself or a version or variant of it; `grok-40` would be another family.
fn in_family(model: &str) -> bool {
    model.strip_prefix(FAMILY).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
}

/// Largest request sent: a prompt near a model's 200k-token price step, with room for JSON escapes.
const MAX_BODY_BYTES: usize = 1 << 20;
const ROUTE: &str = "/grok/code-execution";
const FAMILY: &str = "grok-4";
const DECLARED: &[&str] = &["model", "messages", "temperature", "max_tokens", "tools"];

#[cfg(test)]
mod tests {
    use mpp_core::tempo::{LocalSigner, MAINNET};
    use mpp_core::{Amount, Policy};

    use super::*;

    fn ask(prompt: &str) -> CodeExecution<'static> {
        static GROK: std::sync::OnceLock<Grok> = std::sync::OnceLock::new();
        let signer = || LocalSigner::from_bytes(&[0x11; 32]).unwrap();
        GROK.get_or_init(|| Grok::new(signer(), Policy::new(MAINNET, [], Amount::ZERO)))
            .code_execution(prompt)
    }

    fn sent(request: &CodeExecution<'_>) -> Value {
        serde_json::from_slice(&request.body().unwrap()).unwrap()
    }

    #[test]
    fn a_bare_prompt_sends_model_messages_and_max_tokens_and_nothing_else() {
        let expected = json!({
            "model": CodeExecution::DEFAULT_MODEL, "max_tokens": CodeExecution::DEFAULT_MAX_TOKENS,
            "messages": [{"role": "user", "content": "2+2?"}],
        });
        assert_eq!(sent(&ask("2+2?")), expected);
    }

    #[test]
    fn every_setting_reaches_the_body_and_the_system_message_is_first() {
        let turns = [Message::User("hi".into()), Message::Assistant("yes?".into())];
        let request = ask("2+2?")
            .history(turns)
            .model("grok-4.6")
            .system("be brief")
            .temperature(0.25)
            .max_tokens(7)
            .tool(json!({"type": "web_search"}))
            .extra("top_p", json!(0.5));
        let expected = json!({
            "model": "grok-4.6", "max_tokens": 7, "temperature": 0.25, "top_p": 0.5,
            "tools": [{"type": "web_search"}],
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": "yes?"},
                {"role": "user", "content": "2+2?"},
            ],
        });
        assert_eq!(sent(&request), expected);
        assert_eq!(request.body(), request.clone().body());
    }

    #[test]
    fn what_the_service_would_refuse_is_refused_here() {
        let foreign = |model: &str| RequestError::ForeignModel { model: model.to_owned() };
        let cases = [
            (ask(" \n"), RequestError::EmptyPrompt),
            (ask("2+2?").temperature(2.1), RequestError::Temperature),
            (ask("2+2?").temperature(-0.1), RequestError::Temperature),
            (ask("2+2?").temperature(f64::NAN), RequestError::Temperature),
            (ask("2+2?").temperature(f64::INFINITY), RequestError::Temperature),
            (ask("2+2?").max_tokens(0), RequestError::NoTokens),
            (ask("2+2?").model(""), RequestError::NoModel),
            (ask("2+2?").model("grok-3"), foreign("grok-3")),
            (ask("2+2?").model("grok-40"), foreign("grok-40")),
            (ask("2+2?").model("GROK-4"), foreign("GROK-4")),
            (ask("2+2?").extra("messages", json!([])), RequestError::DeclaredExtra { key: "messages" }),
            (ask("2+2?").extra("tools", json!([])), RequestError::DeclaredExtra { key: "tools" }),
            (ask("2+2?").extra("stream", json!(true)), RequestError::Stream),
        ];
        for (request, refusal) in cases {
            assert_eq!(request.body(), Err(refusal), "{request:?}");
        }
    }

    #[test]
    fn the_limits_themselves_are_accepted() {
        for request in [
            ask("x").temperature(0.0).max_tokens(1).model("grok-4"),
            ask("x").temperature(2.0).max_tokens(u32::MAX).model("grok-4-0709"),
            ask("x").extra("stream", json!(false)).model("grok-4.20-0309-reasoning"),
        ] {
            request.body().unwrap();
        }
    }

    #[test]
    fn a_body_over_the_limit_is_refused_with_both_numbers() {
        let around = ask("x").body().unwrap().len() - 1;
        let fits = ask(&"a".repeat(MAX_BODY_BYTES - around));
        assert_eq!(fits.body().unwrap().len(), MAX_BODY_BYTES);
        let over = ask(&"a".repeat(MAX_BODY_BYTES - around + 1));
        assert_eq!(
            over.body(),
            Err(RequestError::TooLarge { bytes: MAX_BODY_BYTES + 1, limit: MAX_BODY_BYTES })
        );
    }
}
