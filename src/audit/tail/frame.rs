//! What the tail is made of: frames and seals, as bytes.

use crate::audit::tree::{self, Hash};
use crate::config::Durability;

/// A number, a mark, and one byte.
pub(super) const SEAL: usize = 17;
/// The length of a tail in which nothing waits and that has no room either.
pub(super) const EMPTY: u64 = 17;
/// What follows the last frame where the file does not end there: the length of no frame.
pub(super) const STOP: [u8; 4] = [0; 4];
const OPEN: u8 = 0;
pub(super) const CLOSED: u8 = 0xff;
/// Before a frame's texts: lengths of the body and of the process' name, and what it closes.
const PREFIX: usize = 13;
/// Instead of a length of the name: the frame is a signed head.
const SIGNED: u8 = 0xff;
/// Instead of what a head closes: whether it was on the disk before anybody heard of it.
const FLUSHED: u64 = 0;
const UNFLUSHED: u64 = 1;
/// No record is near as long.
const LONGEST: usize = 64 << 20;
pub(super) type Seal = [u8; SEAL];
pub(super) type Mark = [u8; 8];

/// A record that waits in the tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its number.
    pub seq: u64,
    /// Its leaf.
    pub leaf: Hash,
    /// Of an intent: whose it is.
    pub process: Option<Box<str>>,
    /// Of an outcome: the number of its intent.
    pub closes: Option<u64>,
    /// The record.
    pub body: Vec<u8>,
}

/// A signed head over the log with the records that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// How many records it covers, as it says.
    pub size: u64,
    /// The C2SP checkpoint.
    pub note: Box<str>,
}

/// What the tail holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The records, each the next one of the one before it.
    pub frames: Vec<Frame>,
    /// The newest signed head among them.
    pub signed: Option<SignedHead>,
    /// Whether there is a head among them that was promised to last: it and what is before it were on
    /// the disk before anybody heard of it.
    pub lasts: bool,
    /// How many bytes follow that are no record: a write that was interrupted.
    pub torn: usize,
    /// How long the file is, if it was read by one who may change it.
    pub(super) length: u64,
    /// Where the last seal ends, and what it is.
    pub(super) end: u64,
    pub(super) seal: Option<Seal>,
}

/// Frames that are to be appended together.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    pub(super) seal: Seal,
}

enum Item {
    Record(Frame),
    /// And whether it was promised to last.
    Signed(SignedHead, bool),
}

impl Batch {
    /// Adds a record.
    pub fn add(
        &mut self,
        seq: u64,
        leaf: &Hash,
        process: Option<&str>,
        closes: Option<u64>,
        body: &[u8],
    ) {
        let process = process.unwrap_or_default();
        let named = u8::try_from(process.len()).unwrap_or(SIGNED);
        // Numbers of records do not reach the end of their type.
        let closes = closes.map_or(0, |closes| closes + 1);
        self.push((named, closes, process), seq, leaf, body);
    }

    /// Adds a head over all records up to here, which are to be appended in this durability.
    pub fn sign(&mut self, size: u64, note: &str, durability: Durability) {
        let leaf = tree::leaf_hash(note.as_bytes());
        let flushed = match durability {
            Durability::Strict => FLUSHED,
            Durability::Process => UNFLUSHED,
        };
        self.push((SIGNED, flushed, ""), size, &leaf, note.as_bytes());
    }

    fn push(
        &mut self,
        (named, closes, process): (u8, u64, &str),
        number: u64,
        leaf: &Hash,
        body: &[u8],
    ) {
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let start = self.bytes.len();
        let around = PREFIX + process.len() + SEAL + STOP.len();
        self.bytes.reserve(around + body.len());
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.push(named);
        self.bytes.extend_from_slice(&closes.to_le_bytes());
        self.bytes.extend_from_slice(process.as_bytes());
        self.seal = sealed(number, sum(&self.bytes[start..], number, leaf));
        self.bytes.extend_from_slice(body);
        self.bytes.extend_from_slice(&self.seal);
    }

    pub(super) fn stopped_length(&self) -> usize {
        self.bytes.len() + STOP.len()
    }

    /// As they are written, with what stops whoever reads on.
    pub(in crate::audit) fn stopped(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&STOP);
        self.bytes
    }
}

impl Found {
    /// Whether there is nothing but a head, if that.
    pub(super) fn holds_nothing(&self) -> bool {
        self.frames.is_empty() && self.torn == 0
    }

    /// Takes the record with the number `next`, or a head over those before it; whether it is one.
    fn take(&mut self, item: Item, next: u64) -> bool {
        match item {
            Item::Record(frame) if frame.seq == next => self.frames.push(frame),
            Item::Signed(head, lasts) if head.size == next => {
                self.signed = Some(head);
                self.lasts |= lasts;
            }
            Item::Record(_) | Item::Signed(..) => return false,
        }
        true
    }
}

/// Reads the bytes of a tail, or those of its beginning that are in use.
pub(super) fn parse(bytes: &[u8], ours: Mark) -> Found {
    let mut found = Found {
        torn: bytes.len(),
        ..Found::default()
    };
    let Some((head, mut rest)) = bytes.split_first_chunk::<SEAL>() else {
        return found;
    };
    let (mut next, log) = parts(head);
    if log != ours {
        return found;
    }
    found.seal = Some(*head);
    while !is_stop(rest)
        && let Some((item, seal, after)) = item(rest)
        && found.take(item, next)
    {
        let last = found.frames.last();
        next = last.map_or(next, |last| last.seq.saturating_add(1));
        (found.seal, rest) = (Some(seal), after);
    }
    found.end = length(bytes.len() - rest.len());
    found.torn = if is_stop(rest) { 0 } else { begun(rest) };
    found
}

/// Whether nothing follows: the end of the file, or where frames stop.
pub(super) fn is_stop(rest: &[u8]) -> bool {
    rest.iter().take(STOP.len()).all(|byte| *byte == 0)
}

/// How much of what bytes begin with belongs to a frame that was begun; behind it there may be older
/// ones.
fn begun(bytes: &[u8]) -> usize {
    let whole = bytes.split_first_chunk::<PREFIX>().and_then(|(prefix, _)| {
        let (named, body, _) = prefixed(prefix)?;
        Some(PREFIX + named.unwrap_or(0) + body + SEAL)
    });
    whole.map_or(bytes.len(), |whole| whole.min(bytes.len()))
}

/// Length of the name, unless it is a signed head; length of the body; what it closes.
fn prefixed(prefix: &[u8; PREFIX]) -> Option<(Option<usize>, usize, u64)> {
    let (body, prefix) = prefix.split_first_chunk::<4>()?;
    let (named, closes) = prefix.split_first()?;
    let named = (*named != SIGNED).then(|| usize::from(*named));
    let body = usize::try_from(u32::from_le_bytes(*body)).ok()?;
    let closes = u64::from_le_bytes(closes.try_into().ok()?);
    (body <= LONGEST).then_some((named, body, closes))
}

/// The frame that bytes begin with, its seal, and what follows it.
fn item(bytes: &[u8]) -> Option<(Item, Seal, &[u8])> {
    let (prefix, _) = bytes.split_first_chunk::<PREFIX>()?;
    let (named, body, closes) = prefixed(prefix)?;
    let (before, rest) = bytes.split_at_checked(PREFIX + named.unwrap_or(0))?;
    let (body, rest) = rest.split_at_checked(body)?;
    let (seal, rest) = rest.split_first_chunk::<SEAL>()?;
    let (number, mark) = parts(seal);
    let leaf = tree::leaf_hash(body);
    if sum(before, number, &leaf) != mark {
        return None;
    }
    let item = if named.is_some() {
        let process = std::str::from_utf8(&before[PREFIX..]).ok()?;
        Item::Record(Frame {
            seq: number,
            leaf,
            process: (!process.is_empty()).then(|| process.into()),
            closes: closes.checked_sub(1),
            body: body.to_vec(),
        })
    } else {
        let note = std::str::from_utf8(body).ok()?.into();
        Item::Signed(SignedHead { size: number, note }, closes == FLUSHED)
    };
    Some((item, *seal, rest))
}

/// Of an open tail.
pub(super) fn sealed(number: u64, mark: Mark) -> Seal {
    let mut seal = [OPEN; SEAL];
    seal[..8].copy_from_slice(&number.to_le_bytes());
    seal[8..16].copy_from_slice(&mark);
    seal
}

fn parts(seal: &Seal) -> (u64, Mark) {
    let (mut number, mut mark) = ([0; 8], Mark::default());
    number.copy_from_slice(&seal[..8]);
    mark.copy_from_slice(&seal[8..16]);
    (u64::from_le_bytes(number), mark)
}

/// Over all of a frame: what stands before the body, the number, and the body by its leaf.
fn sum(before: &[u8], seq: u64, leaf: &Hash) -> Mark {
    beginning(&tree::leaf_hash(
        &[before, &seq.to_le_bytes(), &leaf[..]].concat(),
    ))
}

pub(super) fn mark_of(log_id: &str) -> Mark {
    beginning(&tree::leaf_hash(log_id.as_bytes()))
}

fn beginning(hash: &Hash) -> Mark {
    let mut mark = Mark::default();
    mark.copy_from_slice(&hash[..8]);
    mark
}

pub(super) fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
