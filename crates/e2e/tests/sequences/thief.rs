//! Whoever heard a credential, the payee or not, can have its transaction mined; what is sponsored, with the sponsor's help.

use std::time::UNIX_EPOCH;

use alloy_primitives::{B256, Bytes};
use e2e::{CHAIN_ID, PATH_USD, SPONSOR};
use mpp_core::Credential;
use mpp_core::payee::Sponsor;
use mpp_core::tempo::{LocalSigner, Payload, SignedTransaction, Verified};

/// The transaction to broadcast, which is a good one; none for a proof.
pub(crate) fn transaction(credential: &Credential) -> Option<Bytes> {
    let now = UNIX_EPOCH.elapsed().expect("it is after 1970").as_secs();
    let payment = credential.verify(CHAIN_ID, now).expect("a payment of its challenge");
    let Verified::Transaction { signed, .. } = &payment else { return None };
    let transaction = match signed.hash() {
        Some(_) => signed.clone(),
        None => {
            let signer = LocalSigner::from_hex(SPONSOR.key).expect("a private key");
            Sponsor::new(signer, PATH_USD).cosign(&payment, now).expect("within the sponsor's limits")
        }
    };
    Some(transaction.raw().clone())
}

/// The hash under which it is on chain, if its payer knows it.
pub(crate) fn hash(credential: &Credential) -> Option<B256> {
    match credential.payload() {
        Payload::Transaction(raw) => SignedTransaction::decode(raw).ok()?.0.hash(),
        _ => None,
    }
}
