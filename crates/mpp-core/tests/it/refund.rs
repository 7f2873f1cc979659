//! A refund is one transfer with a memo that both sides can compute, valid for seconds.

use alloy_primitives::{Address, U256, hex, keccak256};
use mpp_core::Amount;
use mpp_core::payee::Refund;
use mpp_core::tempo::{self, FeePayment, Fees, PATH_USD, SignedTransaction};

use crate::support::{NOW, SALT, STRANGER, signer};

const REFERENCE: &str = "0xbf41bdc38756260e2be82727a5533bacaacce656ac858c70c58bbdf11f647af9";

fn refund() -> Refund {
    let to: Address = STRANGER.parse().expect("an address");
    Refund::new(tempo::MAINNET, PATH_USD, to, Amount::from_base_units(10_000), REFERENCE)
}

#[test]
fn a_refund_is_one_transfer_signed_by_the_operator() {
    let fees = Fees::default();
    let (signed, valid_before) = refund().sign(&signer(), &fees, NOW, SALT);
    let (_, transaction, sender) = SignedTransaction::decode(signed.raw()).expect("a transaction");
    assert_eq!((sender, transaction.chain_id), (signer().address(), tempo::MAINNET));
    assert_eq!((transaction.valid_before, valid_before), (Some(NOW + 25), NOW + 25));
    assert_eq!((transaction.nonce_key, transaction.nonce), (U256::MAX, 0));
    assert_eq!(transaction.fee, FeePayment::Sender(Some(PATH_USD)));
    assert_eq!(transaction.fee_ceiling(), fees.ceiling(1));
    let [call] = &transaction.calls[..] else { panic!("{} calls", transaction.calls.len()) };
    let memo = keccak256(format!("mpp-refund:{REFERENCE}"));
    assert_eq!((call.to, refund().memo), (PATH_USD, memo));
    let amount = "0000000000000000000000000000000000000000000000000000000000002710";
    let to = format!("{:0>64}", &STRANGER[2..]);
    assert_eq!(hex::encode(&call.input), ["95777d59", &to, amount, &hex::encode(memo)].concat());
}

#[test]
fn two_refunds_of_the_same_terms_are_two_transactions_and_one_signed_again_is_one() {
    let sign = |salt| refund().sign(&signer(), &Fees::default(), NOW, salt).0.hash();
    assert_eq!(sign(1), sign(1));
    assert_ne!(sign(1), sign(2));
}
