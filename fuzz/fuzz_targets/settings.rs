//! Any text as a gateway's config file: what it does not know it refuses, what it takes means the same however the TOML
//! is written, and what it says of the rest is one short line.

#![no_main]
#![allow(dead_code, unreachable_pub, reason = "of the modules that are included, a part is used")]

use libfuzzer_sys::fuzz_target;
use settings::Settings;
use toml::Table;

// So that reading settings takes no HTTP stack.
extern crate self as grok_gateway;

#[path = "../../crates/grok-gateway/src/price.rs"]
mod price;
#[path = "../../crates/grok-gateway/src/serve/settings.rs"]
mod settings;
#[path = "../../crates/grok-gateway/src/serve/tariff.rs"]
mod tariff;

pub use price::{Prices, Tariff, TokenPrice};

fuzz_target!(|text: &str| {
    let found = Settings::parse(text);
    let table = text.parse::<Table>();
    if let Err((line, why)) = &found {
        assert!((1..=1 + text.matches('\n').count()).contains(line), "{line}: {why}");
        assert!(why.chars().count() <= 400);
        assert!(!why.contains(|letter: char| letter.is_control() && letter != '\t'), "{why}");
    }
    let Ok(mut table) = table else {
        assert!(found.is_err(), "{found:?}");
        return;
    };
    if let Ok(settings) = &found {
        agree(settings, &table);
        let rewritten = toml::to_string(&table).expect("what was read can be written");
        assert_eq!(Settings::parse(&rewritten).as_ref(), Ok(settings), "{rewritten}");
        // Somewhere in it, something that is misspelt.
        for (name, value) in table.iter_mut().filter(|(_, value)| value.is_table()) {
            let inner = value.as_table_mut().expect("a table");
            inner.insert("misspelt".to_owned(), true.into());
            let text = toml::to_string(&Table::from_iter([(name.clone(), value.clone())])).expect("TOML");
            assert!(Settings::parse(&text).is_err(), "{text}");
        }
    }
    table.insert("misspelt".to_owned(), true.into());
    let misspelt = toml::to_string(&table).expect("TOML");
    assert!(Settings::parse(&misspelt).is_err(), "{misspelt}");
});

/// What decides about money is as it stands in the file.
fn agree(settings: &Settings, table: &Table) {
    let number = |path: [&str; 2]| table.get(path[0])?.get(path[1])?.as_integer();
    let text = |name: &str| table.get(name)?.as_str();
    if let Some(recipient) = text("recipient") {
        let found = settings.recipient.expect("a recipient").to_string().to_lowercase();
        assert_eq!(found.trim_start_matches("0x"), recipient.to_lowercase().trim_start_matches("0x"));
    }
    let chain_id = table.get("chain_id").and_then(|id| id.as_integer());
    assert_eq!(settings.chain_id.map(|id| i64::try_from(id).expect("a TOML integer")), chain_id);
    let prices = Prices::default();
    for (name, found, default) in [
        ("floor", settings.prices.floor, prices.floor),
        ("margin", settings.prices.margin, prices.margin),
        ("character", settings.prices.character, prices.character),
        ("max_tokens", settings.prices.max_tokens, prices.max_tokens),
    ] {
        let said = number(["prices", name]).map_or(default, |said| u64::try_from(said).expect("no sign"));
        assert_eq!(found, said, "{name}");
    }
    assert!(number(["prices", "max_tokens"]).is_none_or(|most| most > 0));
}
