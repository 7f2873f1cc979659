//! The MCP server, met as a host meets it: line by line, by HTTP, and by clients that others wrote.

mod clients;
mod http;
mod stdio;

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::Home;

/// A host that speaks the protocol by hand, over standard input and output.
struct Host {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    asked: u64,
}

impl Host {
    /// Starts the server and shakes hands with it.
    fn start(home: &Home, arguments: &[&str]) -> Self {
        Host::connect(home.grok_mpp().arg("mcp").args(arguments))
    }

    fn connect(command: &mut Command) -> Self {
        let mut host = Host::spawn(command);
        let params = json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "host", "version": "0"},
        });
        let id = host.ask("initialize", &params);
        assert_eq!(at(&host.answer(id).0, "/result/protocolVersion"), "2025-06-18");
        host.tell("notifications/initialized", &json!({}));
        host
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Host { input: child.stdin.take(), output, child, asked: 0 }
    }

    fn ask(&mut self, method: &str, params: &Value) -> u64 {
        self.asked += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}));
        self.asked
    }

    fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input.as_mut().expect("open"), "{message}").expect("written");
    }

    /// The next message; nothing but JSON-RPC ever comes.
    fn read(&mut self) -> Option<Value> {
        let line = self.output.next()?.expect("a line");
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not protocol: {line}"));
        assert_eq!(at(&message, "/jsonrpc"), "2.0");
        Some(message)
    }

    /// What answers a request, and the progress that was told before.
    fn answer(&mut self, id: u64) -> (Value, Vec<String>) {
        let mut told = Vec::new();
        loop {
            let message = self.read().expect("an answer");
            if at(&message, "/id") == id {
                return (message, told);
            }
            told.push(at(&message, "/params/message").as_str().expect("a progress message").to_owned());
        }
    }

    /// Calls a tool and asks for progress.
    fn start_call(&mut self, tool: &str, arguments: &Value) -> u64 {
        let params = json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": "here"}});
        self.ask("tools/call", &params)
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let id = self.start_call(tool, arguments);
        at(&self.answer(id).0, "/result").clone()
    }

    /// Waits until the call under way says this.
    fn until(&mut self, says: &str) {
        loop {
            let message = self.read().expect("a message");
            if at(&message, "/params/message").as_str().is_some_and(|told| told.starts_with(says)) {
                return;
            }
        }
    }

    /// Closes the server's input: what it still writes, and how it ends.
    fn close(mut self) -> (Vec<Value>, Output) {
        drop(self.input.take());
        let last = std::iter::from_fn(|| self.read()).collect();
        (last, self.child.wait_with_output().expect("ended"))
    }
}

/// What is at a place of a JSON value, or null.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// The text that a model reads.
fn text(result: &Value) -> String {
    let blocks = at(result, "/content").as_array().expect("content").iter();
    blocks.filter_map(|block| at(block, "/text").as_str()).collect::<Vec<_>>().join("\n")
}

/// That a result is an error of the tool which begins like this and says this.
#[track_caller]
fn assert_error(result: &Value, begins: &str, says: &[&str]) {
    let text = text(result);
    assert_eq!(at(result, "/isError"), true, "{text}");
    assert!(text.starts_with(begins), "{text}");
    for part in says {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}
