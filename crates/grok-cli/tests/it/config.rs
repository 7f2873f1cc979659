//! The config file: what is in it counts, and what is wrong with it is said before anything is sent.

use std::path::Path;
use std::process::Output;

use crate::support::{Home, PROMPT, Shop, assert_ended, challenge, stderr, stdout};

#[test]
fn what_is_wrong_with_the_config_file_is_named_with_its_line() {
    let recipient = "0x742d35cc6634c0532925a3b844bc9e7595f8fe00";
    let cases = [
        ("ledgre = \"a\"", "line 1: unknown key ledgre; there are ledger, rpc, budget"),
        ("[budget]\ndaily = \"1\"", "line 2: unknown key budget.daily; there are call, process, hour, day"),
        ("[budget]\nday = 5", "line 2: budget.day must be dollars in quotes, such as \"0.50\""),
        ("[budget]\nday = 0.5", "line 2: budget.day must be dollars in quotes, such as \"0.50\""),
        ("[budget]\n\nday = \"five\"", "line 3: budget.day must be dollars such as 0.50"),
        ("[budget]\nday = \"0.0000001\"", "line 2: budget.day has more than six decimals"),
        ("[budget]\nday = \"-1\"", "line 2: budget.day must be dollars"),
        ("budget = \"5\"", "line 1: budget must be a table"),
        ("[budget.realms]\nday = \"5\"", "line 2: budget.realms.\"day\" must be a table"),
        (
            "[budget.realms.\"a.example\"]\nweek = \"5\"",
            "unknown key budget.realms.\"a.example\".week; there are call",
        ),
        (
            "[budget.recipients.\"0x12\"]\nday = \"5\"",
            "budget.recipients.\"0x12\" must be an address: 0x and 40",
        ),
        ("ledger = 5", "line 1: ledger must be a path"),
        ("rpc = true", "line 1: rpc must be a URL"),
        ("\nrpc = \"node.example\"", "line 2: rpc: the node's URL must be https"),
        ("ledger = \"\"", "line 1: ledger must not be empty"),
        ("ledger = \"~/ledger.sqlite\"", "line 1: ledger must not begin with ~, which only shells replace"),
        ("\n[budget\nday = \"5\"", "line 2: not TOML: "),
        ("[budget]\nday = \"1\"\nday = \"2\"", "not TOML: duplicate key"),
        (r#""\u001b[2K" = 1"#, "line 1: unknown key  [2K"),
    ];
    for (text, says) in cases {
        let home = Home::new();
        home.configure(text);
        let shop = Shop::open([]);
        let output = home.buy(&shop, &[]);
        assert_ended(&output, 2, says);
        let named = format!("grok-mpp: config file {}, line ", home.config().display());
        assert!(stderr(&output).starts_with(&named), "{}", stderr(&output));
        assert!(!home.ledger().exists());
    }
    let home = Home::new();
    home.configure(&format!(
        "[budget.recipients.{recipient}]\nday = \"5\"\n[budget.realms.shop]\ncall = \"1\""
    ));
    assert_ended(&home.run(&["budget"]), 0, "");
}

#[test]
fn a_config_file_that_was_named_must_be_there() {
    let home = Home::new();
    let missing = home.file("missing.toml");
    let missing = missing.to_str().expect("UTF-8");
    assert_ended(&home.run(&["history", "--config", missing]), 2, missing);
    let output = home.grok_mpp().args(["history"]).env("GROK_MPP_CONFIG", missing).output();
    assert_ended(&output.expect("starts"), 2, missing);
    let folder = home.file("");
    assert_ended(&home.run(&["history", "--config", folder.to_str().expect("UTF-8")]), 2, "config file");
}

#[test]
fn the_ledger_is_where_flag_environment_or_config_file_say_in_this_order() {
    let home = Home::new();
    home.configure("ledger = \"configured.sqlite\"");
    let [flag, variable] = ["flag.sqlite", "variable.sqlite"].map(|name| home.file(name));
    // A run makes the ledger; whoever looks at one made a mistake in its name.
    let look = |flags: &[&Path], variable: &Path, says: &str| {
        let flags = flags.iter().flat_map(|flag| [Path::new("--ledger"), flag]);
        let command = |name| -> Output {
            let mut command = home.grok_mpp();
            command.arg(name).args(flags.clone()).env("GROK_MPP_LEDGER", variable);
            command.arg(if name == "run" { "--sandbox" } else { "--json" });
            command.args(if name == "run" { &[PROMPT][..] } else { &[] }).output().expect("starts")
        };
        for name in ["history", "budget", "reconcile"] {
            assert_ended(&command(name), 4, &format!("there is no ledger {says}"));
        }
        assert_ended(&command("run"), 0, "payment      #1");
        assert_ended(&command("history"), 0, "");
    };
    look(&[&flag], &variable, flag.to_str().expect("UTF-8"));
    assert!(flag.exists() && !variable.exists());
    look(&[], &variable, variable.to_str().expect("UTF-8"));
    // Beside the config file, wherever the command is started; a variable that is empty says nothing.
    let configured = home.file("config/grok-mpp/configured.sqlite");
    assert!(!configured.exists());
    look(&[], Path::new(""), configured.to_str().expect("UTF-8"));
    assert!(configured.exists() && !home.ledger().exists());
}

#[test]
fn variables_that_are_empty_count_as_unset() {
    let home = Home::new();
    let mut command = home.grok_mpp();
    for variable in ["BASE_URL", "CHAIN_ID", "MAX_COST", "LEDGER", "CONFIG"] {
        command.env(format!("GROK_MPP_{variable}"), "");
    }
    let output = command.args(["run", "--sandbox", PROMPT]).output().expect("starts");
    assert_ended(&output, 0, "payment      #1");
    assert!(home.ledger().exists());
    let keyless = home.grok_mpp().args(["run", PROMPT]).env("GROK_MPP_PRIVATE_KEY", "").output();
    assert_ended(&keyless.expect("starts"), 2, "no wallet");
}

#[test]
fn a_ledger_s_name_that_cannot_be_one_is_refused_without_showing_it() {
    let home = Home::new();
    let cases = [
        ("", "must not be empty"),
        ("~/secret.sqlite", "must not begin with ~"),
        ("mysql://user:secret@127.0.0.1/payments", "must be the path of an SQLite file, or postgres://"),
        ("Sqlite://secret", "must be the path of an SQLite file, or postgres://"),
        ("://secret", "must be the path of an SQLite file, or postgres://"),
    ];
    for (name, says) in cases {
        for command in [&["history"][..], &["run", "--sandbox", PROMPT]] {
            let output = home.run(&[command, &["--ledger", name]].concat());
            assert_ended(&output, 2, &format!("the ledger of --ledger or GROK_MPP_LEDGER {says}"));
            assert!(!stderr(&output).contains("secret"), "{}", stderr(&output));
        }
        home.configure(&format!("ledger = {name:?}"));
        let output = home.run(&["history"]);
        assert_ended(&output, 2, &format!("line 1: ledger {says}"));
        assert!(!stderr(&output).contains("secret"), "{}", stderr(&output));
        home.configure("");
    }
    assert!(!home.file("data").exists());
}

#[test]
fn a_config_file_that_is_not_utf_8_is_said_to_be_none() {
    let home = Home::new();
    home.configure("");
    std::fs::write(home.config(), b"[budget]\nday = \"\xff\"").expect("written");
    assert_ended(&home.run(&["history"]), 2, "config.toml, line 2: not UTF-8");
}

#[test]
#[cfg(not(feature = "postgres"))]
fn a_ledger_in_postgresql_needs_a_build_that_has_it() {
    for scheme in ["postgres", "postgresql", "POSTGRES"] {
        let url = format!("{scheme}://user:secret@127.0.0.1/payments");
        let output = Home::new().run(&["history", "--ledger", &url]);
        assert_ended(&output, 2, "build it with --features postgres");
        assert!(!stderr(&output).contains("secret"));
    }
}

#[test]
fn a_payment_beyond_the_budget_ends_with_3_and_both_numbers() {
    // 1,000 base units and a fee of 25,000 at most.
    let cases = [
        (
            "[budget]\ncall = \"0.02\"",
            vec![],
            "could take 0.026 dollars, fee included; of the 0.02 allowed a call, 0.02 are left",
        ),
        ("[budget]\nmonth = \"0.02\"", vec![], "of the 0.02 allowed a month, 0.02 are left"),
        ("[budget.realms.shop]\nhour = \"0.02\"", vec![], "of the 0.02 allowed an hour for realm \"shop\""),
        (
            "[budget]\nday = \"1\"",
            vec!["--max-per-day", "0.025999"],
            "of the 0.025999 allowed a day, 0.025999 are left",
        ),
        ("", vec!["--max-per-process", "0"], "of the 0.00 allowed a process, 0.00 are left"),
    ];
    for (config, arguments, says) in cases {
        let home = Home::new();
        home.configure(config);
        let shop = Shop::open([challenge(31337)]);
        let output = home.buy(&shop, &arguments);
        assert_ended(&output, 3, says);
        assert!(shop.credentials().is_empty());
        assert_ended(&home.run(&["history"]), 0, "no payments");
    }
}

#[test]
fn a_sandbox_is_held_to_the_budget_and_prints_what_is_left() {
    let home = Home::new();
    let bought = ["run", "--sandbox", "--max-per-day", "0.035", PROMPT];
    let output = home.run(&bought);
    assert_ended(&output, 0, "left         $0.02905 of $0.035 a day");
    // What the sandbox took is settled, so that the second fits, as its fee's ceiling alone would not.
    assert_ended(
        &home.run(&["run", "--sandbox", "--max-per-day", "0.03", PROMPT]),
        3,
        "of the 0.03 allowed a day, 0.02405 are left",
    );
    // The flag stands in for the file's limit of the same window, and leaves the others.
    home.configure("[budget]\nday = \"0.01\"\nmonth = \"1\"");
    let output = home.run(&bought);
    assert_ended(&output, 3, "of the 0.035 allowed a day, 0.02905 are left");
    let output = home.run(&["run", "--sandbox", "--max-per-day", "2", PROMPT]);
    assert_ended(&output, 0, "left         $0.9881 of $1.00 a month");
    assert!(stderr(&output).contains("left         $1.9881 of $2.00 a day"), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("304140"));
}
