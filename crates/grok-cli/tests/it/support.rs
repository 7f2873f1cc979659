//! A home of its own for every test, and a shop that does what it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use mpp_core::payee::Offer;
use mpp_core::tempo::{PATH_USD, Payload};
use mpp_core::{Amount, Challenge, ChargeRequest, Credential};
use serde_json::Value;

/// A public throw-away key.
pub(crate) const KEY: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
/// Its address.
pub(crate) const ADDRESS: &str = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
pub(crate) const PASSPHRASE: &str = "ein Käfer im Heu";
pub(crate) const PROMPT: &str = "The factorial of 50: `import math; print(math.factorial(50))`";

/// The folder in which the command finds its files, and nobody else's.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Home(tempfile::tempdir().expect("a folder"))
    }

    /// With one payment whose outcome is unknown.
    pub(crate) fn with_unknown() -> Self {
        let home = Home::new();
        let shop = Shop::open([challenge(31337), failed()]);
        assert_ended(&home.buy(&shop, &[]), 5, "");
        home
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

    /// Where the wallet is unless told otherwise.
    pub(crate) fn wallet(&self) -> PathBuf {
        self.file("data/grok-mpp/wallet.json")
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

    /// The command without a wallet's key, and with a passphrase.
    pub(crate) fn keyless(&self) -> Command {
        let mut command = self.grok_mpp();
        command.env_remove("GROK_MPP_PRIVATE_KEY").env("GROK_MPP_PASSPHRASE", PASSPHRASE);
        command
    }

    /// Another program that starts it.
    pub(crate) fn within(&self, mut command: Command) -> Command {
        for variable in ["BASE_URL", "CHAIN_ID", "MAX_COST", "LEDGER", "CONFIG", "PASSPHRASE"] {
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

    /// `run` at a shop that never answers, killed once its credential is there.
    pub(crate) fn buy_and_kill(&self, shop: &Shop) -> Output {
        let mut child = self
            .grok_mpp()
            .args(["run", "--base-url", &shop.url, "--chain-id", "31337", PROMPT])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        while shop.credentials().is_empty() {
            assert!(child.try_wait().expect("a state").is_none(), "it waits for the answer");
            std::thread::yield_now();
        }
        child.kill().expect("killed");
        child.wait_with_output().expect("ended")
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

/// An answer to a paid call that says nothing of the money.
pub(crate) fn failed() -> String {
    answer("502 Bad Gateway", FAILED)
}

pub(crate) const FAILED: &str = r#"{"success":false,"error":"upstream","message":"it broke"}"#;

/// An answer without text.
pub(crate) fn answered() -> String {
    answer("200 OK", r#"{"output":[]}"#)
}

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
