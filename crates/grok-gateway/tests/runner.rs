//! The sandbox with the machine's real python3: programs answer, and none gets past its limits or stays behind.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    path::Path,
    time::Duration,
};

use grok_gateway::sandbox::{
    Ending, Limits, PromptError, Python, Run, RunError, UpstreamError, code_execution,
};
use serde_json::{Value, json};

const FACTORIAL_OF_50: &str = "30414093201713378043612608166064768844377641568960512000000000000";

async fn python() -> Python {
    Python::find("python3").await.unwrap()
}

async fn run(code: &str, limits: &Limits) -> Run {
    python().await.run(code, limits).await.unwrap()
}

async fn ask(prompt: &str) -> Result<Value, UpstreamError> {
    let body = json!({"model": "grok-4.3", "messages": [{"role": "user", "content": prompt}]});
    code_execution(&python().await, &body, &Limits::default()).await
}

fn text(answer: &Value) -> &str {
    answer["output"][1]["content"][0]["text"].as_str().unwrap()
}

/// A program that reports over a socket: `line` runs after it is connected as `s`, and the socket closes when the
/// process that holds it is dead.
fn reporting(listener: &TcpListener, line: &str) -> String {
    let port = listener.local_addr().unwrap().port();
    format!("import os, socket, sys, time\ns = socket.create_connection(('127.0.0.1', {port}))\n{line}\n")
}

/// Returns once the other end is closed, which its process is the last to do.
fn wait_for_the_end_of(peer: &mut TcpStream) {
    peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    peer.read_to_end(&mut Vec::new()).expect("the process is still there");
}

#[tokio::test]
async fn a_program_answers_with_what_it_printed() {
    let answer = ask("Run this:\n```python\nimport math\nprint(math.factorial(50))\n```").await.unwrap();
    assert_eq!(text(&answer), FACTORIAL_OF_50);
    assert_eq!(answer["model"], "grok-4.3");
    assert_eq!(answer["sandbox"], true);
    assert!(answer["note"].as_str().unwrap().contains("without a language model"));
    assert_eq!(answer["output"][0]["code"], "import math\nprint(math.factorial(50))\n");
    assert_eq!(answer["output"][0]["outputs"][0]["logs"], format!("{FACTORIAL_OF_50}\n"));
    assert_eq!(answer["output"][0]["status"], "completed");
    assert_eq!(answer["usage"]["server_side_tool_usage_details"]["code_interpreter_calls"], 1);
    let again = ask("`print(1)`").await.unwrap();
    assert_ne!(again["id"], answer["id"]);
}

#[tokio::test]
async fn a_failed_program_is_an_answer_that_says_so() {
    let answer = ask("`print('before'); 1/0`").await.unwrap();
    let text = text(&answer);
    assert!(text.starts_with("the program ended with exit status 1:\nbefore\nTraceback"), "{text}");
    assert!(text.ends_with("ZeroDivisionError: division by zero"), "{text}");
    assert_eq!(answer["output"][0]["status"], "failed");
    let silent = ask("`x = 1`").await.unwrap();
    assert_eq!(silent["output"][1]["content"][0]["text"], "the program ended well and printed nothing");
}

#[tokio::test]
async fn a_prompt_without_code_is_refused_and_nothing_runs() {
    let error = ask("Compute the factorial of 50 in Python.").await.unwrap_err();
    assert!(matches!(error, UpstreamError::Prompt(PromptError::NoCode)), "{error}");
}

#[tokio::test]
async fn a_busy_loop_ends_at_the_cpu_limit_with_its_output_kept() {
    let limits = Limits { cpu_seconds: 1, ..Limits::default() };
    let run = run("print('here')\nwhile True: pass", &limits).await;
    assert_eq!((run.ending, run.stdout.text().as_str()), (Ending::CpuLimit, "here\n"));
    assert!(run.took < limits.wall, "{:?}", run.took);
}

#[tokio::test]
async fn an_idle_program_ends_at_the_wall_limit() {
    let limits = Limits { wall: Duration::from_millis(300), ..Limits::default() };
    assert_eq!(run("import time\ntime.sleep(1000)", &limits).await.ending, Ending::WallLimit);
}

#[tokio::test]
async fn a_program_whose_gateway_dies_still_has_an_end() {
    let limits = Limits { wall: Duration::from_secs(50), ..Limits::default() };
    let run = run("import signal\nprint(signal.alarm(0))", &limits).await;
    assert!((51..=52).contains(&run.stdout.text().trim_end().parse::<u64>().unwrap()), "{run:?}");
}

#[tokio::test]
async fn a_memory_bomb_gets_a_memory_error() {
    let limits = Limits { memory_bytes: 256 << 20, ..Limits::default() };
    let run = run("x = bytearray(1 << 30)\nprint('had it')", &limits).await;
    assert_eq!((run.ending, run.stdout.text().as_str()), (Ending::Exited(1), ""));
    assert!(run.stderr.text().contains("MemoryError"), "{}", run.stderr.text());
}

#[tokio::test]
async fn a_flood_is_cut_and_the_program_still_ends() {
    let limits = Limits { output_bytes: 1000, ..Limits::default() };
    let run = run("import sys\nsys.stdout.write('é' * 5_000_000)\nsys.stderr.write('done')", &limits).await;
    assert_eq!(run.ending, Ending::Exited(0));
    assert_eq!((run.stdout.text(), run.stdout.truncated), ("é".repeat(500), true));
    assert_eq!((run.stderr.text().as_str(), run.stderr.truncated), ("done", false));
}

#[tokio::test]
async fn files_and_descriptors_are_bounded() {
    let limits = Limits { file_bytes: 4096, open_files: 16, ..Limits::default() };
    let file = run("with open('big', 'wb') as f: f.write(b'x' * 5000)", &limits).await;
    assert!(file.stderr.text().contains("File too large"), "{}", file.stderr.text());
    let files = run("f = [open('main.py') for _ in range(20)]", &limits).await;
    assert!(files.stderr.text().contains("Too many open files"), "{}", files.stderr.text());
}

#[tokio::test]
async fn a_program_sees_no_environment_and_no_input() {
    let code = "import os, sys\nprint([k for k in os.environ if k != 'LC_CTYPE'], repr(sys.stdin.read()))";
    assert_eq!(run(code, &Limits::default()).await.stdout.text(), "[] ''\n");
}

#[tokio::test]
async fn the_folder_is_gone_afterwards() {
    let code = "import os\nos.makedirs('a/b')\nopen('a/b/c', 'w').write('x')\nprint(os.getcwd())";
    let run = run(code, &Limits::default()).await;
    let folder = run.stdout.text();
    assert!(folder.contains("grok-sandbox-"), "{folder}");
    assert!(!Path::new(folder.trim_end()).exists(), "{folder}");
}

#[tokio::test]
async fn a_child_left_behind_with_the_pipes_is_killed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let code = reporting(&listener, "if os.fork() == 0: time.sleep(1000)\ns.close()\nprint('done')");
    let run = run(&code, &Limits::default()).await;
    assert_eq!((run.ending, run.stdout.text().as_str()), (Ending::Exited(0), "done\n"));
    wait_for_the_end_of(&mut listener.accept().unwrap().0);
}

#[tokio::test]
async fn a_child_that_leaves_the_group_with_the_pipes_does_not_hold_the_run_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // It stays until this test hangs up.
    let code = reporting(
        &listener,
        "if os.fork() == 0:\n  os.setsid(); s.send(b'!'); s.recv(1); os._exit(0)\ns.close()",
    );
    let code = format!("{code}\nprint('done')\n");
    let run = run(&code, &Limits::default()).await;
    assert_eq!((run.ending, run.stdout.text().as_str()), (Ending::Exited(0), "done\n"));
    assert!(run.took < Duration::from_secs(30), "{:?}", run.took);
    drop(listener.accept().unwrap());
}

#[tokio::test]
async fn dropping_the_run_kills_the_program_and_its_children() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let code = reporting(&listener, "os.fork()\ns.send(b'!')\ntime.sleep(1000)");
    let run = tokio::spawn(async move { run(&code, &Limits::default()).await });
    let both_run = tokio::task::spawn_blocking(move || {
        let (mut peer, _) = listener.accept().unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        peer.read_exact(&mut [0; 2]).unwrap();
        peer
    });
    let mut peer = both_run.await.unwrap();
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    wait_for_the_end_of(&mut peer);
}

#[tokio::test]
async fn a_missing_python_says_what_to_install() {
    let error = Python::find("/nowhere/python3").await.unwrap_err();
    assert!(matches!(error, RunError::NoPython { .. }));
    assert_eq!(
        error.to_string(),
        "no /nowhere/python3 on this machine, which the sandbox runs programs with; install Python 3"
    );
    assert!(matches!(Python::find("/bin/false").await.unwrap_err(), RunError::BrokenPython { .. }));
}
