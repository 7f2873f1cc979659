//! Attacks in the framing of HTTP/1.1: interim answers, lengths that lie, chunks that break, answers nobody asked for,
//! and encodings.

use alloy_primitives::hex;
use e2e::{Reply, Then};
use mpp_http::{Failure, Money};

use crate::attack::{Answer, Attack, accepted, answered, broken};
use crate::demand::plain;

pub(crate) fn attacks() -> Vec<Attack> {
    [interim(), lengths(), chunks(), nonsense(), encodings()].into_iter().flatten().collect()
}

const TRAILING: &str = "transfer-encoding: chunked\r\ntrailer: payment-receipt\r\n\r\n6\r\nbought\r\n0\r\n";
const BOUGHT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nbought";

fn interim() -> Vec<Attack> {
    let unpaid = format!("HTTP/1.1 402 Pay\r\nwww-authenticate: {}\r\ncontent-length: 0\r\n\r\n", plain());
    vec![
        Attack::unpaid("100 before the 402", Reply::raw(format!("HTTP/1.1 100 Continue\r\n\r\n{unpaid}")))
            .ends_paid(accepted),
        Attack::once_paid("a hundred 100 before the answer", |_| {
            Reply::raw("HTTP/1.1 100 Continue\r\n\r\n".repeat(100) + BOUGHT)
        })
        .ends_paid(accepted),
        Attack::once_paid("a hundred 103 before the answer", |_| {
            Reply::raw("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(100) + BOUGHT)
        })
        .ends_paid(accepted),
        Attack::once_paid("a receipt in an interim answer", |heard| {
            let receipt = heard.receipt().encode();
            let hint = format!("HTTP/1.1 103 Early Hints\r\npayment-receipt: {receipt}\r\n\r\n");
            Reply::raw(hint + "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")
        })
        .ends_unknown(answered(500)),
        Attack::once_paid("101 in place of the answer", |_| {
            Reply::raw("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")
                .then(Then::Close)
        })
        .ends_signed(&[Money::Unknown], |ending| ending.is_err()),
    ]
}

fn lengths() -> Vec<Attack> {
    let paid = |name: &str, answer: &'static str| {
        Attack::once_paid(name, move |_| Reply::raw(answer).then(Then::Close))
    };
    let unpaid = |name: &str, fields: &str| {
        let head = format!("HTTP/1.1 402 Pay\r\nwww-authenticate: {}\r\n{fields}\r\n", plain());
        Attack::unpaid(name, Reply::raw(head).then(Then::Close))
    };
    vec![
        unpaid("two lengths of the 402", "content-length: 0\r\ncontent-length: 5\r\n")
            .ends_unanswered(broken),
        unpaid("length below zero", "content-length: -1\r\n").ends_unanswered(broken),
        unpaid("length of 2^64", "content-length: 18446744073709551616\r\n").ends_unanswered(broken),
        unpaid("length of 2^63 before nothing", "content-length: 9223372036854775808\r\n")
            .ends_paid(accepted),
        paid("length of the answer too long", "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nbought")
            .ends_paid_and_lost(broken),
        paid("length of the answer too short", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbought")
            .ends_paid(accepted)
            .delivers("boug"),
        paid(
            "two lengths of the answer",
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\ncontent-length: 4\r\n\r\nbought",
        )
        .ends_unknown(broken),
        paid(
            "length and chunks",
            concat!(
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
                "6\r\nbought\r\n0\r\n\r\n"
            ),
        )
        .ends_paid(accepted),
    ]
}

fn chunks() -> Vec<Attack> {
    let chunked = |name: &str, body: &'static str| {
        let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}");
        Attack::once_paid(name, move |_| Reply::raw(answer.as_str()).then(Then::Close))
    };
    vec![
        chunked("chunk of no length", "zz\r\nbought\r\n0\r\n\r\n").ends_paid_and_lost(broken),
        chunked("chunk of 2^68", "100000000000000000\r\nbought").ends_paid_and_lost(broken),
        chunked("chunk longer than it says", "2\r\nbought\r\n0\r\n\r\n").ends_paid_and_lost(broken),
        chunked("chunks without an end", "6\r\nbought\r\n").ends_paid_and_lost(broken),
        Attack::once_paid("a receipt in a trailer", |heard| {
            let receipt = heard.receipt().encode();
            Reply::raw(format!("HTTP/1.1 200 OK\r\n{TRAILING}payment-receipt: {receipt}\r\n\r\n"))
        })
        .ends_paid(accepted),
    ]
}

fn nonsense() -> Vec<Attack> {
    let paid = |name: &str, answer: &'static [u8]| {
        Attack::once_paid(name, move |_| Reply::raw(answer).then(Then::Close))
    };
    let split =
        format!("HTTP/1.1 402 Pay\r\nwww-authenticate: {}\r\ncontent-length: 0\r\n\r\n{BOUGHT}", plain());
    vec![
        paid("nonsense for an answer", b"nonsense\r\n\r\n").ends_unknown(broken),
        paid("another protocol's answer", b"SSH-2.0-OpenSSH_9.9\r\n").ends_unknown(broken),
        paid("an HTTP/2 preface for an answer", b"\0\0\x12\x04\0\0\0\0\0").ends_unknown(broken),
        paid("a status of two digits", b"HTTP/1.1 20 OK\r\n\r\n").ends_unknown(broken),
        paid("a NUL in the answer's head", b"HTTP/1.1 200 OK\r\nx: \0\r\ncontent-length: 6\r\n\r\nbought")
            .ends_unknown(broken),
        paid("status 999", b"HTTP/1.1 999 Really\r\ncontent-length: 0\r\n\r\n").ends_unknown(answered(999)),
        // The second answer came before its request, and belongs to none.
        Attack::unpaid("two answers at once", Reply::raw(split))
            .ends_signed(&[Money::Paid, Money::Unknown], |ending| match ending {
                Ok(Answer { payment, .. }) => payment.as_ref().is_some_and(accepted),
                Err(error) => error.money() == Money::Unknown,
            })
            .sent_once_or_twice(),
    ]
}

fn encodings() -> Vec<Attack> {
    // 10 MB of nothing.
    let bomb = hex!(
        "1f8b0800000000000203edd83b0dc2601840d1af94a13c021260ae90ce2c8840054d3ab2a00070800656d29dd403e080d72f"
        "83e69ce96ab88b5d11c920bf5fb2ec17f5fe7d7e16e3000000007aaeee9a3ccd80587e6ed56a0d000000f4dd663e1ba51730"
        "7c6d1fd389390200ffe0186d793d449ce20b5eb532bced270000"
    );
    let packed = [("content-encoding", "gzip, gzip")];
    vec![
        Attack::once_paid("compressed bomb", move |_| Reply::new(200, &packed, bomb))
            .client(|client| client.body_limit(1000))
            .ends_paid(accepted)
            .delivers(bomb.to_vec()),
        Attack::once_paid("compressed bomb for a failure", move |_| Reply::new(500, &packed, bomb))
            .ends_unknown(
                move |failure| matches!(failure, Failure::Status { body, .. } if body.as_ref() == bomb),
            ),
        Attack::unpaid(
            "compressed bomb beside the challenge",
            Reply::new(402, &[("www-authenticate", &plain()), packed[0]], bomb),
        )
        .ends_paid(accepted),
        Attack::once_paid("answer above the limit", |_| Reply::new(200, &[], "0123456789"))
            .client(|client| client.body_limit(9))
            .ends_paid_and_lost(|failure| matches!(failure, Failure::TooLarge { limit: 9 })),
        Attack::once_paid("10 MB of answer above the limit", |_| Reply::new(200, &[], vec![b'x'; 10 << 20]))
            .client(|client| client.body_limit(1 << 20))
            .ends_paid_and_lost(|failure| matches!(failure, Failure::TooLarge { .. })),
    ]
}
