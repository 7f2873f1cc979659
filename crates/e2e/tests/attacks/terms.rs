//! Attacks in what is asked for: the price, the parties, the conditions, and the time.

use alloy_primitives::B256;
use e2e::{CHAIN_ID, Heard, PATH_USD, RECIPIENT, Reply, SPLIT_RECIPIENT, Then};
use mpp_core::error::{ChargeError, Fault, Refusal};
use mpp_core::exchange::Reason;
use mpp_core::payee::body_digest;
use mpp_core::{Amount, Decision};
use mpp_http::Money;
use serde_json::{Value, json};

use crate::attack::{Attack, Ending, accepted, answered};
use crate::demand::{CENT, asks, plain, required, with, without};

pub(crate) fn attacks() -> Vec<Attack> {
    [prices(), parties(), splits(), conditions(), times(), offers(), proofs()].into_iter().flatten().collect()
}

fn prices() -> Vec<Attack> {
    let dear = |asked: u128| {
        move |reason: &Reason| {
            let over = Refusal::OverCap { asked: Amount::from_base_units(asked), allowed: CENT };
            *reason == Reason::Policy(over)
        }
    };
    let mut attacks = vec![
        asking("price one base unit above the cap", json!({ "amount": "10001" })).ends_refused(dear(10_001)),
        asking("price of 2^128 - 1", json!({ "amount": u128::MAX.to_string() }))
            .ends_refused(dear(u128::MAX)),
        asking("price as a number", json!({ "amount": 10_000 })).ends_refused(member("amount")),
        asking("no price", json!({ "amount": null }))
            .ends_refused(charge(|why| *why == ChargeError::Missing { field: "amount" })),
    ];
    let unreadable = [
        ("with a fraction", "1.5"),
        ("below zero", "-10000"),
        ("with a leading plus", "+10000"),
        ("with a leading zero", "010000"),
        ("with an exponent", "1e4"),
        ("in hexadecimal", "0x2710"),
        ("of nothing at all", ""),
        ("behind a space", " 10000"),
        ("in other digits", "\u{661}\u{660}"),
        ("of 2^128", "340282366920938463463374607431768211456"),
        ("of 2^256", "115792089237316195423570985008687907853269984665640564039457584007913129639936"),
    ];
    attacks.extend(unreadable.map(|(how, amount)| {
        asking(format!("price {how}"), json!({ "amount": amount }))
            .ends_refused(charge(|why| matches!(why, ChargeError::Amount { .. })))
    }));
    attacks
}

fn parties() -> Vec<Attack> {
    let stranger = SPLIT_RECIPIENT.address;
    let refused = |expected: Refusal| move |reason: &Reason| *reason == Reason::Policy(expected.clone());
    vec![
        asking("another token", json!({ "currency": stranger }))
            .ends_refused(refused(Refusal::Token { asked: stranger })),
        asking("token by its name", json!({ "currency": "pathUSD" })).ends_refused(member("currency")),
        asking("another chain", json!({ "methodDetails": { "chainId": 4217 } }))
            .ends_refused(refused(Refusal::Chain { asked: 4217, allowed: CHAIN_ID })),
        asking("chain as a string", json!({ "methodDetails": { "chainId": "31337" } }))
            .ends_refused(member("methodDetails.chainId")),
        asking("chain 2^64 + 31337", json!({ "methodDetails": { "chainId": 1.844674407370958e19 } }))
            .ends_refused(member("methodDetails.chainId")),
        asking("no chain", json!({ "methodDetails": { "chainId": null } })).ends_paid(accepted),
        asking("another recipient than those known", json!({ "recipient": stranger }))
            .policy(|policy| policy.recipients([RECIPIENT.address]))
            .ends_refused(refused(Refusal::Recipient { asked: stranger })),
        asking("recipient cut short", json!({ "recipient": "0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E" }))
            .ends_refused(member("recipient")),
        Attack::asking("another realm than those known", &[with(&plain(), "realm", "shop.test.thief")])
            .policy(|policy| policy.realms(["shop.test"]))
            .ends_refused(refused(Refusal::Realm { asked: "shop.test.thief".to_owned() })),
        asking("memo of the server's own", json!({ "methodDetails": { "memo": B256::repeat_byte(1) } }))
            .ends_paid(|payment| payment.memo() == Some(B256::repeat_byte(1))),
        asking("memo of 31 bytes", json!({ "methodDetails": { "memo": format!("0x{}", "11".repeat(31)) } }))
            .ends_refused(member("memo")),
    ]
}

fn splits() -> Vec<Attack> {
    let split = |amount: &str| json!({ "amount": amount, "recipient": SPLIT_RECIPIENT.address });
    let splits = |splits: Vec<Value>| json!({ "methodDetails": { "splits": splits } });
    let refused = || member("methodDetails.splits");
    let half = "170141183460469231731687303715884105728";
    vec![
        asking("splits of the whole price", splits(vec![split("9999"), split("1")])).ends_refused(refused()),
        asking("splits above the price", splits(vec![split("10001")])).ends_refused(refused()),
        asking("splits that sum to 2^128", splits(vec![split(half), split(half)])).ends_refused(refused()),
        asking("eleven splits", splits(vec![split("1"); 11])).ends_refused(refused()),
        asking("no entry in the splits", splits(vec![])).ends_refused(refused()),
        asking("splits that are no list", json!({ "methodDetails": { "splits": split("1") } }))
            .ends_refused(refused()),
        asking("split of nothing", splits(vec![split("0")]))
            .ends_refused(member("methodDetails.splits[].amount")),
        asking("split below zero", splits(vec![split("-1")]))
            .ends_refused(charge(|why| matches!(why, ChargeError::Amount { .. }))),
        asking("split to a stranger", splits(vec![split("1")]))
            .policy(|policy| policy.recipients([RECIPIENT.address]))
            .ends_refused(policy(
                |why| matches!(why, Refusal::Recipient { asked } if *asked == SPLIT_RECIPIENT.address),
            )),
        asking("ten splits, each with its gas", splits(vec![split("1"); 10]))
            .policy(|policy| policy.max_fee(Amount::from_base_units(99_999)))
            .ends_refused(policy(|why| matches!(why, Refusal::Fee { .. }))),
        asking("split of all but one unit", splits(vec![split("9999")])).ends_paid(accepted),
    ]
}

fn conditions() -> Vec<Attack> {
    let details = |details: Value| json!({ "methodDetails": details });
    let push_only = || policy(|why| *why == Refusal::PushOnly);
    let sponsored = move || asks(details(json!({ "feePayer": true })));
    vec![
        asking("fee above what is allowed", json!({}))
            .policy(|policy| policy.max_fee(Amount::from_base_units(24_999)))
            .ends_refused(policy(|why| matches!(why, Refusal::Fee { .. }))),
        asking("feePayer as a string", details(json!({ "feePayer": "true" })))
            .ends_refused(member("methodDetails.feePayer")),
        asking("feePayer as a number", details(json!({ "feePayer": 1 })))
            .ends_refused(member("methodDetails.feePayer")),
        asking(
            "feePayer, and to be pushed",
            details(json!({ "feePayer": true, "supportedModes": ["push"] })),
        )
        .policy(|policy| policy.push(true))
        .ends_refused(push_only()),
        asking("to be pushed", details(json!({ "supportedModes": ["push"] }))).ends_refused(push_only()),
        asking("modes of another protocol", details(json!({ "supportedModes": ["drain"] })))
            .ends_refused(member("methodDetails.supportedModes")),
        Attack::asking("feePayer who broadcasts nothing", &[sponsored()]).ends_paid(accepted).costs_nothing(),
        Attack::on("feePayer who made up a receipt for a failure", move |heard, _| {
            match heard.credential() {
                None => required(&[sponsored()]),
                Some(_) => Reply::new(500, &[("payment-receipt", &heard.receipt().encode())], ""),
            }
        })
        .ends_unknown(answered(500))
        .costs_nothing(),
        Attack::asking("digest of another body", &[with(&plain(), "digest", &body_digest(b"other"))])
            .ends_refused(policy(|why| *why == Refusal::Digest)),
        Attack::asking("digest of another body, for a POST", &[with(&plain(), "digest", &body_digest(b""))])
            .post()
            .ends_refused(policy(|why| *why == Refusal::Digest)),
        Attack::asking(
            "digest by an unknown rule",
            &[with(&plain(), "digest", "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:")],
        )
        .ends_refused(parameter("digest")),
        Attack::asking("digest cut short", &[with(&plain(), "digest", "sha-256=:47DEQpj8HBSa:")])
            .ends_refused(parameter("digest")),
    ]
}

fn times() -> Vec<Attack> {
    let expired = || policy(|why| matches!(why, Refusal::Expired { .. }));
    let until = |name: &str, expires: &str| Attack::asking(name, &[with(&plain(), "expires", expires)]);
    let mut attacks = vec![
        until("expired years ago", "2020-01-01T00:00:00Z").ends_refused(expired()),
        Attack::asking("expires in a second", &[e2e::demand(CENT, None, 1).encode()]).ends_refused(expired()),
        until("expired, by its offset", "2020-01-01T23:59:59+23:59").ends_refused(expired()),
        Attack::asking("never expires", &[without(&plain(), "expires")]).ends_paid(accepted),
        until("expires in the year 9999", "9999-12-31T23:59:59Z").ends_paid(accepted),
    ];
    let unreadable = [
        ("in words", "tomorrow"),
        ("in Unix seconds", "4102444800"),
        ("in a thirteenth month", "2099-13-01T00:00:00Z"),
        ("nowhere", "2099-01-01T00:00:00"),
        ("at no time at all", ""),
    ];
    attacks.extend(
        unreadable.map(|(how, expires)| {
            until(&format!("expires {how}"), expires).ends_refused(parameter("expires"))
        }),
    );
    attacks
}

fn offers() -> Vec<Attack> {
    let dear = asks(json!({ "amount": "10001" }));
    let broken = "Payment id=\"\", realm=\"x\"".to_owned();
    let unsupported = || charge(|why| *why == ChargeError::Unsupported);
    let first = e2e::demand(CENT, None, 300);
    vec![
        Attack::asking("another intent", &[with(&plain(), "intent", "subscription")])
            .ends_refused(unsupported()),
        Attack::asking("another method", &[with(&plain(), "method", "stripe")]).ends_refused(unsupported()),
        Attack::asking("two valid challenges", &[first.encode(), plain()])
            .ends_paid(move |payment| payment.quote().challenge_id == first.id()),
        Attack::asking("two valid challenges in one field", &[[plain(), plain()].join(", ")])
            .ends_paid(accepted),
        Attack::asking("the same challenge 50 times", &vec![plain(); 50]).ends_paid(accepted),
        Attack::asking("a good challenge behind bad ones", &[&dear, &broken, "Basic realm=\"y\"", &plain()])
            .ends_paid(accepted),
        Attack::asking("another method beside tempo", &[with(&plain(), "method", "stripe"), plain()])
            .ends_paid(accepted),
        Attack::asking("more offers for who declines", &vec![plain(); 20])
            .policy(|policy| policy.ask(|_| Decision::Decline))
            .ends_refused(policy(|why| *why == Refusal::Declined)),
    ]
}

fn proofs() -> Vec<Attack> {
    vec![
        Attack::asking("proof for a realm nobody spoke of", &[nothing()])
            .ends_refused(policy(|why| matches!(why, Refusal::Realm { .. }))),
        Attack::asking(
            "proof with a split of it",
            &[asks(json!({
                "amount": "0",
                "methodDetails": { "splits": [{ "amount": "1", "recipient": PATH_USD }] },
            }))],
        )
        .policy(|policy| policy.realms(["shop.test"]))
        .ends_refused(member("methodDetails.splits")),
        proof_then("proof, then a failure", |_| Reply::new(500, &[], "")),
        proof_then("proof, then a price", |_| required(&[plain()])),
        proof_then("proof, then a cut", |_| Reply::raw("").then(Then::Close)).sent_twice(),
    ]
}

/// A server that may ask for a proof of identity, gets it, and does as `script` says.
fn proof_then(name: &str, script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> Attack {
    let attack = Attack::on(name, move |heard, _| match heard.credential() {
        None => required(&[nothing()]),
        Some(_) => script(heard),
    });
    let ends =
        |ending: &Ending| ending.as_ref().is_err_and(|error| error.to_string() == "nothing was to be paid");
    let attack = attack.policy(|policy| policy.realms(["shop.test"])).ends_signed(&[Money::NotMoved], ends);
    attack.with_payment(|payment| payment.hash().is_none()).costs_nothing()
}

fn nothing() -> String {
    e2e::demand(Amount::ZERO, None, 300).encode()
}

fn asking(name: impl Into<String>, patch: Value) -> Attack {
    Attack::asking(name, &[asks(patch)])
}

/// The policy said no, like this.
pub(crate) fn policy(why: impl Fn(&Refusal) -> bool + Send) -> impl Fn(&Reason) -> bool + Send {
    move |reason| matches!(reason, Reason::Policy(refusal) if why(refusal))
}

/// The request can't be read, for this reason.
pub(crate) fn charge(why: impl Fn(&ChargeError) -> bool + Send) -> impl Fn(&Reason) -> bool + Send {
    policy(move |refusal| matches!(refusal, Refusal::Charge(error) if why(error)))
}

/// This member of the request is wrong.
fn member(name: &'static str) -> impl Fn(&Reason) -> bool + Send {
    charge(move |error| matches!(error, ChargeError::Invalid { field, .. } if *field == name))
}

/// This parameter of the challenge is wrong.
pub(crate) fn parameter(name: &'static str) -> impl Fn(&Reason) -> bool + Send {
    malformed(move |fault| matches!(fault, Fault::Invalid { parameter, .. } if *parameter == name))
}

/// The challenge can't be read, for this reason.
pub(crate) fn malformed(why: impl Fn(&Fault) -> bool + Send) -> impl Fn(&Reason) -> bool + Send {
    move |reason| matches!(reason, Reason::Malformed(error) if why(&error.fault))
}
