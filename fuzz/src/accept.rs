//! `Accept-Payment` by draft-httpauth-payment §7.4, with the weights of RFC 9110 §12.4.2.

/// How much a client wants a method and intent, in thousandths. As in mpp-core, the names are any text, a malformed
/// field wants everything, and of two ranges that fit as well the later counts.
pub fn quality(field: &str, method: &str, intent: &str) -> u16 {
    let mut best = (0, 0);
    for range in field.split(',').map(str::trim).filter(|range| !range.is_empty()) {
        let Some((theirs, weight)) = parse(range) else { return 1000 };
        let fits = match theirs {
            (m, i) if m == method && i == intent => 4,
            (m, "*") if m == method => 3,
            ("*", i) if i == intent => 2,
            ("*", "*") => 1,
            _ => continue,
        };
        if fits >= best.0 {
            best = (fits, weight);
        }
    }
    best.1
}

/// `payment-range = payment-token [ weight ]`
fn parse(range: &str) -> Option<((&str, &str), u16)> {
    let (token, weight) = match range.find(';') {
        Some(at) => (&range[..at], Some(&range[at + 1..])),
        None => (range, None),
    };
    let token = token.trim();
    let slash = token.find('/')?;
    let weight = match weight {
        None => 1000,
        Some(weight) => thousandths(weight.trim())?,
    };
    Some(((&token[..slash], &token[slash + 1..]), weight))
}

/// `"q=" ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )`
fn thousandths(weight: &str) -> Option<u16> {
    let digit = |digit: &u8| digit.is_ascii_digit().then(|| u16::from(digit - b'0'));
    let (whole, decimals) = match weight.as_bytes() {
        [b'q' | b'Q', b'=', whole @ (b'0' | b'1')] => (whole, &[][..]),
        [b'q' | b'Q', b'=', whole @ (b'0' | b'1'), b'.', decimals @ ..] => (whole, decimals),
        _ => return None,
    };
    let decimals = match decimals {
        [] => 0,
        [a] => digit(a)? * 100,
        [a, b] => digit(a)? * 100 + digit(b)? * 10,
        [a, b, c] => digit(a)? * 100 + digit(b)? * 10 + digit(c)?,
        _ => return None,
    };
    let weight = digit(whole)? * 1000 + decimals;
    (weight <= 1000).then_some(weight)
}
