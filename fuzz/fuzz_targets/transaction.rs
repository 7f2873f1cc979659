//! Any bytes as a transaction, and signed payments with some bytes changed. What decodes encodes to the same bytes, and
//! a payment that was changed is nobody's or somebody else's.
//!
//! The first byte says which: 0 to 4 is one of the payments, and the rest is where to change it (two bytes) and what to
//! (one byte), again and again. Any other is the first byte of a transaction.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mpp_core::tempo::{self, LocalSigner, SignedPayment, SignedTransaction};
use mpp_core::{Amount, Challenge, Policy};
use mpp_core_fuzz::rlp;

fuzz_target!(|data: &[u8]| {
    let Some((first, changes)) = data.split_first() else { return };
    let Some(payment) = PAYMENTS.get(usize::from(*first)) else {
        read(data);
        return;
    };
    let good = payment.transaction().expect("a transaction").raw();
    let mut raw = good.to_vec();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % raw.len();
        raw[at] = change[2];
    }
    // A payment that was changed may name the same account, but then as another key's.
    assert_eq!(read(&raw) == read(good), raw == good[..], "{}", payment.challenge().id());
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

/// A plain payment, one with splits, a sponsored one, one with a memo of the payee's, and the first by an access key.
static PAYMENTS: LazyLock<[SignedPayment; 5]> = LazyLock::new(|| {
    let [plain, splits, sponsored, memo] = REQUESTS;
    let account = tempo::PATH_USD;
    [(plain, None), (splits, None), (sponsored, None), (memo, None), (plain, Some(account))].map(
        |(request, account)| {
            let field = format!(
                r#"Payment id="{request:.8}", realm="r", method="tempo", intent="charge", request="{request}""#
            );
            let challenge = Challenge::parse_all([field]).remove(0).expect("a challenge");
            let policy = Policy::new(tempo::MAINNET, [tempo::PATH_USD], Amount::from_base_units(10_000));
            let signer = LocalSigner::from_bytes(&[0x11; 32]).expect("a key");
            let approval = policy.approve(challenge, b"", NOW).expect("approved");
            let unsigned = match account {
                None => approval.prepare(signer.address(), NOW, 5),
                Some(account) => approval.prepare(account, NOW, 5).with_access_key(signer.address()),
            };
            let signature = signer.sign(&unsigned);
            unsigned.signed(&signature)
        },
    )
});

const NOW: u64 = 1_800_000_000;

const REQUESTS: [&str; 4] = [
    "eyJhbW91bnQiOiIxMDAwMCIsImN1cnJlbmN5IjoiMHgyMGMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwIiwicmVjaXBpZW50IjoiMHg3NDJkMzVjYzY2MzRjMDUzMjkyNWEzYjg0NGJjOWU3NTk1ZjhmZTAwIn0",
    "eyJhbW91bnQiOiIxMDAwMCIsImN1cnJlbmN5IjoiMHgyMGMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwIiwibWV0aG9kRGV0YWlscyI6eyJzcGxpdHMiOlt7ImFtb3VudCI6IjEiLCJyZWNpcGllbnQiOiIweGExYjJjM2Q0ZTVmNmExYjJjM2Q0ZTVmNmExYjJjM2Q0ZTVmNmExYjIifSx7ImFtb3VudCI6IjIiLCJtZW1vIjoiMHhhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiIiwicmVjaXBpZW50IjoiMHhhMWIyYzNkNGU1ZjZhMWIyYzNkNGU1ZjZhMWIyYzNkNGU1ZjZhMWIyIn1dfSwicmVjaXBpZW50IjoiMHg3NDJkMzVjYzY2MzRjMDUzMjkyNWEzYjg0NGJjOWU3NTk1ZjhmZTAwIn0",
    "eyJhbW91bnQiOiIxMDAwMCIsImN1cnJlbmN5IjoiMHgyMGMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwIiwibWV0aG9kRGV0YWlscyI6eyJmZWVQYXllciI6dHJ1ZX0sInJlY2lwaWVudCI6IjB4NzQyZDM1Y2M2NjM0YzA1MzI5MjVhM2I4NDRiYzllNzU5NWY4ZmUwMCJ9",
    "eyJhbW91bnQiOiIxMDAwMCIsImN1cnJlbmN5IjoiMHgyMGMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwIiwibWV0aG9kRGV0YWlscyI6eyJtZW1vIjoiMHhjZGNkY2RjZGNkY2RjZGNkY2RjZGNkY2RjZGNkY2RjZGNkY2RjZGNkY2RjZGNkY2RjZGNkY2RjZGNkY2RjZGNkIn0sInJlY2lwaWVudCI6IjB4NzQyZDM1Y2M2NjM0YzA1MzI5MjVhM2I4NDRiYzllNzU5NWY4ZmUwMCJ9",
];
