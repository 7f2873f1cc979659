//! Access keys: an account's consent, kept by the chain, that another key spends for it, within limits (TIP-1011). A
//! signature by one names the account, and is of the account's address too, so that it is good for no other.

use std::fmt;

use alloy_primitives::{Address, B256, keccak256};

use super::payment::Unsigned;
use super::signer::{SignFuture, Signature, Signer, SignerError};

/// Pays from an account by a key that the account authorised on chain, and that the chain lets spend no more than the
/// account said. A stolen one is worth what is left of its limit.
///
/// Fees that the payer pays count against the limit too. Of a charge of nothing it proves the account's identity only to
/// payees who ask the chain for the account's keys; [`Credential::verify`](crate::Credential::verify) does not.
pub struct AccessKey<S> {
    account: Address,
    key: S,
}

impl<S: Signer> AccessKey<S> {
    /// Pays from `account`, the root account, by the signatures of `key`.
    #[must_use]
    pub fn new(account: Address, key: S) -> Self {
        AccessKey { account, key }
    }
}

impl<S: Signer> Signer for AccessKey<S> {
    fn address(&self) -> Address {
        self.account
    }

    fn access_key(&self) -> Option<Address> {
        Some(self.key.address())
    }

    fn sign<'a>(&'a self, payment: &'a Unsigned) -> SignFuture<'a> {
        if (payment.payer(), payment.access_key()) != (self.account, self.access_key()) {
            let error = SignerError::new("the payment was prepared for another account or key");
            return Box::pin(std::future::ready(Err(error)));
        }
        self.key.sign(payment)
    }
}

/// The two addresses.
impl<S: Signer> fmt::Debug for AccessKey<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AccessKey")
            .field("account", &self.account)
            .field("key", &self.key.address())
            .finish()
    }
}

/// What an access key signs instead of `hash`, for `account`.
pub(super) fn signing_hash(hash: B256, account: Address) -> B256 {
    keccak256([&[KEYCHAIN], hash.as_slice(), account.as_slice()].concat())
}

/// An access key's signature as it stands in a transaction.
pub(super) fn encode(account: Address, signature: &Signature) -> Vec<u8> {
    [&[KEYCHAIN], account.as_slice(), &signature.to_bytes()].concat()
}

/// The account and the signature's own bytes; `None` when it is no access key's.
pub(super) fn decode(bytes: &[u8]) -> Option<(Address, &[u8])> {
    let (account, signature) = bytes.strip_prefix(&[KEYCHAIN])?.split_first_chunk::<20>()?;
    // As long as an account's own, it is one (TIP-0001).
    (bytes.len() != SIGNATURE).then_some((account.into(), signature))
}

/// Type of an access key's signature, version 2; the chain no longer takes version 1.
const KEYCHAIN: u8 = 0x04;
/// Bytes of an account's own signature.
const SIGNATURE: usize = 65;

#[cfg(test)]
mod tests {
    use alloy_primitives::hex;
    use serde_json::Value;

    use super::*;
    use crate::tempo::LocalSigner;

    #[test]
    fn an_access_key_signs_what_the_sdks_have_it_sign() {
        let vectors: Value = serde_json::from_str(include_str!("../../testdata/tempo.json")).expect("JSON");
        let bytes = |name: &str| {
            let text = vectors["tempo_tx_keychain"][name].as_str().expect("hexadecimal");
            hex::decode(text).expect("hexadecimal")
        };
        let account = Address::from_slice(&bytes("rootAccount"));
        let hash = signing_hash(B256::from_slice(&bytes("txSignPayload")), account);
        assert_eq!(hash.as_slice(), bytes("accessKeySignPayload"));
        let key: [u8; 32] = bytes("accessPrivateKey").try_into().expect("32 bytes");
        let signature = LocalSigner::from_bytes(&key).expect("a key").sign_hash(&hash);
        assert_eq!(encode(account, &signature), bytes("senderSignature"));
    }
}
