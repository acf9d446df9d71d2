//! A server that speaks just enough HTTP and MCP, in either era, to misbehave.

use std::sync::Arc;
use std::time::Duration;

use chaperone::stop::Tasks;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// In sessions.
    Sessions,
    /// In requests that stand alone.
    Alone,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub verb: String,
    /// The message; `null` where there is none.
    pub message: Value,
    pub era: Era,
}

/// What is written in answer; the connection is closed after it.
#[derive(Debug, Clone)]
pub enum Part {
    Bytes(Vec<u8>),
    /// Again and again, as long as somebody reads.
    Forever(Vec<u8>),
    /// The same, a byte now and then.
    Trickle(Vec<u8>),
    /// Waits until something has been answered whose identity begins so.
    Answered(String),
    /// Nothing more, until the client has had enough.
    Hold,
}

pub type Reply = Vec<Part>;
type Script = Arc<dyn Fn(&Asked) -> Option<Reply> + Send + Sync>;

impl Asked {
    pub fn method(&self) -> &str {
        self.message["method"].as_str().unwrap_or_default()
    }

    pub fn params(&self) -> &Value {
        &self.message["params"]
    }

    /// The tool that is called.
    pub fn tool(&self) -> &str {
        let called = self.method() == "tools/call";
        let name = called.then(|| self.params()["name"].as_str());
        name.flatten().unwrap_or_default()
    }

    /// A message that answers it.
    pub fn message(&self, result: &Value) -> String {
        let mut result = result.clone();
        if self.era == Era::Alone && result.get("resultType").is_none() {
            result["resultType"] = json!("complete");
        }
        json!({"jsonrpc": "2.0", "id": self.message["id"], "result": result}).to_string()
    }

    /// An answer.
    pub fn answer(&self, result: &Value) -> Reply {
        whole("application/json", self.message(result))
    }

    /// An answer whose text says so.
    pub fn text(&self, text: &str) -> Reply {
        self.answer(&said(text))
    }
}

/// A result with this text.
pub fn said(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

/// An answer of this kind, to its end.
pub fn whole(kind: &str, body: impl Into<Vec<u8>>) -> Reply {
    let mut reply = begun(kind);
    reply.push(Part::Bytes(body.into()));
    reply
}

/// The head of an answer whose body ends with the connection.
pub fn begun(kind: &str) -> Reply {
    head("200 OK", &format!("Content-Type: {kind}\r\n"))
}

/// A head.
pub fn head(status: &str, lines: &str) -> Reply {
    let head = format!("HTTP/1.1 {status}\r\n{lines}Connection: close\r\n\r\n");
    vec![Part::Bytes(head.into())]
}

/// An event.
pub fn event(message: &str) -> String {
    format!("data: {message}\n\n")
}

/// A running server; it ends with the test.
pub struct Hostile {
    pub url: String,
    seen: Seen,
}

/// What came, for those who look and those who wait.
type Seen = Arc<watch::Sender<Vec<Asked>>>;

impl Hostile {
    pub async fn start(
        era: Era,
        script: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("its address"));
        let seen = Seen::default();
        let (script, record): (Script, _) = (Arc::new(script), Arc::clone(&seen));
        let tasks = Tasks::new();
        let connections = tasks.clone();
        tasks.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (script, record) = (Arc::clone(&script), Arc::clone(&record));
                connections.spawn(async move {
                    // A client that has had enough ends it.
                    let _ended = serve(socket, era, script, record).await;
                });
            }
        });
        Self { url, seen }
    }

    /// The requests of a method.
    pub fn seen(&self, method: &str) -> Vec<Asked> {
        let seen = self.seen.borrow();
        let wanted = seen.iter().filter(|asked| asked.method() == method);
        wanted.cloned().collect()
    }

    /// What its questions were answered.
    pub fn replies(&self) -> Vec<Value> {
        let replies = self.seen("").into_iter().map(|asked| asked.message);
        replies.filter(|reply| reply["id"].is_string()).collect()
    }
}

async fn serve(mut socket: TcpStream, era: Era, script: Script, seen: Seen) -> Option<()> {
    let (verb, body) = read(&mut socket).await?;
    let message = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let asked = Asked { verb, message, era };
    seen.send_modify(|seen| seen.push(asked.clone()));
    for part in script(&asked).unwrap_or_else(|| decent(&asked)) {
        match part {
            Part::Bytes(bytes) => socket.write_all(&bytes).await.ok()?,
            Part::Forever(bytes) => loop {
                socket.write_all(&bytes).await.ok()?;
            },
            Part::Trickle(bytes) => {
                for byte in bytes.iter().cycle() {
                    socket.write_all(&[*byte]).await.ok()?;
                    // It is as slow as that.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            Part::Answered(begin) => {
                let is_answer = |seen: &Asked| {
                    let id = seen.message["id"].as_str().unwrap_or_default();
                    seen.method().is_empty() && id.starts_with(&begin)
                };
                let mut seen = seen.subscribe();
                let answered = seen.wait_for(|seen| seen.iter().any(is_answer)).await;
                drop(answered.ok()?);
            }
            Part::Hold => while socket.read(&mut [0; 1024]).await.ok()? > 0 {},
        }
    }
    socket.shutdown().await.ok()
}

async fn read(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut buffer = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        if let Ok(httparse::Status::Complete(start)) = request.parse(&buffer) {
            let mut lengths = request.headers.iter();
            let length = lengths.find(|header| header.name.eq_ignore_ascii_case("content-length"));
            let length = length.and_then(|header| std::str::from_utf8(header.value).ok());
            let length: usize = length.map_or(Some(0), |text| text.parse().ok())?;
            if let Some(body) = buffer.get(start..start + length) {
                return Some((request.method?.to_owned(), body.to_vec()));
            }
        }
        if socket.read_buf(&mut buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// What a decent server does, which has one tool.
fn decent(asked: &Asked) -> Reply {
    const METHOD_NOT_ALLOWED: &str = "405 Method Not Allowed";
    let capabilities = json!({"tools": {"listChanged": true}});
    match (asked.verb.as_str(), asked.method(), asked.era) {
        ("POST", "initialize", Era::Sessions) => asked.answer(&json!({
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "serverInfo": {"name": "hostile", "version": "1"},
        })),
        ("POST", "server/discover", Era::Sessions) => head("404 Not Found", ""),
        ("POST", "server/discover", Era::Alone) => asked.answer(&json!({
            "supportedVersions": ["2026-07-28"],
            "capabilities": capabilities,
        })),
        ("POST", "tools/list", _) => asked.answer(&json!({"tools": [{"name": "echo"}]})),
        ("POST", "subscriptions/listen", _) => {
            let mut reply = begun("text/event-stream");
            reply.push(Part::Hold);
            reply
        }
        ("POST", "tools/call", _) => asked.text("well"),
        ("POST", method, Era::Sessions) if method.is_empty() || method.contains('/') => {
            head("202 Accepted", "")
        }
        _ => head(METHOD_NOT_ALLOWED, ""),
    }
}
