//! Hosts at work: each is a process that does what features.mjs says and reports it line by line.

use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::world::World;
use crate::world::parts::{Kind, Provider, Server};

const POLICY: &str = r#"
version: "1.0"
policies:
  - name: "all"
    servers: ["*"]
    roles: ["*"]
"#;
/// How long a host may take for everything; each feature has a limit of its own.
const PATIENCE: Duration = Duration::from_secs(400);

/// The servers in the order of the table.
pub const SERVERS: [(&str, &str); 7] = [
    ("everything", "npm server-everything 2026.8 (sessions)"),
    ("mcp", "PyPI mcp 2.3 (both)"),
    ("mcp-old", "PyPI mcp 2.3 (sessions)"),
    ("fastmcp", "PyPI fastmcp 4.1 (both)"),
    ("fastmcp-old", "PyPI fastmcp 4.1 (sessions)"),
    ("old", "npm server 2.4 (sessions)"),
    ("new", "npm server 2.4 (2026-07-28)"),
];

/// A host: what it is called in the table, its driver, and the revision that it is told to speak.
pub struct Host {
    pub name: &'static str,
    driver: &'static str,
    era: &'static str,
}

/// The last one starts a process for each request, and waits for no list to be complete.
pub static HOSTS: [Host; 7] = [
    Host::of("PyPI mcp 2.3 (sessions)", "host.py", "legacy"),
    Host::of("PyPI mcp 2.3 (2026-07-28)", "host.py", "2026-07-28"),
    Host::of("npm sdk 1.32 (sessions)", "sdk.mjs", "legacy"),
    Host::of("npm client 2.4 (sessions)", "client.mjs", "legacy"),
    Host::of("npm client 2.4 (2026-07-28)", "client.mjs", "2026-07-28"),
    Host::of("npm client 2.4 (auto)", "client.mjs", "auto"),
    Host::of("npm inspector 2.12 --cli", "inspector.mjs", "legacy"),
];

impl Host {
    /// Whether it opens a session with whoever keeps them.
    pub fn keeps_sessions(&self) -> bool {
        self.era == "legacy"
    }

    const fn of(name: &'static str, driver: &'static str, era: &'static str) -> Self {
        Self { name, driver, era }
    }
}

/// The servers, and somebody who may use them all.
pub struct Stage {
    world: World,
    servers: Vec<Server>,
    _provider: Provider,
}

impl Stage {
    pub async fn signed_in() -> Self {
        let mut world = World::new();
        world.keychain().await;
        let provider = world.provider(json!({})).await;
        let mut servers = Vec::new();
        for (name, _) in SERVERS {
            servers.push(start(&mut world, name, &provider).await);
        }
        world.configure(&provider, &servers.iter().collect::<Vec<_>>(), "");
        world.write_policy(POLICY);
        let (page, output) = world.sign_in("alice").await;
        assert_eq!(
            (page.status, output.status.code()),
            (200, Some(0)),
            "{output:?}"
        );
        Self {
            world,
            servers,
            _provider: provider,
        }
    }

    /// What a host reports of all servers through the program.
    pub async fn through(&self, host: &Host) -> Vec<Value> {
        let servers: Vec<_> = SERVERS.iter().map(|(name, _)| name).collect();
        let program = env!("CARGO_BIN_EXE_chaperone");
        self.run(host, &json!({"servers": servers, "command": program}))
            .await
    }

    /// What a host reports of each server without it.
    pub async fn direct(&self, host: &Host) -> Vec<Value> {
        let runs = self.servers.iter().map(async |server| {
            let spec = json!({"servers": [server.name], "url": server.url});
            self.run(host, &spec).await
        });
        // More would only wait for each other.
        let runs = stream::iter(runs).buffered(2);
        runs.collect::<Vec<_>>().await.concat()
    }

    async fn run(&self, host: &Host, spec: &Value) -> Vec<Value> {
        let script = format!("tests/matrix/hosts/{}", host.driver);
        let is_python = std::path::Path::new(host.driver)
            .extension()
            .is_some_and(|kind| kind == "py");
        let mut command = if is_python {
            self.world.python(&script)
        } else {
            self.world.node(&script)
        };
        command.env("ERA", host.era).arg(spec.to_string());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = timeout(PATIENCE, command.output()).await;
        let output = output.unwrap_or_else(|_late| panic!("{} never ends: {spec}", host.name));
        let output = output.expect("the host starts");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!text.is_empty(), "{} at {spec}: {stderr}", host.name);
        let report = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}: {stderr}"))
        };
        text.lines().map(report).collect()
    }
}

async fn start(world: &mut World, name: &str, provider: &Provider) -> Server {
    match name {
        "everything" => world.server(Kind::Everything, provider).await,
        "old" => world.server(Kind::Old, provider).await,
        "new" => world.server(Kind::New, provider).await,
        name => {
            let (program, only) = match name.split_once('-') {
                Some((program, _old)) => (program, "sessions"),
                None => (name, ""),
            };
            let mut command = world.python(&format!("tests/matrix/servers/{program}_server.py"));
            command.env("ONLY", only);
            world.server_of(command, name, provider).await
        }
    }
}
