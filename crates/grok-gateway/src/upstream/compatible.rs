//! Any service with OpenAI's API, for chat, images from a prompt, and speech. Nobody but xAI has the other routes'
//! tools, and images are edited by another kind of request there.

use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::exchange::{ApiKey, Exchange, UpstreamUrlError};
use super::xai::{audio, chat};
use super::{AnswerFuture, Upstream, is_whole};
use crate::answer::{Answer, Refusal};
use crate::catalog::Route;
use crate::request::{Order, inner};

/// A service with OpenAI's API.
pub struct Compatible {
    exchange: Exchange,
    speech_model: String,
}

impl Compatible {
    /// The service at `base_url`, as its clients are given it: most often it ends in `/v1`.
    ///
    /// # Errors
    /// When the URL is none, or a key would go to another machine in cleartext.
    pub fn new(base_url: &str, key: Option<ApiKey>) -> Result<Self, UpstreamUrlError> {
        let exchange = Exchange::new(base_url, key)?;
        Ok(Compatible { exchange, speech_model: "tts-1".to_owned() })
    }

    /// How long an answer may take; 5 minutes unless it is said.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.exchange.patience = patience;
        self
    }

    /// How long a stream may be silent; 2 minutes unless it is said.
    #[must_use]
    pub fn quiet(mut self, quiet: Duration) -> Self {
        self.exchange.quiet = quiet;
        self
    }

    /// The model that speaks where a request names none; `tts-1` unless it is said.
    #[must_use]
    pub fn speech_model(mut self, model: impl Into<String>) -> Self {
        self.speech_model = model.into();
        self
    }

    async fn ask(&self, order: &Order) -> Result<Answer, Refusal> {
        // Orders are objects.
        let mut body = order.body().as_object().cloned().unwrap_or_default();
        match order.route() {
            Route::Chat => {
                self.exchange.answer("/chat/completions", &chat(body).into(), order.streams()).await
            }
            Route::ImageGenerate => {
                // Only `auto` gets here, which is what comes without it.
                body.remove("aspect_ratio");
                self.exchange.answer("/images/generations", &body.into(), false).await
            }
            Route::Speech => {
                self.exchange.post("/audio/speech", &self.speech(body).into()).await.and_then(audio)
            }
            other => Err(not_offered(other)),
        }
    }

    fn speech(&self, mut body: Map<String, Value>) -> Map<String, Value> {
        // OpenAI's API finds the language out by itself.
        body.remove("language");
        for (from, to) in [("text", "input"), ("voice_id", "voice"), ("output_format", "response_format")] {
            if let Some(value) = body.remove(from) {
                body.insert(to.to_owned(), inner(&value, "codec").map_or(value.clone(), Value::from));
            }
        }
        body.entry("voice").or_insert("alloy".into());
        body.entry("model").or_insert_with(|| self.speech_model.clone().into());
        body
    }
}

impl Upstream for Compatible {
    fn offers(&self, route: Route) -> Result<(), Refusal> {
        match route {
            Route::Chat | Route::ImageGenerate | Route::Speech => Ok(()),
            other => Err(not_offered(other)),
        }
    }

    fn check(&self, order: &Order) -> Result<(), Refusal> {
        let field = |name| order.body().get(name).and_then(|value| inner(value, "codec"));
        if order.route() == Route::ImageGenerate && field("aspect_ratio").is_some_and(|ratio| ratio != "auto")
        {
            let message = "aspect_ratio is not known to the service behind; give size, such as 1024x1024";
            return Err(Refusal::bad_request("invalid_aspect_ratio", message));
        }
        if order.route() == Route::Speech && matches!(field("output_format"), Some("mulaw" | "alaw")) {
            let message = "output_format must be one of mp3, wav, pcm";
            return Err(Refusal::bad_request("invalid_output_format", message));
        }
        is_whole(order)
    }

    fn answer<'a>(&'a self, order: &'a Order) -> AnswerFuture<'a> {
        Box::pin(self.ask(order))
    }
}

impl fmt::Debug for Compatible {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Compatible").finish_non_exhaustive()
    }
}

fn not_offered(route: Route) -> Refusal {
    let message = format!("the service behind this gateway has no {}", route.title());
    Refusal::new(StatusCode::NOT_IMPLEMENTED, "not_offered", message)
}
