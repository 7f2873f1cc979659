//! `POST /grok/x-search`: an answer for which the model searches posts on X.

use serde_json::{Map, Value};

use super::{Dialogue, sealed};
use crate::error::RequestError;

/// An answer from posts on X, with its sources as [`citations`](crate::answer::Answer::citations).
#[derive(Clone, Debug)]
pub struct XSearch {
    dialogue: Dialogue,
}

impl XSearch {
    pub(crate) fn new(dialogue: Dialogue) -> Self {
        XSearch { dialogue }
    }
}

impl sealed::Encode for XSearch {
    fn route(&self) -> &str {
        "/grok/x-search"
    }

    fn fields(&self) -> &'static [&'static str] {
        &["model", "messages", "temperature", "max_tokens", "stream"]
    }

    fn encode(&self, body: &mut Map<String, Value>) -> Result<(), RequestError> {
        self.dialogue.encode_with_tools(body)
    }
}

impl sealed::Talk for XSearch {
    fn dialogue(&mut self) -> &mut Dialogue {
        &mut self.dialogue
    }
}
