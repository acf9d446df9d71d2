//! Peers that mean harm. Each costs its own request or its own server: a neighbour goes on to answer,
//! the process lives and takes no more memory than is bounded, and its output is messages alone.

#[path = "hostile/answers.rs"]
mod answers;
#[path = "hostile/lists.rs"]
mod lists;
#[path = "hostile/questions.rs"]
mod questions;
#[path = "hostile/server.rs"]
mod server;

use serde_json::{Value, json};

use crate::world::World;
use crate::world::host::Host;
use crate::world::parts::{Provider, Server};

use server::{Era, Hostile};

const POLICY: &str = r#"
version: "1.0"
policies:
  - {name: "open", servers: ["*"], roles: ["*"]}
"#;
const EVENTS: &str = "text/event-stream";
const JSON: &str = "application/json";

/// Somebody who may use these servers, all of which are without sign-in.
struct Scene {
    world: World,
    _provider: Provider,
}

impl Scene {
    async fn of(servers: &[(&str, &Hostile)]) -> Self {
        let mut world = World::new();
        world.keychain().await;
        let provider = world.provider(json!({})).await;
        world.configure(&provider, &[], "");
        let file = world.config_file();
        let mut text = std::fs::read_to_string(file).expect("a configuration");
        for (name, server) in servers {
            provider.add_resource(&server.url).await;
            let table = Server::new(server.url.clone(), name).configuration();
            text += table.replace("\"sso\"", "\"none\"").trim_end();
            let patience = if *name == "slow" || *name == "endless" {
                "1s"
            } else {
                "10s"
            };
            let limits = [
                "\nlist_timeout = \"",
                patience,
                "\"\ncall_timeout = \"4s\"\n\n",
            ];
            text += &limits.concat();
        }
        world.write_configuration(&text);
        world.write_policy(POLICY);
        let (page, output) = world.sign_in("alice").await;
        assert_eq!(
            (page.status, output.status.code()),
            (200, Some(0)),
            "{output:?}"
        );
        Self {
            world,
            _provider: provider,
        }
    }

    /// A host with a session that can be asked anything, and has the list of this tool's server.
    async fn host(&self, tool: &str) -> Host {
        let mut host = self.world.host();
        host.initialize_with("2025-11-25", abilities()).await;
        host.tools_with(tool).await;
        host
    }

    async fn record(&self) -> Vec<Value> {
        let output = self.world.run(&["audit", "list", "--all", "--json"]).await;
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    async fn end(self, host: Host) {
        assert!(host.close().await.success());
        let output = self.world.run(&["audit", "verify"]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

fn abilities() -> Value {
    json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}})
}

/// Parameters of a request that stands alone.
fn alone(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": abilities(),
        "io.modelcontextprotocol/clientInfo": {"name": "alone", "version": "1"},
    });
    params
}

fn call(tool: &str) -> Value {
    json!({"name": tool, "arguments": {}})
}

fn failed(answer: &Value) -> bool {
    answer.get("error").is_some() || answer["result"]["isError"] == true
}

async fn assert_well(host: &mut Host) {
    let answer = host.call("healthy__echo", json!({})).await;
    assert_eq!(answer["content"][0]["text"], "well", "{answer}");
}

async fn healthy() -> Hostile {
    Hostile::start(Era::Sessions, |_| None).await
}

/// Texts that hide something: an escape sequence, a link and the clipboard of a terminal, an override
/// of direction, Unicode tags, what has no width.
const HIDDEN: [&str; 6] = [
    "\u{1b}[8m",
    "\u{1b}]8;;http://x/\u{7}",
    "\u{1b}]52;c;eA==\u{7}",
    "\u{202e}",
    "\u{e0041}\u{e007f}",
    "\u{200b}\u{feff}\u{e0100}",
];

fn hides(text: &str) -> bool {
    text.contains(|c: char| {
        (c.is_control() && c != '\n') || HIDDEN.concat().contains(c) && !c.is_ascii()
    })
}

/// All texts in a value.
fn decoded(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(decoded).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| key.clone() + &decoded(value))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

#[tokio::test]
async fn a_hostile_host_costs_its_own_lines() {
    let world = World::new();
    let mut host = world.host();
    host.initialize("2025-11-25").await;
    let mut errors = 0;
    let mebibyte = vec![b'x'; 1 << 20];
    for _ in 0..1024 {
        host.write_bytes(&mebibyte).await;
    }
    let deep = "[".repeat(10_000);
    let lines: [&[u8]; 9] = [
        b"",
        deep.as_bytes(),
        b"\xff\xfe",
        b"\0",
        b"\xef\xbb\xbf{}",
        br#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}"#,
        br#"{"jsonrpc":"2.0","id":1,"Method":"ping"}"#,
        br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        br#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
    ];
    for line in lines {
        host.write_bytes(line).await;
        host.write_bytes(b"\n").await;
        let refused = host.expect(|message| message.get("error").is_some()).await;
        assert!(refused["error"]["code"] == -32600 || refused["error"]["code"] == -32700);
        errors += 1;
        host.ping().await;
    }
    assert_eq!(errors, lines.len());
    // What nobody asked for is answered by nothing.
    for stray in [
        r#"{"jsonrpc":"2.0","id":"chaperone-0","result":{}}"#,
        "",
        "\r",
    ] {
        host.write(stray).await;
        host.ping().await;
    }
    assert!(host.peak() < 120, "{} MiB", host.peak());
    assert!(host.close().await.success());
}
