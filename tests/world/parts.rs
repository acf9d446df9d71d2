//! The identity provider and the servers, as a test sees them.

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

use super::{World, installed, repository};

/// The identity provider.
pub struct Provider {
    /// Its issuer.
    pub url: String,
}

impl Provider {
    pub(super) fn new(url: String) -> Self {
        Self { url }
    }

    /// Looks or reaches in: `rotate-keys`, `ttl`, `user`, `style`, `resources`, `revoke-all`,
    /// `stats`, `secrets`, `hold`, `held`, `release`.
    pub async fn control(&self, name: &str, wanted: Value) -> Value {
        let request = http()
            .post(format!("{}/__test/{name}", self.url))
            .body(wanted.to_string());
        let response = request.send().await.expect("a provider that listens");
        assert!(response.status().is_success(), "no control {name}");
        json_of(response).await
    }

    /// How often something was asked for: `discovery`, `jwks`, `authorize`, `code`, `refresh`,
    /// `revoke`, `live_refresh_tokens`.
    pub async fn count(&self, what: &str) -> u64 {
        self.control("stats", json!({})).await[what]
            .as_u64()
            .expect("a counter")
    }

    /// Makes tokens for an audience available.
    pub async fn add_resource(&self, url: &str) {
        self.control("resources", json!({ "add": [url] })).await;
    }
}

/// A server of the company.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `mcp` in Python, with the published policy's database tools; checks the bearer.
    Database,
    /// `fastmcp` in Python, with its deployment tools; checks the bearer.
    Deploy,
    /// npm `@modelcontextprotocol/server-everything`; asks for no bearer.
    Everything,
    /// The server that the conformance suite asks for, with sessions alone; asks for no bearer.
    Old,
    /// The same without sessions.
    New,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Deploy => "deploy",
            Self::Everything => "everything",
            Self::Old => "old",
            Self::New => "new",
        }
    }

    pub(super) fn command(self, world: &World, issuer: &str) -> Command {
        let mut command = match self {
            Self::Database => world.python("tests/world/servers/database.py"),
            Self::Deploy => world.python("tests/world/servers/deploy.py"),
            Self::Everything => everything(world),
            Self::Old => fixture(world, "legacy"),
            Self::New => fixture(world, "modern"),
        };
        command.env("PORT", "0").env("ISSUER", issuer);
        command
    }
}

fn everything(world: &World) -> Command {
    let mut command = world.command(installed("bin/node"));
    command
        .arg("--require")
        .arg(repository("tests/world/loopback-only.cjs"));
    command.arg(installed(
        "npm/node_modules/@modelcontextprotocol/server-everything/dist/index.js",
    ));
    command.arg("streamableHttp");
    command
}

fn fixture(world: &World, era: &str) -> Command {
    let mut command = world.node("tests/conformance/fixture.mjs");
    command.env("ERA", era);
    command
}

/// A server that runs, or an address where none does.
#[derive(Debug)]
pub struct Server {
    /// Its endpoint.
    pub url: String,
    /// Its name in the configuration.
    pub name: String,
    /// Holds the port of a server that never answers.
    silent: Option<TcpListener>,
}

impl Server {
    /// A server at this address, whoever runs it.
    pub fn new(url: String, name: &str) -> Self {
        Self {
            url,
            name: name.to_owned(),
            silent: None,
        }
    }

    /// A server that accepts connections (the system does) and never says a word.
    pub async fn silent(name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("its address"));
        Self {
            silent: Some(listener),
            ..Self::new(url, name)
        }
    }

    /// An address where nothing listens.
    pub async fn dead(name: &str) -> Self {
        let Self { url, .. } = Self::silent(name).await;
        Self::new(url, name)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        let url = url::Url::parse(&self.url).expect("an address");
        url.port().expect("a port")
    }

    /// Its table in the configuration.
    pub fn configuration(&self) -> String {
        let auth = if ["everything", "old", "new"].contains(&&*self.name) {
            "none"
        } else {
            "sso"
        };
        format!(
            "[[server]]\nname = \"{}\"\nurl = \"{}\"\nauth = \"{auth}\"\n\n",
            self.name, self.url
        )
    }

    /// The requests that came (database and deploy only): method, tool, `request_id`, and so on.
    pub async fn seen(&self) -> Vec<Value> {
        let url = self.url.replace("/mcp", "/__test/seen");
        let response = http().get(url).send().await.expect("a server that listens");
        json_of(response).await.as_array().expect("a list").clone()
    }

    /// Waits for a request of this method.
    pub async fn wait_for(&self, method: &str) {
        let came = async {
            while !self.seen().await.iter().any(|one| one["method"] == method) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(super::PATIENCE, came)
            .await
            .expect(method);
    }

    /// The tool calls among them.
    pub async fn calls(&self) -> Vec<Value> {
        let mut seen = self.seen().await;
        seen.retain(|request| request["method"] == "tools/call");
        seen
    }
}

/// A client that goes straight to loopback, whatever proxy the machine has, and follows nothing.
pub fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("an HTTP client")
}

async fn json_of(response: reqwest::Response) -> Value {
    let body = response.bytes().await.expect("a body");
    serde_json::from_slice(&body).expect("JSON")
}
