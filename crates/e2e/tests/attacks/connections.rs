//! Attacks on the connection: cut at every stage, refused, or held open without end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use e2e::{Heard, Reply, Then};
use mpp_core::error::Refusal;
use mpp_http::{Failure, Money};
use serde_json::json;

use crate::attack::{Answer, Attack, Ending, accepted, answered, broken, confirmed, late};
use crate::demand::{asks, plain, required};
use crate::terms::policy;

pub(crate) fn attacks() -> Vec<Attack> {
    [cut_before(), cut_after(), slow()].into_iter().flatten().collect()
}

fn cut_before() -> Vec<Attack> {
    let cut = |name: &str, bytes: String| Attack::unpaid(name, Reply::raw(bytes).then(Then::Close));
    let head = |length: usize| {
        format!("HTTP/1.1 402 Pay\r\nwww-authenticate: {}\r\ncontent-length: {length}\r\n\r\n", plain())
    };
    let closing = |reply: Reply| reply.then(Then::Close);
    vec![
        Attack::unpaid("cut before the request is read", required(&[plain()]))
            .deaf_from(0)
            .ends_unanswered(broken),
        cut("cut in place of an answer", String::new()).ends_unanswered(broken),
        cut("cut inside the head of the 402", head(0).split_at(200).0.to_owned()).ends_unanswered(broken),
        cut("cut before the last line of the head", head(0).trim_end().to_owned() + "\r\n")
            .ends_unanswered(broken),
        cut("cut behind the head of the 402", head(100)).ends_paid(accepted),
        cut("cut inside the body of the 402", head(100) + "half").ends_paid(accepted),
        Attack::unpaid("cut behind the 402, unannounced", closing(required(&[plain()])))
            .ends_signed(&[Money::Paid, Money::Unknown], |ending| match ending {
                Ok(Answer { payment, .. }) => payment.is_some(),
                // It was written before the client could learn.
                Err(_) => is_broken(ending),
            })
            .sent_once_or_twice(),
        Attack::unpaid("nobody there for the credential", closing(announced()).stop_listening())
            .ends_unsent(),
        Attack::unpaid("credential's connection cut unread", closing(announced()))
            .deaf_from(1)
            .ends_unknown(broken)
            .sent_twice(),
    ]
}

/// A `402` that says it is the connection's last.
fn announced() -> Reply {
    Reply::new(402, &[("www-authenticate", &plain()), ("connection", "close")], "")
}

fn cut_after() -> Vec<Attack> {
    let cut = |name: &str, bytes: &'static str| {
        Attack::once_paid(name, move |_| Reply::raw(bytes).then(Then::Close))
    };
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n";
    vec![
        cut("cut behind the credential", "").ends_unknown(broken).sent_twice(),
        cut("cut inside the status line", "HTTP/1.1 2").ends_unknown(broken).sent_twice(),
        cut("cut inside the head of the answer", "HTTP/1.1 200 OK\r\ncontent-le")
            .ends_unknown(broken)
            .sent_twice(),
        cut("cut behind an interim answer", "HTTP/1.1 103 Early Hints\r\n\r\n")
            .ends_unknown(broken)
            .sent_twice(),
        cut("cut behind the head of the answer", whole).ends_paid_and_lost(broken),
        cut("cut inside the answer", "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nbou")
            .ends_paid_and_lost(broken),
        cut("cut inside a failure", "HTTP/1.1 500 No\r\ncontent-length: 6\r\n\r\nno")
            .ends_unknown(answered(500)),
        once_cut("cut once, then the answer", |_| Reply::new(200, &[], "bought"))
            .ends_paid(accepted)
            .sent_twice(),
        once_cut("cut once, then the answer to a POST", |_| Reply::new(200, &[], "bought"))
            .post()
            .ends_paid(accepted)
            .sent_twice(),
        once_cut("cut once, then a fresh 402", |_| required(&[plain()]))
            .ends_unknown(answered(402))
            .sent_twice(),
        once_cut("cut once, then a dearer 402", |_| required(&[asks(json!({ "amount": "10001" }))]))
            .ends_unknown(answered(402))
            .sent_twice(),
        once_cut("cut once, then 409 for a second try", |_| Reply::new(409, &[], "used"))
            .ends_unknown(answered(409))
            .sent_twice(),
        once_cut("cut once, then a redirect", |_| Reply::new(307, &[("location", "http://0.0.0.0:1/")], ""))
            .ends_unknown(answered(307))
            .sent_twice(),
        once_cut("cut once, then no word", |_| Reply::raw("").then(Then::Silence))
            .client(|client| client.paid_timeout(Duration::from_secs(2)))
            .ends_unknown(late)
            .sent_twice(),
        once_cut("cut once, then half an answer", |_| {
            Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nbou").then(Then::Close)
        })
        .ends_paid_and_lost(broken)
        .sent_twice(),
        once_cut("cut once, then nobody there", |_| panic!("somebody was there"))
            .deaf_from(1)
            .ends_unknown(broken)
            .sent_twice(),
        // What cannot be sent the second time may have arrived the first.
        Attack::once_paid("cut once, then refused", |_| Reply::raw("").then(Then::Close).stop_listening())
            .ends_unknown(broken)
            .sent_twice(),
    ]
}

/// Closes the connection on the first credential, and does as `script` says to the next.
fn once_cut(name: &str, script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> Attack {
    let first = AtomicBool::new(true);
    Attack::once_paid(name, move |heard| match first.swap(false, Ordering::SeqCst) {
        true => Reply::raw("").then(Then::Close),
        false => script(heard),
    })
}

fn is_broken(ending: &Ending) -> bool {
    matches!(ending, Err(mpp_http::Error::AfterSigning { failure, .. }) if broken(failure))
}

fn slow() -> Vec<Attack> {
    const LIMIT: Duration = Duration::from_secs(2);
    let drip = |head: String| Reply::raw(head).then(Then::Drip(b'x'));
    let challenge = |field: &str| format!("HTTP/1.1 402 Pay\r\nwww-authenticate: {field}\r\n\r\n");
    vec![
        Attack::unpaid("head of the 402 without end", drip("HTTP/1.1 402 Pay\r\nx: ".to_owned()))
            .client(|client| client.unpaid_timeout(Duration::from_millis(500)))
            .ends_unanswered(late),
        Attack::unpaid("no word on the request", Reply::raw("").then(Then::Silence))
            .client(|client| client.unpaid_timeout(Duration::from_millis(500)))
            .ends_unanswered(late),
        Attack::unpaid("body of the 402 without end", drip(challenge(&plain()))).ends_paid(accepted),
        Attack::unpaid(
            "body without end beside a refused challenge",
            drip(challenge(&asks(json!({ "amount": "10001" })))),
        )
        .ends_refused(policy(|why| matches!(why, Refusal::OverCap { .. }))),
        Attack::once_paid("head of the answer without end", move |_| {
            drip("HTTP/1.1 200 OK\r\nx: ".to_owned())
        })
        .client(|client| client.paid_timeout(Duration::from_millis(500)))
        .ends_unknown(|failure| matches!(failure, Failure::Timeout { after } if after.as_millis() == 500)),
        Attack::once_paid("no word on the credential", |_| Reply::raw("").then(Then::Silence))
            .client(|client| client.paid_timeout(Duration::from_millis(500)))
            .ends_unknown(late),
        Attack::once_paid("interim answers without end", |_| {
            Reply::raw("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000)).then(Then::Silence)
        })
        .client(|client| client.paid_timeout(LIMIT))
        .ends_unknown(late),
        Attack::once_paid("answer without end", move |_| {
            drip("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_owned())
        })
        .client(|client| client.paid_timeout(LIMIT))
        .ends_paid_and_lost(late),
        Attack::once_paid("answer without end, with a receipt", move |heard| {
            let receipt = heard.receipt().encode();
            drip(format!("HTTP/1.1 200 OK\r\npayment-receipt: {receipt}\r\nconnection: close\r\n\r\n"))
        })
        .client(|client| client.paid_timeout(LIMIT))
        .ends_paid_and_lost(late)
        .with_payment(confirmed),
        Attack::once_paid("failure without end", move |_| drip("HTTP/1.1 500 No\r\n\r\n".to_owned()))
            .ends_unknown(answered(500)),
    ]
}
