use clap::Parser;
use ed25519_dalek::SigningKey;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::*;
use crate::audit::checkpoint::sign;
use crate::audit::redact::Redactor;
use crate::audit::schema;
use crate::audit::tree::{Frontier, leaf_hash};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    audit: AuditArgs,
}

const ORIGIN: &str = "chaperone/audit/x";

fn log(bodies: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("audit.db")).unwrap();
    connection.execute_batch(&schema::create()).unwrap();
    let key = SigningKey::from_bytes(&[1; 32]);
    let public = key.verifying_key().to_bytes();
    connection
        .execute(
            "INSERT INTO log VALUES (1, 'x', ?1, ?2, 'file', '')",
            params![ORIGIN, public],
        )
        .unwrap();
    let mut tree = Frontier::new();
    for (seq, body) in (0_i64..).zip(bodies) {
        tree.push(leaf_hash(body.as_bytes()));
        connection
            .execute(
                "INSERT INTO record (seq, leaf, body) VALUES (?1, ?2, ?3)",
                params![seq, leaf_hash(body.as_bytes()), body.as_bytes()],
            )
            .unwrap();
    }
    let note = sign(ORIGIN, tree.size(), &tree.root(), &key);
    std::fs::write(directory.path().join("head"), &note).unwrap();
    let size = i64::try_from(tree.size()).unwrap();
    connection
        .execute(
            "INSERT INTO head (one, size, frontier, note) VALUES (1, ?1, ?2, ?3)",
            params![size, tree.to_bytes(), note],
        )
        .unwrap();
    directory
}

const BODIES: [&str; 3] = [
    r#"{"id":"a","seq":0,"timestamp":"2026-01-01T00:00:00.000Z","kind":"intent","request_id":"r","user_id":"alice","server":"db","tool_name":"q","decision":"permit"}"#,
    r#"{"id":"b","seq":1,"timestamp":"2026-01-02T00:00:00.000Z","kind":"outcome","request_id":"r","user_id":"alice","server":"db","tool_name":"q","outcome":"success","duration_ms":3}"#,
    r#"{"id":"c","seq":2,"timestamp":"2026-01-03T00:00:00.000Z","kind":"refusal","user_id":"b\u001b[2Jb","server":"db","tool_name":"d","outcome":"denied","reason":"no"}"#,
];

fn ran(directory: &TempDir, line: &[&str], colour: bool) -> (Result<u8, AuditError>, String) {
    let line = Line::try_parse_from(std::iter::once(&"audit").chain(line)).unwrap();
    let mut out = Vec::new();
    let key = VerifierKey::new(ORIGIN, SigningKey::from_bytes(&[1; 32]).verifying_key()).unwrap();
    let code = run(
        &line.audit,
        &mut World {
            database: directory.path().join("audit.db"),
            colour,
            now: Timestamp::from_millis(1_767_400_000_000),
            known: &mut || Known {
                key: Some(key.clone()),
                mark: None,
            },
            digest: &mut |_, value| Ok(Redactor::new(&[], [7; 32]).keyed_digest(value)),
            input: &mut &b"hunter2\n"[..],
            wait: &mut || ControlFlow::Break(()),
            watch: &mut |_, _| (),
            out: &mut out,
        },
    );
    (code, String::from_utf8(out).unwrap())
}

#[test]
fn a_list_is_newest_first_for_people_and_in_order_for_programs() {
    let directory = log(&BODIES);
    let (code, text) = ran(&directory, &["list"], false);
    assert_eq!(code.unwrap(), 0);
    assert_eq!(
        text,
        "    SEQ  TIME                      KIND           USER                      WHAT                              RESULT\n\
         \x20     2  2026-01-03T00:00:00.000Z  refusal        b\\u{1b}[2Jb               db d                              denied no\n\
         \x20     1  2026-01-02T00:00:00.000Z  outcome        alice                     db q                              success 3 ms\n\
         \x20     0  2026-01-01T00:00:00.000Z  intent         alice                     db q                              permit\n"
    );
    for line in [
        ["list", "--json"].as_slice(),
        &["list", "--json", "--all"],
        &["tail", "--json"],
    ] {
        let (_, text) = ran(&directory, line, true);
        assert_eq!(text.lines().collect::<Vec<_>>(), BODIES, "{line:?}");
    }
    let (_, text) = ran(
        &directory,
        &[
            "list",
            "--json",
            "--limit",
            "1",
            "--user",
            "alice",
            "--since",
            "2026-01-01",
        ],
        false,
    );
    assert_eq!(text.trim_end(), BODIES[1]);
    assert!(
        ran(&directory, &["list", "--outcome", "success"], true)
            .1
            .contains("\u{1b}[32msuccess\u{1b}[0m")
    );
}

#[test]
fn a_call_is_shown_with_both_its_records() {
    let directory = log(&BODIES);
    let (_, text) = ran(&directory, &["show", "r"], false);
    assert!(
        text.contains("kind              intent\n") && text.contains("\n\nid                b\n"),
        "{text}"
    );
    assert!(
        text.starts_with(
            "alice asked for q on db.\nPermitted.\nThe server did it after 3 ms.\n\nRecords 0 and 1 are \
             proven to be under the signed head over 3 records; --proof writes that as evidence.\n\nid "
        ),
        "{text}"
    );
    for half in ["0", "1", "a", "b"] {
        assert_eq!(ran(&directory, &["show", half], false).1, text);
    }
    let (_, half) = ran(&directory, &["show", "1", "--json"], false);
    assert_eq!(half, format!("{}\n", BODIES[1]));
    let (_, text) = ran(&directory, &["show", "2"], false);
    assert!(
        text.starts_with("b\\u{1b}[2Jb asked for d on db.\nRefused: no.\n\n"),
        "{text}"
    );
    assert!(text.contains("user_id           b\\u{1b}[2Jb\n"), "{text}");
    assert!(matches!(
        ran(&directory, &["show", "9"], false).0,
        Err(AuditError::NoRecord(_))
    ));
    let connection = Connection::open(directory.path().join("audit.db")).unwrap();
    let pruned = "UPDATE record SET body = NULL WHERE seq = 1";
    connection.execute(pruned, []).unwrap();
    let (refused, _) = ran(&directory, &["show", "1"], false);
    assert!(matches!(refused, Err(AuditError::Pruned(1))), "{refused:?}");
    let (_, text) = ran(&directory, &["show", "0"], false);
    assert!(text.contains("Record 0 is proven"), "{text}");
    let changed = "UPDATE record SET leaf = zeroblob(32) WHERE seq = 1";
    connection.execute(changed, []).unwrap();
    let (_, text) = ran(&directory, &["show", "0"], false);
    assert!(
        text.contains("Record 0 is not proven: the log is not what was written"),
        "{text}"
    );
}

#[test]
fn counts_are_drawn_for_people_and_one_object_for_programs() {
    let directory = log(&BODIES);
    let (code, text) = ran(&directory, &["stats", "--offset", "-05:00"], false);
    assert_eq!(code.unwrap(), 0);
    assert!(
        text.starts_with(
            "1 calls: 0 errors, 0 unknown; 1 refusals\nmedian 3 ms, 95 of 100 within 3 ms\n\
             3 records from 2026-01-01T00:00:00.000Z to 2026-01-03T00:00:00.000Z\n\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("HOURS OF THE DAY (UTC-05:00)") && text.contains("db q  "),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
    assert!(
        ran(&directory, &["stats"], true)
            .1
            .contains("\u{1b}[33m      1\u{1b}[0m")
    );
    let line = ["stats", "--json", "--until", "2026-01-02"];
    let (_, text) = ran(&directory, &line, true);
    let stats: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&stats["calls"], &stats["refusals"]),
        (&1.into(), &0.into())
    );
    assert_eq!(stats["tools"][0]["tool"], "q");
}

#[test]
fn a_report_is_written_whatever_it_has_to_say() {
    let directory = log(&BODIES);
    let file = directory.path().join("report.html");
    let line = [
        "report",
        "-o",
        file.to_str().unwrap(),
        "--from",
        "2026-01-02",
    ];
    let (code, text) = ran(&directory, &line, false);
    assert_eq!(code.unwrap(), 0, "unproven is no failure of the report");
    assert!(
        text.starts_with("intact up to record 2") && text.contains("written to "),
        "{text}"
    );
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.contains("<h1>2 \u{2013} 3 January 2026</h1>"));
    assert!(page.contains("b\\u{1b}[2Jb") && !page.contains('\u{1b}'));
    let connection = Connection::open(directory.path().join("audit.db")).unwrap();
    connection
        .execute("UPDATE record SET body = x'00' WHERE seq = 1", [])
        .unwrap();
    let (code, text) = ran(
        &directory,
        &["report", "--json", "-o", file.to_str().unwrap()],
        false,
    );
    assert_eq!(code.unwrap(), 6);
    let verdict: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(verdict["verdict"], "changed");
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(
        page.contains("<h3>Changed</h3>") && page.contains("1 records of the log have no content")
    );
    let nowhere = directory.path().join("missing/report.html");
    let (code, _) = ran(
        &directory,
        &["report", "-o", nowhere.to_str().unwrap()],
        false,
    );
    assert!(matches!(code, Err(AuditError::Report(_))));
}

#[test]
fn verifying_exits_with_what_was_found() {
    let directory = log(&BODIES);
    let head = directory.path().join("head");
    let head = head.to_str().unwrap();
    assert_eq!(ran(&directory, &["verify"], false).0.unwrap(), 7);
    let (code, text) = ran(&directory, &["verify", "--head", head, "--json"], false);
    assert_eq!(code.unwrap(), 0);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&report["verdict"], &report["proven"], &report["key"]),
        (&"intact".into(), &3.into(), &"keychain".into())
    );
    let connection = Connection::open(directory.path().join("audit.db")).unwrap();
    connection
        .execute("UPDATE record SET body = x'00' WHERE seq = 1", [])
        .unwrap();
    let (code, text) = ran(&directory, &["verify"], false);
    assert_eq!(
        (code.unwrap(), text.as_str()),
        (
            6,
            "changed: record 1: the record was changed after it was written\n"
        )
    );
}

#[test]
fn wrong_arguments_are_refused_before_anything_is_read() {
    for line in [
        ["list", "--since", "yesterday"].as_slice(),
        &["list", "--until", "soon"],
        &["list", "--outcome", "fine"],
        &["stats", "--until", "soon"],
        &["report", "--from", "2026-01-01"],
        &["stats", "--offset", "CEST"],
        &["verify", "--key", "x"],
        &["verify", "--head", "x"],
        &["verify", "x", "--db", "y"],
        &["export", "--format", "xml"],
        &["export", "--select", "person=x"],
        &["export", "--select", "user=x", "--user", "y"],
        &["export", "--id", "1"],
        &["export", "--bundle", "x", "--id", "1", "--user", "y"],
        &["export", "--bundle", "x", "-o", "y"],
        &["match"],
    ] {
        assert!(
            Line::try_parse_from(std::iter::once(&"audit").chain(line)).is_err(),
            "{line:?}"
        );
    }
}

#[test]
fn a_value_that_was_taken_out_is_found_by_its_digest_alone() {
    let digest = Redactor::new(&[], [7; 32]).keyed_digest("hunter2");
    let with = |seq: u32, user: &str, redacted: &str, args: &str| {
        format!(
            r#"{{"id":"{seq}","seq":{seq},"timestamp":"2026-01-01T00:00:00.000Z","kind":"intent","user_id":"{user}","tool_args":{args},"redacted":{redacted}}}"#
        )
    };
    let place = format!(r#"[{{"path":"/password","digest":"{digest}"}}]"#);
    let bodies = [
        with(0, "alice", &place, "{}"),
        // Says so itself.
        with(1, "mallory", "[]", &format!("\"{digest}\"")),
        with(2, "bob", &place, "{}"),
    ];
    let directory = log(&bodies.each_ref().map(String::as_str));
    for value in ["hunter2", "-"] {
        let (code, text) = ran(&directory, &["match", value, "--json"], false);
        assert_eq!(code.unwrap(), 0);
        assert_eq!(text.lines().collect::<Vec<_>>(), [&bodies[0], &bodies[2]]);
    }
    let (_, text) = ran(&directory, &["match", "-", "--user", "bob"], false);
    assert!(text.contains("bob") && !text.contains("alice"), "{text}");
    for other in ["hunter", "hunter2\n", ""] {
        let (code, text) = ran(&directory, &["match", other], false);
        assert_eq!((code.unwrap(), text.as_str()), (1, ""), "{other:?}");
    }
}

#[test]
fn words_and_times_choose_records() {
    let directory = log(&BODIES);
    for (line, expected) in [
        (["--text", "DB Q"], vec![0, 1]),
        (["--text", "no"], vec![2]),
        (["--until", "2026-01-02"], vec![0, 1]),
        (["--until", "2026-01-02T00:00:00Z"], vec![0]),
    ] {
        let (_, text) = ran(&directory, &["list", "--json", line[0], line[1]], false);
        let expected: Vec<_> = expected.iter().map(|at: &usize| BODIES[*at]).collect();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{line:?}");
    }
}

#[test]
fn an_export_goes_to_standard_output_or_to_a_file() {
    let directory = log(&BODIES);
    let (_, text) = ran(&directory, &["export"], false);
    assert_eq!(text.lines().collect::<Vec<_>>(), BODIES);
    let file = directory.path().join("out.csv");
    let file = file.to_str().unwrap();
    let line = [
        "export",
        "--format",
        "csv",
        "--outcome",
        "denied",
        "-o",
        file,
    ];
    let (code, text) = ran(&directory, &line, false);
    assert_eq!(code.unwrap(), 0);
    assert_eq!(text, format!("{file}: 1 lines\n"));
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("\"b\u{FFFD}[2Jb\""), "{text:?}");
    let (code, _) = ran(&directory, &["export", "-o", "/"], false);
    assert!(matches!(code, Err(AuditError::Export(_))));
}

#[test]
fn evidence_leaves_and_is_verified_without_the_log() {
    let directory = log(&BODIES);
    let file = directory.path().join("evidence.zip");
    let file = file.to_str().unwrap();
    let line = [
        "export",
        "--bundle",
        file,
        "--select",
        "user=alice",
        "--json",
    ];
    let (code, text) = ran(&directory, &line, false);
    assert_eq!(code.unwrap(), 0);
    let done: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&done["file"], &done["records"]), (&file.into(), &2.into()));
    let key = VerifierKey::new(ORIGIN, SigningKey::from_bytes(&[1; 32]).verifying_key());
    let key = key.unwrap().to_string();
    let elsewhere = tempfile::tempdir().unwrap();
    let (code, text) = ran(&elsewhere, &["verify", file, "--key", &key], false);
    assert_eq!(code.unwrap(), 0, "{text}");
    assert!(
        text.starts_with("intact: 2 records, up to record 1 ("),
        "{text}"
    );
    // The keychain is not asked, though it knows the key.
    let (code, text) = ran(&elsewhere, &["verify", file, "--json"], false);
    assert_eq!(code.unwrap(), 7);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&report["verdict"], &report["kind"], &report["key"]),
        (&"unproven".into(), &"bundle".into(), &"file".into())
    );
    for line in [
        ["export", "--bundle", file, "--id", "nothing"].as_slice(),
        &["export", "--bundle", file, "--user", "nobody"],
    ] {
        let (code, _) = ran(&directory, line, false);
        assert!(matches!(code, Err(AuditError::Bundle(_))), "{code:?}");
    }
}

#[test]
fn the_logs_key_can_be_kept_elsewhere() {
    let directory = log(&BODIES);
    let key = VerifierKey::new(ORIGIN, SigningKey::from_bytes(&[1; 32]).verifying_key());
    let key = key.unwrap().to_string();
    assert_eq!(ran(&directory, &["key"], false).1, format!("{key}\n"));
    let own = directory.path().join("audit.db");
    let (_, text) = ran(
        &directory,
        &["key", "--json", "--db", own.to_str().unwrap()],
        false,
    );
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&found["key"], &found["source"]),
        (&key.into(), &"file".into())
    );
}

#[test]
fn a_file_is_verified_as_what_it_is() {
    let directory = log(&BODIES);
    let file = directory.path().join("x");
    let file = file.to_str().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let key = VerifierKey::new(ORIGIN, SigningKey::from_bytes(&[1; 32]).verifying_key());
    let key = key.unwrap().to_string();
    let (_, proof) = ran(&directory, &["show", "2", "--proof"], false);
    std::fs::write(file, proof).unwrap();
    assert_eq!(
        ran(&elsewhere, &["verify", file, "--key", &key], false)
            .0
            .unwrap(),
        0
    );
    std::fs::write(file, "PK").unwrap();
    assert_eq!(
        ran(&elsewhere, &["verify", file, "--key", &key], false)
            .0
            .unwrap(),
        6
    );
    // A log can be named in the same place.
    let own = directory.path().join("audit.db");
    let own = own.to_str().unwrap();
    assert_eq!(
        ran(&elsewhere, &["verify", own, "--key", &key], false)
            .0
            .unwrap(),
        7
    );
    let missing = ran(&elsewhere, &["verify", "/no/such/file"], false).0;
    assert!(matches!(missing, Err(AuditError::Verify(_))), "{missing:?}");
}
