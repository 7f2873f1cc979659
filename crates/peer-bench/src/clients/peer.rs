//! A client as a process of its own: how it is started, told to pay, and asked what came of it.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use e2e::{Anvil, CHAIN_ID};
use mpp_core::tempo::{Address, LocalSigner};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::Outcome;
use crate::bench::{Bench, SCRIPTS};
use crate::report::brief;

/// Ours, and the published ones.
pub(crate) const NAMES: [&str; 4] = ["**ours**", "mpp", "mppx", "pympp"];

/// The price of everything, in base units.
pub(crate) const CENT: u128 = 10_000;

/// What is started for each of [`NAMES`], or why it cannot be.
pub(crate) type Programs = [Result<Program, String>; 4];

#[derive(Clone)]
pub(crate) struct Program {
    executable: PathBuf,
    script: Option<PathBuf>,
}

/// Builds and installs whatever is not there yet.
pub(crate) fn programs(bench: &Bench) -> Programs {
    let built = |name| {
        let executable = bench.program(name).map_err(|error| error.to_string())?;
        Ok(Program { executable, script: None })
    };
    let script = |executable: PathBuf, script| Program { executable, script: Some(script) };
    [
        built("our-client"),
        built("mpp-client"),
        guarded("npm", || script("node".into(), bench.node_modules().join("client.mjs"))),
        guarded("pip", || script(bench.python(), PathBuf::from(SCRIPTS).join("client.py"))),
    ]
}

/// An installation that fails panics, and has said why.
fn guarded<T>(installer: &str, install: impl FnOnce() -> T) -> Result<T, String> {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(install));
    outcome.map_err(|_| format!("{installer} could not install it"))
}

/// What a client is to do.
#[derive(Clone, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) url: &'a str,
    pub(crate) rpc: &'a str,
    pub(crate) key: &'a str,
    /// Payments before it is measured.
    pub(crate) warm_up: usize,
    pub(crate) number: usize,
    pub(crate) in_flight: usize,
    /// After so long it begins no more payments.
    pub(crate) limit: Duration,
}

/// A client that has warmed up.
pub(crate) struct Client {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    warm: u64,
    limit: Duration,
}

/// What came of its payments.
#[derive(Debug, Default)]
pub(crate) struct Paid {
    /// All of it, in milliseconds.
    pub(crate) wall: f64,
    /// The client's CPU time, in milliseconds.
    pub(crate) cpu: f64,
    /// The most memory it held, in KiB.
    pub(crate) peak: f64,
    /// Of each answer, in milliseconds.
    pub(crate) latencies: Vec<f64>,
    /// Of each answer, as it came.
    pub(crate) receipts: Vec<String>,
    pub(crate) failures: Vec<String>,
    /// Answers while it warmed up.
    pub(crate) warm: u64,
}

impl Client {
    pub(crate) async fn start(program: &Result<Program, String>, task: &Task<'_>) -> Outcome<Self> {
        let program = program.as_ref().map_err(Clone::clone)?;
        let options = json!({
            "url": task.url, "rpc": task.rpc, "chainId": CHAIN_ID, "key": task.key, "warmUp": task.warm_up,
            "number": task.number, "inFlight": task.in_flight, "seconds": task.limit.as_secs(),
        });
        let mut child = Command::new(&program.executable)
            .args(&program.script)
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
        let mut client = Client { child, lines, warm: 0, limit: task.limit };
        let ready = client.line().await?;
        client.warm = ready.get("warm").and_then(Value::as_u64).ok_or("no payments to warm up")?;
        Ok(client)
    }

    /// Tells it to pay, and waits until it has.
    pub(crate) async fn pay(mut self) -> Outcome<Paid> {
        let mut input = self.child.stdin.take().ok_or("no standard input")?;
        input.write_all(b"\n").await?;
        let paid = self.line().await?;
        self.child.wait().await?;
        let number = |name| paid.get(name).and_then(Value::as_f64).ok_or(name);
        let list = |name| paid.get(name).and_then(Value::as_array).ok_or(name);
        let texts = |name| list(name).map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned));
        Ok(Paid {
            wall: number("wall")?,
            cpu: number("cpu")?,
            peak: number("peak")?,
            latencies: list("latencies")?.iter().filter_map(Value::as_f64).collect(),
            receipts: texts("receipts")?.collect(),
            failures: texts("failures")?.collect(),
            warm: self.warm,
        })
    }

    async fn line(&mut self) -> Outcome<Value> {
        let line = timeout(self.limit + GRACE, self.lines.next_line()).await;
        let line = line.map_err(|_| "it did not end in time")??.ok_or("it ended without an answer")?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Paid {
    /// One that did not even run.
    pub(crate) fn failed(error: &(dyn std::error::Error + Send + Sync)) -> Self {
        Paid { failures: vec![error.to_string()], ..Paid::default() }
    }
}

/// Starts a client, has it pay, and counts it as one failure if it does not.
pub(crate) async fn pay(program: &Result<Program, String>, task: &Task<'_>) -> Paid {
    let paid = async { Client::start(program, task).await?.pay().await };
    paid.await.unwrap_or_else(|error| Paid::failed(&*error))
}

/// A client that is slow with its last payments may take so much longer.
const GRACE: Duration = Duration::from_secs(45);

/// An account that nobody has used yet, with a thousand dollars.
pub(crate) struct Purse {
    pub(crate) key: String,
    pub(crate) address: Address,
}

impl Purse {
    pub(crate) async fn new(node: &Anvil) -> Outcome<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0x6d70_7000);
        let key = format!("0x{:064x}", NEXT.fetch_add(1, Ordering::Relaxed));
        let address = LocalSigner::from_hex(&key)?.address();
        node.fund(address, 1_000_000_000).await;
        Ok(Purse { key, address })
    }
}

/// A sentence on each client that failed, with the first error's text.
pub(crate) fn explain(failures: [Option<&String>; 4]) -> String {
    let failed = NAMES.iter().zip(failures).filter_map(|(name, failure)| Some((name, failure?)));
    let sentences = failed.map(|(name, failure)| format!("The first failure of {name}: `{}`", code(failure)));
    sentences.collect::<Vec<_>>().join("\n\n")
}

fn code(text: &str) -> String {
    brief(text).replace('`', "'")
}
