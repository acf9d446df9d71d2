use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;
use crate::audit::schema;
use crate::audit::tree::{Frontier, leaf_hash};

/// A log with these records, unsigned, in a directory of its own.
fn log(records: &[Value]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(&schema::create()).unwrap();
    let log = "INSERT INTO log VALUES (1, 'x', 'chaperone/audit/x', ?1, 'file', '')";
    let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
    connection.execute(log, [key.to_bytes()]).unwrap();
    let mut tree = Frontier::new();
    for (seq, record) in (0_i64..).zip(records) {
        let body = with_seq(record, seq).to_string();
        let leaf = leaf_hash(body.as_bytes());
        tree.push(leaf);
        let row = "INSERT INTO record (seq, leaf, body) VALUES (?1, ?2, ?3)";
        connection
            .execute(row, params![seq, leaf, body.as_bytes()])
            .unwrap();
    }
    let head = "INSERT INTO head (one, size, frontier, note) VALUES (1, ?1, ?2, NULL)";
    let size = i64::try_from(tree.size()).unwrap();
    connection
        .execute(head, params![size, tree.to_bytes()])
        .unwrap();
    (directory, path)
}

fn with_seq(record: &Value, seq: i64) -> Value {
    let mut record = record.clone();
    record["seq"] = seq.into();
    record["id"] = format!("id-{seq}").into();
    record
}

fn request(database: PathBuf, period: Period) -> Request {
    Request {
        verify: VerifyRequest {
            database,
            key: None,
            head: None,
            mark: None,
            witnesses: Vec::new(),
        },
        period,
        offset: Offset::default(),
        made: Timestamp::from_millis(1_767_400_000_000),
    }
}

fn page(records: &[Value], period: Period) -> String {
    let (directory, database) = log(records);
    let path = directory.path().join("report.html");
    write(&request(database, period), &path, &mut |_, _| ()).unwrap();
    std::fs::read_to_string(path).unwrap()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).unwrap().1.split_once(end).unwrap().0
}

fn data(page: &str) -> Value {
    let start = "<script type=\"application/json\" id=\"data\">";
    serde_json::from_str(between(page, start, "</script>")).unwrap()
}

/// A record of Alice's call `q`.
fn of(kind: &str, time: &str, call: &str, more: &Value) -> Value {
    let mut record = json!({
        "timestamp": time, "kind": kind, "request_id": call, "user_id": "alice", "server": "db",
        "tool_name": "q",
    });
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

fn a_call(time: &str, call: &str) -> [Value; 2] {
    [
        of(
            "intent",
            time,
            call,
            &json!({"policy": "p", "reason": "allowed", "tool_args": {"a": 1}}),
        ),
        of(
            "outcome",
            time,
            call,
            &json!({"outcome": "success", "duration_ms": 7}),
        ),
    ]
}

#[test]
fn the_policy_of_the_page_allows_what_is_in_it_and_nothing_else() {
    let page = page(&[], Period::default());
    let policy = between(
        &page,
        "http-equiv=\"Content-Security-Policy\" content=\"",
        "\"",
    );
    assert!(policy.starts_with("default-src 'none'; "));
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let style = between(&page, "<style>", "</style>");
    let script = between(&page, "<script>", "</script>");
    assert!(policy.contains(&format!("style-src {};", hash(style))));
    assert!(policy.contains(&format!("script-src {};", hash(script))));
    for loads in ["src=", "http://", "https://", "url(", "@import", "{{"] {
        assert!(!page.contains(loads), "{loads}");
    }
    assert!(page.contains("<h1>No records</h1>"));
}

#[test]
fn a_call_is_one_row_with_the_rule_of_its_intent() {
    let mut records = a_call("2026-01-01T10:00:00.000Z", "1").to_vec();
    let refused = json!({"outcome": "denied", "decision": "needs_approval", "policy": "p", "reason": "approval"});
    records.push(of("refusal", "2026-01-01T11:00:00.000Z", "2", &refused));
    let open = json!({"policy": "p", "reason": "allowed"});
    records.push(of("intent", "2026-01-01T12:00:00.000Z", "3", &open));
    let page = page(&records, Period::default());
    let data = data(&page);
    let column = |name: &str| {
        let names = data["columns"].as_array().unwrap();
        names.iter().position(|column| column == name).unwrap()
    };
    let rows: Vec<_> = ["seq", "result", "rule", "text", "took"]
        .map(|name| {
            data["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row[column(name)].clone())
                .collect::<Vec<_>>()
        })
        .into();
    assert_eq!(json!(rows[0]), json!([1, 2, 3]));
    assert_eq!(json!(rows[1]), json!(["success", "refused", "open"]));
    assert_eq!(json!(rows[2]), json!(["allowed", "approval", "allowed"]));
    assert_eq!(json!(rows[3]), json!(["{\"a\":1}", "", ""]));
    assert_eq!(json!(rows[4]), json!([7, null, null]));
    assert!(page.contains("needs an approval"));
    assert!(page.contains("<h1>1 January 2026</h1>"));
}

#[test]
fn what_a_record_says_stays_text_wherever_it_stands() {
    let evil =
        "</script><script>ran=1</script><img src=x onerror=ran=1>\"'\u{202e}\u{1b}[31m\u{2028}";
    let more = json!({
        "user_id": evil, "server": evil, "tool_name": evil, "policy": evil, "reason": evil,
        "decision": evil, "agent_id": evil, "outcome": "denied", "tool_args": {"x": evil},
    });
    let refusal = of("refusal", "2026-01-01T11:00:00.000Z", evil, &more);
    let mut outcome = of("outcome", "2026-01-03T11:00:00.000Z", "1", &more);
    outcome["outcome"] = "success".into();
    let mut note = of(evil, "2026-01-03T11:00:00.000Z", "2", &more);
    note["tool_name"] = Value::Null;
    let page = page(&[refusal, outcome, note], Period::default());
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("<img") && !page.contains(['\u{202e}', '\u{1b}', '\u{2028}']));
    let rows = data(&page)["rows"].to_string();
    assert!(rows.contains("</script><script>ran=1</script>") && rows.contains("\\\\u{202e}"));
}

#[test]
fn a_period_has_its_own_records_and_the_log_its_verdict() {
    let mut records = a_call("2026-01-01T10:00:00.000Z", "1").to_vec();
    records.extend(a_call("2026-01-05T10:00:00.000Z", "2"));
    records.extend(a_call("2026-01-09T10:00:00.000Z", "3"));
    let at = |text: &str| Some(Timestamp::parse(text).unwrap());
    let period = Period {
        since: at("2026-01-04T00:00:00Z"),
        until: at("2026-01-06T00:00:00Z"),
    };
    let page = page(&records, period);
    assert_eq!(data(&page)["rows"].as_array().unwrap().len(), 1);
    assert!(page.contains("<h1>4 \u{2013} 5 January 2026</h1>"));
    assert!(
        page.contains("unproven: 6 records that agree with each other"),
        "{page}"
    );
    // Used before the period: not new in it.
    assert!(page.contains("No tool was used for the first time."));
}

#[test]
fn a_changed_log_is_reported_as_that() {
    let (directory, database) = log(&a_call("2026-01-01T10:00:00.000Z", "1"));
    let connection = Connection::open(&database).unwrap();
    let change = "UPDATE record SET body = CAST(replace(CAST(body AS TEXT), 'alice', 'bobby') AS BLOB) WHERE seq = 1";
    connection.execute(change, []).unwrap();
    connection.close().unwrap();
    let path = directory.path().join("report.html");
    let verdict = write(&request(database, Period::default()), &path, &mut |_, _| ()).unwrap();
    assert_eq!(verdict.verdict, Verdict::Changed);
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains("<div class=\"verdict changed\"><h3>Changed</h3>"));
    assert!(page.contains("record 1: the record was changed after it was written"));
}

#[test]
fn nights_bursts_and_first_uses_are_found_by_their_rules() {
    let mut records = a_call("2026-01-01T10:00:00.000Z", "first").to_vec();
    records.extend(a_call("2026-01-02T21:59:59.999Z", "evening"));
    records.extend(a_call("2026-01-02T22:00:00.000Z", "night"));
    records.extend(a_call("2026-01-03T06:00:00.000Z", "morning"));
    for second in 0..30 {
        let time = format!("2026-01-04T10:30:{second:02}.000Z");
        records.extend(a_call(&time, &format!("burst-{second}")));
    }
    for second in 0..29 {
        let time = format!("2026-01-05T10:30:{second:02}.000Z");
        records.extend(a_call(&time, &format!("many-{second}")));
    }
    let mut new = of(
        "outcome",
        "2026-01-05T11:00:00.000Z",
        "new",
        &json!({"outcome": "error"}),
    );
    new["tool_name"] = "fresh".into();
    records.push(new);
    let page = page(&records, Period::default());
    let card =
        |heading: &str| between(&page, &format!("<h3>{heading}</h3>"), "</div></div>").to_owned();
    let first = card("First use of a tool");
    assert!(
        first.contains("<th scope=\"row\">fresh</th>") && !first.contains(">q<"),
        "{first}"
    );
    let night = card("At night");
    assert!(
        night.contains("<td class=\"n\">1</td>") && night.contains("2026-01-02 22:00"),
        "{night}"
    );
    let bursts = card("Bursts");
    assert!(
        bursts.contains("2026-01-04 10:30") && !bursts.contains("2026-01-05"),
        "{bursts}"
    );
}

#[test]
fn the_file_is_private_and_an_older_one_stays_if_there_is_no_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.html");
    std::fs::write(&path, "older").unwrap();
    let missing = request(directory.path().join("audit.db"), Period::default());
    assert!(matches!(
        write(&missing, &path, &mut |_, _| ()),
        Err(ReportError::Verify(_))
    ));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "older");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}
