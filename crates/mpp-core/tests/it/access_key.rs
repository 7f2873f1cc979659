//! Payments signed by an access key: the account pays, the key signs, and the payee learns both.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use alloy_primitives::{Address, address, hex};
use mpp_core::Amount;
use mpp_core::error::{KeyRefusal, SignatureError, SignerError, TransactionError, VerifyError};
use mpp_core::payee::Sponsor;
use mpp_core::tempo::{
    self, AccessKey, KeyStatus, LocalSigner, PATH_USD, Payload, Signature, SignedPayment, SignedTransaction,
    Signer, Unsigned, Verified,
};
use serde_json::{Value, json};

use crate::support::{NOW, SALT, challenge, charge, policy, signer};

/// The account that pays; nobody here has its own key.
const ACCOUNT: Address = address!("a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2");

#[test]
fn the_account_pays_and_the_payee_learns_the_key() {
    let payment = pay(&charge());
    assert_eq!(payment.payer(), ACCOUNT);
    assert_eq!(payment.credential().source(), Some((tempo::MAINNET, ACCOUNT)));
    let raw = payment.transaction().expect("a transaction").raw();
    let (signed, transaction, sender) = SignedTransaction::decode(raw).expect("decodes");
    assert_eq!((sender, transaction.access_key), (ACCOUNT, Some(signer().address())));
    assert_eq!((signed.raw(), signed.hash()), (raw, payment.hash()));
    let verified = payment.credential().verify(tempo::MAINNET, NOW).expect("pays");
    let Verified::Transaction { payer, transaction, .. } = verified else { panic!("no transaction") };
    assert_eq!((payer, transaction.access_key), (ACCOUNT, Some(signer().address())));
}

#[test]
fn a_shared_signer_says_of_itself_what_the_signer_says() {
    let key = Arc::new(AccessKey::new(ACCOUNT, signer()));
    assert_eq!((Signer::address(&key), Signer::access_key(&key)), (ACCOUNT, Some(signer().address())));
    let own = Arc::new(signer());
    assert_eq!((Signer::address(&own), Signer::access_key(&own)), (signer().address(), None));
}

#[test]
fn an_approval_is_signed_by_the_key_of_its_signer() {
    let key = AccessKey::new(ACCOUNT, signer());
    let mut signing = std::pin::pin!(approval(&charge()).sign(&key, NOW, SALT));
    let signed = signing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(payment)) = signed else { panic!("not signed: {signed:?}") };
    assert_eq!(payment.credential(), pay(&charge()).credential());
}

#[test]
fn a_signature_for_one_account_is_no_signature_for_another() {
    let signature = signer().sign(&prepare(&charge()).with_access_key(signer().address()));
    let unsigned = |account| approval(&charge()).prepare(account, NOW, SALT);
    let other = unsigned(PATH_USD).with_access_key(signer().address());
    let signer = signer().address();
    let wrong = SignatureError::WrongSigner { expected: signer };
    assert_eq!(Signature::checked(signature.to_bytes(), &other, signer).map(drop), Err(wrong));
    let ours = prepare(&charge()).with_access_key(signer);
    assert_eq!(Signature::checked(signature.to_bytes(), &ours, signer), Ok(signature.clone()));
    assert_eq!(
        Signature::checked(signature.to_bytes(), &ours, ACCOUNT).map(drop),
        Err(SignatureError::WrongSigner { expected: ACCOUNT })
    );
    // Put into the other's transaction it is some unknown key's.
    let stolen = other.signed(&signature);
    let (_, transaction, _) =
        SignedTransaction::decode(stolen.transaction().expect("one").raw()).expect("decodes");
    assert_ne!(transaction.access_key, Some(signer));
}

#[test]
fn what_was_prepared_for_another_account_or_key_is_not_signed() {
    let (own, other) = (signer().address(), PATH_USD);
    let unsigned = |account, key| approval(&charge()).prepare(account, NOW, SALT).with_access_key(key);
    for payment in [prepare(&charge()), unsigned(other, own), unsigned(ACCOUNT, other)] {
        assert!(sign(&payment).is_err(), "{payment:?}");
    }
}

#[test]
fn a_sponsor_cosigns_an_access_keys_envelope() {
    let mut request = charge();
    request["methodDetails"]["feePayer"] = json!(true);
    let payment = pay(&request);
    let verified = payment.credential().verify(tempo::MAINNET, NOW).expect("pays");
    let sponsor = Sponsor::new(LocalSigner::from_bytes(&[0x22; 32]).expect("a key"), PATH_USD);
    let cosigned = sponsor.cosign(&verified, NOW).expect("sponsored");
    let raw = payment.transaction().expect("a transaction").raw();
    assert_eq!((raw[0], cosigned.raw()[0]), (0x78, 0x76));
    assert_eq!(raw.last_chunk::<86>(), cosigned.raw().last_chunk::<86>(), "the signature stays as it was");
}

#[test]
fn err_signature_that_is_no_access_keys() {
    let raw = pay(&charge()).transaction().expect("a transaction").raw().to_vec();
    let start = raw.len() - 86;
    assert_eq!((raw[start], &raw[start + 1..start + 21]), (0x04, ACCOUNT.as_slice()));
    let last = raw.len() - 1;
    let v = raw[last];
    // The chain takes version 1 no longer; 5 was never there. With another v the transaction would have a second hash.
    for (at, byte) in [(start, 3), (start, 5), (last, v - 27), (last, 29), (start + 53, 0xff)] {
        let mut raw = raw.clone();
        raw[at] = byte;
        let error = SignedTransaction::decode(&raw).map(drop);
        assert_eq!(error, Err(TransactionError::Signature), "{at} {byte}");
    }
}

/// Deployed payees take the access key's signature of the account's proof, and ask the chain about the key.
#[test]
fn a_proof_by_an_access_key_is_the_accounts_and_not_taken_without_asking_the_chain() {
    let mut request = charge();
    request["amount"] = json!("0");
    let prepared = approval(&request).prepare(ACCOUNT, NOW, SALT);
    let hash = prepared.signing_hash();
    let unsigned = prepared.with_access_key(signer().address());
    assert_eq!(unsigned.signing_hash(), hash);
    let signature = sign(&unsigned).expect("signed");
    let payment = unsigned.signed(&signature);
    let Payload::Proof(bytes) = payment.credential().payload() else { panic!("no proof") };
    assert_eq!(*bytes, signature.to_bytes());
    let error = payment.credential().verify(tempo::MAINNET, NOW).map(drop);
    assert_eq!(error, Err(VerifyError::Source));
}

fn approval(request: &Value) -> mpp_core::Approval {
    let policy = policy().realms(["api.example.com"]);
    policy.approve(challenge(request), b"", NOW).expect("approved")
}

fn prepare(request: &Value) -> Unsigned {
    approval(request).prepare(ACCOUNT, NOW, SALT)
}

fn pay(request: &Value) -> SignedPayment {
    let unsigned = prepare(request).with_access_key(signer().address());
    let signature = sign(&unsigned).expect("signed");
    unsigned.signed(&signature)
}

/// What [`ACCOUNT`]'s access key makes of it.
fn sign(payment: &Unsigned) -> Result<Signature, SignerError> {
    let key = AccessKey::new(ACCOUNT, signer());
    let mut signature = key.sign(payment);
    match signature.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(signature) => signature,
        Poll::Pending => panic!("a key in memory does not wait"),
    }
}

/// The words that a node of the chain answers with.
fn words<const N: usize>(words: [&str; N]) -> Vec<u8> {
    words.iter().flat_map(|word| hex::decode(format!("{word:0>64}")).expect("hexadecimal")).collect()
}

#[test]
fn the_chains_register_is_asked_and_understood() {
    let key = address!("1563915e194d8cfba1943570603f7606a3115508");
    let [of_key, of_limit] = KeyStatus::calls(ACCOUNT, key, PATH_USD);
    let (account, id) = (hex::encode(ACCOUNT), hex::encode(key));
    assert_eq!(of_key, [&[0xbc, 0x29, 0x85, 0x53][..], &words([&account, &id])].concat());
    let token = hex::encode(PATH_USD);
    assert_eq!(of_limit, [&[0xa7, 0xf7, 0x2c, 0xab][..], &words([&account, &id, &token])].concat());

    let (limit, none) = (words(["186a0", "0"]), words(["0", "0"]));
    let known = |limited| words(["0", &id, "6b036834", limited, "0"]);
    let Some(KeyStatus::Authorized { expires_at: 0x6b03_6834, limit: Some(left) }) =
        KeyStatus::decode(&known("1"), &limit)
    else {
        panic!("not understood")
    };
    assert_eq!((left.remaining, left.renewed_at), (Amount::from_base_units(100_000), None));
    let free = KeyStatus::decode(&known("0"), &none).expect("understood");
    assert_eq!(free.check(Amount::from_base_units(u128::MAX), Amount::ZERO, NOW - 9_000_000), Ok(()));
    let unknown = words(["0", "0", "0", "0", "0"]);
    assert_eq!(KeyStatus::decode(&unknown, &none), Some(KeyStatus::Unknown));
    assert_eq!(KeyStatus::decode(&words(["0", "0", "0", "0", "1"]), &none), Some(KeyStatus::Revoked));
    for (key, limit) in [(&b""[..], &limit[..]), (&unknown, &limit[..63]), (&unknown[..128], &limit)] {
        assert_eq!(KeyStatus::decode(key, limit), None);
    }
}

#[test]
fn price_and_highest_fee_have_to_fit_into_what_is_left() {
    let dollars = |units| Amount::from_base_units(units);
    let id = hex::encode(signer().address());
    let key = words(["0", &id, "6b036834", "1", "0"]);
    let status = KeyStatus::decode(&key, &words(["186a0", "6b036000"])).expect("understood");
    let (end, before) = (0x6b03_6834, 0x6b03_6833);
    assert_eq!(status.check(dollars(75_000), dollars(25_000), before), Ok(()));
    let error = status.check(dollars(75_001), dollars(25_000), before).expect_err("too much");
    assert_eq!(
        error.to_string(),
        "may spend 0.10 dollars more, the payment takes 0.075001 and up to 0.025 in fees; raise its limit from the \
         account that pays"
    );
    assert!(status.check(dollars(u128::MAX), dollars(1), before).is_err());
    let expired = KeyRefusal::Expired { expires_at: end, now: end };
    assert_eq!(status.check(dollars(1), dollars(0), end), Err(expired));
    for (status, refusal) in
        [(KeyStatus::Unknown, KeyRefusal::Unknown), (KeyStatus::Revoked, KeyRefusal::Revoked)]
    {
        assert_eq!(status.check(dollars(0), dollars(0), 0), Err(refusal));
    }
}
