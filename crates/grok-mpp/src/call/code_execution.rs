//! `POST /grok/code-execution`: an answer for which the model runs Python on the server.

use serde_json::{Map, Value};

use super::{Call, Dialogue, sealed};
use crate::error::RequestError;

/// An answer that the model finds by running Python, which is in [`executions`](crate::answer::Answer::executions).
#[derive(Clone, Debug)]
pub struct CodeExecution {
    dialogue: Dialogue,
    tools: Vec<Value>,
}

impl CodeExecution {
    pub(crate) fn new(dialogue: Dialogue) -> Self {
        CodeExecution { dialogue, tools: Vec::new() }
    }
}

impl Call<'_, CodeExecution> {
    /// Adds a tool beside code execution, which the service always switches on.
    pub fn tool(self, tool: Value) -> Self {
        self.with(|run| run.tools.push(tool))
    }
}

impl sealed::Encode for CodeExecution {
    fn route(&self) -> &str {
        "/grok/code-execution"
    }

    fn fields(&self) -> &'static [&'static str] {
        &["model", "messages", "temperature", "max_tokens", "tools", "stream"]
    }

    fn encode(&self, body: &mut Map<String, Value>) -> Result<(), RequestError> {
        self.dialogue.encode_with_tools(body)?;
        super::tools(body, &self.tools)
    }
}

impl sealed::Talk for CodeExecution {
    fn dialogue(&mut self) -> &mut Dialogue {
        &mut self.dialogue
    }
}
