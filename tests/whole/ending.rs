//! How sessions and processes end: in order, with nothing left open.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::company::Company;

fn slow() -> Value {
    let arguments = json!({"duration": 30, "steps": 120});
    json!({"name": "everything__trigger-long-running-operation", "arguments": arguments})
}

#[tokio::test]
async fn a_closed_stdin_and_a_signal_end_the_session_in_order() {
    for by_signal in [false, true] {
        let company = Company::signed_in("alice").await;
        let mut host = company.host().await;
        // Alice may use nothing of that server; its session is opened for the lists.
        host.tools().await;
        company.deploy.wait_for("tools/list").await;
        // It is under way when the end comes: its progress says so.
        let mut call = slow();
        call["_meta"] = json!({"progressToken": "t"});
        host.send("tools/call", call).await;
        host.method("notifications/progress").await;
        if by_signal {
            let pid = Pid::from_raw(i32::try_from(host.pid()).expect("a pid")).expect("a pid");
            kill_process(pid, Signal::TERM).expect("a running process");
        }
        let status = host.close().await;
        assert_eq!(status.code(), Some(0));
        let seen = company.deploy.seen().await;
        let deleted = seen
            .iter()
            .filter(|request| request["http_method"] == "DELETE");
        assert_eq!(deleted.count(), 1, "{seen:?}");
        let record = company.record().await;
        let intents = record.iter().filter(|one| one["kind"] == "intent");
        let outcomes: Vec<_> = record
            .iter()
            .filter(|one| one["kind"] == "outcome")
            .collect();
        assert_eq!(intents.count(), outcomes.len(), "{record:?}");
        assert!(
            outcomes.iter().any(|one| one["outcome"] == "unknown"),
            "{outcomes:?}"
        );
        assert_eq!(
            record.last().expect("records")["kind"],
            "stopped",
            "{by_signal}: {record:#?}"
        );
        company.assert_intact().await;
    }
}

#[tokio::test]
async fn the_next_process_closes_what_a_killed_one_left_open() {
    let company = Company::signed_in("alice").await;
    let mut host = company.host().await;
    host.call("everything__echo", json!({"message": "first"}))
        .await;
    let mut call = slow();
    call["_meta"] = json!({"progressToken": "t"});
    host.send("tools/call", call).await;
    host.method("notifications/progress").await;
    host.kill().await;
    let open = company.record().await;
    assert_eq!(open.last().expect("records")["kind"], "intent");
    let mut next = company.host().await;
    next.call("everything__echo", json!({"message": "second"}))
        .await;
    next.close().await;
    let record = company.record().await;
    let intent = open.last().expect("records");
    let closed = record
        .iter()
        .find(|one| one["kind"] == "outcome" && one["request_id"] == intent["request_id"]);
    assert_eq!(closed.expect("an outcome")["outcome"], "unknown");
    company.assert_intact().await;
}

#[tokio::test]
async fn a_withdrawn_call_is_withdrawn_at_the_server_and_recorded_as_unknown() {
    let company = Company::signed_in("alice").await;
    let mut host = company.host().await;
    let mut call = slow();
    call["_meta"] = json!({"progressToken": 7});
    let id = host.send("tools/call", call).await;
    let progress = host.method("notifications/progress").await;
    assert_eq!(progress["params"]["progressToken"], 7, "{progress}");
    host.notify("notifications/cancelled", json!({"requestId": id}))
        .await;
    host.ping().await;
    host.close().await;
    let record = company.record().await;
    let outcome = record
        .iter()
        .rfind(|one| one["kind"] == "outcome")
        .expect("an outcome");
    assert_eq!(outcome["outcome"], "unknown", "{outcome}");
}
