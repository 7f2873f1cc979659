//! A signer that is another program: what it is asked, that what it signs pays, and that nothing else it does gets anywhere.

use std::process::Output;

use mpp_core::Credential;
use mpp_core::tempo::{Payload, SignedTransaction};
use serde_json::{Value, json};

use crate::support::{ADDRESS, Home, KEY, Shop, answered, assert_ended, challenge, stderr, stdout};

const SIGNER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/signer.py");

/// A purchase that a command signs.
fn buy(home: &Home, shop: &Shop, command: &str) -> Output {
    home.buy(shop, &["--signer-command", command])
}

/// A command that says its address, and does `then` when it is asked to sign.
fn script(then: &str) -> String {
    format!(
        "sh -c 'read -r question; case $question in *sign*) {then};; *) echo {{\\\"address\\\":\\\"{ADDRESS}\\\"}};; esac'"
    )
}

#[test]
fn a_signer_command_is_told_the_terms_and_its_signature_pays() {
    let (home, shop) = (Home::new(), Shop::open([challenge(31337), answered()]));
    let log = home.file("questions");
    let command = format!("python3 {SIGNER:?} {KEY} {:?} {ADDRESS}", log.to_str().expect("UTF-8"));
    assert_ended(&buy(&home, &shop, &command), 0, "payment      #1");

    let credential = Credential::parse(shop.credentials().concat().as_bytes()).expect("a credential");
    let Payload::Transaction(raw) = credential.payload() else { panic!("no transaction") };
    let (_, transaction, payer) = SignedTransaction::decode(raw).expect("a transaction");
    assert_eq!(payer.to_string(), ADDRESS);

    let log = std::fs::read_to_string(log).expect("questions");
    let questions: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [address, sign] = &questions[..] else { panic!("{log}") };
    assert_eq!(address, &json!({ "version": 1, "request": "address", "secrets": [] }));
    assert_eq!(
        [&sign["version"], &sign["request"], &sign["secrets"]],
        [&json!(1), &json!("sign"), &json!([])]
    );
    assert_eq!([&sign["address"], &sign["hash"]], [&json!(payer), &json!(transaction.signing_hash())]);
    let terms = &sign["terms"];
    assert_eq!(
        [&terms["amount"], &terms["dollars"], &terms["chain_id"]],
        [&json!("1000"), &json!("0.001"), &json!(31337)]
    );
    assert_eq!(terms["recipients"][0]["address"], "0x742d35cc6634c0532925a3b844bc9e7595f8fe00");
    let memo = transaction.transfers().expect("transfers")[0].1.memo.expect("a memo");
    assert_eq!(terms["recipients"][0]["memo"], memo.to_string());
    // Enough to make the hash of.
    let told = &sign["transaction"];
    assert_eq!(
        told["calls"],
        json!([{ "to": transaction.calls[0].to, "input": transaction.calls[0].input }])
    );
    assert_eq!(told["nonce_key"], format!("{:#x}", transaction.nonce_key));
    assert_eq!(
        [&told["chain_id"], &told["gas_limit"], &told["nonce"], &told["valid_before"], &told["valid_after"]],
        [
            &json!(transaction.chain_id),
            &json!(transaction.gas_limit),
            &json!(transaction.nonce),
            &json!(transaction.valid_before),
            &json!(transaction.valid_after),
        ]
    );
    assert_eq!(
        [&told["max_fee_per_gas"], &told["max_priority_fee_per_gas"]],
        [
            &json!(transaction.max_fee_per_gas.to_string()),
            &json!(transaction.max_priority_fee_per_gas.to_string())
        ]
    );
    assert_eq!([&told["fee_token"], &told["sponsored"]], [&terms["token"], &json!(false)]);
}

#[test]
fn a_signer_command_that_does_not_sign_pays_nothing_and_says_why() {
    let nobody = format!("echo {{\\\"signature\\\":\\\"0x{}\\\"}}", "11".repeat(65));
    // Signed by another key than that of the address.
    let other = format!("python3 {SIGNER:?} {} /dev/null {ADDRESS}", "22".repeat(32));
    let cases = [
        (
            script("printf \"one\\\\ntwo \\\\033[2Jthree\\\\n\" >&2; exit 3"),
            "failed (exit status: 3) and said: two  [2Jthree",
        ),
        (script("exit 1"), "failed (exit status: 1) and said: nothing"),
        (script("kill -9 $$"), "failed (signal: 9 (SIGKILL)) and said: nothing"),
        (script("echo {\\\"error\\\":\\\"too much\\\"}"), "refused: too much"),
        (script("echo yes"), "did not answer by one line of JSON"),
        (script("head -c 1000000 /dev/zero"), "did not answer by one line of JSON"),
        (
            script("echo {\\\"signature\\\":\\\"0x11\\\"}"),
            "answered without a signature of 65 bytes in hexadecimal",
        ),
        (script(&nobody), "answered with not a secp256k1 signature with a low s"),
        (
            other,
            "answered with not a signature of this payment by 0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
        ),
    ];
    for (command, says) in cases {
        let (home, shop) = (Home::new(), Shop::open([challenge(31337)]));
        let output = buy(&home, &shop, &command);
        assert_ended(&output, 4, says);
        let start = "grok-mpp: nothing was paid: the signer did not sign: the command ";
        assert!(stderr(&output).starts_with(start), "{}", stderr(&output));
        assert!(!stderr(&output).contains('\u{1b}'), "{}", stderr(&output));
        assert!(shop.credentials().is_empty());
    }
}

#[test]
fn a_signer_command_that_hangs_is_given_up() {
    let (home, shop) = (Home::new(), Shop::open([challenge(31337)]));
    let output = buy(&home, &shop, &script("exec sleep 600"));
    assert_ended(&output, 4, "the command sh did not answer within 20 seconds");
    assert!(shop.credentials().is_empty());
}

#[test]
fn a_signer_command_without_an_address_ends_before_anything_is_sent() {
    let cases = [
        ("", "--signer-command must name a program"),
        ("sh 'c", "--signer-command has a quote that does not end"),
        ("/nonexistent/signer", "the signer command /nonexistent/signer cannot be started: "),
        ("echo {}", "the signer command echo answered without an address"),
        ("false", "the signer command false failed (exit status: 1) and said: nothing"),
    ];
    for (command, says) in cases {
        let (home, shop) = (Home::new(), Shop::open([]));
        assert_ended(&buy(&home, &shop, command), 2, says);
        assert!(!home.ledger().exists());
    }
    let both = Home::new().run(&["wallet", "address", "--signer-command", "false", "--key-file", "key"]);
    assert_ended(&both, 2, "cannot be used with");
}

#[test]
fn the_config_file_can_name_the_signer_command() {
    let home = Home::new();
    home.configure(&format!("signer_command = {:?}", script("false")));
    let address = |command: &mut std::process::Command| {
        stdout(&command.args(["wallet", "address"]).output().expect("starts")).trim().to_owned()
    };
    assert_eq!(address(&mut home.keyless()), ADDRESS);
    // The environment goes before it.
    let mut command = home.keyless();
    assert_ne!(address(command.env("GROK_MPP_PRIVATE_KEY", "22".repeat(32))), ADDRESS);
    let output = home.keyless().args(["wallet", "new"]).output().expect("starts");
    assert_ended(&output, 0, "signer_command in the config file goes before it");
}

#[test]
fn a_crash_of_the_command_would_leave_no_file_of_its_memory() {
    let (home, shop) = (Home::new(), Shop::open([challenge(31337)]));
    let limit = home.file("limit");
    // What it starts is limited as it is itself.
    let command = format!("sh -c 'ulimit -Hc > {}; exit 1'", limit.display());
    assert_ended(&buy(&home, &shop, &command), 2, "signer");
    assert_eq!(std::fs::read_to_string(limit).expect("a limit"), "0\n");
}
