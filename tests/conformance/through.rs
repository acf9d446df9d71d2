//! A person who has signed in, the program for whatever server the suite names, and the suite.
//!
//! `CONFORMANCE_ARGUMENTS` (`--only tools-call --revision 2026-07-28 --keep DIRECTORY`) reaches the
//! runner, for whoever looks for a failure.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::world::World;
use crate::world::parts::Provider;

/// How long both revisions may take, directly and through the program.
const PATIENCE: Duration = Duration::from_secs(600);

/// Everything of every server, for everybody who has signed in.
const POLICY: &str = r#"
version: "1.0"
policies:
  - name: "everything"
    servers: ["*"]
    roles: ["*"]
"#;

/// The configuration for one server, whose name and address are still to be filled in.
fn template(world: &World, provider: &Provider) -> PathBuf {
    world.configure(provider, &[], "");
    world.write_policy(POLICY);
    let config = std::fs::read_to_string(world.config_file()).expect("a configuration");
    let policy = world
        .config_file()
        .with_file_name("mcp-policies.yaml")
        .display()
        .to_string();
    let config = config.replace("mcp-policies.yaml", &policy);
    // The suite's servers have never been seen before, and the first list has to be complete. They
    // are not the company's, so nothing that the provider grants is for them.
    let more = "[tools]\nlist_budget = \"20s\"\n\n\
                [identity.scope_names]\n\"mcp:tools:read\" = \"\"\n\"mcp:tools:execute\" = \"\"\n\
                \"mcp:resources:read\" = \"\"\n\"mcp:admin\" = \"\"\n\n\
                [[server]]\nname = \"{name}\"\nurl = \"{url}\"\nauth = \"none\"\n";
    let path = world.home().join("template.toml");
    std::fs::write(&path, config + more).expect("a file in the home");
    path
}

/// What whoever looks for a failure wants of the runner.
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no configuration to say it in"
)]
fn wanted() -> String {
    std::env::var("CONFORMANCE_ARGUMENTS").unwrap_or_default()
}

/// Runs the suite, and returns whether all is as it is expected.
async fn passes(world: &World, template: &Path, arguments: &[&str]) -> bool {
    let program = json!([env!("CARGO_BIN_EXE_chaperone"), "--config", "{config}"]);
    let mut command = world.node("tests/conformance/run.mjs");
    command
        .env("HOST_COMMAND", program.to_string())
        .env("HOST_CONFIG", template)
        .args(arguments)
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit());
    let status = timeout(PATIENCE, command.status())
        .await
        .expect("an end in time");
    status.expect("node starts").success()
}

#[tokio::test]
async fn the_suite_finds_through_the_program_what_it_finds_without() {
    let mut world = World::new();
    world.keychain().await;
    let provider = world.provider(json!({})).await;
    let template = template(&world, &provider);
    let (page, output) = world.sign_in("alice").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let wanted = wanted();
    if !wanted.is_empty() {
        let arguments: Vec<&str> = wanted.split_whitespace().collect();
        assert!(passes(&world, &template, &arguments).await);
        return;
    }
    assert!(passes(&world, &template, &[]).await);
    assert!(passes(&world, &template, &["--era", "legacy"]).await);
}
