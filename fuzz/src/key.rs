//! Signatures of anything, which mpp-core makes of approved payments only.

use alloy_primitives::{Address, B256, b256, keccak256};
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};

/// A private key and its address.
pub struct Key(SigningKey, pub Address);

impl Key {
    /// The key of this number, repeated.
    pub fn new(byte: u8) -> Self {
        Key::from_bytes(&[byte; 32]).expect("a private key")
    }

    /// The key of a number, if it is one.
    pub fn from_bytes(number: &[u8; 32]) -> Option<Self> {
        let key = SigningKey::from_slice(number).ok()?;
        let address = address(key.verifying_key());
        Some(Key(key, address))
    }

    /// r, s and v of the signature of these bytes' keccak256.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 65] {
        let (signature, recovery) = self.0.sign_prehash_recoverable(keccak256(bytes).as_slice());
        let mut out = [27 + u8::from(recovery.is_y_odd()); 65];
        out[..64].copy_from_slice(&signature.to_bytes());
        out
    }
}

/// Whose signature of a hash r, s and v are, of which s is low and v 0, 1, 27 or 28.
pub fn signer(hash: B256, signature: &[u8; 65]) -> Option<Address> {
    let ([rs @ .., v], [_, s @ ..]) = (signature, signature.as_chunks::<32>().0) else { return None };
    let parity = match v {
        0 | 27 => 0,
        1 | 28 => 1,
        _ => return None,
    };
    let signature = Signature::from_slice(rs).ok().filter(|_| B256::new(s[0]) <= HALF_OF_THE_ORDER)?;
    let recovery = RecoveryId::from_byte(parity)?;
    let key = VerifyingKey::recover_from_prehash(hash.as_slice(), &signature, recovery);
    key.ok().as_ref().map(address)
}

fn address(key: &VerifyingKey) -> Address {
    Address::from_word(keccak256(&key.to_sec1_point(false).as_bytes()[1..]))
}

/// By SEC 2, of secp256k1.
const HALF_OF_THE_ORDER: B256 = b256!("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");
