//! Signatures of anything, which mpp-core makes of approved payments only.

use alloy_primitives::{Address, keccak256};
use k256::ecdsa::SigningKey;

/// A private key and its address.
pub struct Key(SigningKey, pub Address);

impl Key {
    /// The key of this number, repeated.
    pub fn new(byte: u8) -> Self {
        let key = SigningKey::from_slice(&[byte; 32]).expect("a private key");
        let point = key.verifying_key().to_sec1_point(false);
        let address = Address::from_word(keccak256(&point.as_bytes()[1..]));
        Key(key, address)
    }

    /// r, s and v of the signature of these bytes' keccak256.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 65] {
        let (signature, recovery) = self.0.sign_prehash_recoverable(keccak256(bytes).as_slice());
        let mut out = [27 + u8::from(recovery.is_y_odd()); 65];
        out[..64].copy_from_slice(&signature.to_bytes());
        out
    }
}
