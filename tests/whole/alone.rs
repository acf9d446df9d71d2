//! Hosts whose requests stand alone (MCP 2026-07-28).

use serde_json::{Value, json};

use crate::company::Company;

/// Parameters with what every such request says of itself.
fn alone(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "alone", "version": "1"},
    });
    params
}

#[tokio::test]
async fn one_subscription_brings_the_changes_of_all_servers() {
    let company = Company::signed_in("alice").await;
    let mut host = company.world.host();
    let uri = "demo://resource/dynamic/text/1";
    let filter = json!({"toolsListChanged": true, "resourceSubscriptions": [uri, "nowhere:///x"]});
    let id = host
        .send(
            "subscriptions/listen",
            alone(json!({"notifications": filter})),
        )
        .await;
    let acknowledged = host
        .method("notifications/subscriptions/acknowledged")
        .await;
    assert_eq!(
        acknowledged["params"]["notifications"],
        json!({"toolsListChanged": true, "resourceSubscriptions": [uri]})
    );
    let toggle = json!({"name": "everything__toggle-subscriber-updates", "arguments": {}});
    host.send("tools/call", alone(toggle)).await;
    let updated = host.method("notifications/resources/updated").await;
    assert_eq!(updated["params"]["uri"], uri);
    let tag = &updated["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
    assert_eq!(tag, id, "{updated}");
    host.close().await;
    let record = company.record().await;
    let intents = record.iter().filter(|record| record["kind"] == "intent");
    let methods: Vec<_> = intents
        .map(|intent| (intent["method"].as_str(), intent["agent_id"].as_str()))
        .collect();
    for method in ["resources/subscribe", "tools/call"] {
        assert!(
            methods.contains(&(Some(method), Some("alone/1"))),
            "{methods:?}"
        );
    }
    company.assert_intact().await;
}

#[tokio::test]
async fn every_request_is_served_without_a_handshake_and_beside_one() {
    let company = Company::signed_in("alice").await;
    let mut host = company.world.host();
    let discovered = host.result("server/discover", alone(json!({}))).await;
    assert_eq!(discovered["supportedVersions"][0], "2026-07-28");
    let list = host.result("tools/list", alone(json!({}))).await;
    assert_eq!(
        (&list["resultType"], &list["cacheScope"]),
        (&json!("complete"), &json!("private"))
    );
    let names = |list: &Value| -> Vec<String> {
        let tools = list["tools"].as_array().expect("a list");
        tools
            .iter()
            .filter_map(|tool| tool["name"].as_str().map(Into::into))
            .collect()
    };
    let echo = json!({"name": "everything__echo", "arguments": {"message": "alone"}});
    let echoed = host.result("tools/call", alone(echo.clone())).await;
    assert!(
        echoed["content"][0]["text"]
            .as_str()
            .is_some_and(|text| text.contains("alone"))
    );
    assert_eq!(echoed["resultType"], "complete");
    let denied = host
        .request(
            "tools/call",
            alone(json!({"name": "database__drop_table", "arguments": {}})),
        )
        .await;
    assert_eq!(denied["error"]["code"], -32602, "{denied}");

    host.initialize("2025-11-25").await;
    let in_session = host.result("tools/list", json!({})).await;
    assert_eq!(in_session.get("resultType"), None);
    assert_eq!(names(&in_session), names(&list));
    let echoed = host.result("tools/call", echo).await;
    assert_eq!(echoed.get("resultType"), None);
    let missing = alone(json!({"uri": "nowhere:///x"}));
    let missing = host.request("resources/read", missing).await;
    assert_eq!(missing["error"]["code"], -32602, "{missing}");
    host.close().await;
    company.assert_intact().await;
}

#[tokio::test]
async fn a_hosts_trace_goes_on_through_the_record_to_the_server() {
    let company = Company::signed_in("alice").await;
    let mut host = company.host().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let given = format!("00-{trace}-00f067aa0ba902b7-01");
    let params = json!({
        "name": "database__list_tables",
        "arguments": {},
        "_meta": {"traceparent": given, "tracestate": "vendor=1"},
    });
    let done = host.result("tools/call", params).await;
    assert_ne!(done["isError"], true, "{done}");
    host.close().await;
    let calls = company.database.calls().await;
    let sent = calls[0]["traceparent"].as_str().expect("a header");
    assert!(sent.starts_with(&format!("00-{trace}-")), "{sent}");
    // The span is our own, below the host's.
    assert_ne!(sent, given);
    let record = company.record().await;
    let mut intents = record.iter().filter(|record| record["kind"] == "intent");
    assert!(
        intents.any(|intent| intent["trace_id"] == trace),
        "{record:?}"
    );
}
