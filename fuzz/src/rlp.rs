//! A Tempo transaction written as RLP, field by field (TIP-0001).

use mpp_core::tempo::{Address, FeePayment, Transaction};

/// The bytes of type `kind` that `decode` must have read, given the signature's bytes and the sender.
pub fn encode(kind: u8, transaction: &Transaction, sender: Address, signature: &[u8]) -> Vec<u8> {
    let (token, slot) = match (&transaction.fee, kind) {
        (FeePayment::Sponsor, 0x78) => (None, string(sender.as_slice())),
        _ => before_sponsor(transaction),
    };
    write(kind, transaction, token, slot, Some(signature))
}

/// What the sender's own key signs the keccak256 of.
pub fn to_sign(transaction: &Transaction) -> Vec<u8> {
    let (token, slot) = before_sponsor(transaction);
    write(0x76, transaction, token, slot, None)
}

/// What a sponsor who pays in `token` signs the keccak256 of.
pub fn to_cosign(transaction: &Transaction, sender: Address, token: Address) -> Vec<u8> {
    write(0x78, transaction, Some(token), string(sender.as_slice()), None)
}

/// The transaction with both signatures, each r, s and v.
pub fn cosigned(transaction: &Transaction, sender: &[u8; 65], token: Address, sponsor: &[u8; 65]) -> Vec<u8> {
    let parity = [sponsor[64] - 27];
    let sponsor = list(&[number(&parity), number(&sponsor[..32]), number(&sponsor[32..64])]);
    write(0x76, transaction, Some(token), sponsor, Some(sender))
}

/// The fee's token and the slot of the sponsor's signature as the sender signs them.
fn before_sponsor(transaction: &Transaction) -> (Option<Address>, Vec<u8>) {
    match transaction.fee {
        FeePayment::Sender(token) => (token, vec![0x80]),
        FeePayment::Sponsor => (None, vec![0x00]),
    }
}

fn write(
    kind: u8,
    transaction: &Transaction,
    token: Option<Address>,
    slot: Vec<u8>,
    signature: Option<&[u8]>,
) -> Vec<u8> {
    let calls = transaction
        .calls
        .iter()
        .map(|call| list(&[string(call.to.as_slice()), string(&[]), string(&call.input)]));
    let mut fields = vec![
        number(&transaction.chain_id.to_be_bytes()),
        number(&transaction.max_priority_fee_per_gas.to_be_bytes()),
        number(&transaction.max_fee_per_gas.to_be_bytes()),
        number(&transaction.gas_limit.to_be_bytes()),
        list(&calls.collect::<Vec<_>>()),
        list(&[]),
        number(&transaction.nonce_key.to_be_bytes::<32>()),
        number(&transaction.nonce.to_be_bytes()),
        number(&transaction.valid_before.unwrap_or(0).to_be_bytes()),
        number(&transaction.valid_after.unwrap_or(0).to_be_bytes()),
        string(token.as_ref().map_or(&[][..], |token| token.as_slice())),
        slot,
        list(&[]),
    ];
    fields.extend(signature.map(string));
    [vec![kind], list(&fields)].concat()
}

fn number(big_endian: &[u8]) -> Vec<u8> {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    string(&big_endian[zeros..])
}

fn string(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [byte] if *byte < 0x80 => vec![*byte],
        _ => headed(0x80, bytes),
    }
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    headed(0xc0, &items.concat())
}

/// A length of up to 55 in one byte with its kind; a longer one behind a byte that says how long the length is.
fn headed(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let head = match payload.len() {
        short @ 0..=55 => vec![kind + u8::try_from(short).expect("short")],
        _ => [&[kind + 55 + u8::try_from(length.len()).expect("short")], length].concat(),
    };
    [head, payload.to_vec()].concat()
}
