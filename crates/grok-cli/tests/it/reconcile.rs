//! What nodes say of open payments, what that frees, and why a payment stays open.

use serde_json::{Value, json};

use crate::node::{Knows, node};
use crate::support::{Home, Shop, assert_ended, challenge, failed, stdout};

#[test]
fn reconcile_settles_by_the_node_and_budgets_get_back_what_was_not_taken() {
    let home = Home::with_unknown();
    let left = |home: &Home| {
        let object = home.json(&["budget", "--json", "--chain-id", "31337", "--max-per-day", "1"]);
        object["tokens"][0]["limits"][0]["left"].clone()
    };
    assert_eq!(left(&home), "974000");
    let url = node(31337, Knows::Happened);
    let output = home.run(&["reconcile", "--rpc", &url]);
    assert_ended(&output, 0, "");
    let text = stdout(&output);
    assert!(text.starts_with("#1 paid_undelivered: $0.001 + $0.000029 fee, 0x"), "{text}");
    assert!(text.contains("; grok-mpp evidence 1 prints what can be shown to claim it back\n"), "{text}");
    assert!(text.ends_with("\n1 settled, 0 open\n"), "{text}");
    assert_eq!(left(&home), "998971");
    assert_eq!(stdout(&home.run(&["reconcile", "--rpc", &url])), "0 settled, 0 open\n");

    let home = Home::with_unknown();
    home.configure(&format!("rpc = {:?}", node(31337, Knows::Absent)));
    assert_eq!(
        stdout(&home.run(&["reconcile"])),
        "#1 not_paid: $0.00 + $0.00 fee, no transaction\n1 settled, 0 open\n"
    );
    assert_eq!(left(&home), "1000000");

    let home = Home::with_unknown();
    let text = stdout(&home.run(&["reconcile", "--rpc", &node(31337, Knows::Failed)]));
    let says = "#1 not_paid: it failed on chain and its fee of $0.000029 is gone, 0x";
    assert!(text.starts_with(says) && !text.contains("evidence"), "{text}");
    assert_eq!(left(&home), "999971");
}

#[test]
fn reconcile_ends_with_5_as_long_as_a_payment_is_open_and_says_why() {
    let home = Home::with_unknown();
    let end = home.json(&["evidence", "1"])["valid_before"].as_u64().expect("an end");
    let (elsewhere, late) = (node(42431, Knows::Happened), node(31337, Knows::NotYet));
    // Where it asks, what it says, in code and words, and until when it can happen.
    let cases = [
        (&["--rpc", "http://127.0.0.1:1"][..], "failed", "the node did not answer", Value::Null),
        (
            &["--rpc", &elsewhere],
            "other_chain",
            "it is on chain 31337, and the node on chain 42431",
            Value::Null,
        ),
        (
            &["--rpc", &late],
            "may_still_happen",
            "not on the chain, and it may still happen until 2",
            json!(end + 30),
        ),
        (&[], "no_node", "its chain 31337 was a sandbox's", Value::Null),
    ];
    for (arguments, code, reason, until) in cases {
        let output = home.run(&[&["reconcile"], arguments].concat());
        assert_ended(&output, 5, "");
        let says = format!("#1 unknown, open: {reason}");
        assert!(stdout(&output).starts_with(&says), "{}", stdout(&output));
        let output = home.run(&[&["reconcile", "--json"], arguments].concat());
        assert_ended(&output, 5, "");
        let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(object["settled"], Value::Array(vec![]));
        let open = &object["open"][0];
        assert_eq!(
            [&open["payment"]["id"], &open["code"], &open["until"]],
            [&json!(1), &json!(code), &until]
        );
        assert!(open["reason"].as_str().is_some_and(|text| text.starts_with(reason)), "{open}");
    }
    // Who did not answer about one is not asked about the next.
    assert_ended(&home.buy(&Shop::open([challenge(31337), failed()]), &[]), 5, "");
    let object = home.json(&["reconcile", "--json", "--rpc", "http://127.0.0.1:1"]);
    assert_eq!([&object["open"][0]["code"], &object["open"][1]["code"]], ["not_asked", "failed"]);
    assert_ended(&home.run(&["reconcile", "--rpc", "ftp://127.0.0.1"]), 2, "the node's URL must be https");
}

#[test]
#[cfg(target_os = "linux")]
fn reconcile_that_cannot_print_does_not_hide_an_open_payment() {
    for (home, code) in [(Home::with_unknown(), 5), (Home::new(), 4)] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
        let output = home.grok_mpp().arg("reconcile").stdout(full).output().expect("starts");
        assert_ended(&output, code, "cannot print: ");
    }
}
