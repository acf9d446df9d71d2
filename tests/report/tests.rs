//! What must be so of every report, and what of some.

use std::path::Path;

use chaperone::audit::stats::Period;
use chaperone::audit::verify::{Verdict, VerifyRequest};
use chaperone::audit::{OutcomeStatus, RefusalReason};
use chaperone::clock::{Offset, Timestamp};
use chaperone::report::{self, Request};
use serde_json::Value;

use super::company;
use super::log::{Ask, Desk};
use super::world::{World, finish};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// Writes the report; returns how many records the log has.
fn written(verify: VerifyRequest, period: Period, path: &Path) -> u64 {
    let request = Request {
        verify,
        period,
        offset: Offset::parse("+01:00").unwrap(),
        made: at("2026-11-16T08:05:00Z"),
    };
    let verdict = report::write(&request, path, &mut |_, _| ()).unwrap();
    assert_eq!(verdict.verdict, Verdict::Intact, "{verdict}");
    verdict.records
}

/// What a browser saw of a report; what no report may do is held here.
async fn seen(world: &World, path: &Path, words: &str, shots: Option<&Path>) -> Value {
    let mut command = world.node("tests/report/page.mjs");
    command.arg(path).arg(words).args(shots);
    let output = finish(&mut command).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the browser failed: {stderr}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    for nothing in ["requests", "violations", "errors"] {
        assert_eq!(seen[nothing], Value::Array(Vec::new()), "{nothing}");
    }
    for theme in ["light", "dark"] {
        assert_eq!(seen["judged"][theme], Value::Array(Vec::new()), "{theme}");
    }
    assert_eq!(
        (&seen["dialogs"], &seen["hostile"]["ran"]),
        (&0.into(), &Value::Null)
    );
    assert_eq!(seen["hostile"]["elements"], 0);
    // The page's own; the data's element is gone once it is read.
    assert_eq!(seen["hostile"]["scripts"], 1);
    seen
}

#[tokio::test]
async fn a_fortnight_is_a_report_that_can_be_searched_by_keyboard() {
    let world = World::new();
    let mut desk = Desk::open(world.home(), "2026-11-01T23:00:00Z");
    company::fortnight(&mut desk).await;
    let verify = desk.close().await;
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&kept).unwrap();
    let path = kept.join("report.html");
    written(verify, Period::default(), &path);
    let seen = seen(&world, &path, "erin export_contacts renewal", Some(&kept)).await;
    let details = seen["details"].as_str().unwrap();
    for part in [
        "erin.novak@example.com",
        "export_contacts",
        "everyday-tools",
        "renewal-q1",
    ] {
        assert!(details.contains(part), "{details}");
    }
    assert!(
        seen["found"].as_str().unwrap().contains(" rows match"),
        "{seen}"
    );
    assert_eq!(
        (&seen["closed"], &seen["back"]),
        (&true.into(), &"row".into())
    );
    assert_eq!(seen["focused"][0], "Skip to the records");
    assert_eq!(seen["printed"]["rows"], 60);
}

#[tokio::test]
async fn an_empty_report_is_one_too() {
    let world = World::new();
    let desk = Desk::open(world.home(), "2026-11-01T23:00:00Z");
    let verify = desk.close().await;
    let path = world.home().join("report.html");
    let period = Period {
        since: Some(at("2027-01-01T00:00:00Z")),
        until: Some(at("2027-02-01T00:00:00Z")),
    };
    written(verify, period, &path);
    let seen = seen(&world, &path, "nothing", None).await;
    assert_eq!(seen["counted"], "No rows in this period");
    assert_eq!(seen["inSight"], 0);
}

/// What runs if it is taken for anything but text.
const EVIL: [&str; 8] = [
    "</script><script>window.ran='script'</script>",
    "<img src=x onerror=\"window.ran='image'\">",
    "<svg onload=\"window.ran='svg'\"></svg>",
    "\" onclick=\"window.ran='attribute'\" x=\"",
    "' onfocus='window.ran=1' autofocus tabindex=0 x='",
    "<!--<script>",
    "\u{202e}evil\u{2066}\u{1b}[31m\u{1b}]8;;http://x\u{7}",
    "\u{2028}window.ran=1//<style>*{display:none}</style><base href=//x>{{script}}",
];

#[tokio::test]
async fn what_a_hostile_server_says_in_fifty_records_is_text_and_nothing_else() {
    let world = World::new();
    let mut desk = Desk::open(world.home(), "2026-11-01T23:00:00Z");
    for (n, evil) in EVIL.iter().cycle().take(12).enumerate() {
        let text = serde_json::to_string(evil).unwrap();
        let arguments = format!(r#"{{"needle-{n}":{text}}}"#);
        let answer = format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#);
        desk.sign_in(evil, &["data-analyst"], evil).await;
        let mut ask = Ask {
            server: "database",
            tool: "query_database",
            arguments: &arguments,
            took: 40,
            status: OutcomeStatus::Success,
            answer: &answer,
        };
        desk.ask(&ask).await;
        ask.tool = evil;
        desk.refuse(&ask, RefusalReason::Other((*evil).into()))
            .await;
    }
    let verify = desk.close().await;
    let path = world.home().join("report.html");
    assert!(written(verify, Period::default(), &path) >= 49);
    let seen = seen(&world, &path, "needle-5\"", None).await;
    assert_eq!(seen["found"], "2 of 37 rows match", "{seen}");
    let details = seen["details"].as_str().unwrap();
    assert!(details.contains("<!--<script>"), "{details}");
    // The same by way of the program, which knows nothing of the keychain here.
    let file = world.home().join("by-program.html");
    let log = world.home().join("data/audit.db");
    let line = [
        "audit",
        "report",
        "--db",
        log.to_str().unwrap(),
        "-o",
        file.to_str().unwrap(),
    ];
    let output = world.run(&line).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let page = std::fs::read_to_string(file).unwrap();
    assert!(page.contains("the file\u{2019}s own, which proves nothing by itself"));
}

/// A hundred thousand records: calls, which are two each, and refusals.
#[tokio::test]
async fn a_hundred_thousand_records_are_searched_like_fifty() {
    const CALLS: usize = 20_000;
    const REFUSALS: usize = 60_000;
    let world = World::new();
    let mut desk = Desk::open(world.home(), "2026-11-01T23:00:00Z");
    desk.sign_in("alice", &["data-analyst"], "host/1").await;
    let one = async |n: usize| {
        let evil = serde_json::to_string(EVIL[n % EVIL.len()]).unwrap();
        let arguments = format!(r#"{{"sql":"SELECT {n}","note":{evil}}}"#);
        let mut ask = Ask {
            server: "database",
            tool: "query_database",
            arguments: &arguments,
            took: 13,
            status: OutcomeStatus::Success,
            answer: r#"{"content":[]}"#,
        };
        if n >= CALLS {
            ask.tool = "drop_table";
        }
        desk.ask(&ask).await;
    };
    for first in (0..CALLS + REFUSALS).step_by(200) {
        futures_util::future::join_all((first..first + 200).map(one)).await;
    }
    let verify = desk.close().await;
    let path = world.home().join("report.html");
    assert!(written(verify, Period::default(), &path) > 100_000);
    let seen = seen(&world, &path, "SELECT 12345\"", None).await;
    assert_eq!(seen["found"], "1 of 80,002 rows match", "{seen}");
    assert!(
        seen["details"].as_str().unwrap().contains("SELECT 12345"),
        "{seen}"
    );
    assert!(seen["inSight"].as_u64().unwrap() < 100, "{seen}");
    assert_eq!(seen["last"], "0");
    println!(
        "100,000 records: opened in {} ms, searched in {} ms, {} bytes",
        seen["opened"],
        seen["searched"],
        std::fs::metadata(&path).unwrap().len()
    );
}
