//! What records say.

use serde_json::json;

use super::kit::{Desk, agent, call_with, outcome, person};
use crate::audit::*;
use crate::config::Durability::Process;
use crate::name::ServerName;
use crate::policy::{Refusal, Rule};

/// The members in their documented order.
const ORDER: [&str; 31] = [
    "id",
    "seq",
    "timestamp",
    "kind",
    "request_id",
    "user_id",
    "subject",
    "roles",
    "agent_id",
    "server",
    "tool_name",
    "method",
    "tool_args",
    "redacted",
    "args_digest",
    "decision",
    "policy",
    "policy_digest",
    "reason",
    "outcome",
    "http_status",
    "rpc_error",
    "is_error",
    "response_summary",
    "response_digest",
    "bytes_out",
    "duration_ms",
    "client_ip",
    "host_pid",
    "session",
    "trace_id",
];

fn bodies(desk: &Desk) -> Vec<String> {
    let conn = desk.connection();
    let mut statement = conn
        .prepare("SELECT body FROM record ORDER BY seq")
        .unwrap();
    let rows = statement
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .unwrap();
    rows.map(|body| String::from_utf8(body.unwrap()).unwrap())
        .collect()
}

#[tokio::test]
async fn members_are_there_in_their_order_and_secrets_are_not() {
    let desk = Desk::new();
    let audit = desk.audit(Process);
    let generation = audit.begin_session(&person()).await.unwrap();
    let arguments =
        r#"{"sql":"select \"é\"","password":"hunter2","pin":1234,"n":12345678901234567890123}"#;
    let (permit, call) = call_with("query_database", generation, arguments);
    let (_, receipt) = audit.admit(permit, call).await.unwrap();
    desk.clock().advance(Duration::from_millis(250));
    audit.settle(receipt, outcome()).await.unwrap();
    audit.close().await;
    let log = desk.read();
    let [.., intent, ended] = &log.records[..] else {
        panic!()
    };
    assert_eq!(intent["timestamp"], "2026-01-01T00:00:00.000Z");
    assert_eq!(intent["roles"], json!(["analyst"]));
    assert_eq!(intent["agent_id"], "claude-ai/1.0");
    assert_eq!(intent["server"], "open");
    assert_eq!(intent["tool_args"]["password"], "[REDACTED]");
    assert_eq!(intent["tool_args"]["pin"], "[REDACTED]");
    assert_eq!(intent["redacted"][0]["path"], "/password");
    let digest = format!("blake3:{}", blake3::hash(arguments.as_bytes()).to_hex());
    assert_eq!(intent["args_digest"], *digest);
    assert_eq!(intent["decision"], "permit");
    assert_eq!(intent["policy"], "unlimited");
    assert_eq!(intent["reason"], "allowed");
    assert_eq!(intent["client_ip"], "192.0.2.7");
    assert_eq!(intent["host_pid"], 4711);
    assert_eq!(intent["session"], generation.0);
    assert_eq!(ended["duration_ms"], 250);
    assert_eq!(ended["response_summary"], "one row");
    assert_eq!(ended["outcome"], "success");
    for body in bodies(&desk) {
        assert!(!body.contains("hunter2"));
        let body = crate::wire::Raw::parse(&body).unwrap();
        let object = crate::wire::Object::of(&body, &[]).unwrap();
        let places = object
            .iter()
            .map(|(key, _)| ORDER.iter().position(|known| *known == key));
        let places: Vec<usize> = places.map(Option::unwrap).collect();
        assert!(places.is_sorted(), "{body:?}");
    }
}

#[tokio::test]
async fn refusals_say_who_what_and_why() {
    let desk = Desk::new();
    let audit = desk.audit(Process);
    let policy = |rule| {
        RefusalReason::Policy(Refusal {
            policy: Some("p".into()),
            rule,
            message: "No.".into(),
        })
    };
    let cases = [
        (policy(Rule::NotAllowed), "deny", json!("not_allowed")),
        (policy(Rule::Scope), "needs_scope", json!("scope")),
        (policy(Rule::Approval), "needs_approval", json!("approval")),
        (RefusalReason::NotSignedIn, "not_signed_in", json!(null)),
        (
            RefusalReason::RateLimited {
                policy: Some("p".into()),
            },
            "rate_limited",
            json!(null),
        ),
        (
            RefusalReason::Other("Authorization: Bearer abcdefghijklmnop".into()),
            "deny",
            json!("Authorization: [REDACTED]"),
        ),
    ];
    for (refusal, decision, reason) in cases {
        let event = Event::Refusal {
            server: Some(ServerName::parse("database").unwrap()),
            target: "drop_table".into(),
            method: "tools/call".into(),
            params: Some(
                crate::wire::Raw::parse(r#"{"name":"x","arguments":{"table":"t"}}"#).unwrap(),
            ),
            refusal,
            policy_digest: Some("sha256:00".into()),
            principal: None,
            agent: agent(),
            request_id: "r".into(),
        };
        audit.record(event).await.unwrap();
        let log = desk.read();
        let record = log.last();
        assert_eq!(record["kind"], "refusal");
        assert_eq!(record["decision"], decision);
        assert_eq!(record["reason"], reason);
        assert_eq!(record["outcome"], "denied");
        assert_eq!(record["tool_args"], json!({"table": "t"}));
        assert_eq!(record["tool_name"], "drop_table");
    }
    audit.close().await;
}

#[tokio::test]
async fn other_methods_show_their_params_without_the_protocols_own() {
    let desk = Desk::new();
    let audit = desk.audit(Process);
    let event = Event::Refusal {
        server: None,
        target: "file:///a".into(),
        method: "resources/read".into(),
        params: Some(
            crate::wire::Raw::parse(r#"{"uri":"file:///a","_meta":{"progressToken":1}}"#).unwrap(),
        ),
        refusal: RefusalReason::NotSignedIn,
        policy_digest: None,
        principal: None,
        agent: agent(),
        request_id: "r".into(),
    };
    audit.record(event).await.unwrap();
    audit.close().await;
    let log = desk.read();
    assert_eq!(log.last()["tool_args"], json!({"uri": "file:///a"}));
    assert!(log.last().get("tool_name").is_none());
}
