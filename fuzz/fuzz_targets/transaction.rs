//! Any bytes as a transaction, and signed payments with some bytes changed. What decodes encodes to the same bytes, and
//! a payment that was changed is nobody's or somebody else's.
//!
//! The first byte says which: 0 to 4 is one of the payments, and the rest is where to change it (two bytes) and what to
//! (one byte), again and again. Any other is the first byte of a transaction.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mpp_core::tempo::{self, SignedPayment, SignedTransaction};
use mpp_core_fuzz::payments::PAYMENTS;
use mpp_core_fuzz::rlp;

fuzz_target!(|data: &[u8]| {
    let Some((first, changes)) = data.split_first() else { return };
    let Some(signed) = PAYMENTS.get(usize::from(*first)).and_then(SignedPayment::transaction) else {
        read(data);
        return;
    };
    let good = signed.raw();
    let mut raw = good.to_vec();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % raw.len();
        raw[at] = change[2];
    }
    // A payment that was changed may name the same account, but then as another key's.
    assert_eq!(read(&raw) == read(good), raw == good[..]);
});

/// Who sent a transaction and whose key signed it, if it is one.
fn read(raw: &[u8]) -> Option<(tempo::Address, Option<tempo::Address>)> {
    let (signed, transaction, sender) = SignedTransaction::decode(raw).ok()?;
    let length = if transaction.access_key.is_some() { 1 + 20 + 65 } else { 65 };
    let (kind, signature) = (raw[0], &raw[raw.len() - length..]);
    assert_eq!(signed.raw()[..], *raw);
    assert_eq!(rlp::encode(kind, &transaction, sender, signature), raw, "{transaction:#?}");
    Some((sender, transaction.access_key))
}
