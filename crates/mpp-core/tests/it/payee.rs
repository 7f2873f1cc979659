//! What a payer can try on a payee: credentials that pay less, later, elsewhere, somebody else, or twice.

use alloy_primitives::{Address, U256, hex};
use mpp_core::error::{CredentialError, TransactionError, VerifyError};
use mpp_core::tempo::Payload;
use mpp_core::tempo::{Call, FeePayment, SignedTransaction, Transaction, Verified};
use mpp_core::{Challenge, Credential};
use serde_json::{Value, json};

use crate::raw::{self, ACCESS_LIST, FEE_TOKEN, SPONSOR, item, list, typed};
use crate::support::{
    NOW, SALT, STRANGER, base64url, bytes, challenge, charge, decoded, pay, policy, signer, vectors,
};

const CHAIN: u64 = 4217;

/// The transaction an honest payer signs for `challenge`.
fn honest(challenge: Challenge) -> Transaction {
    let approval = policy().approve(challenge, b"", NOW).expect("approved");
    approval.prepare(signer().address(), NOW, SALT).transaction().expect("a transaction").clone()
}

/// What the payee says to `raw` as the payment of `challenge`.
fn verify(challenge: &Challenge, raw: &[u8]) -> Result<Verified, VerifyError> {
    let payload = json!({ "type": "transaction", "signature": hex::encode_prefixed(raw) });
    let authorization = raw::authorization(challenge, &payload, None);
    Credential::parse(authorization.as_bytes()).expect("a credential").verify(CHAIN, NOW)
}

/// What the payee says to the honest transaction for `request` after `change`.
fn changed(request: &Value, change: impl FnOnce(&mut Transaction)) -> Result<(), VerifyError> {
    let challenge = challenge(request);
    let mut transaction = honest(challenge.clone());
    change(&mut transaction);
    verify(&challenge, &raw::signed(&transaction)).map(drop)
}

fn with_detail(member: &str, value: Value) -> Value {
    let mut request = charge();
    request["methodDetails"][member] = value;
    request
}

fn two_splits() -> Value {
    let split = |amount: &str| json!({ "amount": amount, "recipient": STRANGER });
    with_detail("splits", json!([split("5"), split("5")]))
}

#[test]
fn the_honest_transaction_of_these_tests_pays() {
    for request in [charge(), two_splits()] {
        assert_eq!(changed(&request, |_| ()), Ok(()));
        assert_eq!(changed(&request, |it| it.calls.reverse()), Ok(()), "in any order");
    }
}

#[test]
fn a_transfer_of_less_to_another_or_with_another_memo_does_not_pay() {
    let missing = Err(VerifyError::MissingTransfer { index: 0 });
    let flip = |at: usize, bit: u8| {
        changed(&charge(), |it| {
            let mut input = it.calls[0].input.to_vec();
            input[at] ^= bit;
            it.calls[0].input = input.into();
        })
    };
    // 10,000 is 0x2710: one unit more, and sixteen less.
    assert_eq!((flip(67, 1), flip(67, 0x10)), (missing.clone(), missing.clone()));
    // The recipient's ends, then those of the memo: tag, realm, challenge.
    for at in [16, 35, 68, 72, 73, 82, 93, 99] {
        assert_eq!(flip(at, 1), missing, "byte {at}");
    }
    // The client's part of the memo is the client's.
    let named = |it: &mut Transaction| {
        let mut input = it.calls[0].input.to_vec();
        input[83..93].copy_from_slice(b"any client");
        it.calls[0].input = input.into();
    };
    assert_eq!(changed(&charge(), named), Ok(()));
}

#[test]
fn a_plain_transfer_does_not_pay_and_neither_does_no_transfer() {
    let missing = Err(VerifyError::MissingTransfer { index: 0 });
    let plain = |it: &mut Transaction| {
        let input = it.calls[0].input.to_vec();
        it.calls[0].input = [&hex!("a9059cbb")[..], &input[4..68]].concat().into();
    };
    assert_eq!(changed(&charge(), plain), missing);
    assert_eq!(changed(&charge(), |it| it.calls.clear()), missing);
}

#[test]
fn an_amount_that_is_equal_only_in_its_low_bits_is_not_the_amount() {
    let change = |it: &mut Transaction| {
        let mut input = it.calls[0].input.to_vec();
        input[51] = 1;
        it.calls[0].input = input.into();
    };
    assert_eq!(changed(&charge(), change), Err(VerifyError::ForeignCall));
}

#[test]
fn a_call_that_was_not_asked_for_is_refused() {
    let foreign = Err(VerifyError::ForeignCall);
    let approve = Call { to: mpp_core::tempo::PATH_USD, input: hex!("095ea7b3").into() };
    assert_eq!(changed(&charge(), |it| it.calls.push(approve.clone())), foreign);
    assert_eq!(changed(&charge(), |it| it.calls[0].to = mpp_core::tempo::USDC_E), foreign);
    assert_eq!(changed(&charge(), |it| it.calls.push(it.calls[0].clone())), foreign, "paid twice");
    assert_eq!(
        changed(&charge(), |it| it.calls[0].input = [&it.calls[0].input[..], &[0]].concat().into()),
        foreign
    );
}

#[test]
fn two_equal_splits_take_two_transfers() {
    let once = |it: &mut Transaction| drop(it.calls.pop());
    assert_eq!(changed(&two_splits(), once), Err(VerifyError::MissingTransfer { index: 2 }));
}

#[test]
fn the_memo_of_the_payment_on_a_split_makes_it_another_transfer() {
    let memoed = |it: &mut Transaction| {
        let primary = it.calls[0].input.clone();
        it.calls[1].input = [&primary[..4], &it.calls[1].input[4..68], &primary[68..]].concat().into();
    };
    assert_eq!(changed(&two_splits(), memoed), Err(VerifyError::MissingTransfer { index: 2 }));
}

#[test]
fn a_memo_the_payee_names_is_the_memo() {
    let memo = format!("0x{}", "ab".repeat(32));
    assert_eq!(changed(&with_detail("memo", json!(memo)), |_| ()), Ok(()));
    let challenge = challenge(&with_detail("memo", json!(memo)));
    let other = raw::signed(&honest(crate::support::challenge(&charge())));
    assert_eq!(verify(&challenge, &other).map(drop), Err(VerifyError::MissingTransfer { index: 0 }));
}

#[test]
fn a_transaction_on_another_chain_or_outside_its_time_is_refused() {
    let wrong_chain = changed(&charge(), |it| it.chain_id = 42431);
    assert_eq!(wrong_chain, Err(VerifyError::Chain { found: 42431, expected: CHAIN }));
    // Valid until NOW, for ever, past the challenge (NOW + 60, a fraction aside), and from the next second on.
    let past = NOW + 62;
    for (valid_before, valid_after) in
        [(Some(NOW), None), (None, None), (Some(past), None), (Some(NOW + 9), Some(NOW + 1))]
    {
        let change = |it: &mut Transaction| (it.valid_before, it.valid_after) = (valid_before, valid_after);
        assert_eq!(changed(&charge(), change), Err(VerifyError::Window { valid_before, now: NOW }));
    }
    assert_eq!(changed(&charge(), |it| it.valid_before = Some(past - 1)), Ok(()));
    assert_eq!(changed(&charge(), |it| it.valid_after = Some(NOW)), Ok(()));
}

#[test]
fn an_expired_challenge_can_no_longer_be_paid() {
    let expires_at = NOW + 60;
    let payment = pay(&policy(), challenge(&charge()));
    let verify = |now| payment.credential().verify(CHAIN, now).map(drop);
    assert_eq!(verify(NOW), Ok(()));
    assert_eq!(verify(expires_at), Err(VerifyError::Expired { expires_at, now: expires_at }));
    assert_eq!(
        payment.credential().verify(42431, NOW).map(drop),
        Err(VerifyError::Chain { found: CHAIN, expected: 42431 })
    );
}

#[test]
fn the_fee_is_paid_by_whom_the_challenge_says() {
    assert_eq!(changed(&charge(), |it| it.fee = FeePayment::Sponsor), Err(VerifyError::Fee));
    let sponsored = with_detail("feePayer", json!(true));
    assert_eq!(changed(&sponsored, |_| ()), Ok(()));
    assert_eq!(changed(&sponsored, |it| it.fee = FeePayment::Sender(None)), Err(VerifyError::Fee));
}

#[test]
fn a_sponsor_is_not_handed_what_it_must_not_sign() {
    let sponsored = with_detail("feePayer", json!(true));
    let challenge = challenge(&sponsored);
    let transaction = honest(challenge.clone());
    let envelope = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut fields = raw::fields(&transaction);
        let signature = raw::signature(&fields);
        fields[SPONSOR] = item(signer().address().as_slice());
        fields.push(item(&signature[..]));
        change(&mut fields);
        verify(&challenge, &typed(0x78, &fields)).map(drop)
    };
    let field = |name| Err(VerifyError::Transaction(TransactionError::Field(name)));
    assert_eq!(envelope(&|_| ()), Ok(()));
    assert_eq!(
        envelope(&|fields| fields[FEE_TOKEN] = item(mpp_core::tempo::PATH_USD.as_slice())),
        field("fee_token")
    );
    assert_eq!(envelope(&|fields| fields[ACCESS_LIST] = list(&[vec![0xc0]])), field("access_list"));
    assert_eq!(envelope(&|fields| fields[SPONSOR] = vec![0x80]), field("sender"));
    let stranger: Address = STRANGER.parse().expect("an address");
    let other_sender = envelope(&|fields| fields[SPONSOR] = item(stranger.as_slice()));
    assert_eq!(other_sender, Err(VerifyError::Transaction(TransactionError::Sender)));
    // Of the vectors' other rejections, nonce lane and gas limit are the sponsor's own policy.
    let conformance = &vectors("tempo.json")["fee_payer_cosign_conformance"];
    for memo in ["wrong_challenge_memo", "unrelated_challenge_memo", "unrelated_realm_memo"] {
        let memo = bytes(&conformance[memo]);
        let change =
            |it: &mut Transaction| it.calls[0].input = [&it.calls[0].input[..68], &memo[..]].concat().into();
        assert_eq!(changed(&sponsored, change), Err(VerifyError::MissingTransfer { index: 0 }));
    }
}

#[test]
fn one_payment_has_one_encoding_and_one_hash() {
    let challenge = challenge(&charge());
    let fields = raw::fields(&honest(challenge.clone()));
    let signature = raw::signature(&fields);
    let with = |signature: &[u8]| raw::with_signature(&fields, signature);
    assert!(SignedTransaction::decode(&with(&signature)).is_ok());
    // v as 0 or 1; the other half of the s values, with the other v; one byte more; none.
    let (mut bare, mut high) = (signature, signature);
    bare[64] -= 27;
    let order = U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    let s = U256::from_be_slice(&signature[32..64]);
    high[32..64].copy_from_slice(&(order - s).to_be_bytes::<32>());
    high[64] = 27 + 28 - signature[64];
    for other in [&bare[..], &high, &[&signature[..], &[0]].concat(), &[]] {
        let error = SignedTransaction::decode(&with(other)).map(drop);
        assert_eq!(error, Err(TransactionError::Signature), "{}", hex::encode(other));
    }
}

#[test]
fn rlp_that_is_not_canonical_is_refused() {
    let transaction = honest(challenge(&charge()));
    let good = raw::signed(&transaction);
    let decode = |raw: &[u8]| SignedTransaction::decode(raw).map(drop);
    assert_eq!(decode(&[]), Err(TransactionError::Field("type")));
    assert_eq!(decode(&[0x02, 0xc0]), Err(TransactionError::Type { found: 2 }));
    assert_eq!(decode(&[&good[..], &[0]].concat()), Err(TransactionError::Field("end")));
    assert_eq!(decode(&good[..good.len() - 1]), Err(TransactionError::Field("list")));
    assert_eq!(
        decode(&vec![0x76; 8 * 1024 + 1]),
        Err(TransactionError::TooLong { length: 8193, limit: 8192 })
    );
    assert_eq!(decode(&vec![0x76; 8 * 1024]), Err(TransactionError::Field("list")), "one byte less is read");
    let mut fields = raw::fields(&transaction);
    let signature = raw::signature(&fields);
    let key_authorization = raw::with_signature(&[&fields[..], &[vec![0xc0]]].concat(), &signature);
    assert_eq!(decode(&key_authorization), Err(TransactionError::Field("signature")));
    // Leading zeros in a number, and in the nonce's lane.
    for (at, field, name) in [
        (0, vec![0x83, 0, 0x10, 0x79], "chain_id"),
        (6, vec![0x82, 0, 5], "nonce_key"),
        (7, vec![0], "nonce"),
    ] {
        let honest = std::mem::replace(&mut fields[at], field);
        let raw = raw::with_signature(&fields, &signature);
        assert_eq!(decode(&raw), Err(TransactionError::Field(name)));
        fields[at] = honest;
    }
    let more = typed(0x76, &[&fields[..], &[item(&signature[..]), vec![0x80]]].concat());
    assert_eq!(decode(&more), Err(TransactionError::Field("end")));
    let to = item(mpp_core::tempo::PATH_USD.as_slice());
    let transfer = list(&[to.clone(), vec![0x80], vec![0x80]]);
    for (calls, name) in [
        (vec![list(&[to.clone(), vec![1], vec![0x80]])], "value of a call"),
        (vec![list(&[to, vec![0x80], vec![0x80], vec![0x80]])], "calls"),
        (vec![list(&[vec![0x80], vec![0x80], vec![0x80]])], "calls"),
        (vec![transfer; 17], "calls"),
    ] {
        fields[4] = list(&calls);
        let raw = raw::with_signature(&fields, &signature);
        assert_eq!(decode(&raw), Err(TransactionError::Field(name)));
    }
}

#[test]
fn a_payload_of_another_kind_does_not_pay() {
    let mut nothing = charge();
    nothing["amount"] = json!("0");
    let proof = json!({ "type": "proof", "signature": format!("0x{}", "1b".repeat(65)) });
    let hash = json!({ "type": "hash", "hash": format!("0x{}", "5".repeat(64)) });
    let transaction = json!({ "type": "transaction", "signature": hex::encode_prefixed(raw::signed(&honest(challenge(&charge())))) });
    let (pull, push) = (json!(["pull"]), json!(["push"]));
    for (request, payload) in [
        (charge(), &proof),
        (nothing.clone(), &transaction),
        (nothing, &hash),
        (with_detail("supportedModes", pull), &hash),
        (with_detail("supportedModes", push), &transaction),
        (with_detail("feePayer", json!(true)), &hash),
    ] {
        let authorization = raw::authorization(&challenge(&request), payload, None);
        let credential = Credential::parse(authorization.as_bytes()).expect("a credential");
        assert_eq!(credential.verify(CHAIN, NOW).map(drop), Err(VerifyError::Payload), "{request} {payload}");
    }
}

#[test]
fn a_proof_is_of_its_source_for_its_challenge() {
    let mut nothing = charge();
    nothing["amount"] = json!("0");
    let payment = pay(&policy().realms(["api.example.com"]), challenge(&nothing));
    let Payload::Proof(signature) = payment.credential().payload() else { panic!("no proof") };
    let payload = json!({ "type": "proof", "signature": hex::encode_prefixed(signature) });
    let source = |chain, address: Address| format!("did:pkh:eip155:{chain}:{address}");
    let verify = |challenge: &Challenge, source: Option<&str>| {
        let authorization = raw::authorization(challenge, &payload, source);
        Credential::parse(authorization.as_bytes()).expect("a credential").verify(CHAIN, NOW).map(drop)
    };
    let own = source(CHAIN, signer().address());
    assert_eq!(verify(payment.challenge(), Some(&own)), Ok(()));
    let stranger = source(CHAIN, STRANGER.parse().expect("an address"));
    let [plus, zero] = [":+", ":0"].map(|sign| own.replace(&format!(":{CHAIN}"), &format!("{sign}{CHAIN}")));
    let elsewhere = source(42431, signer().address());
    for other in
        [None, Some(&*stranger), Some(&elsewhere), Some(&plus), Some(&zero), Some("did:key:z"), Some("")]
    {
        assert_eq!(verify(payment.challenge(), other), Err(VerifyError::Source), "{other:?}");
    }
    let request = base64url(&nothing);
    let mut parameters = crate::support::parameters(&request);
    parameters[0].1 = "another";
    let another = crate::support::parse(&crate::support::header(&parameters));
    assert_eq!(verify(&another, Some(&own)), Err(VerifyError::Source));
}

#[test]
fn credentials_that_two_readers_could_read_differently_are_refused() {
    let good = pay(&policy(), challenge(&charge())).credential().header_value();
    let json = decoded(good.strip_prefix("Payment ").expect("the scheme"));
    let error = |change: &dyn Fn(&mut Value)| {
        let mut json = json.clone();
        change(&mut json);
        Credential::parse(format!("Payment {}", base64url(&json)).as_bytes()).map(drop)
    };
    assert_eq!(error(&|_| ()), Ok(()));
    assert_eq!(error(&|json| json["challenge"]["more"] = json!(1)), Ok(()), "unknown members are ignored");
    for name in ["challenge", "payload"] {
        for value in [json!(null), json!([]), json!("x")] {
            assert_eq!(error(&|json| json[name] = value.clone()), Err(CredentialError::Member(name)));
        }
    }
    for name in ["digest", "expires", "description", "opaque", "header", "id"] {
        let wrong_type = error(&|json| json["challenge"][name] = json!(7));
        assert_eq!(wrong_type, Err(CredentialError::Member("challenge")), "{name}");
    }
    let missing = error(&|json| json["challenge"]["realm"] = json!(null));
    assert!(matches!(missing, Err(CredentialError::Challenge(_))));
    let cookie = error(&|json| json["challenge"]["header"] = json!("Cookie"));
    assert!(matches!(cookie, Err(CredentialError::Challenge(_))));
    for (member, value) in
        [("type", json!("card")), ("type", json!(1)), ("signature", json!("76")), ("signature", json!(null))]
    {
        assert_eq!(
            error(&|json| json["payload"][member] = value.clone()),
            Err(CredentialError::Member("payload")),
            "{value}"
        );
    }
    let twice = json.to_string().replacen("{", r#"{"payload":{},"#, 1);
    let twice = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, twice);
    let twice = Credential::parse(format!("Payment {twice}").as_bytes()).map(drop);
    assert_eq!(twice, Err(CredentialError::Encoding("has a key twice")));
}

#[test]
fn authorization_of_another_scheme_or_without_end_is_refused() {
    for value in
        ["", "Payment", "Bearer abc", "Paymentabc", "Payment\te30", "Basic Payment e30", "Páyment e30"]
    {
        assert_eq!(Credential::parse(value.as_bytes()).map(drop), Err(CredentialError::Scheme), "{value}");
    }
    let value = format!("Payment {}", "A".repeat(64 * 1024 + 1));
    assert_eq!(Credential::parse(value.as_bytes()).map(drop), Err(CredentialError::Encoding("is too long")));
    assert_eq!(
        Credential::parse(b"Payment \xff").map(drop),
        Err(CredentialError::Encoding("is not base64url"))
    );
    let good = pay(&policy(), challenge(&charge())).credential().header_value();
    let spaced = format!(" {}  ", good.replacen("Payment ", "pAYMENT   ", 1));
    assert!(Credential::parse(spaced.as_bytes()).is_ok(), "the scheme's case and spaces around do not count");
}
