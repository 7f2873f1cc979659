//! Points in time on the wire: RFC 3339 text to whole Unix seconds and back.

use jiff::Timestamp;
use jiff::civil::{DateTime, date};

/// Reads an RFC 3339 `date-time`, rounding a fraction of a second down. Nothing looser than the RFC is taken, but a
/// second 60 may be in any minute; it counts as 59.
pub(crate) fn parse_rfc3339(text: &str) -> Result<u64, &'static str> {
    const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
    let (local, offset) = split(text).ok_or(WRONG)?;
    let local: DateTime = local.parse().map_err(|_| WRONG)?;
    let seconds = local.duration_since(EPOCH).as_secs().saturating_sub(offset);
    u64::try_from(seconds).map_err(|_| "is before 1970")
}

/// Prints Unix seconds as RFC 3339 in UTC; past the year 9999, as its last second.
pub(crate) fn format_rfc3339(seconds: u64) -> String {
    let instant = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    instant.unwrap_or(Timestamp::MAX).to_string()
}

/// `date-time = full-date "T" full-time` as local time without its fraction, and the offset in seconds. jiff alone also
/// reads what Temporal adds, such as `[Europe/Paris]` or hours alone, and stops a day before the year 9999 does.
fn split(text: &str) -> Option<(&str, i64)> {
    let digit_as_zero = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte.to_ascii_uppercase() };
    let (local, rest) = text.split_at_checked("0000-00-00T00:00:00".len())?;
    let shape = local.bytes().map(digit_as_zero).eq(*b"0000-00-00T00:00:00");
    let zone = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => Some(fraction.trim_start_matches(|digit: char| digit.is_ascii_digit()))
            .filter(|zone| zone.len() < fraction.len())?,
    };
    shape.then_some((local, offset(zone)?))
}

/// `time-offset = "Z" / ( ( "+" / "-" ) time-hour ":" time-minute )`, in seconds.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
    let number = |text: &str, below: i64| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|number| digits && *number < below)
    };
    Some(sign * (number(hours, 24)? * 3600 + number(minutes, 60)? * 60))
}

const WRONG: &str = "is not an RFC 3339 date-time";
