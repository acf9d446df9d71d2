//! A server that speaks just enough HTTP and MCP, and misbehaves on demand.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};

use crate::audit::Admitted;
use crate::config::{NetworkConfig, ServerAuth, ServerConfig};
use crate::login::{Grant, Session};
use crate::name::ServerName;
use crate::stop::Tasks;
use crate::upstream::era::{Era, Memory};
use crate::upstream::{Along, Asides, Http, Notice, Upstream, UpstreamError};
use crate::wire::{Message, Raw};

/// One HTTP request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) verb: String,
    pub(super) path: String,
    pub(super) head: HashMap<String, String>,
    pub(super) body: String,
    /// Which connection it came on.
    pub(super) connection: usize,
}

impl Seen {
    /// The JSON-RPC method.
    pub(super) fn method(&self) -> String {
        match Message::parse(self.body.as_bytes()) {
            Ok(Message::Request(request)) => request.method.into(),
            Ok(Message::Notification(notice)) => notice.method.into(),
            _ => String::new(),
        }
    }

    pub(super) fn id(&self) -> String {
        match Message::parse(self.body.as_bytes()) {
            Ok(Message::Request(request)) => request.id.as_json().into(),
            _ => "null".into(),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name).map(String::as_str)
    }
}

/// What the server does, in order; the connection stays open afterwards.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Send(Vec<u8>),
    /// Waits until somebody says so.
    Await(Arc<Notify>),
    /// The same bytes again and again, until the client has had enough.
    Flood(Vec<u8>),
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
    /// Says nothing more.
    Hold,
}

pub(super) type Reply = Vec<Step>;
type Script = Arc<dyn Fn(&Seen) -> Option<Reply> + Send + Sync>;

pub(super) fn raw(status: &str, head: &str, body: &str) -> Reply {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\n{head}Content-Length: {length}\r\n\r\n{body}");
    vec![Step::Send(text.into())]
}

pub(super) fn json(status: &str, body: &str) -> Reply {
    raw(status, "Content-Type: application/json\r\n", body)
}

/// A result for the request.
pub(super) fn result(seen: &Seen, result: &str) -> Reply {
    let id = seen.id();
    json(
        "200 OK",
        &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
    )
}

/// A stream that begins with these bytes and ends with the connection.
pub(super) fn stream(bytes: &str) -> Reply {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    vec![Step::Send(format!("{head}{bytes}").into())]
}

pub(super) fn closed(mut reply: Reply) -> Reply {
    reply.push(Step::Close);
    reply
}

pub(super) fn held(mut reply: Reply) -> Reply {
    reply.push(Step::Hold);
    reply
}

/// `data:` with the result for the request.
pub(super) fn event(seen: &Seen, result: &str) -> String {
    let id = seen.id();
    format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n\n")
}

const HELLO: &str = r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{},"resources":{},"prompts":{}},"serverInfo":{"name":"fake","version":"1"}}"#;

/// An answer to `initialize` that opens a session of this name.
pub(super) fn welcome(seen: &Seen, session: &str) -> Reply {
    let id = seen.id();
    let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{HELLO}}}"#);
    let head = format!("Content-Type: application/json\r\nMcp-Session-Id: {session}\r\n");
    raw("200 OK", &head, &body)
}

/// What a decent server does where a test says nothing else.
fn decent(seen: &Seen) -> Reply {
    match (seen.verb.as_str(), seen.method().as_str()) {
        ("GET", _) => raw("405 Method Not Allowed", "", ""),
        ("DELETE", _) => raw("200 OK", "", ""),
        (_, "initialize") => welcome(seen, "first"),
        (_, method) if method.starts_with("notifications/") => raw("202 Accepted", "", ""),
        (_, "") => raw("202 Accepted", "", ""),
        _ => result(seen, r#"{"content":[]}"#),
    }
}

/// What a decent server does whose requests stand alone.
pub(super) fn modern(seen: &Seen) -> Reply {
    const HELLO: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],
        "capabilities":{"tools":{"listChanged":true},"resources":{},"prompts":{}},
        "_meta":{"io.modelcontextprotocol/serverInfo":{"name":"fake","version":"2"}}}"#;
    match (seen.verb.as_str(), seen.method().as_str()) {
        ("POST", "server/discover") => result(seen, HELLO),
        ("POST", "subscriptions/listen") => held(stream(": none\n\n")),
        ("POST", "tools/list") => result(
            seen,
            r#"{"resultType":"complete","tools":[{"name":"echo"}]}"#,
        ),
        ("POST", _) => result(seen, r#"{"resultType":"complete","content":[]}"#),
        _ => raw("405 Method Not Allowed", "", ""),
    }
}

/// A running server.
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Receiver<usize>,
    tasks: Tasks,
}

impl Fake {
    pub(super) async fn start(
        script: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), script).await
    }

    /// Listens at a given address, as a server that comes back does.
    pub(super) async fn at(
        address: SocketAddr,
        script: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (told, count) = watch::channel(0);
        let tasks = Tasks::new();
        let record = Record {
            seen: Arc::clone(&seen),
            told: Arc::new(told),
            script: Arc::new(script),
        };
        let connections = tasks.clone();
        tasks.spawn_until_stop(async move {
            for connection in 0.. {
                let Ok((socket, _)) = listener.accept().await else {
                    return;
                };
                connections.spawn_until_stop(record.clone().serve(socket, connection));
            }
        });
        Self {
            address,
            seen,
            count,
            tasks,
        }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests with this JSON-RPC method, or this verb.
    pub(super) fn of(&self, what: &str) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|seen| seen.verb == what || seen.method() == what);
        seen
    }

    /// Waits until there are as many.
    pub(super) async fn wait_for(&self, what: &str, count: usize) -> Vec<Seen> {
        let mut changes = self.count.clone();
        let enough = async {
            while self.of(what).len() < count {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(10), enough)
            .await
            .expect(what);
        self.of(what)
    }

    /// Waits for a request of this kind.
    pub(super) async fn wait_until(&self, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let mut changes = self.count.clone();
        let coming = async {
            loop {
                if let Some(found) = self.seen().into_iter().find(&wanted) {
                    return found;
                }
                changes.changed().await.unwrap();
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(10), coming).await;
        found.expect("a request in time")
    }

    /// Goes away with all its connections.
    pub(super) async fn stop(self) {
        assert!(self.tasks.finish(Duration::from_secs(5)).await);
    }
}

#[derive(Clone)]
struct Record {
    seen: Arc<Mutex<Vec<Seen>>>,
    told: Arc<watch::Sender<usize>>,
    script: Script,
}

impl Record {
    async fn serve(self, mut socket: TcpStream, connection: usize) {
        let mut buffer = Vec::new();
        while let Some(seen) = read(&mut socket, &mut buffer, connection).await {
            self.seen.lock().unwrap().push(seen.clone());
            self.told.send_modify(|count| *count += 1);
            let reply = (self.script)(&seen).unwrap_or_else(|| decent(&seen));
            if !play(&mut socket, reply).await {
                return;
            }
        }
    }
}

async fn play(socket: &mut TcpStream, reply: Reply) -> bool {
    for step in reply {
        match step {
            Step::Send(bytes) => {
                if socket.write_all(&bytes).await.is_err() {
                    return false;
                }
            }
            Step::Await(signal) => signal.notified().await,
            Step::Flood(bytes) => while socket.write_all(&bytes).await.is_ok() {},
            Step::Close => return false,
            Step::Reset => {
                socket.set_zero_linger().unwrap();
                return false;
            }
            Step::Hold => {
                // Ends when the client gives up.
                let mut rest = [0; 1024];
                while matches!(socket.read(&mut rest).await, Ok(count) if count > 0) {}
                return false;
            }
        }
    }
    true
}

async fn read(socket: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Seen> {
    loop {
        if let Some((seen, used)) = parse(buffer, connection) {
            buffer.drain(..used);
            return Some(seen);
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn parse(buffer: &[u8], connection: usize) -> Option<(Seen, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(start) = request.parse(buffer).unwrap() else {
        return None;
    };
    let head: HashMap<String, String> = request
        .headers
        .iter()
        .map(|h| {
            (
                h.name.to_lowercase(),
                String::from_utf8_lossy(h.value).into_owned(),
            )
        })
        .collect();
    let length: usize = head
        .get("content-length")
        .map_or(0, |text| text.parse().unwrap());
    let body = buffer.get(start..start + length)?;
    let seen = Seen {
        verb: request.method.unwrap().into(),
        path: request.path.unwrap().into(),
        head,
        body: String::from_utf8(body.to_vec()).unwrap(),
        connection,
    };
    Some((seen, start + length))
}

/// The client's side of a test.
pub(super) struct World {
    pub(super) upstream: Upstream,
    pub(super) notices: mpsc::UnboundedReceiver<Notice>,
    pub(super) tasks: Tasks,
}

pub(super) fn config(address: SocketAddr) -> ServerConfig {
    ServerConfig {
        name: ServerName::parse("fake").unwrap(),
        url: format!("http://{address}/mcp").parse().unwrap(),
        auth: ServerAuth::None,
        audience: "fake".into(),
        scopes: Vec::new(),
        headers_helper: false,
        connect_timeout: Duration::from_secs(5),
        list_timeout: Duration::from_secs(10),
        call_timeout: Duration::from_secs(20),
    }
}

impl World {
    pub(super) fn of(fake: &Fake) -> Self {
        Self::with(config(fake.address), [])
    }

    /// With sign-in, and these grants one after the other.
    pub(super) fn signed_in(fake: &Fake, grants: impl IntoIterator<Item = Arc<Grant>>) -> Self {
        let mut config = config(fake.address);
        config.auth = ServerAuth::Sso;
        Self::with(config, grants)
    }

    pub(super) fn with(config: ServerConfig, grants: impl IntoIterator<Item = Arc<Grant>>) -> Self {
        Self::remembering(config, grants, Some(Era::Sessions))
    }

    /// With a server of which this is remembered.
    pub(super) fn remembering(
        config: ServerConfig,
        grants: impl IntoIterator<Item = Arc<Grant>>,
        era: Option<Era>,
    ) -> Self {
        let tasks = Tasks::new();
        let (told, notices) = mpsc::unbounded_channel();
        let memory = Memory::of_this_run(&config.url, era);
        let http = Http::new(&NetworkConfig::default()).unwrap();
        let grants: Vec<_> = grants.into_iter().collect();
        let session = Session::holding(&config.audience, &grants, &tasks);
        Self {
            upstream: Upstream::remembering(config, http, session, told, &tasks, memory),
            notices,
            tasks,
        }
    }

    /// The result of a call that is answered.
    pub(super) async fn answered(&self) -> Raw {
        let answer = self.upstream.send(call(), None, Along::default()).await;
        answer.outcome.unwrap().unwrap()
    }

    /// Why a call has no answer.
    pub(super) async fn failed(&self) -> UpstreamError {
        self.upstream
            .send(call(), None, Along::default())
            .await
            .outcome
            .unwrap_err()
    }

    /// Asks for something else than a call and has an answer.
    pub(super) async fn answer_of(&self, method: &str) {
        let name = ServerName::parse("fake").unwrap();
        let asked = Admitted::as_if(&name, method, r#"{"name":"x","uri":"x:y"}"#);
        let answer = self.upstream.send(asked, None, Along::default()).await;
        answer.outcome.unwrap().unwrap();
    }

    /// The next notice.
    pub(super) async fn notice(&mut self) -> Notice {
        let next = self.notices.recv();
        tokio::time::timeout(Duration::from_secs(10), next)
            .await
            .unwrap()
            .unwrap()
    }
}

/// What goes along with a request whose progress is heard.
pub(super) fn hearing(asides: Asides) -> Along {
    Along {
        asides: Some(asides),
        ..Along::default()
    }
}

/// A call of a tool.
pub(super) fn call() -> Admitted {
    let name = ServerName::parse("fake").unwrap();
    Admitted::as_if(
        &name,
        "tools/call",
        r#"{"name":"echo","arguments":{"n":1e400}}"#,
    )
}

pub(super) fn raws(list: &[Raw]) -> Vec<&str> {
    list.iter().map(Raw::get).collect()
}
