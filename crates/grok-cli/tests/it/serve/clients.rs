//! The official clients, which nobody here wrote, at their pinned versions: for Node and for Python.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Served, Slow, cut_stream, ledger, shop, sold};
use crate::support::{Home, Shop, answer, challenge, failed};

const PACKAGES: [(&str, &str); 3] = [
    ("package.json", include_str!("clients/package.json")),
    ("package-lock.json", include_str!("clients/package-lock.json")),
    (".npmrc", include_str!("clients/.npmrc")),
];
const SCRIPTS: [(&str, &str); 1] = [("client.mjs", include_str!("clients/client.mjs"))];

type Client = fn() -> Command;

/// How each calls the error of a status that has no name of its own.
const CLIENTS: [(Client, &str); 2] = [(node, "APIError"), (python, "APIStatusError")];

fn node() -> Command {
    let mut command = Command::new("node");
    command.arg("client.mjs").current_dir(e2e::install::npm(&PACKAGES, &SCRIPTS));
    command
}

fn python() -> Command {
    let mut command = Command::new(e2e::python::venv(include_str!("clients/requirements.txt")));
    command.args(["-c", include_str!("clients/client.py")]);
    command
}

/// Takes a client through steps, and tells `heard` of each line that it prints as it does.
fn walk(
    mut client: Command,
    served: &Served,
    timeout: &str,
    steps: &[&str],
    heard: &mut dyn FnMut(&Value),
) -> Vec<Value> {
    let client = client.args([&served.url(), timeout]).args(steps);
    let mut child = client.stdout(Stdio::piped()).spawn().expect("the client starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let lines = lines.map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON"));
    let lines = lines.inspect(heard).collect();
    assert!(child.wait().expect("it ends").success());
    lines
}

/// What one step came to, and how many requests it took.
fn step(client: Command, served: &Served, name: &str) -> (Value, usize) {
    let mut lines = walk(client, served, PATIENT, &[name], &mut |_| {});
    let last = lines.pop().expect("a line");
    assert_eq!(last["step"], name);
    (last, lines.len())
}

const PATIENT: &str = "60000";

#[test]
fn every_path_is_what_the_clients_expect() {
    let said = |number| {
        format!("This sandbox holds no language model. Messages so far: {number}. The last one says: ")
    };
    let (asked, hello) = (said(1) + "say `add({\"a\":6})`", said(1) + "hello");
    let expected = [
        ("chat", json!({"text": asked, "finish": "stop", "tokens": 37, "amount": "5906"})),
        ("chat_stream", json!({"text": asked, "finish": "stop", "tokens": 37})),
        ("function_call", json!({"name": "add", "arguments": "{\"a\":6}", "streamed": "{\"a\":6}"})),
        ("responses", json!({"text": said(2) + "hello", "status": "completed", "tokens": 40})),
        ("code", json!({"text": "42", "types": ["code_interpreter_call", "message"]})),
        ("search_stream", json!({"same": true, "url": "https://rust-lang.org.sandbox.example/"})),
        ("responses_stream", json!({"text": hello, "last": "response.completed", "same": true})),
        ("images", json!({"count": 2, "start": "PNG"})),
        ("edit", json!({"count": 1})),
        ("speech", json!({"start": "RIFF", "type": "audio/wav"})),
    ];
    let names: Vec<_> = ["models"].into_iter().chain(expected.iter().map(|(name, _)| *name)).collect();
    for (client, _) in CLIENTS {
        let home = Home::new();
        let served = Served::sandbox(&home);
        let lines = walk(client(), &served, PATIENT, &names, &mut |_| {});
        let (sent, came): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line["step"].is_null());
        assert!(sent.iter().all(|sent| sent["retry"] == "0"), "{sent:?}");
        assert_eq!([&came[0]["one"], &came[0]["ids"][0]], ["grok-4.3", "grok-4.3"]);
        for ((name, expected), came) in expected.iter().zip(&came[1..]) {
            let mut came = came.clone();
            assert_eq!(came.as_object_mut().and_then(|came| came.remove("step")), Some(json!(name)));
            assert_eq!(came, *expected, "{name}");
        }
        // A call of a function is asked for whole and streamed.
        assert_eq!(ledger(&home).len(), expected.len() + 1);
    }
}

/// The Python client is made to insist on every field that its types promise.
#[test]
fn the_least_that_a_service_says_becomes_all_that_strict_clients_expect() {
    for (client, _) in CLIENTS {
        for name in ["chat", "chat_stream", "responses", "responses_stream"] {
            let home = Home::new();
            let undescribed = name.ends_with("stream").then(|| answer("404 Not Found", ""));
            let shop = shop(undescribed.into_iter().chain([challenge(31337), sold()]));
            let (came, _) = step(client(), &Served::selling(&home, &shop.url), name);
            assert_eq!(came["text"], "forty-two", "{came}");
        }
    }
}

#[test]
fn a_refusal_by_budget_is_the_error_of_a_spent_quota_and_not_tried_again() {
    for (client, _) in CLIENTS {
        let home = Home::new();
        let served = Served::start(&home, &["--sandbox", "--max-per-day", "0.001"]);
        for name in ["chat", "chat_stream", "responses", "images"] {
            let (came, sent) = step(client(), &served, name);
            assert_eq!(
                [&came["error"], &came["code"], &came["type"]],
                ["RateLimitError", "budget_exceeded", "insufficient_quota"]
            );
            assert_eq!((sent, &came["status"]), (1, &json!(429)));
        }
        assert!(ledger(&home).is_empty());
    }
}

#[test]
fn a_payment_without_an_answer_is_an_error_that_names_it_and_not_tried_again() {
    let lost = [(failed(), "payment_outcome_unknown"), (answer("200 OK", "<html>"), "paid_undelivered")];
    for (client, error) in CLIENTS {
        for (answer, code) in &lost {
            let home = Home::new();
            let shop = shop([challenge(31337), answer.clone(), challenge(31337), sold()]);
            let served = Served::selling(&home, &shop.url);
            let (came, sent) = step(client(), &served, "chat");
            assert_eq!((sent, &came["error"], &came["code"]), (1, &json!(error), &json!(code)), "{came}");
            assert!(came["message"].as_str().expect("a text").contains("payment #1"), "{came}");
            assert_eq!(shop.credentials().len(), 1);
        }
    }
}

#[test]
fn a_stream_that_is_cut_is_an_error_that_names_the_payment() {
    let (described, cut) = cut_stream();
    for (client, _) in CLIENTS {
        for name in ["chat_stream", "responses_stream"] {
            let home = Home::new();
            let shop = Shop::open([described.clone(), challenge(31337), cut.clone()]);
            let (came, sent) = step(client(), &Served::selling(&home, &shop.url), name);
            assert_eq!(
                (sent, &came["error"], &came["code"]),
                (1, &json!("APIError"), &json!("paid_undelivered"))
            );
            assert!(came["message"].as_str().expect("a text").contains("payment #1"), "{came}");
        }
    }
}

#[test]
fn who_has_no_patience_pays_once_however_often_he_tries_again() {
    for (client, _) in CLIENTS {
        let home = Home::new();
        let shop = Slow::open();
        let served = Served::selling(&home, &shop.url);
        let mut tries = 0;
        let lines = walk(client(), &served, "1000", &["chat"], &mut |line| {
            tries += usize::from(line["sent"].is_string());
            if tries == 2 && line["sent"].is_string() {
                assert_eq!(line["retry"], "1");
                shop.answer.send(()).expect("told");
            }
        });
        assert_eq!(lines.last().expect("a line")["text"], "forty-two", "{lines:?}");
        assert!(tries >= 2 && ledger(&home).len() == 1, "{lines:?}");
    }
}
