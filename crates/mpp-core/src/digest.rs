//! Digests of request bodies: the `sha-256` of RFC 9530, in the draft's spelling and in the deployed one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The digest of a request body as a challenge carries it: `sha-256=:<base64>:` (draft-httpauth-payment §5.1.3).
///
/// ```
/// assert_eq!(mpp_core::payee::body_digest(b""), "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
/// ```
#[must_use]
pub fn body_digest(body: &[u8]) -> String {
    let mut digest = BodyDigest::default();
    digest.update(body);
    digest.finish()
}

/// [`body_digest`] of a body that comes in pieces.
#[derive(Clone, Debug, Default)]
pub struct BodyDigest(Sha256);

impl BodyDigest {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// `sha-256=:<base64>:` of all pieces.
    #[must_use]
    pub fn finish(self) -> String {
        format!("sha-256=:{}:", STANDARD.encode(self.0.finalize()))
    }
}

/// Whether a challenge's digest, in either spelling, is that of `body`.
pub(crate) fn matches(digest: &str, body: &[u8]) -> bool {
    parse(digest).is_ok_and(|expected| Sha256::digest(body)[..] == expected)
}

/// `sha-256=:<base64>:` or, as deployed, `sha-256=<base64>`.
pub(crate) fn parse(digest: &str) -> Result<[u8; 32], &'static str> {
    let value = digest.strip_prefix("sha-256=").ok_or("is not a sha-256 digest")?;
    let bare = value.strip_prefix(':').and_then(|value| value.strip_suffix(':')).unwrap_or(value);
    let bytes = STANDARD.decode(bare).map_err(|_| "is not base64")?;
    bytes.try_into().map_err(|_| "is not 32 bytes of sha-256")
}
