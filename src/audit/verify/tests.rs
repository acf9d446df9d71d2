use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::*;
use crate::audit::tree::{empty_root, leaf_hash};
use crate::audit::{checkpoint, schema};

const LOG_ID: &str = "0197c3a2-0000-7000-8000-000000000001";
const SIZE: u64 = 30;

/// A log of its own, with raw SQL, so that the writer is not what is tested.
struct Log {
    directory: TempDir,
    key: SigningKey,
    bodies: Vec<String>,
}

fn origin() -> String {
    format!("chaperone/audit/{LOG_ID}")
}

fn body(seq: u64) -> String {
    let (kind, call) = if seq.is_multiple_of(2) {
        ("intent", seq / 2)
    } else {
        ("outcome", seq / 2)
    };
    format!(
        "{{\"id\":\"id-{seq}\",\"seq\":{seq},\"timestamp\":\"2026-01-01T00:00:{seq:02}.000Z\",\"kind\":\"{kind}\",\"request_id\":\"call-{call}\"}}"
    )
}

impl Log {
    fn new() -> Self {
        Self::with((0..SIZE).map(body).collect())
    }

    fn with(bodies: Vec<String>) -> Self {
        let log = Self {
            directory: tempfile::tempdir().unwrap(),
            key: SigningKey::from_bytes(&[5; 32]),
            bodies,
        };
        let connection = Connection::open(log.path()).unwrap();
        connection.pragma_update(None, "page_size", 512).unwrap();
        connection.execute_batch(&schema::create()).unwrap();
        connection
            .pragma_update(None, "user_version", schema::VERSION)
            .unwrap();
        let public = log.key.verifying_key().to_bytes();
        connection
            .execute(
                "INSERT INTO log VALUES (1, ?1, ?2, ?3, 'file', '')",
                params![LOG_ID, origin(), public],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO head (one, size, frontier) VALUES (1, 0, x'')",
                [],
            )
            .unwrap();
        for (seq, body) in log.bodies.iter().enumerate() {
            insert(&connection, i64::try_from(seq).unwrap(), body);
        }
        log.restate(&log.bodies, &log.key);
        log
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("audit.db")
    }

    fn sql(&self, sql: &str) {
        Connection::open(self.path())
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    }

    /// Writes a head over these bodies, signed by this key.
    fn restate(&self, bodies: &[String], key: &SigningKey) {
        let tree = tree(bodies);
        let note = checkpoint::sign(&origin(), tree.size(), &tree.root(), key);
        let row = params![i64::try_from(tree.size()).unwrap(), tree.to_bytes(), note];
        Connection::open(self.path())
            .unwrap()
            .execute("UPDATE head SET size = ?1, frontier = ?2, note = ?3", row)
            .unwrap();
    }

    fn mark(&self, size: u64) -> Checkpoint {
        let tree = tree(&self.bodies[..usize::try_from(size).unwrap()]);
        Checkpoint {
            origin: origin().into(),
            head: Head {
                size,
                root: tree.root(),
            },
        }
    }

    fn pinned(&self) -> PinnedKey {
        PinnedKey {
            key: VerifierKey::new(&origin(), self.key.verifying_key()).unwrap(),
            source: KeySource::Given,
        }
    }

    fn request(&self) -> VerifyRequest {
        VerifyRequest {
            database: self.path(),
            key: Some(self.pinned()),
            head: None,
            mark: Some(self.mark(SIZE)),
            witnesses: Vec::new(),
        }
    }

    fn report(&self) -> Report {
        verify(&self.request()).unwrap()
    }

    /// The fault that a verifier with the key and an older mark finds.
    fn fault(&self) -> Fault {
        let request = VerifyRequest {
            mark: Some(self.mark(4)),
            witnesses: Vec::new(),
            ..self.request()
        };
        let report = verify(&request).unwrap();
        assert_eq!(report.exit_code(), 6, "{report}");
        report.fault.unwrap()
    }
}

fn insert(connection: &Connection, seq: i64, body: &str) {
    let row = params![seq, leaf_hash(body.as_bytes()), body.as_bytes()];
    connection
        .execute(
            "INSERT INTO record (seq, leaf, body) VALUES (?1, ?2, ?3)",
            row,
        )
        .unwrap();
}

fn tree(bodies: &[String]) -> Frontier {
    let mut tree = Frontier::new();
    for body in bodies {
        tree.push(leaf_hash(body.as_bytes()));
    }
    tree
}

fn at(seq: u64, damage: Damage) -> (Option<u64>, Damage) {
    (Some(seq), damage)
}

#[test]
fn an_untouched_log_is_intact() {
    let log = Log::new();
    let report = log.report();
    assert_eq!(report.exit_code(), 0, "{report}");
    assert_eq!((report.records, report.proven), (SIZE, SIZE));
    assert_eq!(
        report.proven_to.as_ref().unwrap().id.as_deref(),
        Some("id-29")
    );
    assert_eq!(
        report.to_string(),
        "intact: all 30 records, up to record 29 (2026-01-01T00:00:29.000Z); the keychain remembers a head over 30 records"
    );
    // An older memory is enough, because the key's signature leads on from it.
    for size in 0..=SIZE {
        let request = VerifyRequest {
            mark: Some(log.mark(size)),
            witnesses: Vec::new(),
            ..log.request()
        };
        assert_eq!(verify(&request).unwrap().exit_code(), 0);
    }
}

#[test]
fn an_empty_log_is_intact_if_somebody_remembers_it_so() {
    let log = Log::with(vec![]);
    let mark = Checkpoint {
        origin: origin().into(),
        head: Head {
            size: 0,
            root: empty_root(),
        },
    };
    let request = VerifyRequest {
        mark: Some(mark),
        witnesses: Vec::new(),
        ..VerifyRequest {
            database: log.path(),
            key: Some(log.pinned()),
            head: None,
            mark: None,
            witnesses: Vec::new(),
        }
    };
    assert_eq!(verify(&request).unwrap().exit_code(), 0);
    assert_eq!(
        verify(&VerifyRequest {
            mark: None,
            witnesses: Vec::new(),
            ..request
        })
        .unwrap()
        .exit_code(),
        7
    );
}

#[test]
fn without_memory_the_newest_part_is_unproven() {
    let log = Log::new();
    let request = VerifyRequest {
        mark: None,
        witnesses: Vec::new(),
        ..log.request()
    };
    let report = verify(&request).unwrap();
    assert_eq!((report.exit_code(), report.proven), (7, SIZE));
    assert!(
        report.to_string().starts_with("intact up to record 29 "),
        "{report}"
    );
    // The file's own key proves nothing; with a remembered head it proves that much.
    let own = VerifyRequest {
        key: None,
        ..request
    };
    let report = verify(&own).unwrap();
    assert_eq!((report.exit_code(), report.proven), (7, 0));
    let head = PinnedHead::Head(log.mark(SIZE).head);
    assert_eq!(
        verify(&VerifyRequest {
            head: Some(head),
            ..own.clone()
        })
        .unwrap()
        .exit_code(),
        0
    );
    let head = PinnedHead::Head(log.mark(20).head);
    let report = verify(&VerifyRequest {
        head: Some(head),
        ..own
    })
    .unwrap();
    assert_eq!((report.exit_code(), report.proven), (7, 20));
}

#[test]
fn records_after_the_signed_head_are_unproven() {
    let log = Log::new();
    log.restate(&log.bodies[..20], &log.key);
    let tree = tree(&log.bodies);
    let connection = Connection::open(log.path()).unwrap();
    connection
        .execute(
            "UPDATE head SET size = 30, frontier = ?1",
            [tree.to_bytes()],
        )
        .unwrap();
    let older = VerifyRequest {
        mark: Some(log.mark(10)),
        witnesses: Vec::new(),
        ..log.request()
    };
    let report = verify(&older).unwrap();
    assert_eq!(
        (report.exit_code(), report.proven, report.records),
        (7, 20, 30)
    );
    // Somebody remembers a newer head than the file has.
    let fault = log.report().fault.unwrap();
    assert_eq!(fault.damage, Damage::HeadOlder { seen: 30 });
    log.sql("UPDATE head SET note = NULL");
    assert_eq!(log.report().exit_code(), 6);
}

#[test]
fn every_changed_bit_of_a_record_is_named() {
    let log = Log::new();
    let connection = Connection::open(log.path()).unwrap();
    connection
        .pragma_update(None, "journal_mode", "memory")
        .unwrap();
    connection
        .pragma_update(None, "synchronous", "off")
        .unwrap();
    let request = log.request();
    let reader = Reader::open_live(&log.path()).unwrap();
    for seq in 0..SIZE {
        for (column, len) in [("body", body(seq).len()), ("leaf", 32)] {
            let row = i64::try_from(seq).unwrap();
            let read = format!("SELECT {column} FROM record WHERE seq = {seq}");
            let good: Vec<u8> = connection.query_row(&read, [], |row| row.get(0)).unwrap();
            assert_eq!(good.len(), len);
            let write = format!("UPDATE record SET {column} = ?1 WHERE seq = ?2");
            for bit in 0..len * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                connection.execute(&write, params![bad, row]).unwrap();
                let fault = judge(&reader, &request, &mut |_, _| ())
                    .unwrap()
                    .fault
                    .unwrap();
                assert_eq!(
                    (fault.seq, fault.damage),
                    at(seq, Damage::Body),
                    "{column} bit {bit}"
                );
            }
            connection.execute(&write, params![good, row]).unwrap();
        }
    }
    assert_eq!(log.report().exit_code(), 0);
}

#[test]
fn a_record_and_its_leaf_changed_together_are_confined() {
    for seq in 0..SIZE {
        let log = Log::new();
        let changed = body(seq).replace("2026", "2025");
        let connection = Connection::open(log.path()).unwrap();
        let row = params![
            leaf_hash(changed.as_bytes()),
            changed.as_bytes(),
            i64::try_from(seq).unwrap()
        ];
        connection
            .execute("UPDATE record SET leaf = ?1, body = ?2 WHERE seq = ?3", row)
            .unwrap();
        let fault = log.fault();
        assert_eq!(fault.damage, Damage::Rewritten);
        let span = fault.seq.unwrap()..fault.before.unwrap_or(fault.seq.unwrap() + 1);
        assert!(span.contains(&seq), "{seq} in {span:?}");
        // The same with the tree made to fit: the signature tells.
        let mut bodies = log.bodies.clone();
        bodies[usize::try_from(seq).unwrap()] = changed;
        let tree = tree(&bodies);
        connection
            .execute("UPDATE head SET frontier = ?1", [tree.to_bytes()])
            .unwrap();
        let fault = log.fault();
        let span = fault.seq.unwrap()..fault.before.unwrap_or(fault.seq.unwrap() + 1);
        assert_eq!(fault.damage, Damage::Rewritten);
        assert!(
            span.contains(&seq) && (span.end == 4 || span == (4..30)),
            "{seq} in {span:?}"
        );
        // And signed by whoever did it.
        log.restate(&bodies, &SigningKey::from_bytes(&[6; 32]));
        assert_eq!(log.fault().damage, Damage::Note(NoteError::Unsigned));
        // And with the key in the file replaced: only an outsider's memory tells.
        let forger = SigningKey::from_bytes(&[6; 32]).verifying_key().to_bytes();
        connection
            .execute("UPDATE log SET public_key = ?1", [forger])
            .unwrap();
        let naive = VerifyRequest {
            key: None,
            mark: None,
            witnesses: Vec::new(),
            ..log.request()
        };
        let report = verify(&naive).unwrap();
        assert_eq!((report.exit_code(), report.proven), (7, 0));
        let request = VerifyRequest {
            key: None,
            ..log.request()
        };
        assert_eq!(verify(&request).unwrap().exit_code(), 6);
    }
}

#[test]
fn a_removed_record_is_named() {
    for seq in 0..SIZE - 1 {
        let log = Log::new();
        log.sql(&format!("DELETE FROM record WHERE seq = {seq}"));
        let fault = log.fault();
        assert_eq!((fault.seq, fault.damage), at(seq, Damage::Removed));
        // The gap closed.
        log.sql(&format!("UPDATE record SET seq = -seq WHERE seq > {seq}; UPDATE record SET seq = -seq - 1 WHERE seq < 0; UPDATE head SET size = 29"));
        let fault = log.fault();
        assert_eq!((fault.seq, fault.damage), at(seq, Damage::Removed));
    }
}

#[test]
fn an_inserted_record_is_named() {
    for seq in 0..SIZE {
        let log = Log::new();
        log.sql(&format!("UPDATE record SET seq = -seq - 2 WHERE seq >= {seq}; UPDATE record SET seq = -seq - 1 WHERE seq < 0"));
        let connection = Connection::open(log.path()).unwrap();
        let forged = format!("{{\"id\":\"forged\",\"seq\":{seq},\"kind\":\"started\"}}");
        insert(&connection, i64::try_from(seq).unwrap(), &forged);
        let fault = log.fault();
        assert_eq!((fault.seq, fault.damage), at(seq, Damage::Inserted));
    }
    let log = Log::new();
    insert(&Connection::open(log.path()).unwrap(), -1, &body(30));
    let fault = log.fault();
    assert_eq!((fault.seq, fault.damage), at(0, Damage::Inserted));
}

#[test]
fn a_record_that_no_head_covers_is_unproven() {
    let log = Log::new();
    insert(&Connection::open(log.path()).unwrap(), 30, &body(30));
    let report = log.report();
    assert_eq!(
        (report.exit_code(), report.proven, report.records),
        (7, 30, 31)
    );
    assert!(
        report.to_string().starts_with(
            "intact up to record 29 (2026-01-01T00:00:29.000Z), later records unproven"
        ),
        "{report}"
    );
}

#[test]
fn reordered_records_are_named() {
    for (a, b) in [(0, 1), (3, 4), (5, 20), (28, 29)] {
        let log = Log::new();
        log.sql(&format!("UPDATE record SET seq = -9 WHERE seq = {a}; UPDATE record SET seq = {a} WHERE seq = {b}; UPDATE record SET seq = {b} WHERE seq = -9"));
        let fault = log.fault();
        assert_eq!((fault.seq, fault.damage), at(a, Damage::Reordered));
    }
}

#[test]
fn a_cut_is_noticed_by_whoever_remembers_more() {
    for left in 0..SIZE {
        let log = Log::new();
        log.sql(&format!("DELETE FROM record WHERE seq >= {left}"));
        let fault = log.report().fault.unwrap();
        assert_eq!(
            (fault.seq, fault.damage),
            at(left, Damage::Cut { remembered: SIZE })
        );
        // The head cut with it is an older copy of the whole file, correctly signed.
        log.restate(&log.bodies[..usize::try_from(left).unwrap()], &log.key);
        let report = log.report();
        let fault = report.fault.clone().unwrap();
        assert_eq!(
            (fault.seq, fault.damage),
            at(left, Damage::Cut { remembered: SIZE })
        );
        let note = checkpoint::sign(&origin(), SIZE, &log.mark(SIZE).head.root, &log.key);
        for head in [
            PinnedHead::Head(log.mark(SIZE).head),
            PinnedHead::parse(&note).unwrap(),
        ] {
            let request = VerifyRequest {
                mark: None,
                head: Some(head),
                ..log.request()
            };
            assert_eq!(verify(&request).unwrap().exit_code(), 6);
        }
        // Nobody remembers: nothing to notice, and nothing claimed.
        let request = VerifyRequest {
            mark: None,
            witnesses: Vec::new(),
            ..log.request()
        };
        assert_eq!(verify(&request).unwrap().exit_code(), 7);
    }
}

#[test]
fn another_history_of_the_same_log_is_noticed() {
    let log = Log::new();
    let mut head = log.mark(20).head;
    head.root[0] ^= 1;
    let request = VerifyRequest {
        mark: None,
        head: Some(PinnedHead::Head(head)),
        ..log.request()
    };
    let fault = verify(&request).unwrap().fault.unwrap();
    assert_eq!(
        (fault.seq, fault.before, fault.damage),
        (Some(0), Some(20), Damage::Rewritten)
    );
}

#[test]
fn heads_that_are_not_the_logs_are_refused() {
    let log = Log::new();
    let root = log.mark(SIZE).head.root;
    for note in [
        checkpoint::sign(&origin(), SIZE, &root, &SigningKey::from_bytes(&[6; 32])),
        checkpoint::sign("chaperone/audit/other", SIZE, &root, &log.key),
        "nonsense".to_owned(),
    ] {
        Connection::open(log.path())
            .unwrap()
            .execute("UPDATE head SET note = ?1", [&note])
            .unwrap();
        assert!(matches!(log.fault().damage, Damage::Note(_)));
        if note.contains('\n') {
            let log = Log::new();
            let request = VerifyRequest {
                head: Some(PinnedHead::parse(&note).unwrap()),
                ..log.request()
            };
            assert!(matches!(
                verify(&request).unwrap().fault.unwrap().damage,
                Damage::GivenHead(_)
            ));
        }
    }
    let mut mark = log.mark(4);
    mark.origin = "chaperone/audit/other".into();
    let request = VerifyRequest {
        mark: Some(mark),
        witnesses: Vec::new(),
        ..log.request()
    };
    assert_eq!(
        verify(&request).unwrap().fault.unwrap().damage,
        Damage::OtherLog
    );
}

#[test]
fn bodies_that_chaperone_does_not_write_are_named() {
    for (bad, damage) in [
        ("{}".to_owned(), Damage::NotARecord),
        ("not json".to_owned(), Damage::NotARecord),
        (
            body(7).replace("\"seq\":7", "\"seq\":7,\"seq\":8"),
            Damage::NotARecord,
        ),
        (body(7).replace("call-3", "call-99"), Damage::Orphan),
    ] {
        let mut bodies: Vec<String> = (0..SIZE).map(body).collect();
        bodies[7] = bad;
        let log = Log::with(bodies);
        let fault = log.report().fault.unwrap();
        assert_eq!((fault.seq, fault.damage), at(7, damage));
    }
    let log = Log::new();
    log.sql("UPDATE record SET body = NULL WHERE seq = 7");
    let fault = log.fault();
    assert_eq!((fault.seq, fault.damage), at(7, Damage::BodyMissing));
    log.sql("UPDATE head SET frontier = x'00'; DELETE FROM log");
    assert_eq!(log.fault().damage, Damage::HeadMissing);
}

/// Flips one bit in every byte of the file: the answer is never that a different log is intact.
#[test]
fn no_changed_byte_of_the_file_makes_another_log() {
    let log = Log::with((0..6).map(body).collect());
    let good = std::fs::read(log.path()).unwrap();
    let copy = log.directory.path().join("copy.db");
    let request = VerifyRequest {
        database: copy.clone(),
        key: Some(log.pinned()),
        head: None,
        mark: Some(log.mark(6)),
        witnesses: Vec::new(),
    };
    for byte in 0..good.len() {
        let mut bad = good.clone();
        bad[byte] ^= 1 << (byte % 8);
        std::fs::write(&copy, &bad).unwrap();
        if let Ok(report) = verify(&request)
            && report.exit_code() == 0
        {
            assert_eq!(contents(&copy), log.bodies, "byte {byte}");
        }
    }
}

fn contents(path: &Path) -> Vec<String> {
    let reader = Reader::open(path).unwrap();
    let mut statement = reader
        .connection()
        .prepare("SELECT body FROM record ORDER BY seq")
        .unwrap();
    let rows = statement
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .unwrap();
    rows.map(|body| String::from_utf8(body.unwrap()).unwrap())
        .collect()
}

#[test]
fn what_stands_beside_the_log_is_left_alone() {
    let log = Log::new();
    log.report();
    let names: Vec<_> = std::fs::read_dir(log.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["audit.db"]);
}

#[test]
fn remembered_heads_are_read_in_both_spellings() {
    let root = [0xAB; 32];
    let head = PinnedHead::Head(Head { size: 7, root });
    assert_eq!(
        PinnedHead::parse(&format!("7:{}", "ab".repeat(32))),
        Ok(head.clone())
    );
    assert_eq!(
        PinnedHead::parse(&format!("7:{}", STANDARD.encode(root))),
        Ok(head)
    );
    for bad in [
        "",
        "7",
        "7:",
        "07:ab",
        ":ab",
        "7:+b",
        &format!("7:{}", "+b".repeat(32)),
        &format!("7:{}", "ä".repeat(32)),
    ] {
        assert_eq!(PinnedHead::parse(bad), Err(PinnedHeadError), "{bad}");
    }
}
