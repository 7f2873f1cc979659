//! Conversations at random: whatever is answered, at most one payment is approved, it is within the policy and the first
//! that is, and what an answer says about the money follows from its status and its receipt alone.

use std::sync::LazyLock;

use mpp_core::exchange::{Exchange, Next, NotPaid, Outcome};
use mpp_core::tempo::{self, SignedPayment};
use mpp_core::{Amount, Challenge, Policy, Receipt};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::properties::{request, shown};
use crate::support::{
    NOW, RECIPIENT, STRANGER, base64url, challenge, charge, header, parameters, pay, policy,
};

/// A `WWW-Authenticate` field: an offer, one that wants another field, one that breaks off, or any text.
fn field() -> impl Strategy<Value = String> {
    let offer = || {
        let recipient = prop::sample::select(vec![RECIPIENT, STRANGER]);
        (request(), recipient).prop_map(|(mut request, recipient)| {
            request["recipient"] = json!(recipient);
            header(&parameters(&base64url(&request)))
        })
    };
    prop_oneof![
        4 => offer(),
        1 => offer().prop_map(|offer| offer + ", header=\"Payment-Authorization\""),
        1 => offer().prop_map(|offer| offer + ", digest=\"sha-256=:AAAA:\""),
        1 => (offer(), any::<prop::sample::Index>()).prop_map(|(mut offer, at)| {
            offer.truncate(at.index(offer.len()));
            offer
        }),
        1 => shown(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4 * ProptestConfig::default().cases, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_is_paid_only_if_it_asks_for_it_and_only_by_the_first_offer_the_policy_allows(
        status in prop_oneof![3 => Just(402), 1 => 0..1000_u16],
        fields in prop::collection::vec(field(), 0..6),
        (cap, only_recipient, only_realm) in (prop_oneof![0..50_000_u128, any::<u128>()], any::<bool>(), any::<bool>()),
        (secure, repeatable, has_authorization) in (any::<bool>(), any::<bool>(), any::<bool>()),
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "DELETE", "get", "PATCH"]),
        now in NOW..NOW + 70,
    ) {
        let mut policy = Policy::new(tempo::MAINNET, [tempo::PATH_USD], Amount::from_base_units(cap));
        let recipient = RECIPIENT.parse().expect("an address");
        if only_recipient {
            policy = policy.recipients([recipient]);
        }
        if only_realm {
            policy = policy.realms(["api.example.com"]);
        }
        let body = repeatable.then_some(&b"a body"[..]);
        let exchange = Exchange { method, body, secure, has_authorization, policy: &policy };
        let payable = |challenge: &Challenge| {
            let free = !has_authorization || challenge.credential_header() != "Authorization";
            free && policy.approve(challenge.clone(), b"a body", now).is_ok()
        };
        let offers: Vec<_> = Challenge::parse_all(&fields).into_iter().flatten().collect();
        let expected = offers.iter().find(|challenge| payable(challenge));
        match exchange.answered(status, &fields, now) {
            Ok(Next::Deliver) => prop_assert_ne!(status, 402),
            Ok(Next::Pay { approval, idempotency_key }) => {
                prop_assert_eq!((status, secure, repeatable), (402, true, true));
                prop_assert_eq!(Some(approval.challenge()), expected);
                prop_assert_eq!(idempotency_key, !["GET", "HEAD"].contains(&method));
                let (charge, quote) = (approval.charge(), approval.quote());
                let moved: u128 = quote.transfers.iter().map(|transfer| transfer.amount.base_units()).sum();
                prop_assert_eq!(moved, charge.amount().base_units());
                prop_assert!(moved <= cap && quote.fee_ceiling <= Amount::from_base_units(100_000));
                prop_assert_eq!((quote.chain_id, quote.token), (tempo::MAINNET, tempo::PATH_USD));
                prop_assert!(!only_recipient || quote.transfers.iter().all(|transfer| transfer.to == recipient));
                prop_assert!(moved > 0 || only_realm, "a proof for a realm that nobody named");
                prop_assert!(approval.challenge().expires_at().is_some_and(|end| end >= now + 5));
            }
            Err(why) => {
                prop_assert_eq!(status, 402);
                prop_assert!(expected.is_none() || !secure || !repeatable, "{}", why);
                prop_assert_eq!(why == NotPaid::Insecure, !secure);
            }
        }
    }

    #[test]
    fn a_receipt_for_the_payment_says_paid_and_without_one_only_success_says_anything(
        (kind, status) in (0..PAYMENTS.len(), 0..1000_u16),
        word in word(),
    ) {
        let payment = &PAYMENTS[kind];
        let receipt = word.said_of(payment);
        let outcome = payment.answered(status, receipt.as_deref().map(str::as_bytes));
        let success = (200..300).contains(&status);
        // A sponsored payment's hash is anybody's to say, and a challenge's id is no secret.
        let believed = success || payment.hash().is_some();
        match (word, success) {
            (Word::Own, _) if believed => prop_assert!(matches!(outcome, Outcome::Paid(_)), "{:?}", outcome),
            (Word::Nothing, true) => prop_assert_eq!(outcome, Outcome::Accepted),
            (_, true) => prop_assert!(matches!(outcome, Outcome::WrongReceipt(_)), "{:?}", outcome),
            (_, false) => prop_assert_eq!(outcome, Outcome::Unknown),
        }
    }
}

/// What an answer says of a payment.
#[derive(Clone, Debug)]
enum Word {
    Nothing,
    /// A receipt for it, with terms or without.
    Own,
    /// A receipt for something else.
    Other,
    /// A receipt for it, one member of it wrong.
    But(&'static str, Value),
    /// No receipt.
    Garbage(String),
}

fn word() -> impl Strategy<Value = Word> {
    let wrong = vec![
        ("status", json!("pending")),
        ("method", json!("stripe")),
        ("amount", json!("9999")),
        ("currency", json!(STRANGER)),
        ("payer", json!(STRANGER)),
        ("timestamp", Value::Null),
    ];
    prop_oneof![
        Just(Word::Nothing),
        Just(Word::Own),
        Just(Word::Other),
        prop::sample::select(wrong).prop_map(|(member, value)| Word::But(member, value)),
        shown().prop_map(Word::Garbage),
    ]
}

impl Word {
    fn said_of(&self, payment: &SignedPayment) -> Option<String> {
        let settled = || match (payment.transaction(), payment.hash()) {
            (None, _) => payment.challenge().id().to_owned(),
            (Some(_), hash) => hash.unwrap_or_default().to_string(),
        };
        let receipt = |reference: String| {
            let quote = payment.quote();
            Receipt::new(reference, NOW, None).paid(quote.amount, quote.token, payment.payer()).encode()
        };
        match self {
            Word::Nothing => None,
            Word::Own => Some(receipt(settled())),
            Word::Other => Some(receipt(String::from("0x05"))),
            Word::But(member, value) => {
                let mut receipt = crate::support::decoded(&receipt(settled()));
                receipt[member] = value.clone();
                Some(base64url(&receipt))
            }
            Word::Garbage(text) => Some(text.clone()),
        }
    }
}

/// A payment by transaction, one that is pushed, one with a sponsor, and a proof.
static PAYMENTS: LazyLock<[SignedPayment; 4]> = LazyLock::new(|| {
    let [mut pushed, mut sponsored, mut nothing] = [(); 3].map(|()| charge());
    pushed["methodDetails"]["supportedModes"] = json!(["push"]);
    sponsored["methodDetails"]["feePayer"] = json!(true);
    nothing["amount"] = json!("0");
    let policy = policy().realms(["api.example.com"]).push(true);
    [charge(), pushed, sponsored, nothing].map(|request| pay(&policy, challenge(&request)))
});
