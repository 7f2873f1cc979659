//! Any bytes as the command's config file: each limit in it counts, as it stands there, and a file that holds anything
//! else is refused with one short line.

#![no_main]
#![allow(dead_code, unreachable_pub, reason = "of the modules that are included, a part is used")]

use std::path::PathBuf;
use std::sync::LazyLock;

use config::Config;
use libfuzzer_sys::fuzz_target;
use mpp_core::Amount;
use toml::{Table, Value};

// What the module takes from crates with an HTTP stack is below.
extern crate self as grok_mpp;
extern crate self as mpp_http;

#[path = "../../crates/grok-cli/src/config.rs"]
mod config;
#[path = "../../crates/grok-cli/src/place.rs"]
mod place;

fuzz_target!(|data: &[u8]| {
    // The module has no other way in than a file.
    std::fs::write(&*FILE, data).expect("a file");
    let found = Config::read(Some(&FILE));
    let table = std::str::from_utf8(data).ok().and_then(|text| text.parse::<Table>().ok());
    match (found, table) {
        (Ok(config), Some(table)) => agree(&config, &table),
        (Ok(_), None) => panic!("this is not TOML"),
        (Err(failure), table) => {
            assert!(failure.0.chars().count() < 1000, "{}", failure.0);
            let control = |letter: char| letter.is_control() && letter != '\t';
            assert!(!failure.0.contains(control), "{}", failure.0);
            assert!(!table.is_some_and(|table| table.is_empty()), "{}", failure.0);
        }
    }
});

/// Each value of the file is one of the configuration's.
fn agree(config: &Config, table: &Table) {
    let mut wallets = 0;
    let mut limits = Vec::new();
    for (key, value) in table {
        let text = value.as_str();
        match key.as_str() {
            "base_url" => assert_eq!(config.base_url.as_deref(), text),
            "max_cost" => assert_eq!(config.max_cost, text.map(dollars)),
            "chain_id" => {
                let id = value.as_integer().and_then(|id| u64::try_from(id).ok());
                assert!(config.chain_id.is_some() && (id.is_none() || config.chain_id == id));
            }
            "root_account" => assert_eq!(config.root_account, text.and_then(|it| it.parse().ok())),
            "rpc" => assert_eq!(config.rpc.as_ref().map(|rpc| &*rpc.0), text),
            "ledger" => assert!(config.ledger.is_some() && text.is_some()),
            "key_file" | "signer_command" => wallets += 1,
            "budget" => limits.extend(limits_of(value, "")),
            other => panic!("{other} is known to nobody"),
        }
    }
    assert_eq!(usize::from(config.wallet.is_some()), wallets);
    assert_eq!(config.max_cost.is_some(), table.contains_key("max_cost"));
    let mut found: Vec<_> = config.limits.iter().map(|it| (shown(&it.scope), it.window, it.amount)).collect();
    found.sort_by_key(|(scope, window, _)| (scope.clone(), *window as u8));
    limits.sort_by_key(|(scope, window, _)| (scope.clone(), *window as u8));
    assert_eq!(found, limits);
}

/// The limits of a table, and of those in it.
fn limits_of(value: &Value, scope: &str) -> Vec<(String, Window, Amount)> {
    let entries = value.as_table().expect("a table").iter();
    entries
        .flat_map(|(name, value)| match (scope, name.as_str(), value) {
            ("", "realms", _) => scoped(value, "realm "),
            ("", "recipients", _) => scoped(value, "recipient "),
            (_, name, Value::String(amount)) => {
                let (_, window) = config::WINDOWS.iter().find(|(known, _)| *known == name).expect("a window");
                vec![(scope.to_owned(), *window, dollars(amount))]
            }
            _ => panic!("{value:?} is no limit"),
        })
        .collect()
}

fn scoped(value: &Value, kind: &str) -> Vec<(String, Window, Amount)> {
    let entries = value.as_table().expect("a table").iter();
    let scope = |whose: &str| match kind {
        "recipient " => shown(&Scope::Recipient(whose.parse().expect("an address"))),
        _ => format!("{kind}{whose}"),
    };
    entries.flat_map(|(whose, value)| limits_of(value, &scope(whose))).collect()
}

fn shown(scope: &Scope) -> String {
    match scope {
        Scope::All => String::new(),
        Scope::Realm(realm) => format!("realm {realm}"),
        Scope::Recipient(recipient) => format!("recipient {recipient:#x}"),
    }
}

/// Dollars of six decimals at most.
fn dollars(text: &str) -> Amount {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    assert!(!decimals.is_empty() && decimals.len() <= 6, "{text}");
    let units = |digits: &str| {
        digits.bytes().try_fold(0_u128, |sum, digit| {
            assert!(digit.is_ascii_digit(), "{text}");
            sum.checked_mul(10)?.checked_add(u128::from(digit - b'0'))
        })
    };
    let units = units(whole)
        .and_then(|whole| whole.checked_mul(1_000_000)?.checked_add(units(&format!("{decimals:0<6}"))?));
    Amount::from_base_units(units.expect("an amount"))
}

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("config-{}.toml", std::process::id())));

pub use ledger::{Scope, Window};

/// The service's address.
pub struct Grok;

impl Grok {
    pub const BASE_URL: &'static str = "https://grok.example";
}

pub mod chain {
    /// A node; any URL will do.
    pub struct Rpc(pub String);

    impl Rpc {
        pub fn new(url: &str) -> Result<Self, std::fmt::Error> {
            if url.is_empty() { Err(std::fmt::Error) } else { Ok(Rpc(url.to_owned())) }
        }
    }
}

pub mod ledger {
    use mpp_core::Amount;
    use mpp_core::tempo::Address;

    #[derive(Clone, Debug, PartialEq)]
    pub struct Limit {
        pub scope: Scope,
        pub window: Window,
        pub amount: Amount,
    }

    #[derive(Clone, Debug, PartialEq)]
    pub enum Scope {
        All,
        Realm(String),
        Recipient(Address),
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum Window {
        Call,
        Process,
        Hour,
        Day,
        Month,
    }
}

pub mod args {
    use std::path::PathBuf;

    pub struct ConfigArgs {
        pub file: Option<PathBuf>,
    }
}

pub mod failure {
    pub struct Failure(pub String);

    impl Failure {
        pub fn usage(message: impl Into<String>) -> Self {
            Failure(message.into())
        }
    }

    pub fn chain(error: &dyn std::error::Error) -> String {
        error.to_string()
    }
}

pub mod wallet {
    pub struct SignerCommand;

    impl SignerCommand {
        pub fn parse(text: &str) -> Result<Self, &'static str> {
            if text.is_empty() { Err("must name a program") } else { Ok(SignerCommand) }
        }
    }
}
