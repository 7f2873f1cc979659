//! Nothing is paid twice, and what became of the money is said.

use e2e::{Anvil, PATH_USD};
use mpp_core::tempo::{B256, LocalSigner};
use serde_json::json;

use super::{CHAT, Heard, RETRY, Served, Slow, chat, cut_stream, ledger, shop, sold, streamed};
use crate::node::{Knows, node};
use crate::support::{Home, KEY, answer, challenge, failed};

#[test]
fn a_payment_without_an_answer_is_told_once_paid_and_not_repeated() {
    let home = Home::new();
    let shop = shop([challenge(31337), failed()]);
    let served = Served::selling(&home, &shop.url);
    let heard = served.post(CHAT, &chat());
    let error = heard.assert_error(424, "payment_outcome_unknown");
    let message = error["message"].as_str().expect("a text");
    assert!(message.starts_with("it is unknown whether 0.001 dollars were paid"), "{message}");
    assert!(message.contains("payment #1"), "{message}");
    assert_eq!((heard.field("x-should-retry"), heard.field("x-mpp-money")), (Some("false"), Some("unknown")));
    let again = served.ask(CHAT, &[RETRY], &chat());
    again.assert_error(424, "payment_outcome_unknown");
    assert_eq!((again.field("x-mpp-replayed"), shop.credentials().len()), (Some("true"), 1));
    served.interrupt();
    let (code, said) = served.ended();
    assert!(code == Some(5) && said.contains("reconcile finds out"), "{code:?} {said}");
}

#[test]
fn a_node_is_asked_what_became_of_a_payment_before_its_client_is_told() {
    let cases = [
        (Knows::Happened, 424, "paid_undelivered", Some("false"), "0.001 dollars were paid"),
        (
            Knows::Failed,
            502,
            "payment_not_made",
            Some("false"),
            "the payment failed on chain; its fee of $0.000029 is gone",
        ),
        (Knows::Absent, 502, "payment_not_made", None, "the payment did not happen"),
    ];
    for (knows, status, code, retry, says) in cases {
        let home = Home::new();
        let shop = shop([challenge(31337), failed(), challenge(31337), sold()]);
        let to = ["--base-url", &shop.url, "--chain-id", "31337", "--rpc", &node(31337, knows)];
        let served = Served::start(&home, &to);
        let heard = served.post(CHAT, &chat());
        let error = heard.assert_error(status, code);
        assert!(error["message"].as_str().expect("a text").starts_with(says), "{error}");
        assert_eq!(heard.field("x-should-retry"), retry);
        let again = served.ask(CHAT, &[RETRY], &chat());
        let expected = if retry.is_none() { 200 } else { status };
        assert_eq!(again.status, expected, "only what cost nothing is bought anew: {again:?}");
    }
}

#[test]
fn an_answer_that_is_none_is_paid_and_lost() {
    let home = Home::new();
    let shop = shop([challenge(31337), answer("200 OK", "<html>")]);
    let error = Served::selling(&home, &shop.url).post(CHAT, &chat()).assert_error(424, "paid_undelivered");
    assert!(error["message"].as_str().expect("a text").contains("0.001 dollars were paid"), "{error}");
    assert_eq!(error["payment"]["money"], "paid");
    let empty = answer("200 OK", r#"{"success":true,"data":{"nothing":1}}"#);
    let shop = super::shop([challenge(31337), empty]);
    let speech = json!({"input": "hi", "voice": "ara"});
    Served::selling(&home, &shop.url).post("audio/speech", &speech).assert_error(424, "paid_undelivered");
}

#[test]
fn a_stream_that_is_cut_ends_with_an_error_and_not_as_if_it_were_whole() {
    let (described, cut) = cut_stream();
    let response = json!({"model": "grok-4.3", "input": "six times seven?"});
    for (path, body) in [(CHAT, chat()), ("responses", response)] {
        let home = Home::new();
        let shop = shop([described.clone(), challenge(31337), cut.clone()]);
        let served = Served::selling(&home, &shop.url);
        let heard = served.post(path, &streamed(body.clone()));
        assert!(!heard.whole && heard.text().contains("forty"), "{heard:?}");
        let events = heard.events();
        let error = &events.last().expect("an event")["error"];
        assert_eq!([&error["code"], &error["payment"]["money"]], ["paid_undelivered", "paid"], "{events:?}");
        assert_eq!(ledger(&home)[0]["state"], "paid_undelivered");
        let again = served.ask(path, &[RETRY], &streamed(body));
        assert_eq!((again.whole, again.events()), (false, events), "the same once more");
        assert_eq!(shop.credentials().len(), 1);
    }
}

#[test]
fn who_hung_up_finds_his_answer_when_he_tries_again() {
    let home = Home::new();
    let shop = Slow::open();
    let served = Served::selling(&home, &shop.url);
    drop(served.send(CHAT, &[], &chat()));
    shop.asked.recv().expect("it is paid");
    let waiting = served.send(CHAT, &[RETRY], &chat());
    shop.answer.send(()).expect("told");
    let heard = Heard::read(waiting);
    assert_eq!((heard.status, heard.field("x-mpp-replayed")), (200, Some("true")));
    let later = served.ask(CHAT, &[RETRY], &chat());
    assert_eq!((later.body, ledger(&home).len()), (heard.body, 1));
    assert_eq!(ledger(&home)[0]["state"], "delivered");
}

#[test]
fn who_hung_up_finds_his_answer_also_if_he_does_not_say_that_he_tries_again() {
    let home = Home::new();
    let shop = Slow::open();
    let served = Served::selling(&home, &shop.url);
    drop(served.send(CHAT, &[], &chat()));
    shop.asked.recv().expect("it is paid");
    let waiting = served.send(CHAT, &[], &chat());
    shop.answer.send(()).expect("told");
    let heard = Heard::read(waiting);
    assert_eq!((heard.status, heard.field("x-mpp-replayed")), (200, Some("true")));
    assert_eq!(ledger(&home).len(), 1);
}

#[test]
fn a_key_is_paid_once_however_often_it_is_sent_and_belongs_to_one_request() {
    let home = Home::new();
    let shop = Slow::open();
    let served = Served::selling(&home, &shop.url);
    let key = [("Idempotency-Key", "one")];
    let first = served.send(CHAT, &key, &chat());
    shop.asked.recv().expect("it is paid");
    let second = served.send(CHAT, &key, &chat());
    shop.answer.send(()).expect("told");
    let (first, second) = (Heard::read(first), Heard::read(second));
    assert_eq!((first.status, &first.body), (200, &second.body));
    let other = served.ask(CHAT, &key, &streamed(chat()));
    other.assert_error(422, "idempotency_key_reused");
    assert_eq!(ledger(&home).len(), 1);
}

#[test]
fn the_same_asked_anew_is_bought_anew() {
    let home = Home::new();
    let served = Served::sandbox(&home);
    let ids = [(); 2].map(|()| served.post(CHAT, &chat()).field("x-mpp-payment-id").map(str::to_owned));
    assert_eq!(ids, [Some("1".to_owned()), Some("2".to_owned())]);
}

#[test]
fn what_was_paid_before_a_crash_is_not_paid_again_by_who_tries_again() {
    let home = Home::new();
    let shop = shop([challenge(31337), String::new(), challenge(31337), sold()]);
    let served = Served::selling(&home, &shop.url);
    let waiting = served.send(CHAT, &[], &chat());
    while shop.credentials().is_empty() {
        std::thread::yield_now();
    }
    drop((served, waiting));
    let served = Served::selling(&home, &shop.url);
    let error = served.ask(CHAT, &[RETRY], &chat()).assert_error(424, "paid_undelivered");
    assert!(error["message"].as_str().expect("a text").contains("payment #1"), "{error}");
    assert_eq!(shop.credentials().len(), 1);
    assert_eq!(served.post(CHAT, &chat()).status, 200, "who asks anew means it");
}

#[test]
fn a_budget_and_a_policy_refuse_in_the_words_of_the_api_and_nothing_is_paid() {
    let home = Home::new();
    let served = Served::start(&home, &["--sandbox", "--max-per-day", "0.001"]);
    let heard = served.post(CHAT, &chat());
    let error = heard.assert_error(429, "budget_exceeded");
    assert_eq!(
        (&error["type"], heard.field("x-should-retry")),
        (&json!("insufficient_quota"), Some("false"))
    );
    assert!(error["message"].as_str().expect("a text").starts_with("nothing was paid: "), "{error}");
    let served = Served::start(&home, &["--sandbox", "--max-cost", "0.001"]);
    let heard = served.post(CHAT, &streamed(chat()));
    assert_eq!(heard.assert_error(402, "refused_by_policy")["type"], "insufficient_quota");
    assert!(ledger(&home).is_empty());
}

#[test]
fn a_service_that_does_not_answer_may_be_asked_again() {
    let home = Home::new();
    let shop = shop([answer("503 Service Unavailable", ""), challenge(31337), sold()]);
    let served = Served::selling(&home, &shop.url);
    let heard = served.post(CHAT, &chat());
    heard.assert_error(502, "service_failed");
    assert_eq!(heard.field("x-should-retry"), None);
    let again = served.ask(CHAT, &[RETRY], &chat());
    assert_eq!(
        (again.status, again.field("x-mpp-replayed")),
        (200, None),
        "nothing was paid, so it is asked anew"
    );
}

#[test]
fn ctrl_c_waits_for_what_is_paid_and_says_what_was_spent() {
    let home = Home::new();
    let shop = Slow::open();
    let mut served = Served::selling(&home, &shop.url);
    let waiting = served.send(CHAT, &[], &chat());
    shop.asked.recv().expect("it is paid");
    served.interrupt();
    served.says("stopping");
    shop.answer.send(()).expect("told");
    assert_eq!(Heard::read(waiting).status, 200);
    let (code, said) = served.ended();
    assert_eq!((code, said.trim_end()), (Some(0), "spent        $0.001 in 1 payment, fees not included"));
}

#[test]
fn ctrl_c_twice_does_not_wait_and_says_that_something_is_open() {
    let home = Home::new();
    let shop = Slow::open();
    let mut served = Served::selling(&home, &shop.url);
    let _waiting = served.send(CHAT, &[], &chat());
    shop.asked.recv().expect("it is paid");
    served.interrupt();
    served.says("stopping");
    served.interrupt();
    let (code, said) = served.ended();
    assert!(code == Some(5) && said.contains("reconcile"), "{code:?} {said}");
    assert_eq!(ledger(&home)[0]["state"], "sent");
}

#[tokio::test]
async fn what_was_paid_on_a_chain_is_settled_with_its_fee() {
    let (home, node) = (Home::new(), Anvil::shared().await);
    let wallet = LocalSigner::from_hex(KEY).expect("a key").address();
    node.fund(wallet, 1_000_000).await;
    let before = node.balance_of(PATH_USD, wallet).await;
    let served = Served::start(&home, &["--sandbox", "--rpc", &node.url()]);
    let heard = served.post(CHAT, &chat());
    let hash: B256 = heard.field("x-mpp-transaction").and_then(|hash| hash.parse().ok()).expect("a hash");
    assert!(node.transaction(hash).await.is_some(), "{heard:?}");
    // The fee is asked for once the answer has left, and waited for before the end.
    served.interrupt();
    assert_eq!(served.ended().0, Some(0));
    let payment = ledger(&home).remove(0);
    let units = |name: &str| payment["chain"][name].as_str().and_then(|units| units.parse::<u128>().ok());
    let spent = before - node.balance_of(PATH_USD, wallet).await;
    assert_eq!(Some(spent), units("amount").zip(units("fee")).map(|(amount, fee)| amount + fee), "{payment}");
}
