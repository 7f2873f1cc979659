//! On a terminal: Python's pty is one, and what the command writes to it is looked at as bytes, and as a screen.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::support::{Home, Shop, answer, assert_ended, challenge, stderr, stdout};

/// Runs a command on a terminal of so many columns as `COLUMNS` says and hands on what it writes; types each text of the script once the one before
/// it has come; `close` closes the terminal.
const TERMINAL: &str = r#"
import fcntl, json, os, pty, select, struct, sys, termios
script, command = json.loads(sys.argv[1]), sys.argv[2:]
# The line stays open here: of one that its last user closed, not all that was written may come.
terminal, line = pty.openpty()
fcntl.ioctl(line, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(os.environ["COLUMNS"]), 0, 0))
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(line, termios.TIOCSCTTY, 0)
    for stream in range(3):
        os.dup2(line, stream)
    os.closerange(3, 256)
    os.execv(command[0], command)
written, seen, status, closed = b"", 0, None, False
while not closed:
    if not select.select([terminal], [], [], 0.05)[0]:
        if status is not None:
            break
        ended, code = os.waitpid(pid, os.WNOHANG)
        status = code if ended else None
        continue
    written += os.read(terminal, 65536)
    while script and not closed and (at := written.find(script[0][0].encode(), seen)) >= 0:
        seen = at + len(script[0][0])
        typed = script.pop(0)[1]
        if typed == "close":
            os.close(terminal)
            closed = True
        else:
            os.write(terminal, typed.encode())
if status is None:
    status = os.waitpid(pid, 0)[1]
sys.stdout.buffer.write(written)
sys.stdout.flush()
os._exit(os.waitstatus_to_exitcode(status) & 255)
"#;

const MARKDOWN: &str = "`print('# Title'); print('some **bold** words')`";

#[test]
fn an_answer_is_laid_out_on_a_terminal_and_untouched_in_a_pipe() {
    let home = Home::new();
    let shown = stdout(&on_terminal(&home, &[], &[], &["run", "--sandbox", MARKDOWN]));
    assert!(
        shown.contains("\x1b[1m\x1b[4mTitle\x1b[0m\r\n\r\nsome \x1b[1mbold\x1b[0m words\r\n"),
        "{shown:?}"
    );
    assert!(
        shown.contains("    print(\x1b[32m'# Title'\x1b[0m)"),
        "the code that ran is coloured: {shown:?}"
    );

    let piped = home.run(&["run", "--sandbox", MARKDOWN]);
    assert_eq!(stdout(&piped), "# Title\nsome **bold** words\n");
    assert!(!stderr(&piped).contains('\x1b'), "{}", stderr(&piped));
    let told = home.run(&["run", "--sandbox", "--color", "always", MARKDOWN]);
    assert!(stdout(&told).starts_with("\x1b[1m\x1b[4mTitle\x1b[0m\n"), "{}", stdout(&told));
}

#[test]
fn colour_that_is_not_wanted_is_left_out() {
    let home = Home::new();
    for (variable, color, erases) in
        [("NO_COLOR=1", "auto", true), ("TERM=dumb", "auto", false), ("A=b", "never", true)]
    {
        let variable = variable.split_once('=').expect("a value");
        let output = on_terminal(&home, &[variable], &[], &["run", "--sandbox", "--color", color, MARKDOWN]);
        let shown = stdout(&output);
        assert!(shown.contains("# Title\r\nsome **bold** words\r\n"), "{shown:?}");
        assert!(!shown.replace("\x1b[K", "").contains('\x1b'), "{shown:?}");
        assert_eq!(shown.contains("asking for the price"), erases, "a dumb terminal can erase nothing");
    }
}

#[test]
fn the_line_of_a_wait_leaves_no_trace() {
    let home = Home::new();
    let shown = stdout(&on_terminal(&home, &[], &[], &["run", "--sandbox", MARKDOWN]));
    assert!(shown.contains(" asking for the price \x1b[2m0 s\x1b[0m"), "{shown:?}");
    assert!(shown.contains(" paying $0.0"), "{shown:?}");
    let screen = screen(&shown);
    assert!(screen.starts_with("paying       0x"), "{screen}");
    assert!(screen.contains("\n\nTitle\n\nsome bold words\n\nran\n    print('# Title')"), "{screen}");
    assert!(!screen.contains("asking for") && !screen.contains(" s\n"), "{screen}");
}

#[test]
fn ctrl_c_takes_the_line_away_and_says_where_the_money_is() {
    let home = Home::new();
    let unpaid = Shop::open([String::new()]);
    let buy = |shop: &Shop, until: &str| {
        let arguments = ["run", "--yes", "--base-url", &shop.url, "--chain-id", "31337", "What?"];
        on_terminal(&home, &[], &[(until, "\x03")], &arguments)
    };
    let output = buy(&unpaid, "asking for the price");
    assert_ended(&output, 4, "");
    assert_eq!(screen(&stdout(&output)), "grok-mpp: nothing was paid: interrupted\n");
    assert!(!home.run(&["history"]).stdout.starts_with(b"   1"));

    let silent = Shop::open([challenge(31337), String::new()]);
    let output = buy(&silent, "waiting for the answer");
    assert_ended(&output, 5, "");
    let screen = screen(&stdout(&output));
    assert!(
        screen.contains("\ngrok-mpp: it is unknown whether 0.001 dollars were paid: interrupted\n"),
        "{screen}"
    );
    assert!(
        screen.contains("\npayment      #1\n") && screen.contains("grok-mpp reconcile finds out"),
        "{screen}"
    );
    assert!(!screen.contains("waiting for the answer"), "{screen}");
}

#[test]
fn a_terminal_that_closes_ends_the_command_and_the_ledger_knows_what_was_sent() {
    let home = Home::new();
    let silent = Shop::open([challenge(31337), String::new()]);
    let arguments = ["run", "--yes", "--base-url", &silent.url, "--chain-id", "31337", "What?"];
    let output = on_terminal(&home, &[], &[("waiting for the answer", "close")], &arguments);
    assert_eq!(output.status.code(), Some(5), "the code tells what the terminal cannot");
    let history = home.json(&["history", "--json"]);
    assert_eq!([&history[0]["state"], &history[0]["money"]], ["sent", "unknown"]);
    assert!(silent.credentials().len() <= 1, "it may have ended before the payment left");
}

#[test]
fn a_hostile_answer_reaches_the_terminal_as_text() {
    let home = Home::new();
    let attack = "\u{1b}]52;c;aGk=\u{7}\u{1b}[2J\u{9b}2J\u{202e}&#27;]0;x&#7;";
    let text =
        format!("# {attack}\n[{attack}](https://a.example/{attack})\n\n```{attack}\n{attack}\n```\n{attack}");
    let body = json!({ "output": [
        { "type": "message", "content": [{ "type": "output_text", "text": text }] },
        { "type": "code_interpreter_call", "code": attack, "outputs": [{ "type": "logs", "logs": attack }] },
    ] });
    let shop = Shop::open([challenge(31337), answer("200 OK", &body.to_string())]);
    let arguments = ["run", "--yes", "--base-url", &shop.url, "--chain-id", "31337", "What?"];
    let output = on_terminal(&home, &[], &[], &arguments);
    assert_ended(&output, 0, "");
    let shown =
        ["0", "1", "2", "4", "32", "36"].iter().fold(stdout(&output).replace("\x1b[K", ""), |text, style| {
            text.replace(&format!("\x1b[{style}m"), "")
        });
    assert!(shown.contains("]52;c;aGk="), "{shown:?}");
    let foreign =
        |letter: char| letter == '\u{202e}' || letter.is_control() && !['\r', '\n'].contains(&letter);
    assert!(!shown.contains(foreign), "{shown:?}");
}

#[test]
fn json_on_a_terminal_is_the_same_and_steers_nothing() {
    let home = Home::new();
    let attack = "a\u{1b}[2J\u{7f}\u{9b}2J\u{202e}\u{feff}\u{1f600}\\";
    let body = json!({ "choices": [{ "message": { "content": attack } }] });
    let shop = Shop::open([challenge(31337), answer("200 OK", &body.to_string())]);
    let arguments = ["chat", "--yes", "--json", "--base-url", &shop.url, "--chain-id", "31337", "What?"];
    let output = on_terminal(&home, &[("TERM", "dumb")], &[], &arguments);
    assert_ended(&output, 0, "");
    let shown = stdout(&output);
    let shown = shown.get(shown.find('{').expect("JSON")..).expect("JSON");
    let foreign =
        |letter: char| "\u{202e}\u{feff}".contains(letter) || letter.is_control() && !"\r\n".contains(letter);
    assert!(!shown.contains(foreign), "{shown:?}");
    let value = serde_json::Deserializer::from_str(shown).into_iter::<serde_json::Value>().next();
    assert_eq!(value.expect("a value").expect("JSON").pointer("/text"), Some(&json!(attack)));
}

#[test]
fn a_price_above_the_line_is_asked_about_and_what_is_not_agreed_to_is_not_paid() {
    let home = Home::new();
    let image = ["image", "--sandbox", "-n", "5", "A hat", "--output", "hat"];
    let question = "pay $0.115? [y/N] ";
    let output = on_terminal(&home, &[], &[(question, "n\n")], &image);
    assert_ended(&output, 3, "");
    let screen = screen(&stdout(&output));
    assert!(screen.ends_with("grok-mpp: nothing was paid: declined\n"), "{screen}");
    let interrupted = on_terminal(&home, &[], &[(question, "\x03")], &image);
    assert_ended(&interrupted, 4, "");
    assert!(!home.file("hat").exists() && home.run(&["history"]).stdout.is_empty());

    let output = on_terminal(&home, &[], &[(question, "y\n")], &image);
    assert_ended(&output, 0, "");
    let output = on_terminal(&home, &[], &[], &["image", "--sandbox", "-n", "4", "A hat"]);
    assert!(!stdout(&output).contains("[y/N]"), "it is below the line");
    let mut unasked = image.to_vec();
    unasked.push("--yes");
    assert!(!stdout(&on_terminal(&home, &[], &[], &unasked)).contains("[y/N]"));
    assert_eq!(home.json(&["history", "--json"]).as_array().map(Vec::len), Some(3));
}

#[test]
fn a_conversation_goes_on_and_says_what_it_costs() {
    let home = Home::new();
    let saved = home.file("talk.md");
    let save = format!("/save {}\n", saved.display());
    let script = [
        ("> ", "Hello\n"),
        ("> ", "Again\n"),
        ("> ", "/cost\n"),
        ("> ", "/with run\n"),
        ("> ", "`print(6 * 7)`\n"),
        ("> ", &save),
        ("> ", "/nonsense\n"),
        ("> ", "/quit\n"),
    ];
    let output = on_terminal(&home, &[("NO_COLOR", "1")], &script, &["repl", "--sandbox"]);
    assert_ended(&output, 0, "");
    let shown = stdout(&output);
    for part in [
        "Messages so far: 1. The last one says: Hello",
        "Messages so far: 3. The last one says: Again",
        "2 answers for $0.01",
        "there is no /nonsense",
        "3 answers for $0.01",
    ] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    let saved = std::fs::read_to_string(saved).expect("saved");
    assert!(saved.starts_with("**Hello**\n\nThis sandbox") && saved.contains("\n\n42\n\n*$0.0"), "{saved}");
    let history = home.json(&["history", "--json"]);
    let history = history.as_array().expect("a list");
    let took =
        |payment: &serde_json::Value| payment["chain"]["fee"] == "29" && payment["state"] == "delivered";
    assert!(history.len() == 3 && history.iter().all(took), "{history:?}");
    assert!(shown.contains("and $0.000087 in fees"), "{shown}");
}

#[test]
fn ctrl_c_in_a_conversation_tells_of_no_earlier_payment() {
    let home = Home::new();
    let sold = answer("200 OK", r#"{"choices":[{"message":{"content":"Well."}}]}"#);
    let shop = Shop::open([challenge(31337), sold, String::new()]);
    let script = [
        ("talking with", "one\n"),
        ("payment #1", "two\n"),
        ("asking for the price", "\x03"),
        ("interrupted", "/quit\n"),
    ];
    let arguments = ["repl", "--yes", "--base-url", &shop.url, "--chain-id", "31337"];
    let output = on_terminal(&home, &[("NO_COLOR", "1")], &script, &arguments);
    assert_ended(&output, 0, "");
    let shown = stdout(&output);
    assert!(shown.contains("grok-mpp: nothing was paid: interrupted"), "{shown}");
}

#[test]
fn a_conversation_counts_what_was_paid_and_brought_no_answer() {
    let home = Home::new();
    let shop = Shop::open([challenge(31337), answer("200 OK", "<html>")]);
    let script = [("talking with", "one\n"), ("grok-mpp evidence 1", "/quit\n")];
    let arguments = ["repl", "--yes", "--base-url", &shop.url, "--chain-id", "31337"];
    let shown = stdout(&on_terminal(&home, &[("NO_COLOR", "1")], &script, &arguments)).replace("\r\n", " ");
    assert!(shown.contains("nothing was bought; $0.001 paid, or perhaps, without an answer:"), "{shown}");
}

#[test]
fn a_price_that_was_not_told_is_not_paid_above_the_line() {
    let home = Home::new();
    for quoted in [answer("200 OK", "{}"), challenge(4217)] {
        let sold = answer("200 OK", r#"{"choices":[{"message":{"content":"Well."}}]}"#);
        let shop = Shop::open([quoted, challenge(31337), sold]);
        let arguments =
            ["chat", "--ask-above", "0.0009", "--base-url", &shop.url, "--chain-id", "31337", "What?"];
        let output = on_terminal(&home, &[("NO_COLOR", "1")], &[], &arguments);
        assert_ended(&output, 3, "");
        assert!(shop.credentials().is_empty(), "{}", stdout(&output));
    }
}

#[test]
fn a_question_that_was_left_takes_no_later_line() {
    let home = Home::new();
    let script =
        [("talking with", "one\n"), ("[y/N] ", "\x03"), ("interrupted", "/model\n"), ("\ngrok-4", "/quit\n")];
    let arguments = ["repl", "--sandbox", "--ask-above", "0"];
    let output = on_terminal(&home, &[("NO_COLOR", "1")], &script, &arguments);
    assert_ended(&output, 0, "");
    let shown = stdout(&output);
    assert!(shown.contains("nothing was bought"), "{shown}");
}

#[test]
fn a_conversation_that_is_told_to_end_buys_nothing_more() {
    let home = Home::new();
    let shop = Shop::open([challenge(31337), String::new(), challenge(31337), String::new()]);
    let mut command = home.grok_mpp();
    command.args(["repl", "--base-url", &shop.url, "--chain-id", "31337"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.as_mut().expect("a pipe").write_all(b"one\ntwo\n").expect("written");
    while shop.credentials().is_empty() {
        assert!(child.try_wait().expect("a state").is_none(), "it waits for the answer");
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    let output = child.wait_with_output().expect("ended");
    assert_eq!(shop.credentials().len(), 1, "{}", stderr(&output));
    assert_ended(&output, 5, "it is unknown whether 0.001 dollars were paid: interrupted");
}

#[test]
fn whoever_has_no_terminal_is_not_interrupted_when_one_closes() {
    let home = Home::new();
    let shop = Shop::open([challenge(31337), String::new()]);
    let mut command = home.within(Command::new("nohup"));
    command.arg(env!("CARGO_BIN_EXE_grok-mpp"));
    command.args(["chat", "--timeout", "2", "--base-url", &shop.url, "--chain-id", "31337", "What?"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("nohup runs");
    while shop.credentials().is_empty() {
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().expect("kill runs").success());
    assert_ended(&child.wait_with_output().expect("ended"), 5, "no complete answer within 2s");
}

/// Runs the command on a terminal, in colour and 80 columns unless the variables say otherwise; each text of the script is typed once the
/// one before it has come.
pub(crate) fn on_terminal(
    home: &Home,
    variables: &[(&str, &str)],
    script: &[(&str, &str)],
    arguments: &[&str],
) -> Output {
    let mut command = home.within(Command::new("python3"));
    command
        .args(["-c", TERMINAL, &json!(script).to_string(), env!("CARGO_BIN_EXE_grok-mpp")])
        .args(arguments);
    command.current_dir(home.file(""));
    command
        .env("TERM", "xterm-256color")
        .env("COLUMNS", "80")
        .env_remove("NO_COLOR")
        .envs(variables.iter().copied());
    command.output().expect("Python starts")
}

/// What is on the screen in the end, as far as this command can write to it, without styles, and without the terminal's own
/// `^C`, which comes before or after what the command writes.
fn screen(written: &str) -> String {
    let written = written.replace("^C", "");
    let mut lines = vec![String::new()];
    let mut parts = written.split('\x1b');
    let mut put = |text: &str| {
        for letter in text.chars() {
            match letter {
                '\n' => lines.push(String::new()),
                // What follows is written over the whole line: it begins with \r ESC [ K.
                '\r' => {}
                letter => lines.last_mut().expect("a line").push(letter),
            }
        }
    };
    put(parts.next().unwrap_or_default());
    for part in parts {
        let (sequence, text) =
            part.split_at(part.find(|letter: char| letter.is_alphabetic()).expect("an end") + 1);
        match sequence {
            "[K" => put("\u{0}"),
            style => assert!(style.ends_with('m'), "{style:?}"),
        }
        put(text);
    }
    let erased = lines.iter().map(|line| line.rsplit('\u{0}').next().unwrap_or_default().trim_end());
    erased.collect::<Vec<_>>().join("\n")
}
