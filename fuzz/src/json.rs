//! JSON by RFC 8259, rule by rule, with no key twice and at most 127 levels, as mpp-core takes it.

/// A JSON text; numbers are only told apart by whether they are natural numbers of 64 bits.
#[derive(Debug, PartialEq, Eq)]
pub enum Json {
    Null,
    Bool(bool),
    Natural(u64),
    Number,
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// `JSON-text = ws value ws`
pub fn parse(bytes: &[u8]) -> Option<Json> {
    let (value, rest) = value(ws(bytes), 1)?;
    ws(rest).is_empty().then_some(value)
}

impl Json {
    /// The member of an object; `null` is none.
    pub fn get(&self, key: &str) -> Option<&Json> {
        let Json::Object(members) = self else { return None };
        members
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
            .filter(|value| **value != Json::Null)
    }
}

type Matched<'a, T> = Option<(T, &'a [u8])>;

fn value(input: &[u8], depth: usize) -> Matched<'_, Json> {
    match input {
        [b'n', b'u', b'l', b'l', rest @ ..] => Some((Json::Null, rest)),
        [b't', b'r', b'u', b'e', rest @ ..] => Some((Json::Bool(true), rest)),
        [b'f', b'a', b'l', b's', b'e', rest @ ..] => Some((Json::Bool(false), rest)),
        [b'"', rest @ ..] => string(rest).map(|(text, rest)| (Json::String(text), rest)),
        [b'[' | b'{', ..] if depth > 127 => None,
        [b'[', rest @ ..] => {
            let (items, rest) = list(ws(rest), b']', |input| value(input, depth + 1))?;
            Some((Json::Array(items), rest))
        }
        [b'{', rest @ ..] => {
            let (members, rest) = list(ws(rest), b'}', |input| {
                let (key, rest) = string(input.strip_prefix(b"\"")?)?;
                let (value, rest) = value(ws(ws(rest).strip_prefix(b":")?), depth + 1)?;
                Some(((key, value), rest))
            })?;
            let twice = |at: usize| members[..at].iter().any(|(key, _)| *key == members[at].0);
            (!(0..members.len()).any(twice)).then_some((Json::Object(members), rest))
        }
        _ => number(input),
    }
}

/// `[ item *( ws "," ws item ) ] ws close`, behind its opening bracket and white space.
fn list<'a, T>(input: &'a [u8], close: u8, item: impl Fn(&'a [u8]) -> Matched<'a, T>) -> Matched<'a, Vec<T>> {
    if let Some(rest) = input.strip_prefix(&[close]) {
        return Some((Vec::new(), rest));
    }
    let (mut items, mut rest) = (Vec::new(), input);
    loop {
        let (found, left) = item(rest)?;
        items.push(found);
        match ws(left) {
            [b',', left @ ..] => rest = ws(left),
            [byte, left @ ..] if *byte == close => return Some((items, left)),
            _ => return None,
        }
    }
}

/// `*char quotation-mark`; a pair of `\u` escapes may be a surrogate pair, half of one is no text.
fn string(input: &[u8]) -> Matched<'_, String> {
    let (mut units, mut rest) = (Vec::new(), input);
    loop {
        let (unit, left) = match rest {
            [b'"', left @ ..] => return Some((String::from_utf16(&units).ok()?, left)),
            [b'\\', b'u', a, b, c, d, left @ ..] => {
                let digits = [a, b, c, d].map(|digit| char::from(*digit).to_digit(16));
                let unit = digits.into_iter().try_fold(0, |unit, digit| Some(unit * 16 + digit?))?;
                (u16::try_from(unit).ok()?, left)
            }
            [b'\\', letter, left @ ..] => {
                let at = b"\"\\/bfnrt".iter().position(|other| other == letter)?;
                (u16::from(b"\"\\/\x08\x0c\n\r\t"[at]), left)
            }
            [0..0x20, ..] | [] => return None,
            _ => {
                // A character of one to four bytes.
                let size = (1..=4)
                    .find(|size| rest.get(..*size).is_some_and(|it| std::str::from_utf8(it).is_ok()))?;
                let (letter, left) = rest.split_at(size);
                units.extend(std::str::from_utf8(letter).ok()?.encode_utf16());
                rest = left;
                continue;
            }
        };
        units.push(unit);
        rest = left;
    }
}

/// `number = [ minus ] int [ frac ] [ exp ]`; one that no float can hold is refused.
fn number(input: &[u8]) -> Matched<'_, Json> {
    let digits = |input: &[u8]| input.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(input.starts_with(b"-"));
    let int = digits(&input[at..]);
    if int == 0 || int > 1 && input[at] == b'0' {
        return None;
    }
    at += int;
    if input[at..].starts_with(b".") {
        let fraction = digits(&input[at + 1..]);
        at += 1 + fraction;
        if fraction == 0 {
            return None;
        }
    }
    if let [b'e' | b'E', rest @ ..] = &input[at..] {
        let sign = usize::from(matches!(rest, [b'+' | b'-', ..]));
        let exponent = digits(&rest[sign..]);
        at += 1 + sign + exponent;
        if exponent == 0 {
            return None;
        }
    }
    let text = std::str::from_utf8(&input[..at]).ok()?;
    let json = match text.parse() {
        Ok(natural) => Json::Natural(natural),
        Err(_) if text.parse::<f64>().is_ok_and(f64::is_finite) => Json::Number,
        Err(_) => return None,
    };
    Some((json, &input[at..]))
}

fn ws(input: &[u8]) -> &[u8] {
    match input {
        [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] => ws(rest),
        _ => input,
    }
}
