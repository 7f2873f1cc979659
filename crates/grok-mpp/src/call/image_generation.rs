//! `POST /grok/image-generate`: pictures from a prompt.

use serde_json::{Map, Value};

use super::{Call, sealed, text, whole};
use crate::error::RequestError;

/// Pictures of what a prompt says, as [`images`](crate::answer::Answer::images).
#[derive(Clone, Debug)]
pub struct ImageGeneration {
    pub(super) prompt: String,
    pub(super) model: Option<String>,
    pub(super) n: Option<u32>,
    pub(super) as_bytes: bool,
    aspect_ratio: Option<String>,
}

impl ImageGeneration {
    pub(crate) fn new(prompt: String) -> Self {
        ImageGeneration { prompt, model: None, n: None, as_bytes: false, aspect_ratio: None }
    }

    /// What making and changing pictures have in common.
    pub(super) fn encode_common(&self, body: &mut Map<String, Value>) -> Result<(), RequestError> {
        if self.prompt.trim().is_empty() {
            return Err(RequestError::EmptyPrompt);
        }
        if self.model.as_deref() == Some("") {
            return Err(RequestError::NoModel);
        }
        text(body, "prompt", Some(&self.prompt));
        text(body, "model", self.model.as_deref());
        text(body, "response_format", self.as_bytes.then_some("b64_json"));
        whole(body, "n", self.n, 10)
    }
}

impl Call<'_, ImageGeneration> {
    /// Sets the model's id; unset, the service chooses.
    pub fn model(self, id: impl Into<String>) -> Self {
        self.with(|image| image.model = Some(id.into()))
    }

    /// Sets how many pictures are made, 1 to 10, each of which is paid.
    pub fn n(self, pictures: u32) -> Self {
        self.with(|image| image.n = Some(pictures))
    }

    /// Asks for the pictures themselves rather than for places to get them, which soon are gone.
    pub fn as_bytes(self) -> Self {
        self.with(|image| image.as_bytes = true)
    }

    /// Sets the proportions: `1:1`, `16:9`, `9:16`, `4:3`, `3:2` or `auto`.
    pub fn aspect_ratio(self, ratio: impl Into<String>) -> Self {
        self.with(|image| image.aspect_ratio = Some(ratio.into()))
    }
}

impl sealed::Encode for ImageGeneration {
    fn route(&self) -> &str {
        "/grok/image-generate"
    }

    fn fields(&self) -> &'static [&'static str] {
        &["prompt", "model", "n", "aspect_ratio", "response_format"]
    }

    fn encode(&self, body: &mut Map<String, Value>) -> Result<(), RequestError> {
        self.encode_common(body)?;
        text(body, "aspect_ratio", self.aspect_ratio.as_deref());
        match &self.aspect_ratio {
            Some(ratio) if !ASPECT_RATIOS.contains(&ratio.as_str()) => Err(RequestError::AspectRatio),
            _ => Ok(()),
        }
    }
}

const ASPECT_RATIOS: &[&str] = &["1:1", "16:9", "9:16", "4:3", "3:2", "auto"];
