//! `/v1/audio/speech`: a text in, sound itself out.

use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::order::{Order, Shape, needed, text};

/// Reads a request. Its model is not asked about: the service has but one that speaks.
pub(super) fn order(mut asked: Map<String, Value>) -> Result<Order, ApiError> {
    let words = needed(&mut asked, "input")?;
    let characters = words.chars().count();
    if characters > MOST_CHARACTERS {
        let message = format!("input has {characters} characters, over the limit of {MOST_CHARACTERS}");
        return Err(ApiError::bad_request("input", message));
    }
    if asked.get("speed").is_some_and(|speed| speed.as_f64() != Some(1.0)) {
        return Err(ApiError::bad_request("speed", "the speed is 1; leave speed out"));
    }
    if text(&mut asked, "instructions")?.is_some_and(|text| !text.is_empty()) {
        return Err(ApiError::bad_request(
            "instructions",
            "nobody would follow instructions; leave them out",
        ));
    }
    if text(&mut asked, "stream_format")?.is_some_and(|format| format != "audio") {
        return Err(ApiError::bad_request("stream_format", "sound comes as audio alone"));
    }
    let mut body = Map::new();
    body.insert("text".to_owned(), words.into());
    body.insert("language".to_owned(), "auto".into());
    let voice = asked.remove("voice").unwrap_or_default();
    if let Some(voice) = voice.as_str().or_else(|| voice.get("id")?.as_str()) {
        body.insert("voice_id".to_owned(), known_voice(voice).into());
    }
    let format = text(&mut asked, "response_format")?;
    let (codec, kind) = match format.as_deref() {
        // What the service makes unless told otherwise.
        None | Some("mp3") => (None, "audio/mpeg"),
        Some("wav") => (Some("wav"), "audio/wav"),
        Some("pcm") => (Some("pcm"), "audio/pcm"),
        Some(_) => {
            return Err(ApiError::bad_request("response_format", "response_format must be mp3, wav or pcm"));
        }
    };
    body.extend(codec.map(|codec| ("output_format".to_owned(), json!({ "codec": codec }))));
    Ok(Order { route: "/grok/tts", body, shape: Shape::Sound(kind) })
}

/// The service's voice that is nearest to one of OpenAI's; any other name is passed on.
fn known_voice(voice: &str) -> &str {
    match voice {
        "alloy" | "sage" | "verse" => "sal",
        "ash" | "cedar" | "echo" => "rex",
        "ballad" | "fable" | "onyx" => "leo",
        "coral" | "shimmer" => "ara",
        "marin" | "nova" => "eve",
        other => other,
    }
}

/// What the service speaks at once.
const MOST_CHARACTERS: usize = 15_000;
