//! Settings: argument before environment before config file before default; and what is made of the command's description.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Home, PROMPT, Shop, answered, assert_ended, challenge, stdout};

#[test]
fn what_a_call_costs_where_and_on_which_chain_is_argument_environment_or_config_file() {
    let home = Home::new();
    let shop = Shop::open([challenge(31337), answered()]);
    home.configure(&format!("base_url = {:?}\nchain_id = 31337\nmax_cost = \"0.0005\"", shop.url));
    // The price is a tenth of a cent.
    assert_ended(&home.run(&["quote", PROMPT]), 0, "run would refuse it: ");
    let shop = Shop::open([challenge(31337), challenge(31337), answered()]);
    home.configure(&format!("base_url = {:?}\nchain_id = 5\nmax_cost = \"0.001\"", shop.url));
    assert_ended(&home.run(&["run", PROMPT]), 3, "on chain 31337, the policy allows chain 5");
    let mut command = home.grok_mpp();
    let output = command.args(["run", PROMPT]).env("GROK_MPP_CHAIN_ID", "31337").output().expect("starts");
    assert_ended(&output, 0, "payment      #1");
    let shop = Shop::open([challenge(31337)]);
    let mut command = home.grok_mpp();
    command.args(["run", "--max-cost", "0.0001", PROMPT]).env("GROK_MPP_CHAIN_ID", "31337");
    let output = command.env("GROK_MPP_BASE_URL", &shop.url).env("GROK_MPP_MAX_COST", "1").output();
    assert_ended(&output.expect("starts"), 3, "0.0001");
}

#[test]
fn what_is_wrong_with_a_setting_is_named_with_its_line() {
    let home = Home::new();
    for (text, says) in [
        ("chain_id = \"4217\"", "line 1: chain_id must be a whole number"),
        ("chain_id = -1", "line 1: chain_id must be a whole number"),
        ("max_cost = 1", "line 1: max_cost must be dollars in quotes"),
        ("max_cost = \"much\"", "line 1: max_cost must be dollars such as 0.50"),
        ("base_url = 1", "line 1: base_url must be a URL"),
        ("key_file = \"\"", "line 1: key_file must not be empty"),
        ("key_file = \"~/key\"", "line 1: key_file must not begin with ~"),
        ("signer_command = \" \"", "line 1: signer_command must name a program"),
        ("key_file = \"a\"\nsigner_command = \"b\"", "line 2: signer_command beside the other of"),
        ("signer = \"b\"", "line 1: unknown key signer; there are ledger, rpc, budget, base_url"),
    ] {
        home.configure(text);
        assert_ended(&home.run(&["config", "show"]), 2, says);
    }
}

#[test]
fn config_shows_what_holds_and_where_it_comes_from_without_secrets() {
    let home = Home::new();
    let config = home.config().display().to_string();
    assert_eq!(stdout(&home.run(&["config", "path"])), format!("{config}\n"));
    let text = stdout(&home.run(&["config", "show"]));
    for line in [
        &*format!("config file  {config}, which is not there"),
        "base_url     https://grok.mpp.paywithlocus.com (default)",
        "chain_id     4217 (default)",
        "max_cost     0.50 (default)",
        "wallet       a private key (GROK_MPP_PRIVATE_KEY)",
        &*format!("ledger       {} (default)", home.ledger().display()),
        "rpc          Tempo's public nodes (default)",
        "budget       no limits (default)",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line:?} is not in {text}");
    }
    home.configure(
        "rpc = \"https://node.example/secret-1\"\nledger = \"postgres://me:secret-2@db.example/x\"\n\
         signer_command = \"signer --pin secret-3\"\nmax_cost = \"2\"\nchain_id = 5\n[budget]\nday = \"5\"",
    );
    let mut command = home.keyless();
    command.args(["config", "show", "--json"]).env("GROK_MPP_CHAIN_ID", "42431");
    let output = command.output().expect("starts");
    assert!(!stdout(&output).contains("secret"), "{}", stdout(&output));
    let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!([&object["file"], &object["exists"]], [&json!(config), &json!(true)]);
    for (name, value, source) in [
        ("chain_id", "42431", "GROK_MPP_CHAIN_ID"),
        ("max_cost", "2.00", "config file"),
        ("wallet", "the signer command signer", "config file"),
        ("ledger", "in PostgreSQL", "config file"),
        ("rpc", "a node of its own", "config file"),
        ("budget", "limits, which grok-mpp budget shows", "config file"),
    ] {
        assert_eq!(object["settings"][name], json!({ "value": value, "source": source }), "{name}");
    }
}

#[test]
fn completions_are_a_script_that_its_shell_takes() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = home.run(&["completions", shell]);
        assert_ended(&output, 0, "");
        assert!(stdout(&output).contains("passphrase-file"), "{shell}");
    }
    let script = stdout(&home.run(&["completions", "bash"]));
    let asked = format!(
        "{script}\nCOMP_WORDS=(grok-mpp wal); COMP_CWORD=1; _grok__mpp grok-mpp wal grok-mpp; echo \"${{COMPREPLY[*]}}\""
    );
    let output = Command::new("bash").args(["-c", &asked]).stdin(Stdio::null()).output().expect("bash");
    assert_eq!(stdout(&output).trim(), "wallet", "{output:?}");
    assert_ended(&home.run(&["completions", "cmd"]), 2, "invalid value 'cmd'");
}

#[test]
fn every_command_has_a_manual_page() {
    let home = Home::new();
    for (words, says) in [
        (&[][..], "grok\\-mpp \\- Ask Grok"),
        (&["run"], "grok\\-mpp\\-run \\- Buy an answer"),
        (&["wallet", "new"], "grok\\-mpp\\-wallet\\-new \\- Make a new wallet"),
    ] {
        let output = home.run(&[&["man"], words].concat());
        assert_ended(&output, 0, "");
        let page = stdout(&output);
        assert!(page.contains(".TH grok-mpp") && page.contains(says), "{page}");
    }
    assert_ended(&home.run(&["man", "wallet", "sell"]), 2, "there is no command wallet sell");
}
