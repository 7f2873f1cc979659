//! The `date-time` of RFC 3339 §5.6, rule by rule.

/// Unix seconds, rounded down. As in mpp-core, any minute may have a second 60, which counts as 59, and nothing is before
/// 1970.
pub fn rfc3339(text: &str) -> Option<u64> {
    let text = text.to_ascii_uppercase();
    let (date, time) = (text.is_ascii() && text.len() >= 20).then(|| text.split_at(10))?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let (clock, rest) = time.strip_prefix('T')?.split_at(8);
    let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
    let zone_at = rest.find(|letter: char| letter != '.' && !letter.is_ascii_digit())?;
    let (fraction, zone) = rest.split_at(zone_at);
    let good_fraction = match fraction.strip_prefix('.') {
        Some(digits) => !digits.is_empty() && !digits.contains('.'),
        None => fraction.is_empty(),
    };
    let offset = match zone.split_at(1) {
        ("Z", "") => 0,
        (sign @ ("+" | "-"), offset) => {
            let [hours, minutes] = fields(offset, ':', [2, 2])?;
            let seconds = hours * 3600 + minutes * 60;
            (hours < 24 && minutes < 60).then_some(if sign == "+" { seconds } else { -seconds })?
        }
        _ => return None,
    };
    let is_leap = |year: &i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let months = [31, if is_leap(&year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *months.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    if !good_fraction || day == 0 || day > length || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let leap_days = i64::try_from((1970..year).filter(is_leap).count()).ok()?;
    let before: i64 = months.iter().take(usize::try_from(month).ok()? - 1).sum();
    let days = (year - 1970) * 365 + leap_days + before + day - 1;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second.min(59) - offset;
    u64::try_from(seconds).ok().filter(|_| year >= 1969)
}

/// Numbers of these many digits with `separator` between them.
fn fields<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let parts: Vec<&str> = text.split(separator).collect();
    let good = |(part, length): (&&str, usize)| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if parts.len() != N || !parts.iter().zip(lengths).all(good) {
        return None;
    }
    let numbers: Vec<i64> = parts.iter().map(|part| part.parse().unwrap_or(0)).collect();
    numbers.try_into().ok()
}
