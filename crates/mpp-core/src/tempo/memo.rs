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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn memos_of_clients_with_and_without_a_name_are_recognised() {
        let tempo: Value = serde_json::from_str(include_str!("../../testdata/tempo.json")).expect("JSON");
        let mppx: Value = serde_json::from_str(include_str!("../../testdata/mppx.json")).expect("JSON");
        let lists =
            [&tempo["attribution_memo"], &mppx["memo"]].map(|list| list.as_array().expect("an array"));
        let mut named = 0;
        for vector in lists.into_iter().flatten() {
            let text = |name: &str| vector[name].as_str().expect(name);
            let memo: B256 = text("memo").parse().expect("32 bytes");
            let challenge = |id, realm| {
                let rest = r#"method="tempo", intent="charge", request="e30""#;
                Challenge::parse_all([format!(r#"Payment id="{id}", realm="{realm}", {rest}"#)])
                    .remove(0)
                    .expect("valid")
            };
            assert!(attributes(&memo, &challenge(text("challengeId"), text("serverId"))), "{vector}");
            assert!(!attributes(&memo, &challenge("another", text("serverId"))), "{vector}");
            assert!(!attributes(&memo, &challenge(text("challengeId"), "another")), "{vector}");
            named += u32::from(vector["clientId"].is_string());
        }
        assert_eq!(named, 5);
    }
}
