//! Wallets: made once, for their owner alone, found in a fixed order, and never shown.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use e2e::{Anvil, PATH_USD, PAYER};
use mpp_core::Credential;
use mpp_core::tempo::{LocalSigner, Payload, SignedTransaction};
use serde_json::{Value, json};

use crate::node::{Knows, node};
use crate::support::{
    ADDRESS, Home, KEY, PASSPHRASE, PROMPT, Shop, answered, assert_ended, challenge, stderr, stdout,
};

const OTHER_KEY: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn keyless(home: &Home, arguments: &[&str]) -> Output {
    home.keyless().args(arguments).output().expect("starts")
}

/// What a command does with this on its standard input.
fn piped(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    child.wait_with_output().expect("ended")
}

fn import(home: &Home, key: &str, arguments: &[&str]) -> Output {
    let mut command = home.keyless();
    command.args(["wallet", "import"]).args(arguments);
    piped(command, key)
}

#[test]
fn a_new_wallet_is_its_owner_s_alone_and_pays() {
    let home = Home::new();
    let output = keyless(&home, &["wallet", "new"]);
    assert_ended(&output, 0, &format!("wallet written to {}; whoever loses it", home.wallet().display()));
    let address = stdout(&output).trim().to_owned();
    for (path, mode) in [(home.file("data/grok-mpp"), 0o700), (home.wallet(), 0o600)] {
        assert_eq!(std::fs::metadata(path).expect("there").permissions().mode() & 0o777, mode);
    }
    let shop = Shop::open([challenge(31337), answered()]);
    let mut command = home.keyless();
    command.args(["run", "--base-url", &shop.url, "--chain-id", "31337", PROMPT]);
    assert_ended(&command.output().expect("starts"), 0, "payment      #1");
    let credential = Credential::parse(shop.credentials().concat().as_bytes()).expect("a credential");
    let Payload::Transaction(raw) = credential.payload() else { panic!("no transaction") };
    let (_, _, payer) = SignedTransaction::decode(raw).expect("a transaction");
    assert_eq!(payer.to_string(), address);
}

#[test]
fn two_new_wallets_have_nothing_in_common() {
    let wallets = [(); 2].map(|()| {
        let home = Home::new();
        assert_ended(&keyless(&home, &["wallet", "new"]), 0, "");
        let wallet: Value =
            serde_json::from_slice(&std::fs::read(home.wallet()).expect("there")).expect("JSON");
        wallet
    });
    for pointer in ["/address", "/id", "/crypto/cipherparams/iv", "/crypto/kdfparams/salt", "/crypto/mac"] {
        let [first, second] = wallets.each_ref().map(|wallet| wallet.pointer(pointer).expect(pointer));
        assert_ne!(first, second, "{pointer}");
    }
    let id = wallets[0]["id"].as_str().expect("an id");
    assert!(id.len() == 36 && id.as_bytes()[14] == b'4' && b"89ab".contains(&id.as_bytes()[19]), "{id}");
}

#[test]
fn an_imported_key_is_the_one_that_was_given_and_needs_its_passphrase_to_pay() {
    for key in [KEY.to_owned(), format!("{}\n", &KEY[2..])] {
        let home = Home::new();
        let output = import(&home, &key, &[]);
        assert_ended(&output, 0, "wallet written to ");
        assert_eq!(stdout(&output), format!("{ADDRESS}\n"));
    }
    let home = Home::new();
    assert_eq!(stdout(&import(&home, KEY, &["--json"])), {
        let object = json!({ "address": ADDRESS.to_lowercase(), "file": home.wallet() });
        format!("{object:#}\n")
    });
    let run = |passphrase: &str| {
        let mut command = home.keyless();
        command.args(["run", "--base-url", "http://127.0.0.1:1", PROMPT]);
        command.env("GROK_MPP_PASSPHRASE", passphrase).output().expect("starts")
    };
    assert_ended(&run(PASSPHRASE), 4, "nothing was paid: ");
    assert_ended(&run("another"), 2, "wallet.json: the passphrase is wrong, or the file is damaged");
    assert_ended(&run(""), 2, "there is no terminal to ask for the passphrase; give --passphrase-file FILE");
    // Only paying takes the passphrase.
    let mut command = home.keyless();
    let output =
        command.args(["wallet", "address"]).env_remove("GROK_MPP_PASSPHRASE").output().expect("starts");
    assert_eq!(stdout(&output), format!("{ADDRESS}\n"));
}

#[test]
fn what_is_no_key_is_not_imported_and_not_shown() {
    let home = Home::new();
    let zero = "0".repeat(64);
    for (text, says) in [
        ("", "a private key is 64 hexadecimal digits"),
        ("0xsecret", "a private key is 64 hexadecimal digits"),
        (&*format!("{KEY}22"), "a private key is 64 hexadecimal digits"),
        (&zero, "the number is not a secp256k1 private key"),
    ] {
        let output = import(&home, text, &[]);
        assert_ended(&output, 2, says);
        assert!(!stderr(&output).contains("secret") && !stderr(&output).contains(&KEY[2..]));
        assert!(!home.wallet().exists());
    }
}

#[test]
fn a_wallet_is_never_written_over() {
    let home = Home::new();
    assert_ended(&import(&home, KEY, &[]), 0, "");
    let before = std::fs::read(home.wallet()).expect("there");
    let says = format!("{} is there already and is not written over", home.wallet().display());
    assert_ended(&keyless(&home, &["wallet", "new"]), 2, &says);
    assert_ended(&import(&home, OTHER_KEY, &[]), 2, &says);
    assert_eq!(std::fs::read(home.wallet()).expect("there"), before);
    // Not even one that nobody can follow.
    let link = home.file("link.json");
    std::os::unix::fs::symlink(home.file("nowhere"), &link).expect("made");
    let output = keyless(&home, &["wallet", "new", "--key-file", link.to_str().expect("UTF-8")]);
    assert_ended(&output, 2, "is there already");
    let output = keyless(&home, &["wallet", "new", "--key-file", "/nonexistent/wallet.json"]);
    assert_ended(&output, 4, "the wallet /nonexistent/wallet.json cannot be written: ");
}

#[test]
fn a_passphrase_file_goes_before_the_environment_and_must_be_private() {
    let home = Home::new();
    let file = home.file("passphrase");
    std::fs::write(&file, "from the file\nand no more\n").expect("written");
    let file_arguments = ["--passphrase-file", file.to_str().expect("UTF-8")];
    let new = |home: &Home| keyless(home, &[&["wallet", "new"][..], &file_arguments].concat());
    assert_ended(&new(&home), 2, "others can read it; run chmod 600");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("set");
    assert_ended(&new(&home), 0, "");
    let run = |passphrase: &str| {
        let mut command = home.keyless();
        command.args(["run", "--base-url", "http://127.0.0.1:1", PROMPT]);
        command.env("GROK_MPP_PASSPHRASE", passphrase).output().expect("starts")
    };
    assert_ended(&run("from the file"), 4, "nothing was paid: ");
    assert_ended(&run(PASSPHRASE), 2, "the passphrase is wrong");
    std::fs::write(&file, "\n").expect("written");
    assert_ended(&new(&Home::new()), 2, "its first line must be the passphrase");
}

#[test]
fn the_wallet_is_what_argument_environment_config_file_or_folder_say_in_this_order() {
    let home = Home::new();
    let address = |key: &str| LocalSigner::from_hex(key).expect("a key").address().to_string();
    let keys = ["33", "44", "55", "66"].map(|digits| digits.repeat(32));
    let [argument, variable, configured, default] = &keys;
    let shown = |arguments: &[&str], variable: &str| {
        let mut command = home.keyless();
        command.args(["wallet", "address"]).args(arguments).env("GROK_MPP_PRIVATE_KEY", variable);
        let output = command.output().expect("starts");
        assert_ended(&output, 0, "");
        stdout(&output).trim().to_owned()
    };
    let private = |path: &Path, key: &str| {
        std::fs::write(path, key).expect("written");
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("set");
    };
    assert_ended(&keyless(&home, &["wallet", "address"]), 2, "no wallet: make one by grok-mpp wallet new");
    assert_ended(&import(&home, default, &[]), 0, "");
    assert_eq!(shown(&[], ""), address(default));
    // Beside the config file, wherever the command is started.
    home.configure("key_file = \"configured.key\"");
    private(&home.file("config/grok-mpp/configured.key"), configured);
    assert_eq!(shown(&[], ""), address(configured));
    assert_eq!(shown(&[], variable), address(variable));
    let named = home.file("named.key");
    private(&named, argument);
    assert_eq!(shown(&["--key-file", named.to_str().expect("UTF-8")], variable), address(argument));
    // A new one goes where it will be looked for, and what goes before it is said.
    std::fs::remove_file(home.file("config/grok-mpp/configured.key")).expect("there");
    let mut command = home.keyless();
    let output =
        command.args(["wallet", "new"]).env("GROK_MPP_PRIVATE_KEY", variable).output().expect("starts");
    assert_ended(&output, 0, "GROK_MPP_PRIVATE_KEY is set and goes before it");
    assert!(home.file("config/grok-mpp/configured.key").exists());
}

#[tokio::test]
async fn balance_is_what_the_chain_says() {
    let (home, node) = (Home::new(), Anvil::shared().await);
    assert_ended(&import(&home, OTHER_KEY, &[]), 0, "");
    let address = LocalSigner::from_hex(OTHER_KEY).expect("a key").address();
    node.fund(address, 1_234_567).await;
    let url = node.url();
    let arguments = ["wallet", "balance", "--chain-id", "31337", "--rpc", &url];
    let output = keyless(&home, &arguments);
    assert_ended(&output, 0, "");
    assert_eq!(
        stdout(&output),
        format!("wallet       {address}\nchain        31337\npathUSD      $1.234567\n")
    );
    let output = keyless(&home, &[&arguments[..], &["--json"]].concat());
    let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!([&object["address"], &object["chain_id"]], [&json!(address), &json!(31337)]);
    assert_eq!(
        object["tokens"],
        json!([{ "name": "pathUSD", "token": PATH_USD, "balance": "1234567", "dollars": "1.234567" }])
    );
    // The key in the environment is another wallet, and the config file can say the rest.
    home.configure(&format!("chain_id = 31337\nrpc = {url:?}"));
    let mut command = home.keyless();
    let output = command.args(["wallet", "balance"]).env("GROK_MPP_PRIVATE_KEY", PAYER.key).output();
    assert!(stdout(&output.expect("starts")).contains(&PAYER.address.to_string()));
}

#[test]
fn a_node_that_cannot_tell_the_balance_is_no_empty_wallet() {
    let home = Home::new();
    let url = node(42431, Knows::Absent);
    for (arguments, code, says) in [
        (
            &["--rpc", &url, "--chain-id", "42431"][..],
            4,
            "the node's answer is wrong or incomplete at \"balance\"",
        ),
        (&["--rpc", &url], 2, "the node is on chain 42431, not on 4217"),
        (&["--rpc", "http://127.0.0.1:1"], 4, "the node did not answer"),
        (&["--rpc", "ftp://127.0.0.1"], 2, "the node's URL must be https"),
        (&["--chain-id", "5"], 2, "no public node of chain 5 is known; give one with --rpc URL"),
    ] {
        let output = home.run(&[&["wallet", "balance"], arguments].concat());
        assert_ended(&output, code, says);
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn fund_prints_the_address_alone_and_how_on_stderr() {
    let home = Home::new();
    for (chain, says) in [
        ("4217", "USDC.e   0x20C000000000000000000000b9537d11c60E8b50"),
        ("42431", &*format!("cast rpc tempo_fundAddress {ADDRESS}")),
        ("31337", "to this address on chain 31337"),
    ] {
        let output = home.run(&["wallet", "fund", "--chain-id", chain]);
        assert_ended(&output, 0, says);
        assert_eq!(stdout(&output), format!("{ADDRESS}\n"));
        let object = home.json(&["wallet", "fund", "--chain-id", chain, "--json"]);
        assert!(object["how"].as_str().is_some_and(|how| how.contains(says)), "{object}");
    }
}

#[test]
fn no_command_shows_the_key_or_the_passphrase() {
    let home = Home::new();
    let mut shown = vec![import(&home, OTHER_KEY, &[])];
    let text = std::fs::read_to_string(home.wallet()).expect("there");
    assert!(!text.contains(OTHER_KEY) && !text.contains(PASSPHRASE), "{text}");
    let shop = Shop::open([challenge(31337), answered(), challenge(31337), answered()]);
    for arguments in [
        &["run", "--base-url", &shop.url, "--chain-id", "31337", PROMPT][..],
        &["run", "--base-url", "http://127.0.0.1:1", "--json", PROMPT],
        &["wallet", "new"],
        &["wallet", "address", "--json"],
        &["wallet", "balance", "--rpc", "http://127.0.0.1:1", "--json"],
        &["wallet", "fund"],
        &["config", "show", "--json"],
        &["history", "--json"],
        &["evidence", "1"],
    ] {
        shown.push(keyless(&home, arguments));
        let mut command = home.keyless();
        shown.push(command.args(arguments).env("GROK_MPP_PRIVATE_KEY", OTHER_KEY).output().expect("starts"));
    }
    for output in shown {
        let text = stdout(&output) + &stderr(&output);
        assert!(!text.contains(OTHER_KEY) && !text.contains(PASSPHRASE), "{text}");
    }
}
