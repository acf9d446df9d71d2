//! The log's key changes while it is in use.

use std::fs;

use super::kit::{Desk, agent};
use crate::audit::checkpoint::VerifierKey;
use crate::audit::reader::Reader;
use crate::audit::verify::{
    KeySource, PinnedHead, PinnedKey, Report, Verdict, VerifyRequest, verify,
};
use crate::audit::*;
use crate::config::Durability::{Process, Strict};

fn event() -> Event {
    Event::Started { agent: agent() }
}

async fn records(audit: &Audit, many: usize) {
    for _ in 0..many {
        audit.record(event()).await.unwrap();
    }
}

/// The key that the log gives as its own.
fn key(desk: &Desk) -> VerifierKey {
    let reader = Reader::open(&desk.paths().audit_db()).unwrap();
    reader.verifier_key().unwrap()
}

fn judged(desk: &Desk, key: VerifierKey, head: Option<PinnedHead>) -> Report {
    let source = KeySource::Given;
    verify(&VerifyRequest {
        database: desk.paths().audit_db(),
        key: Some(PinnedKey { key, source }),
        head,
        mark: None,
        witnesses: Vec::new(),
    })
    .unwrap()
}

fn note(desk: &Desk) -> Box<str> {
    let query = "SELECT note FROM head";
    let note = desk
        .connection()
        .query_row(query, [], |row| row.get::<_, String>(0));
    note.unwrap().into()
}

#[tokio::test]
async fn whoever_kept_any_of_the_keys_can_verify_everything() {
    let desk = Desk::new();
    let audit = desk.audit(Strict);
    records(&audit, 5).await;
    let (old, head) = (key(&desk), PinnedHead::Note(note(&desk)));
    audit.rotate_key().await.unwrap();
    let second = key(&desk);
    records(&audit, 5).await;
    audit.rotate_key().await.unwrap();
    records(&audit, 5).await;
    audit.close().await;
    let newest = key(&desk);
    assert!(old != second && second != newest);
    for key in [old, second, newest] {
        let report = judged(&desk, key, Some(head.clone()));
        assert_eq!(
            (report.verdict, report.key_changes),
            (Verdict::Intact, 2),
            "{report}"
        );
        assert!(
            report
                .to_string()
                .contains("changed 2 times, as both keys signed"),
            "{report}"
        );
    }
    let kinds = desk.read();
    let changes = kinds
        .kinds()
        .into_iter()
        .filter(|kind| *kind == "key_rotated");
    assert_eq!(changes.count(), 2);
}

#[tokio::test]
async fn another_process_goes_on_with_the_new_key() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        let (one, other) = (desk.audit(durability), desk.audit(durability));
        records(&one, 3).await;
        records(&other, 3).await;
        one.rotate_key().await.unwrap();
        records(&other, 300).await;
        other.rotate_key().await.unwrap();
        records(&one, 300).await;
        one.close().await;
        other.close().await;
        let report = judged(&desk, key(&desk), Some(PinnedHead::Note(note(&desk))));
        assert_eq!(
            (report.verdict, report.key_changes),
            (Verdict::Intact, 2),
            "{report}"
        );
    }
}

/// The seed in use and the next one, put back to how they were between commit and keychain.
#[tokio::test]
async fn a_change_that_was_interrupted_is_completed() {
    let desk = Desk::new();
    let audit = desk.audit(Strict);
    records(&audit, 3).await;
    let old = desk.secrets().get(key::SEED_FIELD).unwrap();
    audit.rotate_key().await.unwrap();
    audit.close().await;
    let new = desk.secrets().get(key::SEED_FIELD).unwrap();
    assert_ne!(old, new);
    desk.secrets().put(key::SEED_FIELD, &old);
    desk.secrets().put("audit.key.next", &new);
    let audit = desk.audit(Strict);
    records(&audit, 3).await;
    audit.close().await;
    assert_eq!(desk.secrets().get(key::SEED_FIELD).unwrap(), new);
    assert_eq!(desk.secrets().get("audit.key.next"), None);
    // One that was interrupted before the log said so has changed nothing.
    desk.secrets().put("audit.key.next", &old);
    let audit = desk.audit(Strict);
    records(&audit, 3).await;
    audit.close().await;
    let report = judged(&desk, key(&desk), None);
    assert_eq!((report.fault, report.key_changes), (None, 1));
}

#[tokio::test]
async fn a_key_in_a_file_changes_too() {
    let desk = Desk::new();
    desk.secrets().lock(true);
    let audit = desk.audit(Strict);
    records(&audit, 3).await;
    let file = desk.paths().data_dir.join("audit.key");
    let old = fs::read(&file).unwrap();
    audit.rotate_key().await.unwrap();
    records(&audit, 3).await;
    audit.close().await;
    let new = fs::read(&file).unwrap();
    assert!(
        old[..32] != new[..32] && old[32..] == new[32..],
        "the digests' key stays"
    );
    assert!(!desk.paths().data_dir.join("audit.key.next").exists());
    fs::write(&file, old).unwrap();
    let next = desk.paths().data_dir.join("audit.key.next");
    crate::paths::replace_private(&next, &new).unwrap();
    let audit = desk.audit(Strict);
    records(&audit, 3).await;
    audit.close().await;
    assert!(!next.exists());
    assert_eq!(judged(&desk, key(&desk), None).key_changes, 1);
}

#[tokio::test]
async fn a_change_that_only_one_key_signed_is_found() {
    let desk = Desk::new();
    let audit = desk.audit(Strict);
    records(&audit, 3).await;
    let old = key(&desk);
    audit.rotate_key().await.unwrap();
    audit.close().await;
    let changed =
        "UPDATE rotated SET statement = replace(statement, 'key rotation', 'key rotation ')";
    desk.connection().execute(changed, []).unwrap();
    assert_eq!(judged(&desk, old.clone(), None).verdict, Verdict::Changed);
    desk.connection()
        .execute("DELETE FROM rotated", [])
        .unwrap();
    assert_eq!(judged(&desk, old, None).verdict, Verdict::Changed);
}
