//! The price table of the config file.

use std::num::NonZeroU64;

use grok_gateway::{Prices, Tariff, TokenPrice};
use serde::Deserialize;
use serde::de::Deserializer;

/// A price table; lists that are there take the place of the default ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    tokens: Option<Vec<TokenEntry>>,
    images: Option<Vec<ImageEntry>>,
    image_model: Option<String>,
    character: Option<u64>,
    margin: Option<u64>,
    floor: Option<u64>,
    max_tokens: Option<NonZeroU64>,
    longest_prompt: Option<NonZeroU64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    model: String,
    input: u64,
    output: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageEntry {
    model: String,
    price: u64,
}

/// The default prices, but for what is there.
pub(crate) fn read<'de, D: Deserializer<'de>>(value: D) -> Result<Prices, D::Error> {
    let table = Table::deserialize(value)?;
    let default = Prices::default();
    let token = |entry: TokenEntry| (entry.model, TokenPrice { input: entry.input, output: entry.output });
    let tokens = table.tokens.map(|list| tariff(list.into_iter().map(token)));
    let images = table.images.map(|list| tariff(list.into_iter().map(|entry| (entry.model, entry.price))));
    Ok(Prices {
        tokens: tokens.unwrap_or(default.tokens),
        images: images.unwrap_or(default.images),
        image_model: table.image_model.unwrap_or(default.image_model),
        character: table.character.unwrap_or(default.character),
        margin: table.margin.unwrap_or(default.margin),
        floor: table.floor.unwrap_or(default.floor),
        max_tokens: table.max_tokens.map_or(default.max_tokens, NonZeroU64::get),
        longest_prompt: table.longest_prompt.map_or(default.longest_prompt, NonZeroU64::get),
    })
}

/// The model `*` stands for all that are not listed.
fn tariff<P>(entries: impl Iterator<Item = (String, P)>) -> Tariff<P> {
    let (others, listed): (Vec<_>, Vec<_>) = entries.partition(|(model, _)| model == "*");
    Tariff { listed, others: others.into_iter().next().map(|(_, price)| price) }
}
