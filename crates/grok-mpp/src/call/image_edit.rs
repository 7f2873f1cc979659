//! `POST /grok/image-edit`: pictures from a picture and a prompt that says what to change.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Call, ImageGeneration, sealed};
use crate::error::RequestError;

/// A picture, changed as a prompt says, as [`images`](crate::answer::Answer::images).
#[derive(Clone, Debug)]
pub struct ImageEdit {
    wanted: ImageGeneration,
    picture: Picture,
}

/// A picture to be changed, or to be shown to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture(String);

impl Picture {
    /// A picture at an `http(s):` URL, or in a `data:` URL.
    pub fn at(url: impl Into<String>) -> Self {
        Picture(url.into())
    }

    /// A PNG, JPEG, WebP or GIF file; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let kind = match bytes {
            [0x89, b'P', b'N', b'G', ..] => "png",
            [0xff, 0xd8, 0xff, ..] => "jpeg",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "webp",
            [b'G', b'I', b'F', b'8', ..] => "gif",
            _ => return None,
        };
        Some(Picture(format!("data:image/{kind};base64,{}", STANDARD.encode(bytes))))
    }

    /// Its URL, which holds the picture itself if it was made of bytes.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0
    }
}

impl ImageEdit {
    pub(crate) fn new(prompt: String, picture: Picture) -> Self {
        ImageEdit { wanted: ImageGeneration::new(prompt), picture }
    }
}

impl Call<'_, ImageEdit> {
    /// Sets the model's id; unset, the service chooses.
    pub fn model(self, id: impl Into<String>) -> Self {
        self.with(|edit| edit.wanted.model = Some(id.into()))
    }

    /// Sets how many pictures are made, 1 to 10, each of which is paid.
    pub fn n(self, pictures: u32) -> Self {
        self.with(|edit| edit.wanted.n = Some(pictures))
    }

    /// Asks for the pictures themselves rather than for places to get them, which soon are gone.
    pub fn as_bytes(self) -> Self {
        self.with(|edit| edit.wanted.as_bytes = true)
    }
}

impl sealed::Encode for ImageEdit {
    fn route(&self) -> &str {
        "/grok/image-edit"
    }

    fn fields(&self) -> &'static [&'static str] {
        &["prompt", "image", "model", "n", "response_format"]
    }

    /// A picture comes with it.
    fn body_limit(&self) -> usize {
        16 << 20
    }

    fn encode(&self, body: &mut Map<String, Value>) -> Result<(), RequestError> {
        self.wanted.encode_common(body)?;
        let url = self.picture.url();
        if !["https://", "http://", "data:image/"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(RequestError::Picture);
        }
        // The field's name is the upstream's: the service's own page does not say.
        body.insert("image".to_owned(), json!({"url": url, "type": "image_url"}));
        Ok(())
    }
}
