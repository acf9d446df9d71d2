//! Two ways to a server: straight over HTTP, and through the program's standard input and output. Both
//! give back what came as text.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::server::{Era, Strange};
use super::text::Envelope;
use crate::world::parts::http;
use crate::world::{PATIENCE, World};

/// What a request of this revision says of its sender.
const TERMS: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"raw","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"x":1e400}},"io.modelcontextprotocol/logLevel":"debug""#;
const HELLO: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"x":1e400}},"clientInfo":{"name":"raw","version":"1"}}"#;

/// Parameters of a request, with `_meta` at their end; where requests stand alone it begins with the
/// terms.
pub fn with_meta(era: Era, members: &str, meta: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    match (era, meta) {
        (Era::Sessions, "") => format!("{{{members}}}"),
        (Era::Sessions, meta) => format!("{{{members}{comma}\"_meta\":{{{meta}}}}}"),
        (Era::Alone, "") => format!("{{{members}{comma}\"_meta\":{{{TERMS}}}}}"),
        (Era::Alone, meta) => format!("{{{members}{comma}\"_meta\":{{{TERMS},{meta}}}}}"),
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Came {
    /// Methods and parameters of what was told before.
    pub told: Vec<(String, String)>,
    /// `result` or `error`, and its value.
    pub outcome: (&'static str, String),
}

/// Straight to the server, in its own revision.
pub struct Direct<'a> {
    server: &'a Strange,
    http: reqwest::Client,
}

impl<'a> Direct<'a> {
    pub async fn open(server: &'a Strange) -> Self {
        let direct = Self {
            server,
            http: http(),
        };
        if server.era == Era::Sessions {
            direct.ask("initialize", HELLO).await;
        }
        direct
    }

    pub fn params(&self, members: &str, meta: &str) -> String {
        with_meta(self.server.era, members, meta)
    }

    pub async fn ask(&self, method: &str, params: &str) -> Came {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let request = self.http.post(&self.server.url).body(body);
        let request = request.header("content-type", "application/json");
        let request = match self.server.era {
            Era::Sessions => request.header("mcp-session-id", "strange-session"),
            Era::Alone => request.header("mcp-protocol-version", "2026-07-28"),
        };
        let response = request.send().await.expect("an answer");
        let events = response.headers()["content-type"] == "text/event-stream";
        let text = response.text().await.expect("UTF-8");
        let mut messages = if events { data(&text) } else { vec![text] };
        let last = messages.pop().expect("a message");
        let told = messages.iter().map(|text| notice(&Envelope::read(text)));
        Came {
            told: told.collect(),
            outcome: Envelope::read(&last).outcome(),
        }
    }
}

/// The data of all events.
fn data(text: &str) -> Vec<String> {
    let lines = |event: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data: "));
        lines.collect::<Vec<_>>().join("\n")
    };
    let events = text.split("\n\n").map(lines);
    events.filter(|data| !data.is_empty()).collect()
}

fn notice(message: &Envelope) -> (String, String) {
    let method = message.method.clone().expect("a method");
    (method, message.params.clone().unwrap_or_default())
}

/// Through the program.
pub struct Through {
    pub era: Era,
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    told: Vec<(String, String)>,
    last: u64,
    /// What was said last.
    said: String,
}

impl Through {
    pub async fn open(world: &World, era: Era) -> Self {
        let log = std::fs::File::create(world.log("raw")).expect("a log file");
        let mut command = world.chaperone(&[]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().expect("the program starts");
        let stdin = child.stdin.take().expect("a piped stdin");
        let stdout = child.stdout.take().expect("a piped stdout");
        let mut through = Self {
            era,
            child,
            stdin,
            lines: BufReader::new(stdout).lines(),
            told: Vec::new(),
            last: 0,
            said: String::new(),
        };
        if era == Era::Sessions {
            through.ask("initialize", HELLO).await;
            let ready = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
            through.write(ready).await;
        }
        through
    }

    pub fn params(&self, members: &str, meta: &str) -> String {
        with_meta(self.era, members, meta)
    }

    /// Asks, and returns the outcome; what is told meanwhile is kept.
    pub async fn ask(&mut self, method: &str, params: &str) -> (&'static str, String) {
        let id = self.send(method, params).await;
        self.outcome(&id).await
    }

    pub async fn send(&mut self, method: &str, params: &str) -> String {
        self.last += 1;
        let id = format!("\"\\u0069d\\/{}\"", self.last);
        let message =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
        self.write(&message).await;
        id
    }

    pub async fn outcome(&mut self, id: &str) -> (&'static str, String) {
        loop {
            let message = self.receive().await;
            match message.method {
                None if message.id.as_deref() == Some(id) => return message.outcome(),
                None => panic!("an answer to nothing: {message:?}"),
                Some(_) => self.told.push(notice(&message)),
            }
        }
    }

    /// Waits until so much was told, and takes it out; changes of lists, which are the program's own,
    /// left aside.
    pub async fn told(&mut self, count: usize) -> Vec<(String, String)> {
        loop {
            let own = |(method, _): &(String, String)| !method.ends_with("/list_changed");
            self.told.retain(own);
            if self.told.len() >= count {
                return std::mem::take(&mut self.told);
            }
            let message = self.receive().await;
            self.told.push(notice(&message));
        }
    }

    /// Waits until the tools are said to be others.
    pub async fn changed(&mut self) {
        let is_change =
            |(method, _): &(String, String)| method == "notifications/tools/list_changed";
        while !self.told.iter().any(is_change) {
            let message = self.receive().await;
            self.told.push(notice(&message));
        }
        self.told.clear();
    }

    /// Waits for a request of the server; its identity and parameters.
    pub async fn question(&mut self) -> (String, String) {
        loop {
            let message = self.receive().await;
            if let Some(id) = message.id {
                assert_eq!(message.method.as_deref(), Some("elicitation/create"));
                return (id, message.params.expect("params"));
            }
        }
    }

    pub async fn write(&mut self, line: &str) {
        assert!(!line.contains('\n'), "more than one line");
        line.clone_into(&mut self.said);
        let line = format!("{line}\n");
        let written = self.stdin.write_all(line.as_bytes()).await;
        written.expect("a program that reads");
        self.stdin.flush().await.expect("a program that reads");
    }

    pub async fn receive(&mut self) -> Envelope {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.unwrap_or_else(|_late| panic!("nothing came in time of {}", self.said));
        let line = line.expect("UTF-8");
        Envelope::read(&line.expect("a message"))
    }

    pub async fn close(self) {
        let Self {
            mut child,
            stdin,
            mut lines,
            ..
        } = self;
        drop(stdin);
        let end = async {
            while lines.next_line().await.expect("UTF-8").is_some() {}
            child.wait().await.expect("an end")
        };
        timeout(PATIENCE, end).await.expect("an end in time");
    }
}
