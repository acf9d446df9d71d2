use std::collections::BTreeSet;

use rusqlite::params;

use super::*;
use crate::audit::error::Damage;
use crate::audit::tests::kit::{Desk, person};
use crate::audit::{checkpoint, entry, tail, tree};
use crate::config::Durability::{Process, Strict};

fn open(desk: &Desk, durability: Durability) -> Store {
    let settings = desk.settings(durability);
    Opening {
        paths: &settings.paths,
        durability,
        secrets: &settings.secrets,
        clock: &settings.clock,
        device: &settings.device,
        process: "0123456789abcdef0123456789abcdef",
    }
    .open(&mut Custodian::default())
    .unwrap()
}

fn record() -> Work {
    Work::Record(entry::note("started", &Device::default(), "x"))
}

fn count(store: &Store, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    store.conn.query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_transaction_that_does_not_fit_leaves_nothing_and_the_next_one_goes_on() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        let mut store = open(&desk, durability);
        store.commit(&[record()], Patience::Full).unwrap();
        let before = store.records();
        let pages = |store: &Store, limit: i64| {
            let set = store.conn.pragma_update(None, "max_page_count", limit);
            set.unwrap();
        };
        pages(&store, 1);
        let many: Vec<Work> = (0..200).map(|_| record()).collect();
        let full = store.commit(&many, Patience::Full);
        assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
        assert_eq!(store.records(), before);
        assert_eq!(u64::try_from(count(&store, "record")).unwrap(), before);
        pages(&store, 1 << 20);
        store.commit(&many, Patience::Full).unwrap();
        drop(store);
        assert_eq!(desk.read().records.len(), 202);
    }
}

#[test]
fn a_store_that_may_not_write_says_so() {
    let desk = Desk::new();
    let mut store = open(&desk, Process);
    store.conn.pragma_update(None, "query_only", true).unwrap();
    let refused = store.commit(&[record()], Patience::Full);
    assert!(
        matches!(refused, Err(StoreError::ReadOnly(_))),
        "{refused:?}"
    );
}

#[test]
fn a_store_catches_up_with_whatever_others_appended() {
    let desk = Desk::new();
    let (mut slow, mut busy) = (open(&desk, Process), open(&desk, Process));
    for others in [0, 1, 255, 256, 257, 700] {
        let works: Vec<Work> = (0..others).map(|_| record()).collect();
        busy.commit(&works, Patience::Full).unwrap();
        slow.commit(&[record()], Patience::Full).unwrap();
        assert_eq!(slow.frontier.size(), busy.frontier.size() + 1);
        // `read` recomputes the tree and compares the signed head with it.
        let done = slow.commit(&[Work::Sign], Patience::Full).unwrap();
        assert_eq!(desk.read().signed_size(), done[0].head().unwrap().size);
        busy.commit(&[record()], Patience::Full).unwrap();
    }
}

#[test]
fn readings_of_other_boots_and_times_are_forgotten() {
    let desk = Desk::new();
    let mut store = open(&desk, Process);
    let now = store.clock.uptime();
    for (ordinal, (boot, uptime)) in [
        ("other", now.millis),
        ("test", now.millis - 60_001),
        ("test", now.millis - 60_000),
        ("test", now.millis),
        ("test", now.millis + 1),
    ]
    .into_iter()
    .enumerate()
    {
        let row = params!["p", "q", i64::try_from(ordinal).unwrap(), boot, uptime];
        let sql = "INSERT INTO rate VALUES (?1, ?2, ?3, ?4, ?5)";
        store.conn.execute(sql, row).unwrap();
    }
    store
        .sweep(&desk.paths(), &BTreeSet::new(), "", Patience::Full)
        .unwrap();
    assert_eq!(count(&store, "rate"), 2);
}

#[test]
fn a_log_without_its_own_row_is_damaged() {
    let desk = Desk::new();
    let store = open(&desk, Process);
    store.conn.execute("DELETE FROM log", []).unwrap();
    drop(store);
    let settings = desk.settings(Process);
    let opened = Opening {
        paths: &settings.paths,
        durability: Process,
        secrets: &settings.secrets,
        clock: &settings.clock,
        device: &settings.device,
        process: "",
    }
    .open(&mut Custodian::default());
    assert!(matches!(opened, Err(StoreError::Corrupt { .. })));
}

#[test]
fn the_quick_way_is_taken_only_where_nothing_has_changed() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        let (mut one, mut two) = (open(&desk, durability), open(&desk, durability));
        let Done::Session(session) = only(&mut one, Work::BeginSession(person())) else {
            panic!("no session");
        };
        let outcome = |closes| Work::Outcome {
            draft: entry::note("outcome", &Device::default(), "x"),
            closes,
        };
        // The second has not seen what the first wrote, and then the other way round.
        for first in [true, false, false, true] {
            let store = if first { &mut one } else { &mut two };
            let before = desk.read().records.len();
            let Done::Intent(seq) = only(store, intent(session)) else {
                panic!("refused");
            };
            assert_eq!(usize::try_from(seq).unwrap(), before);
            assert!(matches!(only(store, outcome(seq)), Done::Recorded));
            assert_eq!(store.records(), seq + 2);
        }
        let Done::Intent(open) = only(&mut one, intent(session)) else {
            panic!("refused");
        };
        let ended = only(&mut two, Work::EndSession(person(), session));
        assert!(matches!(ended, Done::Ended(true)));
        only(&mut two, outcome(open));
        assert!(matches!(
            only(&mut two, intent(session)),
            Done::SessionEnded
        ));
        only(&mut one, Work::Sign);
        assert_eq!(desk.read().signed_size(), one.records());
        let last = "DELETE FROM record WHERE seq = (SELECT max(seq) FROM record)";
        desk.connection().execute(last, []).unwrap();
        let cut = one.commit(&[Work::Sign], Patience::Full);
        assert!(matches!(cut, Err(StoreError::Cut { .. })), "{cut:?}");
    }
}

/// A store with an open session, and a tail in which the next record will wait.
fn in_session(desk: &Desk, durability: Durability) -> (Store, Generation) {
    let mut store = open(desk, durability);
    let Done::Session(session) = only(&mut store, Work::BeginSession(person())) else {
        panic!("no session");
    };
    (store, session)
}

fn intent(session: Generation) -> Work {
    Work::Intent {
        draft: entry::note("intent", &Device::default(), "x"),
        session,
        rate: None,
    }
}

fn waiting(desk: &Desk, store: &Store) -> usize {
    let found = tail::read(&desk.paths().audit_db(), store.log_id());
    found.unwrap().frames.len()
}

#[test]
fn records_of_calls_wait_in_the_tail_until_the_next_transaction() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        let (mut store, session) = in_session(&desk, durability);
        let before = count(&store, "record");
        for many in 1..=3 {
            only(&mut store, intent(session));
            assert_eq!(waiting(&desk, &store), many);
            assert_eq!(count(&store, "record"), before);
        }
        only(&mut store, Work::Sign);
        assert_eq!(
            (waiting(&desk, &store), count(&store, "record")),
            (0, before + 3)
        );
        assert_eq!(desk.read().signed_size(), store.records());
        // Nothing waits without being signed for longer than so many records.
        for _ in 0..2 * SIGN_EVERY {
            only(&mut store, intent(session));
            assert!(waiting(&desk, &store) < usize::try_from(SIGN_EVERY).unwrap());
        }
        assert_eq!(
            desk.read().records.len(),
            usize::try_from(store.records()).unwrap()
        );
    }
}

#[test]
fn what_a_killed_process_left_in_the_tail_is_carried_over() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        let (mut store, session) = in_session(&desk, durability);
        let path = tail::place(&desk.paths().audit_db());
        only(&mut store, intent(session));
        only(&mut store, intent(session));
        let known = store.records();
        let left = std::fs::read(&path).unwrap();
        drop(store);
        let mut next = open(&desk, durability);
        only(&mut next, Work::Sign);
        assert_eq!(next.records(), known);
        // Killed after its commit, before the tail began anew; and in the middle of a write.
        let torn: &[&[u8]] = match durability {
            Process => &[b"", b"half a record"],
            // What follows there is room.
            Strict => &[b""],
        };
        for torn in torn {
            // Written over what stops a reader there.
            let end = left.len() - 4 * usize::from(!torn.is_empty());
            std::fs::write(&path, [&left[..end], torn].concat()).unwrap();
            only(&mut next, record());
            let log = desk.read();
            assert_eq!(log.kinds().contains(&"torn"), !torn.is_empty());
            assert_eq!(log.records.len(), usize::try_from(next.records()).unwrap());
        }
    }
}

#[test]
fn whoever_wrote_a_tail_notices_that_it_was_changed() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        let (mut store, session) = in_session(&desk, durability);
        let path = tail::place(&desk.paths().audit_db());
        only(&mut store, intent(session));
        only(&mut store, intent(session));
        let mut changed = std::fs::read(&path).unwrap();
        // In the last record; in durability `strict` there is more behind it.
        let last = changed.windows(5).rposition(|five| five == b"{\"id\"");
        changed[last.unwrap()] ^= 1;
        std::fs::write(&path, changed).unwrap();
        let cut = store.commit(&[Work::Sign], Patience::Full);
        assert!(matches!(cut, Err(StoreError::Cut { .. })), "{cut:?}");
        // Whoever knows nothing of it says what is no record.
        drop(store);
        only(&mut open(&desk, durability), record());
        assert!(desk.read().kinds().contains(&"torn"));
    }
}

#[test]
fn a_tail_that_contradicts_the_database_is_damage() {
    let desk = Desk::new();
    let (mut store, _) = in_session(&desk, Process);
    let path = tail::place(&desk.paths().audit_db());
    only(&mut store, Work::Sign);
    let (begun, size) = (std::fs::read(&path).unwrap(), store.records());
    only(
        &mut store,
        Work::Record(entry::note("started", &Device::default(), "one")),
    );
    // Another history: the same number, another record.
    let mut batch = tail::Batch::default();
    batch.add(size, &tree::leaf_hash(b"{}"), None, None, b"{}");
    let mut other = Tail::open(&desk.paths().audit_db(), store.log_id()).unwrap();
    std::fs::write(&path, begun).unwrap();
    let mut turn = other.turn(Duration::ZERO).unwrap();
    let found = turn.read().unwrap();
    turn.begin_anew(&found, size, Process).unwrap();
    turn.append(&mut batch, Process).unwrap();
    drop(turn);
    let forked = store.commit(&[Work::Sign], Patience::Full);
    let is_fork = |error: &StoreError| matches!(error, StoreError::Corrupt { cause: Damage::Fork(seq), .. } if *seq == size);
    assert!(forked.as_ref().is_err_and(is_fork), "{forked:?}");
    let forked = settle(&desk.paths().audit_db());
    assert!(forked.as_ref().is_err_and(is_fork), "{forked:?}");
}

#[test]
fn a_head_that_waits_counts_for_whoever_carries_it_over() {
    for next in [None, Some(Strict), Some(Process)] {
        let desk = Desk::new();
        let (mut store, session) = in_session(&desk, Strict);
        only(&mut store, intent(session));
        only(&mut store, intent(session));
        let known = store.records();
        // Killed.
        drop(store);
        let signed = match next {
            None => {
                settle(&desk.paths().audit_db()).unwrap();
                known
            }
            Some(durability) => {
                let mut next = open(&desk, durability);
                only(&mut next, record());
                next.records()
            }
        };
        let log = desk.read();
        assert_eq!(log.signed_size(), signed, "{next:?}");
        assert_eq!(log.records.len(), usize::try_from(signed).unwrap());
    }
}

#[test]
fn a_head_that_is_not_that_of_the_records_is_damage() {
    let desk = Desk::new();
    let (mut store, session) = in_session(&desk, Strict);
    only(&mut store, Work::Sign);
    let (path, size) = (tail::place(&desk.paths().audit_db()), store.records());
    let begun = std::fs::read(&path).unwrap();
    only(&mut store, intent(session));
    let own = tail::read(&desk.paths().audit_db(), store.log_id()).unwrap();
    let own = own.signed.unwrap().note;
    let stranger = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let root = tree::leaf_hash(b"any");
    let theirs = checkpoint::sign(&store.origin, size + 1, &root, &stranger);
    drop(store);
    for note in [&*own, &*theirs, "no note"] {
        std::fs::write(&path, &begun).unwrap();
        let mut other = open(&desk, Process);
        // Another record than the one that was signed.
        let mut batch = tail::Batch::default();
        batch.add(size, &tree::leaf_hash(b"{}"), None, None, b"{}");
        batch.sign(size + 1, note);
        let mut turn = other.tail.turn(Duration::ZERO).unwrap();
        let found = turn.read().unwrap();
        turn.begin_anew(&found, size, Strict).unwrap();
        turn.append(&mut batch, Strict).unwrap();
        drop(turn);
        let is_head = |error: &StoreError| matches!(error, StoreError::Corrupt { cause: Damage::Head(of), .. } if *of == size + 1);
        let signed = other.commit(&[Work::Sign], Patience::Full);
        assert!(signed.as_ref().is_err_and(is_head), "{signed:?}");
        let settled = settle(&desk.paths().audit_db());
        assert!(settled.as_ref().is_err_and(is_head), "{settled:?}");
    }
}

#[test]
fn nothing_of_a_record_stays_in_the_tail_when_its_content_is_pruned() {
    let desk = Desk::new();
    let (mut store, session) = in_session(&desk, Strict);
    let Done::Intent(seq) = only(&mut store, intent(session)) else {
        panic!("refused");
    };
    let draft = entry::note("outcome", &Device::default(), "a word of the answer");
    only(&mut store, Work::Outcome { draft, closes: seq });
    let is_there = || {
        let tail = std::fs::read(tail::place(&desk.paths().audit_db())).unwrap();
        let word = b"a word of the answer";
        tail.windows(word.len()).any(|window| window == word)
    };
    let swept = store.sweep(&desk.paths(), &BTreeSet::new(), "", Patience::Full);
    swept.unwrap();
    assert!(is_there(), "room keeps what was there");
    let all = Prune {
        from: 0,
        until: store.records(),
        before: Timestamp::from_millis(store.clock.now().millis() + 1),
        most: 100,
    };
    let Done::Pruned(pruned) = only(&mut store, Work::Prune(all)) else {
        panic!("not pruned");
    };
    assert!(pruned.next > seq + 1, "{pruned:?}");
    assert!(!is_there());
}

fn only(store: &mut Store, work: Work) -> Done {
    store.commit(&[work], Patience::Full).unwrap().remove(0)
}
