//! A TIP-20 transfer as the bytes of a contract call, and back.

use alloy_primitives::{Address, B256};

use crate::amount::Amount;
use crate::charge::Transfer;

/// `transfer(address,uint256)`
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
/// `transferWithMemo(address,uint256,bytes32)`
const TRANSFER_WITH_MEMO: [u8; 4] = [0x95, 0x77, 0x7d, 0x59];

/// The input of the call that makes `transfer`: a selector and two or three 32-byte words.
pub(super) fn encode(transfer: &Transfer) -> Vec<u8> {
    let selector = if transfer.memo.is_some() { TRANSFER_WITH_MEMO } else { TRANSFER };
    let mut input = Vec::with_capacity(100);
    input.extend(selector);
    input.extend(transfer.to.into_word());
    input.extend([0; 16]);
    input.extend(transfer.amount.base_units().to_be_bytes());
    input.extend(transfer.memo.iter().flatten());
    input
}

/// The transfer a call makes; `None` for any other call, and for an amount of 2^128 or more.
pub(super) fn decode(input: &[u8]) -> Option<Transfer> {
    let (selector, words) = input.split_first_chunk::<4>()?;
    let (words, rest) = words.as_chunks::<32>();
    if !rest.is_empty() {
        return None;
    }
    let (to, amount, memo) = match (*selector, words) {
        (TRANSFER, [to, amount]) => (to, amount, None),
        (TRANSFER_WITH_MEMO, [to, amount, memo]) => (to, amount, Some(B256::from(memo))),
        _ => return None,
    };
    let (high, to) = to.split_last_chunk::<20>()?;
    let (upper, amount) = amount.split_last_chunk::<16>()?;
    if high.iter().chain(upper).any(|byte| *byte != 0) {
        return None;
    }
    let amount = Amount::from_base_units(u128::from_be_bytes(*amount));
    Some(Transfer { to: Address::from(to), amount, memo })
}
