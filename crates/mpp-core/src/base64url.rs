//! Base64url without padding (RFC 4648 §5), with a size cap on what is read.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const TOLERANT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, TOLERANT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, TOLERANT);

/// Unpadded base64url.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE.encode(bytes)
}

/// The bytes behind `text` of at most `limit` characters. Padding and the standard alphabet, which every deployed
/// SDK takes, are taken too; what is echoed to the server is always the text it sent.
pub(crate) fn decode(text: &str, limit: usize) -> Result<Vec<u8>, &'static str> {
    if text.len() > limit {
        return Err("is too long");
    }
    URL_SAFE.decode(text).or_else(|_| STANDARD.decode(text)).map_err(|_| "is not base64url")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_sdks() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../testdata/core.json")).expect("JSON");
        for pair in vectors["base64url"].as_array().expect("an array") {
            let (plain, encoded) = (pair[0].as_str().expect("text"), pair[1].as_str().expect("text"));
            assert_eq!(encode(plain), encoded);
            assert_eq!(decode(encoded, encoded.len()).as_deref(), Ok(plain.as_bytes()));
        }
    }

    #[test]
    fn other_alphabets_mixed_and_bits_to_spare_are_refused() {
        for text in ["not-valid!!!", "-+", "_/", "a", "YR", "Y Q", "YQ\n", "Y=Q", "YQ==="] {
            assert_eq!(decode(text, 100), Err("is not base64url"), "{text}");
        }
        assert_eq!(decode("YWJj", 3), Err("is too long"));
    }
}
