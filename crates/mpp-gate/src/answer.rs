//! The gate's own answers: problems (RFC 9457), with a challenge where the draft asks for one.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use mpp_core::{Challenge, Problem};
use serde_json::{Map, Value};

use crate::sale::{Sale, State};

/// Boxed, as it is bigger than what it stands beside in a `Result`.
pub(crate) type Answer = Box<Response<Bytes>>;

/// A problem of the drafts, and the challenge to pay instead.
pub(crate) fn challenge(problem: &Problem, challenge: &Challenge) -> Answer {
    let mut answer = json_answer(status(problem.status()), problem.encode());
    match HeaderValue::from_str(&challenge.encode()) {
        Ok(value) => {
            answer.headers_mut().insert(WWW_AUTHENTICATE, value);
            answer
        }
        // Unreachable: challenges are ASCII. A 402 without one is forbidden (draft-httpauth-payment §4.4.2).
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the challenge fits in no field"),
    }
}

/// A problem of the drafts that no payment solves.
pub(crate) fn problem(problem: &Problem) -> Answer {
    json_answer(status(problem.status()), problem.encode())
}

/// A problem that no draft names; `detail` says what to do about it.
pub(crate) fn plain(status: StatusCode, detail: &str) -> Answer {
    json_answer(status, details(status, [("detail", detail)]))
}

/// Something may have been paid, which cannot be looked up right now.
pub(crate) fn come_back(why: &dyn std::fmt::Display) -> Answer {
    unavailable(&format!("{why}; send the same request with this credential again"))
}

/// Trying again may work.
pub(crate) fn unavailable(detail: &str) -> Answer {
    let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, detail);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    answer
}

/// Somebody else is at the same payment, or was: the request is to be sent again in so many seconds.
pub(crate) fn again(detail: &str, seconds: u16) -> Answer {
    let mut answer = plain(StatusCode::CONFLICT, detail);
    answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    answer
}

/// A payment was taken, or may have been, and there is nothing to give for it. Never a 402, which reads as "pay again".
pub(crate) fn taken(status: StatusCode, detail: &str, reference: &str) -> Answer {
    json_answer(status, details(status, [("detail", detail), ("reference", reference)]))
}

/// There is nothing to give for a sale but its money. `words` are the service's, if it said anything.
pub(crate) fn returned(status: StatusCode, sale: &Sale, refunds: bool, words: Option<&str>) -> Answer {
    let status = if status == StatusCode::PAYMENT_REQUIRED { StatusCode::BAD_GATEWAY } else { status };
    let refund = refund(sale, refunds);
    let detail = format!("the payment was taken, but the service failed; {}", refund.1);
    let transaction = sale.refund.as_ref().map(|refund| refund.hash.to_string());
    let members = [("detail", detail.as_str()), ("reference", &sale.reference), ("refund", refund.0)];
    let words = words.map(|words| ("answer", words));
    let transaction = transaction.as_deref().map(|hash| ("refundTransaction", hash));
    json_answer(status, details(status, members.into_iter().chain(words).chain(transaction)))
}

/// How a refund stands, for programs and for people.
pub(crate) fn refund(sale: &Sale, refunds: bool) -> (&'static str, &'static str) {
    match sale.state {
        State::Refunded if sale.refund.is_none() => ("none", "nothing was paid for it"),
        State::Refunded => ("made", "it was refunded"),
        State::Refunding => ("sent", "its refund is on its way; ask for the payment by its reference"),
        _ if refunds => ("due", "it will be refunded by itself; ask for the payment by its reference"),
        _ => ("owed", "it is not refunded by itself, so keep the reference and turn to the payee"),
    }
}

/// An error and its first cause, for payers.
pub(crate) fn with_cause(error: &dyn std::error::Error) -> String {
    let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
    format!("{error}{cause}")
}

/// An error and all it came from, in one line, for the log: what lies deep may name machines that payers need not know.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn details<'a>(status: StatusCode, members: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let title = status.canonical_reason().unwrap_or("Error");
    let mut problem: Map<String, Value> =
        members.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    problem.extend([
        ("type".to_owned(), "about:blank".into()),
        ("title".to_owned(), title.into()),
        ("status".to_owned(), status.as_u16().into()),
    ]);
    Value::Object(problem).to_string().into_bytes()
}

/// What somebody asked for, which changes.
pub(crate) fn json(status: StatusCode, body: &Value) -> Answer {
    let mut answer = json_answer(status, body.to_string().into_bytes());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn json_answer(status: StatusCode, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Box::new(answer)
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
