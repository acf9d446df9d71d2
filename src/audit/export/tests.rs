use rusqlite::{Connection, params};
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::audit::query::Words;
use crate::audit::schema;
use crate::clock::Timestamp;

/// What the published schema requires, and knows; the file says where it is from.
const SCHEMA: &str = include_str!("tests/ocsf-1.8.0.json");

const RECORDS: [(Option<i64>, &str); 7] = [
    (
        None,
        r#"{"id":"a","seq":0,"timestamp":"2026-01-01T00:00:00.250Z","kind":"intent","request_id":"r1","user_id":"alice@example.com","subject":"s1","roles":["analyst","dev"],"agent_id":"claude/1","server":"db","tool_name":"query","method":"tools/call","tool_args":{"sql":"select 1",
"rows":[1]},"args_digest":"blake3:00","decision":"permit","policy":"db-access","policy_digest":"blake3:01","reason":"allowed","client_ip":"10.0.0.7","session":3,"trace_id":"t1"}"#,
    ),
    (
        Some(0),
        r#"{"id":"b","seq":1,"timestamp":"2026-01-01T00:00:01.999Z","kind":"outcome","request_id":"r1","user_id":"alice@example.com","subject":"s1","agent_id":"claude/1","server":"db","tool_name":"query","method":"tools/call","outcome":"success","http_status":200,"is_error":false,"response_summary":"=1+1","response_digest":"blake3:02","bytes_out":10,"duration_ms":1749,"client_ip":"10.0.0.7","session":3,"trace_id":"t1"}"#,
    ),
    (
        None,
        r#"{"id":"c","seq":2,"timestamp":"2026-01-02T00:00:00.000Z","kind":"refusal","request_id":"r2","server":"db","tool_name":"drop","method":"tools/call","tool_args":{"table":"a, \"b\""},"redacted":[{"path":"/key","digest":"hmac-sha256:0f"}],"decision":"deny","policy":"db-access","reason":"denied","outcome":"denied"}"#,
    ),
    (
        None,
        r#"{"id":"d","seq":3,"timestamp":"2026-01-03T00:00:00.000Z","kind":"login","user_id":"-2+3\tcmd","outcome":"success","strange":{"x":1}}"#,
    ),
    (
        // Names an intent that is another call's.
        Some(0),
        r#"{"id":"e","seq":4,"timestamp":"2026-01-04T00:00:00.000Z","kind":"outcome","request_id":"r9","user_id":"bob","agent_id":"x","server":"files","method":"resources/read","outcome":"unknown","reason":"gone"}"#,
    ),
    (
        None,
        r#"{"id":"f","seq":5,"timestamp":"2026-01-05T00:00:00.000Z","kind":"intent","request_id":"r5","server":"db","tool_name":"query","method":"tools/call","tool_args":{}}"#,
    ),
    (
        Some(5),
        r#"{"id":"g","seq":6,"timestamp":"2026-01-05T00:00:09.000Z","kind":"outcome","request_id":"r5","server":"db","tool_name":"query","method":"tools/call","outcome":"error","rpc_error":-32602,"is_error":true,"reason":"bad","duration_ms":7}"#,
    ),
];

fn log() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("audit.db")).unwrap();
    connection.execute_batch(&schema::create()).unwrap();
    connection
        .execute(
            "INSERT INTO log VALUES (1, 'x', 'chaperone/audit/x', x'', 'file', '')",
            [],
        )
        .unwrap();
    for (seq, (closes, body)) in (0_i64..).zip(RECORDS) {
        connection
            .execute(
                "INSERT INTO record (seq, leaf, closes, body) VALUES (?1, x'', ?2, ?3)",
                params![seq, closes, body.as_bytes()],
            )
            .unwrap();
    }
    // Its content was taken out.
    connection
        .execute("INSERT INTO record (seq, leaf) VALUES (7, x'')", [])
        .unwrap();
    directory
}

fn exported(format: Format, filter: &Filter) -> String {
    let directory = log();
    let reader = Reader::open(&directory.path().join("audit.db")).unwrap();
    let mut out = Vec::new();
    let lines = export(&reader, filter, format, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let head = u64::from(format == Format::Csv);
    assert_eq!(u64::try_from(text.lines().count()).unwrap(), lines + head);
    text
}

fn objects(format: Format) -> Vec<Value> {
    exported(format, &Filter::default())
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn records_come_as_they_are_stored_one_a_line() {
    let text = exported(Format::Jsonl, &Filter::default());
    let stored: Vec<String> = RECORDS
        .iter()
        .map(|(_, body)| body.replace('\n', " "))
        .collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), stored);
    let filter = Filter {
        since: Some(Timestamp::parse("2026-01-02T00:00:00Z").unwrap()),
        until: Some(Timestamp::parse("2026-01-04T00:00:00Z").unwrap()),
        ..Filter::default()
    };
    assert_eq!(
        exported(Format::Jsonl, &filter).lines().collect::<Vec<_>>(),
        stored[2..4]
    );
}

#[test]
fn the_guides_names_tell_what_each_call_came_to() {
    let lines = exported(Format::Tutorial, &Filter::default());
    assert_eq!(
        lines.lines().next().unwrap(),
        r#"{"timestamp":"2026-01-01T00:00:01Z","requestId":"r1","userId":"alice@example.com","agentId":"claude/1","serverName":"db","toolName":"query","toolArgs":{"sql":"select 1", "rows":[1]},"outcome":"success","responseSummary":"=1+1","durationMs":1749,"clientIp":"10.0.0.7","policy":"db-access","reason":"allowed"}"#
    );
    let calls = objects(Format::Tutorial);
    let told = |name: &str| -> Vec<Value> { calls.iter().map(|call| call[name].clone()).collect() };
    assert_eq!(told("outcome"), ["success", "denied", "error", "error"]);
    assert_eq!(told("durationMs"), [1749, 0, 0, 7]);
    assert_eq!(
        told("toolName"),
        ["query", "drop", "resources/read", "query"]
    );
    // An intent of another call is not taken for its own.
    assert_eq!(calls[2].get("toolArgs"), None);
    assert_eq!(calls[1]["userId"], Value::Null);
    // Words may stand in the arguments, which are in the other record.
    let filter = Filter {
        text: Some(Words::new("SELECT alice")),
        ..Filter::default()
    };
    assert_eq!(
        exported(Format::Tutorial, &filter).lines().next(),
        lines.lines().next()
    );
    assert_eq!(exported(Format::Tutorial, &filter).lines().count(), 1);
}

#[test]
fn spreadsheets_get_every_member_and_no_formula() {
    let text = exported(Format::Csv, &Filter::default());
    let rows: Vec<&str> = text.split_terminator("\r\n").collect();
    assert!(rows[0].starts_with("seq,id,timestamp,kind,"), "{}", rows[0]);
    assert_eq!(rows.len(), 1 + RECORDS.len());
    assert!(
        rows[1].contains(r#","{""sql"":""select 1"", ""rows"":[1]}","#),
        "{}",
        rows[1]
    );
    assert!(rows[2].contains(r#","'=1+1","#), "{}", rows[2]);
    assert!(
        rows[3].contains(r#","{""table"":""a, \""b\""""}","#),
        "{}",
        rows[3]
    );
    assert!(rows[4].contains(",\"'-2+3\tcmd\","), "{}", rows[4]);
    assert!(
        rows[4].ends_with(r#","{""strange"":{""x"":1}}""#),
        "{}",
        rows[4]
    );
    // A number is no formula.
    assert!(rows[7].contains(",-32602,true,"), "{}", rows[7]);
    for text in ["=", "+1", "-1", "@a", "\ta", "\ra", "\na"] {
        let literal = serde_json::to_string(text).unwrap();
        let row = format!("{{\"user_id\":{literal}}}");
        let mut out = Vec::new();
        csv::row(0, &row, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains(&format!("\"'{text}\"")), "{out:?}");
    }
}

#[test]
fn every_ocsf_event_has_what_the_schema_requires_and_nothing_that_it_does_not_know() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let events = objects(Format::Ocsf);
    assert_eq!(events.len(), 4);
    for event in &events {
        holds(&schema["class"], event, "class");
        let unknown = event.as_object().unwrap().keys();
        let objects = unknown.filter(|name| event[*name].is_object() || event[*name].is_array());
        for name in objects.filter(|name| *name != "unmapped") {
            check(&schema["objects"], &event[name], name);
        }
    }
    let first = &events[0];
    assert_eq!(first["class_uid"], 6003);
    assert_eq!(first["type_uid"], 600_399);
    assert_eq!(first["time"], 1_767_225_601_999_i64);
    assert_eq!(first["start_time"], 1_767_225_600_250_i64);
    assert_eq!(first["actor"]["user"]["groups"][1]["name"], "dev");
    assert_eq!(first["api"]["request"]["data"]["arguments"]["rows"][0], 1);
    assert_eq!(first["metadata"]["log_name"], "chaperone/audit/x");
    let told = |name: &str| -> Vec<Value> { events.iter().map(|one| one[name].clone()).collect() };
    assert_eq!(told("status_id"), [1, 2, 0, 2]);
    assert_eq!(told("severity_id"), [1, 3, 2, 2]);
    assert_eq!(told("action_id"), [1, 2, 1, 1]);
    assert_eq!(events[3]["status_code"], "-32602");
}

/// What the schema says of an object, of all that are in it, and of all in a list.
fn check(objects: &Value, found: &Value, path: &str) {
    if let Some(items) = found.as_array() {
        return items.iter().for_each(|item| check(objects, item, path));
    }
    let Some(said) = objects.get(path) else {
        assert!(
            ["api.request.data", "metadata.profiles"].contains(&path),
            "{path} is not in the schema"
        );
        return;
    };
    holds(said, found, path);
    for (name, inner) in found.as_object().unwrap() {
        let strings = inner.as_array().is_some_and(|items| items[0].is_string());
        if (inner.is_object() || inner.is_array()) && !strings {
            check(objects, inner, &format!("{path}.{name}"));
        }
    }
}

fn holds(said: &Value, found: &Value, path: &str) {
    let has = |name: &Value| {
        found
            .get(name.as_str().unwrap())
            .is_some_and(|v| !v.is_null())
    };
    let required = said["required"].as_array().unwrap();
    assert!(required.iter().all(has), "{path}: {required:?}: {found}");
    if let Some(some) = said.get("at_least_one") {
        assert!(some.as_array().unwrap().iter().any(has), "{path}: {found}");
    }
    for name in found.as_object().unwrap().keys() {
        let known = said["known"].as_array().unwrap();
        assert!(known.contains(&Value::from(&**name)), "{path}.{name}");
    }
}

#[test]
fn what_cannot_be_read_is_said_and_not_left_out() {
    let directory = log();
    let path = directory.path().join("audit.db");
    Connection::open(&path)
        .unwrap()
        .execute("UPDATE record SET body = x'7B' WHERE seq = 2", [])
        .unwrap();
    let reader = Reader::open(&path).unwrap();
    for format in [Format::Tutorial, Format::Csv, Format::Ocsf, Format::Parquet] {
        let done = export(&reader, &Filter::default(), format, &mut Vec::new());
        assert!(
            matches!(done, Err(ExportError::Unreadable { seq: 2 })),
            "{done:?}"
        );
    }
    let mut out = Vec::new();
    export(&reader, &Filter::default(), Format::Jsonl, &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("\n{\n"));
}

#[test]
fn a_table_for_analysis_has_numbers_and_instants() {
    use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
    use ::parquet::record::Field;

    let directory = log();
    let reader = Reader::open(&directory.path().join("audit.db")).unwrap();
    let mut out = Vec::new();
    let rows = export(&reader, &Filter::default(), Format::Parquet, &mut out).unwrap();
    assert_eq!(rows, 7);
    let table = SerializedFileReader::new(bytes::Bytes::from(out)).unwrap();
    let rows: Vec<_> = table
        .get_row_iter(None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.len(), RECORDS.len());
    let told = |row: usize, name: &str| -> Field {
        let mut columns = rows[row].get_column_iter();
        columns.find(|(found, _)| *found == name).unwrap().1.clone()
    };
    assert_eq!(told(1, "duration_ms"), Field::Long(1749));
    assert_eq!(told(1, "is_error"), Field::Bool(false));
    assert_eq!(
        told(1, "timestamp"),
        Field::TimestampMillis(1_767_225_601_999)
    );
    assert_eq!(told(6, "rpc_error"), Field::Long(-32602));
    assert_eq!(told(0, "duration_ms"), Field::Null);
    assert_eq!(told(0, "roles"), Field::Str(r#"["analyst","dev"]"#.into()));
    assert_eq!(told(2, "reason"), Field::Str("denied".into()));
    assert_eq!(
        told(3, "other_members"),
        Field::Str(r#"{"strange":{"x":1}}"#.into())
    );
    // Groups follow each other.
    let mut out = Vec::new();
    let mut table = parquet::Table::new(&mut out).unwrap();
    for seq in 0..10_000_u64 {
        table.row(seq, &format!("{{\"seq\":{seq}}}")).unwrap();
    }
    table.finish().unwrap();
    let table = SerializedFileReader::new(bytes::Bytes::from(out)).unwrap();
    assert_eq!(table.num_row_groups(), 3);
    let mut rows = table.get_row_iter(None).unwrap();
    let last = rows.nth(9_999).unwrap().unwrap();
    assert_eq!(
        last.get_column_iter().next().unwrap().1,
        &Field::Long(9_999)
    );
}
