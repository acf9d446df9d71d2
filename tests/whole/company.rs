//! A company with a keychain, three servers, and the program configured for them.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

use crate::world::host::Host;
use crate::world::parts::{Kind, Provider, Server};
use crate::world::{PATIENCE, World};

/// The published policy, with one more entry for the server that it does not know.
pub const POLICY: &str = r#"
version: "1.0"
policies:
  - name: "database-access"
    servers: ["database"]
    roles: ["db-admin", "data-analyst"]
    scopes: ["mcp:tools:execute"]
    tools:
      allowed: ["query_database", "list_tables", "describe_table"]
      denied: ["drop_table", "truncate"]
  - name: "deployment-access"
    servers: ["deploy"]
    roles: ["admin", "devops"]
    tools:
      allowed: ["deploy_staging", "rollback"]
      denied: ["deploy_production"]
    approval_required:
      - tool: "deploy_production"
        approvers: ["platform-lead"]
  - name: "everything"
    servers: ["everything"]
    roles: ["data-analyst", "admin"]
"#;

/// A company with a keychain, in which somebody has signed in.
pub struct Company {
    pub world: World,
    pub provider: Provider,
    pub database: Server,
    pub deploy: Server,
}

impl Company {
    /// With three servers, configured; nobody has signed in.
    pub async fn new(more: &str) -> Self {
        let mut world = World::new();
        world.keychain().await;
        Self::of(world, more).await
    }

    /// In a world with a keychain.
    pub async fn of(mut world: World, more: &str) -> Self {
        let provider = world.provider(json!({})).await;
        let database = world.server(Kind::Database, &provider).await;
        let deploy = world.server(Kind::Deploy, &provider).await;
        let everything = world.server(Kind::Everything, &provider).await;
        world.configure(&provider, &[&database, &deploy, &everything], more);
        world.write_policy(POLICY);
        Self {
            world,
            provider,
            database,
            deploy,
        }
    }

    pub async fn signed_in(person: &str) -> Self {
        let company = Self::new("").await;
        company.sign_in(person).await;
        company
    }

    pub async fn sign_in(&self, person: &str) {
        let (page, output) = self.world.sign_in(person).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }

    /// Starts `chaperone login --no-browser`, and returns it with its link.
    pub async fn login(&self, arguments: &[&str]) -> (Child, String) {
        let mut command = self.world.chaperone(&["login", "--no-browser"]);
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a piped stdout")).lines();
        let link = timeout(PATIENCE, lines.next_line())
            .await
            .expect("a link in time");
        let Some(link) = link.expect("readable stdout") else {
            panic!("no link: {:?}", child.wait_with_output().await);
        };
        (child, link)
    }

    /// A host that has shaken hands.
    pub async fn host(&self) -> Host {
        let mut host = self.world.host();
        host.initialize("2025-06-18").await;
        host
    }

    /// What a command printed, one JSON value per line, and its exit code.
    pub async fn json(&self, arguments: &[&str]) -> (Vec<Value>, Option<i32>) {
        let output = self.world.run(arguments).await;
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let value = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        (text.lines().map(value).collect(), output.status.code())
    }

    /// The whole record, oldest first.
    pub async fn record(&self) -> Vec<Value> {
        self.json(&["audit", "list", "--all", "--json"]).await.0
    }

    /// That the record verifies against what the keychain knows.
    pub async fn assert_intact(&self) {
        let output = self.world.run(&["audit", "verify"]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

/// The first text of a result.
pub fn text(result: &Value) -> &str {
    result["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no text: {result}"))
}

/// The link in a result that asks for a sign-in.
pub fn link(result: &Value) -> String {
    let mut words = text(result).split_whitespace();
    let link = words.find(|word| word.starts_with("http"));
    let link = link.unwrap_or_else(|| panic!("no link: {result}"));
    link.to_owned()
}
