//! Records that cannot leave hold back what would make more of them that matter.

use std::time::Duration;

use serde_json::{Value, json};

use crate::company::text;
use crate::sync::{PLAIN, Scene};
use crate::world::host::Host;

const POLICY: &str = "version: \"1.0\"
policies:
  - {name: all, servers: [\"*\"], roles: [\"*\"], tools: {read_only: [\"wh*\"]}}
";

/// Somebody whose records may take 16 KiB on their way to a collector.
async fn scene() -> Scene {
    let scene = Scene::of(&format!("{PLAIN}\n\n[audit]\nspool_limit = \"16KiB\"")).await;
    scene.world.write_policy(POLICY);
    scene
}

async fn call(scene: &Scene, tool: &str) -> (Option<i32>, String) {
    let output = scene
        .world
        .run(&["call", tool, "{\"region\":\"eu\"}"])
        .await;
    let told = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8(told).expect("UTF-8"),
    )
}

/// Calls from the terminal until one is refused, and returns what it was told.
async fn fill(scene: &Scene) -> String {
    for _ in 0..60 {
        match call(scene, "only__start").await {
            (Some(0), _) => {}
            (Some(3), told) => return told,
            other => panic!("{other:?}"),
        }
    }
    panic!("nothing is refused");
}

async fn host(scene: &Scene) -> Host {
    let mut host = scene.world.host();
    host.initialize("2025-11-25").await;
    host.tools_with("only__start").await;
    host
}

/// Calls what changes something until that is refused, or until it is not.
async fn until(host: &mut Host, refused: bool) -> Value {
    let mut pace = tokio::time::interval(Duration::from_millis(250));
    for _ in 0..400 {
        pace.tick().await;
        let result = host.call("only__start", json!({})).await;
        if (result["isError"] == true) == refused {
            return result;
        }
    }
    panic!("it never changes");
}

#[tokio::test]
async fn what_changes_something_waits_for_the_receiver_in_all_processes_and_goes_on_by_itself() {
    let mut scene = scene().await;
    let mut hosts = [host(&scene).await, host(&scene).await];
    for host in &mut hosts {
        until(host, false).await;
    }
    scene.close().await;
    let told = fill(&scene).await;
    for words in [
        "have not left this machine",
        "\"siem\"",
        "16 KiB and 30 days",
        "read_only",
        "chaperone sync --now",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    for host in &mut hosts {
        let refused = until(host, true).await;
        assert!(
            text(&refused).contains("have not left this machine"),
            "{refused}"
        );
        // What reads goes on, what belongs to earlier calls too; what nobody knows does not.
        assert_ne!(
            host.call("only__where", json!({"region": "eu"})).await["isError"],
            true
        );
        let task = host
            .request("tasks/get", json!({"taskId": "only:task:1"}))
            .await;
        assert!(task["result"].is_object(), "{task}");
        let odd = host.request("odd/method", json!({})).await;
        assert!(
            odd["error"]["message"]
                .as_str()
                .is_some_and(|why| why.contains("Not sent")),
            "{odd}"
        );
    }
    assert_eq!(call(&scene, "only__where").await.0, Some(0));
    scene.open().await;
    for host in &mut hosts {
        until(host, false).await;
    }
    for host in hosts {
        host.close().await;
    }
    assert_eq!(scene.sync().await.0, Some(0));
    assert_eq!(call(&scene, "only__start").await.0, Some(0));
    assert_eq!(scene.sync().await.0, Some(0));
    scene.assert_all_arrived(&[]).await;
}

#[tokio::test]
async fn refusals_are_on_record_and_every_report_says_why() {
    let mut scene = scene().await;
    scene.close().await;
    fill(&scene).await;
    let log = scene.log().await;
    let refusal: Value = serde_json::from_str(log.last().expect("a record")).expect("JSON");
    assert_eq!(refusal["kind"], "refusal");
    assert_eq!(refusal["decision"], "spool_full");
    assert_eq!(refusal["policy"], "all");
    assert_eq!(refusal["tool_name"], "start");
    let reason = refusal["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("KiB) wait for the sink \"siem\" since 20"),
        "{reason}"
    );
    for command in ["status", "sync"] {
        let plain = scene.world.run(&[command]).await;
        let plain = String::from_utf8(plain.stdout).expect("UTF-8");
        assert!(
            plain.contains("only tools that the policy names under read_only"),
            "{plain}"
        );
        let json = scene.world.run(&[command, "--json"]).await;
        let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
        let sink = if command == "sync" {
            &json
        } else {
            &json["audit"]["sinks"][0]
        };
        assert_eq!(sink["over_limit"], true, "{json}");
        assert!(sink["waiting_bytes"].as_u64() > Some(16 << 10), "{json}");
    }
    let shown = scene
        .world
        .run(&["audit", "show", &refusal["seq"].to_string()])
        .await;
    let shown = String::from_utf8(shown.stdout).expect("UTF-8");
    assert!(
        shown.contains("too much waited to be sent; permitted by the policy all"),
        "{shown}"
    );
    let explained = scene
        .world
        .run(&["policy", "explain", "only__where", "--json"])
        .await;
    let explained: Value = serde_json::from_slice(&explained.stdout).expect("JSON");
    assert_eq!(explained["read_only"], true);
}
