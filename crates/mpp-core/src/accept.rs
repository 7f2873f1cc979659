//! `Accept-Payment`: which challenges a client can answer, as it says in its request (draft-httpauth-payment §7.4).

/// What this crate's payer can answer; the value of the field to send.
pub const ACCEPT_PAYMENT: &str = "tempo/charge";

/// How much a client wants a method and intent, from 0 (not at all) to 1000, given the value of its `Accept-Payment`
/// field. A malformed field, which servers may ignore, wants everything.
///
/// ```
/// use mpp_core::payee::accept_quality;
///
/// assert_eq!(accept_quality("tempo/charge, stripe/*;q=0.5", "tempo", "charge"), 1000);
/// assert_eq!(accept_quality("tempo/charge, stripe/*;q=0.5", "stripe", "session"), 500);
/// assert_eq!(accept_quality("tempo/charge", "solana", "charge"), 0);
/// ```
#[must_use]
pub fn accept_quality(field: &str, method: &str, intent: &str) -> u16 {
    let ranges = field.split(',').map(str::trim).filter(|range| !range.is_empty()).map(Range::parse);
    let Some(ranges) = ranges.collect::<Option<Vec<_>>>() else { return 1000 };
    let fits = |range: &&Range<'_>| {
        (range.method == "*" || range.method == method) && (range.intent == "*" || range.intent == intent)
    };
    let specific = |range: &&Range<'_>| (range.method != "*", range.intent != "*");
    ranges.iter().filter(fits).max_by_key(specific).map_or(0, |range| range.quality)
}

/// `payment-range = payment-token [ weight ]`
struct Range<'a> {
    method: &'a str,
    intent: &'a str,
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (token, weight) =
            text.split_once(';').map_or((text, None), |(token, weight)| (token, Some(weight)));
        let (method, intent) = token.trim().split_once('/')?;
        let quality = weight.map_or(Some(1000), |weight| quality(weight.trim()))?;
        Some(Range { method, intent, quality })
    }
}

/// `weight = OWS ";" OWS "q=" qvalue`, in thousandths (RFC 9110 §12.4.2).
fn quality(weight: &str) -> Option<u16> {
    let value = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}
