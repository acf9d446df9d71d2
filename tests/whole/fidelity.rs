//! What chaperone does not know passes, and what servers call the same stays apart.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::World;
use crate::world::host::Host;
use crate::world::parts::{Provider, Server};

const POLICY: &str = r#"
version: "1.0"
policies:
  - name: "all"
    servers: ["*"]
    roles: ["*"]
"#;

/// Servers without a library of the protocol, and a host that somebody has signed in for.
async fn world(names: &[&str]) -> (World, Provider, Host) {
    let mut world = World::new();
    world.keychain().await;
    let provider = world.provider(json!({})).await;
    let mut servers = Vec::new();
    for name in names {
        let mut command = world.node("tests/world/servers/plain.mjs");
        command.arg(name);
        servers.push(world.server_of(command, name, &provider).await);
    }
    let servers: Vec<&Server> = servers.iter().collect();
    world.configure(&provider, &servers, "");
    world.write_policy(POLICY);
    let (page, output) = world.sign_in("alice").await;
    assert_eq!(
        (page.status, output.status.code()),
        (200, Some(0)),
        "{output:?}"
    );
    let host = world.host();
    (world, provider, host)
}

fn alone(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities":
            {"extensions": {"io.modelcontextprotocol/tasks": {}}},
    });
    params
}

#[tokio::test]
async fn tasks_of_two_servers_never_meet() {
    let (world, _provider, mut host) = world(&["left", "right"]).await;
    host.result("tools/list", alone(json!({}))).await;
    for name in ["left", "right"] {
        let start = json!({"name": format!("{name}__start"), "arguments": {}});
        let task = host.result("tools/call", alone(start)).await;
        assert_eq!(task["resultType"], "task", "{task}");
        assert_eq!(task["taskId"], format!("{name}:task:1"));
        let asked = json!({"taskId": task["taskId"]});
        let done = host.result("tasks/get", alone(asked)).await;
        assert_eq!(done["result"]["content"][0]["text"], name, "{done}");
        assert_eq!(done["taskId"], task["taskId"]);
    }
    let discovered = host.result("server/discover", alone(json!({}))).await;
    let offered = &discovered["capabilities"]["extensions"];
    assert_eq!(offered["x.example/odd"]["by"], "left", "{offered}");
    let nobody = host
        .request("tasks/get", alone(json!({"taskId": "task:1"})))
        .await;
    assert_eq!(nobody["error"]["code"], -32602, "{nobody}");
    host.close().await;
    let verified = world.run(&["audit", "verify"]).await;
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}

#[tokio::test]
async fn a_method_that_nobody_knows_goes_where_it_can_only_be_meant_for() {
    let (_world, _provider, mut host) = world(&["only"]).await;
    host.initialize("2025-11-25").await;
    host.tools().await;
    let echoed = host
        .result("odd/method", json!({"odd": [1, {"a": null}]}))
        .await;
    assert_eq!(echoed, json!({"echoed": [1, {"a": null}], "by": "only"}));
    let unknown = host.request("odder/method", json!({})).await;
    assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
    host.close().await;

    let (_world, _provider, mut host) = world(&["left", "right"]).await;
    host.initialize("2025-11-25").await;
    host.tools().await;
    let whose = host.request("odd/method", json!({})).await;
    assert_eq!(whose["error"]["code"], -32601, "{whose}");
    let named = json!({"name": "right__start", "odd": 1});
    let echoed = host.result("odd/method", named).await;
    assert_eq!(echoed["by"], "right", "{echoed}");
    host.close().await;
}

#[tokio::test]
async fn a_head_that_repeats_other_parameters_by_now_is_made_anew() {
    let (_world, _provider, mut host) = world(&["only"]).await;
    host.initialize("2025-11-25").await;
    host.tools_with("only__where").await;
    for header in ["First", "Second"] {
        let done = host.call("only__where", json!({"region": "süd"})).await;
        let text = format!("süd under {header}");
        assert_eq!(done["content"][0]["text"], text.as_str(), "{done}");
    }
    host.close().await;
}

#[tokio::test]
async fn a_change_of_which_no_server_tells_is_seen_by_a_host_that_goes_on_listing() {
    let (_world, _provider, mut host) = world(&["only"]).await;
    host.initialize("2025-11-25").await;
    host.tools_with("only__where").await;
    host.call("only__where", json!({"region": "x"})).await;
    let mut pace = tokio::time::interval(Duration::from_millis(250));
    // Some ten times as often as it takes.
    for _ in 0..200 {
        pace.tick().await;
        let list = host.result("tools/list", json!({})).await;
        if list.to_string().contains(r#""x-mcp-header":"Second""#) {
            host.close().await;
            return;
        }
    }
    panic!("the list stays as it was");
}

/// What a server has heard, once there is something.
async fn heard(host: &mut Host, params: Value) -> Value {
    for _ in 0..1000 {
        let heard = host.result("odd/heard", params.clone()).await;
        if heard["heard"] != json!([]) {
            return heard["heard"].clone();
        }
    }
    panic!("nothing is heard");
}

#[tokio::test]
async fn a_notification_that_nobody_knows_goes_where_it_can_only_be_meant_for() {
    let (world, _provider, mut host) = world(&["only"]).await;
    host.initialize("2025-11-25").await;
    host.tools().await;
    host.write(r#"{"jsonrpc":"2.0","method":"notifications/odd","params":{"odd":[1,{"a":null}]}}"#)
        .await;
    let told = heard(&mut host, json!({})).await;
    let expected = json!([{
        "method": "notifications/odd",
        "params": {"odd": [1, {"a": null}]},
        "terms": "2026-07-28",
    }]);
    assert_eq!(told, expected);
    host.close().await;
    let output = world.run(&["audit", "list", "--all", "--json"]).await;
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let records: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(r#""method":"notifications/odd""#))
        .collect();
    assert_eq!(records.len(), 2, "{text}");

    let (_world, _provider, mut host) = self::world(&["left", "right"]).await;
    host.initialize("2025-11-25").await;
    host.tools_with("right__start").await;
    host.write(r#"{"jsonrpc":"2.0","method":"notifications/nobodys"}"#)
        .await;
    host.write(
        r#"{"jsonrpc":"2.0","method":"notifications/odd","params":{"name":"right__start"}}"#,
    )
    .await;
    let told = heard(&mut host, json!({"name": "right__start"})).await;
    assert_eq!(told.as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(told[0]["params"], json!({"name": "start"}));
    let left = host
        .result("odd/heard", json!({"name": "left__start"}))
        .await;
    assert_eq!(left["heard"], json!([]));
    host.close().await;
}
