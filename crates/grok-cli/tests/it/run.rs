//! Asking: prompts, keys, sandboxes, usage.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Home, KEY, PROMPT, assert_ended, stderr, stdout};

const FACTORIAL: &str = "30414093201713378043612608166064768844377641568960512000000000000";

#[test]
fn run_prints_the_answer_alone_on_stdout_and_the_rest_on_stderr() {
    let home = Home::new();
    let output = home.run(&["run", "--sandbox", PROMPT]);
    assert_ended(&output, 0, "transaction  0x");
    assert_eq!(stdout(&output).trim(), FACTORIAL);
    for part in [
        "ran\n    import math",
        "printed\n    3041",
        "price        $0.0",
        "on chain 31337",
        "receipt      for this",
        "payment      #1",
        "fee          $0.000029",
    ] {
        assert!(stderr(&output).contains(part), "{part:?} is not in {}", stderr(&output));
    }
}

#[test]
fn json_is_one_object_with_answer_and_payment() {
    let home = Home::new();
    let output = home.run(&["run", "--sandbox", "--json", PROMPT]);
    assert_ended(&output, 0, "");
    let object: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(object["text"].as_str().map(str::trim), Some(FACTORIAL));
    assert_eq!(object["payment"]["money"], "paid");
    assert_eq!(object["payment"]["receipt"]["reference"], object["payment"]["transaction"]);
    assert_eq!(object["payment"]["state"], "delivered");
    assert_eq!(object["payment"]["chain"]["fee"], "29", "the sandbox's own ledger has the last word");
    assert_eq!(object["budget"], Value::Array(vec![]));
    assert!(object["raw"].is_object());
}

#[test]
fn quote_prints_the_price_and_signs_nothing() {
    let home = Home::new();
    let output = home.run(&["quote", "--sandbox", PROMPT]);
    assert_ended(&output, 0, "");
    assert!(stdout(&output).starts_with("price      $0.0"), "{}", stdout(&output));
    assert!(!home.ledger().exists(), "a quote touches no ledger");
}

#[test]
fn the_prompt_can_come_from_stdin_and_from_a_file() {
    let home = Home::new();
    let mut child = home
        .grok_mpp()
        .args(["run", "--sandbox", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.take().expect("a pipe").write_all(PROMPT.as_bytes()).expect("written");
    assert_eq!(stdout(&child.wait_with_output().expect("ended")).trim(), FACTORIAL);

    let (task, program) = (home.file("task.md"), home.file("six.py"));
    std::fs::write(&task, "What is it?\n```python\nprint(6 * 7)\n```").expect("written");
    std::fs::write(&program, "print(7 * 6)").expect("written");
    let path = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let output = home.run(&["run", "--sandbox", "-f", &path(&task)]);
    assert_eq!(stdout(&output).trim(), "42", "{}", stderr(&output));
    let output = home.run(&["run", "--sandbox", "What does it print?", "-f", &path(&program)]);
    assert_eq!(stdout(&output).trim(), "42", "{}", stderr(&output));
}

#[test]
fn what_cannot_be_a_prompt_is_refused_before_anything_is_sent() {
    let home = Home::new();
    let file = |name: &str, bytes: &[u8]| {
        std::fs::write(home.file(name), bytes).expect("written");
        home.file(name).to_str().expect("UTF-8").to_owned()
    };
    let enormous = file("enormous.txt", &vec![b'a'; 3 << 20]);
    let binary = file("binary.csv", b"\xff\xfe\x00");
    let folder = home.file("").to_str().expect("UTF-8").to_owned();
    for (path, says) in [
        (enormous, "over 1 MiB, which is more than a request may hold"),
        (binary, "not text in UTF-8"),
        (folder, "Is a directory"),
    ] {
        let output = home.run(&["chat", "--sandbox", "Sum it", "-f", &path]);
        assert_ended(&output, 2, says);
    }
    assert!(home.run(&["history"]).stdout.is_empty());
}

#[test]
fn a_price_above_the_cap_ends_with_3() {
    let home = Home::new();
    let output = home.run(&["run", "--sandbox", "--max-cost", "0.000999", PROMPT]);
    assert_ended(&output, 3, "the policy allows 0.000999 a call");
    assert_eq!(stdout(&output), "");
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_to_do() {
    let home = Home::new();
    let gone = "/nonexistent/prompt";
    let cases: [(&[&str], &str); 14] = [
        (&["run", "--sandbox", "--chain-id", "4217", PROMPT], "--chain-id means nothing with --sandbox"),
        (&["run", "--sandbox", "--timeout", "18446744073709551615", PROMPT], "from 1 to 86400"),
        (&["run", "--sandbox", "--timeout", "0", PROMPT], "from 1 to 86400"),
        (&["run"], "required"),
        (&["run", "--sandbox", ""], "the prompt is empty"),
        (&["run", "--sandbox", "--model", "grok-3", PROMPT], "grok-4 family"),
        (&["run", "--sandbox", "--max-tokens", "0", PROMPT], "max_tokens is 0"),
        (&["run", "--sandbox", "--max-cost=-1", PROMPT], "must be dollars such as 0.50"),
        (&["run", "--sandbox", "--max-cost", "-0.5", PROMPT], "must be dollars such as 0.50"),
        (&["budget", "--max-per-day", "-1"], "must be dollars such as 0.50"),
        (&["run", "--sandbox", "-f", gone], gone),
        (&["run", "--sandbox", "1", "-f", "/dev/zero"], "file /dev/zero: over 1 MiB"),
        (
            &["run", PROMPT],
            "no wallet: make one by grok-mpp wallet new, give --key-file FILE or set GROK_MPP_PRIVATE_KEY",
        ),
        (&["quote", "--base-url", "http://grok.example", PROMPT], "must be https"),
    ];
    for (arguments, says) in cases {
        let output = home.grok_mpp().args(arguments).env_remove("GROK_MPP_PRIVATE_KEY").output();
        assert_ended(&output.expect("starts"), 2, says);
    }
}

#[test]
fn a_key_that_is_none_or_not_private_is_refused_without_showing_it() {
    let home = Home::new();
    let secret = "deadbeefdeadbeef";
    let output =
        home.grok_mpp().args(["run", PROMPT]).env("GROK_MPP_PRIVATE_KEY", secret).output().expect("starts");
    assert_ended(&output, 2, "64 hexadecimal digits");
    assert!(!stderr(&output).contains(secret));

    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), KEY).expect("written");
    let path = file.path().to_str().expect("UTF-8");
    std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o640)).expect("set");
    assert_ended(&home.run(&["run", "--key-file", path, PROMPT]), 2, "others can read it");

    std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o600)).expect("set");
    let dead = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let url = format!("http://{dead}");
    assert_ended(&home.run(&["run", "--key-file", path, "--base-url", &url, PROMPT]), 4, "could not be sent");
}

#[test]
fn a_sandbox_that_cannot_start_ends_with_4() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port().to_string();
    assert_ended(&home.run(&["run", "--sandbox", "--sandbox-port", &port, PROMPT]), 4, &port);

    let output = home
        .grok_mpp()
        .args(["run", "--sandbox", PROMPT])
        .env("PATH", "/nonexistent")
        .output()
        .expect("starts");
    assert_ended(&output, 4, "python3");

    let dead = format!("http://127.0.0.1:{port}");
    drop(listener);
    let on_node = |url: &str| home.run(&["run", "--sandbox", "--rpc", url, PROMPT]);
    assert_ended(&on_node(&dead), 4, "node");
    assert_ended(&on_node("http://node.example:8545"), 4, "on a node of this machine");
}

#[test]
fn the_sandbox_refuses_a_prompt_without_code_before_it_is_paid() {
    let home = Home::new();
    let output = home.run(&["run", "--sandbox", "What is the factorial of 50?"]);
    assert_ended(&output, 4, "holds no language model");
    assert!(!stderr(&output).contains("transaction"));

    let output = home.run(&["quote", "--sandbox", "What is the factorial of 50?"]);
    assert_ended(&output, 4, "holds no language model");
    assert_eq!(stdout(&output), "", "a refusal is no free answer");
}
