use std::fs;

use super::*;
use crate::audit::tree;

const WAIT: Duration = Duration::from_secs(5);

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("data/audit.db")
    }

    fn tail(&self) -> Tail {
        Tail::open(&self.database(), "log").unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(place(&self.database())).unwrap()
    }
}

fn frame(seq: u64) -> Frame {
    let body = format!("{{\"seq\":{seq}}}").into_bytes();
    Frame {
        seq,
        leaf: tree::leaf_hash(&body),
        process: seq.is_multiple_of(2).then(|| "0123456789abcdef".into()),
        closes: (!seq.is_multiple_of(2)).then(|| seq - 1),
        body,
    }
}

fn batch(frames: &[Frame]) -> Batch {
    let mut batch = Batch::default();
    for frame in frames {
        let process = frame.process.as_deref();
        batch.add(frame.seq, &frame.leaf, process, frame.closes, &frame.body);
    }
    batch
}

/// What a transaction does that leaves `size` records in the database.
fn commit(tail: &mut Tail, size: u64) -> Found {
    let mut turn = tail.turn(WAIT).unwrap();
    let found = turn.read().unwrap();
    assert!(!turn.is_current());
    turn.announce(&found, size).unwrap();
    turn.begin_anew(&found, size).unwrap();
    assert!(turn.is_current());
    found
}

fn is_current(tail: &mut Tail) -> bool {
    tail.turn(WAIT).unwrap().is_current()
}

#[test]
fn what_is_appended_is_found_until_the_tail_begins_anew() {
    let desk = Desk::new();
    let mut tail = desk.tail();
    assert!(!is_current(&mut tail));
    assert_eq!(commit(&mut tail, 7).frames, []);
    let frames: Vec<Frame> = (7..10).map(frame).collect();
    let mut turn = tail.turn(WAIT).unwrap();
    turn.append(&batch(&frames[..1])).unwrap();
    turn.append(&batch(&frames[1..])).unwrap();
    drop(turn);
    assert!(is_current(&mut tail));
    let read = read(&desk.database(), "log").unwrap();
    assert_eq!((&read.frames, read.torn), (&frames, 0));
    assert_eq!(commit(&mut tail, 10).frames, frames);
    assert_eq!(commit(&mut tail, 10).frames, []);
    assert_eq!(length(desk.bytes().len()), EMPTY);
}

#[test]
fn nobody_appends_to_a_tail_that_others_have_changed() {
    let desk = Desk::new();
    let (mut one, mut two) = (desk.tail(), desk.tail());
    commit(&mut one, 0);
    commit(&mut two, 0);
    assert!(is_current(&mut one) && is_current(&mut two));
    one.turn(WAIT).unwrap().append(&batch(&[frame(0)])).unwrap();
    assert!(is_current(&mut one) && !is_current(&mut two));
    commit(&mut two, 1);
    assert!(!is_current(&mut one) && is_current(&mut two));
    // As long as before, and yet another one.
    two.turn(WAIT).unwrap().append(&batch(&[frame(1)])).unwrap();
    assert!(!is_current(&mut one));
    // A record that went into the database alone.
    commit(&mut one, 2);
    commit(&mut two, 3);
    assert!(!is_current(&mut one) && is_current(&mut two));
}

#[test]
fn from_the_announcement_on_nobody_appends() {
    for waiting in [&[][..], &[frame(4)]] {
        let desk = Desk::new();
        let (mut one, mut two) = (desk.tail(), desk.tail());
        commit(&mut one, 4);
        one.turn(WAIT).unwrap().append(&batch(waiting)).unwrap();
        // The second is killed after its commit.
        let mut turn = two.turn(WAIT).unwrap();
        let found = turn.read().unwrap();
        turn.announce(&found, 6).unwrap();
        drop(turn);
        assert!(!is_current(&mut one) && !is_current(&mut two));
        assert_eq!(commit(&mut one, 6).frames, waiting);
        assert!(is_current(&mut one));
    }
}

#[test]
fn one_at_a_time_has_the_turn() {
    let desk = Desk::new();
    let (mut one, mut two) = (desk.tail(), desk.tail());
    let turn = one.try_turn().unwrap().unwrap();
    assert!(two.try_turn().unwrap().is_none());
    let late = two.turn(Duration::ZERO).unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    drop(turn);
    assert!(two.try_turn().unwrap().is_some());
}

/// Three records, and the tail in which they wait.
fn three() -> (Vec<Frame>, Vec<u8>) {
    let desk = Desk::new();
    let mut tail = desk.tail();
    commit(&mut tail, 0);
    let frames: Vec<Frame> = (0..3).map(frame).collect();
    tail.turn(WAIT).unwrap().append(&batch(&frames)).unwrap();
    (frames, desk.bytes())
}

#[test]
fn a_write_that_was_interrupted_is_no_record() {
    let (frames, whole) = three();
    let ends = [0, 1, 2, 3].map(|many| 17 + batch(&frames[..many]).bytes.len());
    for cut in 0..=whole.len() {
        let found = parse(&whole[..cut], mark_of("log"));
        let many = ends.iter().filter(|end| **end <= cut).count();
        let (many, end) = (
            many.saturating_sub(1),
            ends.iter().rev().find(|end| **end <= cut),
        );
        assert_eq!(found.frames, frames[..many], "{cut}");
        assert_eq!(found.torn, cut - end.unwrap_or(&0), "{cut}");
    }
}

#[test]
fn no_changed_bit_makes_another_record() {
    let (frames, whole) = three();
    for bit in 0..8 * whole.len() {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let found = parse(&changed, mark_of("log"));
        assert_eq!(found.frames, frames[..found.frames.len()], "{bit}");
    }
}

#[test]
fn the_tail_of_another_log_is_not_taken_for_ours() {
    let desk = Desk::new();
    let mut tail = desk.tail();
    commit(&mut tail, 0);
    tail.turn(WAIT)
        .unwrap()
        .append(&batch(&[frame(0)]))
        .unwrap();
    let found = read(&desk.database(), "another").unwrap();
    assert_eq!((found.frames, found.torn), (vec![], desk.bytes().len()));
    let mut other = Tail::open(&desk.database(), "another").unwrap();
    commit(&mut other, 1);
    assert!(!is_current(&mut tail) && is_current(&mut other));
}

#[test]
#[cfg(unix)]
fn a_tail_that_was_replaced_is_noticed() {
    let desk = Desk::new();
    let tail = desk.tail();
    assert!(tail.is_in_place());
    fs::remove_file(tail.path()).unwrap();
    assert!(!tail.is_in_place());
    let _another = desk.tail();
    assert!(!tail.is_in_place());
}
