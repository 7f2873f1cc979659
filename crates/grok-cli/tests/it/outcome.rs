//! What became of the money: the exit code, what is said, and what the chain says when there is a node to ask.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{
    FAILED, Home, Knows, PROMPT, Shop, answer, assert_ended, challenge, node, stderr, stdout,
};

const HTML: &str = "<html>no</html>";

fn failed() -> String {
    answer("502 Bad Gateway", FAILED)
}

fn html() -> String {
    answer("200 OK", HTML)
}

#[test]
fn the_exit_code_says_what_became_of_the_money() {
    let home = Home::new();
    let cut =
        || "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{\"output\":[".to_owned();
    let refused = || answer("400 Bad Request", r#"{"success":false,"error":"bad","message":"bad body"}"#);
    /// What the shop answers, exit code, credentials sent, and what is said.
    type Case = (Vec<String>, i32, usize, &'static str);
    let cases: [Case; 9] = [
        (vec![refused()], 4, 0, "bad body"),
        (vec![html()], 4, 0, "html"),
        (vec![answer("402 Payment Required", "")], 4, 0, "402 without a Payment challenge"),
        (vec![challenge(4217)], 3, 0, "on chain 4217, the policy allows chain 31337"),
        (
            vec![challenge(31337), failed()],
            5,
            1,
            "unknown whether 0.001 dollars were paid: the service answered 502",
        ),
        (vec![challenge(31337), failed()], 5, 1, "it broke"),
        (
            vec![challenge(31337), challenge(31337)],
            5,
            1,
            "do not ask again before you know: grok-mpp reconcile",
        ),
        (vec![challenge(31337), cut()], 6, 1, "0.001 dollars were paid, but the answer failed or is lost: "),
        (vec![challenge(31337), html()], 6, 1, "grok-mpp evidence 5 prints"),
    ];
    for (answers, code, credentials, says) in cases {
        // What was paid for is handed over, whatever it is.
        let paid_for = if answers == [challenge(31337), html()] { "<html>no</html>\n" } else { "" };
        let shop = Shop::open(answers);
        let output = home.buy(&shop, &[]);
        assert_ended(&output, code, says);
        assert_eq!(shop.credentials().len(), credentials, "{says}");
        assert_eq!(stdout(&output), paid_for);
    }
}

#[test]
fn a_failure_in_json_says_where_the_money_is() {
    let home = Home::new();
    let output = home.buy(&Shop::open([challenge(31337), html()]), &["--json", "--max-per-day", "1"]);
    let object: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(object["error"]["exit_code"], 6);
    let payment = &object["error"]["payment"];
    assert_eq!(
        [&payment["money"], &payment["state"], &payment["terms"]["amount"]],
        ["paid", "delivered", "1000"]
    );
    assert!(payment["transaction"].as_str().is_some_and(|hash| hash.len() == 66));
    assert_eq!(object["error"]["budget"][0]["left"], "974000", "the price and the fee's ceiling count");
}

#[test]
fn a_payment_is_on_stderr_before_it_is_sent() {
    let home = Home::new();
    let shop = Shop::open([challenge(31337), String::new()]);
    let mut child = home
        .grok_mpp()
        .args(["run", "--base-url", &shop.url, "--chain-id", "31337", PROMPT])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    while shop.credentials().is_empty() {
        assert!(child.try_wait().expect("a state").is_none(), "it waits for the answer");
        std::thread::yield_now();
    }
    child.kill().expect("killed");
    let output = child.wait_with_output().expect("ended");
    assert!(stderr(&output).starts_with("paying       #1, transaction 0x"), "{}", stderr(&output));
}

#[test]
fn an_unknown_outcome_is_waited_for_when_there_is_a_node() {
    // What the node knows, where its URL stands, exit code, state, and what is said.
    let cases = [
        (
            Knows::Happened,
            true,
            6,
            "paid_undelivered",
            "0.001 dollars were paid, but the answer failed or is lost: the service answered 502",
        ),
        (Knows::Happened, false, 6, "paid_undelivered", "fee          $0.000029"),
        (Knows::Absent, true, 4, "not_paid", "the payment did not happen: the service answered 502"),
        (Knows::Absent, false, 4, "not_paid", "outcome      not paid, and it can no longer be"),
    ];
    for (knows, by_flag, code, state, says) in cases {
        let home = Home::new();
        let url = node(31337, knows);
        let arguments = if by_flag { vec!["--rpc", &*url] } else { vec![] };
        if !by_flag {
            home.configure(&format!("rpc = {url:?}"));
        }
        let output = home.buy(&Shop::open([challenge(31337), failed()]), &arguments);
        assert_ended(&output, code, says);
        assert!(stderr(&output).contains("for the chain to say what became of payment #1;"));
        assert_eq!(home.json(&["history", "--json"])[0]["state"], state);
    }
}

#[test]
fn a_node_that_cannot_tell_leaves_the_outcome_unknown() {
    let home = Home::new();
    let url = node(4217, Knows::Happened);
    let output = home.buy(&Shop::open([challenge(31337), failed()]), &["--rpc", &url]);
    assert_ended(
        &output,
        5,
        "no word from the chain: the payment is on chain 31337 and the node on chain 4217",
    );
    assert!(stderr(&output).contains("do not ask again before you know"));
    assert_eq!(home.json(&["history", "--json"])[0]["state"], "unknown");
}

#[test]
fn a_node_s_url_that_is_none_ends_before_anything_is_sent() {
    let shop = Shop::open([]);
    assert_ended(&Home::new().buy(&shop, &["--rpc", "node.example"]), 2, "the node's URL must be https");
}

#[test]
fn what_a_service_says_cannot_steer_the_terminal() {
    let home = Home::new();
    let steering = r#"{"output":[{"type":"code_interpreter_call","code":"\u001b[2K\rprice $0.00","status":"completed"}]}"#;
    let output = home.buy(&Shop::open([challenge(31337), answer("200 OK", steering)]), &[]);
    assert_ended(&output, 0, "price $0.00");
    assert!(!stderr(&output).contains(['\u{1b}', '\r']), "{:?}", stderr(&output));
}
