//! What the tail is made of: frames and seals, as bytes.

use crate::audit::tree::{self, Hash};

/// A number, a mark, and one byte.
pub(super) const SEAL: usize = 17;
/// The length of a tail in which nothing waits.
pub const EMPTY: u64 = 17;
const OPEN: u8 = 0;
pub(super) const CLOSED: u8 = 0xff;
/// Before a frame's texts: lengths of the body and of the process' name, and what it closes.
const PREFIX: usize = 13;
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

/// What the tail holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The records, each the next one of the one before it.
    pub frames: Vec<Frame>,
    /// How many bytes follow that are no record: a write that was interrupted.
    pub torn: usize,
    /// Where the last seal ends, and what it is.
    pub(super) end: u64,
    pub(super) seal: Option<Seal>,
}

/// Frames that are to be appended together.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) seal: Seal,
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
        let process = process.unwrap_or_default().as_bytes();
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let named = u8::try_from(process.len()).unwrap_or(u8::MAX);
        // Numbers of records do not reach the end of their type.
        let closes = closes.map_or(0, |closes| closes + 1);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.push(named);
        self.bytes.extend_from_slice(&closes.to_le_bytes());
        self.bytes.extend_from_slice(process);
        self.seal = sealed(seq, sum(&self.bytes[start..], seq, leaf));
        self.bytes.extend_from_slice(body);
        self.bytes.extend_from_slice(&self.seal);
    }
}

impl Found {
    /// Whether there is nothing but a head, if that.
    pub(super) fn holds_nothing(&self) -> bool {
        self.frames.is_empty() && self.torn == 0
    }
}

pub(super) fn parse(bytes: &[u8], ours: Mark) -> Found {
    let mut found = Found {
        torn: bytes.len(),
        ..Found::default()
    };
    let Some((head, mut rest)) = bytes.split_first_chunk::<SEAL>() else {
        return found;
    };
    if parts(head).1 != ours {
        return found;
    }
    found.seal = Some(*head);
    while let Some((frame, seal, after)) = frame(rest) {
        let follows = found
            .frames
            .last()
            .is_none_or(|last| last.seq + 1 == frame.seq);
        if !follows {
            break;
        }
        found.frames.push(frame);
        (found.seal, rest) = (Some(seal), after);
    }
    found.end = length(bytes.len() - rest.len());
    found.torn = rest.len();
    found
}

/// The frame that bytes begin with, its seal, and what follows it.
fn frame(bytes: &[u8]) -> Option<(Frame, Seal, &[u8])> {
    let (prefix, rest) = bytes.split_first_chunk::<PREFIX>()?;
    let (body, prefix) = prefix.split_first_chunk::<4>()?;
    let (named, closes) = prefix.split_first()?;
    let before = bytes.get(..PREFIX + usize::from(*named))?;
    let body = usize::try_from(u32::from_le_bytes(*body)).ok()?;
    if body > LONGEST {
        return None;
    }
    let closes = u64::from_le_bytes(closes.try_into().ok()?);
    let (process, rest) = rest.split_at_checked(usize::from(*named))?;
    let (body, rest) = rest.split_at_checked(body)?;
    let (seal, rest) = rest.split_first_chunk::<SEAL>()?;
    let (seq, mark) = parts(seal);
    let leaf = tree::leaf_hash(body);
    if sum(before, seq, &leaf) != mark {
        return None;
    }
    let process = std::str::from_utf8(process).ok()?;
    let frame = Frame {
        seq,
        leaf,
        process: (!process.is_empty()).then(|| process.into()),
        closes: closes.checked_sub(1),
        body: body.to_vec(),
    };
    Some((frame, *seal, rest))
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
