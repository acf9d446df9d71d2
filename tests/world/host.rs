//! A host that speaks lines of JSON-RPC and trusts nothing: every line of the program's standard
//! output must be a message.

use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::{PATIENCE, World, finish};

/// A host and the server that it started over stdio.
pub struct Host {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// Messages that came while another was waited for.
    inbox: Vec<Value>,
    /// Every line that came.
    transcript: String,
    last_id: u64,
}

impl Host {
    /// Starts a server; its standard error goes to `log`.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let log = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("a log file");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().expect("the program starts");
        let stdin = child.stdin.take().expect("a piped stdin");
        let stdout = child.stdout.take().expect("a piped stdout");
        Self {
            child,
            stdin,
            lines: BufReader::new(stdout).lines(),
            inbox: Vec::new(),
            transcript: String::new(),
            last_id: 0,
        }
    }

    /// The process that was started.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// Every line that came so far.
    pub fn transcript(&self) -> String {
        self.transcript.clone()
    }

    /// Shakes hands in a revision, and returns the result of `initialize`.
    pub async fn initialize(&mut self, revision: &str) -> Value {
        self.initialize_with(revision, json!({})).await
    }

    /// The same as a host that can do this.
    pub async fn initialize_with(&mut self, revision: &str, capabilities: Value) -> Value {
        let client = json!({ "name": "world", "version": "1" });
        let params = json!({
            "protocolVersion": revision,
            "capabilities": capabilities,
            "clientInfo": client,
        });
        let result = self.result("initialize", params).await;
        self.notify("notifications/initialized", json!({})).await;
        result
    }

    /// Asks, and returns the result.
    ///
    /// # Panics
    /// When the answer is an error.
    pub async fn result(&mut self, method: &str, params: Value) -> Value {
        let mut answer = self.request(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// Asks, and returns the whole answer.
    pub async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        self.answer(id).await
    }

    /// Asks without waiting, and returns the id.
    pub async fn send(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.write(&message.to_string()).await;
        id
    }

    /// Waits for the answer to a request.
    pub async fn answer(&mut self, id: u64) -> Value {
        self.expect(|message| message.get("method").is_none() && message["id"] == id)
            .await
    }

    /// Tells.
    pub async fn notify(&mut self, method: &str, params: Value) {
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        self.write(&message.to_string()).await;
    }

    /// Asks, and returns the length of the answer, which is not read: for those who measure.
    pub async fn raw_result(&mut self, method: &str, params: &Value) -> usize {
        self.last_id += 1;
        let id = self.last_id;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.write(&message.to_string()).await;
        let wanted = format!("\"id\":{id},\"result\"");
        loop {
            let line = timeout(PATIENCE, self.lines.next_line())
                .await
                .expect("an answer in time");
            let line = line.expect("UTF-8 on stdout").expect("an answer");
            if line.contains(&wanted) {
                return line.len();
            }
        }
    }

    /// Waits until everything that was sent before has been read.
    pub async fn ping(&mut self) {
        self.result("ping", json!({})).await;
    }

    /// Calls a tool, and returns the result.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.result(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        )
        .await
    }

    /// The names of all tools, page by page, sorted.
    pub async fn tools(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        let mut params = json!({});
        loop {
            let page = self.result("tools/list", params).await;
            let tools = page["tools"].as_array().expect("a list of tools");
            names.extend(
                tools
                    .iter()
                    .map(|tool| tool["name"].as_str().expect("a name").to_owned()),
            );
            let Some(cursor) = page["nextCursor"].as_str() else {
                break;
            };
            params = json!({ "cursor": cursor });
        }
        names.sort();
        names
    }

    /// The same once this tool is among them: lists come early and are completed later.
    pub async fn tools_with(&mut self, name: &str) -> Vec<String> {
        loop {
            let tools = self.tools().await;
            if tools.iter().any(|tool| tool == name) {
                return tools;
            }
            self.method("notifications/tools/list_changed").await;
        }
    }

    /// Waits for a notification or request of the server.
    pub async fn method(&mut self, method: &str) -> Value {
        self.expect(|message| message["method"] == method).await
    }

    /// Answers a request of the server.
    pub async fn reply(&mut self, asked: &Value, result: Value) {
        let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result });
        self.write(&answer.to_string()).await;
    }

    /// Waits for the first message that is wanted; the others stay for later.
    pub async fn expect(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(found) = self.inbox.iter().position(&wanted) {
            return self.inbox.remove(found);
        }
        loop {
            let message = self
                .receive()
                .await
                .expect("the program ended while an answer was due");
            if wanted(&message) {
                return message;
            }
            self.inbox.push(message);
        }
    }

    /// The next message, or `None` at the end.
    pub async fn receive(&mut self) -> Option<Value> {
        let line = timeout(PATIENCE, self.lines.next_line())
            .await
            .expect("a message in time");
        let line = line.expect("UTF-8 on stdout")?;
        self.transcript.push_str(&line);
        let message: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("stray output: {error}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "not a message: {line}");
        Some(message)
    }

    /// Writes a line as it stands.
    pub async fn write(&mut self, line: &str) {
        self.stdin
            .write_all(format!("{line}\n").as_bytes())
            .await
            .expect("a program that reads");
        self.stdin.flush().await.expect("a program that reads");
    }

    /// Writes bytes as they are, which need not be a line.
    pub async fn write_bytes(&mut self, bytes: &[u8]) {
        let written = self.stdin.write_all(bytes).await;
        written.expect("a program that reads");
    }

    /// The most memory that the program has ever taken, in MiB.
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok()).expect("a size") / 1024
    }

    /// Kills the program at once, as hosts do.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("a running process");
    }

    /// Closes standard input and waits for the end.
    pub async fn close(self) -> ExitStatus {
        let Self {
            mut child,
            stdin,
            mut lines,
            ..
        } = self;
        drop(stdin);
        let end = async {
            while lines.next_line().await.expect("UTF-8 on stdout").is_some() {}
            child.wait().await.expect("an exit status")
        };
        timeout(PATIENCE, end).await.expect("an end in time")
    }
}

/// A host that others made: tests/hosts.
#[derive(Debug, Clone, Copy)]
pub enum Driver {
    /// npm `@modelcontextprotocol/sdk`.
    Sdk,
    /// npm `@modelcontextprotocol/inspector` on its command line.
    Inspector,
    /// `mcp` in Python.
    Python,
    /// npm `@modelcontextprotocol/client`, which asks how it is to speak, or knows.
    Client(&'static str),
}

impl World {
    /// Lets a host start `server` (a program and its arguments), list its tools and call one; returns
    /// `tools`, `is_error` and `text`.
    pub async fn drive(
        &self,
        driver: Driver,
        server: &[&str],
        tool: &str,
        arguments: Value,
    ) -> Value {
        let mut command = match driver {
            Driver::Sdk => self.node("tests/hosts/sdk.mjs"),
            Driver::Inspector => self.node("tests/hosts/inspector.mjs"),
            Driver::Python => self.python("tests/hosts/mcp_client.py"),
            Driver::Client(era) => {
                let mut command = self.node("tests/hosts/client.mjs");
                command.env("ERA", era);
                command
            }
        };
        command.arg(tool).arg(arguments.to_string()).args(server);
        let output = finish(&mut command).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{driver:?}: {stderr}");
        serde_json::from_slice(&output.stdout).expect("what the host saw, as JSON")
    }
}
