//! Definitions that have to be accepted: nothing of a tool reaches a host, and no call the server, before
//! a person has accepted what it says, and again when its server says something else.

use serde_json::{Value, json};

use crate::world::World;
use crate::world::host::Host;
use crate::world::parts::Provider;

const POLICY: &str = r#"
version: "1.0"
policies:
  - {name: "all", servers: ["*"], roles: ["*"]}
"#;

/// A server that changes a definition with every call, where definitions are pinned or not.
async fn world(pinned: bool) -> (World, Provider) {
    let mut world = World::new();
    world.keychain().await;
    let provider = world.provider(json!({})).await;
    let mut command = world.node("tests/world/servers/plain.mjs");
    command.arg("only");
    let server = world.server_of(command, "only", &provider).await;
    let more = format!("[tools]\npin_definitions = {pinned}\n");
    world.configure(&provider, &[&server], &more);
    world.write_policy(POLICY);
    let (page, output) = world.sign_in("alice").await;
    assert_eq!(
        (page.status, output.status.code()),
        (200, Some(0)),
        "{output:?}"
    );
    (world, provider)
}

async fn call(host: &mut Host) -> String {
    let params = json!({"name": "only__where", "arguments": {"region": "x"}});
    host.request("tools/call", params).await.to_string()
}

async fn lists(host: &mut Host) -> bool {
    let tools = host.tools().await;
    tools.iter().any(|tool| tool == "only__where")
}

/// What a command prints as JSON, line by line.
async fn lines(world: &World, arguments: &[&str]) -> Vec<Value> {
    let output = world.run(arguments).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

async fn code(world: &World, arguments: &[&str]) -> Option<i32> {
    world.run(arguments).await.status.code()
}

async fn kinds(world: &World) -> Vec<String> {
    let records = lines(world, &["audit", "list", "--all", "--json"]).await;
    let kind = |record: &Value| record["kind"].as_str().unwrap_or_default().to_owned();
    records.iter().map(kind).collect()
}

#[tokio::test]
async fn a_definition_that_nobody_accepted_is_neither_shown_nor_used() {
    let (world, _provider) = world(true).await;
    let mut host = world.host();
    host.initialize("2025-11-25").await;
    let refused = call(&mut host).await;
    assert!(refused.contains("has not been accepted"), "{refused}");
    assert!(!lists(&mut host).await);

    let waiting = lines(&world, &["pins", "--json"]).await;
    let names: Vec<&str> = waiting
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!(names, ["only__start", "only__where"]);
    assert!(waiting.iter().all(|tool| tool["state"] == "new"));
    assert_eq!(
        code(&world, &["pins", "accept", "only__other"]).await,
        Some(2)
    );
    assert_eq!(
        code(&world, &["pins", "accept", "only__where"]).await,
        Some(0)
    );
    // A host that runs since before follows.
    assert!(lists(&mut host).await);
    let done = call(&mut host).await;
    assert!(done.contains("x under First"), "{done}");

    // The server wants another parameter repeated by now: the tool is another one.
    let changed = call(&mut host).await;
    assert!(changed.contains("-32020"), "{changed}");
    assert!(!lists(&mut host).await);
    let refused = call(&mut host).await;
    assert!(
        refused.contains("not the one that was accepted"),
        "{refused}"
    );
    let waiting = lines(&world, &["pins", "--json"]).await;
    let changed = waiting.iter().find(|tool| tool["state"] == "changed");
    assert_eq!(
        changed.expect("a changed tool")["differences"],
        json!([{
            "at": "/inputSchema/properties/region/x-mcp-header",
            "before": "\"First\"",
            "after": "\"Second\"",
        }])
    );
    assert_eq!(code(&world, &["pins", "accept", "only"]).await, Some(0));
    let done = call(&mut host).await;
    assert!(done.contains("x under Second"), "{done}");
    host.close().await;

    let records = lines(&world, &["audit", "list", "--all", "--json"]).await;
    let refusals = records.iter().filter(|record| record["kind"] == "refusal");
    let reasons: Vec<_> = refusals.map(|record| &record["reason"]).collect();
    assert_eq!(reasons, ["definition", "definition"]);
    let kinds = kinds(&world).await;
    let count = |wanted: &str| kinds.iter().filter(|kind| *kind == wanted).count();
    assert_eq!(count("definitions_accepted"), 2, "{kinds:?}");
    assert!(count("definitions_changed") > 0, "{kinds:?}");
    assert_eq!(code(&world, &["audit", "verify"]).await, Some(0));
}

#[tokio::test]
async fn without_pins_a_changed_definition_is_on_record() {
    let (world, _provider) = world(false).await;
    assert_eq!(code(&world, &["pins"]).await, Some(2));
    let mut host = world.host();
    host.initialize("2025-11-25").await;
    host.tools_with("only__where").await;
    for header in ["First", "Second"] {
        let done = call(&mut host).await;
        assert!(done.contains(header), "{done}");
    }
    host.close().await;
    let records = lines(&world, &["audit", "list", "--all", "--json"]).await;
    let changed = records
        .iter()
        .find(|record| record["kind"] == "definitions_changed")
        .expect("a record");
    assert_eq!(changed["server"], "only");
    let which = changed["reason"].as_str().expect("a text");
    assert!(which.starts_with("where: sha256:"), "{which}");
    assert!(which.contains(" in place of sha256:"), "{which}");
}

#[tokio::test]
async fn a_file_of_pins_that_cannot_be_read_accepts_nothing() {
    let (world, _provider) = world(true).await;
    assert_eq!(code(&world, &["pins", "accept", "--all"]).await, Some(0));
    let file = world.data_dir().join("pins.json");
    std::fs::write(&file, "{").expect("a damaged file");
    let mut host = world.host();
    host.initialize("2025-11-25").await;
    let refused = call(&mut host).await;
    assert!(refused.contains("has not been accepted"), "{refused}");
    host.close().await;
    // Nobody writes over what somebody may still want.
    assert_eq!(code(&world, &["pins", "accept", "--all"]).await, Some(1));
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), "{");
}
