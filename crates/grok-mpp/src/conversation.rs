//! What has been said so far: the turns that a request carries, kept by the caller.

use serde_json::{Value, json};

use crate::answer::{Answer, FunctionCall};

/// The turns of a conversation, the oldest first. A text is one of a single turn.
///
/// ```no_run
/// # async fn run(grok: grok_mpp::Grok) -> Result<(), grok_mpp::Error> {
/// let mut talk = grok_mpp::Conversation::from("Name a prime above 100.");
/// let answer = grok.chat(&talk).send().await?;
/// talk.append(&answer);
/// talk.ask("And the next one?");
/// println!("{}", grok.chat(&talk).send().await?.text());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    messages: Vec<Message>,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// What the person said.
    User(String),
    /// What the person said and showed.
    UserWithImages {
        /// The text.
        text: String,
        /// `http(s):` or `data:` URLs of the pictures.
        images: Vec<String>,
    },
    /// What the model answered.
    Assistant(String),
    /// What the model answered, which asks for functions to be called.
    ToolCalls {
        /// What it said beside; often nothing.
        text: String,
        /// The calls that want a result each.
        calls: Vec<FunctionCall>,
    },
    /// What a function returned.
    ToolResult {
        /// The [id](FunctionCall::id) of the call.
        id: String,
        /// Its result, usually as JSON.
        output: String,
    },
}

impl Conversation {
    /// One in which nothing has been said.
    #[must_use]
    pub fn new() -> Self {
        Conversation::default()
    }

    /// Adds what the person says next.
    pub fn ask(&mut self, prompt: impl Into<String>) {
        self.push(Message::User(prompt.into()));
    }

    /// Adds an answer, with the functions that it asks to be called.
    pub fn append(&mut self, answer: &Answer) {
        let text = answer.text().to_owned();
        self.push(match answer.function_calls() {
            [] => Message::Assistant(text),
            calls => Message::ToolCalls { text, calls: calls.to_vec() },
        });
    }

    /// Adds a turn of any kind.
    pub fn push(&mut self, message: Message) {
        self.messages.push(message);
    }

    /// The turns so far.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Puts a text below what the person said last.
    pub(crate) fn attach(&mut self, text: &str) {
        match self.messages.last_mut() {
            Some(Message::User(said) | Message::UserWithImages { text: said, .. }) => {
                if !said.is_empty() {
                    said.push_str("\n\n");
                }
                said.push_str(text);
            }
            _ => self.ask(text),
        }
    }

    /// Puts a picture beside what the person said last.
    pub(crate) fn show(&mut self, url: String) {
        match self.messages.last_mut() {
            Some(Message::UserWithImages { images, .. }) => images.push(url),
            Some(last @ Message::User(_)) => {
                let text = last.text().to_owned();
                *last = Message::UserWithImages { text, images: vec![url] };
            }
            _ => self.push(Message::UserWithImages { text: String::new(), images: vec![url] }),
        }
    }
}

impl Message {
    /// What is said by it; of a function's result, the result.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Message::User(text) | Message::Assistant(text) => text,
            Message::UserWithImages { text, .. } | Message::ToolCalls { text, .. } => text,
            Message::ToolResult { output, .. } => output,
        }
    }

    /// Whether it is a question without a word or a picture.
    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Message::User(text) => text.trim().is_empty(),
            Message::UserWithImages { text, images } => text.trim().is_empty() && images.is_empty(),
            _ => false,
        }
    }

    /// As the service takes it.
    pub(crate) fn encode(&self) -> Value {
        match self {
            Message::User(text) => json!({"role": "user", "content": text}),
            Message::UserWithImages { text, images } => {
                let text = Some(json!({"type": "text", "text": text})).filter(|_| !text.is_empty());
                let images = images.iter().map(|url| json!({"type": "image_url", "image_url": {"url": url}}));
                json!({"role": "user", "content": images.chain(text).collect::<Vec<_>>()})
            }
            Message::Assistant(text) => json!({"role": "assistant", "content": text}),
            Message::ToolCalls { text, calls } => {
                let calls = calls.iter().map(|call| {
                    let function = json!({"name": call.name, "arguments": call.arguments});
                    json!({"id": call.id, "type": "function", "function": function})
                });
                json!({"role": "assistant", "content": text, "tool_calls": calls.collect::<Vec<_>>()})
            }
            Message::ToolResult { id, output } => {
                json!({"role": "tool", "tool_call_id": id, "content": output})
            }
        }
    }
}

impl From<&str> for Conversation {
    fn from(prompt: &str) -> Self {
        Conversation::from(prompt.to_owned())
    }
}

impl From<String> for Conversation {
    fn from(prompt: String) -> Self {
        Conversation::from(vec![Message::User(prompt)])
    }
}

impl From<Vec<Message>> for Conversation {
    fn from(messages: Vec<Message>) -> Self {
        Conversation { messages }
    }
}

impl From<&Conversation> for Conversation {
    fn from(conversation: &Conversation) -> Self {
        conversation.clone()
    }
}
