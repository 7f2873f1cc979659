//! The proof that stands in for a payment of nothing: the EIP-712 hash to sign, domain `MPP` version 3 as deployed
//! (draft-tempo-charge-00 §5.4 still has version 1, over the challenge id alone).

use alloy_primitives::{Address, B256, U256, keccak256};

use crate::challenge::Challenge;

/// What `account` signs to prove that it answers `challenge` on chain `chain_id`.
pub(super) fn signing_hash(account: Address, challenge: &Challenge, chain_id: u64) -> B256 {
    let domain = hash_words([
        keccak256("EIP712Domain(string name,string version,uint256 chainId)"),
        keccak256("MPP"),
        keccak256("3"),
        U256::from(chain_id).into(),
    ]);
    let proof = hash_words([
        keccak256("Proof(address account,string challengeId,string realm)"),
        account.into_word(),
        keccak256(challenge.id()),
        keccak256(challenge.realm()),
    ]);
    keccak256([b"\x19\x01", domain.as_slice(), proof.as_slice()].concat())
}

fn hash_words(words: [B256; 4]) -> B256 {
    keccak256(words.concat())
}
