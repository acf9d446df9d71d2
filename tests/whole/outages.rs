//! Servers that are dead, silent or slow, and those that come back.

use serde_json::json;

use crate::company::{Company, text};
use crate::world::World;
use crate::world::parts::{Kind, Server};

const OPEN: &str = r#"
version: "1.0"
policies:
  - {name: "open", servers: ["*"], roles: ["*"]}
"#;

#[tokio::test]
async fn servers_that_do_not_answer_cost_their_own_tools_only() {
    let mut world = World::new();
    world.keychain().await;
    let provider = world.provider(json!({})).await;
    let database = world.server(Kind::Database, &provider).await;
    let everything = world.server(Kind::Everything, &provider).await;
    let dead = Server::dead("gone").await;
    let silent = Server::silent("mute").await;
    for server in [&dead, &silent] {
        provider.add_resource(&server.url).await;
    }
    world.configure(&provider, &[&dead, &silent, &database, &everything], "");
    world.write_policy(OPEN);
    world.sign_in("alice").await;
    let mut host = world.host();
    host.initialize("2025-06-18").await;
    let tools = host.tools().await;
    assert!(
        tools.contains(&"database__list_tables".to_owned()),
        "{tools:?}"
    );
    assert!(tools.contains(&"everything__echo".to_owned()), "{tools:?}");
    // Slow calls of one server, a call of one that is dead, and a healthy one among them.
    let slow = json!({"name": "everything__trigger-long-running-operation", "arguments": {"duration": 2, "steps": 2}});
    let mut slow_ids = Vec::new();
    for _ in 0..3 {
        slow_ids.push(host.send("tools/call", slow.clone()).await);
    }
    let refused = host.call("gone__anything", json!({})).await;
    assert_eq!(refused["isError"], true, "{refused}");
    assert!(text(&refused).contains("\"gone\""), "{refused}");
    let healthy = host.call("database__list_tables", json!({})).await;
    assert_ne!(healthy["isError"], true, "{healthy}");
    // The healthy one was answered while the slow ones were under way.
    let status = host.call("chaperone__status", json!({})).await;
    for word in ["gone", "mute", "down"] {
        assert!(text(&status).contains(word), "{word}: {status}");
    }
    for id in slow_ids {
        let answer = host.answer(id).await;
        assert!(answer["result"].is_object(), "{answer}");
    }
    host.close().await;
}

#[tokio::test]
async fn what_does_not_answer_in_time_leaves_the_person_known() {
    let company = Company::signed_in("alice").await;
    let silent = Server::silent("mute").await;
    company.provider.add_resource(&silent.url).await;
    let file = company.world.config_file();
    let text = std::fs::read_to_string(file).expect("a configuration");
    let tables = text.replace("auth = \"sso\"", "auth = \"sso\"\nlist_timeout = \"2s\"");
    assert_ne!(text, tables, "the servers' tables are others");
    let more = silent.configuration();
    let more = more.replace("auth = \"sso\"", "auth = \"none\"\nlist_timeout = \"2s\"");
    company.world.write_configuration(&(tables + &more));
    let person = async |company: &Company, command: &str| {
        let output = company.world.run(&[command, "--json"]).await;
        assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    // A server uses up the time that there is.
    assert!(person(&company, "tools").await.contains("list_tables"));
    // So does the provider, when it is asked for a token.
    company.world.forget_tokens();
    let hold = json!({"when": "before"});
    company.provider.control("hold", hold).await;
    let status = person(&company, "status").await;
    assert!(status.contains("alice@example.test"), "{status}");
    assert!(
        status.contains("the identity provider cannot be reached"),
        "{status}"
    );
    company.provider.control("release", json!({})).await;
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again_without_a_restart() {
    let mut world = World::new();
    world.keychain().await;
    let provider = world.provider(json!({})).await;
    let place = Server::dead("database").await;
    provider.add_resource(&place.url).await;
    world.configure(&provider, &[&place], "");
    world.write_policy(OPEN);
    world.sign_in("alice").await;
    let mut host = world.host();
    host.initialize("2025-06-18").await;
    assert_eq!(host.tools().await.len(), 4);
    let database = world.server_at(Kind::Database, &provider, &place).await;
    host.method("notifications/tools/list_changed").await;
    let tables = host.call("database__list_tables", json!({})).await;
    assert_ne!(tables["isError"], true, "{tables}");
    assert_eq!(database.calls().await.len(), 1);
    host.close().await;
}

#[tokio::test]
async fn a_server_that_was_restarted_gets_a_new_session_unnoticed() {
    let company = Company::signed_in("alice").await;
    let mut world_host = company.host().await;
    world_host.call("database__list_tables", json!({})).await;
    let Company {
        mut world,
        provider,
        database,
        ..
    } = company;
    world.stop("database").await;
    let database = world.server_at(Kind::Database, &provider, &database).await;
    let again = world_host.call("database__list_tables", json!({})).await;
    assert_ne!(again["isError"], true, "{again}");
    assert_eq!(database.calls().await.len(), 1, "sent once");
    world_host.close().await;
}
