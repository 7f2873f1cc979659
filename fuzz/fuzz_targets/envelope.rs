//! Any fields as a transaction, signed: it is read as written, it pays a challenge exactly when it makes the transfers
//! asked for and no other, and a sponsor signs it only within its limits, and then for those very fields.
//!
//! Each line is words. The transaction: chain, priority fee, price, gas, nonce key (`max` or a number), nonce, valid
//! before, valid after. Who signs and who pays the fee: `payer` or `sponsor`, and `sponsor`, `sender` or a token's
//! address, and which payment's challenge it is to pay. The limits, as in [`SponsorLimits`], and the time. Then calls, each an address and an input.

#![no_main]

use std::sync::LazyLock;

use alloy_primitives::U256;
use libfuzzer_sys::fuzz_target;
use mpp_core::payee::{Sponsor, SponsorLimits};
use mpp_core::tempo::{
    Call, FeePayment, LocalSigner, MAINNET, PATH_USD, Payload, SignedPayment, SignedTransaction, Transaction,
    Verified,
};
use mpp_core::{Amount, Credential};
use mpp_core_fuzz::key::Key;
use mpp_core_fuzz::payments::{NOW, PARTS, PAYMENTS};
use mpp_core_fuzz::words::Words;
use mpp_core_fuzz::{base64, charge, rlp};

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let [fields, who, limits] = [0; 3].map(|_| Words::new(lines.next().unwrap_or_default()));
    let (key, fee, asked) = signer(who);
    let (limits, now) = read_limits(limits);
    let transaction = read_transaction(fields, fee, lines);
    let kind = if fee == FeePayment::Sponsor { 0x78 } else { 0x76 };
    let signature = key.sign(&rlp::to_sign(&transaction));
    let raw = rlp::encode(kind, &transaction, key.1, &signature);

    let decoded = SignedTransaction::decode(&raw);
    let short = transaction.calls.len() <= 16 && raw.len() <= 8192;
    assert_eq!(decoded.is_ok(), short, "{decoded:?}");
    let Ok((signed, fields, payer)) = decoded else { return };
    assert_eq!((&fields, payer), (&transaction, key.1));
    assert_eq!((&signed.raw()[..], signed.hash().is_none()), (&raw[..], kind == 0x78));

    let verified = credential(asked, &raw).verify(MAINNET, now);
    let pays = pays(&transaction, &PAYMENTS[asked], now);
    assert_eq!(verified.is_ok(), pays, "{verified:?} of {transaction:?} for {asked} at {now}");

    let sponsor = Sponsor::new(LocalSigner::from_bytes(&[0x22; 32]).expect("a key"), PATH_USD).limits(limits);
    let verified = Verified::Transaction { payer, transaction: Box::new(fields), signed };
    let cosigned = sponsor.cosign(&verified, now);
    let allowed = fee == FeePayment::Sponsor && payer != SPONSOR.1 && within(&transaction, &limits, now);
    assert_eq!(cosigned.is_ok(), allowed, "{cosigned:?} of {transaction:?} within {limits:?} at {now}");
    if let Ok(cosigned) = cosigned {
        let own = SPONSOR.sign(&rlp::to_cosign(&transaction, payer, PATH_USD));
        assert_eq!(cosigned.raw()[..], rlp::cosigned(&transaction, &signature, PATH_USD, &own));
        assert!(cosigned.hash().is_some());
    }
});

static PAYER: LazyLock<Key> = LazyLock::new(|| Key::new(0x11));
static SPONSOR: LazyLock<Key> = LazyLock::new(|| Key::new(0x22));

fn signer(mut who: Words<'_>) -> (&'static Key, FeePayment, usize) {
    let key = if who.word() == "sponsor" { &SPONSOR } else { &PAYER };
    let fee = match who.word() {
        "sponsor" => FeePayment::Sponsor,
        token => FeePayment::Sender(token.parse().ok()),
    };
    (key, fee, who.read::<usize>() % PAYMENTS.len())
}

fn read_limits(mut limits: Words<'_>) -> (SponsorLimits, u64) {
    let limits_read = SponsorLimits {
        gas: limits.read(),
        fee: Amount::from_base_units(limits.read()),
        max_fee_per_gas: limits.read(),
        max_priority_fee_per_gas: limits.read(),
        least_validity: limits.read(),
        longest_validity: limits.read(),
    };
    (limits_read, limits.read())
}

fn read_transaction<'a>(
    mut fields: Words<'_>,
    fee: FeePayment,
    calls: impl Iterator<Item = &'a [u8]>,
) -> Transaction {
    let calls = calls.map(|line| {
        let mut call = Words::new(line);
        Call { to: call.read(), input: charge::bytes(call.word()).unwrap_or_default().into() }
    });
    Transaction {
        chain_id: fields.read(),
        max_priority_fee_per_gas: fields.read(),
        max_fee_per_gas: fields.read(),
        gas_limit: fields.read(),
        nonce_key: match fields.word() {
            "max" => U256::MAX,
            number => U256::from(number.parse().unwrap_or(0_u64)),
        },
        nonce: fields.read(),
        valid_before: Some(fields.read()).filter(|time| *time != 0),
        valid_after: Some(fields.read()).filter(|time| *time != 0),
        calls: calls.collect(),
        fee,
        access_key: None,
    }
}

/// A transaction as the payment of a challenge.
fn credential(asked: usize, raw: &[u8]) -> Credential {
    let signature = alloy_primitives::hex::encode_prefixed(raw);
    let payload = format!(r#","payload":{{"signature":"{signature}","type":"transaction"}}}}"#);
    let json = [&PARTS[asked][0], payload.as_str()].concat();
    let field = format!("Payment {}", base64::encode(json.as_bytes()));
    Credential::parse(field.as_bytes()).expect("a credential")
}

/// Whether a transaction makes the transfers that were asked for, each once and no other, in time.
fn pays(transaction: &Transaction, asked: &SignedPayment, now: u64) -> bool {
    let quote = asked.quote();
    let moved =
        transaction.calls.iter().map(|call| charge::transfer(&call.input).filter(|_| call.to == quote.token));
    let Some(mut moved) = moved.collect::<Option<Vec<_>>>() else { return false };
    let made = quote.transfers.iter().enumerate().all(|(index, transfer)| {
        let fits = |(to, amount, memo): &charge::Transfer| {
            let memo = match (index, transfer.memo) {
                (0, None) => memo
                    .zip(asked.memo())
                    .is_some_and(|(memo, own)| (&memo[..15], &memo[25..]) == (&own[..15], &own[25..])),
                (_, asked) => *memo == asked,
            };
            memo && (*to, *amount) == (transfer.to, transfer.amount.base_units())
        };
        moved.iter().position(fits).map(|at| moved.remove(at)).is_some()
    });
    let pull = asked.transaction().is_some() && !matches!(asked.credential().payload(), Payload::Hash(_));
    // A challenge of whole seconds may end anywhere in its last.
    let in_time = now < NOW + 20 && transaction.valid_before.is_some_and(|end| now < end && end <= NOW + 21);
    made && moved.is_empty()
        && pull
        && in_time
        && transaction.valid_after.is_none_or(|start| start <= now)
        && transaction.chain_id == MAINNET
        && (transaction.fee == FeePayment::Sponsor) == quote.sponsored
}

/// Whether a sponsor with these limits may sign.
fn within(transaction: &Transaction, limits: &SponsorLimits, now: u64) -> bool {
    let fee = U256::from(transaction.gas_limit) * U256::from(transaction.max_fee_per_gas);
    let most = U256::from(limits.fee.base_units()) * U256::from(10_u64.pow(12));
    let left = transaction.valid_before.and_then(|end| end.checked_sub(now));
    transaction.nonce_key == U256::MAX
        && transaction.nonce == 0
        && transaction.gas_limit <= limits.gas
        && transaction.max_fee_per_gas <= limits.max_fee_per_gas
        && transaction.max_priority_fee_per_gas <= limits.max_priority_fee_per_gas
        && transaction.max_priority_fee_per_gas <= transaction.max_fee_per_gas
        // A limit of all there is is none.
        && (fee <= most || limits.fee.base_units() == u128::MAX)
        && left.is_some_and(|left| limits.least_validity <= left && left <= limits.longest_validity)
}
