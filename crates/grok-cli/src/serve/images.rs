//! `/v1/images/generations` and `/v1/images/edits`, the latter with the picture itself or its URL.

use grok_mpp::answer::Answer;
use grok_mpp::call::Picture;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::order::{Order, Shape, needed, switch, text};
use crate::books::now;

/// Reads a request for pictures of what a prompt says.
pub(super) fn generation(mut asked: Map<String, Value>) -> Result<Order, ApiError> {
    let mut body = common(&mut asked)?;
    if let Some(size) = text(&mut asked, "size")? {
        body.insert("aspect_ratio".to_owned(), aspect_ratio(&size)?.into());
    }
    Ok(Order { route: "/grok/image-generate", body, shape: Shape::Images })
}

/// Reads a request for a picture to be changed.
pub(super) fn edit(mut asked: Map<String, Value>) -> Result<Order, ApiError> {
    let mut body = common(&mut asked)?;
    if asked.contains_key("mask") {
        return Err(ApiError::bad_request(
            "mask",
            "a mask is not to be had; say in the prompt what to change",
        ));
    }
    let image = asked.remove("image").or_else(|| asked.remove("images")).unwrap_or_default();
    let image = match image {
        Value::Array(mut several) if several.len() == 1 => several.pop().unwrap_or_default(),
        Value::Array(several) if several.len() > 1 => {
            return Err(ApiError::bad_request("image", "one picture is changed at a time"));
        }
        image => image,
    };
    let url =
        image.as_str().or_else(|| ["url", "image_url"].iter().find_map(|name| image.get(*name)?.as_str()));
    let allowed =
        |url: &&str| ["https://", "http://", "data:image/"].iter().any(|start| url.starts_with(start));
    let Some(url) = url.filter(allowed) else {
        let message = "image must be the picture's URL, or a data:image/ URL that holds it";
        return Err(ApiError::bad_request("image", message));
    };
    let url = Picture::at(url);
    body.insert("image".to_owned(), json!({"url": url.url(), "type": "image_url"}));
    Ok(Order { route: "/grok/image-edit", body, shape: Shape::Images })
}

/// What both have; quality, style and the like are nothing that the service could be told.
fn common(asked: &mut Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    if switch(asked, "stream")? {
        return Err(ApiError::bad_request("stream", "pictures come whole; leave stream out"));
    }
    let mut body = Map::new();
    body.insert("prompt".to_owned(), needed(asked, "prompt")?.into());
    for name in ["model", "response_format"] {
        body.extend(text(asked, name)?.map(|text| (name.to_owned(), text.into())));
    }
    // Those models have no other, so that nobody asks them for it.
    if body.get("model").and_then(Value::as_str).is_some_and(|model| model.starts_with("gpt-image")) {
        body.entry("response_format").or_insert("b64_json".into());
    }
    if body.get("response_format").is_some_and(|format| format != "url" && format != "b64_json") {
        return Err(ApiError::bad_request("response_format", "response_format must be url or b64_json"));
    }
    match asked.remove("n") {
        None => {}
        Some(n) if n.as_u64().is_some_and(|n| (1..=10).contains(&n)) => {
            body.insert("n".to_owned(), n);
        }
        Some(_) => return Err(ApiError::bad_request("n", "n must be a whole number from 1 to 10")),
    }
    Ok(body)
}

/// The proportions that are nearest to a size such as `1536x1024`.
fn aspect_ratio(size: &str) -> Result<&'static str, ApiError> {
    if size == "auto" {
        return Ok("auto");
    }
    let side = |text: &str| text.parse::<u32>().ok().filter(|side| *side > 0).map(f64::from);
    let sides = size.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
    let (width, height) =
        sides.ok_or_else(|| ApiError::bad_request("size", "size must be auto, or such as 1024x1024"))?;
    let distance = |ratio: f64| (width / height / ratio).ln().abs();
    let nearest = RATIOS.iter().min_by(|one, other| distance(one.1).total_cmp(&distance(other.1)));
    Ok(nearest.map_or("auto", |(name, _)| name))
}

/// The list of pictures that an answer is; `None` if it holds none.
pub(super) fn list(answer: &Answer) -> Option<Value> {
    if answer.images().is_empty() {
        return None;
    }
    let mut whole = answer.upstream().as_object().cloned().unwrap_or_default();
    whole.remove("success");
    whole.entry("created").or_insert_with(|| now().into());
    Some(Value::Object(whole))
}

const RATIOS: [(&str, f64); 5] =
    [("1:1", 1.0), ("16:9", 16.0 / 9.0), ("9:16", 9.0 / 16.0), ("4:3", 4.0 / 3.0), ("3:2", 1.5)];
