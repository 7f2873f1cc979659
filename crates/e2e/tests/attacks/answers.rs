//! Attacks by what is answered to the credential: another demand, a failure, and words about it.

use e2e::{Reply, SPLIT_RECIPIENT};
use mpp_core::payee::ProblemType;
use mpp_core::{Amount, Problem};
use serde_json::json;

use crate::attack::{Attack, accepted, answered};
use crate::demand::{asks, plain, required, with};

pub(crate) fn attacks() -> Vec<Attack> {
    [second_demands(), failures(), words()].into_iter().flatten().collect()
}

fn second_demands() -> Vec<Attack> {
    let generous = Amount::from_base_units(1_000_000);
    let then = |name: &str, second: fn() -> String| {
        Attack::once_paid(name, move |_| required(&[second()]))
            .policy(|policy| policy.recipients([e2e::RECIPIENT.address, SPLIT_RECIPIENT.address]))
            .ends_unknown(answered(402))
    };
    let same = plain();
    vec![
        Attack::on("a fresh 402 to every request", |_, _| required(&[plain()])).ends_unknown(answered(402)),
        Attack::on("the same challenge to every request", move |_, _| required(&[&same]))
            .ends_unknown(answered(402)),
        then("price raised after paying", || asks(json!({ "amount": "20000" })))
            .policy(|_| mpp_core::Policy::new(e2e::CHAIN_ID, [e2e::PATH_USD], generous)),
        then("price lowered after paying", || asks(json!({ "amount": "1" }))),
        then("recipient swapped after paying", || asks(json!({ "recipient": SPLIT_RECIPIENT.address }))),
        then("realm swapped after paying", || with(&plain(), "realm", "shop.example")),
        then("credential wanted in another field after paying", || {
            with(&plain(), "header", "Payment-Authorization")
        }),
        Attack::once_paid("402 that says the credential was malformed", |_| {
            let problem = Problem::new(ProblemType::MalformedCredential, "once more, please", None).encode();
            Reply::new(
                402,
                &[("www-authenticate", &plain()), ("content-type", "application/problem+json")],
                problem,
            )
        })
        .ends_unknown(answered(402)),
        Attack::once_paid("402 to be repeated at once", |_| {
            Reply::new(402, &[("www-authenticate", &plain()), ("retry-after", "0")], "")
        })
        .ends_unknown(answered(402)),
        Attack::on("a push to every request", |_, _| {
            required(&[asks(json!({ "methodDetails": { "supportedModes": ["push"] } }))])
        })
        .pushes()
        .ends_paid_and_lost(answered(402)),
        Attack::on("a fresh 402 to every POST", |_, _| required(&[plain()]))
            .post()
            .ends_unknown(answered(402)),
    ]
}

fn failures() -> Vec<Attack> {
    let statuses = [400, 401, 403, 404, 407, 408, 409, 410, 421, 425, 429, 500, 502, 503, 504];
    let failure = |status: u16| {
        Attack::once_paid(format!("{status} after paying"), move |_| {
            let fields = [("retry-after", "0"), ("www-authenticate", &*plain())];
            Reply::new(status, &fields, "no")
        })
        .ends_unknown(move |failure| {
            let said = |body: &[u8]| body == b"no";
            answered(status)(failure)
                && matches!(failure, mpp_http::Failure::Status { body, .. } if said(body))
        })
    };
    statuses.into_iter().map(failure).collect()
}

fn words() -> Vec<Attack> {
    let echo = |heard: &e2e::Heard| heard.header("authorization").unwrap_or_default().to_owned();
    vec![
        Attack::once_paid("credential echoed in a failure", move |heard| Reply::new(500, &[], echo(heard)))
            .ends_unknown(answered(500)),
        Attack::once_paid("credential echoed in a problem", move |heard| {
            let problem = Problem::new(ProblemType::VerificationFailed, echo(heard), Some(&echo(heard)));
            Reply::new(402, &[("www-authenticate", &plain())], problem.encode())
        })
        .ends_unknown(answered(402)),
        Attack::once_paid("credential echoed in the status line", move |heard| {
            Reply::raw(format!("HTTP/1.1 500 {}\r\ncontent-length: 0\r\n\r\n", echo(heard)))
        })
        .ends_unknown(answered(500)),
        Attack::on("cookies, to be recognised by", |heard, _| match heard.credential() {
            None => {
                let fields =
                    [("www-authenticate", &*plain()), ("set-cookie", "id=1; Path=/"), ("set-cookie", "b=2")];
                Reply::new(402, &fields, "")
            }
            Some(_) => Reply::new(200, &[("set-cookie", "id=2")], "bought"),
        })
        .ends_paid(accepted),
        Attack::on("a terminal's codes in a problem", |_, _| {
            let problem = Problem::new(ProblemType::PaymentRequired, "\u{1b}[2J\u{202e}paid", None).encode();
            Reply::new(402, &[("www-authenticate", &asks(json!({ "amount": "10001" })))], problem)
        })
        .ends_unsigned(|ending| {
            let said = ending.as_ref().err().map(ToString::to_string).unwrap_or_default();
            said.contains("[2Jpaid") && !said.contains(['\u{1b}', '\u{202e}'])
        }),
    ]
}
