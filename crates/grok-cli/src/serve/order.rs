//! A request of OpenAI's API as an order to the service: which route, with which body, and how its answer is to look.

use axum::http::StatusCode;
use grok_mpp::Grok;
use serde_json::{Map, Value};

use super::error::ApiError;
use super::{chat, images, responses, speech};

/// What is to be bought.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) route: &'static str,
    pub(super) body: Map<String, Value>,
    pub(super) shape: Shape,
}

/// How the answer is to look.
#[derive(Debug)]
pub(super) enum Shape {
    /// A chat completion, or its chunks.
    Chat(chat::Wanted),
    /// A response, or its events.
    Response(responses::Wanted),
    /// A list of pictures.
    Images,
    /// Sound itself, of this type unless the service says so.
    Sound(&'static str),
}

impl Order {
    /// What a request to one of the paths asks for.
    pub(super) fn read(path: &str, asked: Map<String, Value>) -> Result<Self, ApiError> {
        match path {
            CHAT => chat::order(asked),
            RESPONSES => responses::order(asked),
            IMAGES => images::generation(asked),
            EDITS => images::edit(asked),
            SPEECH => speech::order(asked),
            _ => Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing to buy here")),
        }
    }

    /// What its answer is called that has no name of the service's, made of a random number.
    pub(super) fn answer_id(&self, random: &str) -> String {
        match &self.shape {
            Shape::Chat(_) => format!("chatcmpl-{random}"),
            _ => format!("resp_{random}"),
        }
    }
}

pub(super) const CHAT: &str = "/v1/chat/completions";
pub(super) const RESPONSES: &str = "/v1/responses";
pub(super) const IMAGES: &str = "/v1/images/generations";
pub(super) const EDITS: &str = "/v1/images/edits";
pub(super) const SPEECH: &str = "/v1/audio/speech";

/// Takes a switch out of a request.
pub(super) fn switch(asked: &mut Map<String, Value>, name: &'static str) -> Result<bool, ApiError> {
    match asked.remove(name) {
        None => Ok(false),
        Some(Value::Bool(on)) => Ok(on),
        Some(_) => Err(ApiError::bad_request(name, format!("{name} must be true or false"))),
    }
}

/// Takes a text out of a request.
pub(super) fn text(asked: &mut Map<String, Value>, name: &'static str) -> Result<Option<String>, ApiError> {
    match asked.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ApiError::bad_request(name, format!("{name} must be a text"))),
    }
}

/// Takes a text that there must be out of a request.
pub(super) fn needed(asked: &mut Map<String, Value>, name: &'static str) -> Result<String, ApiError> {
    match text(asked, name)?.filter(|text| !text.trim().is_empty()) {
        Some(text) => Ok(text),
        None => Err(ApiError::bad_request(name, format!("{name} is missing, or blank"))),
    }
}

/// Takes the first of these numbers of tokens that a request has; without any the price would be that of the service's
/// longest answer.
pub(super) fn most_tokens(asked: &mut Map<String, Value>, names: &[&'static str]) -> Result<u64, ApiError> {
    let given: Vec<_> = names.iter().filter_map(|name| Some((*name, asked.remove(*name)?))).collect();
    match given.first() {
        None => Ok(Grok::DEFAULT_MAX_TOKENS.into()),
        Some((name, value)) => match value.as_u64() {
            Some(number) if number > 0 => Ok(number),
            _ => Err(ApiError::bad_request(name, format!("{name} must be a whole number of at least 1"))),
        },
    }
}
