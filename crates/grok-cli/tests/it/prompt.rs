//! Passphrases and keys asked for on a real terminal: what is typed is not echoed.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::support::{ADDRESS, Home, KEY, PASSPHRASE, stdout};

/// A command at a terminal of its own.
struct Terminal {
    screen: File,
    /// Of the end that the command has.
    path: String,
    child: Child,
    shown: String,
}

impl Terminal {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&screen).and_then(|()| unlockpt(&screen)).expect("ours");
        let path = ptsname(&screen, Vec::new()).expect("a path").into_string().expect("UTF-8");
        let keyboard = || OpenOptions::new().read(true).write(true).open(&path).expect("the other end");
        let mut command = home.within(Command::new("setsid"));
        command.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_grok-mpp")]).args(arguments);
        command.env_remove("GROK_MPP_PRIVATE_KEY");
        command.stdin(keyboard()).stdout(keyboard()).stderr(keyboard());
        let child = command.spawn().expect("setsid of util-linux");
        Terminal { screen: screen.into(), path, child, shown: String::new() }
    }

    /// Types a line once it is asked for and would not be seen.
    fn answer(&mut self, asked: &str, line: &str) {
        while !self.shown.ends_with(asked) {
            assert!(self.read(), "{asked:?} was not asked: {}", self.shown);
        }
        while tcgetattr(&self.screen).expect("a terminal").local_modes.contains(LocalModes::ECHO) {
            std::thread::yield_now();
        }
        self.screen.write_all(format!("{line}\n").as_bytes()).expect("typed");
    }

    /// Whether there was more to read.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        // When nobody has the other end any more, Linux reports an error.
        let length = self.screen.read(&mut bytes).unwrap_or(0);
        self.shown += &String::from_utf8_lossy(bytes.get(..length).expect("as much as there is room"));
        length > 0
    }

    /// The exit code and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        while self.read() {}
        (self.child.wait().expect("ended").code(), self.shown)
    }
}

#[test]
fn a_new_wallet_s_passphrase_is_asked_for_twice_and_then_needed() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &["wallet", "new"]);
    terminal.answer("Passphrase for the new wallet: ", PASSPHRASE);
    terminal.answer("The same again: ", PASSPHRASE);
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains(PASSPHRASE), "{shown}");
    for (typed, expected) in [(PASSPHRASE, 4), ("another", 2)] {
        let mut terminal = Terminal::start(&home, &["run", "--base-url", "http://127.0.0.1:1", "hello"]);
        terminal.answer("wallet.json: ", typed);
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(expected), "{shown}");
        assert!(!shown.contains(typed), "{shown}");
    }
}

#[test]
fn passphrases_that_differ_or_are_empty_make_no_wallet() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &["wallet", "new"]);
    terminal.answer("Passphrase for the new wallet: ", PASSPHRASE);
    terminal.answer("The same again: ", "another");
    let (code, shown) = terminal.end();
    assert!(code == Some(2) && shown.contains("the two passphrases differ; nothing was written"), "{shown}");
    let mut terminal = Terminal::start(&home, &["wallet", "new"]);
    terminal.answer("Passphrase for the new wallet: ", "");
    let (code, shown) = terminal.end();
    assert!(code == Some(2) && shown.contains("the passphrase must not be empty"), "{shown}");
    assert!(!home.wallet().exists());
}

#[test]
fn an_imported_key_is_not_echoed() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &["wallet", "import"]);
    terminal.answer("Private key, 64 hexadecimal digits: ", KEY);
    terminal.answer("Passphrase for the new wallet: ", PASSPHRASE);
    terminal.answer("The same again: ", PASSPHRASE);
    let (code, shown) = terminal.end();
    assert!(code == Some(0) && shown.contains(ADDRESS) && !shown.contains(&KEY[2..]), "{shown}");
}

#[test]
fn ctrl_c_at_a_prompt_leaves_the_terminal_as_it_was_and_no_wallet() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &["wallet", "new"]);
    // Held open, as by the shell that it goes back to.
    let _shell = File::open(&terminal.path).expect("the other end");
    terminal.answer("Passphrase for the new wallet: ", "half\u{3}");
    assert_eq!(terminal.child.wait().expect("ended").code(), Some(4));
    assert!(tcgetattr(&terminal.screen).expect("a terminal").local_modes.contains(LocalModes::ECHO));
    assert!(!home.wallet().exists());
}

#[test]
fn fund_draws_the_address_on_a_terminal_alone() {
    let home = Home::new();
    let fund = ["wallet", "fund", "--signer-command", &format!("echo '{{\"address\":\"{ADDRESS}\"}}'")];
    let (code, shown) = Terminal::start(&home, &fund).end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains(ADDRESS) && shown.contains("█▀▀▀▀▀█"), "{shown}");
    assert_eq!(stdout(&home.run(&fund)), format!("{ADDRESS}\n"));
}
