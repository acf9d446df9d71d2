//! A host's session over stdio, shown in plain words.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use crate::Outcome;
use crate::people::Person;
use crate::program::Program;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(60);
/// How long the first sign-in of a process may take, a person's time included.
const SIGN_IN: Duration = Duration::from_secs(300);

/// A host and the program that it started.
pub struct Session {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    last_id: u64,
}

impl Session {
    /// Starts the program as a host does, and shakes hands.
    pub async fn start(program: &Program) -> Outcome<Self> {
        let mut command = program.command(&[]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().ok_or("no standard input")?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let lines = BufReader::new(stdout).lines();
        let mut session = Self {
            child,
            stdin,
            lines,
            last_id: 0,
        };
        let client = json!({ "name": "demo", "version": "1" });
        let params =
            json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
        session.request("initialize", &params).await?;
        session
            .write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await?;
        Ok(session)
    }

    /// Signs in through the program's own tool, as a model would be told to; waits until the program
    /// says that the tools have changed.
    pub async fn sign_in(&mut self, program: &Program, person: Person) -> Outcome {
        let answer = self.call("chaperone__sign_in", &json!({})).await?;
        let text = text_of(&answer);
        let link = text
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        let link = link
            .ok_or_else(|| format!("no sign-in link in: {text}"))?
            .to_owned();
        program.visit(&link, person).await?;
        let changed = |message: &Value| message["method"] == "notifications/tools/list_changed";
        self.wait_for(SIGN_IN, changed).await?;
        println!("  {} has signed in", person.name);
        Ok(())
    }

    /// Lists the tools, and shows those of the company.
    pub async fn show_tools(&mut self) -> Outcome {
        let answer = self.request("tools/list", &json!({})).await?;
        let tools = answer["result"]["tools"]
            .as_array()
            .ok_or("no list of tools")?;
        let names = tools.iter().filter_map(|tool| tool["name"].as_str());
        let offered: Vec<_> = names
            .filter(|name| !name.starts_with("chaperone__"))
            .collect();
        println!("  the model sees   {}", offered.join(", "));
        Ok(())
    }

    /// Calls a tool, and shows what came of it.
    pub async fn show_call(&mut self, tool: &str, arguments: Value) -> Outcome {
        println!("  calls            {tool} {arguments}");
        let answer = self.call(tool, &arguments).await?;
        let (word, text) = match answer["error"]["message"].as_str() {
            Some(message) => ("unknown to it", message.to_owned()),
            None if answer["result"]["isError"] == true => ("refused", text_of(&answer)),
            None => ("answered", text_of(&answer)),
        };
        println!("    {word:<14} {text}");
        Ok(())
    }

    /// Ends the session, as a host that closes.
    pub async fn close(self) -> Outcome {
        let Self {
            mut child,
            stdin,
            lines,
            ..
        } = self;
        drop((stdin, lines));
        timeout(ANSWER, child.wait()).await??;
        Ok(())
    }

    async fn call(&mut self, tool: &str, arguments: &Value) -> Outcome<Value> {
        self.request(
            "tools/call",
            &json!({ "name": tool, "arguments": arguments }),
        )
        .await
    }

    async fn request(&mut self, method: &str, params: &Value) -> Outcome<Value> {
        self.last_id += 1;
        let id = self.last_id;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await?;
        self.wait_for(ANSWER, |message| {
            message["id"] == id && message.get("method").is_none()
        })
        .await
    }

    async fn write(&mut self, message: &Value) -> Outcome {
        self.stdin
            .write_all(format!("{message}\n").as_bytes())
            .await?;
        Ok(self.stdin.flush().await?)
    }

    async fn wait_for(
        &mut self,
        limit: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Outcome<Value> {
        let search = async {
            while let Some(line) = self.lines.next_line().await? {
                let message: Value = serde_json::from_str(&line)?;
                if wanted(&message) {
                    return Ok(message);
                }
            }
            Err("the program ended".into())
        };
        timeout(limit, search).await?
    }
}

fn text_of(answer: &Value) -> String {
    let blocks = answer["result"]["content"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let texts: Vec<_> = blocks
        .iter()
        .filter_map(|block| block["text"].as_str())
        .collect();
    texts.join(" ").replace('\n', " ")
}
