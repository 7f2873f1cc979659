//! What holds for every input: what is written is read back, nothing panics, and no request costs more than the cap.

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes, U256};
use mpp_core::payee::{Offer, accept_quality, body_digest};
use mpp_core::tempo::{self, Call, FeePayment, LocalSigner, Modes, SignedTransaction, Transaction, Verified};
use mpp_core::{Amount, Challenge, ChargeRequest, Credential, Policy, Problem, Receipt};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::raw;
use crate::support::{NOW, base64url, challenge, charge, header, parameters, parse};

/// Any text a person could be shown: all of Unicode but control characters.
pub(crate) fn shown() -> impl Strategy<Value = String> {
    vec(any::<char>().prop_filter("control", |letter| !letter.is_control()), 0..40)
        .prop_map(|letters| letters.into_iter().collect())
}

fn named() -> impl Strategy<Value = String> {
    shown().prop_filter("empty", |text| !text.is_empty())
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::from)
}

fn modes() -> impl Strategy<Value = Modes> {
    prop::sample::select(vec![Modes::Pull, Modes::Push, Modes::Both])
}

/// A charge as a server could write it, within the rules; most amounts small, some as large as they get.
pub(crate) fn request() -> impl Strategy<Value = Value> {
    let splits = vec((1..1000_u128, address(), option::of(any::<[u8; 32]>())), 0..=10);
    let amount = prop_oneof![0..50_000_u128, any::<u128>()];
    let modes =
        option::of(prop::sample::select(vec![json!(["pull"]), json!(["push"]), json!(["push", "pull"])]));
    (amount, splits, address(), any::<bool>(), modes, option::of(any::<[u8; 32]>()), option::of(shown())).prop_map(
        |(amount, splits, recipient, fee_payer, modes, memo, external_id)| {
            let hex = |bytes: [u8; 32]| alloy_primitives::hex::encode_prefixed(bytes);
            let split = |(amount, to, memo): (u128, Address, Option<[u8; 32]>)| {
                json!({ "amount": amount.to_string(), "recipient": to, "memo": memo.map(hex) })
            };
            let splits: Vec<Value> = splits.into_iter().map(split).collect();
            let mut request = charge();
            request["amount"] = json!(amount.to_string());
            request["recipient"] = json!(recipient);
            request["externalId"] = json!(external_id);
            let details = &mut request["methodDetails"];
            details["feePayer"] = json!(fee_payer);
            details["supportedModes"] = json!(modes);
            details["memo"] = json!(memo.map(hex));
            details["splits"] = if splits.is_empty() { Value::Null } else { json!(splits) };
            request
        },
    )
}

fn transaction() -> impl Strategy<Value = Transaction> {
    let call =
        (address(), vec(any::<u8>(), 0..120)).prop_map(|(to, input)| Call { to, input: Bytes::from(input) });
    let time = || option::of(1..u64::MAX);
    let fee = prop_oneof![Just(FeePayment::Sponsor), option::of(address()).prop_map(FeePayment::Sender),];
    let numbers = (any::<u64>(), any::<u128>(), any::<u128>(), any::<u64>(), any::<[u64; 4]>(), any::<u64>());
    (numbers, vec(call, 0..5), time(), time(), fee).prop_map(
        |(numbers, calls, valid_before, valid_after, fee)| {
            let (chain_id, max_priority_fee_per_gas, max_fee_per_gas, gas_limit, nonce_key, nonce) = numbers;
            Transaction {
                chain_id,
                max_priority_fee_per_gas,
                max_fee_per_gas,
                gas_limit,
                calls,
                nonce_key: U256::from_limbs(nonce_key),
                nonce,
                valid_before,
                valid_after,
                fee,
                access_key: None,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_challenge_is_read_back_as_it_was(
        (id, realm, description) in (named(), named(), option::of(shown())),
        (method, intent) in ("[a-z][a-z0-9:-]{0,8}", "[A-Za-z0-9-]{1,8}"),
        request in vec(any::<u8>(), 1..40),
        (seconds, fraction) in (option::of(0..253_402_300_800_i64), "(\\.[0-9]{1,9})?"),
        opaque in option::of(prop::collection::btree_map(shown(), shown(), 0..4)),
        (digest, header_field) in (option::of(vec(any::<u8>(), 0..9)), option::of("(Payment-)?Authorization")),
    ) {
        let request = base64url(&json!(request));
        let expires = seconds.map(|seconds| {
            let instant = jiff::Timestamp::from_second(seconds).expect("in range").to_string();
            instant.replace('Z', &format!("{fraction}Z"))
        });
        let opaque = opaque.map(|opaque| base64url(&json!(opaque)));
        let digest = digest.map(|body| body_digest(&body));
        let optional = [
            ("expires", &expires), ("digest", &digest), ("description", &description), ("opaque", &opaque),
            ("header", &header_field),
        ];
        let mut parameters =
            vec![("id", &*id), ("realm", &realm), ("method", &method), ("intent", &intent), ("request", &request)];
        parameters.extend(optional.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
        let challenge = parse(&header(&parameters));
        prop_assert_eq!((challenge.id(), challenge.realm()), (&*id, &*realm));
        prop_assert_eq!((challenge.method(), challenge.intent()), (&*method, &*intent));
        prop_assert_eq!(challenge.request(), &request);
        prop_assert_eq!(challenge.description(), description.as_deref());
        prop_assert_eq!(challenge.opaque(), opaque.as_deref());
        prop_assert_eq!(challenge.digest(), digest.as_deref());
        prop_assert_eq!(challenge.expires_at().map(u64::cast_signed), seconds);
        let encoded = challenge.encode();
        prop_assert!(encoded.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", encoded);
        prop_assert_eq!(parse(&encoded), challenge);
    }

    #[test]
    fn an_issued_challenge_is_bound_and_asks_for_what_was_offered(
        (realm, description, secret) in (named(), option::of(shown()), any::<[u8; 32]>()),
        (amount, expires_at) in (any::<u128>(), option::of(0..253_402_300_800_u64)),
        (currency, recipient, chain_id) in (address(), address(), any::<u64>()),
        (modes, sponsored, external_id) in (modes(), any::<bool>(), option::of(shown())),
    ) {
        let mut request = ChargeRequest::new(Amount::from_base_units(amount), currency, recipient, chain_id);
        if let Some(external_id) = &external_id {
            request = request.with_external_id(external_id);
        }
        request = if sponsored { request.sponsored().with_modes(modes) } else { request.with_modes(modes) };
        prop_assert_eq!(request.modes(), if sponsored { Modes::Pull } else { modes });
        prop_assert_eq!((request.fee_payer(), request.external_id()), (sponsored, external_id.as_deref()));
        prop_assert_eq!((request.currency(), request.recipient(), request.chain_id()), (currency, recipient, Some(chain_id)));
        let offer = Offer {
            realm: &realm, request: &request, expires_at, digest: None, description: description.as_deref(),
            opaque: BTreeMap::new(),
        };
        let challenge = parse(&Challenge::issue(&secret, &offer).expect("valid").encode());
        prop_assert!(challenge.is_bound_by(&secret));
        prop_assert!(!challenge.is_bound_by(&[0; 31]));
        prop_assert_eq!(challenge.expires_at(), expires_at);
        prop_assert_eq!(ChargeRequest::from_challenge(&challenge), Ok(request));
    }

    #[test]
    fn a_charge_is_read_back_as_it_was(request in request()) {
        let Ok(charge) = ChargeRequest::from_challenge(&challenge(&request)) else { return Ok(()) };
        let encoded = charge.encode();
        let again = ChargeRequest::from_challenge(&parse(&header(&parameters(&encoded))));
        prop_assert_eq!(again.as_ref(), Ok(&charge));
        let sum: u128 = charge.transfers().iter().map(|transfer| transfer.amount.base_units()).sum();
        prop_assert_eq!(sum, charge.amount().base_units());
    }

    /// What the calls of the transaction to be signed move, whoever reads them: no more than the cap, and only tokens.
    #[test]
    fn no_request_makes_an_approval_above_the_cap(request in request(), cap in 0..100_000_u128) {
        let policy = Policy::new(tempo::MAINNET, [tempo::PATH_USD], Amount::from_base_units(cap))
            .realms(["api.example.com"])
            .push(true);
        let Ok(approval) = policy.approve(challenge(&request), b"", NOW) else { return Ok(()) };
        prop_assert!(approval.quote().amount.base_units() <= cap);
        let unsigned = approval.prepare(Address::ZERO, NOW, 0);
        let calls = unsigned.transaction().map_or(&[][..], |transaction| &transaction.calls);
        let mut moved = U256::ZERO;
        for call in calls {
            prop_assert_eq!(call.to, tempo::PATH_USD);
            prop_assert!(matches!(&call.input[..4], [0xa9, 0x05, 0x9c, 0xbb] | [0x95, 0x77, 0x7d, 0x59]));
            moved += U256::from_be_slice(&call.input[36..68]);
        }
        prop_assert!(moved <= U256::from(cap));
    }

    #[test]
    fn what_a_policy_approves_and_a_payer_signs_the_payee_takes(
        request in request(),
        key in any::<[u8; 32]>(),
        (salt, signed_at, read_after) in (any::<u64>(), NOW..NOW + 50, 0..10_u64),
    ) {
        let policy = Policy::new(tempo::MAINNET, [tempo::PATH_USD], Amount::from_base_units(u128::MAX))
            .realms(["api.example.com"])
            .push(true);
        let (Ok(signer), Ok(approval)) =
            (LocalSigner::from_bytes(&key), policy.approve(challenge(&request), b"", signed_at))
        else {
            return Ok(());
        };
        let unsigned = approval.prepare(signer.address(), signed_at, salt);
        let expected = unsigned.transaction().cloned();
        let signature = signer.sign(&unsigned);
        let payment = unsigned.signed(&signature);
        let credential = Credential::parse(payment.credential().header_value().as_bytes());
        prop_assert_eq!(credential.as_ref(), Ok(payment.credential()));
        match payment.credential().verify(tempo::MAINNET, signed_at + read_after) {
            Ok(Verified::Transaction { payer, transaction, signed }) => {
                prop_assert_eq!((payer, Some(*transaction)), (signer.address(), expected));
                prop_assert_eq!(signed.hash(), payment.hash());
            }
            Ok(Verified::Proof { payer }) => prop_assert_eq!((payer, expected), (signer.address(), None)),
            Ok(Verified::Hash(hash)) => prop_assert_eq!(Some(hash), payment.hash()),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_receipt_is_read_back_as_it_was(
        (reference, external_id) in (shown(), option::of(shown())),
        settled_at in 0..253_402_300_800_u64,
        paid in option::of((any::<u128>(), address(), address())),
    ) {
        let mut receipt = Receipt::new(reference, settled_at, external_id.as_deref());
        prop_assert_eq!((receipt.method(), receipt.external_id()), ("tempo", external_id.as_deref()));
        if let Some((amount, currency, payer)) = paid {
            receipt = receipt.paid(Amount::from_base_units(amount), currency, payer);
            prop_assert_eq!(receipt.amount(), Some(Amount::from_base_units(amount)));
            prop_assert_eq!((receipt.currency(), receipt.payer()), (Some(currency), Some(payer)));
        }
        prop_assert_eq!(Receipt::parse(receipt.encode().as_bytes()), Ok(receipt));
    }

    #[test]
    fn dollars_are_read_back_as_they_were(units in any::<u128>()) {
        let amount = Amount::from_base_units(units);
        prop_assert_eq!(amount.to_string().parse(), Ok(amount));
    }

    #[test]
    fn any_transaction_another_encoder_writes_is_read_back(transaction in transaction()) {
        let (signed, found, _) = SignedTransaction::decode(&raw::signed(&transaction)).expect("decodes");
        prop_assert_eq!(signed.hash().is_none(), transaction.fee == FeePayment::Sponsor);
        prop_assert_eq!(found, transaction);
    }

    #[test]
    fn a_changed_transaction_is_nobodys_or_somebody_elses(
        transaction in transaction(),
        (at, bit) in (any::<prop::sample::Index>(), 0..8_u8),
    ) {
        let mut raw = raw::signed(&transaction);
        *at.get_mut(&mut raw) ^= 1_u8 << bit;
        if let Ok((_, _, sender)) = SignedTransaction::decode(&raw) {
            prop_assert_ne!(sender, crate::support::signer().address());
        }
    }

    #[test]
    fn bytes_never_panic(bytes in vec(any::<u8>(), 0..300), text in ".{0,80}") {
        for bytes in [&bytes[..], text.as_bytes()] {
            let with = |prefix: &[u8]| [prefix, bytes].concat();
            let _ = Challenge::parse_all([bytes, &with(b"Payment "), &with(b"Payment id=\"")]);
            let _ = Credential::parse(bytes).is_ok() || Credential::parse(&with(b"Payment ")).is_ok();
            let _ = Receipt::parse(bytes);
            let _ = Problem::parse(bytes);
            let _ = SignedTransaction::decode(bytes);
            let _ = SignedTransaction::decode(&with(&[0x76]));
        }
        let _ = accept_quality(&text, "tempo", "charge");
        let _ = text.parse::<Amount>();
        let _ = LocalSigner::from_hex(&text);
    }

    #[test]
    fn a_broken_header_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let more = [("description", "a \"b\" \\u0063"), ("opaque", "e30")];
        let field = header(&[&parameters("e30")[..], &more].concat());
        let mut field = [&field, ", Bearer x=y, ", &field].concat().into_bytes();
        *at.get_mut(&mut field) = byte;
        let found = Challenge::parse_all([&field]);
        prop_assert!(!found.is_empty());
    }
}
