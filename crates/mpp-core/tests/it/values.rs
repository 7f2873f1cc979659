//! The small parts on their own: dollars, signatures from elsewhere, `Accept-Payment`, problem bodies.

use mpp_core::error::{AmountError, SignatureError};
use mpp_core::exchange::ACCEPT_PAYMENT;
use mpp_core::payee::{ProblemType, accept_quality};
use mpp_core::tempo::{self, LocalSigner, NotTaken, Signature};
use mpp_core::{Amount, Problem};
use serde_json::json;

use crate::support::{NOW, SALT, base64url, challenge, charge, header, parameters, parse, policy, signer};

#[test]
fn dollars_are_read_to_the_base_unit_and_no_finer() {
    for (text, units) in [
        ("0", 0),
        ("1", 1_000_000),
        ("0.5", 500_000),
        ("0.50", 500_000),
        ("0.000001", 1),
        ("007.10", 7_100_000),
        ("340282366920938463463374607431768.211455", u128::MAX),
    ] {
        assert_eq!(text.parse(), Ok(Amount::from_base_units(units)), "{text}");
    }
    for (text, error) in [
        ("0.0000001", AmountError::TooFine),
        ("0.0000000", AmountError::TooFine),
        ("340282366920938463463374607431768.211456", AmountError::TooLarge),
        (&"9".repeat(1000), AmountError::TooLarge),
    ] {
        assert_eq!(text.parse::<Amount>(), Err(error), "{text}");
    }
    for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1 ", "0x1", "1.5.0", "$1", "１", "inf"]
    {
        assert_eq!(text.parse::<Amount>(), Err(AmountError::NotDollars), "{text}");
    }
}

#[test]
fn dollars_are_printed_with_two_to_six_decimals() {
    for (units, text) in
        [(0, "0.00"), (1, "0.000001"), (10_000, "0.01"), (6_000, "0.006"), (1_500_000, "1.50")]
    {
        assert_eq!(Amount::from_base_units(units).to_string(), text);
    }
}

#[test]
fn a_node_that_surely_did_not_take_a_transaction_says_why_and_of_what_it_may_have_nothing_is_said() {
    for (code, message, said) in [
        (-32601, "method not found", Some(NotTaken::Unserved)),
        (-32000, "Insufficient funds for gas * price + value", Some(NotTaken::Poor)),
        (-32003, "insufficient fee token balance", Some(NotTaken::Poor)),
        (-32000, "transaction valid_before has passed", Some(NotTaken::Invalid)),
        (-32602, "failed to decode signed transaction", Some(NotTaken::Invalid)),
        (-32000, "already known", None),
        (-32603, "insufficient funds", None),
        (4, "replacement transaction underpriced", None),
    ] {
        assert_eq!(NotTaken::of_error(code, message), said, "{code} {message}");
    }
    for (status, said) in
        [(429, Some(NotTaken::Unserved)), (401, Some(NotTaken::Unserved)), (500, None), (200, None)]
    {
        assert_eq!(NotTaken::of_status(status), said, "{status}");
    }
}

#[test]
fn a_token_is_called_by_its_name_on_its_own_chain_only() {
    for (token, chain, name) in [
        (tempo::PATH_USD, tempo::MAINNET, Some("pathUSD")),
        (tempo::PATH_USD, tempo::MODERATO, Some("pathUSD")),
        (tempo::USDC_E, tempo::MAINNET, Some("USDC.e")),
        (tempo::USDC_E, tempo::MODERATO, None),
        (signer().address(), tempo::MAINNET, None),
    ] {
        assert_eq!(tempo::token_name(token, chain), name, "{token} on {chain}");
    }
}

#[test]
fn an_expiry_is_the_same_second_wherever_it_is_told() {
    let request = base64url(&charge());
    for told in ["08:01:00Z", "08:01:00.999Z", "08:01:00-00:00", "10:31:00+02:30", "05:31:00-02:30"] {
        let expires = format!("2027-01-15T{told}");
        let mut parameters = parameters(&request);
        parameters[5].1 = &expires;
        assert_eq!(parse(&header(&parameters)).expires_at(), Some(NOW + 60), "{told}");
    }
}

#[test]
fn a_signature_from_elsewhere_is_taken_only_if_it_is_the_payers_for_this_payment() {
    let prepare = |salt| {
        let approval = policy().approve(challenge(&charge()), b"", NOW).expect("approved");
        approval.prepare(signer().address(), NOW, salt)
    };
    let payment = prepare(SALT);
    let good = signer().sign(&payment).to_bytes();
    let checked = |bytes, signer| Signature::checked(bytes, &payment, signer).map(|it| it.to_bytes());
    let with_v = |v: u8| {
        let mut bytes = good;
        bytes[64] = v;
        bytes
    };
    let payer = signer().address();
    assert_eq!(checked(good, payer), Ok(good));
    assert_eq!(checked(with_v(good[64] - 27), payer), Ok(good), "v as 0 or 1");
    for v in [2, 3, 26, 29, 30, 31, 37, 255] {
        assert_eq!(checked(with_v(v), payer), Err(SignatureError::Malformed), "{v}");
    }
    for r_or_s in [0..32, 32..64] {
        for byte in [0, 0xff] {
            let mut bytes = good;
            bytes[r_or_s.clone()].fill(byte);
            assert_eq!(checked(bytes, payer), Err(SignatureError::Malformed), "out of range or high");
        }
    }
    let wrong = Err(SignatureError::WrongSigner { expected: payer });
    assert_eq!(checked(with_v(27 + 28 - good[64]), payer), wrong, "the other v");
    assert_eq!(checked(signer().sign(&prepare(SALT + 1)).to_bytes(), payer), wrong, "of another payment");
    let other = LocalSigner::from_bytes(&[0x22; 32]).expect("a key");
    assert_eq!(checked(other.sign(&payment).to_bytes(), payer), wrong, "by another key");
}

#[test]
fn two_payments_of_the_same_terms_are_two_transactions() {
    let hashes = [1, 2, u64::MAX].map(|salt| {
        let approval = policy().approve(challenge(&charge()), b"", NOW).expect("approved");
        let unsigned = approval.prepare(signer().address(), NOW, salt);
        let valid_after = unsigned.transaction().expect("a transaction").valid_after.expect("the salt");
        assert!((1..=NOW - 3600).contains(&valid_after), "already valid: {valid_after}");
        unsigned.signing_hash()
    });
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
}

#[test]
fn the_most_specific_range_says_how_much_a_challenge_is_wanted() {
    for (field, method, intent, quality) in [
        (ACCEPT_PAYMENT, "tempo", "charge", 1000),
        (ACCEPT_PAYMENT, "tempo", "session", 0),
        ("", "tempo", "charge", 0),
        ("*/*", "tempo", "charge", 1000),
        ("*/*;q=0, tempo/*;q=0.5, tempo/charge;q=0.125", "tempo", "charge", 125),
        ("*/*;q=0, tempo/*;q=0.5, tempo/charge;q=0.125", "tempo", "session", 500),
        ("*/*;q=0, tempo/*;q=0.5, tempo/charge;q=0.125", "stripe", "charge", 0),
        ("*/charge;q=0.3, tempo/*;q=0.2", "tempo", "charge", 200),
        (" tempo/charge ; q=1.000 ,", "tempo", "charge", 1000),
        ("tempo/charge;Q=0.", "tempo", "charge", 0),
        ("*/*;q=1.0, tempo/*;q=0.5", "tempo", "charge", 500),
    ] {
        assert_eq!(accept_quality(field, method, intent), quality, "{field} for {method}/{intent}");
    }
    for malformed in
        ["tempo", "tempo/charge;q=2", "tempo/charge;q=1.001", "tempo/charge;q=0.1234", "a/b;c=1", "a/b;q=-1"]
    {
        assert_eq!(accept_quality(malformed, "stripe", "session"), 1000, "{malformed} is ignored");
    }
}

#[test]
fn a_problem_is_read_back_and_anything_else_is_none() {
    let problem = Problem::new(ProblemType::VerificationFailed, "The memo is not bound.", Some("id"));
    assert_eq!(Problem::parse(&problem.encode()), Some(problem.clone()));
    assert_eq!(
        (problem.kind(), problem.status()),
        ("https://paymentauth.org/problems/verification-failed", 402)
    );
    assert_eq!(problem.to_string(), "Verification Failed: The memo is not bound.");
    assert_eq!(ProblemType::MethodUnsupported.status(), 400);
    for body in
        ["", "<html>", "[]", "{}", r#"{"status":402}"#, r#"{"title":1}"#, r#"{"title":"a","title":"b"}"#]
    {
        assert_eq!(Problem::parse(body.as_bytes()), None, "{body}");
    }
    for member in ["type", "title", "detail"] {
        let body = json!({ member: "a word" }).to_string();
        assert!(Problem::parse(body.as_bytes()).is_some(), "{member} alone is enough");
    }
    let partial = Problem::parse(br#"{"detail":"no","status":70000}"#).expect("a problem");
    assert_eq!((partial.kind(), partial.detail(), partial.status()), ("about:blank", "no", 0));
    let long = json!({ "title": "x".repeat(64 * 1024) }).to_string();
    assert_eq!(Problem::parse(long.as_bytes()), None, "cut off, it is no JSON");
}
