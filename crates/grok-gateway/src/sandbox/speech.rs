//! Speaks a text as a sandbox can: a short tone for each character, the same for the same one, and silence for white
//! space. As WAV or bare PCM; other formats take an encoder and are refused before payment.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::request::inner;

/// Whether the audio can be had in the format that is asked for.
///
/// # Errors
/// What a payer is told instead of a price.
pub(super) fn check(body: &Value) -> Result<(), Refusal> {
    let rate = body.pointer("/output_format/sample_rate").filter(|rate| !rate.is_null());
    if matches!(format(body), "wav" | "pcm") && rate.is_none_or(|rate| *rate == RATE) {
        return Ok(());
    }
    let message =
        format!("the sandbox speaks wav and pcm only, at {RATE} Hz; ask for one of them, or for no format");
    Err(Refusal::bad_request("invalid_output_format", message))
}

/// The answer to a request that passed.
pub(super) fn spoken(body: &Value) -> Value {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    // Voices are told apart by their pitch.
    let voice =
        text("voice_id").bytes().fold(0, |voice: u32, byte| voice.wrapping_mul(3).wrapping_add(byte.into()));
    let sound: Vec<u8> =
        text("text").chars().flat_map(|letter| tone(letter, voice)).flat_map(i16::to_le_bytes).collect();
    let (audio, kind) = match format(body) {
        "pcm" => (sound, format!("audio/pcm;rate={RATE}")),
        _ => (wav(&sound), "audio/wav".to_owned()),
    };
    json!({"data": STANDARD.encode(audio), "content_type": kind, "sandbox": true, "note": NOTE})
}

fn format(body: &Value) -> &str {
    body.get("output_format").and_then(|format| inner(format, "codec")).unwrap_or("wav")
}

/// A triangle wave of 235 to 800 Hz.
fn tone(letter: char, voice: u32) -> impl Iterator<Item = i16> {
    let period = i32::try_from(u32::from(letter).saturating_add(voice) % 25).unwrap_or_default() + 10;
    let loudness = if letter.is_whitespace() { 0 } else { LOUDNESS };
    (0..SAMPLES_A_CHARACTER).map(move |sample| {
        // From a trough up to a peak at half the period, and down again.
        let height = period - (period - sample % period * 2).abs();
        i16::try_from((height * 2 - period) * loudness / period).unwrap_or_default()
    })
}

/// The samples with the 44 bytes in front of them that say what they are: PCM, one channel, 16 bits.
fn wav(samples: &[u8]) -> Vec<u8> {
    let length = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    let [one, bytes, bits] = [1_u16, 2, 16].map(u16::to_le_bytes);
    let parts: [&[u8]; 13] = [
        b"RIFF",
        &length.saturating_add(36).to_le_bytes(),
        b"WAVEfmt ",
        &16_u32.to_le_bytes(),
        &one,
        &one,
        &RATE.to_le_bytes(),
        &(RATE * 2).to_le_bytes(),
        &bytes,
        &bits,
        b"data",
        &length.to_le_bytes(),
        samples,
    ];
    parts.concat()
}

/// Samples a second.
const RATE: u32 = 8000;
/// A fiftieth of a second: the longest text takes five minutes, and five megabytes.
const SAMPLES_A_CHARACTER: i32 = 160;
const LOUDNESS: i32 = 8000;
const NOTE: &str = "from a local sandbox without a model: a tone for each character";
