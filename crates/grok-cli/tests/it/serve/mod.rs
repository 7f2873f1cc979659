//! `serve` as its clients meet it.

#![expect(clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod answers;
mod clients;
mod door;
mod money;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};

use serde_json::{Value, json};

use crate::support::{Home, Shop, answer, challenge, read_request};

/// A running `grok-mpp serve`, which ends with the test.
struct Served {
    child: Child,
    /// `127.0.0.1:…`
    address: String,
    /// What it says on standard error, from here on.
    lines: BufReader<std::process::ChildStderr>,
}

impl Served {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let mut command = home.grok_mpp();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut url).expect("a line");
        let lines = BufReader::new(child.stderr.take().expect("a pipe"));
        let address = url.strip_prefix("http://").and_then(|url| url.trim_end().strip_suffix("/v1"));
        Served { child, address: address.unwrap_or_else(|| panic!("it starts: {url:?}")).to_owned(), lines }
    }

    fn sandbox(home: &Home) -> Self {
        Served::start(home, &["--sandbox"])
    }

    fn selling(home: &Home, url: &str) -> Self {
        Served::start(home, &["--base-url", url, "--chain-id", "31337"])
    }

    fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    fn post(&self, path: &str, body: &Value) -> Heard {
        self.ask(path, &[], body)
    }

    fn ask(&self, path: &str, fields: &[(&str, &str)], body: &Value) -> Heard {
        Heard::read(self.send(path, fields, body))
    }

    /// Sends a request and does not wait for its answer.
    fn send(&self, path: &str, fields: &[(&str, &str)], body: &Value) -> TcpStream {
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let json = "Content-Type: application/json\r\n";
        let head = format!("POST /v1/{path} HTTP/1.1\r\nHost: {}\r\n{json}{fields}", self.address);
        self.write(&head, &body.to_string())
    }

    fn write(&self, head: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let length = body.len();
        write!(stream, "{head}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}").expect("sent");
        stream
    }

    /// Waits for a line on standard error.
    fn says(&mut self, start: &str) -> String {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).expect("a line"), 0, "{start:?} is not in {said}");
            if line.starts_with(start) {
                return line;
            }
            said.push_str(&line);
        }
    }

    fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill runs").success());
    }

    /// Its exit code and the rest of standard error.
    fn ended(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("UTF-8");
        (self.child.wait().expect("it ends").code(), rest)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer as it came.
#[derive(Debug)]
struct Heard {
    status: u16,
    /// In lower case.
    head: String,
    body: Vec<u8>,
    /// Whether it ended as HTTP says it should.
    whole: bool,
}

impl Heard {
    fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..end].to_vec()).expect("ASCII").to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let (mut rest, mut body, mut whole) = (&bytes[end + 4..], Vec::new(), true);
        if head.contains("transfer-encoding: chunked") {
            whole = false;
            while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
                let length = std::str::from_utf8(&rest[..at]).expect("a length");
                let length = usize::from_str_radix(length, 16).expect("a length");
                whole = length == 0;
                body.extend_from_slice(&rest[at + 2..at + 2 + length]);
                rest = &rest[at + 4 + length..];
            }
        } else {
            body.extend_from_slice(rest);
        }
        Heard { status, head, body, whole }
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    /// The data of its events, in which `[DONE]` is a text.
    fn events(&self) -> Vec<Value> {
        let text = self.text();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data))).collect()
    }

    #[track_caller]
    fn assert_error(&self, status: u16, code: &str) -> Value {
        let error = self.json()["error"].clone();
        assert_eq!((self.status, error["code"].as_str()), (status, Some(code)), "{error}");
        let money = self.field("x-mpp-money").unwrap_or_default();
        assert_eq!(money == "not_moved", status != 424, "{error}: {money:?}");
        error
    }
}

/// A shop that answers a paid request only when it is told to.
struct Slow {
    url: String,
    /// Says that the credential has come.
    asked: Receiver<()>,
    answer: Sender<()>,
}

impl Slow {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let ((ask, asked), (answer, told)) = (mpsc::channel(), mpsc::channel());
        std::thread::spawn(move || {
            let mut paid = false;
            while let Ok((mut stream, _)) = listener.accept() {
                let (credential, _) = read_request(&stream);
                // It sells once, so that a second payment would be seen to fail.
                let answer = match credential {
                    None => challenge(31337),
                    Some(_) if std::mem::replace(&mut paid, true) => String::new(),
                    Some(_) => {
                        let _ = (ask.send(()), told.recv());
                        sold()
                    }
                };
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Slow { url, asked, answer }
    }
}

/// What a service says of itself that streams its chat, and a stream of it that is cut.
fn cut_stream() -> (String, String) {
    let described = r#"{"paths":{"/grok/chat":{"post":{"requestBody":{"content":{"application/json":
        {"schema":{"properties":{"stream":{}}}}}}}}}}"#;
    let begun = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"forty\"}}]}\n\n";
    (answer("200 OK", described), answer("200 OK\r\nContent-Type: text/event-stream", begun))
}

/// A chat completion as the public service has it, without what strict clients need.
fn sold() -> String {
    let choice = json!({"message": {"content": "forty-two", "extra": 1}, "finish_reason": "end_turn"});
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 4});
    answer(
        "200 OK",
        &json!({"success": true, "data": {"choices": [choice], "usage": usage, "kept": true}}).to_string(),
    )
}

/// A shop that sells one answer.
fn shop(answers: impl IntoIterator<Item = String>) -> Shop {
    Shop::open(answers)
}

fn chat() -> Value {
    json!({"model": "grok-4.3", "messages": [{"role": "user", "content": "six times seven?"}]})
}

fn streamed(mut body: Value) -> Value {
    body["stream"] = true.into();
    body
}

/// What the ledger holds, the oldest first.
fn ledger(home: &Home) -> Vec<Value> {
    home.json(&["history", "--json"]).as_array().expect("an array").clone()
}

const CHAT: &str = "chat/completions";
const RETRY: (&str, &str) = ("X-Stainless-Retry-Count", "1");
