//! Over HTTP: who is let in, and how the server ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStderr, Stdio};

use crate::support::{Home, assert_ended};

pub(super) const TOKEN: &str = "0123456789abcdef0123";

/// A server on a port of its own.
pub(super) struct Served {
    child: Child,
    log: BufReader<ChildStderr>,
    pub(super) url: String,
}

impl Served {
    pub(super) fn start(home: &Home, token: Option<&str>) -> Self {
        let mut command = home.grok_mpp();
        command.args(["mcp", "--sandbox", "--max-per-day", "1", "--http", "127.0.0.1:0"]);
        if let Some(token) = token {
            command.env("GROK_MPP_MCP_TOKEN", token);
        }
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("starts");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        log.read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("listening    at ").unwrap_or_else(|| panic!("{line}")).to_owned();
        Served { child, log, url }
    }

    /// Waits until it writes a line that begins like this.
    pub(super) fn until(&mut self, begins: &str) {
        let mut line = String::new();
        while !line.starts_with(begins) {
            line.clear();
            assert_ne!(self.log.read_line(&mut line).expect("a line"), 0, "it ended");
        }
    }

    /// Ends it by SIGTERM, and says what it wrote.
    pub(super) fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        let mut log = String::new();
        self.log.read_to_string(&mut log).expect("text");
        assert_eq!(self.child.wait().expect("ended").code(), Some(0), "{log}");
        log
    }

    /// The status with which a handshake under these headers is answered.
    fn knock(&self, headers: &[&str]) -> String {
        let head = self.ask("POST", headers);
        head.split(' ').nth(1).expect("a status").to_owned()
    }

    /// The head of the answer to a handshake, or to another method with its body.
    fn ask(&self, method: &str, headers: &[&str]) -> String {
        let address = self.url.trim_start_matches("http://").trim_end_matches("/mcp");
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"host","version":"0"}}}"#;
        let mut stream = TcpStream::connect(address).expect("connected");
        let host = headers.iter().any(|header| header.starts_with("Host:"));
        let host = if host { String::new() } else { format!("Host: {address}\r\n") };
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        write!(
            stream,
            "{method} /mcp HTTP/1.1\r\n{host}{headers}Content-Type: application/json\r\nAccept: application/json, \
             text/event-stream\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("written");
        let lines = BufReader::new(stream).lines().map(|line| line.expect("text"));
        lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn web_pages_and_who_has_no_token_are_kept_out() {
    let home = Home::new();
    let open = Served::start(&home, None);
    assert_eq!(open.knock(&[]), "200");
    assert_eq!(open.knock(&["Host: rebound.example"]), "403");
    for origin in ["https://page.example", "http://localhost:3000", "null"] {
        assert_eq!(open.knock(&[&format!("Origin: {origin}")]), "403", "{origin}");
    }
    open.stop();

    let guarded = Served::start(&home, Some(TOKEN));
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    assert_eq!(guarded.knock(&[&bearer(TOKEN)]), "200");
    assert_eq!(guarded.knock(&[&bearer(TOKEN), "Origin: https://page.example"]), "403");
    for wrong in ["", "0", &TOKEN.replace('3', "4"), &format!("{TOKEN}0"), &TOKEN[..19]] {
        assert_eq!(guarded.knock(&[&bearer(wrong)]), "401", "{wrong}");
    }
    assert_eq!(guarded.knock(&[]), "401");
    assert!(!guarded.stop().contains(TOKEN));
}

#[test]
fn a_session_that_its_client_ends_has_ended_well() {
    let home = Home::new();
    let served = Served::start(&home, None);
    let head = served.ask("POST", &[]);
    let session =
        head.lines().find(|line| line.to_lowercase().starts_with("mcp-session-id:")).expect("a session");
    assert!(served.ask("DELETE", &[session]).starts_with("HTTP/1.1 200 "), "{head}");
    served.stop();
}

#[test]
fn beyond_this_machine_it_takes_a_token() {
    let home = Home::new();
    let everywhere = ["mcp", "--sandbox", "--http", "0.0.0.0:0"];
    assert_ended(
        &home.run(&everywhere),
        2,
        "would spend this wallet's money: use 127.0.0.1, or give a token",
    );
    let short = home.file("token");
    std::fs::write(&short, "short\n").expect("written");
    let with_file = [&everywhere[..], &["--token-file", short.to_str().expect("UTF-8")]].concat();
    std::fs::set_permissions(&short, PermissionsExt::from_mode(0o644)).expect("set");
    assert_ended(&home.run(&with_file), 2, "others can read it");
    std::fs::set_permissions(&short, PermissionsExt::from_mode(0o600)).expect("set");
    assert_ended(&home.run(&with_file), 2, "at least 16 letters, digits or signs");
}
