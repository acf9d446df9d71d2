//! What goes wrong, and that it is over when its cause is.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::time::Instant;

use super::kit::{Desk, agent, call, error, outcome, person};
use crate::audit::*;
use crate::config::Durability::{Process, Strict};

/// The longest that anything may go on failing after its cause is gone.
const RECOVERY: Duration = Duration::from_secs(5);

fn event() -> Event {
    Event::Started { agent: agent() }
}

fn story(error: &StoreError) -> String {
    let mut story = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        story.push_str(": ");
        story.push_str(&error.to_string());
        source = error.source();
    }
    story
}

async fn refused(audit: &Audit) -> String {
    story(&audit.record(event()).await.unwrap_err())
}

async fn recovers(audit: &Audit) {
    recovers_if(audit, || true).await;
}

/// Tries again until a record is written and `also` holds. The log is opened again once a second,
/// and nothing announces that.
async fn recovers_if(audit: &Audit, also: impl Fn() -> bool) {
    let since = Instant::now();
    loop {
        let written = audit.record(event()).await;
        if written.is_ok() && also() {
            return;
        }
        assert!(since.elapsed() < RECOVERY, "{written:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A log with a few records, whose writer has gone.
async fn used() -> Desk {
    let desk = Desk::new();
    let audit = desk.audit(Process);
    for _ in 0..3 {
        audit.record(event()).await.unwrap();
    }
    audit.close().await;
    desk
}

#[tokio::test]
async fn a_lock_that_stays_refuses_the_call_and_withholds_the_answer() {
    tokio::join!(lock_stays(Strict), lock_stays(Process));
}

async fn lock_stays(durability: Durability) {
    let desk = Desk::new();
    let audit = desk.audit(durability);
    let generation = audit.begin_session(&person()).await.unwrap();
    let (permit, first) = call("query_database", generation);
    let (_, receipt) = audit.admit(permit, first).await.unwrap();
    let other = desk.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let tail = desk.tail();
    tail.lock().unwrap();
    let (permit, second) = call("query_database", generation);
    let since = Instant::now();
    let (refused, withheld) = tokio::join!(
        audit.admit(permit, second),
        audit.settle(receipt, outcome())
    );
    assert!(since.elapsed() < Duration::from_millis(7500));
    assert!(error(refused).contains("locked by another program for more than 5 seconds"));
    assert!(matches!(*withheld.unwrap_err(), StoreError::Locked { .. }));
    other.execute_batch("ROLLBACK").unwrap();
    tail.unlock().unwrap();
    let (permit, third) = call("query_database", generation);
    let (_, receipt) = audit.admit(permit, third).await.unwrap();
    audit.settle(receipt, outcome()).await.unwrap();
    audit.close().await;
    let log = desk.read();
    assert!(log.open().is_empty());
    let kinds = log.kinds();
    assert_eq!(kinds.iter().filter(|kind| **kind == "intent").count(), 2);
    let unknown = log
        .records
        .iter()
        .find(|record| record["outcome"] == "unknown");
    let reason = unknown.unwrap()["reason"].as_str().unwrap();
    assert!(reason.contains("withheld"));
}

#[tokio::test]
async fn without_room_for_refusals_nothing_is_called_and_that_can_be_recorded() {
    for durability in [Strict, Process] {
        let desk = used().await;
        let place = desk.paths().audit_reserve();
        fs::remove_file(&place).unwrap();
        fs::create_dir(&place).unwrap();
        let audit = desk.audit(durability);
        let generation = audit.begin_session(&person()).await.unwrap();
        for _ in 0..2 {
            let (permit, call) = call("query_database", generation);
            let refused = audit.admit(permit, call).await;
            assert!(
                matches!(&refused, Err(AdmitError::NoRoom { policy }) if &**policy == "unlimited"),
                "{refused:?}"
            );
            let event = Event::Refusal {
                server: None,
                target: "query_database".into(),
                method: "tools/call".into(),
                params: None,
                refusal: RefusalReason::NoRoom {
                    policy: "unlimited".into(),
                },
                policy_digest: None,
                principal: None,
                agent: agent(),
                request_id: "r".into(),
            };
            audit.record(event).await.unwrap();
        }
        let problem = audit.state().await.problem.unwrap();
        assert!(matches!(*problem, StoreError::NoRoom(_)), "{problem:?}");
        fs::remove_dir(&place).unwrap();
        let since = Instant::now();
        let receipt = loop {
            let (permit, call) = call("query_database", generation);
            match audit.admit(permit, call).await {
                Ok((_, receipt)) => break receipt,
                Err(error) => assert!(since.elapsed() < RECOVERY, "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        audit.settle(receipt, outcome()).await.unwrap();
        assert!(audit.state().await.problem.is_none());
        audit.close().await;
        let log = desk.read();
        let refused = log
            .records
            .iter()
            .filter(|one| one["decision"] == "disk_full");
        assert_eq!(refused.count(), 2);
    }
}

#[tokio::test]
async fn damage_is_refused_and_left_as_it_is() {
    let desk = used().await;
    let path = desk.paths().audit_db();
    let good = fs::read(&path).unwrap();
    let mut header = good.clone();
    header[..16].fill(b'x');
    let mut schema = good.clone();
    schema[100..200].fill(0xff);
    for bad in [
        header,
        schema,
        good[..good.len() / 2].to_vec(),
        b"hello".to_vec(),
    ] {
        fs::write(&path, &bad).unwrap();
        let audit = desk.audit(Process);
        let why = refused(&audit).await;
        assert!(why.contains("damaged"), "{why}");
        assert_eq!(fs::read(&path).unwrap(), bad);
        fs::write(&path, &good).unwrap();
        recovers(&audit).await;
        audit.close().await;
        fs::write(&path, &good).unwrap();
    }
}

#[tokio::test]
async fn files_of_others_and_of_the_future_are_refused() {
    let desk = used().await;
    for (pragma, why) in [
        ("user_version = 99", "has taken over the audit log"),
        ("application_id = 7", "is not an audit log"),
    ] {
        let before = {
            let conn = desk.connection();
            conn.execute_batch(&format!("PRAGMA {pragma}")).unwrap();
            desk.read().records.len()
        };
        let audit = desk.audit(Process);
        let found = refused(&audit).await;
        assert!(found.contains(why), "{found}");
        let state = audit.state().await;
        assert!(story(&state.problem.unwrap()).contains(why));
        audit.close().await;
        assert_eq!(desk.read().records.len(), before);
    }
}

#[tokio::test]
async fn links_are_refused_wherever_they_are() {
    for name in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        let desk = used().await;
        let path = desk.paths().data_dir.join(name);
        let target = desk.paths().data_dir.join("elsewhere");
        fs::write(&target, "").unwrap();
        for soft in [true, false] {
            let _absent = fs::remove_file(&path);
            let linked = if soft {
                symlink(&target, &path)
            } else {
                fs::hard_link(&target, &path)
            };
            linked.unwrap();
            let audit = desk.audit(Process);
            let why = refused(&audit).await;
            assert!(why.contains("cannot be opened"), "{why}");
            assert_eq!(fs::read(&target).unwrap(), b"");
            audit.close().await;
        }
    }
}

#[tokio::test]
async fn every_file_is_private() {
    let desk = Desk::new();
    let audit = desk.audit(Process);
    audit.record(event()).await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o777;
    let dir = desk.paths().data_dir;
    assert_eq!(mode(&dir), 0o700);
    for name in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
    audit.close().await;
}

#[tokio::test]
async fn a_locked_keychain_refuses_calls_until_it_is_unlocked() {
    let desk = used().await;
    desk.secrets().lock(true);
    let audit = desk.audit(Process);
    let why = refused(&audit).await;
    assert!(why.contains("the keychain is locked"), "{why}");
    desk.secrets().lock(false);
    recovers(&audit).await;
    // What the process has once it keeps.
    desk.secrets().lock(true);
    audit.record(event()).await.unwrap();
    audit.close().await;
    assert_eq!(desk.read().signed_size(), 6);
}

#[tokio::test]
async fn a_silent_keychain_is_not_waited_for_without_end() {
    let desk = used().await;
    let audit = desk.audit(Process);
    desk.secrets().silence(true);
    let why = refused(&audit).await;
    assert!(why.contains("may be waiting for you to unlock it"), "{why}");
    let asked = desk.secrets().reads();
    desk.secrets().silence(false);
    recovers(&audit).await;
    // The question that was open was answered; nobody asked again for the same.
    assert!(desk.secrets().reads() <= asked + 1);
    audit.close().await;
}

#[tokio::test]
async fn a_lost_key_is_never_made_anew() {
    let desk = used().await;
    let key = desk.secrets().get(key::SEED_FIELD).unwrap();
    let audit = desk.audit(Process);
    desk.secrets().forget(key::SEED_FIELD);
    assert!(refused(&audit).await.contains("no longer in the keychain"));
    assert_eq!(desk.secrets().get(key::SEED_FIELD), None);
    audit.close().await;
    for (bad, why) in [
        (vec![7; 32], "another log's key"),
        (vec![7; 31], "not a key"),
    ] {
        desk.secrets().put(key::SEED_FIELD, &bad);
        let audit = desk.audit(Process);
        let found = refused(&audit).await;
        assert!(found.contains(why), "{found}");
        audit.close().await;
    }
    desk.secrets().put(key::SEED_FIELD, &key);
    let audit = desk.audit(Process);
    audit.record(event()).await.unwrap();
    audit.close().await;
}

#[tokio::test]
async fn without_a_keychain_the_key_is_in_a_file_and_the_log_says_so() {
    let desk = Desk::new();
    desk.secrets().lock(true);
    let audit = desk.audit(Strict);
    audit.record(event()).await.unwrap();
    assert_eq!(audit.state().await.key_place, Some(key::KeyPlace::File));
    audit.close().await;
    let file = desk.paths().data_dir.join("audit.key");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    let log = desk.read();
    let reason = log.records[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("in a private file: the keychain is locked"),
        "{reason}"
    );
    // The place was chosen once; a keychain that comes back later changes nothing.
    desk.secrets().lock(false);
    let audit = desk.audit(Strict);
    audit.record(event()).await.unwrap();
    audit.close().await;
    assert_eq!(desk.secrets().get(key::SEED_FIELD), None);
    fs::remove_file(&file).unwrap();
    let audit = desk.audit(Strict);
    assert!(refused(&audit).await.contains("no longer in the file"));
    audit.close().await;
    assert!(!file.exists());
}

#[tokio::test]
async fn the_mark_follows_the_log_and_not_an_older_copy() {
    let desk = used().await;
    let mark = |desk: &Desk| -> mark::Mark {
        serde_json::from_slice(&desk.secrets().get(mark::FIELD).unwrap()).unwrap()
    };
    assert_eq!(mark(&desk).size, 4);
    let path = desk.paths().audit_db();
    let older = fs::read(&path).unwrap();
    let grow = async |records| {
        let audit = desk.audit(Process);
        for _ in 0..records {
            audit.record(event()).await.unwrap();
        }
        audit.close().await;
    };
    grow(3).await;
    let newest = mark(&desk);
    assert_eq!(newest.size, 7);
    fs::write(&path, older).unwrap();
    grow(1).await;
    assert_eq!(mark(&desk), newest);
    // Grown past the mark it is still not the log that the mark was made for.
    grow(9).await;
    assert_eq!(desk.read().signed_size(), 14);
    assert_eq!(mark(&desk), newest);
}

#[tokio::test]
async fn a_log_that_is_removed_in_use_is_noticed_and_begun_anew_openly() {
    let desk = Desk::new();
    let audit = desk.audit(Process);
    audit.record(event()).await.unwrap();
    let log_id = audit.state().await.log_id.unwrap();
    // The mark is in the keychain only once it was written; the first round does that.
    desk.secrets().wait_for(mark::FIELD);
    for name in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        fs::remove_file(desk.paths().data_dir.join(name)).unwrap();
    }
    recovers_if(&audit, || desk.paths().audit_db().exists()).await;
    audit.close().await;
    let log = desk.read();
    let reason = log.records[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains(&format!("remembers an earlier log, {log_id}")),
        "{reason}"
    );
}

#[tokio::test]
async fn records_cut_from_under_a_writer_are_noticed() {
    let desk = Desk::new();
    let audit = desk.audit(Process);
    for _ in 0..4 {
        audit.record(event()).await.unwrap();
    }
    let conn = desk.connection();
    conn.execute("DELETE FROM record WHERE seq >= 3", [])
        .unwrap();
    let why = refused(&audit).await;
    assert!(why.contains("has 3 records where 5 were written"), "{why}");
    audit.close().await;
}
