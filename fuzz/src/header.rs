//! `WWW-Authenticate` by RFC 9110 §11 and draft-httpauth-payment §5.1, rule by rule. Each rule takes the rest of the
//! field and gives what it matched with what is left, or the rest at which no rule went on.
//!
//! As in mpp-core, and in no document: parameters and challenges may be separated by spaces alone; `\uXXXX` is a UTF-16
//! code unit; known parameters are checked, and a fault in one is a fault of its challenge. After a fault, reading goes
//! on behind the next comma, outside quotes, that is not followed by a parameter.

use crate::base64;
use crate::json::{self, Json};
use crate::time;

/// What mpp-core says of a challenge, in the reference's words.
#[derive(Debug, PartialEq, Eq)]
pub struct Challenge {
    pub id: String,
    pub realm: String,
    pub method: String,
    pub intent: String,
    pub request: String,
    pub expires_at: Option<u64>,
    pub digest: Option<String>,
    pub description: Option<String>,
    pub opaque: Option<String>,
    pub credential_header: &'static str,
}

impl From<&mpp_core::Challenge> for Challenge {
    fn from(challenge: &mpp_core::Challenge) -> Self {
        Challenge {
            id: challenge.id().to_owned(),
            realm: challenge.realm().to_owned(),
            method: challenge.method().to_owned(),
            intent: challenge.intent().to_owned(),
            request: challenge.request().to_owned(),
            expires_at: challenge.expires_at(),
            digest: challenge.digest().map(str::to_owned),
            description: challenge.description().map(str::to_owned),
            opaque: challenge.opaque().map(str::to_owned),
            credential_header: challenge.credential_header(),
        }
    }
}

/// Every Payment challenge of a response's fields; `None` for a malformed one.
pub fn challenges(fields: &[&[u8]]) -> Vec<Option<Challenge>> {
    let mut found = Vec::new();
    for field in fields {
        if field.len() > 131_072 {
            found.push(None);
            continue;
        }
        let mut rest = separators(field);
        while !rest.is_empty() {
            let (name, outcome) = challenge(rest);
            let (parsed, left) = match outcome {
                Ok((params, left)) => (check(&params), left),
                Err(left) => (None, recover(left)),
            };
            rest = separators(left);
            let counts = name.eq_ignore_ascii_case(b"payment") || name.is_empty() && parsed.is_none();
            if counts && found.len() == 64 {
                found.push(None);
                return found;
            }
            if counts {
                found.push(parsed);
            }
        }
    }
    found
}

/// Names in lower case, and values.
pub type Params = Vec<(String, String)>;
/// What a rule matched and what is left, or where it failed.
type Matched<'a, T> = Result<(T, &'a [u8]), &'a [u8]>;

/// `challenge = auth-scheme [ 1*SP ( token68 / #auth-param ) ]`
fn challenge(input: &[u8]) -> (&[u8], Matched<'_, Params>) {
    let (name, rest) = token(input);
    if name.is_empty() {
        return (name, Err(input));
    }
    if let Some(left) = element_end(rest) {
        return (name, Ok((Vec::new(), left)));
    }
    let params = strip(rest, |byte| byte == b' ');
    if params.len() == rest.len() {
        return (name, Err(rest));
    }
    if let Some(left) = token68(params).and_then(element_end) {
        return (name, Ok((Vec::new(), left)));
    }
    (name, auth_params(params, Vec::new()))
}

/// `#auth-param`, one and the rest of them.
fn auth_params(input: &[u8], mut before: Params) -> Matched<'_, Params> {
    let ((name, value), rest) = auth_param(input)?;
    let twice = before.iter().any(|(other, _)| *other == name);
    if twice || before.len() == 32 {
        return Err(rest);
    }
    before.push((name, value));
    let next = separators(rest);
    if next.len() == rest.len() && !rest.is_empty() {
        return Err(rest);
    }
    if starts_param(next) { auth_params(next, before) } else { Ok((before, next)) }
}

/// `auth-param = token BWS "=" BWS ( token / quoted-string )`, the name in lower case.
fn auth_param(input: &[u8]) -> Matched<'_, (String, String)> {
    let (name, rest) = token(input);
    let equals = strip(rest, is_ws);
    if name.is_empty() {
        return Err(input);
    }
    let Some(rest) = equals.strip_prefix(b"=") else { return Err(equals) };
    let rest = strip(rest, is_ws);
    let (value, rest) = match rest.strip_prefix(b"\"") {
        Some(inside) => {
            let (raw, rest) = quoted_string(inside)?;
            (unescape(raw).ok_or(rest)?, rest)
        }
        None => {
            let (value, left) = token(rest);
            if value.is_empty() {
                return Err(rest);
            }
            (String::from_utf8(value.to_vec()).expect("ASCII"), left)
        }
    };
    Ok(((String::from_utf8(name.to_ascii_lowercase()).expect("ASCII"), value), rest))
}

/// `*( qdtext / quoted-pair ) DQUOTE`: what is before the quote that ends it. Any byte goes; `unescape` is strict.
fn quoted_string(input: &[u8]) -> Matched<'_, &[u8]> {
    let mut at = 0;
    loop {
        match input.get(at..).unwrap_or_default() {
            [b'"', rest @ ..] => return Ok((&input[..at], rest)),
            [b'\\', b'"' | b'\\', ..] => at += 2,
            [_, ..] => at += 1,
            [] => return Err(&[]),
        }
    }
}

/// The text of a quoted-string; none with control characters, bytes that are not UTF-8, or half a surrogate pair.
fn unescape(raw: &[u8]) -> Option<String> {
    let text: Vec<char> = std::str::from_utf8(raw).ok()?.chars().collect();
    if text.iter().any(|letter| letter.is_ascii_control() && *letter != '\t') {
        return None;
    }
    fn units(text: &[char]) -> Vec<u16> {
        let hex = |digits: &[char]| {
            digits.iter().fold(0, |unit, digit| unit * 16 + digit.to_digit(16).unwrap_or(0))
        };
        match text {
            [] => Vec::new(),
            ['\\', 'u', a, b, c, d, rest @ ..]
                if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
            {
                let unit = u16::try_from(hex(&[*a, *b, *c, *d])).expect("four digits");
                [vec![unit], units(rest)].concat()
            }
            ['\\', letter, rest @ ..] | [letter, rest @ ..] => {
                [letter.to_string().encode_utf16().collect(), units(rest)].concat()
            }
        }
    }
    String::from_utf16(&units(&text)).ok()
}

/// Where reading goes on after a fault.
fn recover(input: &[u8]) -> &[u8] {
    match input {
        [] => &[],
        [b'"', inside @ ..] => recover(quoted_string(inside).map_or(&[], |(_, rest)| rest)),
        [b',', ..] if !starts_param(separators(input)) => separators(input),
        [_, rest @ ..] => recover(rest),
    }
}

/// `token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn token68(input: &[u8]) -> Option<&[u8]> {
    let rest = strip(input, |byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
    (rest.len() < input.len()).then(|| strip(rest, |byte| byte == b'='))
}

/// `OWS`, then a comma or the end, which is left.
fn element_end(input: &[u8]) -> Option<&[u8]> {
    let rest = strip(input, is_ws);
    (rest.is_empty() || rest.starts_with(b",")).then_some(rest)
}

fn starts_param(input: &[u8]) -> bool {
    let (name, rest) = token(input);
    !name.is_empty() && strip(rest, is_ws).starts_with(b"=")
}

/// `token = 1*tchar`, or nothing.
fn token(input: &[u8]) -> (&[u8], &[u8]) {
    let rest = strip(input, |byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    (&input[..input.len() - rest.len()], rest)
}

fn separators(input: &[u8]) -> &[u8] {
    strip(input, |byte| is_ws(byte) || byte == b',')
}

fn is_ws(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn strip(input: &[u8], class: impl Fn(u8) -> bool) -> &[u8] {
    match input {
        [first, rest @ ..] if class(*first) => strip(rest, class),
        _ => input,
    }
}

/// The parameters of draft-httpauth-payment §5.1.
pub fn check(params: &Params) -> Option<Challenge> {
    let value = |name: &str| params.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
    let shown = |text: &str| !text.chars().any(|letter| letter.is_control() && letter != '\t');
    let name = |name| value(name).filter(|text| !text.is_empty() && shown(text));
    let optional = |name, good: &dyn Fn(&str) -> bool| match value(name) {
        Some(value) if !good(&value) => None,
        value => Some(value),
    };
    let expires_at = match value("expires") {
        Some(text) => Some(time::rfc3339(&text)?),
        None => None,
    };
    let header = optional("header", &|value| {
        ["authorization", "payment-authorization"].contains(&value.to_ascii_lowercase().as_str())
    })?;
    Some(Challenge {
        id: name("id")?,
        realm: name("realm")?,
        method: value("method").filter(|value| {
            value.starts_with(|letter: char| letter.is_ascii_lowercase())
                && value.chars().all(|letter| matches!(letter, 'a'..='z' | '0'..='9' | ':' | '-'))
        })?,
        intent: value("intent").filter(|value| {
            !value.is_empty() && value.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        })?,
        request: value("request").filter(|value| (1..=16_384).contains(&value.len()))?,
        expires_at,
        digest: optional("digest", &is_digest)?,
        description: optional("description", &shown)?,
        opaque: optional("opaque", &is_opaque)?,
        credential_header: match header {
            Some(header) if header.len() > "authorization".len() => "Payment-Authorization",
            _ => "Authorization",
        },
    })
}

/// `sha-256=:<base64>:` (RFC 9530), the colons both or none as deployed; the base64 canonical and padded.
fn is_digest(value: &str) -> bool {
    let Some(value) = value.strip_prefix("sha-256=") else { return false };
    let colons = value.len() > 1 && value.starts_with(':') && value.ends_with(':');
    let bare = if colons { &value[1..value.len() - 1] } else { value };
    bare.len() == 44
        && bare.ends_with('=')
        && base64::decode(bare, b"+/").is_some_and(|bytes| bytes.len() == 32)
}

/// A JSON object of strings in base64url, or in base64, padded or not.
fn is_opaque(value: &str) -> bool {
    let Some(bytes) = base64::decode_any(value).filter(|_| value.len() <= 16_384) else { return false };
    match json::parse(&bytes) {
        Some(Json::Object(members)) => members.iter().all(|(_, value)| matches!(value, Json::String(_))),
        _ => false,
    }
}
