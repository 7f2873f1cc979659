//! `WWW-Authenticate` values: what three SDKs make of them against what we do, and `testdata/headers/`, where a new
//! file is a new test.

use std::fs;
use std::path::Path;

use mpp_core::error::{ChallengeError, ChargeError};
use mpp_core::{Challenge, ChargeRequest};
use serde_json::Value;

use crate::support::{list, text, vectors};

/// Rows on which the SDKs agree with each other and we with none of them, and why.
const DEVIATIONS: [(&str, &str, &str); 1] = [(
    "unescaped_quotes_in_description",
    REFUSED,
    "the description would end at the inner quote: a known parameter is never half-accepted",
)];

/// Rows on which the SDKs differ. The draft decides, and where it is silent the row is refused.
const DISPUTED: [(&str, &str, &str); 15] = [
    ("unicode_escape_lone_surrogate", REFUSED, "half a surrogate pair is no text"),
    ("empty_realm", REFUSED, "a realm that names nothing cannot be pinned"),
    ("tab_after_scheme", REFUSED, "RFC 9110 §11.3: 1*SP behind the scheme"),
    ("first_bad_second_good", "ok[a,tempo,charge] err:1", "a bad challenge hides no good one"),
    ("first_good_second_bad", "ok[a,tempo,charge] err:1", "a bad challenge hides no good one"),
    ("unterminated_quote", REFUSED, "RFC 9110 §5.6.4: a quoted-string ends with a quote"),
    ("expires_date_only", REFUSED, "the draft has an RFC 3339 date-time"),
    ("expires_unix", REFUSED, "the draft has an RFC 3339 date-time"),
    ("digest_sha512", REFUSED, "a digest that cannot be checked must not be ignored"),
    ("digest_garbage", REFUSED, "a digest that cannot be checked must not be ignored"),
    ("opaque_invalid_b64", REFUSED, "the draft has a JSON object"),
    ("opaque_not_json", REFUSED, "the draft has a JSON object"),
    ("header_cookie", REFUSED, "a server that names any field can overwrite any field"),
    ("intent_pipe", REFUSED, "the draft has letters, digits and hyphens"),
    ("semicolon_separated", REFUSED, "RFC 9110 §11.2: parameters are separated by commas"),
];

const REFUSED: &str = "refused";

#[test]
fn values_are_read_as_the_sdks_read_them_unless_listed() {
    let vectors = vectors("www-authenticate.json");
    let (mut deviations, mut disputed) = (DEVIATIONS.to_vec(), DISPUTED.to_vec());
    for row in list(&vectors["rows"]) {
        let name = text(&row["name"]);
        let sdk = text(&row["mppx_0_11_0"]);
        let ruled = if row["differs"] == true { &mut disputed } else { &mut deviations };
        let ruling = ruled.iter().position(|(listed, ..)| *listed == name).map(|at| ruled.swap_remove(at));
        assert!(ruling.is_some() || row["differs"] == false, "{name} is disputed and not listed");
        let expected =
            ruling.map_or(if sdk.starts_with("ok[") { sdk } else { REFUSED }, |(_, ruling, _)| ruling);
        assert_eq!(verdict(&wire(&row["wire"])), expected, "{name}");
    }
    assert_eq!((deviations, disputed), (vec![], vec![]), "listed, but no row");
}

/// The value of a row. Two are too long for a vector file: they are a start, a length, and more of the same.
fn wire(value: &Value) -> String {
    if let Some(wire) = value.as_str() {
        return wire.to_owned();
    }
    let mut wire = text(&value["prefix"]).to_owned();
    let length = usize::try_from(value["len"].as_u64().expect("a length")).expect("a length");
    let filler = if wire.contains("description") { "x" } else { "eHh4" };
    while wire.len() + 1 < length {
        wire += filler;
    }
    wire.truncate(length - 1);
    wire + "\""
}

/// What we make of a value, in the notation of the rows. A request that is no JSON object fails the SDKs' parsers,
/// and here the step that reads it.
fn verdict(wire: &str) -> String {
    let unreadable = |charge| matches!(charge, Err(ChargeError::Request(_)));
    let (good, bad): (Vec<_>, Vec<_>) = Challenge::parse_all([wire]).into_iter().partition(|challenge| {
        challenge.as_ref().is_ok_and(|challenge| !unreadable(ChargeRequest::from_challenge(challenge)))
    });
    if good.is_empty() {
        return REFUSED.to_owned();
    }
    let show = |challenge: Challenge| {
        let description: String = challenge.description().unwrap_or_default().chars().take(40).collect();
        let comma = if description.is_empty() { "" } else { "," };
        format!("{},{},{}{comma}{description}", challenge.id(), challenge.method(), challenge.intent())
    };
    let good: Vec<_> = good.into_iter().flatten().map(show).collect();
    let errors = if bad.is_empty() { String::new() } else { format!(" err:{}", bad.len()) };
    format!("ok[{}]{errors}", good.join(" + "))
}

/// A file holds the fields of a response, one a line, an empty line, and what they are: a line for each challenge,
/// which is our own encoding of it or `error: ` and why. `ok_*` files have no errors, `err_*` files at least one.
#[test]
fn header_files_read_as_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/headers");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")).collect();
    files.sort_by_key(fs::DirEntry::file_name);
    assert!(!files.is_empty());
    for file in files {
        let name = file.file_name().into_string().expect("a name");
        let content = fs::read(file.path()).expect(&name);
        let split = content.windows(2).position(|pair| pair == b"\n\n").expect(&name);
        let fields = content[..split].split(|byte| *byte == b'\n');
        let expected: Vec<_> = content[split + 2..].trim_ascii_end().split(|byte| *byte == b'\n').collect();
        let found = Challenge::parse_all(fields);
        let errors = found.iter().filter(|challenge| challenge.is_err()).count();
        let found: Vec<_> = found.iter().map(show).collect();
        assert_eq!(found.join("\n"), String::from_utf8_lossy(&expected.join(&b'\n')), "{name}");
        match name.split_once('_') {
            Some(("ok", _)) => assert_eq!(errors, 0, "{name}"),
            Some(("err", _)) => assert_ne!(errors, 0, "{name}"),
            _ => panic!("{name} is neither ok_ nor err_"),
        }
    }
}

fn show(challenge: &Result<Challenge, ChallengeError>) -> String {
    match challenge {
        Ok(challenge) => challenge.encode(),
        Err(error) => format!("error: {error}"),
    }
}
