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
    let engine = if text.contains(['+', '/']) { STANDARD } else { URL_SAFE };
    engine.decode(text).map_err(|_| "is not base64url")
}
