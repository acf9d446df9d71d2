//! What becomes of records in the tail.

use super::*;
use crate::audit::error::Damage;
use crate::audit::{checkpoint, tail, tree};

fn found(desk: &Desk, store: &Store) -> tail::Found {
    tail::read(&desk.paths().audit_db(), store.log_id()).unwrap()
}

fn waiting(desk: &Desk, store: &Store) -> usize {
    found(desk, store).frames.len()
}

/// A store that has left two records in its tail, and the tail as it is then.
fn with_two_waiting(desk: &Desk, durability: Durability) -> (Store, Vec<u8>) {
    let (mut store, session) = in_session(desk, durability);
    only(&mut store, intent(session));
    only(&mut store, intent(session));
    let left = std::fs::read(tail::place(&desk.paths().audit_db()));
    (store, left.unwrap())
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
        // So many wait at most, and no more than so many without a head over them.
        let (mut most, mut bare) = (0, 0);
        for _ in 0..2 * WAITING {
            only(&mut store, intent(session));
            let found = found(&desk, &store);
            let head = found.signed.map_or(store.signed, |head| head.size);
            bare = bare.max(store.records() - head);
            most = most.max(found.frames.len());
        }
        assert_eq!(most, usize::try_from(WAITING).unwrap() - 1);
        let unsigned = match durability {
            Strict => 0,
            Process => SIGN_EVERY - 1,
        };
        assert_eq!(bare, unsigned);
        assert_eq!(
            desk.read().records.len(),
            usize::try_from(store.records()).unwrap()
        );
    }
}

#[test]
fn large_records_are_carried_over_before_they_fill_more_than_the_room() {
    let desk = Desk::new();
    let (mut store, _) = in_session(&desk, Process);
    only(&mut store, Work::Sign);
    let path = tail::place(&desk.paths().audit_db());
    let mut most = 0;
    for closes in 0..9 {
        let text = "x".repeat(300 << 10);
        let draft = entry::note("outcome", &Device::default(), &text);
        only(&mut store, Work::Outcome { draft, closes });
        assert!(std::fs::metadata(&path).unwrap().len() <= 1 << 20);
        most = most.max(waiting(&desk, &store));
    }
    assert_eq!(most, 3);
}

#[test]
fn what_a_killed_process_left_in_the_tail_is_carried_over() {
    for durability in [Strict, Process] {
        let desk = Desk::new();
        let (store, left) = with_two_waiting(&desk, durability);
        let path = tail::place(&desk.paths().audit_db());
        let known = store.records();
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
        let (mut store, mut changed) = with_two_waiting(&desk, durability);
        let path = tail::place(&desk.paths().audit_db());
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
    turn.begin_anew(&found, size, false).unwrap();
    turn.append(batch, Process).unwrap();
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
        let (store, _) = with_two_waiting(&desk, Strict);
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
fn a_head_among_the_records_that_wait_counts_and_is_checked() {
    let desk = Desk::new();
    let (mut store, session) = in_session(&desk, Process);
    only(&mut store, Work::Sign);
    for _ in 0..SIGN_EVERY + 9 {
        only(&mut store, intent(session));
    }
    let (path, known) = (tail::place(&desk.paths().audit_db()), store.records());
    let left = found(&desk, &store);
    let head = left.signed.unwrap();
    assert!(known > head.size && !left.lasts);
    let bytes = std::fs::read(&path).unwrap();
    drop(store);
    // Killed, and then somebody changes a record that the head covers, but cannot sign another one.
    let mut changed = tail::Batch::default();
    for (frame, at) in left.frames.iter().zip(0..) {
        let body = if at == 3 { b"{}" } else { &*frame.body };
        let leaf = tree::leaf_hash(body);
        let process = frame.process.as_deref();
        changed.add(frame.seq, &leaf, process, frame.closes, body);
        if frame.seq + 1 == head.size {
            changed.sign(head.size, &head.note, Process);
        }
    }
    std::fs::write(&path, [&bytes[..17], &changed.stopped()].concat()).unwrap();
    let is_head = |error: &StoreError| matches!(error, StoreError::Corrupt { cause: Damage::Head(of), .. } if *of == head.size);
    let carried = open(&desk, Process).commit(&[Work::Sign], Patience::Full);
    assert!(carried.as_ref().is_err_and(is_head), "{carried:?}");
    let settled = settle(&desk.paths().audit_db());
    assert!(settled.as_ref().is_err_and(is_head), "{settled:?}");
    std::fs::write(&path, bytes).unwrap();
    settle(&desk.paths().audit_db()).unwrap();
    assert_eq!(desk.read().signed_size(), head.size);
    let mut next = open(&desk, Process);
    only(&mut next, Work::Sign);
    assert_eq!(desk.read().signed_size(), known);
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
        batch.sign(size + 1, note, Strict);
        let mut turn = other.tail.turn(Duration::ZERO).unwrap();
        let found = turn.read().unwrap();
        turn.begin_anew(&found, size, true).unwrap();
        turn.append(batch, Strict).unwrap();
        drop(turn);
        let is_head = |error: &StoreError| matches!(error, StoreError::Corrupt { cause: Damage::Head(of), .. } if *of == size + 1);
        let signed = other.commit(&[Work::Sign], Patience::Full);
        assert!(signed.as_ref().is_err_and(is_head), "{signed:?}");
        let settled = settle(&desk.paths().audit_db());
        assert!(settled.as_ref().is_err_and(is_head), "{settled:?}");
    }
}

#[test]
fn records_that_follow_on_lost_ones_are_kept_apart_and_the_log_goes_on() {
    let desk = Desk::new();
    let (mut store, session) = in_session(&desk, Process);
    let db = desk.paths().audit_db();
    only(&mut store, intent(session));
    only(&mut store, Work::Sign);
    // On the disk is what was committed before.
    let lost = store.records() - 1;
    only(&mut store, intent(session));
    only(&mut store, intent(session));
    let (first, left) = (
        store.records() - 2,
        std::fs::read(tail::place(&db)).unwrap(),
    );
    drop(store);
    let cut = "DELETE FROM record WHERE seq >= ?1; ";
    desk.connection()
        .execute(cut, [i64::try_from(lost).unwrap()])
        .unwrap();
    let head = "UPDATE head SET size = 0, frontier = x'', note = NULL";
    desk.connection().execute(head, []).unwrap();
    std::fs::write(tail::place(&db), &left).unwrap();
    settle(&db).unwrap();
    let mut next = open(&desk, Process);
    only(&mut next, record());
    let log = desk.read();
    let severed = log
        .records
        .iter()
        .find(|record| record["kind"] == "severed");
    let reason = severed.unwrap()["reason"].as_str().unwrap();
    let name = format!("audit.db-tail-{first}");
    assert!(reason.contains(&format!("number {lost} on")), "{reason}");
    assert!(
        reason.contains("; 2 later") && reason.ends_with(&name),
        "{reason}"
    );
    assert_eq!(std::fs::read(db.with_file_name(name)).unwrap(), left);
    assert_eq!(waiting(&desk, &next), 0);
    // Once.
    only(&mut next, intent(session));
    only(&mut next, Work::Sign);
    assert_eq!(desk.read().signed_size(), lost + 3);
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
