//! Opening a session, from memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use tokio::sync::Notify;

use super::{Scene, Scripted, raw, request};

fn hello(revision: &str, host: &str) -> String {
    let params =
        format!(r#"{{"protocolVersion":"{revision}","capabilities":{{}},"clientInfo":{host}}}"#);
    request("0", "initialize", &params)
}

#[tokio::test(start_paused = true)]
async fn the_answer_offers_everything_in_the_revision_asked_for() {
    let mut scene = Scene::with(Scripted::echo());
    for (asked, given) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
        ("", "2025-11-25"),
    ] {
        let reply = scene
            .ask(hello(asked, r#"{"name":"h","version":"1"}"#))
            .await;
        let mut result = reply["result"].clone();
        let instructions = result["instructions"].take();
        for tool in ["sign_in", "status", "find_tools", "call_tool"] {
            let name = format!("chaperone__{tool}");
            assert!(instructions.as_str().unwrap().contains(&name), "{name}");
        }
        let expected = json!({
            "protocolVersion": given,
            "capabilities": {
                "tools": {"listChanged": true},
                "resources": {"subscribe": true, "listChanged": true},
                "prompts": {"listChanged": true},
                "completions": {},
                "logging": {},
            },
            "serverInfo": {
                "name": "chaperone",
                "title": "Chaperone",
                "version": env!("CARGO_PKG_VERSION"),
            },
            "instructions": null,
        });
        assert_eq!(result, expected, "{asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_start_delays_neither_the_opening_nor_a_ping() {
    let ready = Arc::new(Notify::new());
    let start = Arc::clone(&ready);
    let mut scene = Scene::building(async move {
        start.notified().await;
        Scripted::echo()
    });
    let reply = scene.ask(hello("2025-11-25", "{}")).await;
    assert_eq!(reply["id"], 0);
    scene.say(request("1", "tools/list", "{}")).await;
    scene.alive().await;
    ready.notify_one();
    assert_eq!(scene.hear().await["id"], 1);
}

#[tokio::test(start_paused = true)]
async fn the_backend_takes_the_host_in_once() {
    let backend = Scripted::echo();
    let mut scene = Scene::with(backend.clone());
    for _ in 0..2 {
        scene.ask(hello("2025-11-25", "{}")).await;
        scene.ask(request("1", "x", "{}")).await;
    }
    assert_eq!(backend.welcomed.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_before_the_opening_is_served() {
    let mut scene = Scene::with(Scripted::echo());
    let reply = scene
        .ask(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)
        .await;
    assert_eq!(reply["result"], json!({}), "absent parameters are none");
}

#[tokio::test(start_paused = true)]
async fn the_newer_opening_is_unknown_so_that_hosts_fall_back() {
    let mut scene = Scene::with(Scripted::echo());
    let reply = scene.ask(request("1", "server/discover", "{}")).await;
    assert_eq!(reply["error"]["code"], -32601);
}

#[tokio::test(start_paused = true)]
async fn unreadable_parameters_are_refused() {
    let mut scene = Scene::with(Scripted::echo());
    for bad in [
        r#"{"protocolVersion":5}"#,
        r#"{"protocolVersion":"2025-11-25","protocolVersion":"2024-11-05"}"#,
        r#"{"protocolversion":"2025-11-25"}"#,
    ] {
        let reply = scene.ask(request("1", "initialize", bad)).await;
        assert_eq!(reply["error"]["code"], -32602, "{bad}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_host_is_known_by_the_name_it_gives() {
    let who = Scripted::new(|asked| async move { Ok(raw(json!(asked.agent).to_string())) });
    let mut scene = Scene::with(who);
    let long = format!(r#"{{"name":"{}"}}"#, "n".repeat(300));
    for (host, known) in [
        (r#"{"name":"claude-ai","version":"1.0"}"#, "claude-ai/1.0"),
        (r#"{"name":"claude-ai","version":5}"#, "claude-ai"),
        (
            r#"{"name":"a\u0000b\u202ec","version":"\n"}"#,
            "a\u{fffd}b\u{fffd}c/\u{fffd}",
        ),
        (&long, &"n".repeat(200)),
    ] {
        scene.ask(hello("2025-11-25", host)).await;
        let reply = scene.ask(request("1", "who", "{}")).await;
        assert_eq!(reply["result"], known, "{host}");
    }
}
