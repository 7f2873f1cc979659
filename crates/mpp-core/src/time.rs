//! Points in time on the wire: RFC 3339 text to whole Unix seconds and back.

use jiff::Timestamp;

/// Reads an RFC 3339 `date-time`, rounding a fraction of a second down. Nothing looser than the RFC is taken.
pub(crate) fn parse_rfc3339(text: &str) -> Result<u64, &'static str> {
    const WRONG: &str = "is not an RFC 3339 date-time";
    if !has_rfc3339_shape(text.as_bytes()) {
        return Err(WRONG);
    }
    let instant: Timestamp = text.parse().map_err(|_| WRONG)?;
    u64::try_from(instant.as_second()).map_err(|_| "is before 1970")
}

/// Prints Unix seconds as RFC 3339 in UTC; past the year 9999, as its last second.
pub(crate) fn format_rfc3339(seconds: u64) -> String {
    let instant = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    instant.unwrap_or(Timestamp::MAX).to_string()
}

/// `full-date "T" full-time`: jiff also reads what Temporal adds, such as `[Europe/Paris]` or hours alone.
fn has_rfc3339_shape(text: &[u8]) -> bool {
    let digits_as_zero = |byte: &u8| if byte.is_ascii_digit() { b'0' } else { byte.to_ascii_uppercase() };
    let Some((start, rest)) = text.split_at_checked("0000-00-00T00:00:00".len()) else { return false };
    if !start.iter().map(digits_as_zero).eq(*b"0000-00-00T00:00:00") {
        return false;
    }
    let rest: Vec<u8> = rest.iter().map(digits_as_zero).collect();
    let fraction = rest.strip_prefix(b".").map(|rest| rest.iter().take_while(|byte| **byte == b'0').count());
    let zone = match fraction {
        None => rest.as_slice(),
        Some(0) => return false,
        Some(digits) => rest.get(1 + digits..).unwrap_or_default(),
    };
    matches!(zone, b"Z" | b"+00:00" | b"-00:00")
}
