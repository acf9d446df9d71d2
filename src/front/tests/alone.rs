//! Requests that stand alone (MCP 2026-07-28).

use serde_json::{Value, json};

use super::{Scene, Scripted, raw, request, soon};
use crate::gateway::Fault;
use crate::wire::Notification;

const META: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"modern","version":"2"}"#;

/// A request with what every one of them says; `params` are further members, each with a comma.
fn alone(id: &str, method: &str, params: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}"_meta":{{{META}}}}}}}"#
    )
}

fn itself() -> Value {
    json!({
        "io.modelcontextprotocol/serverInfo":
            {"name": "chaperone", "title": "Chaperone", "version": env!("CARGO_PKG_VERSION")}
    })
}

#[tokio::test(start_paused = true)]
async fn discovery_is_answered_before_anything_is_built() {
    let mut scene = Scene::building(std::future::pending());
    let reply = scene.ask(alone("\"d\"", "server/discover", "")).await;
    let result = &reply["result"];
    assert_eq!(
        result["supportedVersions"],
        json!([
            "2026-07-28",
            "2025-11-25",
            "2025-06-18",
            "2025-03-26",
            "2024-11-05"
        ])
    );
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["capabilities"]["tools"]["listChanged"], true);
    assert_eq!(
        result["capabilities"]["extensions"],
        json!({"io.modelcontextprotocol/tasks": {}})
    );
    assert_eq!(result["_meta"], itself());
    assert!(result["ttlMs"].as_u64().is_some() && result["instructions"].is_string());
    scene.alive().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_is_served_on_its_own_terms_between_those_of_a_session() {
    let script = |asked: super::Asked| async move {
        Ok(raw(format!(
            r#"{{"params":{},"agent":"{}"}}"#,
            asked.params.get(),
            asked.agent
        )))
    };
    let mut scene = Scene::with(Scripted::new(script));
    let said = r#""name":"s__x","n":12345678901234567890123,"#;
    let line = alone("1", "tools/call", said);
    scene.say(&line).await;
    let reply = scene.line().await;
    assert!(reply.contains("12345678901234567890123"), "{reply}");
    let reply: Value = serde_json::from_str(&reply).unwrap();
    let result = &reply["result"];
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["agent"], "modern/2");
    // What is between the two ends of a connection goes no further.
    assert_eq!(result["params"].get("_meta"), None, "{reply}");
    assert_eq!(result["_meta"], itself());
    assert!(result.get("ttlMs").is_none() && result.get("cacheScope").is_none());
    let plain = request("2", "tools/call", r#"{"name":"s__x"}"#);
    let plain = scene.ask(plain).await;
    assert_eq!(plain["result"].get("resultType"), None);
}

#[tokio::test(start_paused = true)]
async fn what_hosts_may_keep_says_for_how_long_and_for_whom() {
    let script = |_| async { Ok(raw(r#"{"x":[],"cacheScope":"public","_meta":{"k":1}}"#)) };
    let mut scene = Scene::with(Scripted::new(script));
    for method in [
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
    ] {
        let reply = scene.ask(alone("1", method, "")).await;
        let kept = json!({
            "x": [], "cacheScope": "private", "_meta": {"k": 1}, "resultType": "complete", "ttlMs": 0
        });
        assert_eq!(reply["result"], kept, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn terms_that_cannot_be_met_are_refused_with_what_can() {
    let mut scene = Scene::with(Scripted::echo());
    let old = alone("1", "tools/list", "").replace("2026-07-28", "1900-01-01");
    let error = &scene.ask(old).await["error"];
    assert_eq!(error["code"], -32022);
    assert_eq!(error["data"]["requested"], "1900-01-01");
    assert_eq!(error["data"]["supported"][0], "2026-07-28");
    let bare = alone("1", "tools/list", "").replace("clientCapabilities", "other");
    assert_eq!(scene.ask(bare).await["error"]["code"], -32602);
    for method in ["ping", "logging/setLevel", "resources/subscribe"] {
        let error = &scene.ask(alone("1", method, "")).await["error"];
        assert_eq!(error["code"], -32601, "{method}");
    }
    scene.alive().await;
}

#[tokio::test(start_paused = true)]
async fn errors_have_the_codes_of_the_revision() {
    let script = |asked: super::Asked| async move {
        match asked.method.as_str() {
            "resources/read" => Err(Fault::Upstream(raw(r#"{"code":-32002,"message":"m"}"#))),
            "prompts/get" => Err(Fault::Unavailable("away".into())),
            _ => Err(Fault::Upstream(raw(r#"{"code":-32603,"message":"m"}"#))),
        }
    };
    let mut scene = Scene::with(Scripted::new(script));
    for (method, code) in [
        ("resources/read", -32602),
        ("prompts/get", 32011),
        ("completion/complete", -32603),
    ] {
        let error = &scene.ask(alone("1", method, "")).await["error"];
        assert_eq!(error["code"], code, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn notices_that_nobody_knows_come_to_whoever_stands_alone() {
    let script = |asked: super::Asked| async move {
        let notice = |method: &str| Notification {
            method: method.into(),
            params: Some(raw(r#"{"x":[]}"#)),
        };
        let Some(asides) = asked.asides else {
            return Ok(raw("{}"));
        };
        assert!(asides.notice(notice("notifications/odd")).is_ok());
        for of_others in ["notifications/resources/updated", "notifications/message"] {
            assert!(asides.notice(notice(of_others)).is_err());
        }
        Ok(raw(r#"{"asked":true}"#))
    };
    let mut scene = Scene::with(Scripted::new(script));
    let told = scene.ask(alone("1", "tools/call", "")).await;
    assert_eq!(told["method"], "notifications/odd");
    assert_eq!(scene.hear().await["result"]["asked"], true);
    let in_session = scene.ask(request("2", "tools/call", "{}")).await;
    assert_eq!(in_session["result"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn log_messages_come_to_whoever_asked_with_the_request() {
    let script = |asked: super::Asked| async move {
        let asides = asked.asides.expect("a listener");
        let tell = |level| asides.message(raw(format!(r#"{{"level":"{level}","data":1}}"#)));
        let asked = ["info", "error"].map(tell).iter().all(Result::is_ok);
        Ok(raw(format!(r#"{{"asked":{asked}}}"#)))
    };
    let mut scene = Scene::with(Scripted::new(script));
    let level = r#""io.modelcontextprotocol/logLevel":"warning","#;
    let asking = alone("1", "tools/call", "").replace(META, &format!("{level}{META}"));
    let told = scene.ask(asking.clone()).await;
    assert_eq!(told["method"], "notifications/message");
    assert_eq!(told["params"], json!({"level": "error", "data": 1}));
    assert_eq!(scene.hear().await["result"]["asked"], true);
    let plain = scene.ask(alone("2", "tools/call", "")).await;
    assert_eq!(plain["result"]["asked"], false);
    let unknown = asking.replace("warning", "loud");
    assert_eq!(scene.ask(unknown).await["error"]["code"], -32602);
}

fn listen(id: &str, filter: &str) -> String {
    alone(
        id,
        "subscriptions/listen",
        &format!(r#""notifications":{filter},"#),
    )
}

#[tokio::test(start_paused = true)]
async fn a_subscription_brings_what_it_asked_for_until_it_is_withdrawn() {
    let mut scene = Scene::with(Scripted::talking());
    let filter = r#"{"toolsListChanged":true,"resourceSubscriptions":["a:1","a:refused"]}"#;
    let acknowledged = scene.ask(listen("7", filter)).await;
    assert_eq!(
        acknowledged,
        json!({
            "jsonrpc": "2.0",
            "method": "notifications/subscriptions/acknowledged",
            "params": {
                "_meta": {"io.modelcontextprotocol/subscriptionId": 7},
                "notifications": {"toolsListChanged": true, "resourceSubscriptions": ["a:1"]},
            },
        })
    );
    // The backend tells of everything; this host has no session, so nothing else comes.
    scene.say(alone("8", "tools/call", "")).await;
    let told: Vec<Value> = vec![scene.hear().await, scene.hear().await, scene.hear().await];
    assert_eq!(told[0]["method"], "notifications/tools/list_changed");
    assert_eq!(told[1]["method"], "notifications/resources/updated");
    assert_eq!(told[1]["params"]["uri"], "a:1");
    for notice in &told[..2] {
        let tag = &notice["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
        assert_eq!(tag, 7, "{notice}");
    }
    assert_eq!(told[2]["id"], 8);
    scene
        .say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#)
        .await;
    scene.alive().await;
    let answer = scene.ask(alone("9", "tools/call", "")).await;
    assert_eq!(answer["id"], 9, "{answer}");
}

#[tokio::test(start_paused = true)]
async fn servers_are_told_when_nobody_listens_any_more() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let script = move |asked: super::Asked| {
        let tell = tell.clone();
        async move {
            let line = format!("{} {}", asked.method, asked.params.get());
            tell.send(line).unwrap();
            Ok(raw("{}"))
        }
    };
    let mut scene = Scene::with(Scripted::new(script));
    let both = r#"{"resourceSubscriptions":["a:1","a:2"]}"#;
    scene.ask(listen("1", both)).await;
    scene
        .ask(listen("2", r#"{"resourceSubscriptions":["a:2"]}"#))
        .await;
    scene
        .say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
        .await;
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.push(soon(told.recv()).await.unwrap());
    }
    let subscribed = |line: &&String| line.starts_with("resources/subscribe ");
    assert_eq!(heard.iter().filter(subscribed).count(), 3);
    assert_eq!(heard[3], r#"resources/unsubscribe {"uri":"a:1"}"#);
    scene.alive().await;
    assert!(told.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_ended_in_order_with_the_session() {
    let mut scene = Scene::with(Scripted::talking());
    scene
        .ask(listen("\"s\"", r#"{"promptsListChanged":true}"#))
        .await;
    let (rest, _) = soon(scene.leave()).await;
    let told: Vec<Value> = rest
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(told[0]["method"], "notifications/cancelled");
    assert_eq!(told[0]["params"]["requestId"], "s");
    let meta = &told[1]["result"]["_meta"];
    assert_eq!(told[1]["id"], "s");
    assert_eq!(meta["io.modelcontextprotocol/subscriptionId"], "s");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_told_to_stop_ends_subscriptions_first() {
    let mut scene = Scene::with(Scripted::talking());
    scene
        .ask(listen("5", r#"{"promptsListChanged":true}"#))
        .await;
    scene.tasks.stop();
    assert_eq!(scene.hear().await["method"], "notifications/cancelled");
    assert_eq!(scene.hear().await["id"], 5);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_cannot_be_read_is_refused() {
    let mut scene = Scene::with(Scripted::talking());
    for params in [
        "",
        r#""notifications":[],"#,
        r#""notifications":{"resourceSubscriptions":7},"#,
    ] {
        let refused = scene.ask(alone("1", "subscriptions/listen", params)).await;
        assert_eq!(refused["error"]["code"], -32602, "{params}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_claims_to_stand_alone_opens_no_session() {
    let mut scene = Scene::with(Scripted::talking());
    let reply = scene.ask(alone("1", "initialize", "")).await;
    assert_eq!(reply["error"]["code"], -32601, "{reply}");
    // Nothing is told unasked to a host without a session.
    let reply = scene.ask(alone("2", "tools/call", r#""name":"x","#)).await;
    assert_eq!(reply["id"], 2, "{reply}");
    scene.alive().await;
}

#[tokio::test(start_paused = true)]
async fn what_servers_offer_beyond_the_protocol_is_told_as_they_say_it() {
    let mut scene = Scene::with(Scripted::echo());
    scene.alive().await;
    super::settled().await;
    scene.say(alone("1", "server/discover", "")).await;
    let line = scene.line().await;
    let extensions =
        r#""extensions":{"io.modelcontextprotocol/tasks":{},"x.example/odd":{"n":1e400}}"#;
    assert!(line.contains(extensions), "{line}");
}

#[tokio::test(start_paused = true)]
async fn tasks_are_for_hosts_that_know_them() {
    let mut scene = Scene::with(Scripted::echo());
    let tasks = r#""taskId":"s:1","#;
    let reply = scene.ask(alone("1", "tasks/get", tasks)).await;
    assert_eq!(reply["error"]["code"], -32021, "{reply}");
    assert_eq!(
        reply["error"]["data"]["requiredCapabilities"]["extensions"],
        json!({"io.modelcontextprotocol/tasks": {}})
    );
    let known = alone("2", "tasks/get", tasks).replace(
        r#"clientCapabilities":{}"#,
        r#"clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
    );
    assert_eq!(scene.ask(known).await["result"]["taskId"], "s:1");
}
