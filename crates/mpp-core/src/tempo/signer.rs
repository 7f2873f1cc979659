//! secp256k1: a payment in, its signature out. [`LocalSigner`] holds a key; a remote key is a [`Signer`] of its own.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_rlp::{Encodable, Header};
use k256::ecdsa::{RecoveryId, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::payment::Unsigned;

/// Somebody who signs payments. It is handed [`Unsigned`], which only an approval makes, and can show or check what
/// it is about to sign.
pub trait Signer: Send + Sync {
    /// The address that pays.
    fn address(&self) -> Address;

    /// The key that signs for it, if that is not its own: see [`AccessKey`](super::AccessKey).
    fn access_key(&self) -> Option<Address> {
        None
    }

    /// Signs [`Unsigned::signing_hash`]. A signer whose answer crosses a network checks it by [`Signature::checked`].
    fn sign<'a>(&'a self, payment: &'a Unsigned) -> SignFuture<'a>;
}

/// A signature to come.
pub type SignFuture<'a> = Pin<Box<dyn Future<Output = Result<Signature, SignerError>> + Send + 'a>>;

/// A signer that did not sign.
#[derive(Debug, thiserror::Error)]
#[error("the signer did not sign")]
pub struct SignerError(#[from] Box<dyn std::error::Error + Send + Sync>);

impl SignerError {
    /// Wraps the signer's own error.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        SignerError(source.into())
    }
}

/// A private key in memory, wiped when dropped. It prints as its address.
pub struct LocalSigner {
    key: SigningKey,
    address: Address,
}

impl LocalSigner {
    /// Reads 64 hexadecimal digits, with or without `0x`.
    ///
    /// # Errors
    /// For anything else, and for the few numbers that are no private key. The error never shows the text.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let mut key = Zeroizing::new([0; 32]);
        alloy_primitives::hex::decode_to_slice(text.trim(), key.as_mut_slice())
            .map_err(|_| KeyError::NotHex)?;
        LocalSigner::from_bytes(&key)
    }

    /// Takes the key's 32 bytes.
    ///
    /// # Errors
    /// For zero, and for numbers not below the order of the curve.
    pub fn from_bytes(key: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_slice(key).map_err(|_| KeyError::OutOfRange)?;
        let address = address_of(key.verifying_key());
        Ok(LocalSigner { key, address })
    }

    /// The address of the key.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Signs a payment, the same way every time (RFC 6979).
    #[must_use]
    pub fn sign(&self, payment: &Unsigned) -> Signature {
        self.sign_hash(&payment.signing_hash())
    }

    /// Signs anything, which is why nobody outside may: what is to be signed has a type of its own.
    pub(super) fn sign_hash(&self, hash: &B256) -> Signature {
        let (signature, recovery) = self.key.sign_prehash_recoverable(hash.as_slice());
        Signature { signature, recovery }
    }
}

impl Signer for LocalSigner {
    fn address(&self) -> Address {
        self.address
    }

    fn sign<'a>(&'a self, payment: &'a Unsigned) -> SignFuture<'a> {
        Box::pin(std::future::ready(Ok(LocalSigner::sign(self, payment))))
    }
}

impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn address(&self) -> Address {
        (**self).address()
    }

    fn access_key(&self) -> Option<Address> {
        (**self).access_key()
    }

    fn sign<'a>(&'a self, payment: &'a Unsigned) -> SignFuture<'a> {
        (**self).sign(payment)
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("LocalSigner").field(&self.address).finish()
    }
}

/// Why a text or bytes are no private key. It never holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not 32 bytes of hexadecimal.
    #[error("a private key is 64 hexadecimal digits, with or without 0x")]
    NotHex,
    /// Zero, or not below the order of the curve.
    #[error("the number is not a secp256k1 private key")]
    OutOfRange,
}

/// A secp256k1 signature with a low s, from which its signer can be recovered.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    signature: k256::ecdsa::Signature,
    recovery: RecoveryId,
}

impl Signature {
    /// Takes r, s and v (27 or 28, or 0 or 1) from a remote signer, if they are `signer`'s for this payment.
    ///
    /// # Errors
    /// When they are no signature, or somebody else's.
    pub fn checked(bytes: [u8; 65], payment: &Unsigned, signer: Address) -> Result<Self, SignatureError> {
        let signature = Signature::from_bytes(&bytes).ok_or(SignatureError::Malformed)?;
        match signature.recover(&payment.signing_hash()) {
            Some(found) if found == signer => Ok(signature),
            _ => Err(SignatureError::WrongSigner { expected: signer }),
        }
    }

    /// r, s and v, where v is 27 or 28.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 65] {
        let mut bytes = [0; 65];
        let parity = 27 + u8::from(self.recovery.is_y_odd());
        let parts = self.signature.to_bytes().into_iter().chain([parity]);
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        bytes
    }

    /// The RLP list of the parity of y, r and s, as a sponsor's signature is written.
    pub(super) fn to_list(&self) -> Vec<u8> {
        let mut items = alloy_rlp::encode(self.recovery.is_y_odd());
        for half in <[_; 2]>::from(self.signature.split_bytes()) {
            let number = U256::from_be_slice(&half).to_be_bytes_trimmed_vec();
            number.as_slice().encode(&mut items);
        }
        let mut list = Vec::with_capacity(70);
        Header { list: true, payload_length: items.len() }.encode(&mut list);
        list.extend(items);
        list
    }

    /// A signature with a low s (TIP-0001 refuses the other half); `None` for anything else.
    pub(super) fn from_bytes(bytes: &[u8; 65]) -> Option<Self> {
        let (parity, rs) = bytes.split_last()?;
        let parity = parity.checked_sub(27).unwrap_or(*parity);
        let recovery = RecoveryId::from_byte(parity).filter(|_| parity < 2)?;
        let signature = k256::ecdsa::Signature::from_slice(rs).ok()?;
        (signature.normalize_s() == signature).then_some(Signature { signature, recovery })
    }

    /// The address whose key signed `hash`.
    pub(super) fn recover(&self, hash: &B256) -> Option<Address> {
        let key = VerifyingKey::recover_from_prehash(hash.as_slice(), &self.signature, self.recovery);
        key.ok().as_ref().map(address_of)
    }
}

/// Nothing: a signature is as good as the payment it signs.
impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Signature(..)")
    }
}

/// Why bytes are no signature of a payment by the address that should have signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not r, s and v of secp256k1 with a low s.
    #[error("not a secp256k1 signature with a low s")]
    Malformed,
    /// Made by another key, or of something else.
    #[error("not a signature of this payment by {expected}")]
    WrongSigner {
        /// Who should have signed.
        expected: Address,
    },
}

/// The last 20 bytes of keccak256 over the key's two coordinates.
fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_sec1_point(false);
    let coordinates = point.as_bytes().strip_prefix(&[4]).unwrap_or_default();
    Address::from_word(keccak256(coordinates))
}
