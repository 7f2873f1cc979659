//! A home of its own for every test, and those the command talks to: a shop and a node that do what they are told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use mpp_core::payee::Offer;
use mpp_core::tempo::{LocalSigner, PATH_USD, Payload};
use mpp_core::{Amount, Challenge, ChargeRequest, Credential};
use serde_json::{Value, json};

/// A public throw-away key.
pub(crate) const KEY: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
pub(crate) const PROMPT: &str = "The factorial of 50: `import math; print(math.factorial(50))`";

/// The folder in which the command finds its files, and nobody else's.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Home(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Where the ledger is unless told otherwise.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.file("data/grok-mpp/ledger.sqlite")
    }

    /// Where the config file is unless told otherwise.
    pub(crate) fn config(&self) -> PathBuf {
        self.file("config/grok-mpp/config.toml")
    }

    pub(crate) fn configure(&self, text: &str) {
        let path = self.config();
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    /// The command with a wallet's key.
    pub(crate) fn grok_mpp(&self) -> Command {
        self.within(Command::new(env!("CARGO_BIN_EXE_grok-mpp")))
    }

    /// Another program that starts it.
    pub(crate) fn within(&self, mut command: Command) -> Command {
        for variable in ["BASE_URL", "CHAIN_ID", "MAX_COST", "LEDGER", "CONFIG"] {
            command.env_remove(format!("GROK_MPP_{variable}"));
        }
        command.env("GROK_MPP_PRIVATE_KEY", KEY).env("HOME", self.0.path());
        command.env("XDG_DATA_HOME", self.file("data")).env("XDG_CONFIG_HOME", self.file("config"));
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.grok_mpp().args(arguments).output().expect("the command starts")
    }

    /// `run` at a shop that is paid on chain 31337.
    pub(crate) fn buy(&self, shop: &Shop, arguments: &[&str]) -> Output {
        let call = ["run", "--base-url", &shop.url, "--chain-id", "31337", PROMPT];
        self.grok_mpp().args(call).args(arguments).output().expect("the command starts")
    }

    /// What a command that succeeds prints as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[track_caller]
pub(crate) fn assert_ended(output: &Output, code: i32, says: &str) {
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(output), stderr(output));
    assert!(stderr(output).contains(says), "{:?} is not in {}", says, stderr(output));
}

/// An answer with a body.
pub(crate) fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A `402` that asks for 1,000 base units of pathUSD, a tenth of a cent.
pub(crate) fn challenge(chain_id: u64) -> String {
    challenge_by("shop", chain_id)
}

pub(crate) fn challenge_by(realm: &str, chain_id: u64) -> String {
    let recipient = "0x742d35cc6634c0532925a3b844bc9e7595f8fe00".parse().expect("an address");
    let request = ChargeRequest::new(Amount::from_base_units(1_000), PATH_USD, recipient, chain_id);
    let offer = Offer {
        realm,
        request: &request,
        expires_at: None,
        digest: None,
        description: None,
        opaque: [].into(),
    };
    let challenge = Challenge::issue(b"secret", &offer).expect("a challenge").encode();
    answer(&format!("402 Payment Required\r\nWWW-Authenticate: {challenge}"), "")
}

pub(crate) const FAILED: &str = r#"{"success":false,"error":"upstream","message":"it broke"}"#;

/// A shop that answers each request with the next of its answers, and remembers the credentials it is sent.
pub(crate) struct Shop {
    pub(crate) url: String,
    credentials: Arc<Mutex<Vec<String>>>,
}

impl Shop {
    /// With an empty answer it keeps the connection and says nothing.
    pub(crate) fn open(answers: impl IntoIterator<Item = String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let credentials = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&credentials);
        let answers: Vec<_> = answers.into_iter().collect();
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for answer in answers {
                let (stream, _) = listener.accept().expect("a connection");
                kept.lock().expect("unpoisoned").extend(read_request(&stream).0);
                let _ = (&stream).write_all(answer.as_bytes());
                if answer.is_empty() {
                    silent.push(stream);
                }
            }
            // Who asks once more is refused, not kept waiting; who waits for an answer keeps waiting.
            drop(listener);
            while silent.iter().any(|mut stream| matches!(stream.read(&mut [0]), Ok(1))) {}
        });
        Shop { url, credentials }
    }

    pub(crate) fn credentials(&self) -> Vec<String> {
        self.credentials.lock().expect("unpoisoned").clone()
    }
}

/// Reads one request whole: its credential, if it has one, and its body.
pub(crate) fn read_request(stream: &TcpStream) -> (Option<String>, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let (mut length, mut credential, mut body) = (0, None, Vec::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        let line = line.trim_end();
        if let Some((name, value)) = line.split_once(": ") {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().expect("a number"),
                "authorization" => credential = Some(value.to_owned()),
                _ => {}
            }
        }
        if line.is_empty() {
            reader.take(length).read_to_end(&mut body).expect("a body");
            return (credential, body);
        }
    }
}

/// The signed transaction in a credential, in hexadecimal without prefix.
pub(crate) fn signed_transaction(credential: &str) -> String {
    let credential = Credential::parse(credential.as_bytes()).expect("a credential");
    let Payload::Transaction(raw) = credential.payload() else { panic!("no transaction: {credential:?}") };
    raw.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a node knows of every transaction it is asked about.
#[derive(Clone, Copy)]
pub(crate) enum Knows {
    /// It happened, and took 1,000 base units and 29 in fees.
    Happened,
    /// It did not, and its time is over.
    Absent,
}

/// A node of a chain; its URL.
pub(crate) fn node(chain_id: u64, knows: Knows) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            let call: Value = serde_json::from_slice(&read_request(&stream).1).expect("JSON");
            let result = result(&call, chain_id, knows);
            let body = json!({ "jsonrpc": "2.0", "id": call.get("id"), "result": result }).to_string();
            let _ = (&stream).write_all(answer("200 OK", &body).as_bytes());
        }
    });
    url
}

fn result(call: &Value, chain_id: u64, knows: Knows) -> Value {
    let tomorrow = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() + 86_400;
    match (call.get("method").and_then(Value::as_str).expect("a method"), knows) {
        ("eth_chainId", _) => json!(format!("{chain_id:#x}")),
        ("eth_getBlockByNumber", _) => json!({ "number": "0x0", "timestamp": format!("{tomorrow:#x}") }),
        ("eth_getTransactionReceipt", Knows::Happened) => {
            let payer = LocalSigner::from_hex(KEY).expect("a key").address().into_word();
            let transfer = |to: &str, amount: &str| {
                json!({
                    "address": PATH_USD,
                    "topics": ["0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", payer, to],
                    "data": amount,
                })
            };
            json!({
                "transactionHash": call.pointer("/params/0"),
                "status": "0x1",
                "logs": [
                    transfer("0x742d35cc6634c0532925a3b844bc9e7595f8fe00", "0x3e8"),
                    transfer("0xfeec000000000000000000000000000000000000", "0x1d"),
                ],
            })
        }
        _ => Value::Null,
    }
}
