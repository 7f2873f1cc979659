//! The binary on settings of a test's own, and everything that it says.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::stand_ins::{Node, Service};

pub(crate) const KEY: &str = "xai-a-key-that-nobody-must-see";
/// Enough for a busy machine; nothing waits for it unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a config file.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    /// Settings that work with these two, and more of them in TOML.
    pub(crate) fn new(node: &Node, service: &Service, more: &str) -> Self {
        let settings = format!(
            "listen = \"127.0.0.1:0\"\nrealm = \"grok.example\"\nchain_id = 31337\n\
             recipient = \"0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f\"\n{more}\n"
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("gateway.toml"), settings).unwrap();
        Place { folder, variables: Vec::new() }
            .set("XAI_API_KEY", KEY)
            .set("GROK_GATEWAY_RPC", &node.url)
            .set("GROK_GATEWAY_UPSTREAM_URL", &service.url)
            .set("GROK_GATEWAY_METRICS_LISTEN", "127.0.0.1:0")
            .set("GROK_GATEWAY_LOG_FORMAT", "json")
    }

    /// With a variable of the environment; an empty one is none.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn command(&self, command: &str) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_grok-gateway"));
        program.args([command, "--config", "gateway.toml"]).current_dir(self.folder.path());
        program.env_clear().envs(self.variables.clone()).stdin(Stdio::null()).kill_on_drop(true);
        program
    }

    /// What a command says and ends with: exit code, standard output, standard error.
    pub(crate) async fn run(&self, command: &str) -> (i32, String, String) {
        let output = timeout(PATIENCE, self.command(command).output()).await.unwrap().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Serves until told to stop.
    pub(crate) async fn serve(self) -> Program {
        let mut child = self.command("serve").stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (counter, mut lines) = watch::channel(0);
        let (memory, stderr) = (Arc::clone(&said), child.stderr.take().unwrap());
        tokio::spawn(async move {
            let mut reader = BufReader::new(stderr).lines();
            while let Some(line) = reader.next_line().await.unwrap() {
                memory.lock().unwrap().push_str(&format!("{line}\n"));
                counter.send_modify(|count| *count += 1);
            }
        });
        let mut program = Program {
            child,
            said,
            lines: lines.clone(),
            address: String::new(),
            metrics: String::new(),
            place: self,
        };
        let serving = || program.address_after("serving");
        let ended = timeout(PATIENCE, lines.wait_for(|_| serving().is_some())).await;
        ended.unwrap().unwrap_or_else(|_| panic!("it does not serve: {}", program.said()));
        program.address = serving().unwrap();
        program.metrics = program.address_after("metrics are at /metrics").unwrap();
        program
    }
}

/// A running gateway.
pub(crate) struct Program {
    pub(crate) child: Child,
    said: Arc<Mutex<String>>,
    lines: watch::Receiver<usize>,
    pub(crate) address: String,
    pub(crate) metrics: String,
    pub(crate) place: Place,
}

impl Program {
    /// All it has said so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// The address in the line of its log with these words, whatever the format.
    fn address_after(&self, words: &str) -> Option<String> {
        let said = self.said();
        let (_, after) = said.lines().find_map(|line| line.split_once(words))?;
        let after = &after[after.find("127.0.0.1:")?..];
        Some(
            after.split(|letter: char| !letter.is_ascii_digit() && !".:".contains(letter)).next()?.to_owned(),
        )
    }

    /// Returns once it has said `words`.
    pub(crate) async fn until_said(&self, words: &str) {
        let mut lines = self.lines.clone();
        timeout(PATIENCE, lines.wait_for(|_| self.said().contains(words))).await.unwrap().unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Its exit code, and all that it said.
    pub(crate) async fn ended(&mut self) -> (i32, String) {
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        let mut lines = self.lines.clone();
        // The counter goes with the last line.
        while lines.changed().await.is_ok() {}
        (status.code().unwrap(), self.said())
    }
}
