//! Processes that are killed, and many at once: one log without a gap, one session.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::company::{Company, text};

#[tokio::test]
async fn killed_at_twenty_points_every_call_that_a_server_saw_has_its_intent() {
    let company = Company::signed_in("alice").await;
    for round in 0..20 {
        let mut host = company.host().await;
        let mut ids = Vec::new();
        for call in 0..6 {
            let sql = format!("select {round} from dual where n = {call}");
            let params = json!({"name": "database__query_database", "arguments": {"sql": sql}});
            ids.push(host.send("tools/call", params).await);
        }
        // After none, some or all of the answers: at other points of the calls each time.
        for id in ids.iter().take(round % 7) {
            host.answer(*id).await;
        }
        host.kill().await;
    }
    // Whoever comes next closes what was left open.
    let mut host = company.host().await;
    host.call("database__list_tables", json!({})).await;
    host.close().await;
    let record = company.record().await;
    let intents: BTreeSet<&str> = record
        .iter()
        .filter(|one| one["kind"] == "intent")
        .filter_map(|one| one["request_id"].as_str())
        .collect();
    let seen = company.database.calls().await;
    assert!(
        seen.len() > 20,
        "the calls reached the server: {}",
        seen.len()
    );
    for call in &seen {
        let id = call["request_id"].as_str().expect("a request id");
        assert!(intents.contains(id), "{call}");
    }
    let outcomes = record.iter().filter(|one| one["kind"] == "outcome").count();
    assert_eq!(outcomes, intents.len(), "every intent has one outcome");
    company.assert_intact().await;
}

#[tokio::test]
async fn eight_processes_write_one_log_without_a_gap() {
    let company = Company::signed_in("alice").await;
    let one = async || {
        let mut host = company.host().await;
        for n in 0..8 {
            let echo = host
                .call("everything__echo", json!({"message": n.to_string()}))
                .await;
            assert!(text(&echo).contains(&n.to_string()), "{echo}");
        }
        host.close().await;
    };
    join_all((0..8).map(|_| one())).await;
    let record = company.record().await;
    for (at, one) in record.iter().enumerate() {
        assert_eq!(one["seq"], at, "a gap before {one}");
    }
    let intents = record.iter().filter(|one| one["kind"] == "intent");
    assert_eq!(intents.count(), 64);
    company.assert_intact().await;
}

#[tokio::test]
async fn ten_processes_without_a_token_make_one_request_for_it() {
    let company = Company::signed_in("alice").await;
    let mut hosts = Vec::new();
    for _ in 0..10 {
        hosts.push(company.host().await);
    }
    company.world.forget_tokens();
    let before = company.provider.count("refresh").await;
    let calls = hosts.iter_mut().map(|host| async {
        let done = host.call("chaperone__sign_in", json!({})).await;
        assert!(text(&done).contains("alice@example.test"), "{done}");
    });
    join_all(calls).await;
    assert_eq!(company.provider.count("refresh").await, before + 1);
    for host in hosts {
        host.close().await;
    }
    assert_eq!(company.provider.count("live_refresh_tokens").await, 1);
}

#[tokio::test]
async fn killing_the_one_that_refreshes_leaves_the_others_a_way() {
    let company = Company::signed_in("alice").await;
    company.world.forget_tokens();
    company
        .provider
        .control("hold", json!({"when": "before"}))
        .await;
    let mut first = company.host().await;
    let params = json!({"name": "chaperone__sign_in", "arguments": {}});
    first.send("tools/call", params).await;
    company.provider.control("held", json!({"count": 1})).await;
    first.kill().await;
    company.provider.control("release", json!({})).await;
    // The provider acts on a request whose sender has gone; the token that it rotated is lost, and
    // the next one is told to sign in: a sign-in is the most that it costs.
    let mut second = company.host().await;
    let asked = second.call("chaperone__sign_in", json!({})).await;
    if let Some(link) = text(&asked)
        .split_whitespace()
        .find(|word| word.starts_with("http"))
    {
        let page = crate::world::browser::sign_in(link, "alice").await;
        assert_eq!(page.status, 200, "{page:?}");
        second.method("notifications/tools/list_changed").await;
    }
    let done = second.call("database__list_tables", json!({})).await;
    assert_ne!(done["isError"], true, "{done}");
    second.close().await;
    company.assert_intact().await;
}
