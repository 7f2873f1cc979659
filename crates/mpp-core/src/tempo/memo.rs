//! The attribution memo: 32 bytes that tie a transfer to its challenge, found on chain by either side. No draft has
//! it; every deployed server demands it.
//!
//! `keccak("mpp")[0..4] ‖ 01 ‖ keccak(realm)[0..10] ‖ client, ten zeros when it has no name ‖ keccak(id)[0..7]`

use alloy_primitives::{B256, keccak256};

use crate::challenge::Challenge;

/// `keccak("mpp")[0..4]`, and the version.
const TAG: [u8; 5] = [0xef, 0x1e, 0xd7, 0x12, 0x01];

/// The memo of a payment for `challenge`, by a client without a name.
pub(super) fn attribution(challenge: &Challenge) -> B256 {
    let mut memo = [0; 32];
    let realm = keccak256(challenge.realm());
    let id = keccak256(challenge.id());
    let bytes = TAG.iter().chain(realm.iter().take(10)).chain(&[0; 10]).chain(id.iter().take(7));
    memo.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    memo.into()
}

/// Whether `memo` is one for `challenge`, whatever the client calls itself.
pub(super) fn attributes(memo: &B256, challenge: &Challenge) -> bool {
    const CLIENT: std::ops::Range<usize> = 15..25;
    let expected = attribution(challenge);
    memo.iter()
        .zip(expected)
        .enumerate()
        .all(|(at, (byte, expected))| CLIENT.contains(&at) || *byte == expected)
}
