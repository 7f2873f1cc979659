//! A signed Tempo transaction written as RLP, field by field (TIP-0001).

use mpp_core::tempo::{Address, FeePayment, Transaction};

/// The bytes of type `kind` that `decode` must have read, given the signature's bytes and the sender.
pub fn encode(kind: u8, transaction: &Transaction, sender: Address, signature: &[u8]) -> Vec<u8> {
    let (fee_token, sponsor) = match (&transaction.fee, kind) {
        (FeePayment::Sender(token), _) => {
            (string(token.as_ref().map_or(&[][..], |it| it.as_slice())), vec![0x80])
        }
        (FeePayment::Sponsor, 0x78) => (string(&[]), string(sender.as_slice())),
        // What the sender signed, before it was put into an envelope.
        (FeePayment::Sponsor, _) => (string(&[]), vec![0x00]),
    };
    let calls = transaction
        .calls
        .iter()
        .map(|call| list(&[string(call.to.as_slice()), string(&[]), string(&call.input)]));
    let fields = [
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
        fee_token,
        sponsor,
        list(&[]),
        string(signature),
    ];
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
