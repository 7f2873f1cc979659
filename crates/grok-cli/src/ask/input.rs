//! What is asked: from the command line, standard input and files, each within bounds.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use grok_mpp::call::{Call, Conversing, Picture};
use mpp_core::printable;
use serde_json::Value;

use crate::args;
use crate::failure::Failure;

/// A question with its data.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    question: &'a args::Question,
    pub(crate) prompt: String,
    /// By name.
    files: Vec<(String, String)>,
}

impl<'a> Input<'a> {
    /// Reads what the arguments name.
    pub(crate) fn read(question: &'a args::Question) -> Result<Self, Failure> {
        let mut files = Vec::new();
        for path in &question.file {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            files.push((printable(&name, MAX_NAME).to_string(), text_of(path)?));
        }
        let prompt = match &question.prompt {
            Some(prompt) => text(prompt)?,
            // Without a prompt, the first file is one.
            None if files.is_empty() => String::new(),
            None => files.remove(0).1,
        };
        Ok(Input { question, prompt, files })
    }

    /// Puts all but the prompt into a call.
    pub(crate) fn fill<'g, C: Conversing>(&self, call: Call<'g, C>) -> Call<'g, C> {
        let args::Question { system, model, max_tokens, temperature, .. } = self.question;
        let call = call.model(model).max_tokens(*max_tokens);
        let call = self.files.iter().fold(call, |call, (name, text)| call.file(name, text));
        let call = system.iter().fold(call, |call, system| call.system(system));
        temperature.iter().fold(call, |call, temperature| call.temperature(*temperature))
    }
}

/// A text of the command line, where `-` is standard input.
pub(crate) fn text(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let bytes = bytes(io::stdin().lock(), MAX_TEXT);
    let bytes = bytes.map_err(|error| Failure::usage(format!("standard input: {error}")))?;
    String::from_utf8(bytes).map_err(|_| Failure::usage("standard input holds no text in UTF-8"))
}

/// A picture: a URL, or what a file holds.
pub(crate) fn picture(argument: &str) -> Result<Picture, Failure> {
    if ["http://", "https://", "data:"].iter().any(|scheme| argument.starts_with(scheme)) {
        return Ok(Picture::at(argument));
    }
    let wrong = |why: String| Failure::usage(format!("picture {argument}: {why}"));
    let bytes = File::open(argument).and_then(|file| bytes(file, MAX_PICTURE));
    let bytes = bytes.map_err(|error| wrong(error.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length >= MAX_PICTURE) {
        return Err(wrong(format!("{} MiB are too much to send; make it smaller", MAX_PICTURE >> 20)));
    }
    Picture::from_bytes(&bytes).ok_or_else(|| wrong("neither PNG, JPEG, WebP nor GIF".into()))
}

/// The tools that a file holds: a JSON array of them, or one.
pub(crate) fn tools(path: Option<&Path>) -> Result<Vec<Value>, Failure> {
    let Some(path) = path else { return Ok(Vec::new()) };
    match serde_json::from_str(&text_of(path)?) {
        Ok(Value::Array(tools)) => Ok(tools),
        Ok(tool) => Ok(vec![tool]),
        Err(error) => Err(Failure::usage(format!("tools {} are not JSON: {error}", path.display()))),
    }
}

fn text_of(path: &Path) -> Result<String, Failure> {
    let wrong = |why: String| Failure::usage(format!("file {}: {why}", path.display()));
    let bytes = File::open(path).and_then(|file| bytes(file, MAX_TEXT));
    let bytes = bytes.map_err(|error| wrong(error.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length >= MAX_TEXT) {
        return Err(wrong("over 1 MiB, which is more than a request may hold; give less of it".into()));
    }
    String::from_utf8(bytes)
        .map_err(|_| wrong("not text in UTF-8, which alone can be put into a prompt".into()))
}

fn bytes(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Most bytes read of a text: one more than any request may have, so that too much is refused, not cut.
const MAX_TEXT: u64 = (1 << 20) + 1;
/// In base64, and with a prompt beside it, it has to go into 16 MiB.
const MAX_PICTURE: u64 = 11 << 20;
const MAX_NAME: usize = 200;
