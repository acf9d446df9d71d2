//! A server that costs as little as a server can: fifty tools, one of which gives back what it gets.
//! It runs as a process of its own.

use std::io::Write as _;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

/// How many tools it has.
pub const TOOLS: usize = 50;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: &'a str,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    arguments: Arguments<'a>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    text: &'a RawValue,
}

/// Serves until it is killed; a silent one accepts and says nothing.
pub async fn run(silent: bool) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("its address");
    let mut out = std::io::stdout();
    writeln!(out, "listening http://{address}/mcp")
        .and_then(|()| out.flush())
        .expect("a reader");
    if silent {
        return std::future::pending().await;
    }
    let router = Router::new().route("/mcp", post(answer).get(no).delete(no));
    axum::serve(listener, router).await.expect("a server");
}

async fn no() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}

async fn answer(body: Bytes) -> Response {
    let Ok(request) = serde_json::from_slice::<Request<'_>>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(id) = request.id else {
        return StatusCode::ACCEPTED.into_response();
    };
    let result = match request.method {
        "initialize" => initialize(),
        "tools/list" => list(),
        "tools/call" => echo(request.params),
        _ => "{}".to_owned(),
    };
    let body = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{result}}}",
        id.get()
    );
    let json = (
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let session = (
        HeaderName::from_static("mcp-session-id"),
        HeaderValue::from_static("one"),
    );
    ([json, session], body).into_response()
}

fn initialize() -> String {
    let server = json!({"name": "bench", "version": "1"});
    let capabilities = json!({"tools": {}});
    json!({"protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": server})
        .to_string()
}

fn list() -> String {
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}});
    let describe = "Does what a tool of its name does, as far as a benchmark can tell.";
    let tool = |n| {
        let name = if n == 0 {
            "echo".to_owned()
        } else {
            format!("tool_{n}")
        };
        json!({"name": name, "description": describe, "inputSchema": schema})
    };
    json!({"tools": (0..TOOLS).map(tool).collect::<Vec<_>>()}).to_string()
}

fn echo(params: Option<&RawValue>) -> String {
    let call = params.and_then(|params| serde_json::from_str::<Call<'_>>(params.get()).ok());
    let text = call.map_or("\"\"", |call| call.arguments.text.get());
    format!("{{\"content\":[{{\"type\":\"text\",\"text\":{text}}}]}}")
}
