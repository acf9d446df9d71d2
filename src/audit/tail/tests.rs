use std::fs;

use super::*;
use crate::audit::tree;
use crate::config::Durability::{Process, Strict};

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

/// The same with a head over them.
fn signed(frames: &[Frame]) -> Batch {
    let mut batch = batch(frames);
    let size = frames.last().unwrap().seq + 1;
    batch.sign(size, &format!("a head over {size} records"), Strict);
    batch
}

fn append(tail: &mut Tail, batch: Batch) {
    tail.turn(WAIT).unwrap().append(batch, Process).unwrap();
}

/// What a transaction does that leaves `size` records in the database.
fn commit(tail: &mut Tail, size: u64) -> Found {
    commit_keeping(tail, size, Process)
}

fn commit_keeping(tail: &mut Tail, size: u64, durability: Durability) -> Found {
    let mut turn = tail.turn(WAIT).unwrap();
    let found = turn.read().unwrap();
    assert!(!turn.is_current());
    turn.announce(&found, size).unwrap();
    turn.begin_anew(&found, size, durability == Strict).unwrap();
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
    assert!(!is_waiting(&desk.database()));
    append(&mut tail, batch(&frames[..1]));
    append(&mut tail, batch(&frames[1..]));
    assert!(is_current(&mut tail) && is_waiting(&desk.database()));
    let read = read(&desk.database(), "log").unwrap();
    assert_eq!((&read.frames, read.torn), (&frames, 0));
    assert_eq!(commit(&mut tail, 10).frames, frames);
    assert!(!is_waiting(&desk.database()));
    assert_eq!(commit(&mut tail, 10).frames, []);
    assert_eq!(length(desk.bytes().len()), EMPTY);
}

#[test]
fn what_earlier_times_left_behind_is_never_taken_for_a_record() {
    let desk = Desk::new();
    let (mut one, mut two) = (desk.tail(), desk.tail());
    commit_keeping(&mut one, 0, Strict);
    let mut next = 0;
    // Longer and shorter than what was there before, by the one and by the other.
    for many in [3, 1, 0, 2, 5, 4, 4, 1] {
        let frames: Vec<Frame> = (next..next + many).map(frame).collect();
        let (writer, other) = if many % 2 == 0 {
            (&mut one, &mut two)
        } else {
            (&mut two, &mut one)
        };
        commit_keeping(writer, next, Strict);
        for part in frames.chunks(2) {
            let mut turn = writer.turn(WAIT).unwrap();
            turn.append(signed(part), Strict).unwrap();
            assert!(turn.is_current());
        }
        assert!(is_current(writer) && !is_current(other));
        let found = read(&desk.database(), "log").unwrap();
        assert_eq!((&found.frames, found.torn), (&frames, 0));
        let head = found.signed.map(|head| head.size);
        assert_eq!(head, (many > 0).then_some(next + many));
        assert_eq!(is_waiting(&desk.database()), many > 0);
        let found = commit_keeping(other, next + many, Strict);
        assert_eq!((&found.frames, found.torn), (&frames, 0));
        assert!(!is_waiting(&desk.database()));
        next += many;
    }
    assert!(desk.bytes().len() > STEP);
    // Nothing of it stays where that is asked for.
    commit_keeping(&mut one, next, Process);
    assert_eq!(length(desk.bytes().len()), EMPTY);
}

#[test]
fn the_room_of_a_tail_is_bounded() {
    let desk = Desk::new();
    let mut tail = desk.tail();
    commit_keeping(&mut tail, 0, Strict);
    let mut large = frame(0);
    large.body = vec![b'x'; 3 << 20];
    large.leaf = tree::leaf_hash(&large.body);
    let mut turn = tail.turn(WAIT).unwrap();
    turn.append(signed(&[large]), Strict).unwrap();
    drop(turn);
    commit_keeping(&mut tail, 1, Strict);
    assert_eq!(length(desk.bytes().len()), ROOM);
}

#[test]
fn nobody_appends_to_a_tail_that_others_have_changed() {
    let desk = Desk::new();
    let (mut one, mut two) = (desk.tail(), desk.tail());
    commit(&mut one, 0);
    commit(&mut two, 0);
    assert!(is_current(&mut one) && is_current(&mut two));
    append(&mut one, batch(&[frame(0)]));
    assert!(is_current(&mut one) && !is_current(&mut two));
    commit(&mut two, 1);
    assert!(!is_current(&mut one) && is_current(&mut two));
    // As long as before, and yet another one.
    append(&mut two, batch(&[frame(1)]));
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
        if !waiting.is_empty() {
            append(&mut one, batch(waiting));
        }
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
    append(&mut tail, batch(&frames));
    (frames, desk.bytes())
}

#[test]
fn a_write_that_was_interrupted_is_no_record() {
    let (frames, whole) = three();
    let ends = [0, 1, 2, 3].map(|many| 17 + long(&frames[..many]));
    for cut in 0..=whole.len() {
        let found = parse(&whole[..cut], mark_of("log"));
        let many = ends.iter().filter(|end| **end <= cut).count();
        let (many, end) = (
            many.saturating_sub(1),
            ends.iter().rev().find(|end| **end <= cut),
        );
        assert_eq!(found.frames, frames[..many], "{cut}");
        let torn = cut - end.unwrap_or(&0);
        // What stops the reader is no record, whole or not.
        let torn = if many == 3 { 0 } else { torn };
        assert_eq!(found.torn, torn, "{cut}");
    }
}

fn long(frames: &[Frame]) -> usize {
    batch(frames).stopped().len() - STOP.len()
}

#[test]
fn a_write_over_earlier_frames_that_was_interrupted_is_no_record_either() {
    let desk = Desk::new();
    let mut tail = desk.tail();
    commit_keeping(&mut tail, 0, Strict);
    let old: Vec<Frame> = (0..6).map(frame).collect();
    let mut turn = tail.turn(WAIT).unwrap();
    turn.append(signed(&old), Strict).unwrap();
    drop(turn);
    commit_keeping(&mut tail, 6, Strict);
    let before = desk.bytes();
    let frames: Vec<Frame> = (6..9).map(frame).collect();
    let written = signed(&frames).stopped();
    let ends = [1, 2, 3].map(|many| long(&frames[..many]));
    for cut in 0..=written.len() {
        let mut bytes = before.clone();
        bytes[17..17 + cut].copy_from_slice(&written[..cut]);
        let found = parse(&bytes, mark_of("log"));
        let many = ends.iter().filter(|end| **end <= cut).count();
        // Of some the last bytes were there before.
        assert!(found.frames.len() >= many, "{cut}");
        assert_eq!(found.frames, frames[..found.frames.len()], "{cut}");
        match cut {
            0 => assert_eq!(found.torn, 0),
            _ if cut == written.len() => assert_eq!(found.torn, 0),
            // Within what stops the reader, either may be said.
            _ => assert!(found.torn > 0 || cut + STOP.len() > written.len(), "{cut}"),
        }
    }
}

#[test]
fn no_changed_bit_makes_another_record() {
    let (frames, _) = three();
    let desk = Desk::new();
    let mut tail = desk.tail();
    commit(&mut tail, 0);
    append(&mut tail, signed(&frames));
    let whole = desk.bytes();
    let head = parse(&whole, mark_of("log")).signed;
    assert_eq!(head.as_ref().map(|head| head.size), Some(3));
    for bit in 0..8 * whole.len() {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let found = parse(&changed, mark_of("log"));
        assert_eq!(found.frames, frames[..found.frames.len()], "{bit}");
        assert!(found.signed.is_none() || found.signed == head, "{bit}");
    }
}

#[test]
fn heads_tell_whether_they_were_promised_to_last() {
    let mut begun = sealed(0, mark_of("log")).to_vec();
    for (seq, durability, lasts) in [
        (0, Process, false),
        (1, Process, false),
        (2, Strict, true),
        (3, Process, true),
    ] {
        let mut batch = batch(&[frame(seq)]);
        batch.sign(seq + 1, "a head", durability);
        begun.extend(batch.stopped());
        let found = parse(&begun, mark_of("log"));
        begun.truncate(begun.len() - STOP.len());
        let head = found.signed.map(|head| head.size);
        assert_eq!((head, found.lasts), (Some(seq + 1), lasts));
    }
}

#[test]
fn numbers_at_the_end_of_counting_are_no_danger() {
    let mut last = frame(0);
    last.seq = u64::MAX;
    let mut batch = batch(&[last.clone(), last]);
    batch.sign(u64::MAX, "a head", Strict);
    let bytes = batch.stopped();
    for number in [u64::MAX, u64::MAX - 1, 0] {
        let head = sealed(number, mark_of("log"));
        let found = parse(&[&head[..], &bytes].concat(), mark_of("log"));
        assert_eq!(found.frames.is_empty(), number != u64::MAX);
    }
}

#[test]
fn the_tail_of_another_log_is_not_taken_for_ours() {
    let desk = Desk::new();
    let mut tail = desk.tail();
    commit(&mut tail, 0);
    append(&mut tail, batch(&[frame(0)]));
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

const SECTOR: usize = 512;

/// What a disk may hold when the power goes: of the sectors that were on their way, any.
fn cut_short(before: &[u8], after: &[u8], judge: impl Fn(&Found)) {
    let sectors: Vec<usize> = (0..before.len() / SECTOR)
        .filter(|sector| {
            let range = sector * SECTOR..(sector + 1) * SECTOR;
            before[range.clone()] != after[range]
        })
        .collect();
    assert!((3..16).contains(&sectors.len()), "{}", sectors.len());
    for chosen in 0..1_u32 << sectors.len() {
        let mut bytes = before.to_vec();
        for (bit, sector) in sectors.iter().enumerate() {
            if chosen >> bit & 1 == 1 {
                let range = sector * SECTOR..(sector + 1) * SECTOR;
                bytes[range.clone()].copy_from_slice(&after[range]);
            }
        }
        judge(&parse(&bytes, mark_of("log")));
    }
}

#[test]
fn a_machine_that_stops_loses_nothing_that_was_flushed_and_finds_nothing_else() {
    let desk = Desk::new();
    let mut tail = desk.tail();
    let long = |seq: u64| {
        let mut frame = frame(seq);
        frame.body.resize(900, b'a' + u8::try_from(seq).unwrap());
        frame.leaf = tree::leaf_hash(&frame.body);
        frame
    };
    let write = |tail: &mut Tail, frames: &[Frame]| {
        let mut turn = tail.turn(WAIT).unwrap();
        turn.append(signed(frames), Strict).unwrap();
        drop(turn);
        let mut bytes = desk.bytes();
        bytes.truncate(32 * SECTOR);
        bytes
    };
    let frames: Vec<Frame> = (0..8).map(long).collect();
    commit_keeping(&mut tail, 0, Strict);
    let first = write(&mut tail, &frames[..4]);
    // The database has the first four, on the disk, before the tail begins anew.
    commit_keeping(&mut tail, 4, Strict);
    let second = write(&mut tail, &frames[4..6]);
    cut_short(&first, &second, |found| {
        let from = found.frames.first().map_or(0, |frame| frame.seq);
        let from = usize::try_from(from).unwrap();
        assert!(from == 0 || from == 4);
        assert_eq!(found.frames, frames[from..from + found.frames.len()]);
        let head = found.signed.as_ref().map(|head| head.size);
        assert!([None, Some(4), Some(6)].contains(&head));
    });
    // What was flushed is there, whatever comes of the next.
    let third = write(&mut tail, &frames[6..]);
    cut_short(&second, &third, |found| {
        assert!(found.frames.len() >= 2);
        assert_eq!(found.frames, frames[4..4 + found.frames.len()]);
        assert!(found.signed.is_some());
    });
}
