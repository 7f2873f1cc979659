//! Transactions we sign, read by the chain's own code: the same fields, sender and hash, and the same bytes again.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::num::NonZeroU64;

use alloy_primitives::{TxKind, U256, keccak256};
use alloy_rlp::Header;
use base64_022::Engine as _;
use base64_022::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{PATH_USD, PAYER, RECIPIENT, SECOND_SPLIT_RECIPIENT, SPLIT_RECIPIENT, SPONSOR};
use mpp_core::payee::Sponsor;
use mpp_core::tempo::{
    FeePayment, LocalSigner, MAINNET, SignedPayment, SignedTransaction, Transaction, Unsigned,
};
use mpp_core::{Challenge, Policy};
use serde_json::{Value, json};
use tempo_primitives::transaction::{
    AASigned, Call, FEE_PAYER_SIGNATURE_MARKER, TempoSignature, TempoTransaction,
};

const NOW: u64 = 1_800_000_000;
/// Salts at the edges of what `valid_after` can take.
const SALTS: [u64; 5] = [0, 126, 127, 1 << 40, u64::MAX];

#[test]
fn client_paid_transaction_reads_the_same() {
    for salt in SALTS {
        assert_reads_the_same(sign(&json!({ "chainId": MAINNET, "supportedModes": ["pull"] }), salt));
    }
}

#[test]
fn split_transaction_reads_the_same() {
    let split = |to: &e2e::Account, amount: &str| json!({ "recipient": to.address, "amount": amount });
    let mut marked = split(&SECOND_SPLIT_RECIPIENT, "200000");
    marked["memo"] = json!(format!("0x{}", "11".repeat(32)));
    let few = vec![split(&SPLIT_RECIPIENT, "1"), marked];
    let many = vec![split(&SPLIT_RECIPIENT, "90000"); 10];
    for splits in [few, many] {
        let (transaction, payment) = sign(&json!({ "splits": splits }), 0x5eed);
        assert_eq!(transaction.calls.len(), splits.len() + 1);
        assert_reads_the_same((transaction, payment));
    }
}

#[test]
fn sponsored_envelope_is_what_the_chain_has_the_sponsor_sign() {
    for salt in SALTS {
        let (transaction, payment) = sign(&json!({ "feePayer": true }), salt);
        assert_eq!((transaction.fee, payment.hash()), (FeePayment::Sponsor, None));
        let raw = payment.transaction().unwrap().raw();
        let theirs = theirs(&transaction);
        assert_eq!(theirs.signature_hash(), transaction.signing_hash());

        // The envelope is the message the sponsor signs, and the sender's signature behind it.
        let (kind, mut list) = raw.split_first().unwrap();
        let list = Header::decode_bytes(&mut list, true).unwrap();
        let (fields, signature) = list.split_at(list.len() - 65);
        let fields = fields.strip_suffix(&[0xb8, 65]).unwrap();
        let mut message = vec![*kind];
        Header { list: true, payload_length: fields.len() }.encode(&mut message);
        message.extend(fields);
        assert_eq!(keccak256(message), theirs.fee_payer_signature_hash(payment.payer()));

        let signed = theirs.into_signed(TempoSignature::from_bytes(signature).unwrap());
        assert_eq!(signed.recover_signer_with_expiring_nonce_hash().unwrap().0, payment.payer());

        // The chain's own spelling of the same request to a sponsor says the same to us.
        let mut request = Vec::new();
        signed.encode_for_fee_payer_service(&mut request);
        let (_, read, sender) = SignedTransaction::decode(&request).unwrap();
        assert_eq!((read, sender), (transaction, payment.payer()));
    }
}

#[test]
fn cosigned_transaction_names_payer_and_sponsor() {
    let sponsor = Sponsor::new(LocalSigner::from_hex(SPONSOR.key).unwrap(), PATH_USD);
    // So many that some r or s starts with a zero byte, which RLP leaves out.
    for salt in 0..500 {
        let (transaction, payment) = sign(&json!({ "feePayer": true }), salt);
        let verified = payment.credential().verify(MAINNET, NOW).unwrap();
        let cosigned = sponsor.cosign(&verified, NOW).unwrap();
        let (kind, mut list) = cosigned.raw().split_first().unwrap();
        assert_eq!(*kind, TempoTransaction::tx_type());
        let signed = AASigned::rlp_decode(&mut list).unwrap();
        assert!(list.is_empty());
        assert_eq!(signed.recover_signer_with_expiring_nonce_hash().unwrap().0, PAYER.address);
        let read = signed.tx();
        assert_eq!(read.recover_fee_payer(PAYER.address).unwrap(), SPONSOR.address);
        let fee_payer_signature = read.fee_payer_signature;
        assert_eq!(
            read,
            &TempoTransaction { fee_token: Some(PATH_USD), fee_payer_signature, ..theirs(&transaction) }
        );
        assert_eq!(Some(*signed.hash()), cosigned.hash());
        let mut again = Vec::new();
        signed.eip2718_encode(&mut again);
        assert_eq!(cosigned.raw(), &again);
    }
}

#[test]
fn transaction_by_an_access_key_reads_as_its_accounts() {
    let key = LocalSigner::from_bytes(&[0x22; 32]).unwrap();
    let sponsor = Sponsor::new(LocalSigner::from_hex(SPONSOR.key).unwrap(), PATH_USD);
    for salt in SALTS {
        let (transaction, payment) = sign_by(&key, &json!({ "chainId": MAINNET }), salt);
        assert_eq!(transaction.access_key, Some(key.address()));
        assert_is_by(&key, payment.transaction().unwrap());
        assert_reads_the_same((transaction, payment));

        let (_, payment) = sign_by(&key, &json!({ "feePayer": true }), salt);
        let verified = payment.credential().verify(MAINNET, NOW).unwrap();
        assert_is_by(&key, &sponsor.cosign(&verified, NOW).unwrap());
    }
}

/// The chain's code finds that `key` signed for [`PAYER`].
fn assert_is_by(key: &LocalSigner, transaction: &SignedTransaction) {
    let (_, mut list) = transaction.raw().split_first().unwrap();
    let signed = AASigned::rlp_decode(&mut list).unwrap();
    assert_eq!(signed.recover_signer_with_expiring_nonce_hash().unwrap().0, PAYER.address);
    assert!(signed.signature().is_v2_keychain());
    let keychain = signed.signature().as_keychain().unwrap();
    assert_eq!(keychain.key_id(&signed.signature_hash()).unwrap(), key.address());
    assert_eq!(Some(*signed.hash()), transaction.hash());
}

/// The chain's code reads `payment` as `transaction`, signed by its payer, and writes it back as it was.
fn assert_reads_the_same((transaction, payment): (Transaction, SignedPayment)) {
    let raw = payment.transaction().unwrap().raw();
    let (kind, mut list) = raw.split_first().unwrap();
    assert_eq!(*kind, TempoTransaction::tx_type());
    let signed = AASigned::rlp_decode(&mut list).unwrap();
    assert!(list.is_empty());
    assert_eq!(signed.tx(), &theirs(&transaction));
    assert!(signed.tx().is_expiring_nonce_tx());
    assert_eq!(signed.signature_hash(), transaction.signing_hash());
    assert_eq!(signed.recover_signer_with_expiring_nonce_hash().unwrap().0, PAYER.address);
    assert_eq!(Some(*signed.hash()), payment.hash());
    let mut again = Vec::new();
    signed.eip2718_encode(&mut again);
    assert_eq!(raw, &again);
}

/// Our fields in the chain's own struct, all others empty.
fn theirs(ours: &Transaction) -> TempoTransaction {
    let (fee_token, fee_payer_signature) = match ours.fee {
        FeePayment::Sender(token) => (token, None),
        FeePayment::Sponsor => (None, Some(FEE_PAYER_SIGNATURE_MARKER)),
    };
    let calls = ours.calls.iter();
    TempoTransaction {
        chain_id: ours.chain_id,
        fee_token,
        max_priority_fee_per_gas: ours.max_priority_fee_per_gas,
        max_fee_per_gas: ours.max_fee_per_gas,
        gas_limit: ours.gas_limit,
        calls: calls
            .map(|call| Call { to: TxKind::Call(call.to), value: U256::ZERO, input: call.input.clone() })
            .collect(),
        nonce_key: ours.nonce_key,
        nonce: ours.nonce,
        fee_payer_signature,
        valid_before: ours.valid_before.and_then(NonZeroU64::new),
        valid_after: ours.valid_after.and_then(NonZeroU64::new),
        ..TempoTransaction::default()
    }
}

/// A payment of one dollar with these method details, and what was signed.
fn sign(details: &Value, salt: u64) -> (Transaction, SignedPayment) {
    let signer = LocalSigner::from_hex(PAYER.key).unwrap();
    finish(&signer, prepare(details, salt))
}

/// The same, signed by an access key.
fn sign_by(key: &LocalSigner, details: &Value, salt: u64) -> (Transaction, SignedPayment) {
    finish(key, prepare(details, salt).with_access_key(key.address()))
}

fn prepare(details: &Value, salt: u64) -> Unsigned {
    let request = json!({
        "amount": "1000000", "currency": PATH_USD, "recipient": RECIPIENT.address, "methodDetails": details,
    });
    let request = URL_SAFE_NO_PAD.encode(request.to_string());
    let field =
        format!(r#"Payment id="c1", realm="x", method="tempo", intent="charge", request="{request}""#);
    let challenge = Challenge::parse_all([field]).remove(0).unwrap();
    let policy = Policy::new(MAINNET, [PATH_USD], "1".parse().unwrap()).max_fee("1".parse().unwrap());
    policy.approve(challenge, b"", NOW).unwrap().prepare(PAYER.address, NOW, salt)
}

fn finish(signer: &LocalSigner, unsigned: Unsigned) -> (Transaction, SignedPayment) {
    let transaction = unsigned.transaction().unwrap().clone();
    let signature = signer.sign(&unsigned);
    (transaction, unsigned.signed(&signature))
}
