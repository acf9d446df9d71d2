//! Sign-in, calls, the record, the credential manager, and the end, as on other systems.

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use crate::company::{Company, text};
use crate::world::browser;
use crate::world::{PATIENCE, World};

#[tokio::test]
async fn one_sign_in_serves_the_servers_under_the_policy() {
    let company = Company::of(World::windows(), "").await;
    company.sign_in("alice").await;
    let mut host = company.host().await;
    let tools = host.tools().await;
    assert!(
        tools.iter().any(|tool| tool == "database__query_database"),
        "{tools:?}"
    );
    assert!(
        !tools.iter().any(|tool| tool == "database__drop_table"),
        "{tools:?}"
    );
    let rows = host
        .call("database__query_database", json!({"sql": "select 1"}))
        .await;
    assert_ne!(rows["isError"], true, "{rows}");
    let echo = host
        .call("everything__echo", json!({"message": "h\u{e9}llo"}))
        .await;
    assert!(text(&echo).contains("h\u{e9}llo"), "{echo}");
    // The host's end of the pipe is closed, and the program ends by itself.
    host.close().await;
    assert_eq!(company.database.calls().await.len(), 1);
    let record = company.record().await;
    let outcomes = record.iter().filter(|one| one["kind"] == "outcome").count();
    assert_eq!(outcomes, 2, "{record:?}");
    company.assert_intact().await;
    // Another process finds the session, which is in the credential manager.
    let (who, code) = company.json(&["whoami", "--json"]).await;
    assert_eq!(code, Some(0), "{who:?}");
    assert_eq!(who[0]["user"], "alice@example.test", "{who:?}");
    let output = company.world.run(&["logout"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = company.world.run(&["whoami"]).await;
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert_eq!(company.provider.count("live_refresh_tokens").await, 0);
}

#[tokio::test]
async fn processes_share_one_log_and_one_session_and_may_be_killed() {
    let company = Company::of(World::windows(), "[audit]\ndurability = \"process\"\n").await;
    company.sign_in("alice").await;
    let one = async || {
        let mut host = company.host().await;
        for n in 0..5 {
            let message = json!({"message": n.to_string()});
            host.call("everything__echo", message).await;
        }
        host
    };
    let mut hosts = join_all([one(), one(), one()]).await;
    for host in hosts.drain(1..) {
        host.close().await;
    }
    let mut killed = hosts.remove(0);
    killed
        .send(
            "tools/call",
            json!({"name": "everything__echo", "arguments": {"message": "x"}}),
        )
        .await;
    killed.kill().await;
    let mut host = company.host().await;
    host.call("everything__echo", json!({"message": "after"}))
        .await;
    host.close().await;
    let record = company.record().await;
    let count = |kind: &str| record.iter().filter(|one| one["kind"] == kind).count();
    assert!(count("intent") >= 16, "{}", count("intent"));
    assert_eq!(
        count("intent"),
        count("outcome"),
        "every intent has one outcome"
    );
    let numbers: Vec<_> = record
        .iter()
        .filter_map(|one| one["seq"].as_u64())
        .collect();
    assert!((0..).zip(&numbers).all(|(n, seq)| n == *seq), "{numbers:?}");
    company.assert_intact().await;
}

#[tokio::test]
async fn the_link_is_opened_without_a_shell_and_leads_back() {
    let company = Company::of(World::windows(), "").await;
    let mut command = company.world.chaperone(&["login", "--timeout", "60"]);
    let mut child = command.spawn().expect("the program starts");
    let link = async {
        loop {
            if let Some(link) = company.world.opened().pop() {
                break link;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let link = timeout(PATIENCE, link)
        .await
        .expect("a link that was opened");
    assert!(
        link.starts_with(&company.provider.url) && link.contains('&'),
        "{link}"
    );
    let page = browser::sign_in(&link, "alice").await;
    assert_eq!(page.status, 200, "{page:?}");
    let ended = timeout(PATIENCE, child.wait())
        .await
        .expect("an end in time");
    assert_eq!(ended.expect("an exit status").code(), Some(0));
}
