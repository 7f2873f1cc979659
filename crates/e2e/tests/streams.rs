//! Answers that come piece by piece, bought from a real gateway that settles on a real node: whole, and cut in every
//! place. What the caller is told, what the ledger holds and what is on chain agree.
//!
//! The service behind the gateway is a stand-in that speaks its documented events.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;

use e2e::{Anvil, CHAIN_ID, PATH_USD, PAYER, RECIPIENT, Reply, ScriptedServer, Then, demand};
use grok_gateway::{Compatible, Gateway, Prices};
use grok_mpp::{Error, Grok};
use mpp_core::tempo::LocalSigner;
use mpp_core::{Amount, Policy};
use mpp_gate::{Node, Payee};
use mpp_http::chain::Rpc;
use mpp_http::ledger::{Ledger as _, MemoryLedger, SqlLedger, State};
use mpp_http::reconcile::reconcile;
use mpp_http::{Client, Failure, Money, Payment};
use serde_json::json;

#[tokio::test]
async fn a_stream_is_handed_out_as_it_comes_and_is_delivered_when_it_is_whole() {
    let scene = Scene::open(&whole(), Then::Listen).await;
    let mut stream = scene.grok.chat("Count.").stream().await.unwrap();
    let mut pieces = Vec::new();
    while let Some(event) = stream.next().await.unwrap() {
        pieces.push(event.text().to_owned());
    }
    assert_eq!(pieces.concat(), "one two three");
    assert!(pieces.iter().filter(|piece| !piece.is_empty()).count() == 3, "{pieces:?}");

    let answer = stream.so_far();
    assert_eq!(
        (answer.text(), answer.finish(), answer.model()),
        ("one two three", Some("stop"), Some("grok-4.3"))
    );
    assert_eq!(answer.usage().unwrap().output_tokens, Some(3));
    assert_eq!(answer.raw()["object"], "chat.completion");
    let told = answer.payment().unwrap();
    assert_eq!((told.state(), told.receipt().is_some()), (State::Delivered, true));
    assert_eq!(answer.cost(), Some(told.quote().amount));
    let kept = scene.kept().await;
    assert_eq!((kept.state(), kept.failure()), (State::Delivered, None));
    scene.is_paid_on_chain(&kept).await;
}

#[tokio::test]
async fn what_finish_hands_out_is_the_same_as_an_answer_that_was_not_streamed() {
    let scene = Scene::open(&whole(), Then::Listen).await;
    let streamed = scene.grok.chat("Count.").stream().await.unwrap().finish().await.unwrap();
    let at_once = json!({"id": "c1", "object": "chat.completion", "created": 1, "model": "grok-4.3",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "one two three"},
            "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 3}});
    assert_eq!(streamed.raw(), &at_once);
}

#[tokio::test]
async fn a_stream_that_is_cut_was_paid_and_not_delivered_by_the_word_of_all_three() {
    let events = whole();
    let cuts = [
        ("in the middle of an event", events[0].len() + 20),
        ("between two events", events[0].len()),
        ("before the last event", events.concat().len() - events[5].len()),
    ];
    for (place, at) in cuts {
        let scene = Scene::open(&[events.concat().split_at(at).0.to_owned()], Then::Close).await;
        let mut stream = scene.grok.chat("Count.").stream().await.unwrap();
        let mut said = String::new();
        let error = loop {
            match stream.next().await {
                Ok(event) => said.push_str(event.expect(place).text()),
                Err(error) => break error,
            }
        };
        assert!("one two three".starts_with(&said) && !said.is_empty(), "{place}: {said:?}");
        assert_eq!(stream.so_far().text(), said, "{place}");
        assert_eq!(stream.next().await.unwrap(), None, "{place}: it stays over");
        scene.is_paid_and_undelivered(&error, place).await;
    }
}

#[tokio::test]
async fn an_error_told_within_a_stream_and_an_end_before_the_last_event_are_those_of_a_paid_call() {
    let told = event(&json!({"error": {"message": "out of coffee", "code": "brew"}}));
    let response = event(&json!({"type": "response.failed", "response": {"error": {"message": "no beans"}}}));
    let cases = [(told, Some("brew: out of coffee")), (response, Some("no beans")), (String::new(), None)];
    for (last, says) in cases {
        let body = whole()[0].clone() + &last;
        let server = ScriptedServer::start(move |heard| match heard.credential() {
            None => Reply::payment_required(&demand("0.01".parse().unwrap(), None, 60)),
            Some(_) => {
                let receipt = heard.receipt().encode();
                let head = [("content-type", "text/event-stream"), ("payment-receipt", receipt.as_str())];
                Reply::new(200, &head, &body)
            }
        });
        let server = server.await;
        let client = Client::new(LocalSigner::from_hex(PAYER.key).unwrap(), policy());
        let ledger = Arc::new(MemoryLedger::new());
        let grok = Grok::with_client(client.ledger(Arc::clone(&ledger))).base_url(server.url(""));
        let mut stream = grok.chat("Count.").stream().await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap().text(), "one ");
        let error = stream.next().await.unwrap_err();
        assert_eq!(error.money(), Money::Paid, "{error:?}");
        match (says, &error) {
            (Some(says), Error::Failed { status, .. }) => {
                assert_eq!(status.as_u16(), 200);
                assert!(error.to_string().ends_with(says), "{error}");
            }
            (None, Error::Http(mpp_http::Error::AfterSigning { failure, .. })) => {
                assert_eq!(failure.to_string(), "the answer ended before its last event");
            }
            other => panic!("{other:?}"),
        }
        let kept = ledger.payments(None, 2, false).await.unwrap();
        assert_eq!((kept.len(), kept[0].state()), (1, State::PaidUndelivered));
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_stays_paid_for() {
    let scene = Scene::open(&whole(), Then::Listen).await;
    let mut stream = scene.grok.chat("Count.").stream().await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().text(), "one ");
    drop(stream);
    let kept = scene.kept().await;
    assert_eq!((kept.state(), kept.money()), (State::Paid, Money::Paid));
    scene.is_paid_on_chain(&kept).await;
}

#[tokio::test]
async fn a_service_that_does_not_stream_answers_in_one_piece() {
    let whole = json!({"choices": [{"message": {"content": "all at once"}, "finish_reason": "stop"}]});
    let server = ScriptedServer::start(move |_| {
        Reply::new(200, &[("content-type", "application/json")], whole.to_string())
    });
    let server = server.await;
    let grok = Grok::new(LocalSigner::from_hex(PAYER.key).unwrap(), policy()).base_url(server.url(""));
    let mut stream = grok.chat("Count.").stream().await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().text(), "all at once");
    assert_eq!(stream.next().await.unwrap(), None);
    assert_eq!((stream.so_far().text(), stream.so_far().payment()), ("all at once", None));
}

/// A gateway on a node of its own, in front of a service that answers with these events, and a payer with a ledger.
struct Scene {
    node: Anvil,
    grok: Grok,
    ledger: Arc<SqlLedger>,
    before: [u128; 2],
    _upstream: ScriptedServer,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn open(events: &[String], then: Then) -> Self {
        let body = events.concat();
        // A length that a cut body does not reach.
        let missing = if then == Then::Close { 1000 } else { 0 };
        let upstream = ScriptedServer::start(move |_| {
            let length = body.len() + missing;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            Reply::raw(head).then(then)
        });
        let upstream = upstream.await;
        let node = Anvil::start(CHAIN_ID).await;
        let payee = Payee { realm: "grok.test".into(), currency: PATH_USD, recipient: RECIPIENT.address };
        let chain = Node::connect(&node.url()).await.unwrap();
        let behind = Compatible::new(&upstream.url(""), None).unwrap();
        let gateway = Gateway::new(payee, chain, behind, Prices::default()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(gateway.serve(listener, std::future::pending()));

        let folder = tempfile::tempdir().unwrap();
        let ledger = Arc::new(SqlLedger::sqlite(folder.path().join("ledger.sqlite")).await.unwrap());
        let client =
            Client::new(LocalSigner::from_hex(PAYER.key).unwrap(), policy()).ledger(Arc::clone(&ledger));
        let grok = Grok::with_client(client).base_url(format!("http://{address}"));
        let mut scene = Scene { node, grok, ledger, before: [0; 2], _upstream: upstream, _folder: folder };
        scene.before = scene.holdings().await;
        scene
    }

    /// The one payment that was made.
    async fn kept(&self) -> Payment {
        let [kept] = <[Payment; 1]>::try_from(self.ledger.payments(None, 2, false).await.unwrap()).unwrap();
        kept
    }

    async fn is_paid_and_undelivered(&self, error: &Error, place: &str) {
        assert_eq!(error.money(), Money::Paid, "{place}: {error:?}");
        let Error::Http(mpp_http::Error::AfterSigning { failure, .. }) = error else {
            panic!("{place}: {error:?}")
        };
        assert!(matches!(failure, Failure::Transport(_) | Failure::CutShort { .. }), "{place}: {failure:?}");
        assert!(error.to_string().contains("dollars were paid, but the answer failed or is lost"), "{error}");
        let kept = self.kept().await;
        assert_eq!(
            (kept.state(), kept.id()),
            (State::PaidUndelivered, error.payment().unwrap().id()),
            "{place}"
        );
        assert_eq!(kept.hash(), error.payment().unwrap().hash());
        self.is_paid_on_chain(&kept).await;
    }

    /// The chain has it as the ledger does, before it is asked and after.
    async fn is_paid_on_chain(&self, kept: &Payment) {
        let mined = self.node.transaction(kept.hash().unwrap()).await.expect("it is on the chain");
        let price = kept.quote().amount.base_units();
        let [payer, payee] = self.holdings().await;
        assert_eq!([self.before[0] - payer, payee - self.before[1]], [price + mined.fee, price]);
        let rpc = Rpc::new(&self.node.url()).unwrap();
        let state = kept.state();
        reconcile(&*self.ledger, Some(&rpc)).await.unwrap();
        let settled = self.kept().await;
        let paid = settled.settled().map(|settled| (settled.amount.base_units(), settled.fee.base_units()));
        assert_eq!((settled.state(), paid), (state, Some((price, mined.fee))));
    }

    async fn holdings(&self) -> [u128; 2] {
        let of = |owner| self.node.balance_of(PATH_USD, owner);
        [of(PAYER.address).await, of(RECIPIENT.address).await]
    }
}

fn policy() -> Policy {
    Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(500_000))
}

fn event(data: &serde_json::Value) -> String {
    format!("data: {data}\n\n")
}

/// The events of a whole answer.
fn whole() -> [String; 6] {
    let delta = |delta: &str, finish: Option<&str>| {
        event(&json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "grok-4.3",
            "choices": [{"index": 0, "delta": {"content": delta}, "finish_reason": finish}]}))
    };
    let usage = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "grok-4.3",
        "choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 3}});
    [
        delta("one ", None),
        delta("two ", None),
        delta("three", None),
        delta("", Some("stop")),
        event(&usage),
        "data: [DONE]\n\n".to_owned(),
    ]
}
