//! `POST /grok/tts`: a text, spoken.

use serde_json::{Map, Value, json};

use super::{Call, sealed, text};
use crate::error::RequestError;

/// A text, spoken, as [`audio`](crate::answer::Answer::audio).
#[derive(Clone, Debug)]
pub struct Speech {
    text: String,
    language: String,
    voice: Option<String>,
    codec: Option<String>,
}

impl Speech {
    pub(crate) fn new(text: String) -> Self {
        Speech { text, language: "auto".to_owned(), voice: None, codec: None }
    }
}

impl Call<'_, Speech> {
    /// Sets the language by its BCP 47 tag, such as `pt-BR`; unset, it is found by the text.
    pub fn language(self, tag: impl Into<String>) -> Self {
        self.with(|speech| speech.language = tag.into())
    }

    /// Sets the voice: `eve`, `ara`, `rex`, `sal`, `leo`, or another that the service has; unset, the service chooses.
    pub fn voice(self, id: impl Into<String>) -> Self {
        self.with(|speech| speech.voice = Some(id.into()))
    }

    /// Sets the codec: `mp3`, `wav`, `pcm`, `mulaw` or `alaw`; unset, the service chooses. The service's own page does
    /// not say under which name it takes it; the upstream's is sent.
    pub fn codec(self, codec: impl Into<String>) -> Self {
        self.with(|speech| speech.codec = Some(codec.into()))
    }
}

impl sealed::Encode for Speech {
    fn route(&self) -> &str {
        "/grok/tts"
    }

    fn fields(&self) -> &'static [&'static str] {
        &["text", "language", "voice_id", "output_format"]
    }

    fn encode(&self, body: &mut Map<String, Value>) -> Result<(), RequestError> {
        let characters = self.text.chars().count();
        if self.text.trim().is_empty() {
            return Err(RequestError::EmptyPrompt);
        }
        if characters > MAX_CHARACTERS {
            return Err(RequestError::TextTooLong { characters, limit: MAX_CHARACTERS });
        }
        if self.codec.as_ref().is_some_and(|codec| !CODECS.contains(&codec.as_str())) {
            return Err(RequestError::Codec);
        }
        text(body, "text", Some(&self.text));
        text(body, "language", Some(&self.language));
        text(body, "voice_id", self.voice.as_deref());
        if let Some(codec) = &self.codec {
            body.insert("output_format".to_owned(), json!({ "codec": codec }));
        }
        Ok(())
    }
}

/// What the upstream speaks at once.
const MAX_CHARACTERS: usize = 15_000;
const CODECS: &[&str] = &["mp3", "wav", "pcm", "mulaw", "alaw"];
