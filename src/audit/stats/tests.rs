use std::fmt::Write as _;

use rusqlite::{Connection, params};

use super::*;
use crate::audit::schema;

/// A log with these bodies; the hashes are somebody else's affair.
fn counted(bodies: &[String], period: Period) -> Stats {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(&schema::create()).unwrap();
    for (seq, body) in (0_i64..).zip(bodies) {
        let row = params![seq, body.as_bytes()];
        let sql = "INSERT INTO record (seq, leaf, body) VALUES (?1, x'', ?2)";
        connection.execute(sql, row).unwrap();
    }
    let offset = Offset::parse("+02:00").unwrap();
    collect(&Reader::open(&path).unwrap(), period, offset).unwrap()
}

fn record(time: &str, kind: &str, tool: &str, more: &str) -> String {
    let mut body = format!(r#"{{"id":"x","timestamp":"{time}","kind":"{kind}","server":"db""#);
    if !tool.is_empty() {
        write!(body, r#","tool_name":"{tool}""#).unwrap();
    }
    body + more + "}"
}

fn outcome(time: &str, tool: &str, outcome: &str, duration: u64) -> String {
    let more = format!(r#","outcome":"{outcome}","duration_ms":{duration}"#);
    record(time, "outcome", tool, &more)
}

fn a_day() -> Vec<String> {
    vec![
        record("2026-01-01T09:00:00.000Z", "started", "", ""),
        record(
            "2026-01-01T10:00:00.000Z",
            "intent",
            "q",
            r#","decision":"permit""#,
        ),
        outcome("2026-01-01T10:00:01.000Z", "q", "success", 10),
        outcome("2026-01-01T10:10:00.000Z", "q", "success", 30),
        outcome("2026-01-01T10:20:00.000Z", "q", "error", 90),
        outcome("2026-01-01T23:30:00.000Z", "w", "unknown", 5),
        record(
            "2026-01-02T08:00:00.000Z",
            "refusal",
            "d",
            r#","outcome":"denied""#,
        ),
        record(
            "2026-01-02T08:00:01.000Z",
            "refusal",
            "",
            r#","method":"prompts/get""#,
        ),
        "not a record".into(),
        r#"{"timestamp":"yesterday"}"#.into(),
    ]
}

#[test]
fn calls_count_by_their_outcome_and_refusals_apart() {
    let stats = counted(&a_day(), Period::default());
    assert_eq!((stats.records, stats.unreadable), (8, 2));
    let all = &stats.all;
    assert_eq!(
        (all.calls, all.errors, all.unknown, all.refusals),
        (4, 1, 1, 2)
    );
    let named = |one: &Use| (one.tool.clone().unwrap().into_string(), one.tally.asked());
    let tools: Vec<_> = stats.tools.iter().map(named).collect();
    let expected = [("q", 3), ("d", 1), ("prompts/get", 1), ("w", 1)];
    assert_eq!(
        tools,
        expected.map(|(tool, asked)| (tool.to_owned(), asked))
    );
    let q = &stats.tools[0].tally.durations;
    assert_eq!(
        (q.median(), q.p95(), q.max()),
        (Some(30), Some(90), Some(90))
    );
    assert_eq!(stats.servers.len(), 1);
}

#[test]
fn hours_are_those_of_the_offset() {
    let stats = counted(&a_day(), Period::default());
    assert_eq!(
        (stats.hours[12], stats.hours[1], stats.hours[10]),
        (3, 1, 2)
    );
    // 23:30 UTC on a Thursday is Friday two hours east.
    assert_eq!(stats.week[4][1], 1);
    assert_eq!(
        stats.busiest[0].from.to_string(),
        "2026-01-01T10:00:00.000Z"
    );
    assert_eq!(stats.busiest[0].calls, 3);
}

#[test]
fn a_period_begins_with_its_first_instant_and_ends_before_its_last() {
    let at = |text: &str| Some(Timestamp::parse(text).unwrap());
    let period = Period {
        since: at("2026-01-01T10:10:00Z"),
        until: at("2026-01-02T08:00:01Z"),
    };
    let stats = counted(&a_day(), period);
    assert_eq!((stats.all.calls, stats.all.refusals), (3, 1));
    assert_eq!(stats.first, period.since);
}

#[test]
fn the_json_has_its_stable_keys() {
    let json = serde_json::to_value(counted(&a_day(), Period::default())).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
    let mut expected = [
        "since",
        "until",
        "first",
        "last",
        "records",
        "unreadable",
        "calls",
        "errors",
        "unknown",
        "refusals",
        "median_ms",
        "p95_ms",
        "max_ms",
        "servers",
        "tools",
        "hours",
        "busiest",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(json["tools"][0]["server"], "db");
    assert_eq!(json["tools"][0]["median_ms"], 30);
    assert_eq!(json["servers"][0].get("tool"), None);
}

#[test]
fn more_names_than_can_be_told_apart_are_counted_together() {
    let mut capped = Capped::<u32, u64>::new(2);
    for key in [1, 2, 3, 4, 1] {
        *capped.of(key) += 1;
    }
    assert_eq!(capped.into_all(|| 0), [(1, 2), (2, 1), (0, 2)]);
}

#[test]
fn an_empty_log_counts_nothing() {
    let stats = counted(&[], Period::default());
    assert_eq!((stats.records, stats.all.durations.median()), (0, None));
    assert!(stats.tools.is_empty() && stats.busiest.is_empty());
}
