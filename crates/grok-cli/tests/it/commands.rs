//! What the ledger's commands print, and that it is the truth: after a sale, after a kill, with and without a node.

use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{
    FAILED, Home, Knows, PROMPT, Shop, answer, assert_ended, challenge, challenge_by, node,
    signed_transaction, stderr, stdout,
};

/// A home with one payment whose outcome is unknown.
fn unknown() -> Home {
    let home = Home::new();
    let shop = Shop::open([challenge(31337), answer("502 Bad Gateway", FAILED)]);
    assert_ended(&home.buy(&shop, &[]), 5, "");
    home
}

#[test]
fn an_empty_ledger_is_said_to_be_empty_and_needs_no_key() {
    let home = Home::new();
    let keyless = |arguments: &[&str]| -> Output {
        home.grok_mpp().args(arguments).env_remove("GROK_MPP_PRIVATE_KEY").output().expect("starts")
    };
    let output = keyless(&["history"]);
    assert_ended(&output, 0, "no payments in the ledger ");
    assert_eq!(stdout(&output), "");
    assert_eq!(stdout(&keyless(&["history", "--json"])).trim(), "[]");
    assert_eq!(stdout(&keyless(&["reconcile"])), "0 settled, 0 open\n");
    assert_ended(&keyless(&["reconcile"]), 0, "");
    assert_ended(&keyless(&["evidence", "1"]), 2, "holds no payment 1");
    let config = home.config().display().to_string();
    let budget = stdout(&keyless(&["budget"]));
    assert!(budget.contains("no limits") && budget.contains(&config), "{budget}");
    assert!(home.ledger().exists());
}

#[test]
#[cfg(unix)]
fn ledger_and_folder_are_their_owner_s_alone() {
    let home = Home::new();
    assert_ended(&home.run(&["history"]), 0, "");
    for (path, mode) in [(home.file("data/grok-mpp"), 0o700), (home.ledger(), 0o600)] {
        let metadata = std::fs::metadata(path).expect("there");
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777, mode);
    }
}

#[test]
fn history_lists_the_newest_last_and_settled_amounts_without_a_bound() {
    let home = unknown();
    assert_ended(&home.run(&["run", "--sandbox", PROMPT]), 0, "");
    let table = stdout(&home.run(&["history"]));
    let [heading, first, second] = table.lines().collect::<Vec<_>>()[..] else { panic!("{table}") };
    assert!(heading.starts_with("    #  time (UTC) "), "{table}");
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (first, second) = (columns(first), columns(second));
    assert_eq!([&*first[0], &*first[2], &*first[3], &*first[4]], ["1", "unknown", "≤$0.026", "shop"]);
    assert_eq!([&*second[0], &*second[2], &*second[3]], ["2", "delivered", "$0.00595"]);
    assert!(first[1].len() == 20 && first[1].ends_with('Z') && first[5].starts_with("0x"), "{table}");

    assert_eq!(stdout(&home.run(&["history", "--limit", "1"])).lines().count(), 2);
    let ids = |arguments: &[&str]| -> Vec<Value> {
        let payments = home.json(arguments);
        payments.as_array().expect("an array").iter().map(|payment| payment["id"].clone()).collect()
    };
    assert_eq!(ids(&["history", "--json"]), [1, 2]);
    assert_eq!(ids(&["history", "--json", "--limit", "1"]), [2]);
    assert_eq!(ids(&["history", "--json", "--open"]), [1]);
    assert_ended(&home.run(&["history", "--limit", "0"]), 2, "0 is not in 1..");
}

#[test]
fn a_stranger_s_realm_keeps_to_its_column() {
    let home = Home::new();
    for realm in ["a-very-long-name.of-a-shop.example", "\u{202e}\u{4e00}\u{e9}shop", "two words"] {
        let shop = Shop::open([challenge_by(realm, 31337), answer("502 Bad Gateway", FAILED)]);
        assert_ended(&home.buy(&shop, &[]), 5, "");
    }
    let table = stdout(&home.run(&["history"]));
    let realms: Vec<_> =
        table.lines().skip(1).map(|line| line.chars().skip(61).take(22).collect::<String>()).collect();
    assert_eq!(realms, ["a-very-long-name.of-a…", "??shop                ", "two?words             "]);
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
}

#[test]
fn budget_shows_what_is_left_and_what_is_not_settled() {
    let home = unknown();
    home.configure("[budget]\nday = \"5\"\n[budget.realms.shop]\nmonth = \"0.02\"");
    let text = stdout(&home.run(&["budget", "--chain-id", "31337", "--max-per-hour", "1"]));
    for line in [
        "chain        31337",
        "token        pathUSD",
        "left         $4.974 of $5.00 a day",
        "left         $0.974 of $1.00 an hour",
        "left         $0.00 of $0.02 a month for realm \"shop\"",
        "not settled  $0.026 at most, in 1 payment; grok-mpp reconcile finds out",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line:?} is not in {text}");
    }
    let object = home.json(&["budget", "--json", "--chain-id", "31337"]);
    let token = &object["tokens"][0];
    assert_eq!(token["open"]["amount"], "26000");
    assert_eq!(token["limits"][0]["window"], "day");
    assert_eq!([&token["limits"][0]["left"], &token["limits"][0]["spent"]], ["4974000", "26000"]);
    // Every token has its own; nothing was spent on mainnet.
    let object = home.json(&["budget", "--json"]);
    let names: Vec<_> =
        object["tokens"].as_array().expect("two").iter().map(|token| &token["name"]).collect();
    assert_eq!(names, ["pathUSD", "USDC.e"]);
    assert_eq!(object["tokens"][1]["limits"][0]["left"], "5000000");
}

#[test]
fn reconcile_settles_by_the_node_and_budgets_get_back_what_was_not_taken() {
    let home = unknown();
    let left = |home: &Home| {
        let object = home.json(&["budget", "--json", "--chain-id", "31337", "--max-per-day", "1"]);
        object["tokens"][0]["limits"][0]["left"].clone()
    };
    assert_eq!(left(&home), "974000");
    let url = node(31337, Knows::Happened);
    let output = home.run(&["reconcile", "--rpc", &url]);
    assert_ended(&output, 0, "");
    let text = stdout(&output);
    assert!(text.starts_with("#1 paid_undelivered $0.001 + $0.000029 fee, 0x"), "{text}");
    assert!(text.ends_with("\n1 settled, 0 open\n"), "{text}");
    assert_eq!(left(&home), "998971");
    assert_eq!(stdout(&home.run(&["reconcile", "--rpc", &url])), "0 settled, 0 open\n");

    let home = unknown();
    home.configure(&format!("rpc = {:?}", node(31337, Knows::Absent)));
    assert_eq!(
        stdout(&home.run(&["reconcile"])),
        "#1 not_paid $0.00 + $0.00 fee, no transaction\n1 settled, 0 open\n"
    );
    assert_eq!(left(&home), "1000000");
}

#[test]
fn reconcile_ends_with_4_when_the_node_cannot_be_asked_and_5_when_it_cannot_tell() {
    let home = unknown();
    let output = home.run(&["reconcile", "--rpc", "http://127.0.0.1:1"]);
    assert_ended(&output, 4, "");
    assert!(stdout(&output).contains("#1 unknown, open: the node did not answer"), "{}", stdout(&output));
    let output = home.run(&["reconcile", "--json", "--rpc", &node(42431, Knows::Happened)]);
    assert_ended(&output, 5, "");
    let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(object["settled"], Value::Array(vec![]));
    assert_eq!(object["open"][0]["payment"]["id"], 1);
    assert_eq!(object["open"][0]["reason"], "it is on chain 31337, and the node on chain 42431");
    assert_ended(&home.run(&["reconcile", "--rpc", "ftp://127.0.0.1"]), 2, "the node's URL must be https");
}

#[test]
fn after_a_kill_the_commands_tell_the_truth_and_nothing_that_could_be_spent() {
    let home = Home::new();
    let shop = Shop::open([challenge(31337), String::new()]);
    let mut child = home
        .grok_mpp()
        .args(["run", "--base-url", &shop.url, "--chain-id", "31337", PROMPT])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    while shop.credentials().is_empty() {
        assert!(child.try_wait().expect("a state").is_none(), "it waits for the answer");
        std::thread::yield_now();
    }
    child.kill().expect("killed");
    child.wait().expect("ended");

    let history = home.run(&["history"]);
    assert!(stdout(&history).contains("  sent  "), "{}", stdout(&history));
    let reconcile = home.run(&["reconcile"]);
    assert_ended(&reconcile, 5, "");
    let text = stdout(&reconcile);
    assert!(
        text.starts_with(
            "#1 sent, open: its chain 31337 was a sandbox's and ended with it, so that nothing can tell"
        ),
        "{text}"
    );
    assert!(text.ends_with("\n0 settled, 1 open\n"), "{text}");
    let budget = home.run(&["budget", "--chain-id", "31337", "--max-per-month", "1"]);
    assert!(stdout(&budget).contains("$0.974 of $1.00 a month"), "{}", stdout(&budget));
    let evidence = home.run(&["evidence", "1"]);
    assert_ended(&evidence, 0, "");
    let shown: Value = serde_json::from_slice(&evidence.stdout).expect("JSON");
    assert_eq!([&shown["state"], &shown["money"]], ["sent", "unknown"]);
    assert_eq!(shown["request"]["url"], format!("{}/grok/code-execution", shop.url));

    let [credential] = &shop.credentials()[..] else { panic!("one credential") };
    let transaction = signed_transaction(credential);
    let rest = home.run(&["history", "--json"]);
    for output in [history, reconcile, budget, evidence, rest] {
        let shown = (stdout(&output) + &stderr(&output)).to_ascii_lowercase();
        assert!(
            !shown.contains(&transaction) && !shown.contains(&credential.to_ascii_lowercase()),
            "{shown}"
        );
    }
}
