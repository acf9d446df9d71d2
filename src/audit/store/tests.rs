use std::collections::BTreeSet;

use rusqlite::params;

use super::*;
use crate::audit::entry;
use crate::audit::tests::kit::{Desk, person};
use crate::config::Durability::{Process, Strict};

mod tail;

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

fn only(store: &mut Store, work: Work) -> Done {
    store.commit(&[work], Patience::Full).unwrap().remove(0)
}
