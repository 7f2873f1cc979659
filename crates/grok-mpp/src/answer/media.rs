//! Pictures and sound in an answer, as bytes or as a place to get them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::json::{list, owned, text};

/// A picture that was made.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Image {
    /// A URL, or base64.
    source: Source,
    /// The prompt as the service understood it, if it says so.
    pub revised_prompt: Option<String>,
    /// False when the service holds the picture, or a part of it, back; it is paid for all the same.
    pub respects_moderation: Option<bool>,
}

#[derive(Clone, PartialEq, Eq)]
enum Source {
    Url(String),
    Base64(String),
    Nowhere,
}

impl Image {
    /// Where the picture is, if the service only says where: an `http(s):` URL, which may soon be gone.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        match &self.source {
            Source::Url(url) if !url.starts_with("data:") => Some(url),
            _ => None,
        }
    }

    /// The picture itself, if it came with the answer, decoded anew by each call.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match &self.source {
            // Some services put a whole URL there.
            Source::Base64(text) => from_data_url(text).or_else(|| STANDARD.decode(text).ok()),
            Source::Url(url) => from_data_url(url),
            Source::Nowhere => None,
        }
    }

    fn read(item: &Value) -> Option<Self> {
        let known = item.get("respect_moderation").and_then(Value::as_bool);
        let source = match (text(item, "b64_json"), text(item, "url")) {
            (Some(text), _) => Source::Base64(text.to_owned()),
            (None, Some(url)) => Source::Url(url.to_owned()),
            (None, None) if known.is_some() => Source::Nowhere,
            (None, None) => return None,
        };
        Some(Image { source, revised_prompt: owned(item, "revised_prompt"), respects_moderation: known })
    }
}

/// A URL's start: with base64 in it, the whole may be megabytes.
impl fmt::Debug for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Image").field("url", &self.url()).finish_non_exhaustive()
    }
}

/// A text, spoken.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Audio {
    /// A file of the codec that was asked for.
    pub bytes: Vec<u8>,
    /// The service's word for what it is, such as `audio/mpeg`.
    pub content_type: Option<String>,
}

impl Audio {
    pub(super) fn read(upstream: &Value) -> Option<Self> {
        let (kind, base64) = ["data", "audio"]
            .iter()
            .find_map(|key| Some((owned(upstream, "content_type"), text(upstream, key)?)))?;
        let bytes = from_data_url(base64).or_else(|| STANDARD.decode(base64).ok());
        Some(Audio { bytes: bytes.filter(|bytes| !bytes.is_empty())?, content_type: kind })
    }
}

/// Its length: nobody reads sound.
impl fmt::Debug for Audio {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Audio { bytes, content_type } = self;
        formatter
            .debug_struct("Audio")
            .field("bytes", &bytes.len())
            .field("content_type", content_type)
            .finish()
    }
}

/// Pictures in a list of their own, in an envelope or not, and as items of a response.
pub(super) fn images(raw: &Value, upstream: &Value) -> Vec<Image> {
    let listed = match list(upstream, "data") {
        [] => list(raw, "data"),
        data => data,
    };
    let made =
        list(upstream, "output").iter().filter(|item| text(item, "type") == Some("image_generation_call"));
    let made = made.filter_map(|item| {
        let source = Source::Base64(owned(item, "result")?);
        Some(Image { source, revised_prompt: owned(item, "revised_prompt"), respects_moderation: None })
    });
    listed.iter().filter_map(Image::read).chain(made).collect()
}

/// The bytes of a `data:` URL in base64.
fn from_data_url(url: &str) -> Option<Vec<u8>> {
    let (_, base64) = url.strip_prefix("data:")?.split_once(";base64,")?;
    STANDARD.decode(base64).ok()
}
