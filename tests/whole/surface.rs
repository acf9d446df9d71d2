//! Prompts, resources, completion, logging and scopes, through a host.

use serde_json::json;

use crate::company::{Company, POLICY, text};

#[tokio::test]
async fn prompts_completion_and_levels_reach_their_server() {
    let company = Company::signed_in("alice").await;
    let mut host = company.host().await;
    let prompts = host.result("prompts/list", json!({})).await;
    let prompts = prompts["prompts"].as_array().expect("prompts").clone();
    let names: Vec<_> = prompts
        .iter()
        .filter_map(|prompt| prompt["name"].as_str())
        .collect();
    assert!(names.contains(&"everything__simple-prompt"), "{names:?}");
    let prompt = host
        .result("prompts/get", json!({"name": "everything__simple-prompt"}))
        .await;
    assert!(prompt["messages"].is_array(), "{prompt}");
    let unknown = host
        .request("prompts/get", json!({"name": "nobody__none"}))
        .await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");

    let reference = json!({"type": "ref/prompt", "name": "everything__completable-prompt"});
    let argument = json!({"name": "department", "value": "S"});
    let completion = json!({"ref": reference, "argument": argument});
    let completion = host.result("completion/complete", completion).await;
    assert!(
        completion["completion"]["values"].is_array(),
        "{completion}"
    );
    let level = host
        .result("logging/setLevel", json!({"level": "debug"}))
        .await;
    assert_eq!(level, json!({}));
    host.close().await;
    assert_on_record(&company, &["prompts/get", "completion/complete"]).await;
}

#[tokio::test]
async fn resources_and_templates_reach_their_server() {
    let company = Company::signed_in("alice").await;
    let mut host = company.host().await;
    let resources = host.result("resources/list", json!({})).await;
    let resources = resources["resources"].as_array().expect("a list");
    let mut uris = resources.iter().filter_map(|one| one["uri"].as_str());
    let uri = uris
        .find(|uri| uri.starts_with("demo:"))
        .expect("a resource");
    let read = host.result("resources/read", json!({"uri": uri})).await;
    assert_eq!(read["contents"][0]["uri"], uri, "{read}");
    let templates = host.result("resources/templates/list", json!({})).await;
    assert!(
        templates["resourceTemplates"][0]["uriTemplate"].is_string(),
        "{templates}"
    );
    let dynamic = json!({"uri": "demo://resource/dynamic/text/7"});
    let dynamic = host.result("resources/read", dynamic).await;
    assert!(dynamic["contents"][0]["text"].is_string(), "{dynamic}");
    let missing = host
        .request("resources/read", json!({"uri": "nowhere:///x"}))
        .await;
    assert_eq!(missing["error"]["code"], -32002, "{missing}");

    let subscribed = host
        .request("resources/subscribe", json!({"uri": uri}))
        .await;
    assert!(subscribed["result"].is_object(), "{subscribed}");
    host.close().await;
    assert_on_record(&company, &["resources/read", "resources/subscribe"]).await;
}

async fn assert_on_record(company: &Company, methods: &[&str]) {
    let record = company.record().await;
    for method in methods {
        let found = record
            .iter()
            .any(|one| one["kind"] == "intent" && one["method"] == *method);
        assert!(found, "{method} is on record");
    }
    company.assert_intact().await;
}

#[tokio::test]
async fn every_handshake_revision_is_spoken_and_newer_hosts_fall_back() {
    let company = Company::signed_in("alice").await;
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut host = company.world.host();
        assert_eq!(host.initialize(revision).await["protocolVersion"], revision);
        let echo = host
            .call("everything__echo", json!({"message": revision}))
            .await;
        assert!(text(&echo).contains(revision), "{echo}");
        host.close().await;
    }
    let mut host = company.world.host();
    assert_eq!(
        host.request("server/discover", json!({})).await["error"]["code"],
        -32601
    );
    assert_eq!(
        host.initialize("2099-01-01").await["protocolVersion"],
        "2025-11-25"
    );
    host.close().await;
}

#[tokio::test]
async fn scopes_mean_what_they_say() {
    for (scopes, listed, resources) in [
        ("\"mcp:tools:read\", \"mcp:tools:execute\"", true, false),
        ("\"mcp:tools:read\", \"mcp:resources:read\"", false, true),
        ("\"mcp:tools:execute\"", false, false),
    ] {
        let company = Company::new("").await;
        let path = company.world.config_file();
        let config = std::fs::read_to_string(path).expect("a configuration");
        let all =
            "\"mcp:tools:read\", \"mcp:tools:execute\", \"mcp:resources:read\", \"mcp:admin\"";
        assert!(config.contains(all), "{config}");
        company
            .world
            .write_configuration(&config.replace(all, scopes));
        company.world.write_policy(POLICY);
        company.sign_in("alice").await;
        let mut host = company.host().await;
        let tools = host.tools().await;
        assert_eq!(
            tools.contains(&"everything__echo".to_owned()),
            listed,
            "{scopes}: {tools:?}"
        );
        let call = json!({"name": "everything__echo", "arguments": {"message": "x"}});
        let answer = host.request("tools/call", call).await;
        assert_eq!(answer.get("error").is_none(), listed, "{scopes}: {answer}");
        let found = host.result("resources/list", json!({})).await;
        let found = found["resources"].as_array().expect("a list");
        assert_eq!(!found.is_empty(), resources, "{scopes}: {found:?}");
        host.close().await;
    }
}

#[tokio::test]
async fn the_rate_of_a_policy_holds_across_hosts() {
    let company = Company::new("").await;
    let limited = POLICY.replacen(
        "    tools:\n      allowed: [\"query_database\"",
        "    rate_limit:\n      requests_per_minute: 3\n    tools:\n      allowed: [\"query_database\"",
        1,
    );
    company.world.write_policy(&limited);
    company.sign_in("alice").await;
    let (mut one, mut two) = (company.host().await, company.host().await);
    for turn in 0..3 {
        let host = if turn == 1 { &mut two } else { &mut one };
        let done = host.call("database__list_tables", json!({})).await;
        assert_ne!(done["isError"], true, "{done}");
    }
    let refused = two.call("database__list_tables", json!({})).await;
    assert_eq!(refused["isError"], true, "{refused}");
    assert!(text(&refused).contains("3 calls a minute"), "{refused}");
    assert_eq!(company.database.calls().await.len(), 3);
    one.close().await;
    two.close().await;
}

#[tokio::test]
async fn prompts_and_resources_that_the_policy_does_not_allow_are_neither_listed_nor_given() {
    let company = Company::signed_in("alice").await;
    company.world.write_policy(
        "version: \"1.0\"\npolicies:\n- name: some\n  servers: [everything]\n  roles: [\"*\"]\n  \
         prompts: {denied: [simple-prompt]}\n  resources: {allowed: [\"demo://resource/dynamic/text*\"]}\n",
    );
    let mut host = company.host().await;
    let names = |list: &serde_json::Value, key: &str, member: &str| -> Vec<String> {
        let items = list[key].as_array().expect("a list").iter();
        items
            .filter_map(|item| item[member].as_str().map(Into::into))
            .collect()
    };
    let prompts = host.result("prompts/list", json!({})).await;
    let prompts = names(&prompts, "prompts", "name");
    assert!(!prompts.is_empty(), "{prompts:?}");
    assert!(
        !prompts.contains(&"everything__simple-prompt".into()),
        "{prompts:?}"
    );
    let denied = json!({"name": "everything__simple-prompt"});
    let denied = host.request("prompts/get", denied).await;
    assert_eq!(denied["error"]["code"], -32602, "{denied}");

    let resources = host.result("resources/list", json!({})).await;
    assert_eq!(names(&resources, "resources", "uri"), [""; 0]);
    let templates = host.result("resources/templates/list", json!({})).await;
    let templates = names(&templates, "resourceTemplates", "uriTemplate");
    assert_eq!(templates, ["demo://resource/dynamic/text/{resourceId}"]);
    let allowed = json!({"uri": "demo://resource/dynamic/text/1"});
    let read = host.request("resources/read", allowed).await;
    assert!(read["result"].is_object(), "{read}");
    let refused = json!({"uri": "demo://resource/dynamic/blob/1"});
    let refused = host.request("resources/read", refused).await;
    assert_eq!(refused["error"]["code"], -32002, "{refused}");
    host.close().await;
    let record = company.record().await;
    let rules: Vec<_> = record
        .iter()
        .filter(|record| record["kind"] == "refusal")
        .map(|refusal| refusal["reason"].as_str())
        .collect();
    assert_eq!(rules, [Some("denied"), Some("not_allowed")]);
    company.assert_intact().await;
}

#[tokio::test]
async fn a_changed_policy_counts_from_the_next_request_on() {
    let company = Company::signed_in("alice").await;
    let mut host = company.host().await;
    assert!(
        host.tools()
            .await
            .contains(&"database__list_tables".to_owned())
    );
    company
        .world
        .write_policy("version: \"1.0\"\npolicies: []\n");
    let refused = host.call("database__list_tables", json!({})).await;
    assert_eq!(refused["isError"], true, "{refused}");
    assert_eq!(host.tools().await.len(), 4);
    company.world.write_policy("not a policy");
    let refused = host.call("database__list_tables", json!({})).await;
    assert!(text(&refused).contains("policy"), "{refused}");
    company.world.write_policy(POLICY);
    let done = host.call("database__list_tables", json!({})).await;
    assert_ne!(done["isError"], true, "{done}");
    host.close().await;
}
