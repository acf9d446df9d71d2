//! Evidence that is what it says, and every way in which it may not be.

mod hostile;
mod witnessed;

use std::io::{Cursor, Read as _, Write as _};

use ed25519_dalek::SigningKey;
use rusqlite::{Connection, params};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::*;
use crate::audit::checkpoint::{NoteError, VerifierKey, WitnessKey, sign};
use crate::audit::query::Filter;
use crate::audit::reader::Reader;
use crate::audit::schema;
use crate::audit::tree::{Frontier, leaf_hash};
use crate::audit::verify::{KeySource, Memory, PinnedHead, Verdict};

const ORIGIN: &str = "chaperone/audit/x";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn pin(seed: u8) -> VerifierKey {
    VerifierKey::new(ORIGIN, key(seed).verifying_key()).unwrap()
}

/// Calls one after the other: even numbers are intents, odd ones their outcomes.
fn body(seq: u64) -> String {
    let (kind, user) = (
        ["intent", "outcome"][usize::from(seq % 2 == 1)],
        ["alice", "bob", "carol"][usize::try_from(seq / 2 % 3).unwrap()],
    );
    let more = if seq % 2 == 1 {
        r#","outcome":"success""#
    } else {
        ",\"tool_args\":{\"a\":\n\"ä\\n\"}"
    };
    format!(
        r#"{{"id":"id-{seq}","seq":{seq},"timestamp":"2026-01-01T00:00:{:02}.000Z","kind":"{kind}","request_id":"call-{}","user_id":"{user}"{more}}}"#,
        seq % 60,
        seq / 2
    )
}

/// A log of so many records, the first of them under its signed head.
fn log(records: u64, signed: u64) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("audit.db")).unwrap();
    connection.execute_batch(&schema::create()).unwrap();
    let public = key(1).verifying_key().to_bytes();
    connection
        .execute(
            "INSERT INTO log VALUES (1, 'x', ?1, ?2, 'file', '')",
            params![ORIGIN, public],
        )
        .unwrap();
    let mut tree = Frontier::new();
    for seq in 0..records {
        if seq == signed {
            head(&connection, &tree);
        }
        let body = body(seq);
        let leaf = leaf_hash(body.as_bytes());
        tree.push(leaf);
        let number = i64::try_from(seq).unwrap();
        let closes = (seq % 2 == 1).then_some(number - 1);
        connection
            .execute(
                "INSERT INTO record (seq, leaf, closes, body) VALUES (?1, ?2, ?3, ?4)",
                params![number, leaf, closes, body.as_bytes()],
            )
            .unwrap();
    }
    if records == signed {
        head(&connection, &tree);
    }
    directory
}

fn head(connection: &Connection, tree: &Frontier) {
    let note = sign(ORIGIN, tree.size(), &tree.root(), &key(1));
    let size = i64::try_from(tree.size()).unwrap();
    connection
        .execute(
            "INSERT INTO head (one, size, frontier, note) VALUES (1, ?1, ?2, ?3)",
            params![size, tree.to_bytes(), note],
        )
        .unwrap();
}

fn open(directory: &TempDir) -> Reader {
    Reader::open(&directory.path().join("audit.db")).unwrap()
}

fn ids(ids: &[&str]) -> Selection {
    Selection::Ids(ids.iter().map(|id| Box::from(*id)).collect())
}

fn made(directory: &TempDir, selection: &Selection) -> Result<Vec<u8>, BundleError> {
    let mut out = Cursor::new(Vec::new());
    bundle(&open(directory), selection, None, &mut out)?;
    Ok(out.into_inner())
}

/// Judges a file with this content.
fn judged(content: &[u8], key: Option<VerifierKey>, head: Option<PinnedHead>) -> EvidenceReport {
    judged_by(content, key, head, Vec::new())
}

fn judged_by(
    content: &[u8],
    key: Option<VerifierKey>,
    head: Option<PinnedHead>,
    witnesses: Vec<WitnessKey>,
) -> EvidenceReport {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    let kind = kind(file.path()).unwrap();
    let file = file.path().to_owned();
    verify(&EvidenceRequest {
        file,
        kind,
        key,
        head,
        witnesses,
    })
    .unwrap()
}

fn problem(content: &[u8]) -> Problem {
    let report = judged(content, Some(pin(1)), None);
    assert_eq!((report.verdict, report.exit_code()), (Verdict::Changed, 6));
    report.fault.unwrap().problem
}

fn files(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).unwrap();
    (0..archive.len())
        .map(|at| {
            let mut file = archive.by_index(at).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            (file.name().unwrap().into_owned(), content)
        })
        .collect()
}

fn zipped(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        // Compressing takes most of the time of a test that tries every bit.
        let method = if content.len() > 1 << 20 {
            CompressionMethod::Deflated
        } else {
            CompressionMethod::Stored
        };
        let options = SimpleFileOptions::default().compression_method(method);
        out.start_file(name, options).unwrap();
        out.write_all(content).unwrap();
    }
    out.finish().unwrap().into_inner()
}

/// The archive with another content of one file.
fn with(archive: &[u8], name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut files = files(archive);
    let found = files.iter_mut().find(|(found, _)| found == name);
    change(&mut found.unwrap().1);
    zipped(&files)
}

fn with_text(archive: &[u8], name: &str, from: &str, to: &str) -> Vec<u8> {
    with(archive, name, |content| {
        let text = String::from_utf8(content.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        *content = text.replace(from, to).into_bytes();
    })
}

#[test]
fn chosen_records_are_proven_without_the_others() {
    let directory = log(101, 101);
    let archive = made(&directory, &ids(&["call-7", "100", "id-0"])).unwrap();
    let report = judged(&archive, Some(pin(1)), None);
    assert_eq!((report.verdict, report.exit_code()), (Verdict::Intact, 0));
    assert_eq!((report.records, report.signed), (4, 101));
    assert_eq!(
        report.to_string(),
        "intact: 4 records, up to record 100 (2026-01-01T00:00:40.000Z), in the log \
         chaperone/audit/x under its head over 101 records, signed by the given key; that no other \
         records belong to the matter is not proven"
    );
    let files = files(&archive);
    let names: Vec<_> = files.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, NAMES);
    let text = String::from_utf8(files[4].1.clone()).unwrap();
    assert!(!text.contains("\"id-1\""), "{text}");
    let second: Line = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert_eq!(*second.record, *body(14));
    // Nothing of the time or the machine is in it.
    assert_eq!(
        archive,
        made(&directory, &ids(&["call-7", "100", "id-0"])).unwrap()
    );
}

#[test]
fn a_selection_takes_whole_calls_and_says_how_it_was_made() {
    let directory = log(20, 20);
    let selection = Selection::Filter {
        filter: Filter {
            outcome: Some("success".into()),
            user: Some("bob".into()),
            ..Filter::default()
        },
        words: "user=bob outcome=success".into(),
    };
    let archive = made(&directory, &selection).unwrap();
    let report = judged(&archive, Some(pin(1)), None);
    assert_eq!((report.verdict, report.records), (Verdict::Intact, 6));
    let manifest: Manifest = serde_json::from_slice(&files(&archive)[3].1).unwrap();
    assert_eq!((manifest.first, manifest.last), (2, 15));
    assert_eq!(&*manifest.selection, "user=bob outcome=success");
}

#[test]
fn pins_come_from_the_verifier_alone() {
    let directory = log(20, 20);
    let archive = made(&directory, &ids(&["3"])).unwrap();
    // The file's own key proves nothing.
    let report = judged(&archive, None, None);
    assert_eq!(
        (report.verdict, report.key),
        (Verdict::Unproven, KeySource::File)
    );
    assert_eq!(report.exit_code(), 7);
    assert!(report.to_string().contains("give --key"), "{report}");
    // Another's key does not fit, nor does another log's name.
    let report = judged(&archive, Some(pin(2)), None);
    assert_eq!(
        report.fault.unwrap().problem,
        Problem::Note(NoteError::Unsigned)
    );
    let other = VerifierKey::new("chaperone/audit/y", key(1).verifying_key()).unwrap();
    let report = judged(&archive, Some(other), None);
    assert_eq!(report.fault.unwrap().problem, Problem::OtherLog);
    // A head that was kept vouches for itself, for no other, and against a second history.
    let report = judged(&archive, Some(pin(1)), None);
    let note = PinnedHead::parse(report.note.as_deref().unwrap()).unwrap();
    let root = report.root.unwrap();
    let same = PinnedHead::parse(&format!("20:{root}")).unwrap();
    for kept in [note, same] {
        let report = judged(&archive, None, Some(kept));
        assert_eq!(
            (report.verdict, report.memory),
            (Verdict::Intact, Some(Memory::Given))
        );
    }
    let older = PinnedHead::parse(&format!("19:{root}")).unwrap();
    let report = judged(&archive, Some(pin(1)), Some(older));
    assert_eq!(
        (report.verdict, report.head_not_compared),
        (Verdict::Unproven, true)
    );
    let fork = PinnedHead::parse(&format!("20:{}", STANDARD.encode([7; 32]))).unwrap();
    let report = judged(&archive, Some(pin(1)), Some(fork));
    assert_eq!(report.fault.unwrap().problem, Problem::Fork);
}

#[test]
fn records_travel_alone() {
    let directory = log(33, 33);
    let mut out = Vec::new();
    singles(&open(&directory), "call-4", &mut out).unwrap();
    let report = judged(&out, Some(pin(1)), None);
    assert_eq!((report.verdict, report.records), (Verdict::Intact, 2));
    let text = String::from_utf8(out).unwrap();
    let first = text.lines().next().unwrap();
    assert_eq!(judged(first.as_bytes(), Some(pin(1)), None).records, 1);
    assert_eq!(
        judged(first.as_bytes(), None, None).verdict,
        Verdict::Unproven
    );
    let twice = format!("{first}\n{first}\n");
    assert_eq!(problem(twice.as_bytes()), Problem::Order);
    let changed = first.replace("alice", "mallory").replace("bob", "mallory");
    assert_eq!(problem(changed.as_bytes()), Problem::Proof);
    let mut later = Vec::new();
    singles(&open(&log(34, 34)), "20", &mut later).unwrap();
    let mixed = format!("{first}\n{}", String::from_utf8(later).unwrap());
    assert_eq!(problem(mixed.as_bytes()), Problem::Heads);
    assert!(matches!(problem(b"{}"), Problem::Document { .. }));
    let long = vec![b'{'; 5 << 20];
    assert!(matches!(problem(&long), Problem::TooLong { .. }));
    let newer = first.replacen("\"version\":1", "\"version\":2", 1);
    let file = directory.path().join("newer.json");
    std::fs::write(&file, newer).unwrap();
    let verdict = verify(&EvidenceRequest {
        kind: kind(&file).unwrap(),
        file,
        key: None,
        head: None,
        witnesses: Vec::new(),
    });
    assert!(matches!(verdict, Err(EvidenceError::Newer { found: 2 })));
}

#[test]
fn what_a_verifier_would_refuse_does_not_leave() {
    let refused =
        |directory: &TempDir, selection: &Selection| made(directory, selection).unwrap_err();
    let directory = log(20, 10);
    assert!(made(&directory, &ids(&["9"])).is_ok());
    assert!(matches!(
        refused(&directory, &ids(&["12", "3"])),
        BundleError::Unsigned {
            seq: 12,
            signed: 10
        }
    ));
    assert!(matches!(
        refused(&directory, &ids(&["99"])),
        BundleError::NoRecord(_)
    ));
    let nobody = Selection::Filter {
        filter: Filter {
            user: Some("nobody".into()),
            ..Filter::default()
        },
        words: "".into(),
    };
    assert!(matches!(refused(&directory, &nobody), BundleError::Empty));
    let directory = log(20, 10);
    Connection::open(directory.path().join("audit.db"))
        .unwrap()
        .execute("UPDATE record SET body = NULL WHERE seq = 3", [])
        .unwrap();
    assert!(made(&directory, &ids(&["4"])).is_ok());
    assert!(matches!(
        refused(&directory, &ids(&["3"])),
        BundleError::Gone { seq: 3 }
    ));
    for (sql, no_head) in [
        ("UPDATE record SET body = x'7B7D' WHERE seq = 3", false),
        ("UPDATE record SET leaf = zeroblob(32) WHERE seq = 8", false),
        ("UPDATE record SET leaf = x'' WHERE seq = 8", false),
        ("DELETE FROM record WHERE seq = 8", false),
        ("UPDATE head SET note = NULL", true),
        ("UPDATE head SET note = replace(note, '10', '11')", true),
        ("UPDATE log SET public_key = zeroblob(32)", true),
    ] {
        let directory = log(20, 10);
        let connection = Connection::open(directory.path().join("audit.db")).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let error = refused(&directory, &ids(&["3"]));
        let expected = if no_head {
            matches!(error, BundleError::NoHead)
        } else {
            matches!(error, BundleError::Changed)
        };
        assert!(expected, "{sql}: {error:?}");
    }
}
