//! Draws the pictures of an image request: a mirrored pattern of cells by a hash of its words, as PNG, the same for the
//! same request. Nothing is hosted, so that a picture's URL is a `data:` URI that holds it.

use alloy_primitives::{B256, keccak256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use png::{BitDepth, ColorType, Encoder, EncodingError};
use serde_json::{Value, json};

use super::words::now;
use crate::request::inner;

/// The answer to a request for pictures. Each has its own colours; a request with an image has the pattern of that one's
/// address or data, so that the pattern stays when only the prompt changes.
///
/// # Errors
/// When the encoder refuses what it is given.
pub(super) fn pictures(body: &Value) -> Result<Value, EncodingError> {
    let text = |name: &str| body.get(name).and_then(|value| inner(value, "url")).unwrap_or_default();
    let (prompt, source) = (text("prompt"), text("image"));
    let cells = keccak256(if source.is_empty() { prompt } else { source });
    let in_base64 = text("response_format") == "b64_json";
    let count = body.get("n").and_then(Value::as_u64).unwrap_or(1);
    let data = (0..count).map(|number| {
        let colours = keccak256(format!("{number} {prompt}"));
        let encoded = STANDARD.encode(picture(cells, colours, cells_of(text("aspect_ratio")))?);
        Ok(match in_base64 {
            true => json!({"b64_json": encoded, "respect_moderation": true}),
            false => json!({"url": format!("data:image/png;base64,{encoded}"), "respect_moderation": true}),
        })
    });
    let data: Vec<Value> = data.collect::<Result<_, EncodingError>>()?;
    Ok(json!({"created": now(), "data": data, "model": body.get("model"), "sandbox": true, "note": NOTE}))
}

/// How many cells a picture is wide and high.
fn cells_of(ratio: &str) -> (u32, u32) {
    match ratio {
        "16:9" => (16, 9),
        "9:16" => (9, 16),
        "4:3" => (8, 6),
        "3:2" => (9, 6),
        _ => (8, 8),
    }
}

/// The picture as PNG: in each row of cells, the left half is 8 bits of the hash, the right half their mirror.
fn picture(cells: B256, colours: B256, (width, height): (u32, u32)) -> Result<Vec<u8>, EncodingError> {
    let is_filled = |x: u32, y: u32| {
        let row = cells.iter().cycle().nth(usize::try_from(y).unwrap_or_default());
        row.is_some_and(|row| row >> x.min(width - 1 - x) & 1 == 1)
    };
    let pixels: Vec<u8> = (0..height * CELL)
        .flat_map(|y| (0..width * CELL).map(move |x| u8::from(is_filled(x / CELL, y / CELL))))
        .collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width * CELL, height * CELL);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    // Light cells and dark ones, however the hash falls.
    let light = colours.iter().take(3).map(|level| level | 0x80);
    let dark = colours.iter().skip(3).take(3).map(|level| level & 0x7f);
    encoder.set_palette(light.chain(dark).collect::<Vec<u8>>());
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(file)
}

/// The side of a cell in pixels.
const CELL: u32 = 16;
const NOTE: &str = "from a local sandbox without a model: the pattern is drawn from a hash of the request";
