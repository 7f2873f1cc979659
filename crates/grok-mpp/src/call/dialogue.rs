//! What the routes that answer a conversation have in common, and how settings get into a body.

use serde_json::{Map, Number, Value, json};

use crate::client::Grok;
use crate::conversation::Conversation;
use crate::error::RequestError;

/// What the four routes that answer a conversation have in common.
#[derive(Clone, Debug)]
pub struct Dialogue {
    pub(super) model: String,
    pub(super) system: Option<String>,
    pub(super) conversation: Conversation,
    pub(super) temperature: Option<f64>,
    pub(super) max_tokens: u32,
    pub(super) stream: bool,
}

impl Dialogue {
    pub(crate) fn new(conversation: Conversation) -> Self {
        Dialogue {
            model: Grok::DEFAULT_MODEL.to_owned(),
            system: None,
            conversation,
            temperature: None,
            max_tokens: Grok::DEFAULT_MAX_TOKENS,
            stream: false,
        }
    }

    pub(super) fn encode(&self, body: &mut Map<String, Value>) -> Result<(), RequestError> {
        let messages = self.conversation.messages();
        if messages.is_empty() || messages.iter().any(|message| message.is_blank()) {
            return Err(RequestError::EmptyPrompt);
        }
        if self.model.is_empty() {
            return Err(RequestError::NoModel);
        }
        if self.max_tokens == 0 {
            return Err(RequestError::NoTokens);
        }
        let system = self.system.iter().map(|text| json!({"role": "system", "content": text}));
        let messages: Value = system.chain(messages.iter().map(|message| message.encode())).collect();
        body.insert("model".to_owned(), self.model.as_str().into());
        body.insert("messages".to_owned(), messages);
        body.insert("max_tokens".to_owned(), self.max_tokens.into());
        number(body, "temperature", self.temperature, 0, 2)?;
        if self.stream {
            body.insert("stream".to_owned(), true.into());
        }
        Ok(())
    }

    /// As [`encode`](Dialogue::encode), for the routes that refuse other models.
    pub(super) fn encode_with_tools(&self, body: &mut Map<String, Value>) -> Result<(), RequestError> {
        self.encode(body)?;
        if !Grok::has_tools(&self.model) {
            return Err(RequestError::ForeignModel { model: self.model.clone() });
        }
        Ok(())
    }
}

/// Puts a number into a body, if it is one and within its bounds.
pub(super) fn number(
    body: &mut Map<String, Value>,
    field: &'static str,
    value: Option<f64>,
    low: i8,
    high: i8,
) -> Result<(), RequestError> {
    let Some(value) = value else { return Ok(()) };
    let allowed = (f64::from(low)..=f64::from(high)).contains(&value);
    let number = Number::from_f64(value).filter(|_| allowed);
    let number = number.ok_or(RequestError::OutOfRange { field, low: low.into(), high: high.into() })?;
    body.insert(field.to_owned(), Value::Number(number));
    Ok(())
}

/// Puts a whole number into a body, if it is within its bounds.
pub(super) fn whole(
    body: &mut Map<String, Value>,
    field: &'static str,
    value: Option<u32>,
    high: u32,
) -> Result<(), RequestError> {
    let Some(value) = value else { return Ok(()) };
    if !(1..=high).contains(&value) {
        return Err(RequestError::OutOfRange { field, low: 1, high: high.into() });
    }
    body.insert(field.to_owned(), value.into());
    Ok(())
}

/// Puts tools into a body, each of which has to be an object with a type.
pub(super) fn tools(body: &mut Map<String, Value>, tools: &[Value]) -> Result<(), RequestError> {
    if let Some(index) = tools.iter().position(|tool| !tool.get("type").is_some_and(Value::is_string)) {
        return Err(RequestError::Tool { index });
    }
    if !tools.is_empty() {
        body.insert("tools".to_owned(), tools.into());
    }
    Ok(())
}

/// Puts a text into a body, if there is one.
pub(super) fn text(body: &mut Map<String, Value>, field: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        body.insert(field.to_owned(), value.into());
    }
}
