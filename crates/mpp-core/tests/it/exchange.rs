//! The decisions of the pay-and-retry conversation, one by one: when nothing is paid, what is paid, and what an answer
//! says about the money.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mpp_core::error::{ReceiptError, Refusal};
use mpp_core::exchange::{Exchange, Next, NotPaid, Outcome, Reason};
use mpp_core::tempo::{self, SignedPayment};
use mpp_core::{Amount, Approval, Decision, Policy, Receipt};
use serde_json::{Value, json};

use crate::support::{NOW, STRANGER, base64url, challenge, charge, decoded, header, parameters, pay, policy};

fn get(policy: &Policy) -> Exchange<'_> {
    Exchange { method: "GET", body: Some(b""), secure: true, has_authorization: false, policy }
}

/// A good field with another id and amount.
fn field(id: &str, amount: &str) -> String {
    let mut request = charge();
    request["amount"] = json!(amount);
    let request = base64url(&request);
    let mut parameters = parameters(&request);
    parameters[0].1 = id;
    header(&parameters)
}

fn approved(next: Result<Next, NotPaid>) -> Approval {
    match next.expect("approved") {
        Next::Pay { approval, .. } => *approval,
        Next::Deliver => panic!("nothing to pay"),
    }
}

#[test]
fn any_answer_but_402_is_delivered_whatever_it_asks_for() {
    for status in [200, 204, 301, 303, 400, 401, 403, 404, 407, 429, 500, 503] {
        let next = get(&policy()).answered(status, [field("a", "1")], NOW);
        assert!(matches!(next, Ok(Next::Deliver)), "{status}");
    }
}

#[test]
fn a_402_is_not_paid_over_an_insecure_connection_or_for_a_body_that_is_gone() {
    let policy = policy().ask(|_| unreachable!("nobody is asked"));
    let insecure = Exchange { secure: false, ..get(&policy) };
    assert_eq!(insecure.answered(402, [field("a", "1")], NOW).map(drop), Err(NotPaid::Insecure));
    let one_shot = Exchange { body: None, ..get(&policy) };
    assert_eq!(one_shot.answered(402, [field("a", "1")], NOW).map(drop), Err(NotPaid::NotRepeatable));
}

#[test]
fn a_402_without_a_payment_challenge_is_not_paid() {
    for fields in [vec![], vec!["Bearer realm=\"x\""], vec!["", ",", "Basic x=y, Bearer"]] {
        assert_eq!(get(&policy()).answered(402, fields, NOW).map(drop), Err(NotPaid::NoChallenge));
    }
}

#[test]
fn of_several_challenges_the_first_that_is_allowed_is_paid() {
    let fields = [
        field("dear", "1000001"),
        String::from("Payment id=\"broken\""),
        field("good", "2"),
        field("later", "1"),
    ];
    let approval = approved(get(&policy()).answered(402, fields, NOW));
    assert_eq!(approval.challenge().id(), "good");
}

#[test]
fn of_several_challenges_without_a_good_one_every_reason_is_given() {
    let fields =
        [field("dear", "1000001"), String::from("Payment id=\"broken\""), field("dearer", "2000000")];
    let refused = get(&policy()).answered(402, fields, NOW).map(drop).expect_err("refused");
    let NotPaid::Refused(reasons) = &refused else { panic!("{refused}") };
    assert!(matches!(
        &reasons[..],
        [
            Reason::Policy(Refusal::OverCap { .. }),
            Reason::Malformed(_),
            Reason::Policy(Refusal::OverCap { .. })
        ]
    ));
    assert_eq!(
        refused.to_string(),
        "payment refused: asks for 1.000001 dollars, the policy allows 1.00 a call; payment challenge in \
         WWW-Authenticate field 1: parameter realm is missing; asks for 2.00 dollars, the policy allows 1.00 a call"
    );
}

#[test]
fn of_many_reasons_as_many_are_told_as_can_be_read() {
    let of = |length: usize| Reason::Policy(Refusal::Realm { asked: "x".repeat(length) });
    let told = |reasons: Vec<Reason>| NotPaid::Refused(reasons).to_string();
    let start = "payment refused: ".len();
    let five = |last: usize| vec![of(150), of(150), of(150), of(150), of(last)];
    let last = start + 1000 - told(five(0)).len();
    assert_eq!(told(five(last)).len(), start + 1000);
    // Behind a thousand letters there is room for one reason more, behind one letter more there is none.
    for (last, count) in [(last, 6), (last + 1, 5)] {
        let told = told([five(last), vec![of(1), of(1)]].concat());
        assert_eq!(told.matches("comes from realm").count(), count, "{told}");
        assert!(told.ends_with("not list; and more"), "{told}");
    }
}

#[test]
fn a_no_of_the_hook_ends_it() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let policy = policy().ask(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Decision::Decline
    });
    let refused = get(&policy).answered(402, [field("a", "1"), field("b", "2")], NOW).map(drop);
    assert_eq!(refused, Err(NotPaid::Refused(vec![Reason::Policy(Refusal::Declined)])));
    assert_eq!(asked.load(Ordering::Relaxed), 1, "asked again for the second challenge");
}

#[test]
fn a_credential_never_replaces_the_requests_own_authorization() {
    let policy = policy();
    let authorized = || Exchange { has_authorization: true, ..get(&policy) };
    let refused = authorized().answered(402, [field("a", "1")], NOW).map(drop);
    assert_eq!(refused, Err(NotPaid::Refused(vec![Reason::AuthorizationInUse])));
    let other = field("b", "1") + ", header=\"payment-authorization\"";
    let approval = approved(authorized().answered(402, [field("a", "1"), other], NOW));
    assert_eq!(approval.challenge().credential_header(), "Payment-Authorization");
}

#[test]
fn methods_that_change_something_get_an_idempotency_key() {
    for (method, expected) in
        [("GET", false), ("HEAD", false), ("POST", true), ("PUT", true), ("DELETE", true), ("get", true)]
    {
        let policy = policy();
        let next = Exchange { method, ..get(&policy) }.answered(402, [field("a", "1")], NOW);
        let Ok(Next::Pay { idempotency_key, .. }) = next else { panic!("not paid") };
        assert_eq!(idempotency_key, expected, "{method}");
    }
}

#[test]
fn a_digest_is_checked_against_the_body_that_is_sent_again() {
    let digest = mpp_core::payee::body_digest(b"the body");
    let field = field("a", "1") + &format!(", digest=\"{digest}\"");
    let policy = policy();
    let post =
        |body| Exchange { method: "POST", body: Some(body), ..get(&policy) }.answered(402, [&field], NOW);
    assert!(post(b"the body").is_ok());
    let refused = post(b"another").map(drop);
    assert_eq!(refused, Err(NotPaid::Refused(vec![Reason::Policy(Refusal::Digest)])));
}

/// A payment by transaction, one with a sponsor, and a proof.
fn payments() -> [SignedPayment; 3] {
    let (mut sponsored, mut nothing) = (charge(), charge());
    sponsored["methodDetails"]["feePayer"] = json!(true);
    nothing["amount"] = json!("0");
    let policy = policy().realms(["api.example.com"]);
    [charge(), sponsored, nothing].map(|request: Value| pay(&policy, challenge(&request)))
}

#[test]
fn a_receipt_for_the_payment_confirms_it() {
    let [transaction, sponsored, proof] = payments();
    let receipt = |reference: &str| Receipt::new(reference, NOW, None);
    let hash = transaction.hash().expect("a hash").to_string();
    let of_the_sponsor = format!("0x{}", "5".repeat(64));
    for (payment, reference) in
        [(&transaction, &*hash), (&sponsored, &*of_the_sponsor), (&proof, "challenge-123")]
    {
        let answered = payment.answered(200, Some(receipt(reference).encode().as_bytes()));
        assert_eq!(answered, Outcome::Paid(receipt(reference)));
    }
    // Hexadecimal in capitals is the same hash.
    let capitals = format!("0x{}", hash[2..].to_uppercase());
    assert!(matches!(
        transaction.answered(201, Some(receipt(&capitals).encode().as_bytes())),
        Outcome::Paid(_)
    ));
}

#[test]
fn a_receipt_for_something_else_confirms_nothing() {
    let [transaction, sponsored, proof] = payments();
    let other = Receipt::new(format!("0x{}", "5".repeat(64)), NOW, None).encode();
    let id = Receipt::new("challenge-123", NOW, None).encode();
    for (payment, receipt) in
        [(&transaction, &other), (&transaction, &id), (&sponsored, &id), (&proof, &other)]
    {
        let answered = payment.answered(200, Some(receipt.as_bytes()));
        assert_eq!(answered, Outcome::WrongReceipt(ReceiptError::Reference));
        assert_eq!(payment.answered(500, Some(receipt.as_bytes())), Outcome::Unknown);
    }
}

#[test]
fn a_receipt_that_names_other_terms_than_were_signed_confirms_nothing() {
    let [payment, ..] = payments();
    let receipt = || Receipt::new(payment.hash().expect("a hash").to_string(), NOW, None);
    let (amount, token, payer) = (payment.quote().amount, payment.quote().token, payment.payer());
    let good = receipt().paid(amount, token, payer);
    assert_eq!(payment.answered(200, Some(good.encode().as_bytes())), Outcome::Paid(good.clone()));
    let less = Amount::from_base_units(9_999);
    for (receipt, member) in [
        (receipt().paid(less, token, payer), "amount"),
        (receipt().paid(amount, tempo::USDC_E, payer), "currency"),
        (receipt().paid(amount, token, tempo::PATH_USD), "payer"),
    ] {
        let answered = payment.answered(200, Some(receipt.encode().as_bytes()));
        assert_eq!(answered, Outcome::WrongReceipt(ReceiptError::Terms(member)));
    }
    // Each counts by itself, and addresses in any letter case.
    let alone = |member: &str, value: &str| {
        let mut json = decoded(&receipt().encode());
        json[member] = json!(value);
        payment.answered(200, Some(base64url(&json).as_bytes()))
    };
    assert_eq!(decoded(&good.encode())["amount"], "10000");
    assert_eq!(alone("payer", STRANGER), Outcome::WrongReceipt(ReceiptError::Terms("payer")));
    for value in [payer.to_string(), format!("0x{}", payer.to_string()[2..].to_lowercase())] {
        assert!(matches!(alone("payer", &value), Outcome::Paid(_)), "{value}");
    }
    assert_eq!(alone("amount", "0.01"), Outcome::WrongReceipt(ReceiptError::Member("amount")));
}

#[test]
fn a_receipt_on_a_failure_counts_only_when_it_names_what_nobody_else_knows() {
    let [transaction, sponsored, proof] = payments();
    let receipt = Receipt::new(transaction.hash().expect("a hash").to_string(), NOW, None);
    for status in [302, 402, 404, 502] {
        let answered = transaction.answered(status, Some(receipt.encode().as_bytes()));
        assert_eq!(answered, Outcome::Paid(receipt.clone()), "{status}");
        // Any hash would do here, and the challenge's id is no secret.
        assert_eq!(sponsored.answered(status, Some(receipt.encode().as_bytes())), Outcome::Unknown);
        let id = Receipt::new("challenge-123", NOW, None).encode();
        assert_eq!(proof.answered(status, Some(id.as_bytes())), Outcome::Unknown);
    }
}

#[test]
fn without_a_receipt_success_is_success_and_failure_says_nothing() {
    for payment in payments() {
        assert_eq!(payment.answered(200, None), Outcome::Accepted);
        assert_eq!(payment.answered(204, None), Outcome::Accepted);
        for status in [100, 303, 400, 402, 403, 404, 500, 503] {
            assert_eq!(payment.answered(status, None), Outcome::Unknown, "{status}");
        }
    }
}

#[test]
fn a_receipt_that_is_none_is_reported() {
    let [payment, ..] = payments();
    let with = |member: &str, value: Value| {
        let hash = payment.hash().expect("a hash").to_string();
        let mut receipt = json!({ "status": "success", "method": "tempo", "reference": hash, "timestamp": "2027-01-15T08:00:00Z" });
        receipt[member] = value;
        base64url(&receipt)
    };
    assert!(matches!(payment.answered(200, Some(with("more", json!({})).as_bytes())), Outcome::Paid(_)));
    // Three bytes are four letters: the longest that is read.
    let room = 3 * 4096 - decoded(&with("more", json!(""))).to_string().len();
    let longest = with("more", json!("x".repeat(room)));
    assert_eq!(longest.len(), 16 * 1024);
    assert!(matches!(payment.answered(200, Some(longest.as_bytes())), Outcome::Paid(_)));
    for (value, error) in [
        (with("status", json!("failed")), ReceiptError::Status),
        (with("status", json!(200)), ReceiptError::Member("status")),
        (with("method", json!("stripe")), ReceiptError::Method),
        (with("reference", json!(null)), ReceiptError::Member("reference")),
        (with("timestamp", json!(0)), ReceiptError::Member("timestamp")),
        (with("amount", json!(10_000)), ReceiptError::Member("amount")),
        (with("currency", json!("USD")), ReceiptError::Member("currency")),
        (with("payer", json!([])), ReceiptError::Member("payer")),
        (String::from("W10"), ReceiptError::Encoding("is not a JSON object")),
        (String::from("!"), ReceiptError::Encoding("is not base64url")),
        ("A".repeat(16 * 1024 + 1), ReceiptError::Encoding("is too long")),
    ] {
        assert_eq!(payment.answered(200, Some(value.as_bytes())), Outcome::WrongReceipt(error), "{value}");
        assert_eq!(payment.answered(502, Some(value.as_bytes())), Outcome::Unknown, "{value}");
    }
}
