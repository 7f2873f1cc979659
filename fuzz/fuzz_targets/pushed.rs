//! Any logs of a transaction that a payer broadcast: whoever is said to have paid a challenge made every transfer it asks
//! for, each of which counts once, and is who the credential says.
//!
//! The first line says which payment. Then a log a line: the token, from, to, the amount and the memo, or `-`; `t`, `p`,
//! `r` and `s` stand for the payment's token, payer and recipients, `m` for its memo.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mpp_core::Amount;
use mpp_core::payee::TransferLog;
use mpp_core::tempo::{Address, B256, SignedPayment};
use mpp_core_fuzz::payments::PAYMENTS;
use mpp_core_fuzz::words::Words;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let number: usize = Words::new(lines.next().unwrap_or_default()).read();
    let payment = &PAYMENTS[number % PAYMENTS.len()];
    let logs: Vec<TransferLog> = lines.take(32).map(|line| log(payment, Words::new(line))).collect();
    for log in &logs {
        assert_eq!(decode(log), Some(*log));
    }
    let found = payment.credential().paid_by(&logs);
    let made = |payer| made_by(payment, payer, &logs);
    match found {
        Ok(payer) => assert!(payer == payment.payer() && made(payer), "{payer} for {logs:?}"),
        // Two who made it, or a memo that a split asks for too, are for the payee to sort out.
        Err(_) => assert!(!made(payment.payer()) || logs.len() > payment.quote().transfers.len() * 2),
    }
});

fn log(payment: &SignedPayment, mut words: Words<'_>) -> TransferLog {
    let quote = payment.quote();
    let address = |words: &mut Words<'_>| match words.word() {
        "t" => quote.token,
        "p" => payment.payer(),
        "r" => quote.transfers[0].to,
        "s" => quote.transfers[quote.transfers.len() - 1].to,
        other => other.parse().unwrap_or_default(),
    };
    TransferLog {
        token: address(&mut words),
        from: address(&mut words),
        to: address(&mut words),
        amount: Amount::from_base_units(words.read()),
        memo: match words.word() {
            "-" | "" => None,
            "m" => payment.memo(),
            other => Some(other.parse().unwrap_or_default()),
        },
    }
}

/// Writes a log as a token does, and has it read.
fn decode(log: &TransferLog) -> Option<TransferLog> {
    let word = |address: Address| B256::left_padding_from(address.as_slice());
    let kind = match log.memo {
        None => "Transfer(address,address,uint256)",
        Some(_) => "TransferWithMemo(address,address,uint256,bytes32)",
    };
    let topics = [alloy_primitives::keccak256(kind), word(log.from), word(log.to)];
    let topics = [&topics[..], log.memo.as_slice()].concat();
    let data = B256::left_padding_from(&log.amount.base_units().to_be_bytes());
    // No amount has more than 16 bytes, and no transfer one topic less.
    assert_eq!(TransferLog::decode(log.token, &topics, &[1; 32]), None);
    assert_eq!(TransferLog::decode(log.token, &topics[1..], data.as_slice()), None);
    TransferLog::decode(log.token, &topics, data.as_slice())
}

/// Whether `payer` made all transfers, each by a log of its own. A transfer with a memo is logged twice.
fn made_by(payment: &SignedPayment, payer: Address, logs: &[TransferLog]) -> bool {
    let mut own: Vec<TransferLog> =
        logs.iter().filter(|log| log.token == payment.quote().token && log.from == payer).copied().collect();
    for log in own.clone().iter().filter(|log| log.memo.is_some()) {
        if let Some(at) = own.iter().position(|it| *it == TransferLog { memo: None, ..*log }) {
            own.remove(at);
        }
    }
    payment.quote().transfers.iter().enumerate().all(|(index, asked)| {
        let fits = |log: &TransferLog| {
            let memo = match (index, asked.memo) {
                // The 15 bytes before the payer's own name and the 7 behind it tie it to the challenge.
                (0, None) => log
                    .memo
                    .zip(payment.memo())
                    .is_some_and(|(log, memo)| (&log[..15], &log[25..]) == (&memo[..15], &memo[25..])),
                (_, memo) => log.memo == memo,
            };
            memo && (log.to, log.amount) == (asked.to, asked.amount)
        };
        own.iter().position(fits).map(|at| own.remove(at)).is_some()
    })
}
