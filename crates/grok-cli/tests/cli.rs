//! The command as a person or a script meets it: what it prints where, and with which code it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

/// A public throw-away key.
const KEY: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
const FACTORIAL: &str = "30414093201713378043612608166064768844377641568960512000000000000";
const PROMPT: &str = "The factorial of 50: `import math; print(math.factorial(50))`";

fn grok_mpp() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grok-mpp"));
    for variable in ["PRIVATE_KEY", "BASE_URL", "CHAIN_ID", "MAX_COST"] {
        command.env_remove(format!("GROK_MPP_{variable}"));
    }
    command.stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    grok_mpp().args(arguments).output().expect("the command starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[track_caller]
fn assert_ended(output: &Output, code: i32, says: &str) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
    assert!(stderr(output).contains(says), "{:?} is not in {}", says, stderr(output));
}

#[test]
fn run_prints_the_answer_alone_on_stdout_and_the_rest_on_stderr() {
    let output = run(&["run", "--sandbox", PROMPT]);
    assert_ended(&output, 0, "transaction  0x");
    assert_eq!(stdout(&output).trim(), FACTORIAL);
    for part in [
        "ran\n    import math",
        "printed\n    3041",
        "price        $0.0",
        "on chain 31337",
        "receipt      for this",
    ] {
        assert!(stderr(&output).contains(part), "{part:?} is not in {}", stderr(&output));
    }
}

#[test]
fn json_is_one_object_with_answer_and_payment() {
    let output = run(&["run", "--sandbox", "--json", PROMPT]);
    assert_ended(&output, 0, "");
    let object: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(object["text"].as_str().map(str::trim), Some(FACTORIAL));
    assert_eq!(object["payment"]["money"], "paid");
    assert_eq!(object["payment"]["receipt"]["reference"], object["payment"]["transaction"]);
    assert!(object["raw"].is_object());
}

#[test]
fn quote_prints_the_price_and_signs_nothing() {
    let output = run(&["quote", "--sandbox", PROMPT]);
    assert_ended(&output, 0, "");
    assert!(stdout(&output).starts_with("price      $0.0"), "{}", stdout(&output));
}

#[test]
fn the_prompt_can_come_from_stdin_and_from_a_file() {
    let mut child = grok_mpp()
        .args(["run", "--sandbox", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.take().expect("a pipe").write_all(PROMPT.as_bytes()).expect("written");
    assert_eq!(stdout(&child.wait_with_output().expect("ended")).trim(), FACTORIAL);

    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "```python\nprint(6 * 7)\n```").expect("written");
    let output =
        run(&["run", "--sandbox", "What is six times seven?", "-f", file.path().to_str().expect("UTF-8")]);
    assert_eq!(stdout(&output).trim(), "42", "{}", stderr(&output));
}

#[test]
fn a_price_above_the_cap_ends_with_3() {
    let output = run(&["run", "--sandbox", "--max-cost", "0.000999", PROMPT]);
    assert_ended(&output, 3, "the policy allows 0.000999 a call");
    assert_eq!(stdout(&output), "");
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_to_do() {
    let gone = "/nonexistent/prompt";
    let cases: [(&[&str], &str); 11] = [
        (&["run", "--sandbox", "--chain-id", "4217", PROMPT], "--chain-id means nothing with --sandbox"),
        (&["run", "--sandbox", "--timeout", "18446744073709551615", PROMPT], "from 1 to 86400"),
        (&["run", "--sandbox", "--timeout", "0", PROMPT], "from 1 to 86400"),
        (&["run"], "required"),
        (&["run", "--sandbox", ""], "the prompt is empty"),
        (&["run", "--sandbox", "--model", "grok-3", PROMPT], "grok-4 family"),
        (&["run", "--sandbox", "--max-tokens", "0", PROMPT], "max_tokens is 0"),
        (&["run", "--sandbox", "--max-cost=-1", PROMPT], "must be dollars such as 0.50"),
        (&["run", "--sandbox", "-f", gone], gone),
        (&["run", PROMPT], "no wallet: give --key-file FILE or set GROK_MPP_PRIVATE_KEY"),
        (&["quote", "--base-url", "http://grok.example", PROMPT], "must be https"),
    ];
    for (arguments, says) in cases {
        assert_ended(&run(arguments), 2, says);
    }
}

#[test]
fn a_key_that_is_none_or_not_private_is_refused_without_showing_it() {
    let secret = "deadbeefdeadbeef";
    let output =
        grok_mpp().args(["run", PROMPT]).env("GROK_MPP_PRIVATE_KEY", secret).output().expect("starts");
    assert_ended(&output, 2, "64 hexadecimal digits");
    assert!(!stderr(&output).contains(secret));

    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), KEY).expect("written");
    let path = file.path().to_str().expect("UTF-8");
    std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o640)).expect("set");
    assert_ended(&run(&["run", "--key-file", path, PROMPT]), 2, "others can read it");

    std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o600)).expect("set");
    let dead = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let url = format!("http://{dead}");
    assert_ended(&run(&["run", "--key-file", path, "--base-url", &url, PROMPT]), 4, "could not be sent");
}

#[test]
fn a_sandbox_that_cannot_start_ends_with_4() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port().to_string();
    assert_ended(&run(&["run", "--sandbox", "--sandbox-port", &port, PROMPT]), 4, &port);

    let output =
        grok_mpp().args(["run", "--sandbox", PROMPT]).env("PATH", "/nonexistent").output().expect("starts");
    assert_ended(&output, 4, "python3");

    let dead = format!("http://127.0.0.1:{port}");
    drop(listener);
    let on_node = |url: &str| {
        let arguments = ["run", "--sandbox", "--rpc", url, PROMPT];
        grok_mpp().args(arguments).env("GROK_MPP_PRIVATE_KEY", KEY).output().expect("starts")
    };
    assert_ended(&on_node(&dead), 4, "node");
    assert_ended(&on_node("http://node.example:8545"), 4, "on a node of this machine");
}

#[test]
fn the_sandbox_refuses_a_prompt_without_code_before_it_is_paid() {
    let output = run(&["run", "--sandbox", "What is the factorial of 50?"]);
    assert_ended(&output, 4, "holds no language model");
    assert!(!stderr(&output).contains("transaction"));

    let output = run(&["quote", "--sandbox", "What is the factorial of 50?"]);
    assert_ended(&output, 4, "holds no language model");
    assert_eq!(stdout(&output), "", "a refusal is no free answer");
}

/// A shop that answers each request with the next of `answers`, and counts the credentials it is sent.
fn shop(answers: &'static [&'static str]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let credentials = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&credentials);
    std::thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().expect("a connection");
            counted.fetch_add(usize::from(read_request(&stream)), Ordering::SeqCst);
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    (url, credentials)
}

/// Reads one request whole; whether it had a credential.
fn read_request(stream: &TcpStream) -> bool {
    let mut reader = BufReader::new(stream);
    let (mut length, mut credential) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().expect("a number");
        }
        credential |= line.starts_with("authorization: payment ");
        if line.is_empty() {
            reader.take(length).read_to_end(&mut Vec::new()).expect("a body");
            return credential;
        }
    }
}

/// 1,000 base units of pathUSD on mainnet, without an end.
const CHALLENGE: &str = "HTTP/1.1 402 Payment Required\r\nConnection: close\r\nContent-Length: 0\r\n\
    WWW-Authenticate: Payment id=\"a\", realm=\"shop\", method=\"tempo\", intent=\"charge\", request=\"\
    eyJhbW91bnQiOiIxMDAwIiwiY3VycmVuY3kiOiIweDIwYzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAiLCJtZXRob2REZXRhaW\
    xzIjp7ImNoYWluSWQiOjQyMTd9LCJyZWNpcGllbnQiOiIweDc0MmQzNWNjNjYzNGMwNTMyOTI1YTNiODQ0YmM5ZTc1OTVmOGZlMDAifQ\"\r\n\r\n";
const HTML: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 15\r\n\r\n<html>no</html>";

#[test]
fn the_exit_code_says_what_became_of_the_money() {
    const FAILED: &str = "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 57\r\n\r\n\
        {\"success\":false,\"error\":\"upstream\",\"message\":\"it broke\"}";
    const CUT: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{\"output\":[";
    const BARE: &str = "HTTP/1.1 402 Payment Required\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 52\r\n\r\n\
        {\"success\":false,\"error\":\"bad\",\"message\":\"bad body\"}";
    /// What the shop answers, further arguments, exit code, credentials sent, and what is said.
    type Case = (&'static [&'static str], &'static [&'static str], i32, usize, &'static str);
    let cases: [Case; 9] = [
        (&[REFUSED], &[], 4, 0, "bad body"),
        (&[HTML], &[], 4, 0, "html"),
        (&[BARE], &[], 4, 0, "402 without a Payment challenge"),
        (&[CHALLENGE], &["--chain-id", "42431"], 3, 0, "on chain 4217, the policy allows chain 42431"),
        (
            &[CHALLENGE, FAILED],
            &[],
            5,
            1,
            "unknown whether 0.001 dollars were paid: the service answered 502",
        ),
        (&[CHALLENGE, FAILED], &[], 5, 1, "it broke"),
        (&[CHALLENGE, CHALLENGE], &[], 5, 1, "do not ask again"),
        (&[CHALLENGE, CUT], &[], 6, 1, "0.001 dollars were paid, but the answer failed or is lost"),
        (&[CHALLENGE, HTML], &[], 6, 1, "html"),
    ];
    for (answers, arguments, code, credentials, says) in cases {
        let (url, sent) = shop(answers);
        let mut command = grok_mpp();
        command.args(["run", "--base-url", &url, PROMPT]).args(arguments).env("GROK_MPP_PRIVATE_KEY", KEY);
        let output = command.output().expect("starts");
        assert_ended(&output, code, says);
        assert_eq!(sent.load(Ordering::SeqCst), credentials, "{says}");
        // What was paid for is handed over, whatever it is.
        let paid_for = if answers.ends_with(&[HTML]) && code == 6 { "<html>no</html>\n" } else { "" };
        assert_eq!(stdout(&output), paid_for);
    }
}

#[test]
fn a_failure_in_json_says_where_the_money_is() {
    let (url, _) = shop(&[CHALLENGE, HTML]);
    let arguments = ["run", "--json", "--base-url", &url, PROMPT];
    let output = grok_mpp().args(arguments).env("GROK_MPP_PRIVATE_KEY", KEY).output().expect("starts");
    let object: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(object["error"]["exit_code"], 6);
    assert_eq!(object["error"]["money"], "paid");
    assert_eq!(object["error"]["payment"]["terms"]["amount"], "1000");
    assert!(object["error"]["payment"]["transaction"].as_str().is_some_and(|hash| hash.len() == 66));
}

#[test]
fn a_payment_is_on_stderr_before_it_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let mut child = grok_mpp()
        .args(["run", "--base-url", &url, PROMPT])
        .env("GROK_MPP_PRIVATE_KEY", KEY)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let (first, _) = listener.accept().expect("a connection");
    assert!(!read_request(&first));
    (&first).write_all(CHALLENGE.as_bytes()).expect("written");
    drop(first);
    let (second, _) = listener.accept().expect("a second connection");
    assert!(read_request(&second), "the paid request");
    // The credential is out, no answer will come, and the program dies.
    child.kill().expect("killed");
    let output = child.wait_with_output().expect("ended");
    assert!(stderr(&output).starts_with("paying       transaction 0x"), "{}", stderr(&output));
}

#[test]
fn what_a_service_says_cannot_steer_the_terminal() {
    const STEERING: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 98\r\n\r\n\
        {\"output\":[{\"type\":\"code_interpreter_call\",\"code\":\"\\u001b[2K\\rprice $0.00\",\"status\":\"completed\"}]}";
    let (url, _) = shop(&[CHALLENGE, STEERING]);
    let output = grok_mpp()
        .args(["run", "--base-url", &url, PROMPT])
        .env("GROK_MPP_PRIVATE_KEY", KEY)
        .output()
        .expect("starts");
    assert_ended(&output, 0, "price $0.00");
    assert!(!stderr(&output).contains(['\u{1b}', '\r']), "{:?}", stderr(&output));
}
