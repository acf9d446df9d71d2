//! A server that keeps to the framing of the protocol and to nothing else. It writes and remembers raw
//! text; nothing goes through a value.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use futures_util::StreamExt as _;
use futures_util::stream::{self, Stream};
use tokio::sync::{broadcast, watch};

use super::answers::{self, Answer, Manner};
use super::text::{Envelope, member, members};

const SESSION: &str = "mcp-session-id";

/// Which revision the server speaks, and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// 2025-11-25.
    Sessions,
    /// 2026-07-28.
    Alone,
}

/// The server, as a test sees it.
#[derive(Debug, Clone)]
pub struct Strange {
    pub url: String,
    pub era: Era,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    era: Era,
    /// The parameters of the last request of each method that is answered strangely.
    seen: Mutex<Vec<(String, String)>>,
    /// The answer to the last question.
    replied: watch::Sender<Option<String>>,
    own: broadcast::Sender<String>,
}

impl Strange {
    /// Serves on a free port for as long as the test lasts.
    pub async fn start(era: Era) -> Self {
        let inner = Arc::new(Inner {
            era,
            seen: Mutex::default(),
            replied: watch::Sender::new(None),
            own: broadcast::Sender::new(16),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("its address"));
        let routes = post(posted).get(own_stream).delete(StatusCode::OK);
        let app = Router::new()
            .route("/mcp", routes)
            .with_state(Arc::clone(&inner));
        let serving = axum::serve(listener, app).into_future();
        #[expect(
            clippy::disallowed_methods,
            reason = "the test's runtime ends the server"
        )]
        tokio::spawn(async { serving.await.expect("a server") });
        Self { url, era, inner }
    }

    /// The parameters that came last with a method.
    pub fn seen(&self, method: &str) -> String {
        let seen = self.inner.seen.lock().expect("a log");
        let mut seen = seen.iter().rev();
        let found = seen.find(|(asked, _)| asked == method);
        found
            .unwrap_or_else(|| panic!("no {method} came"))
            .1
            .clone()
    }

    /// The answer to the last question, taken out.
    pub fn replied(&self) -> String {
        self.inner.replied.send_replace(None).expect("an answer")
    }
}

async fn own_stream(State(inner): State<Arc<Inner>>) -> Response {
    if inner.era == Era::Alone {
        return json(405, String::new());
    }
    let told = stream::unfold(inner.own.subscribe(), async |mut own| {
        let text = own.recv().await.ok()?;
        Some((event(&text), own))
    });
    // The stream is there before anything is told on it.
    let opening = stream::once(async { ":\n\n".to_owned() });
    event_stream(opening.chain(told))
}

async fn posted(State(inner): State<Arc<Inner>>, head: HeaderMap, body: Bytes) -> Response {
    let text = String::from_utf8(body.into()).expect("UTF-8");
    let message = Envelope::read(&text);
    let Some(method) = &message.method else {
        let (_, reply) = message.outcome();
        inner.replied.send_replace(Some(reply));
        return json(202, String::new());
    };
    let Some(id) = message.id.clone() else {
        return json(202, String::new());
    };
    match (inner.era, method.as_str()) {
        (Era::Sessions, "initialize") => opened(&id),
        (Era::Sessions, _) if !head.contains_key(SESSION) => {
            let error = r#"{"code":-32000,"message":"no session"}"#;
            json(400, envelope("null", "error", error))
        }
        (Era::Alone, "server/discover") => json(200, envelope(&id, "result", &discovery())),
        (Era::Alone, "initialize" | "ping") => json(
            404,
            envelope(&id, "error", r#"{"code":-32601,"message":"no"}"#),
        ),
        (Era::Alone, "subscriptions/listen") => listened(&id),
        (_, "ping" | "logging/setLevel") => json(200, envelope(&id, "result", "{}")),
        (_, method) => {
            let params = message.params.clone().unwrap_or_default();
            inner.answer(&id, method, &params)
        }
    }
}

const CAPABILITIES: &str = r#"{"tools":{"listChanged":true,"x":1e400},"prompts":{},"resources":{},"logging":{},"completions":{},"x":[]}"#;

fn opened(id: &str) -> Response {
    let result = format!(
        r#"{{"protocolVersion":"2025-11-25","capabilities":{CAPABILITIES},"serverInfo":{{"name":"strange","version":"1","x":1e400}},"x":[]}}"#
    );
    let mut response = json(200, envelope(id, "result", &result));
    let session = "strange-session".parse().expect("a header");
    response.headers_mut().insert(SESSION, session);
    response
}

fn discovery() -> String {
    format!(
        r#"{{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{CAPABILITIES},"ttlMs":0,"cacheScope":"private","_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"strange","version":"1"}}}}}}"#
    )
}

/// A subscription that nothing ever comes on.
fn listened(id: &str) -> Response {
    let tag = format!(r#"{{"io.modelcontextprotocol/subscriptionId":{id}}}"#);
    let params = format!(r#"{{"notifications":{{}},"_meta":{tag}}}"#);
    let first = notice("notifications/subscriptions/acknowledged", &params);
    let first = stream::once(async move { event(&first) });
    event_stream(first.chain(stream::pending()))
}

impl Inner {
    fn answer(self: &Arc<Self>, id: &str, method: &str, params: &str) -> Response {
        if let pages @ [_, ..] = answers::list(method).as_slice() {
            return json(200, envelope(id, "result", &page(method, pages, params)));
        }
        let entry = (method.to_owned(), params.to_owned());
        self.seen.lock().expect("a log").push(entry);
        let named = |key: &str| member(params, key).map(|raw| super::text::string(&raw));
        let name = named("name").or_else(|| named("uri")).unwrap_or_default();
        match (method, name.as_str()) {
            ("tools/call", "ask") => self.ask(id, params),
            ("tools/call", "unasked") => {
                let (method, params) = answers::unasked();
                // Where nobody listens, nothing is told.
                let _unheard = self.own.send(notice(method, &params));
                said(id, &answers::tool("nothing"), "null")
            }
            ("tools/call", name) => said(id, &answers::tool(name), &token(params)),
            (method, name) => said(id, &answers::other(method, name), "null"),
        }
    }

    fn ask(self: &Arc<Self>, id: &str, params: &str) -> Response {
        let question = answers::question();
        if self.era == Era::Sessions {
            return self.ask_in_session(id, &question);
        }
        let brought = member(params, "inputResponses").and_then(|all| members(&all));
        let answer = brought.and_then(|all| all.first().map(|(_, answer)| answer.clone()));
        let result = match answer {
            Some(answer) => {
                self.replied.send_replace(Some(answer));
                r#"{"content":[],"resultType":"complete","_meta":{}}"#.to_owned()
            }
            None => format!(
                r#"{{"resultType":"input_required","inputRequests":{{"who\/":{{"method":"elicitation\/create","params":{question},"x":1e400}}}},"requestState":"\u0073\/tate","_meta":{{}},"x":1e400}}"#
            ),
        };
        json(200, envelope(id, "result", &result))
    }

    fn ask_in_session(&self, id: &str, question: &str) -> Response {
        let asked = format!(
            r#"{{"id":"q\/1","jsonrpc":"2.0","method":"elicitation\/create","params":{question},"x":1e400}}"#
        );
        let answer = event(&envelope(id, "result", r#"{"content":[]}"#));
        let mut replied = self.replied.subscribe();
        let last = stream::once(async move {
            // The server lives as long as the test.
            let _replied = replied.wait_for(Option::is_some).await;
            answer
        });
        event_stream(stream::once(async move { event(&asked) }).chain(last))
    }
}

/// The raw token of a request's `_meta`.
fn token(params: &str) -> String {
    let meta = member(params, "_meta");
    let token = meta.and_then(|meta| member(&meta, "progressToken"));
    token.unwrap_or_else(|| "null".to_owned())
}

fn page(method: &str, pages: &[Vec<String>], params: &str) -> String {
    let key = match method {
        "resources/templates/list" => "resourceTemplates",
        _ => method.trim_end_matches("/list"),
    };
    let second =
        members(params).is_some_and(|params| params.iter().any(|(key, _)| key == "\"cursor\""));
    let items = pages[usize::from(second)].join(" ,\t");
    let more = if pages.len() > 1 && !second {
        r#","nextCursor":"\u0032""#
    } else {
        ""
    };
    format!(
        r#"{{"x":1e400,"{key}": [{items}],"resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":{{}}{more}}}"#
    )
}

/// The answer as it goes out, with members of the envelope that nobody knows.
fn said(id: &str, answer: &Answer, token: &str) -> Response {
    let (key, value) = &answer.outcome;
    let last = envelope(id, key, value);
    let status = match answer.manner {
        Manner::Json(status) => return json(status, last),
        Manner::Events => answer.told.iter(),
    };
    let told = status.map(|(method, params)| notice(method, &params.replace('$', token)));
    let all: String = told.chain([last]).map(|text| event(&text)).collect();
    event_stream(stream::once(async { all }))
}

fn envelope(id: &str, key: &str, value: &str) -> String {
    format!(r#"{{"x-envelope":1e400,"{key}":{value},"id":{id},"jsonrpc":"2.0"}}"#)
}

fn notice(method: &str, params: &str) -> String {
    format!(r#"{{"params":{params},"jsonrpc":"2.0","x":[],"method":"{method}"}}"#)
}

fn event(text: &str) -> String {
    let lines = text.replace('\r', " ").replace('\n', "\ndata: ");
    format!("event: message\ndata: {lines}\n\n")
}

fn json(status: u16, body: String) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    let kind = "application/json".parse().expect("a header");
    response.headers_mut().insert("content-type", kind);
    response
}

fn event_stream(events: impl Stream<Item = String> + Send + 'static) -> Response {
    let mut response = Response::new(Body::from_stream(events.map(Ok::<_, std::io::Error>)));
    let kind = "text/event-stream".parse().expect("a header");
    response.headers_mut().insert("content-type", kind);
    response
}
