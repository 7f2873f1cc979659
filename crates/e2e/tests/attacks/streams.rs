//! Attacks in HTTP/2, over TLS: streams reset or refused, connections given up, and a certificate for another name.

use e2e::Heard;
use h2::Reason;
use http::Response;
use mpp_http::Failure;

use crate::attack::{Attack, accepted, answered, broken};
use crate::demand::plain;
use crate::h2_server::Play;

pub(crate) fn attacks() -> Vec<Attack> {
    [before_paying(), after_paying()].into_iter().flatten().collect()
}

fn before_paying() -> Vec<Attack> {
    vec![
        once_paid("certificate for another name", bought).at_host("127.0.0.1").ends_unanswered(
            |failure| matches!(failure, Failure::Transport(error) if !error.may_have_been_sent()),
        ),
        unpaid("stream of the request reset", || Play::Reset(Reason::INTERNAL_ERROR)).ends_unanswered(broken),
        unpaid("stream of the request refused", || Play::Reset(Reason::REFUSED_STREAM))
            .ends_unanswered(broken),
        unpaid("stream reset behind the head of the 402", || Play::ResetBehind(demand(), Reason::CANCEL))
            .ends_paid(accepted),
    ]
}

fn after_paying() -> Vec<Attack> {
    vec![
        once_paid("an honest answer over HTTP/2", bought).ends_paid(accepted),
        once_paid("fresh 402s over HTTP/2", || Play::Answer(demand(), "")).ends_unknown(answered(402)),
        once_paid("stream of the credential reset", || Play::Reset(Reason::INTERNAL_ERROR))
            .ends_unknown(broken),
        once_paid("stream of the credential refused", || Play::Reset(Reason::REFUSED_STREAM))
            .ends_unknown(broken),
        once_paid("stream of the credential to be sent over HTTP/1.1", || {
            Play::Reset(Reason::HTTP_1_1_REQUIRED)
        })
        .ends_unknown(broken),
        once_paid("stream reset without an error", || Play::Reset(Reason::NO_ERROR)).ends_unknown(broken),
        once_paid("connection given up on the credential", || Play::GoAway(Reason::NO_ERROR))
            .ends_unknown(broken)
            .sent_once_or_twice(),
        once_paid("connection given up in anger", || Play::GoAway(Reason::ENHANCE_YOUR_CALM))
            .ends_unknown(broken)
            .sent_once_or_twice(),
        once_paid("connection cut over HTTP/2", || Play::Cut).ends_unknown(broken).sent_twice(),
        once_paid("stream reset behind the head of the answer", || {
            Play::ResetBehind(Response::new(()), Reason::INTERNAL_ERROR)
        })
        .ends_paid_and_lost(broken),
        once_paid("1 MB of head over HTTP/2", || {
            Play::Answer(
                Response::builder().header("x", "x".repeat(1 << 20)).body(()).expect("a head"),
                "bought",
            )
        })
        .ends_unknown(broken),
    ]
}

fn unpaid(name: &str, play: fn() -> Play) -> Attack {
    Attack::over_h2(name, move |heard: &Heard| match heard.credential() {
        None => play(),
        Some(_) => bought(),
    })
}

fn once_paid(name: &str, play: fn() -> Play) -> Attack {
    Attack::over_h2(name, move |heard: &Heard| match heard.credential() {
        None => Play::Answer(demand(), ""),
        Some(_) => play(),
    })
}

fn demand() -> Response<()> {
    Response::builder().status(402).header("www-authenticate", plain()).body(()).expect("a head")
}

fn bought() -> Play {
    Play::Answer(Response::new(()), "bought")
}
