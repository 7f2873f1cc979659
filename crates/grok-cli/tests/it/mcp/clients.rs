//! Clients that nobody here wrote, at their pinned versions: the official SDKs of TypeScript, in both major versions, and of
//! Python, over both transports.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::http::{Served, TOKEN};
use super::{at, text};
use crate::support::Home;

const PACKAGES: [(&str, &str); 3] = [
    ("package.json", include_str!("clients/package.json")),
    ("package-lock.json", include_str!("clients/package-lock.json")),
    (".npmrc", include_str!("clients/.npmrc")),
];
const SCRIPTS: [(&str, &str); 3] = [
    ("steps.mjs", include_str!("clients/steps.mjs")),
    ("sdk.mjs", include_str!("clients/sdk.mjs")),
    ("client.mjs", include_str!("clients/client.mjs")),
];

#[test]
fn typescript_sdk_of_the_first_major_version() {
    walk_both_transports(|| node("sdk.mjs"));
}

#[test]
fn typescript_sdk_of_the_second_major_version() {
    walk_both_transports(|| node("client.mjs"));
}

#[test]
fn python_sdk() {
    walk_both_transports(|| {
        let mut command = Command::new(e2e::python::venv(include_str!("clients/requirements.txt")));
        command.args(["-c", include_str!("clients/client.py")]);
        command
    });
}

#[test]
fn what_was_paid_before_the_server_was_told_to_stop_is_delivered() {
    let home = Home::new();
    let mut served = Served::start(&home, None);
    let steps = json!([{
        "tool": "run_python_with_grok", "arguments": {"prompt": "`import time; time.sleep(2); print(6 * 7)`"},
    }]);
    let asked = json!({"server": {"url": served.url}, "steps": steps}).to_string();
    let client = node("sdk.mjs").arg(asked).stdout(Stdio::piped()).spawn().expect("the client starts");
    served.until("paying");
    served.stop();
    let output = client.wait_with_output().expect("ended");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert!(text(at(&seen, "/ended/0/result")).starts_with("42"), "{seen}");
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(script).current_dir(e2e::install::npm(&PACKAGES, &SCRIPTS));
    command
}

fn walk_both_transports(client: impl Fn() -> Command) {
    let home = Home::new();
    let variables = ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"].map(|name| {
        let place = if name == "HOME" {
            home.file("")
        } else {
            home.file(if name.contains("DATA") { "data" } else { "config" })
        };
        (name.to_owned(), json!(place))
    });
    let path = ("PATH".to_owned(), json!(std::env::var("PATH").expect("a path")));
    let server = json!({
        "command": env!("CARGO_BIN_EXE_grok-mpp"),
        "args": ["mcp", "--sandbox", "--max-per-day", "1"],
        "env": variables.into_iter().chain([path]).collect::<serde_json::Map<_, _>>(),
    });
    walk(&home, client(), &server);

    let home = Home::new();
    let served = Served::start(&home, Some(TOKEN));
    walk(&home, client(), &json!({"url": served.url, "token": TOKEN}));
    served.stop();
}

/// Lists the tools, calls each, and is refused, stopped and told how far it is.
fn walk(home: &Home, mut client: Command, server: &Value) {
    let steps = json!([
        {"tool": "run_python_with_grok", "arguments": {"prompt": "`print(6 * 7)`"}},
        {"tool": "ask_grok", "arguments": {"prompt": "Two and two?", "temperature": 0}},
        {"tool": "search_web", "arguments": {"prompt": "Rust", "allowed_domains": ["rust-lang.org"]}},
        {"tool": "search_x", "arguments": {"prompt": "Rust", "max_tokens": 100}},
        {"tool": "generate_image", "arguments": {"prompt": "A crab", "n": 2}},
        {"tool": "quote", "arguments": {"tool": "ask_grok", "arguments": {"prompt": "Two and two?"}}},
        {"tool": "ask_grok", "arguments": {"prompt": "Two and two?", "max_cost_usd": "0.000001"}},
        {"tool": "run_python_with_grok", "arguments": {"prompt": "`import time; time.sleep(2)`"}, "cancel_at": "paying"},
        {"tool": "budget", "arguments": {"payment_id": 6}},
    ]);
    let output = client
        .arg(json!({"server": server, "steps": steps}).to_string())
        .stdin(Stdio::null())
        .output()
        .expect("the client starts");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(at(&seen, "/tools").as_array().map(Vec::len), Some(7));
    let expected = [
        ("/0/result/structuredContent/executions/0/output", json!("42\n")),
        ("/1/result/structuredContent/cost/payment_id", json!(2)),
        ("/2/result/structuredContent/citations", json!(["https://rust-lang.org.sandbox.example/"])),
        ("/3/result/structuredContent/cost/state", json!("delivered")),
        ("/4/result/structuredContent/images/1/mime_type", json!("image/png")),
        ("/4/result/content/1/mimeType", json!("image/png")),
        ("/5/result/structuredContent/refusal", Value::Null),
        ("/6/result/isError", json!(true)),
        ("/8/result/structuredContent/payment/payment_id", json!(6)),
    ];
    for (place, value) in expected {
        assert_eq!(*at(&seen, &format!("/ended{place}")), value, "{place} of {seen}");
    }
    let refusal = text(at(&seen, "/ended/6/result"));
    assert!(refusal.contains("the policy allows 0.000001 a call"), "{refusal}");
    assert!(at(&seen, "/ended/7/error").is_string(), "a cancelled call has no result");
    for step in [0, 1, 2, 3, 4, 7] {
        let progress = at(&seen, &format!("/ended/{step}/progress"));
        assert_eq!(at(progress, "/0/message"), "asking the price", "{progress}");
        let paying = at(progress, "/1/message").as_str();
        assert!(paying.is_some_and(|told| told.starts_with("paying $0.0")), "{progress}");
    }
    assert_eq!(home.json(&["history", "--json"]).as_array().map(Vec::len), Some(6));
}
