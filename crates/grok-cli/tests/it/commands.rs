//! What the ledger's commands print, and that it is the truth: after a sale, after a kill, with and without a node.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{
    Home, PROMPT, Shop, assert_ended, challenge, challenge_by, failed, signed_transaction, stderr, stdout,
};

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
fn a_ledger_that_nobody_writes_to_is_one_file() {
    let home = Home::new();
    let wal = home.ledger().with_extension("sqlite-wal");
    // Of processes that end without closing it, some are quick enough.
    for _ in 0..5 {
        assert_ended(&home.run(&["run", "--sandbox", PROMPT]), 0, "");
        assert!(home.ledger().exists() && !wal.exists(), "the file alone does not hold the payment");
    }
}

#[test]
fn history_lists_the_newest_last_and_settled_amounts_without_a_bound() {
    let home = Home::with_unknown();
    assert_ended(&home.run(&["run", "--sandbox", PROMPT]), 0, "");
    let table = stdout(&home.run(&["history"]));
    let [heading, first, second] = table.lines().collect::<Vec<_>>()[..] else { panic!("{table}") };
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        columns(heading),
        ["#", "time", "(UTC)", "state", "cost", "chain", "realm", "hash"],
        "{table}"
    );
    let (first, second) = (columns(first), columns(second));
    assert_eq!([&*first[0], &*first[3], &*first[4], &*first[5]], ["1", "unknown", "≤$0.026", "31337"]);
    assert_eq!([&*second[0], &*second[3], &*second[4]], ["2", "delivered", "$0.00595"]);
    assert_eq!((first[1].len(), first[2].len(), &*first[6], first[7].len()), (10, 5, "shop", 8), "{table}");
    assert_eq!(first[7], home.json(&["evidence", "1"])["transaction"].as_str().expect("a hash")[..8]);

    let older = "older ones are not shown; --limit N shows more";
    for (limit, rows, says) in [("1", 2, older), ("2", 3, "")] {
        let output = home.run(&["history", "--limit", limit]);
        assert_eq!((stdout(&output).lines().count(), stderr(&output).trim()), (rows, says));
    }
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
        let shop = Shop::open([challenge_by(realm, 31337), failed()]);
        assert_ended(&home.buy(&shop, &[]), 5, "");
    }
    let table = stdout(&home.run(&["history"]));
    let realms: Vec<_> =
        table.lines().skip(1).map(|line| line.chars().skip(58).take(13).collect::<String>()).collect();
    assert_eq!(realms, ["a-very-long-…", "??shop       ", "two?words    "]);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

#[test]
fn budget_shows_what_is_left_and_what_is_not_settled() {
    let home = Home::with_unknown();
    home.configure("[budget]\nday = \"5\"\n[budget.realms.shop]\nmonth = \"0.02\"");
    let text = stdout(&home.run(&["budget", "--chain-id", "31337", "--max-per-hour", "1"]));
    for line in [
        "token        pathUSD on chain 31337",
        "left         $4.974 of $5.00 a day",
        "left         $0.974 of $1.00 an hour",
        "left         $0.00 of $0.02 a month for realm \"shop\"",
        "not settled  1 payment, at most $0.026; grok-mpp reconcile finds out",
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
    let tokens = object["tokens"].as_array().expect("three").iter();
    let tokens: Vec<_> =
        tokens.map(|token| json!([token["name"], token["chain_id"], token["limits"][0]["left"]])).collect();
    assert_eq!(
        tokens,
        [
            json!(["pathUSD", 4217, "5000000"]),
            json!(["USDC.e", 4217, "5000000"]),
            json!(["pathUSD", 31337, "4974000"])
        ]
    );
    let text = stdout(&home.run(&["budget"]));
    let shown: Vec<_> = text.lines().filter(|line| line.starts_with("token ")).collect();
    assert_eq!(
        shown,
        ["pathUSD on mainnet", "USDC.e on mainnet", "pathUSD on chain 31337"]
            .map(|token| format!("token        {token}"))
    );
    let only = home.json(&["budget", "--json", "--chain-id", "42431"]);
    assert_eq!(only["tokens"].as_array().map(Vec::len), Some(1), "{only}");
}

#[test]
fn evidence_takes_json_for_what_it_is_and_then_errs_in_json() {
    let home = Home::with_unknown();
    assert_eq!(stdout(&home.run(&["evidence", "1", "--json"])), stdout(&home.run(&["evidence", "1"])));
    let output = home.run(&["evidence", "2", "--json"]);
    assert_ended(&output, 2, "holds no payment 2");
    let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(object["error"]["exit_code"], 2);
}

#[test]
fn after_a_kill_the_commands_tell_the_truth_and_nothing_that_could_be_spent() {
    let home = Home::new();
    let shop = Shop::open([challenge(31337), String::new()]);
    home.buy_and_kill(&shop);

    let history = home.run(&["history"]);
    assert!(stdout(&history).contains(" sent "), "{}", stdout(&history));
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
