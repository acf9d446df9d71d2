//! The main job, from one end to the other: sign in once, use several servers under the policy, and
//! find every call in a log that verifies.

use serde_json::json;

use crate::company::{Company, text};
use crate::world::host::{Driver, Host};

#[tokio::test]
async fn one_sign_in_serves_three_servers_under_the_policy() {
    let company = Company::signed_in("alice").await;
    let mut host = company.host().await;
    let tools = host.tools().await;
    for shown in [
        "database__query_database",
        "everything__echo",
        "chaperone__status",
    ] {
        assert!(tools.iter().any(|tool| tool == shown), "{shown}: {tools:?}");
    }
    for hidden in ["database__drop_table", "deploy__deploy_staging"] {
        assert!(
            !tools.iter().any(|tool| tool == hidden),
            "{hidden}: {tools:?}"
        );
    }
    let rows = host
        .call("database__query_database", json!({"sql": "select 1"}))
        .await;
    assert_eq!(
        rows.get("isError").unwrap_or(&json!(false)),
        &json!(false),
        "{rows}"
    );
    let echo = host
        .call("everything__echo", json!({"message": "héllo"}))
        .await;
    assert!(text(&echo).contains("héllo"), "{echo}");
    let hidden = json!({"name": "database__drop_table", "arguments": {"table": "x"}});
    let hidden = host.request("tools/call", hidden).await;
    assert_eq!(hidden["error"]["code"], -32602, "{hidden}");
    assert_eq!(
        hidden["error"]["message"],
        "Unknown tool: database__drop_table"
    );
    host.close().await;
    assert_recorded(&company).await;
}

/// What the server saw is what was recorded, under one name.
async fn assert_recorded(company: &Company) {
    let calls = company.database.calls().await;
    let [call] = calls.as_slice() else {
        panic!("{calls:?}")
    };
    let record = company.record().await;
    let intent = record
        .iter()
        .find(|one| one["request_id"] == call["request_id"])
        .expect("an intent");
    assert_eq!(intent["kind"], "intent");
    assert_eq!(intent["tool_name"], "query_database");
    assert_eq!(intent["user_id"], "alice@example.test");
    assert_eq!(intent["agent_id"], "world/1");
    assert_eq!(intent["policy"], "database-access");
    let outcome = record
        .iter()
        .filter(|one| one["request_id"] == call["request_id"])
        .nth(1);
    assert_eq!(outcome.expect("an outcome")["outcome"], "success");
    let refusal = record
        .iter()
        .find(|one| one["kind"] == "refusal")
        .expect("a refusal");
    assert_eq!(refusal["tool_name"], "drop_table");
    assert_eq!(refusal["reason"], "denied", "{refusal}");
    let trace = call["traceparent"].as_str().expect("a trace");
    assert_eq!(trace.split('-').nth(1), intent["trace_id"].as_str());
    company.assert_intact().await;
}

#[tokio::test]
async fn hosts_that_others_made_use_the_servers() {
    let company = Company::signed_in("alice").await;
    let program = env!("CARGO_BIN_EXE_chaperone");
    for driver in [
        Driver::Sdk,
        Driver::Inspector,
        Driver::Python,
        Driver::Client("auto"),
        Driver::Client("2026-07-28"),
    ] {
        let arguments = json!({"message": "hello"});
        let seen = company
            .world
            .drive(driver, &[program], "everything__echo", arguments)
            .await;
        assert_eq!(seen["is_error"], false, "{driver:?}: {seen}");
        assert!(
            seen["text"]
                .as_str()
                .is_some_and(|text| text.contains("hello")),
            "{seen}"
        );
        let tools = seen["tools"].as_array().expect("tools");
        assert!(
            tools.contains(&json!("database__query_database")),
            "{driver:?}: {seen}"
        );
        if let Driver::Client(_) = driver {
            assert_eq!(seen["revision"], "2026-07-28", "{seen}");
        }
    }
    let record = company.record().await;
    let intents = record.iter().filter(|record| record["kind"] == "intent");
    let agents: Vec<_> = intents
        .filter_map(|intent| intent["agent_id"].as_str())
        .collect();
    assert!(agents.contains(&"client-host/2"), "{agents:?}");
    company.assert_intact().await;
}

#[tokio::test]
async fn a_tool_that_needs_an_approval_is_listed_and_refused_with_that_reason() {
    let company = Company::signed_in("bob").await;
    let mut host = company.host().await;
    host.tools_with("deploy__deploy_production").await;
    let refused = host
        .call("deploy__deploy_production", json!({"version": "1"}))
        .await;
    assert_eq!(refused["isError"], true);
    assert!(text(&refused).contains("platform-lead"), "{refused}");
    let done = host
        .call("deploy__deploy_staging", json!({"version": "1"}))
        .await;
    assert_eq!(text(&done), "1 is on staging");
    assert_eq!(company.deploy.calls().await.len(), 1);
    host.close().await;
}

/// The link that a call without a session is answered with; where making it takes more than a second, a
/// later call has it.
async fn link(host: &mut Host) -> String {
    let call = json!({"sql": "select 1"});
    for _ in 0..20 {
        let asked = host.call("database__query_database", call.clone()).await;
        assert_eq!(asked["isError"], true, "{asked}");
        let said = text(&asked);
        let mut words = said.split_whitespace();
        if let Some(link) = words.find(|word| word.starts_with("http")) {
            return link.to_owned();
        }
    }
    panic!("there is never a link");
}

#[tokio::test]
async fn a_host_without_a_session_signs_in_through_the_link_and_goes_on() {
    let company = Company::new("").await;
    let mut host = company.host().await;
    let tools = host.tools().await;
    assert_eq!(tools.len(), 4, "{tools:?}");
    let link = link(&mut host).await;
    let page = crate::world::browser::sign_in(&link, "alice").await;
    assert_eq!(page.status, 200, "{page:?}");
    host.method("notifications/tools/list_changed").await;
    let rows = host
        .call("database__query_database", json!({"sql": "select 1"}))
        .await;
    assert_ne!(rows["isError"], true, "{rows}");
    let found = host
        .call("chaperone__find_tools", json!({"query": "echo"}))
        .await;
    assert!(text(&found).contains("everything__echo"), "{found}");
    let inner = json!({"name": "everything__echo", "arguments": {"message": "through"}});
    let echo = host.call("chaperone__call_tool", inner).await;
    assert!(text(&echo).contains("through"), "{echo}");
    host.close().await;
    // The session outlives the host that asked for it.
    let (who, code) = company.json(&["whoami", "--json"]).await;
    assert_eq!(
        (who[0]["user"].as_str(), code),
        (Some("alice@example.test"), Some(0))
    );
    let record = company.record().await;
    let refused: Vec<_> = record.iter().filter(|r| r["kind"] == "refusal").collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0]["decision"], "not_signed_in");
    assert_eq!(refused[0]["tool_args"]["sql"], "select 1");
    company.assert_intact().await;
}

#[tokio::test]
async fn after_logout_nothing_is_sent() {
    let company = Company::signed_in("alice").await;
    let mut host = company.host().await;
    host.call("database__list_tables", json!({})).await;
    let seen = company.database.seen().await.len();
    let output = company.world.run(&["logout"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(company.provider.count("revoke").await, 1);
    assert_eq!(company.provider.count("live_refresh_tokens").await, 0);
    let refused = host.call("database__list_tables", json!({})).await;
    assert_eq!(refused["isError"], true);
    assert!(text(&refused).contains("Sign-in needed"), "{refused}");
    assert_eq!(company.database.calls().await.len(), 1);
    assert_eq!(company.database.seen().await.len(), seen);
    let output = company.world.run(&["whoami"]).await;
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    host.close().await;
    company.assert_intact().await;
}
