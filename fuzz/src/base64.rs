//! Base64 by RFC 4648, bit by bit.

/// The bytes behind a text in the alphabet that ends with these two letters: right padding or none, and no bits to spare.
pub fn decode(text: &str, last: &[u8; 2]) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    if bare.len() % 4 == 1
        || bare.len() < text.len() && (!text.len().is_multiple_of(4) || text.len() - bare.len() > 2)
    {
        return None;
    }
    let mut bits: Vec<bool> = Vec::new();
    for byte in bare.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            _ if byte == last[0] => 62,
            _ if byte == last[1] => 63,
            _ => return None,
        };
        bits.extend((0..6).rev().map(|at| six >> at & 1 == 1));
    }
    let (bytes, spare) = bits.split_at(bits.len() / 8 * 8);
    let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    (!spare.contains(&true)).then(|| bytes.chunks(8).map(byte).collect())
}

/// The bytes behind a text in base64url or in base64, whichever its letters are of, as mpp-core takes it.
pub fn decode_any(text: &str) -> Option<Vec<u8>> {
    decode(text, if text.contains(['+', '/']) { b"+/" } else { b"-_" })
}

/// Base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0, |group, byte| group << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        text.extend((0..=chunk.len()).map(|at| char::from(ALPHABET[group >> (18 - 6 * at) & 63])));
    }
    text
}
