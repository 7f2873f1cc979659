//! `POST /grok/chat`: an answer without tools of the service's own.

use serde_json::{Map, Value};

use super::{Call, Dialogue, number, sealed, whole};
use crate::error::RequestError;

/// An answer to a conversation, which may show pictures.
#[derive(Clone, Debug)]
pub struct Chat {
    dialogue: Dialogue,
    top_p: Option<f64>,
    stop: Option<String>,
    frequency_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    n: Option<u32>,
    tools: Vec<Value>,
}

impl Chat {
    pub(crate) fn new(dialogue: Dialogue) -> Self {
        let (top_p, stop, frequency_penalty, presence_penalty, n) = (None, None, None, None, None);
        Chat { dialogue, top_p, stop, frequency_penalty, presence_penalty, n, tools: Vec::new() }
    }
}

impl Call<'_, Chat> {
    /// Shows the model a picture, by its `http(s):` or `data:` URL, beside what was asked last.
    pub fn image(self, url: impl Into<String>) -> Self {
        self.with(|chat| chat.dialogue.conversation.show(url.into()))
    }

    /// Sets the share of likely words to choose from, 0 to 1.
    pub fn top_p(self, share: f64) -> Self {
        self.with(|chat| chat.top_p = Some(share))
    }

    /// Sets a text at which the answer ends.
    pub fn stop(self, text: impl Into<String>) -> Self {
        self.with(|chat| chat.stop = Some(text.into()))
    }

    /// Sets how much words are avoided the more often they were said, -2 to 2.
    pub fn frequency_penalty(self, penalty: f64) -> Self {
        self.with(|chat| chat.frequency_penalty = Some(penalty))
    }

    /// Sets how much words are avoided that were said, -2 to 2.
    pub fn presence_penalty(self, penalty: f64) -> Self {
        self.with(|chat| chat.presence_penalty = Some(penalty))
    }

    /// Sets how many answers are made, 1 to 128, all of which are paid; the first is [`text`](crate::answer::Answer::text), the
    /// others are in [`raw`](crate::answer::Answer::raw).
    pub fn n(self, answers: u32) -> Self {
        self.with(|chat| chat.n = Some(answers))
    }

    /// Adds a function that the model may ask to be called, as `{"type":"function","function":{…}}`. The service does not
    /// say whether it takes any on this route.
    pub fn tool(self, tool: Value) -> Self {
        self.with(|chat| chat.tools.push(tool))
    }
}

impl sealed::Encode for Chat {
    fn route(&self) -> &str {
        "/grok/chat"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[
            "model",
            "messages",
            "temperature",
            "max_tokens",
            "top_p",
            "stop",
            "frequency_penalty",
            "presence_penalty",
            "n",
            "tools",
            "stream",
        ]
    }

    fn encode(&self, body: &mut Map<String, Value>) -> Result<(), RequestError> {
        self.dialogue.encode(body)?;
        number(body, "top_p", self.top_p, 0, 1)?;
        number(body, "frequency_penalty", self.frequency_penalty, -2, 2)?;
        number(body, "presence_penalty", self.presence_penalty, -2, 2)?;
        whole(body, "n", self.n, 128)?;
        super::text(body, "stop", self.stop.as_deref());
        super::tools(body, &self.tools)
    }
}

impl sealed::Talk for Chat {
    fn dialogue(&mut self) -> &mut Dialogue {
        &mut self.dialogue
    }
}
