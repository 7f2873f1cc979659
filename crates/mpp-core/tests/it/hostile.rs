//! What a server can try on its payers: in the header, in the request inside it, and against the policy. Each test is
//! an attack and what becomes of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mpp_core::error::{AmountError, ChargeError, Fault, Refusal};
use mpp_core::tempo::{self, Fees};
use mpp_core::{Amount, Challenge, ChargeRequest, Decision, Policy};
use serde_json::{Value, json};

use crate::support::{
    NOW, RECIPIENT, SALT, STRANGER, base64url, challenge, charge, header, parameters, parse, pay, policy,
    signer,
};

/// Why a challenge for `request` is not paid.
fn refusal(policy: &Policy, request: &Value) -> Refusal {
    policy.approve(challenge(request), b"", NOW).expect_err("refused")
}

/// The request of a good charge with one member changed.
fn with(member: &str, value: Value) -> Value {
    let mut request = charge();
    *request.pointer_mut(member).unwrap_or_else(|| panic!("no {member}")) = value;
    request
}

/// The request of a good charge with one more member in its `methodDetails`.
fn with_detail(member: &str, value: Value) -> Value {
    let mut request = charge();
    request["methodDetails"][member] = value;
    request
}

/// What the text of a request, which need not be JSON, is read as.
fn read(json: &str) -> Result<ChargeRequest, ChargeError> {
    use base64::Engine as _;
    let request = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json);
    ChargeRequest::from_challenge(&parse(&header(&parameters(&request))))
}

#[test]
fn the_good_charge_of_these_tests_is_paid() {
    assert_eq!(pay(&policy(), challenge(&charge())).quote().amount, Amount::from_base_units(10_000));
}

#[test]
fn a_key_given_twice_at_any_depth_is_refused() {
    let good = charge().to_string();
    for (once, twice) in [
        (r#""amount":"10000""#, r#""amount":"10000","amount":"1""#),
        (r#""amount":"10000""#, r#""amount":"1","\u0061mount":"10000""#),
        (r#""chainId":4217"#, r#""chainId":4217,"chainId":4217"#),
        (r#""chainId":4217"#, r#""chainId":4217,"extra":[{"deep":{"a":1,"b":2,"a":3}}]"#),
        (r#""chainId":4217"#, r#""chainId":4217,"splits":[{"amount":"1","amount":"9999","recipient":"0x"}]"#),
    ] {
        assert!(good.contains(once));
        let twice = good.replace(once, twice);
        assert_eq!(read(&twice), Err(ChargeError::Request("has a key twice")), "{twice}");
    }
}

#[test]
fn an_amount_that_is_no_plain_integer_is_refused() {
    let no_integer = |text| (json!(text), ChargeError::Amount { why: AmountError::NotAnInteger });
    let too_large = |text| (json!(text), ChargeError::Amount { why: AmountError::TooLarge });
    let wrong_type = |value| (value, ChargeError::Invalid { field: "amount", why: "must be a string" });
    let texts = ["", "-1", "+1", "01", "00", "0x10", "1.0", "1e3", " 1", "1 ", "1_000", "１", "1,000", "NaN"];
    let cases = texts.map(no_integer).into_iter().chain([
        too_large("340282366920938463463374607431768211456"),
        too_large("115792089237316195423570985008687907853269984665640564039457584007913129639936"),
        wrong_type(json!(10_000)),
        wrong_type(json!(1.5)),
        wrong_type(json!(["10000"])),
        (json!(null), ChargeError::Missing { field: "amount" }),
    ]);
    for (amount, why) in cases {
        assert_eq!(refusal(&policy(), &with("/amount", amount.clone())), Refusal::Charge(why), "{amount}");
    }
}

#[test]
fn a_price_one_unit_above_the_cap_is_refused_and_the_cap_itself_is_paid() {
    let cap = Amount::from_base_units(1_000_000);
    assert!(policy().approve(challenge(&with("/amount", json!("1000000"))), b"", NOW).is_ok());
    for (amount, asked) in [("1000001", 1_000_001), ("340282366920938463463374607431768211455", u128::MAX)] {
        let asked = Amount::from_base_units(asked);
        assert_eq!(
            refusal(&policy(), &with("/amount", json!(amount))),
            Refusal::OverCap { asked, allowed: cap }
        );
    }
}

#[test]
fn a_cap_can_be_lowered_and_never_raised() {
    let (cap, less) = (Amount::from_base_units(1_000_000), Amount::from_base_units(9));
    for (most, allowed) in [(less, less), (Amount::from_base_units(u128::MAX), cap)] {
        let asked = Amount::from_base_units(1_000_001);
        let refusal = refusal(&policy().at_most(most), &with("/amount", json!("1000001")));
        assert_eq!(refusal, Refusal::OverCap { asked, allowed });
    }
}

#[test]
fn another_token_chain_recipient_or_realm_is_refused() {
    let stranger = STRANGER.parse().expect("an address");
    assert_eq!(refusal(&policy(), &with("/currency", json!(STRANGER))), Refusal::Token { asked: stranger });
    let elsewhere = refusal(&policy(), &with("/methodDetails/chainId", json!(42431)));
    assert_eq!(elsewhere, Refusal::Chain { asked: 42431, allowed: 4217 });
    let pinned = policy().recipients([RECIPIENT.parse().expect("an address")]);
    assert_eq!(
        refusal(&pinned, &with("/recipient", json!(STRANGER))),
        Refusal::Recipient { asked: stranger }
    );
    let split = json!([{ "amount": "1", "recipient": STRANGER }]);
    assert_eq!(refusal(&pinned, &with_detail("splits", split)), Refusal::Recipient { asked: stranger });
    assert!(pinned.approve(challenge(&charge()), b"", NOW).is_ok());
    for realm in ["api.example.co", "API.example.com", "api.example.com."] {
        let refused = refusal(&policy().realms([realm]), &charge());
        assert_eq!(refused, Refusal::Realm { asked: String::from("api.example.com") }, "{realm}");
    }
}

#[test]
fn a_missing_chain_is_the_policys_and_never_a_default() {
    let request = with("/methodDetails", json!({}));
    let policy = Policy::new(42431, [tempo::PATH_USD], Amount::from_base_units(10_000));
    let approval = policy.approve(challenge(&request), b"", NOW).expect("approved");
    let unsigned = approval.prepare(signer().address(), NOW, SALT);
    assert_eq!(unsigned.transaction().expect("a transaction").chain_id, 42431);
}

#[test]
fn a_chain_that_is_no_whole_number_is_refused() {
    for chain in [json!("4217"), json!(4217.0), json!(-4217), json!(4217.5), json!(true), json!([4217])] {
        let refused = refusal(&policy(), &with("/methodDetails/chainId", chain.clone()));
        let field = "methodDetails.chainId";
        let why = ChargeError::Invalid { field, why: "must be a whole number" };
        assert_eq!(refused, Refusal::Charge(why), "{chain}");
    }
}

#[test]
fn splits_that_eat_the_amount_are_refused() {
    let split = |amount: &str| json!({ "amount": amount, "recipient": STRANGER });
    let max = "340282366920938463463374607431768211455";
    for (splits, why) in [
        (vec![split("10000")], "must sum to less than the amount"),
        (vec![split("5000"), split("5001")], "must sum to less than the amount"),
        // Wraps around to 1 where sums wrap around.
        (vec![split(max), split("2")], "must sum to less than the amount"),
        (vec![split("1"); 11], "has more than 10 entries"),
        (vec![], "must be an array of at least one entry"),
    ] {
        let refused = refusal(&policy(), &with_detail("splits", json!(splits)));
        let field = "methodDetails.splits";
        assert_eq!(refused, Refusal::Charge(ChargeError::Invalid { field, why }), "{splits:?}");
    }
    let nothing = refusal(&policy(), &with_detail("splits", json!([split("0")])));
    let field = "methodDetails.splits[].amount";
    assert_eq!(nothing, Refusal::Charge(ChargeError::Invalid { field, why: "must be above zero" }));
}

#[test]
fn ten_splits_leave_the_recipient_the_rest() {
    let split = json!({ "amount": "1", "recipient": STRANGER });
    let approval = policy().approve(challenge(&with_detail("splits", json!(vec![split; 10]))), b"", NOW);
    let transfers = &approval.as_ref().expect("approved").quote().transfers;
    assert_eq!(transfers.len(), 11);
    assert_eq!(transfers[0].amount, Amount::from_base_units(9_990));
}

#[test]
fn an_expired_challenge_is_refused_and_so_is_one_that_expires_before_it_could_be_paid() {
    // Of NOW + 60.
    let expires_at = NOW + 60;
    for now in [expires_at - 4, expires_at - 1, expires_at, expires_at + 1, u64::MAX] {
        let refused = policy().approve(challenge(&charge()), b"", now).expect_err("refused");
        assert_eq!(refused, Refusal::Expired { expires_at, now });
    }
    assert!(policy().approve(challenge(&charge()), b"", expires_at - 5).is_ok());
}

#[test]
fn a_payment_never_outlives_its_challenge_or_the_policys_validity() {
    let valid_before = |policy: &Policy, now| {
        let approval = policy.approve(challenge(&charge()), b"", now).expect("approved");
        approval.prepare(signer().address(), now, SALT).transaction().expect("a transaction").valid_before
    };
    assert_eq!(valid_before(&policy(), NOW), Some(NOW + 25));
    assert_eq!(valid_before(&policy().max_validity(10), NOW), Some(NOW + 10));
    assert_eq!(valid_before(&policy().max_validity(3600), NOW), Some(NOW + 30), "the chain's limit");
    assert_eq!(valid_before(&policy(), NOW + 50), Some(NOW + 60), "the challenge's limit");
}

#[test]
fn a_digest_of_another_body_is_refused() {
    let request = base64url(&charge());
    let digest = mpp_core::payee::body_digest(b"one body");
    let field = header(&[&parameters(&request)[..], &[("digest", &digest)]].concat());
    assert_eq!(policy().approve(parse(&field), b"another", NOW).map(drop), Err(Refusal::Digest));
    assert_eq!(policy().approve(parse(&field), b"", NOW).map(drop), Err(Refusal::Digest));
    assert!(policy().approve(parse(&field), b"one body", NOW).is_ok());
}

#[test]
fn fees_above_the_policys_ceiling_are_refused() {
    let fees = Fees { max_fee_per_gas: 1_000_000_000_000, ..Fees::default() };
    let ceiling = fees.ceiling(1);
    let allowed = ceiling.checked_sub(Amount::from_base_units(1)).expect("above zero");
    let refused = refusal(&policy().fees(fees).max_fee(allowed), &charge());
    assert_eq!(refused, Refusal::Fee { ceiling, allowed });
    assert!(policy().fees(fees).max_fee(ceiling).approve(challenge(&charge()), b"", NOW).is_ok());
    let unbounded = Fees { max_fee_per_gas: u128::MAX, gas_first_transfer: u64::MAX, ..fees };
    assert!(matches!(refusal(&policy().fees(unbounded), &charge()), Refusal::Fee { .. }));
    // 2^64 gas at 2^128 is more than 2^128 base units, and no less for being more than an amount can say.
    let allowed = Amount::from_base_units(u128::MAX - 1);
    assert!(matches!(refusal(&policy().fees(unbounded).max_fee(allowed), &charge()), Refusal::Fee { .. }));
}

#[test]
fn a_fee_is_asked_only_of_who_pays_money_without_a_sponsor() {
    let mut free_of_charge = with("/amount", json!("0"));
    free_of_charge["methodDetails"]["feePayer"] = json!(true);
    let sponsored = with_detail("feePayer", json!(true));
    let policy = policy().realms(["api.example.com"]);
    for (request, ceiling) in [
        (charge(), Fees::default().ceiling(1)),
        (sponsored, Amount::ZERO),
        (with("/amount", json!("0")), Amount::ZERO),
        (free_of_charge, Amount::ZERO),
    ] {
        let approval = policy.approve(challenge(&request), b"", NOW).expect("approved");
        assert_eq!(approval.quote().fee_ceiling, ceiling, "{request}");
    }
}

#[test]
fn a_challenge_that_no_credential_could_repeat_is_refused() {
    const LIMIT: usize = 32 * 1024;
    let request = base64url(&charge());
    let short: usize = parameters(&request).iter().map(|(_, value)| value.len()).sum();
    let approve = |length: usize| {
        let filler = "x".repeat(length - short);
        let field = header(&[&parameters(&request)[..], &[("description", &filler)]].concat());
        policy().approve(parse(&field), b"", NOW).map(drop)
    };
    assert_eq!(approve(LIMIT), Ok(()));
    assert_eq!(approve(LIMIT + 1), Err(Refusal::TooLong { length: LIMIT + 1, limit: LIMIT }));
    assert_eq!(approve(2 * LIMIT), Err(Refusal::TooLong { length: 2 * LIMIT, limit: LIMIT }));
}

#[test]
fn push_only_is_refused_by_those_who_do_not_broadcast() {
    let push_only = with_detail("supportedModes", json!(["push"]));
    assert_eq!(refusal(&policy(), &push_only), Refusal::PushOnly);
    assert!(!policy().accepts_push() && policy().push(true).accepts_push());
    let payment = pay(&policy().push(true), challenge(&push_only));
    assert_eq!(
        payment.credential().payload(),
        &mpp_core::tempo::Payload::Hash(payment.hash().expect("a hash"))
    );
    // A sponsor has to sign what the payer would have to have broadcast.
    let mut sponsored = push_only;
    sponsored["methodDetails"]["feePayer"] = json!(true);
    assert_eq!(refusal(&policy().push(true), &sponsored), Refusal::PushOnly);
}

#[test]
fn a_proof_is_signed_only_for_a_realm_that_is_listed() {
    let nothing = with("/amount", json!("0"));
    assert_eq!(refusal(&policy(), &nothing), Refusal::Realm { asked: String::from("api.example.com") });
    let payment = pay(&policy().realms(["api.example.com"]), challenge(&nothing));
    assert!(payment.transaction().is_none());
}

#[test]
fn the_hook_sees_only_what_passed_everything_else_and_its_no_is_final() {
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&asked);
    let policy = policy().ask(move |quote| {
        seen.fetch_add(1, Ordering::Relaxed);
        assert_eq!(quote.amount.base_units(), 10_000);
        Decision::Decline
    });
    assert!(matches!(refusal(&policy, &with("/amount", json!("1000001"))), Refusal::OverCap { .. }));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    assert_eq!(refusal(&policy, &charge()), Refusal::Declined);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn a_hook_that_panics_leaves_nothing_to_sign() {
    let policy = policy().ask(|_| panic!("the hook fails"));
    let approval = catch_unwind(AssertUnwindSafe(|| policy.approve(challenge(&charge()), b"", NOW)));
    assert!(approval.is_err(), "the panic goes on; there is no approval");
}

#[test]
fn a_request_that_is_not_one_json_object_is_refused() {
    let not_json = Err(ChargeError::Request("is not JSON"));
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    for text in [" ", "{", "{}{}", "nul", "{\"a\":1e999}", "\u{feff}{}", &deep] {
        assert_eq!(read(text), not_json, "{text}");
    }
    assert_eq!(read(&charge().to_string().replace("{\"chainId\":4217}", &deep)), not_json);
    for text in ["[]", "\"{}\"", "1", "null", "true"] {
        assert_eq!(read(text), Err(ChargeError::Request("is not a JSON object")), "{text}");
    }
    let mut latin_1 = charge().to_string().into_bytes();
    latin_1.splice(1..1, *b"\"d\":\"\xe9\",");
    let request = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, latin_1);
    assert_eq!(ChargeRequest::from_challenge(&parse(&header(&parameters(&request)))), not_json);
}

#[test]
fn members_of_another_type_are_refused_and_never_taken_for_absent() {
    for request in [
        with("/currency", json!("0x20c0")),
        with("/currency", json!(STRANGER.trim_start_matches("0x"))),
        with("/currency", json!(format!("0x{STRANGER}"))),
        with("/recipient", json!(null)),
        with("/recipient", json!(format!("{STRANGER}00"))),
        with("/methodDetails", json!([])),
        with("/methodDetails", json!("{}")),
        with_detail("feePayer", json!("true")),
        with_detail("feePayer", json!(1)),
        with_detail("memo", json!("0x1234")),
        with_detail("memo", json!(7)),
        with_detail("splits", json!({})),
        with_detail("splits", json!([[]])),
        with_detail("supportedModes", json!("push")),
        with_detail("supportedModes", json!([])),
        with_detail("supportedModes", json!(["pul"])),
    ] {
        assert!(matches!(refusal(&policy(), &request), Refusal::Charge(_)), "{request}");
    }
}

#[test]
fn another_method_or_intent_is_not_ours_to_pay() {
    let request = base64url(&charge());
    for (at, name) in [(2, "tempo2"), (2, "stripe"), (3, "session"), (3, "Charge")] {
        let mut parameters = parameters(&request);
        parameters[at].1 = name;
        let refused = policy().approve(parse(&header(&parameters)), b"", NOW).expect_err("refused");
        assert_eq!(refused, Refusal::Charge(ChargeError::Unsupported), "{name}");
    }
}

#[test]
fn line_breaks_in_a_field_are_refused() {
    for splice in ["\r\nSet-Cookie: x", "\n", "\r", "\0"] {
        let field = header(&parameters("e30")).replace("challenge-123", &format!("a{splice}b"));
        let errors = Challenge::parse_all([field]);
        assert!(
            matches!(&errors[..], [Err(error)] if matches!(error.fault, Fault::Syntax { .. })),
            "{splice:?}"
        );
    }
}

#[test]
fn ten_thousand_challenges_are_read_up_to_a_limit() {
    let one = header(&parameters("e30"));
    let many = Challenge::parse_all(vec![one.clone(); 10_000]);
    let in_one_field = Challenge::parse_all([vec![one.as_str(); 800].join(", ")]);
    for found in [many, in_one_field] {
        let (last, good) = found.split_last().expect("challenges");
        assert_eq!(good.len(), 64);
        assert!(good.iter().all(Result::is_ok));
        assert!(matches!(last, Err(error) if error.fault == Fault::TooMany { limit: 64 }));
    }
}

#[test]
fn a_field_longer_than_the_limit_is_not_read_and_hides_no_other() {
    let long = |length: usize| header(&[&parameters("e30")[..], &[("x", &"y".repeat(length))]].concat());
    let found = Challenge::parse_all([long(64 * 1024), long(10 << 20), header(&parameters("e30"))]);
    assert_eq!(found.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert!(matches!(&found[1], Err(error) if matches!(error.fault, Fault::TooLong { limit: 131_072, .. })));
    let found = Challenge::parse_all([" ".repeat(131_072), " ".repeat(131_073)]);
    assert_eq!(found.len(), 1);
}

#[test]
fn a_request_longer_than_the_limit_is_not_read() {
    let long = |length: usize| Challenge::parse_all([header(&parameters(&"A".repeat(length)))]).remove(0);
    assert!(long(16_384).is_ok());
    let fault = long(16_385).expect_err("too long").fault;
    assert!(matches!(fault, Fault::Invalid { parameter: "request", offset: Some(_), .. }));
}
