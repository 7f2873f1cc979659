//! Servers that cheat, break or stall, on real sockets: whatever they do, a call signs once at most, sends the
//! credential to nobody else, and says truthfully what may have become of the money.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fmt::Debug;
use std::time::Duration;

use e2e::{CHAIN_ID, Customer, Heard, PATH_USD, PAYER, Reply, ScriptedServer, Then};
use mpp_core::error::{Fault, NotPaid, Reason, ReceiptError, Refusal};
use mpp_core::exchange::Outcome;
use mpp_core::payee::{ProblemType, body_digest};
use mpp_core::tempo::B256;
use mpp_core::{Amount, Challenge, Policy, Problem, Receipt};
use mpp_http::{Error, Failure, Money};

const CENT: Amount = Amount::from_base_units(10_000);

#[tokio::test]
async fn second_402_is_not_paid() {
    let scene = Scene::paid(|_| fresh_402()).await;
    let error = scene.get().await.unwrap_err();
    assert_unknown(&error);
    assert!(matches!(failure(&error), Failure::Status { status, .. } if *status == 402));
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn same_challenge_again_is_not_paid_again() {
    let always = Reply::payment_required(&challenge(CENT));
    let scene = Scene::new(move |_| always.clone()).await;
    assert_unknown(&scene.get().await.unwrap_err());
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn one_challenge_for_two_calls_is_paid_by_two_transactions() {
    // Both end with the challenge, so that nothing but the salt tells them apart.
    let asked = Reply::payment_required(&e2e::demand(CENT, None, 20));
    let scene = Scene::new(move |heard| match heard.credential() {
        None => asked.clone(),
        Some(_) => Reply::new(200, &[], "bought"),
    })
    .await;
    let [first, second] = [scene.get().await.unwrap(), scene.get().await.unwrap()];
    let (first, second) = (first.payment().unwrap(), second.payment().unwrap());
    assert_eq!((first.memo(), first.valid_before()), (second.memo(), second.valid_before()));
    assert_ne!(first.hash(), second.hash());
    assert_eq!(scene.customer.signatures(), 2);
}

#[tokio::test]
async fn failure_after_paying_leaves_the_money_unknown() {
    for status in [400, 403, 404, 410, 429, 500, 502, 503] {
        let scene = Scene::paid(move |_| Reply::new(status, &[("retry-after", "0")], "no")).await;
        let error = scene.get().await.unwrap_err();
        assert_unknown(&error);
        let Failure::Status { status: got, body } = failure(&error) else { panic!("{error:?}") };
        assert_eq!((got.as_u16(), body.as_ref()), (status, &b"no"[..]));
        scene.assert_one_signature_one_credential();
    }
}

#[tokio::test]
async fn failure_after_paying_is_kept_up_to_64_kib() {
    let long: Vec<u8> = (0..=250).cycle().take(100_000).collect();
    let start = long[..64 * 1024].to_vec();
    let scene = Scene::paid(move |_| Reply::new(500, &[], &long)).await;
    let error = scene.get().await.unwrap_err();
    assert_unknown(&error);
    let Failure::Status { status, body } = failure(&error) else { panic!("{error:?}") };
    assert_eq!((status.as_u16(), body.len()), (500, start.len()));
    assert!(body == &start, "these are not its first bytes");
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn proof_of_identity_moves_no_money_whatever_becomes_of_it() {
    for answer in [Reply::new(500, &[], ""), Reply::raw("").then(Then::Close)] {
        let server = ScriptedServer::start(move |heard| match heard.credential() {
            Some(_) => answer.clone(),
            None => Reply::payment_required(&challenge(Amount::ZERO)),
        })
        .await;
        let policy = Policy::new(CHAIN_ID, [PATH_USD], CENT).realms(["shop.test"]);
        let scene = Scene { server, customer: Customer::new(PAYER.key, policy) };
        let error = scene.get().await.unwrap_err();
        assert_eq!((error.money(), error.to_string().as_str()), (Money::NotMoved, "nothing was to be paid"));
        assert_eq!(error.payment().unwrap().hash(), None);
        scene.assert_one_signature_one_credential();
    }
}

#[tokio::test]
async fn failure_with_a_receipt_for_this_payment_is_paid() {
    let scene = Scene::paid(|heard| {
        let receipt = heard.receipt().encode();
        Reply::new(500, &[("payment-receipt", &receipt)], "")
    })
    .await;
    let error = scene.get().await.unwrap_err();
    assert_eq!(error.money(), Money::Paid);
    assert!(error.payment().unwrap().receipt().is_some());
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn redirect_before_paying_is_handed_back() {
    for status in [301, 302, 303, 307, 308] {
        let thief = thief().await;
        let to = thief.url("/");
        let scene = Scene::new(move |_| Reply::new(status, &[("location", &to)], "")).await;
        let answer = scene.post().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.payment().is_none()), (status, true));
        assert_eq!((scene.customer.signatures(), scene.server.heard().len()), (0, 1));
        assert_eq!(thief.heard().len(), 0);
    }
}

#[tokio::test]
async fn redirect_after_paying_takes_the_credential_nowhere() {
    for status in [301, 302, 303, 307, 308] {
        let thief = thief().await;
        let to = thief.url("/");
        let scene = Scene::paid(move |_| Reply::new(status, &[("location", &to)], "")).await;
        assert_unknown(&scene.post().await.unwrap_err());
        scene.assert_one_signature_one_credential();
        assert_eq!(thief.heard().len(), 0);
    }
}

#[tokio::test]
async fn connection_cut_after_the_credential_leaves_the_money_unknown() {
    let cuts: [&[u8]; 3] = [b"", b"HTTP/1.1 200 OK\r\ncontent-le", b"nonsense\r\n\r\n"];
    for cut in cuts {
        let scene = Scene::paid(move |_| Reply::raw(cut).then(Then::Close)).await;
        let error = scene.get().await.unwrap_err();
        assert_unknown(&error);
        assert!(matches!(failure(&error), Failure::Transport(error) if error.may_have_been_sent()));
        scene.assert_one_signature_one_credential();
    }
}

#[tokio::test]
async fn connection_refused_to_the_credential_moves_no_money() {
    let scene = Scene::new(|_| {
        let challenge = challenge(CENT).encode();
        let fields = [("www-authenticate", challenge.as_str()), ("connection", "close")];
        Reply::new(402, &fields, "").then(Then::Close).stop_listening()
    })
    .await;
    let error = scene.get().await.unwrap_err();
    assert_eq!((error.money(), scene.customer.signatures()), (Money::NotMoved, 1));
    assert!(error.payment().unwrap().hash().is_some());
    assert!(matches!(failure(&error), Failure::Transport(error) if !error.may_have_been_sent()));
    assert_eq!(scene.server.heard().len(), 1);
}

#[tokio::test]
async fn connection_closed_behind_the_402_is_no_second_payment() {
    // Without a word about it, so that the client learns of it only by trying.
    let scene = Scene::new(|heard| match heard.credential().is_some() {
        false => fresh_402().then(Then::Close),
        true => Reply::new(200, &[], "bought"),
    })
    .await;
    match scene.get().await {
        Ok(answer) => assert_eq!(answer.payment().unwrap().money(), Money::Paid),
        // It was written before the client could learn.
        Err(error) => assert_unknown(&error),
    }
    assert_eq!((scene.customer.signatures(), scene.customer.sent().len()), (1, 2));
    assert!(scene.paid_requests().len() <= 1);
}

#[tokio::test]
async fn endless_head_of_the_paid_answer_ends_with_the_paid_timeout() {
    let scene = Scene::paid(|_| Reply::raw("HTTP/1.1 200 OK\r\nx: ").then(Then::Drip(b'x'))).await;
    let scene = scene.with(|client| client.paid_timeout(Duration::from_millis(500)));
    let error = scene.get().await.unwrap_err();
    assert_unknown(&error);
    assert!(matches!(failure(&error), Failure::Timeout { after } if after.as_millis() == 500));
    assert_eq!(scene.customer.signatures(), 1);
}

#[tokio::test]
async fn endless_body_of_the_paid_answer_is_paid_and_lost() {
    let scene = Scene::paid(|heard| {
        let receipt = heard.receipt().encode();
        let head = format!("HTTP/1.1 200 OK\r\npayment-receipt: {receipt}\r\nconnection: close\r\n\r\n");
        Reply::raw(head).then(Then::Drip(b'x'))
    })
    .await;
    let scene = scene.with(|client| client.paid_timeout(Duration::from_secs(2)));
    let error = scene.get().await.unwrap().bytes().await.unwrap_err();
    assert_eq!(error.money(), Money::Paid);
    assert!(error.payment().unwrap().receipt().is_some());
    assert!(matches!(failure(&error), Failure::Timeout { .. }));
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn body_cut_short_of_its_length_is_paid_and_lost() {
    let scene =
        Scene::paid(|_| Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").then(Then::Close))
            .await;
    let error = scene.get().await.unwrap().bytes().await.unwrap_err();
    assert_eq!(error.money(), Money::Paid);
    assert!(matches!(failure(&error), Failure::Transport(_)));
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn answer_above_the_limit_is_paid_and_lost() {
    let scene = Scene::paid(|_| Reply::new(200, &[], "0123456789")).await;
    let scene = scene.with(|client| client.body_limit(9));
    let error = scene.get().await.unwrap().bytes().await.unwrap_err();
    assert_eq!(error.money(), Money::Paid);
    assert!(matches!(failure(&error), Failure::TooLarge { limit: 9 }));
}

#[tokio::test]
async fn stalled_server_that_never_asks_ends_with_the_unpaid_timeout() {
    let scene = Scene::new(|_| Reply::raw("HTTP/1.1 402 Pay\r\nx: ").then(Then::Drip(b'x'))).await;
    let scene = scene.with(|client| client.unpaid_timeout(Duration::from_millis(500)));
    let error = scene.get().await.unwrap_err();
    assert_eq!((error.money(), scene.customer.signatures()), (Money::NotMoved, 0));
    assert!(matches!(error, Error::Unpaid(Failure::Timeout { .. })));
}

#[tokio::test]
async fn timeouts_without_end_are_as_good_as_any() {
    let scene = Scene::paid(|_| Reply::new(200, &[], "bought")).await;
    let scene = scene.with(|client| client.unpaid_timeout(Duration::MAX).paid_timeout(Duration::MAX));
    let answer = scene.get().await.unwrap();
    assert_eq!(answer.payment().unwrap().money(), Money::Paid);
    assert_eq!(answer.bytes().await.unwrap(), "bought");
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn receipt_for_another_payment_is_reported_and_the_answer_delivered() {
    let other = Receipt::new(B256::repeat_byte(7).to_string(), 0, None).encode();
    let cases = [
        (other, ReceiptError::Reference),
        ("e30".to_owned(), ReceiptError::Member("status")),
        ("?".to_owned(), ReceiptError::Encoding("is not base64url")),
    ];
    for (receipt, why) in cases {
        let scene = Scene::paid(move |_| Reply::new(200, &[("payment-receipt", &receipt)], "bought")).await;
        let answer = scene.get().await.unwrap();
        let payment = answer.payment().unwrap().clone();
        assert!(
            matches!(payment.outcome(), Outcome::WrongReceipt(got) if same_kind(got, &why)),
            "{payment:?}"
        );
        assert_eq!((payment.money(), payment.receipt().is_none()), (Money::Paid, true));
        assert_eq!(answer.bytes().await.unwrap(), "bought");
        scene.assert_one_signature_one_credential();
    }
}

#[tokio::test]
async fn paid_answer_without_a_receipt_is_delivered() {
    let scene = Scene::paid(|_| Reply::new(200, &[], "bought")).await;
    let answer = scene.get().await.unwrap();
    assert_eq!(answer.payment().unwrap().outcome(), &Outcome::Accepted);
    assert_eq!(answer.bytes().await.unwrap(), "bought");
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn ten_megabytes_beside_a_challenge_are_not_read() {
    // Beside one that is paid, beside one that is refused, and beside a failure after paying.
    let answers: [fn(&Heard) -> Reply; 3] = [
        |heard| match heard.credential().is_some() {
            false => long_402(CENT),
            true => Reply::new(200, &[], "bought"),
        },
        |_| long_402(Amount::from_base_units(10_001)),
        |heard| match heard.credential().is_some() {
            false => fresh_402(),
            true => Reply::new(500, &[], vec![b' '; 10 << 20]),
        },
    ];
    for (answer, (signatures, paid)) in answers.into_iter().zip([(1, true), (0, false), (1, false)]) {
        let Scene { server, customer } = Scene::new(answer).await;
        assert_eq!(customer.get(&server.url("/")).await.is_ok(), paid);
        assert_eq!(customer.signatures(), signatures);
        drop(customer);
        let written = server.written().await;
        assert!(written < 4 << 20, "the client took {written} bytes");
    }
}

#[tokio::test]
async fn clear_text_to_another_machine_is_not_even_asked_for() {
    // 0.0.0.0 would reach the server, which is how this is seen to be the client's doing.
    let scene = Scene::paid(|_| Reply::new(200, &[], "bought")).await;
    let port = scene.server.port();
    for host in ["0.0.0.0", "localhost.shop.test", "127.0.0.1.shop.test", "[::ffff:127.0.0.1]", "shop.test"] {
        let error = scene.customer.get(&format!("http://{host}:{port}/")).await.unwrap_err();
        assert!(matches!(error, Error::Request(_)), "{error:?}");
        assert_eq!(error.money(), Money::NotMoved);
    }
    for other in ["ftp://127.0.0.1", "http://a:b@127.0.0.1"] {
        let error = scene.customer.get(&format!("{other}:{port}/")).await.unwrap_err();
        assert!(matches!(error, Error::Request(_)), "{error:?}");
    }
    assert_eq!((scene.customer.signatures(), scene.customer.sent().len()), (0, 0));
    assert_eq!(scene.server.heard().len(), 0);
}

#[tokio::test]
async fn paid_post_is_the_same_request_with_credential_and_idempotency_key() {
    let scene = Scene::paid(|_| Reply::new(200, &[], "bought")).await;
    scene.post().await.unwrap();
    scene.post().await.unwrap();
    assert_eq!(scene.customer.signatures(), 2);
    let heard = scene.server.heard();
    let keys: Vec<_> = heard.iter().map(|heard| heard.header("idempotency-key")).collect();
    assert!(keys[0].is_none() && keys[1].is_some() && keys[2].is_none() && keys[3].is_some(), "{keys:?}");
    assert_ne!(keys[1], keys[3]);
    for legs in heard.chunks(2) {
        let [unpaid, paid] = legs else { panic!("a leg is missing") };
        assert_eq!((&unpaid.body, unpaid.method()), (&paid.body, paid.method()));
        assert_eq!(unpaid.body, BODY.as_bytes());
        let added = |line: &&str| !["authorization", "idempotency-key"].iter().any(|it| line.starts_with(it));
        let paid: Vec<_> = paid.head.lines().filter(added).collect();
        assert_eq!(unpaid.head.lines().collect::<Vec<_>>(), paid);
    }
}

#[tokio::test]
async fn paid_get_carries_no_idempotency_key() {
    let scene = Scene::paid(|_| Reply::new(200, &[], "bought")).await;
    scene.get().await.unwrap();
    assert!(scene.server.heard().iter().all(|heard| heard.header("idempotency-key").is_none()));
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn callers_own_authorization_is_neither_paid_over_nor_lost() {
    let own = |url| http::Request::get(url).header("authorization", "Bearer own").body("".into()).unwrap();
    let scene = Scene::paid(|_| Reply::new(200, &[], "bought")).await;
    let error = scene.customer.client().send(own(scene.server.url("/"))).await.unwrap_err();
    assert_eq!(refusals(error), [Reason::AuthorizationInUse]);
    assert_eq!(scene.customer.signatures(), 0);

    let elsewhere = |heard: &Heard| match heard.header("payment-authorization") {
        None => {
            let challenge = challenge(CENT).encode() + ", header=\"Payment-Authorization\"";
            Reply::new(402, &[("www-authenticate", &challenge)], "")
        }
        Some(_) => Reply::new(200, &[], "bought"),
    };
    let scene = Scene::new(elsewhere).await;
    scene.customer.client().send(own(scene.server.url("/"))).await.unwrap();
    assert!(scene.server.heard().iter().all(|heard| heard.header("authorization") == Some("Bearer own")));
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn one_good_challenge_among_bad_ones_is_paid_once() {
    let scene = Scene::new(|heard| {
        if heard.credential().is_some() {
            return Reply::new(200, &[], "bought");
        }
        let dear = challenge(Amount::from_base_units(10_001)).encode();
        let good = challenge(CENT).encode();
        let broken = r#"Payment id="", realm="x", Basic realm="y""#;
        let fields =
            [("www-authenticate", &*dear), ("www-authenticate", broken), ("www-authenticate", &*good)];
        Reply::new(402, &fields, "")
    })
    .await;
    let answer = scene.get().await.unwrap();
    assert_eq!(answer.payment().unwrap().quote().amount, CENT);
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn err_402_that_cannot_be_paid_signs_nothing() {
    let cookie = challenge(CENT).encode() + ", header=\"Cookie\"";
    let long = format!(r#"Payment id="{}""#, "x".repeat(200_000));
    let other_body = e2e::demand(CENT, Some(&body_digest(b"other")), 300).encode();
    let expired = e2e::demand(CENT, None, 1).encode();
    type Check = fn(&Reason) -> bool;
    let cases: [(&str, Check); 4] = [
        (&cookie, |reason| matches!(reason, Reason::Malformed(bad) if invalid(&bad.fault, "header"))),
        (
            &long,
            |reason| matches!(reason, Reason::Malformed(bad) if matches!(bad.fault, Fault::TooLong { .. })),
        ),
        (&other_body, |reason| matches!(reason, Reason::Policy(Refusal::Digest))),
        (&expired, |reason| matches!(reason, Reason::Policy(Refusal::Expired { .. }))),
    ];
    for (challenge, expected) in cases {
        let reply = Reply::new(402, &[("www-authenticate", challenge)], "<html>");
        let scene = Scene::new(move |_| reply.clone()).await;
        let error = scene.post().await.unwrap_err();
        assert_eq!((error.money(), scene.customer.signatures()), (Money::NotMoved, 0));
        let reasons = refusals(error);
        assert!(matches!(reasons.as_slice(), [reason] if expected(reason)), "{reasons:?}");
    }
    let scene = Scene::new(|_| Reply::new(402, &[("www-authenticate", "Bearer")], "")).await;
    let error = scene.post().await.unwrap_err();
    assert!(matches!(error, Error::NotPaid { reason: NotPaid::NoChallenge, .. }), "{error:?}");
    assert_eq!(scene.customer.signatures(), 0);
}

#[tokio::test]
async fn challenge_on_another_status_is_not_paid() {
    for status in [200, 401, 403, 407, 500] {
        let challenge = challenge(CENT).encode();
        let scene = Scene::new(move |_| Reply::new(status, &[("www-authenticate", &challenge)], "")).await;
        assert_eq!(scene.get().await.unwrap().status().as_u16(), status);
        assert_eq!((scene.customer.signatures(), scene.server.heard().len()), (0, 1));
    }
}

#[tokio::test]
async fn call_that_is_dropped_while_paying_signs_once() {
    let scene = Scene::paid(|_| Reply::raw("HTTP/1.1 200 OK\r\nx: ").then(Then::Drip(b'x'))).await;
    {
        let call = scene.get();
        tokio::pin!(call);
        while scene.paid_requests().is_empty() {
            let turn = tokio::time::timeout(Duration::from_millis(1), &mut call).await;
            assert!(turn.is_err(), "{turn:?}");
        }
    }
    scene.assert_one_signature_one_credential();
}

#[tokio::test]
async fn paid_request_takes_the_connection_of_the_unpaid_one() {
    let scene = Scene::new(|heard| {
        if heard.credential().is_some() {
            return Reply::new(200, &[], "bought");
        }
        let problem = Problem::new(ProblemType::PaymentRequired, "a cent, please", None).encode();
        Reply::new(402, &[("www-authenticate", &challenge(CENT).encode())], problem)
    })
    .await;
    scene.get().await.unwrap();
    let connections: Vec<_> = scene.server.heard().iter().map(|heard| heard.connection).collect();
    assert_eq!(connections, [0, 0]);
}

#[tokio::test]
async fn proxy_named_by_the_environment_sees_nothing() {
    const NAME: &str = "proxy_named_by_the_environment_sees_nothing";
    if std::env::var_os("BEHIND_PROXY").is_some() {
        let scene = Scene::paid(|_| Reply::new(200, &[], "bought")).await;
        scene.get().await.unwrap();
        return scene.assert_one_signature_one_credential();
    }
    // Only a process of its own can have another environment.
    let proxy = thief().await;
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", NAME]).env("BEHIND_PROXY", "yes");
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        child.env(name, proxy.url(""));
    }
    let output = child.env_remove("NO_PROXY").env_remove("no_proxy").output().await.unwrap();
    assert_eq!(proxy.heard().len(), 0);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A server, and somebody who asks it for something.
struct Scene {
    server: ScriptedServer,
    customer: Customer,
}

impl Scene {
    async fn new(script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> Self {
        let policy = Policy::new(CHAIN_ID, [PATH_USD], CENT);
        Self { server: ScriptedServer::start(script).await, customer: Customer::new(PAYER.key, policy) }
    }

    /// A server that asks everybody for a cent, each time anew, and does as `script` says once it is paid.
    async fn paid(script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> Self {
        Self::new(move |heard| if heard.credential().is_some() { script(heard) } else { fresh_402() }).await
    }

    fn with(self, options: impl FnOnce(mpp_http::Client) -> mpp_http::Client) -> Self {
        Self { customer: self.customer.with(options), ..self }
    }

    async fn get(&self) -> Result<mpp_http::Response, Error> {
        self.customer.get(&self.server.url("/")).await
    }

    async fn post(&self) -> Result<mpp_http::Response, Error> {
        self.customer.post(&self.server.url("/"), BODY).await
    }

    fn paid_requests(&self) -> Vec<Heard> {
        let heard = self.server.heard();
        heard.into_iter().filter(|heard| heard.credential().is_some()).collect()
    }

    fn assert_one_signature_one_credential(&self) {
        assert_eq!((self.customer.signatures(), self.customer.sent().len()), (1, 2));
        assert_eq!((self.paid_requests().len(), self.server.heard().len()), (1, 2));
    }
}

const BODY: &str = r#"{"prompt":"Compute the factorial of 50 in Python."}"#;

/// Somebody who hopes to be redirected to, and asks for money at once.
async fn thief() -> ScriptedServer {
    ScriptedServer::start(|_| fresh_402()).await
}

fn challenge(amount: Amount) -> Challenge {
    e2e::demand(amount, None, 300)
}

fn fresh_402() -> Reply {
    Reply::payment_required(&challenge(CENT))
}

fn long_402(amount: Amount) -> Reply {
    Reply::new(402, &[("www-authenticate", &challenge(amount).encode())], vec![b' '; 10 << 20])
}

/// Sent, signed under a known hash, and nobody knows what became of it.
fn assert_unknown(error: &Error) {
    assert_eq!(error.money(), Money::Unknown, "{error:?}");
    let payment = error.payment().unwrap();
    assert!(payment.hash().is_some() && payment.memo().is_some() && payment.valid_before().is_some());
    assert!(payment.receipt().is_none());
}

fn failure(error: &Error) -> &Failure {
    match error {
        Error::AfterSigning { failure, .. } => failure,
        error => panic!("nothing was signed: {error:?}"),
    }
}

fn refusals(error: Error) -> Vec<Reason> {
    match error {
        Error::NotPaid { reason: NotPaid::Refused(reasons), .. } => reasons,
        error => panic!("not refused: {error:?}"),
    }
}

fn invalid(fault: &Fault, name: &str) -> bool {
    matches!(fault, Fault::Invalid { parameter, .. } if *parameter == name)
}

fn same_kind(one: &impl Debug, other: &impl Debug) -> bool {
    format!("{one:?}") == format!("{other:?}")
}
