//! What became of the money: the exit code, what is said, and what the chain says when there is a node to ask.

use e2e::{Anvil, PATH_USD, SPONSOR};
use serde_json::Value;

use crate::node::{Knows, node};
use crate::support::{Home, PROMPT, Shop, answer, assert_ended, challenge, failed, stderr, stdout};

const HTML: &str = "<html>no</html>";

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
        let unpaid = stderr(&output).starts_with("grok-mpp: nothing was paid: ");
        assert_eq!(unpaid, credentials == 0, "{}", stderr(&output));
    }
}

#[test]
fn a_ledger_that_fails_says_first_that_nothing_was_paid() {
    let home = Home::new();
    let output = home.buy(&Shop::open([]), &["--ledger", home.file("").to_str().expect("UTF-8")]);
    assert_ended(&output, 4, "");
    assert!(stderr(&output).starts_with("grok-mpp: nothing was paid: the ledger "), "{}", stderr(&output));
    let output = home.buy(&Shop::open([]), &["--rpc", "node.example", "--json"]);
    assert!(!stderr(&output).contains("nothing was paid"), "usage: {}", stderr(&output));
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
    let output = home.buy_and_kill(&shop);
    let said = stderr(&output);
    assert!(said.starts_with("paying       0x") && said.contains(" as #1 on chain 31337"), "{said}");
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
        (
            Knows::Failed,
            true,
            4,
            "not_paid",
            "the payment failed on chain; its fee of $0.000029 is gone: the service answered 502",
        ),
        (
            Knows::Failed,
            false,
            4,
            "not_paid",
            "outcome      failed on chain: the price was not paid, the fee is gone",
        ),
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
fn a_node_is_asked_once_what_an_answered_payment_took() {
    let answered = || answer("200 OK", r#"{"output":[]}"#);
    // What the node knows, the fee shown, what is left, and a note.
    let cases = [
        (Knows::Happened, "$0.000029", "$0.998971", ""),
        (Knows::NotYet, "at most $0.025", "$0.974", ""),
        (Knows::Failed, "$0.000029", "$0.999971", "outcome      failed on chain"),
    ];
    for (knows, fee, left, says) in cases {
        let (home, url) = (Home::new(), node(31337, knows));
        let shop = Shop::open([challenge(31337), answered()]);
        let output = home.buy(&shop, &["--rpc", &url, "--max-per-day", "1"]);
        assert_ended(&output, 0, says);
        for line in [format!("fee          {fee}\n"), format!("left         {left} of $1.00 a day\n")] {
            assert!(stderr(&output).contains(&line), "{line:?} is not in {}", stderr(&output));
        }
        assert!(!stderr(&output).contains("waiting"), "{}", stderr(&output));
    }
    // In JSON, and from the config file.
    let home = Home::new();
    home.configure(&format!("rpc = {:?}", node(31337, Knows::Happened)));
    let output = home.buy(&Shop::open([challenge(31337), answered()]), &["--json"]);
    let object: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!([&object["payment"]["state"], &object["payment"]["chain"]["fee"]], ["delivered", "29"]);
    // A node that fails takes nothing away.
    let shop = Shop::open([challenge(31337), answered()]);
    let output = home.buy(&shop, &["--rpc", "http://127.0.0.1:1"]);
    assert_ended(&output, 0, "no word from the chain: the node did not answer");
    assert!(stderr(&output).contains("fee          at most $0.025"), "{}", stderr(&output));
}

#[tokio::test]
async fn a_run_on_a_real_node_shows_the_fee_that_the_chain_took() {
    let (home, node) = (Home::new(), Anvil::shared().await);
    node.fund(SPONSOR.address, 1_000_000).await;
    let before = node.balance_of(PATH_USD, SPONSOR.address).await;
    let mut command = home.grok_mpp();
    command.args(["run", "--sandbox", "--rpc", &node.url(), "--json", PROMPT]);
    let output = command.env("GROK_MPP_PRIVATE_KEY", SPONSOR.key).output().expect("starts");
    assert_ended(&output, 0, "");
    let object: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let chain = &object["payment"]["chain"];
    let units = |name: &str| chain[name].as_str().expect("settled").parse::<u128>().expect("a number");
    let after = node.balance_of(PATH_USD, SPONSOR.address).await;
    assert_eq!(units("amount") + units("fee"), before - after);
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

#[test]
fn an_answer_that_cannot_be_printed_says_first_that_it_was_paid() {
    let home = Home::new();
    let shop =
        Shop::open([challenge(31337), answer("200 OK", r#"{"choices":[{"message":{"content":"Well."}}]}"#)]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let mut command = home.grok_mpp();
    command.args(["chat", "--base-url", &shop.url, "--chain-id", "31337", "What?"]).stdout(full);
    let output = command.current_dir(home.file("")).output().expect("the command starts");
    let said = "\ngrok-mpp: 0.001 dollars were paid, but the answer failed or is lost: cannot print: ";
    assert_ended(&output, 6, said);
    assert!(stderr(&output).contains("the answer is kept in what.txt\n"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(home.file("what.txt")).expect("kept"), "Well.");
}
