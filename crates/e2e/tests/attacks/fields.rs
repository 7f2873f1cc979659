//! Attacks in how it is asked for: the grammar of the field, the encoding and the JSON of the request, the places where
//! no challenge belongs, and sizes.

use e2e::Reply;
use mpp_core::error::{ChargeError, Fault, Refusal};
use mpp_core::exchange::Reason;
use mpp_http::Failure;
use serde_json::json;

use crate::attack::{Attack, accepted, broken};
use crate::demand::{asks, plain, requests, required, with};
use crate::terms::{charge, malformed, parameter, policy};

pub(crate) fn attacks() -> Vec<Attack> {
    [grammar(), bytes(), headers(), requests_to_read(), places(), sizes()].into_iter().flatten().collect()
}

fn grammar() -> Vec<Attack> {
    let good = plain();
    let asking = |name: &str, field: String| Attack::asking(name, &[field]);
    vec![
        asking("a quote without an end", good.clone() + ", note=\"")
            .ends_refused(syntax("quoted-string without an end")),
        asking("a quote that a backslash keeps open", good.clone() + ", note=\"\\\"")
            .ends_refused(syntax("quoted-string without an end")),
        asking("a parameter twice", good.clone() + ", id=\"2\"")
            .ends_refused(syntax("parameter given twice")),
        asking("a parameter twice, in other letters", good.clone() + ", REQUEST=\"e30\"")
            .ends_refused(syntax("parameter given twice")),
        asking(
            "a hundred parameters",
            (0..100).fold(good.clone(), |field, name| format!("{field}, p{name}=1")),
        )
        .ends_refused(syntax("too many parameters")),
        asking("a parameter without a value", good.clone() + ", note=")
            .ends_refused(syntax("expected a token or a quoted-string")),
        asking("an empty id", with(&good, "id", "")).ends_refused(parameter("id")),
        asking("an escaped line break in the realm", with(&good, "realm", "a\\u000d\\u000ax-evil: 1"))
            .ends_refused(parameter("realm")),
        asking("an escaped NUL in the id", with(&good, "id", "a\\u0000b")).ends_refused(parameter("id")),
        asking("an escaped terminal code in the description", with(&good, "description", "\\u001b[2J"))
            .ends_refused(parameter("description")),
        asking("half a surrogate pair", with(&good, "realm", "\\ud83d"))
            .ends_refused(syntax("a \\u escape is half a surrogate pair")),
        asking("opaque data that is no object", with(&good, "opaque", "W10"))
            .ends_refused(parameter("opaque")),
    ]
}

fn bytes() -> Vec<Attack> {
    let inside = |name: &str, bytes: &[u8]| {
        let (before, behind) = with(&plain(), "realm", "|").split_once('|').map(split).expect("a mark");
        Attack::asking(name, &[[&before, bytes, &behind].concat()])
    };
    vec![
        inside("invalid UTF-8", b"\xff\xfe").ends_refused(syntax("not UTF-8")),
        inside("UTF-8 longer than it must be", b"\xc0\xaf").ends_refused(syntax("not UTF-8")),
        inside("a NUL", b"\0").ends_unanswered(broken),
        inside("a carriage return alone", b"\rx").ends_unanswered(broken),
        inside("a folded line", b"\r\n folded").ends_unanswered(broken),
        // The quote stays open, and what follows is another field.
        inside("a line break", b"\r\nx-evil: 1").ends_refused(syntax("quoted-string without an end")),
    ]
}

fn split((before, behind): (&str, &str)) -> (Vec<u8>, Vec<u8>) {
    (before.into(), behind.into())
}

fn headers() -> Vec<Attack> {
    let named =
        |name: &str| Attack::asking(format!("credential into {name}"), &[with(&plain(), "header", name)]);
    let own = |request: http::request::Builder| request.header("authorization", "Bearer own");
    let refused = [
        "Cookie",
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Proxy-Authorization",
        "X-Authorization",
        "Authorization:",
    ];
    let mut attacks: Vec<_> =
        refused.into_iter().map(|name| named(name).ends_refused(parameter("header"))).collect();
    attacks.extend([
        named("pAYMENT-aUTHORIZATION").ends_paid(accepted),
        named("Payment-Authorization").request(own).ends_paid(accepted),
        Attack::asking("credential over the caller's own", &[plain()])
            .request(own)
            .ends_refused(|reason| *reason == Reason::AuthorizationInUse),
    ]);
    attacks
}

fn requests_to_read() -> Vec<Attack> {
    let deep = format!("{{\"a\":{}", "[".repeat(10_000));
    let valid = json!({ "amount": "10000", "currency": e2e::PATH_USD, "recipient": e2e::RECIPIENT.address })
        .to_string();
    let twice = |member: &str| valid.replacen('{', &format!("{{{member},"), 1);
    let asking = |name: &str, text: String| Attack::asking(name, &[requests(text)]);
    let encoded = |name: &str, text: &str| Attack::asking(name, &[with(&plain(), "request", text)]);
    vec![
        asking("amount twice", twice("\"amount\":\"1\"")).ends_refused(unreadable("has a key twice")),
        asking("amount twice, once escaped", twice("\"\\u0061mount\":\"1\""))
            .ends_refused(unreadable("has a key twice")),
        asking("a key twice, deep inside", twice("\"x\":[{\"a\":1,\"a\":1}]"))
            .ends_refused(unreadable("has a key twice")),
        asking("10,000 levels of JSON", deep).ends_refused(unreadable("is not JSON")),
        asking("JSON with more behind it", valid.clone() + "{}").ends_refused(unreadable("is not JSON")),
        asking("JSON behind a byte order mark", format!("\u{feff}{valid}"))
            .ends_refused(unreadable("is not JSON")),
        asking("a list as the request", format!("[{valid}]"))
            .ends_refused(unreadable("is not a JSON object")),
        asking("null as the request", "null".to_owned()).ends_refused(unreadable("is not a JSON object")),
        Attack::asking("JSON that is not UTF-8", &[requests(b"{\"amount\":\"\xff\"}")])
            .ends_refused(unreadable("is not JSON")),
        encoded("an empty request", "").ends_refused(parameter("request")),
        encoded("a request of garbage", "!!!!").ends_refused(unreadable("is not base64url")),
        encoded("a request in two alphabets", "_-+/").ends_refused(unreadable("is not base64url")),
        encoded("a request of 20,000 characters", &"e".repeat(20_000)).ends_refused(parameter("request")),
        Attack::asking("a padded request", &[padded()]).ends_paid(accepted),
        Attack::asking("methodDetails as a list", &[asks(json!({ "methodDetails": [1] }))])
            .ends_refused(charge(|why| matches!(why, ChargeError::Invalid { field: "methodDetails", .. }))),
    ]
}

/// A request whose length asks for padding, with it.
fn padded() -> String {
    let texts = (0..).map(|length| asks(json!({ "externalId": "x".repeat(length) })));
    let mut texts = texts.map(|field| (request_of(&field), field));
    let (request, field) = texts.find(|(request, _)| request.len() % 4 == 3).expect("one in four");
    with(&field, "request", &(request + "="))
}

fn request_of(field: &str) -> String {
    let (_, behind) = field.split_once(" request=\"").expect("a request");
    behind.split('"').next().unwrap_or_default().to_owned()
}

fn places() -> Vec<Attack> {
    let elsewhere = |status: u16, name: &str, value: &str| Reply::new(status, &[(name, value)], "");
    let mut attacks: Vec<_> = [200, 401, 403, 407, 500]
        .into_iter()
        .map(|status| {
            Attack::unpaid(
                format!("challenge on a {status}"),
                elsewhere(status, "www-authenticate", &plain()),
            )
            .ends_handed_back(status)
        })
        .collect();
    let chunked = "HTTP/1.1 402 Pay\r\ntransfer-encoding: chunked\r\ntrailer: www-authenticate\r\n\r\n";
    let trailer = format!("{chunked}0\r\nwww-authenticate: {}\r\n\r\n", plain());
    let early = format!("HTTP/1.1 103 Early Hints\r\nwww-authenticate: {}\r\n\r\n", plain());
    attacks.extend([
        Attack::unpaid("challenge in Proxy-Authenticate", elsewhere(402, "proxy-authenticate", &plain()))
            .ends_without_an_offer(),
        Attack::unpaid("challenge in the body", Reply::new(402, &[], plain())).ends_without_an_offer(),
        Attack::unpaid("challenge in a trailer", Reply::raw(trailer)).ends_without_an_offer(),
        Attack::unpaid(
            "challenge in an early hint",
            Reply::raw(early + "HTTP/1.1 402 Pay\r\ncontent-length: 0\r\n\r\n"),
        )
        .ends_without_an_offer(),
        Attack::asking(
            "challenge inside another's quotes",
            &[format!("Bearer realm=\"x, {}\"", plain().replace('"', "\\\""))],
        )
        .ends_without_an_offer(),
        Attack::asking("no challenge", &["Bearer"]).ends_without_an_offer(),
    ]);
    attacks
}

fn sizes() -> Vec<Attack> {
    let long =
        |bytes: usize| Reply::new(402, &[("www-authenticate", &*plain()), ("x", &*"x".repeat(bytes))], "");
    let described = |bytes: usize| with(&plain(), "description", &"x".repeat(bytes));
    let escaped = with(&plain(), "note", &"\\\\".repeat(32 << 10));
    let behind = |bad: &str, times: usize| [&bad.repeat(times), plain().as_str()].concat();
    let start = bytes_in_order(64 << 10);
    vec![
        Attack::asking("64 KB of description", &[described(64 << 10)])
            .ends_refused(policy(|why| matches!(why, Refusal::TooLong { length: 65_000.., limit: 32_768 }))),
        Attack::asking("32 KB of description", &[described(32_000)]).ends_paid(accepted),
        Attack::asking("128 KB of description", &[described(128 << 10)])
            .ends_refused(malformed(|fault| matches!(fault, Fault::TooLong { .. }))),
        Attack::asking("64 KB of escapes", &[escaped]).ends_paid(accepted),
        Attack::unpaid("64 KB beside the challenge", long(64 << 10)).ends_paid(accepted),
        Attack::unpaid("10 MB beside the challenge", long(10 << 20)).ends_unanswered(broken),
        Attack::once_paid("10 MB of head in the answer", |_| {
            Reply::new(200, &[("x", &*"x".repeat(10 << 20))], "")
        })
        .ends_unknown(broken),
        Attack::asking("10,000 challenges in a field", &[behind("Payment a=1,", 10_000)])
            .ends_refused(malformed(|_| true)),
        Attack::asking("the 65th challenge is the good one", &[behind("Payment a=1,", 64)])
            .ends_refused(malformed(|_| true)),
        Attack::asking("10,000 commas before the challenge", &[behind(",", 10_000)]).ends_paid(accepted),
        Attack::unpaid("10,000 challenges in as many fields", required(&vec![plain(); 10_000]))
            .ends_unanswered(broken),
        Attack::once_paid("10 MB of failure", |_| Reply::new(500, &[], bytes_in_order(10 << 20)))
            .ends_unknown(move |failure| matches!(failure, Failure::Status { body, .. } if body == &start)),
    ]
}

fn bytes_in_order(count: usize) -> Vec<u8> {
    (0..=250).cycle().take(count).collect()
}

/// The field does not follow the grammar, for this reason.
fn syntax(expected: &'static str) -> impl Fn(&Reason) -> bool + Send {
    malformed(move |fault| matches!(fault, Fault::Syntax { why, .. } if *why == expected))
}

/// The request is not what it must be, for this reason.
fn unreadable(expected: &'static str) -> impl Fn(&Reason) -> bool + Send {
    charge(move |error| *error == ChargeError::Request(expected))
}
