//! What is written here is what the verifier reads.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::kit::{Desk, agent, call, outcome, person};
use crate::audit::checkpoint::VerifierKey;
use crate::audit::verify::{Damage, KeySource, PinnedKey, Report, Verdict, VerifyRequest, verify};
use crate::audit::*;
use crate::clock::Timestamp;
use crate::config::Durability::{Process, Strict};
use crate::name::ServerName;

/// The verdict of somebody who has the account's keychain.
fn verdict(desk: &Desk) -> Verdict {
    report(desk).verdict
}

fn report(desk: &Desk) -> Report {
    let keychain = key::KeyPlace::Keychain;
    let keys = key::load(keychain, &desk.paths().data_dir, desk.secrets()).unwrap();
    let mark = mark::read(desk.secrets()).unwrap().unwrap();
    let mark = mark.checkpoint().unwrap();
    let key = VerifierKey::new(&mark.origin, keys.signing.verifying_key()).unwrap();
    let request = VerifyRequest {
        database: desk.paths().audit_db(),
        key: Some(PinnedKey {
            key,
            source: KeySource::Keychain,
        }),
        head: None,
        mark: Some(mark),
        witnesses: Vec::new(),
    };
    verify(&request).unwrap()
}

async fn calls(desk: &Desk, durability: Durability) {
    let audit = desk.audit(durability);
    let generation = audit.begin_session(&person()).await.unwrap();
    for _ in 0..300 {
        let (permit, call) = call("query_database", generation);
        let (_, receipt) = audit.admit(permit, call).await.unwrap();
        audit.settle(receipt, outcome()).await.unwrap();
    }
    audit.close().await;
}

#[tokio::test]
async fn a_log_that_was_closed_is_intact_and_an_older_copy_is_not() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        calls(&desk, durability).await;
        assert_eq!(verdict(&desk), Verdict::Intact);
        let older = fs::read(desk.paths().audit_db()).unwrap();
        calls(&desk, durability).await;
        assert_eq!(verdict(&desk), Verdict::Intact);
        fs::write(desk.paths().audit_db(), older).unwrap();
        assert_eq!(verdict(&desk), Verdict::Changed);
        // Neither is it when it has grown past what the keychain remembers.
        calls(&desk, durability).await;
        calls(&desk, durability).await;
        assert_eq!(verdict(&desk), Verdict::Changed);
    }
}

#[tokio::test]
async fn a_log_in_use_can_be_verified() {
    let desk = Desk::new();
    calls(&desk, Process).await;
    let audit = desk.audit(Process);
    let event = || Event::Started { agent: agent() };
    audit.record(event()).await.unwrap();
    // The newest record is not under a signed head yet, unless the second is over.
    assert_ne!(verdict(&desk), Verdict::Changed);
    assert!(audit.state().await.head.is_some());
    assert_eq!(verdict(&desk), Verdict::Intact);
    audit.close().await;
}

/// Prunes up to this record, a few at a time; the first that keeps its content.
async fn prune(audit: &Audit, until: u64, before: Timestamp) -> u64 {
    let mut from = 0;
    loop {
        let what = Prune {
            from,
            until,
            before,
            most: 7,
        };
        let pruned = audit.prune(what).await.unwrap();
        if pruned.next <= from {
            return from;
        }
        from = pruned.next;
    }
}

fn bodies(desk: &Desk, kept: &str) -> u64 {
    let sql = format!("SELECT count(*) FROM record WHERE body IS {kept}");
    let count: i64 = desk
        .connection()
        .query_row(&sql, [], |row| row.get(0))
        .unwrap();
    u64::try_from(count).unwrap()
}

#[tokio::test]
async fn old_records_lose_their_content_and_the_log_still_verifies() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        calls(&desk, durability).await;
        let then = desk.clock().now();
        desk.clock().advance(Duration::from_secs(3600));
        let audit = desk.audit(durability);
        // Nothing is old enough yet, and what nobody has taken stays however old it is.
        assert_eq!(prune(&audit, 400, then).await, 1);
        let later = desk.clock().now();
        let end = prune(&audit, 400, later).await;
        assert!((399..=400).contains(&end), "{end}");
        assert_eq!(bodies(&desk, "NULL"), end - 1);
        audit.close().await;
        assert_eq!(verdict(&desk), Verdict::Intact);
        calls(&desk, durability).await;
        assert_eq!(verdict(&desk), Verdict::Intact);
        // More than the log says was taken out.
        let sql = format!("UPDATE record SET body = NULL WHERE seq = {end}");
        desk.connection().execute(&sql, []).unwrap();
        assert_eq!(verdict(&desk), Verdict::Changed);
    }
}

#[tokio::test]
async fn a_call_is_pruned_whole_or_not_at_all() {
    let desk = Desk::new();
    let audit = desk.audit(Process);
    let generation = audit.begin_session(&person()).await.unwrap();
    let (permit, long) = call("query_database", generation);
    let (_, held) = audit.admit(permit, long).await.unwrap();
    for _ in 0..50 {
        let (permit, call) = call("query_database", generation);
        let (_, receipt) = audit.admit(permit, call).await.unwrap();
        audit.settle(receipt, outcome()).await.unwrap();
    }
    audit.settle(held, outcome()).await.unwrap();
    audit.close().await;
    desk.clock().advance(Duration::from_secs(3600));
    let audit = desk.audit(Process);
    let later = desk.clock().now();
    // Up to the middle of the long call: it stays, and so does everything after its intent.
    let begun = prune(&audit, 60, later).await;
    assert_eq!(bodies(&desk, "NULL"), begun - 1);
    assert!(begun < 5, "{begun}");
    let end = prune(&audit, u64::MAX, later).await;
    assert!(end > 100, "{end}");
    audit.close().await;
    assert_eq!(verdict(&desk), Verdict::Intact);
}

#[tokio::test]
async fn records_that_wait_beside_the_file_are_verified_with_it() {
    // Where a head waits with them they are proven, else they are there.
    for (durability, verdict) in [(Process, Verdict::Unproven), (Strict, Verdict::Intact)] {
        let desk = Desk::new();
        calls(&desk, durability).await;
        let audit = desk.audit(durability);
        let generation = audit.begin_session(&person()).await.unwrap();
        let stored = audit.state().await.records;
        let (permit, call) = call("query_database", generation);
        let (_, receipt) = audit.admit(permit, call).await.unwrap();
        let before = report(&desk);
        assert_eq!((before.waiting, before.verdict), (1, verdict));
        assert_eq!(before.records, stored + 1);
        let words = "; the last of them waits beside the file";
        assert!(before.to_string().contains(words), "{before}");
        let db = desk.paths().audit_db();
        let told = || reader::Reader::open(&db).unwrap().waiting(&db);
        assert_eq!(told(), 1);
        settle(&desk.paths());
        assert_eq!(told(), 0);
        let after = report(&desk);
        assert_eq!((after.waiting, after.records), (0, before.records));
        assert_eq!(after.note, before.note);
        assert_eq!(after.verdict, verdict);
        audit.settle(receipt, outcome()).await.unwrap();
        audit.close().await;
        assert_eq!(report(&desk).waiting, 0);
    }
}

#[tokio::test]
async fn what_waits_beside_the_file_is_not_believed() {
    let desk = Desk::new();
    calls(&desk, Strict).await;
    let audit = desk.audit(Strict);
    let generation = audit.begin_session(&person()).await.unwrap();
    audit.state().await;
    let place = tail::place(&desk.paths().audit_db());
    let begun = fs::read(&place).unwrap();
    let (permit, call) = call("query_database", generation);
    let (_, receipt) = audit.admit(permit, call).await.unwrap();
    let good = report(&desk);
    let log_id = good.log_id.clone().unwrap();
    let found = tail::read(&desk.paths().audit_db(), &log_id).unwrap();
    let (frame, head) = (&found.frames[0], found.signed.unwrap());
    let changed = String::from_utf8(frame.body.clone()).unwrap();
    let changed = changed.replace("query_database", "query_databass");
    let add = |batch: &mut tail::Batch, body: &str| {
        let leaf = tree::leaf_hash(body.as_bytes());
        batch.add(
            frame.seq,
            &leaf,
            frame.process.as_deref(),
            None,
            body.as_bytes(),
        );
    };
    let write = |batch: tail::Batch| {
        fs::write(&place, [&begun[..17], &batch.stopped()].concat()).unwrap();
        report(&desk)
    };
    let (mut rewritten, mut odd) = (tail::Batch::default(), tail::Batch::default());
    add(&mut rewritten, &changed);
    rewritten.sign(head.size, &head.note, Strict);
    let fault = write(rewritten).fault.unwrap();
    assert_eq!(fault.damage, Damage::Rewritten);
    assert!(fault.seq <= Some(frame.seq) && fault.before.is_none_or(|end| end > frame.seq));
    add(&mut odd, "{}");
    assert_eq!(write(odd).fault.unwrap().damage, Damage::NotARecord);
    // Without a head it is there and unproven, and without the record it is not there.
    let mut bare = tail::Batch::default();
    add(&mut bare, &changed);
    assert_eq!(write(bare).verdict, Verdict::Unproven);
    assert_eq!(write(tail::Batch::default()).records, good.records - 1);
    drop(receipt);
}

#[tokio::test]
async fn a_log_of_the_first_format_is_read_as_it_is_and_brought_forward() {
    let desk = Desk::new();
    calls(&desk, Process).await;
    let path = desk.paths().audit_db();
    let older = rusqlite::Connection::open(&path).unwrap();
    older
        .execute_batch(
            "DROP TABLE cosigned; DROP TABLE rotated; PRAGMA user_version = 1; PRAGMA wal_checkpoint(TRUNCATE)",
        )
        .unwrap();
    older.close().unwrap();
    assert_eq!(verdict(&desk), Verdict::Intact);
    let records = |kind: &str| {
        let reader = reader::Reader::open(&path).unwrap();
        let (mut found, filter) = (0, query::Filter::default());
        query::list(&reader, &filter, query::Order::OldestFirst, |entry| {
            found += usize::from(entry.json.contains(kind));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
        found
    };
    assert_eq!(records("log_upgraded"), 0);
    for _ in 0..2 {
        calls(&desk, Process).await;
        assert_eq!(verdict(&desk), Verdict::Intact);
        assert_eq!(records("the log went from format 1 to format 4"), 1);
    }
}

/// A log of 20,000 records and some, whose writers have gone.
async fn large() -> Desk {
    let desk = Desk::new();
    calls(&desk, Process).await;
    let audit = desk.audit(Process);
    for _ in 0..100 {
        let event = || Event::Definitions {
            server: ServerName::parse("database").unwrap(),
            what: Definitions::Changed,
            which: "x".repeat(300).into(),
        };
        let many = (0..200).map(|_| audit.record(event()));
        for recorded in futures_util::future::join_all(many).await {
            recorded.unwrap();
        }
    }
    audit.close().await;
    desk
}

/// Calls on a thread of its own, as another process would make them, until told to stop; how many.
fn another_writer(desk: &Desk) -> (Arc<AtomicBool>, std::thread::JoinHandle<u32>) {
    let audit = desk.audit(Strict);
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async {
            let generation = audit.begin_session(&person()).await.unwrap();
            let mut made = 0;
            while !told.load(Ordering::Relaxed) || made == 0 {
                let (permit, call) = call("query_database", generation);
                let (_, receipt) = audit.admit(permit, call).await.unwrap();
                audit.settle(receipt, outcome()).await.unwrap();
                made += 1;
            }
            audit.close().await;
            made
        })
    });
    (stop, thread)
}

/// Prunes everything, and gives back what can be given back; how many pages are left over.
async fn prune_and_reclaim(desk: &Desk) -> u64 {
    desk.clock().advance(Duration::from_secs(3600));
    let audit = desk.audit(Process);
    let before = desk.clock().now();
    let mut from = 0;
    loop {
        let what = Prune {
            from,
            until: 20_000,
            before,
            most: 200,
        };
        match audit.prune(what).await.unwrap().next {
            next if next > from => from = next,
            _ => break,
        }
    }
    let mut left = u64::MAX;
    let left = loop {
        match audit.reclaim(64).await.unwrap() {
            now if now > 0 && now < left => left = now,
            now => break now,
        }
    };
    audit.close().await;
    left
}

#[tokio::test]
async fn a_pruned_log_shrinks_while_others_write() {
    let desk = large().await;
    let size = || fs::metadata(desk.paths().audit_db()).unwrap().len();
    let before = size();
    let (stop, writer) = another_writer(&desk);
    let left = prune_and_reclaim(&desk).await;
    stop.store(true, Ordering::Relaxed);
    let calls = writer.join().unwrap();
    assert_eq!(left, 0);
    assert!(bodies(&desk, "NULL") > 19_000);
    let grown = u64::from(calls) * 2 * 1500;
    assert!(
        size() < before / 3 + grown,
        "{} of {before}, {calls} calls",
        size()
    );
    assert_eq!(verdict(&desk), Verdict::Intact);
}

#[tokio::test]
async fn a_log_that_cannot_shrink_is_a_log_all_the_same() {
    let desk = large().await;
    let connection = desk.connection();
    let sql = "PRAGMA auto_vacuum = NONE; VACUUM";
    connection.execute_batch(sql).unwrap();
    drop(connection);
    let before = fs::metadata(desk.paths().audit_db()).unwrap().len();
    assert!(prune_and_reclaim(&desk).await > 1000);
    let after = fs::metadata(desk.paths().audit_db()).unwrap().len();
    assert!(after >= before, "{after} {before}");
    assert_eq!(verdict(&desk), Verdict::Intact);
}
