//! A payer broadcasts by himself: what of a transaction's logs pays a challenge, and what does not.

use alloy_primitives::{Address, B256, U256, hex, keccak256};
use mpp_core::error::VerifyError;
use mpp_core::payee::TransferLog;
use mpp_core::tempo::{self, PATH_USD, USDC_E, Verified};
use mpp_core::{Amount, Credential};
use serde_json::{Value, json};

use crate::raw;
use crate::support::{NOW, RECIPIENT, STRANGER, challenge, charge, pay, policy, signer};

const HASH: &str = "0x5555555555555555555555555555555555555555555555555555555555555555";

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

/// A charge of 10,000, of which 5 go to a stranger, twice.
fn split() -> Value {
    let mut request = charge();
    let part = json!({ "amount": "5", "recipient": STRANGER });
    request["methodDetails"]["splits"] = json!([part, part]);
    request
}

fn credential(request: &Value, source: Option<&str>) -> Credential {
    let authorization =
        raw::authorization(&challenge(request), &json!({ "type": "hash", "hash": HASH }), source);
    Credential::parse(authorization.as_bytes()).expect("a credential")
}

/// The two logs of a transfer with a memo, or the one of a transfer without.
fn logged(from: Address, to: &str, amount: u128, memo: Option<B256>) -> Vec<TransferLog> {
    let plain = TransferLog {
        token: PATH_USD,
        from,
        to: address(to),
        amount: Amount::from_base_units(amount),
        memo: None,
    };
    std::iter::once(plain).chain(memo.map(|memo| TransferLog { memo: Some(memo), ..plain })).collect()
}

/// The memo that an honest payer gives a payment of `request`.
fn memo(request: &Value) -> Option<B256> {
    pay(&policy(), challenge(request)).memo()
}

/// What an honest payment of [`split`] logs, its fee included.
fn honest(payer: Address) -> Vec<TransferLog> {
    let fee = logged(payer, "0xfeec000000000000000000000000000000000000", 29, None);
    let part = logged(payer, STRANGER, 5, None);
    [logged(payer, RECIPIENT, 9_990, memo(&split())), part.clone(), part, fee].concat()
}

fn paid_by(logs: &[TransferLog]) -> Result<Address, VerifyError> {
    credential(&split(), None).paid_by(logs)
}

#[test]
fn topics_are_those_of_the_chain() {
    let (from, to) = (signer().address(), address(RECIPIENT));
    let words = [
        keccak256("Transfer(address,address,uint256)"),
        from.into_word(),
        to.into_word(),
        B256::repeat_byte(7),
    ];
    let data = U256::from(10_000).to_be_bytes::<32>();
    let plain = TransferLog::decode(PATH_USD, &words[..3], &data).expect("a transfer");
    assert_eq!(plain, logged(from, RECIPIENT, 10_000, None)[0]);
    let mut memoed = words;
    memoed[0] = keccak256("TransferWithMemo(address,address,uint256,bytes32)");
    let found = TransferLog::decode(PATH_USD, &memoed, &data);
    assert_eq!(found, Some(TransferLog { memo: Some(B256::repeat_byte(7)), ..plain }));
    // The other event's number of topics, no topics, another event, and data of another length or size.
    assert_eq!(TransferLog::decode(PATH_USD, &words, &data), None);
    assert_eq!(TransferLog::decode(PATH_USD, &memoed[..3], &data), None);
    assert_eq!(TransferLog::decode(PATH_USD, &[], &data), None);
    assert_eq!(TransferLog::decode(PATH_USD, &[B256::ZERO, words[1], words[2]], &data), None);
    let large = hex!("0000000000000000000000000000000100000000000000000000000000002710");
    for data in [&[][..], &data[1..], &[&data[..], &[0]].concat(), &large] {
        assert_eq!(TransferLog::decode(PATH_USD, &words[..3], data), None, "{}", hex::encode(data));
    }
}

#[test]
fn a_payment_is_found_in_any_order_among_other_business() {
    let payer = signer().address();
    let mut logs = honest(payer);
    assert_eq!(paid_by(&logs), Ok(payer));
    logs.reverse();
    assert_eq!(paid_by(&logs), Ok(payer));
    let other = logged(payer, STRANGER, 5, Some(B256::repeat_byte(9)));
    let of_another = logged(address(STRANGER), RECIPIENT, 9_990, Some(B256::ZERO));
    assert_eq!(paid_by(&[other, of_another, logs].concat()), Ok(payer));
    let unsplit = credential(&charge(), None);
    assert_eq!(unsplit.paid_by(&logged(payer, RECIPIENT, 10_000, memo(&charge()))), Ok(payer));
}

#[test]
fn each_transfer_of_a_charge_takes_one_of_its_own() {
    let payer = signer().address();
    let missing = |index| Err(VerifyError::MissingTransfer { index });
    assert_eq!(paid_by(&[]), missing(0));
    let without = |at: usize| {
        let mut logs = honest(payer);
        logs.remove(at);
        paid_by(&logs)
    };
    assert_eq!(without(1), missing(0), "the event with the memo");
    assert_eq!((without(2), without(3)), (missing(2), missing(2)));
    // A memoed transfer to the split's recipient logs a plain one too, which is not a split of its own.
    let memoed = logged(payer, STRANGER, 5, Some(B256::repeat_byte(9)));
    let mut logs = honest(payer);
    logs.splice(2..4, [memoed.clone(), memoed].concat());
    assert_eq!(paid_by(&logs), missing(1));
}

#[test]
fn another_amount_recipient_token_or_memo_does_not_pay() {
    let payer = signer().address();
    let missing = Err(VerifyError::MissingTransfer { index: 0 });
    let changed = |change: &dyn Fn(&mut TransferLog)| {
        let mut logs = honest(payer);
        logs[..2].iter_mut().for_each(change);
        paid_by(&logs)
    };
    assert_eq!(changed(&|_| ()), Ok(payer));
    assert_eq!(changed(&|log| log.amount = Amount::from_base_units(9_989)), missing);
    assert_eq!(changed(&|log| log.to = address(STRANGER)), missing);
    assert_eq!(changed(&|log| log.token = USDC_E), missing, "another token, or anybody's contract");
    let other = memo(&charge()).map(|memo| memo ^ B256::with_last_byte(1));
    assert_eq!(changed(&|log| log.memo = log.memo.and(other)), missing, "a payment of another challenge");
    let mut named = split();
    named["methodDetails"]["memo"] = json!(B256::repeat_byte(0xab));
    let named = credential(&named, None);
    assert_eq!(named.paid_by(&honest(payer)), missing, "the payee named the memo");
    let mut logs = honest(payer);
    logs[1].memo = Some(B256::repeat_byte(0xab));
    assert_eq!(named.paid_by(&logs), Ok(payer));
}

#[test]
fn all_of_it_comes_from_one_payer_who_is_the_source() {
    let (payer, other) = (signer().address(), address(RECIPIENT));
    let mut logs = honest(payer);
    logs[3].from = other;
    assert_eq!(paid_by(&logs), Err(VerifyError::MissingTransfer { index: 2 }), "two paid together");
    let source = |chain: u64, address: Address| format!("did:pkh:eip155:{chain}:{address}");
    let paid = |source: &str| credential(&split(), Some(source)).paid_by(&honest(payer));
    assert_eq!(paid(&source(tempo::MAINNET, payer)), Ok(payer));
    assert_eq!(paid(&source(tempo::MAINNET, other)), Err(VerifyError::Source));
    // When two paid it is the source's payment, whoever is first.
    let both = [honest(other), honest(payer)].concat();
    assert_eq!(credential(&split(), Some(&source(tempo::MAINNET, payer))).paid_by(&both), Ok(payer));
    // A source on another chain is refused before anything is looked up.
    let verify = |source: &str| credential(&split(), Some(source)).verify(tempo::MAINNET, NOW);
    assert!(matches!(verify(&source(tempo::MAINNET, payer)), Ok(Verified::Hash(_))));
    assert_eq!(verify(&source(31337, payer)).map(drop), Err(VerifyError::Source));
}

#[test]
fn a_transactions_transfers_are_what_its_calls_move() {
    let payment = |request: &Value| {
        let approval = policy().approve(challenge(request), b"", NOW).expect("approved");
        approval.prepare(signer().address(), NOW, 1).transaction().expect("a transaction").clone()
    };
    let mut transaction = payment(&split());
    let found = transaction.transfers().expect("transfers only");
    let found: Vec<_> =
        found.iter().map(|(token, it)| (*token, it.to, it.amount.base_units(), it.memo)).collect();
    let part = (PATH_USD, address(STRANGER), 5, None);
    assert_eq!(found, [(PATH_USD, address(RECIPIENT), 9_990, memo(&split())), part, part]);
    transaction.calls[2].input = hex!("095ea7b3").into();
    assert_eq!(transaction.transfers(), None);
}
