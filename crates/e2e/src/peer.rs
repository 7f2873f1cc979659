//! One running script of `peers/`, which ends when this process does, however that happens.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::install;

/// A peer that listens on a loopback port until it is dropped.
pub(crate) struct Peer {
    child: Child,
    pub(crate) port: u16,
}

impl Peer {
    /// Starts `script` with `options` and waits until it says which port it listens on.
    pub(crate) async fn start(script: &'static str, options: Value) -> Self {
        let started = tokio::task::spawn_blocking(move || Self::start_blocking(script, &options));
        started.await.expect("the peer did not start")
    }

    fn start_blocking(script: &str, options: &Value) -> Self {
        // The pipe to its standard input is its lifeline: it ends when the pipe closes. What it has to say
        // about itself goes to this process's standard error.
        let mut child = Command::new("node")
            .arg(script)
            .arg(options.to_string())
            .current_dir(install::folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run node {script}: {error}"));
        let mut line = String::new();
        let output = child.stdout.take().expect("standard output is a pipe");
        BufReader::new(output).read_line(&mut line).expect("the peer's first line is text");
        let ready: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("{script} ended before it was ready: see its message above"));
        let port = ready.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        Self { child, port: port.expect("the peer's first line names its port") }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // The wait makes "stopped" mean that the port is closed.
        let _ = self.child.wait();
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("port", &self.port).finish_non_exhaustive()
    }
}
