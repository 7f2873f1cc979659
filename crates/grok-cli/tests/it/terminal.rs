//! On a terminal: Python's pty is one, and what the command writes to it is looked at as bytes, and as a screen.

use std::process::{Command, Output};

use serde_json::json;

use crate::support::{Home, Shop, answer, assert_ended, challenge, stderr, stdout};

/// Runs a command on a terminal of 80 columns and hands on what it writes; types ctrl-C once a text has come.
const TERMINAL: &str = r#"
import fcntl, os, pty, struct, sys, termios
until, command = sys.argv[1].encode(), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execv(command[0], command)
written = b""
while True:
    try:
        part = os.read(terminal, 65536)
    except OSError:
        part = b""
    if not part:
        break
    written += part
    if until and until in written:
        until = b""
        os.write(terminal, b"\x03")
sys.stdout.buffer.write(written)
sys.stdout.flush()
os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
"#;

const MARKDOWN: &str = "`print('# Title'); print('some **bold** words')`";

#[test]
fn an_answer_is_laid_out_on_a_terminal_and_untouched_in_a_pipe() {
    let home = Home::new();
    let shown = stdout(&on_terminal(&home, &[], "", &["run", "--sandbox", MARKDOWN]));
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
        let output = on_terminal(&home, &[variable], "", &["run", "--sandbox", "--color", color, MARKDOWN]);
        let shown = stdout(&output);
        assert!(shown.contains("# Title\r\nsome **bold** words\r\n"), "{shown:?}");
        assert!(!shown.replace("\x1b[K", "").contains('\x1b'), "{shown:?}");
        assert_eq!(shown.contains("asking for the price"), erases, "a dumb terminal can erase nothing");
    }
}

#[test]
fn the_line_of_a_wait_leaves_no_trace() {
    let home = Home::new();
    let shown = stdout(&on_terminal(&home, &[], "", &["run", "--sandbox", MARKDOWN]));
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
        let arguments = ["run", "--base-url", &shop.url, "--chain-id", "31337", "What?"];
        on_terminal(&home, &[], until, &arguments)
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
    let arguments = ["run", "--base-url", &shop.url, "--chain-id", "31337", "What?"];
    let output = on_terminal(&home, &[], "", &arguments);
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

/// Runs the command on a terminal, in colour unless the variables say otherwise; ctrl-C is typed once a text that is not
/// empty has come.
fn on_terminal(home: &Home, variables: &[(&str, &str)], until: &str, arguments: &[&str]) -> Output {
    let mut command = home.within(Command::new("python3"));
    command.args(["-c", TERMINAL, until, env!("CARGO_BIN_EXE_grok-mpp")]).args(arguments);
    command.env("TERM", "xterm-256color").env_remove("NO_COLOR").envs(variables.iter().copied());
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
