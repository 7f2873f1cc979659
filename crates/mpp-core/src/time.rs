//! Points in time on the wire: RFC 3339 text to whole Unix seconds and back.

use jiff::Timestamp;
use jiff::civil::{DateTime, date};

/// Reads an RFC 3339 `date-time`, rounding a fraction of a second down. Nothing looser than the RFC is taken, but a
/// second 60 may be in any minute; it counts as 59.
pub(crate) fn parse_rfc3339(text: &str) -> Result<u64, &'static str> {
    const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
    let (local, offset) = split(text).ok_or(WRONG)?;
    let seconds = local.duration_since(EPOCH).as_secs().saturating_sub(offset);
    u64::try_from(seconds).map_err(|_| "is before 1970")
}

/// Prints Unix seconds as RFC 3339 in UTC; past the year 9999, as its last second.
pub(crate) fn format_rfc3339(seconds: u64) -> String {
    let instant = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    instant.unwrap_or(Timestamp::MAX).to_string()
}

/// `date-time = full-date "T" full-time` as local time without its fraction, and the offset in seconds. jiff itself also reads
/// what Temporal adds, such as `[Europe/Paris]` or hours alone, and stops a day before the year 9999 does.
fn split(text: &str) -> Option<(DateTime, i64)> {
    let (local, rest) = text.as_bytes().split_first_chunk()?;
    let [c1, c2, y1, y2, b'-', o1, o2, b'-', d1, d2, b'T' | b't', h1, h2, b':', m1, m2, b':', s1, s2] =
        *local
    else {
        return None;
    };
    let year = i16::from(number(c1, c2)?) * 100 + i16::from(number(y1, y2)?);
    let (hour, minute, second) = (number(h1, h2)?, number(m1, m2)?, number(s1, s2)?);
    let second = if second == 60 { 59 } else { second };
    let local = DateTime::new(year, number(o1, o2)?, number(d1, d2)?, hour, minute, second, 0).ok()?;
    let zone = match rest {
        [b'.', fraction @ ..] => match fraction.iter().position(|byte| !byte.is_ascii_digit())? {
            0 => return None,
            digits => fraction.get(digits..)?,
        },
        zone => zone,
    };
    Some((local, offset(zone)?))
}

/// `time-offset = "Z" / ( ( "+" / "-" ) time-hour ":" time-minute )`, in seconds.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match *zone {
        [b'Z' | b'z'] => return Some(0),
        [b'+', h1, h2, b':', m1, m2] => (1, number(h1, h2)?, number(m1, m2)?),
        [b'-', h1, h2, b':', m1, m2] => (-1, number(h1, h2)?, number(m1, m2)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then(|| sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
}

/// `2DIGIT`
fn number(tens: u8, ones: u8) -> Option<i8> {
    let digit = |byte: u8| char::from(byte).to_digit(10).and_then(|digit| i8::try_from(digit).ok());
    Some(digit(tens)? * 10 + digit(ones)?)
}

const WRONG: &str = "is not an RFC 3339 date-time";
