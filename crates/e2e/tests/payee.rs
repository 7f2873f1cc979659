//! What a payee signs and reads, on a real node: a sponsored payment is mined at the sponsor's cost, a
//! refund reaches the payer, and a pushed payment is recognised by its logs.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy_primitives::hex;
use e2e::{Account, Anvil, CHAIN_ID, PATH_USD, PAYER, RECIPIENT, SPLIT_RECIPIENT, SPONSOR};
use mpp_core::error::VerifyError;
use mpp_core::payee::{Offer, Refund, Sponsor, TransferLog};
use mpp_core::tempo::{
    Address, B256, Fees, LocalSigner, Modes, Payload, SignedPayment, SignedTransaction, Verified,
};
use mpp_core::{Amount, Challenge, ChargeRequest, Policy, Transfer};
use serde_json::{Value, json};

const CENT: u128 = 10_000;

#[tokio::test]
async fn cosigned_payment_costs_the_payer_the_price_and_the_sponsor_the_fee() {
    let node = Anvil::start(CHAIN_ID).await;
    let payment = pay(charge(CENT).sponsored());
    let verified = payment.credential().verify(CHAIN_ID, now()).unwrap();
    let sponsor = Sponsor::new(LocalSigner::from_hex(SPONSOR.key).unwrap(), PATH_USD);
    let cosigned = sponsor.cosign(&verified, now()).unwrap();
    let accounts = [PAYER.address, RECIPIENT.address, SPONSOR.address];
    let before = balances(&node, accounts).await;
    broadcast(&node, &cosigned).await;
    let mined = node.transaction(cosigned.hash().unwrap()).await.unwrap();
    assert_eq!((mined.succeeded, mined.from), (true, PAYER.address));
    assert_eq!(mined.fee_payer, SPONSOR.address);
    let after = balances(&node, accounts).await;
    assert_eq!([before[0] - after[0], after[1] - before[1], before[2] - after[2]], [CENT, CENT, mined.fee]);
    assert!(mined.fee > 0);
}

#[tokio::test]
async fn refund_reaches_the_payer_and_is_found_by_the_payments_reference() {
    let node = Anvil::start(CHAIN_ID).await;
    let payment = pay(charge(CENT));
    broadcast(&node, payment.transaction().unwrap()).await;
    let reference = payment.hash().unwrap().to_string();
    let operator = LocalSigner::from_hex(RECIPIENT.key).unwrap();
    let refund = Refund::new(CHAIN_ID, PATH_USD, payment.payer(), payment.quote().amount, &reference);
    let (signed, valid_before) = refund.sign(&operator, &Fees::default(), now(), 7);
    assert!(valid_before > now());
    let accounts = [PAYER.address, RECIPIENT.address];
    let before = balances(&node, accounts).await;
    broadcast(&node, &signed).await;
    let fee = node.transaction(signed.hash().unwrap()).await.unwrap().fee;
    let after = balances(&node, accounts).await;
    assert_eq!([after[0] - before[0], before[1] - after[1]], [CENT, CENT + fee]);
    let found = node.memo_transfers(Some(Refund::memo(&reference))).await;
    let found: Vec<_> = found.iter().map(|it| (it.from, it.to, it.amount, Some(it.transaction))).collect();
    assert_eq!(found, [(RECIPIENT.address, PAYER.address, CENT, signed.hash())]);
}

#[tokio::test]
async fn pushed_charge_is_recognised_by_the_logs_of_its_transaction() {
    let node = Anvil::start(CHAIN_ID).await;
    let part = |to: &Account, memo| Transfer { to: to.address, amount: Amount::from_base_units(7), memo };
    // The same recipient and amount twice, once with a memo: three transfers log five events, and the fee's.
    let marked = part(&SPLIT_RECIPIENT, Some(B256::repeat_byte(0x11)));
    let splits = vec![part(&SPLIT_RECIPIENT, None), marked];
    let payment = pay(charge(CENT).with_modes(Modes::Push).split(splits).unwrap());
    let (credential, other) = (payment.credential(), pay(charge(CENT).with_modes(Modes::Push)));
    let Ok(Verified::Hash(hash)) = credential.verify(CHAIN_ID, now()) else { panic!("not pushed") };
    let receipt = broadcast(&node, pushed(&payment)).await;
    assert_eq!(receipt["transactionHash"], json!(hash));
    let logs = receipt["logs"].as_array().unwrap();
    assert!(logs.len() >= 6, "{receipt}");
    let logs: Vec<TransferLog> = logs.iter().filter_map(read).collect();
    assert_eq!(logs.iter().filter(|log| log.memo.is_some()).count(), 2);
    assert_eq!(credential.paid_by(&logs), Ok(PAYER.address));
    assert_eq!(other.credential().paid_by(&logs), Err(VerifyError::MissingTransfer { index: 0 }));

    // A transaction of the memoed transfers alone lacks the plain split, though it logs one that looks like it.
    let memoed = logs.iter().filter(|log| log.memo.is_some());
    let at = |log: &&TransferLog| logs.iter().position(|it| TransferLog { memo: log.memo, ..*it } == **log);
    let twice = memoed.flat_map(|log| [logs[at(&log).unwrap()], *log]).collect::<Vec<_>>();
    assert_eq!(credential.paid_by(&twice), Err(VerifyError::MissingTransfer { index: 1 }));
}

fn pushed(payment: &SignedPayment) -> &SignedTransaction {
    assert!(matches!(payment.credential().payload(), Payload::Hash(_)));
    payment.transaction().unwrap()
}

fn read(log: &Value) -> Option<TransferLog> {
    let topics = log["topics"].as_array().unwrap().iter();
    let topics: Vec<B256> = topics.map(|topic| topic.as_str().unwrap().parse().unwrap()).collect();
    let data = hex::decode(log["data"].as_str().unwrap()).unwrap();
    TransferLog::decode(log["address"].as_str().unwrap().parse().unwrap(), &topics, &data)
}

/// Has the node mine it; its receipt.
async fn broadcast(node: &Anvil, transaction: &SignedTransaction) -> Value {
    let receipt = node.rpc("eth_sendRawTransactionSync", json!([transaction.raw()])).await.unwrap();
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    receipt
}

/// The payer's answer to a challenge for `request`.
fn pay(request: ChargeRequest) -> SignedPayment {
    let offer = Offer {
        realm: "payee.test",
        request: &request,
        expires_at: Some(now() + 60),
        digest: None,
        description: None,
        opaque: BTreeMap::new(),
    };
    let challenge = Challenge::issue(&[7; 32], &offer).unwrap();
    let policy = Policy::new(CHAIN_ID, [PATH_USD], request.amount()).push(true);
    let signer = LocalSigner::from_hex(PAYER.key).unwrap();
    let unsigned = policy.approve(challenge, b"", now()).unwrap().prepare(signer.address(), now(), 0x5eed);
    let signature = signer.sign(&unsigned);
    unsigned.signed(&signature)
}

fn charge(units: u128) -> ChargeRequest {
    ChargeRequest::new(Amount::from_base_units(units), PATH_USD, RECIPIENT.address, CHAIN_ID)
}

async fn balances<const N: usize>(node: &Anvil, owners: [Address; N]) -> [u128; N] {
    let mut found = [0; N];
    for (found, owner) in found.iter_mut().zip(owners) {
        *found = node.balance_of(PATH_USD, owner).await;
    }
    found
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
