//! The one pass over the records: what each says of itself, and the tree over all.

use std::collections::HashSet;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde::Deserialize;

use super::super::tail::Frame;
use super::super::tree::{Frontier, Hash, LeafHasher};
use super::Stop;
use super::body::Body;
use super::report::{Damage, Fault, Record};

/// The same for the few records that a report names.
#[derive(Deserialize)]
struct Named {
    seq: Option<u64>,
    id: Option<Box<str>>,
    timestamp: Option<Box<str>>,
}

/// The tree at one of the sizes that were asked for.
#[derive(Debug)]
pub(super) struct Captured {
    pub(super) frontier: Frontier,
    last: Vec<u8>,
}

impl Captured {
    /// The last record under this head.
    pub(super) fn record(&self) -> Option<Record> {
        let named: Named = serde_json::from_slice(&self.last).ok()?;
        Some(Record {
            seq: named.seq?,
            id: named.id,
            timestamp: named.timestamp,
        })
    }
}

/// What a pass finds out.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) frontier: Frontier,
    /// Ascending by size; the empty tree is the first.
    captured: Vec<Captured>,
    /// Sizes still to come, descending.
    wanted: Vec<u64>,
    leaves: LeafHasher,
    open: Open,
    /// The end of those that have a leaf and no content; they begin with the second record.
    bare: u64,
    /// How far records say that content was pruned.
    pruned: u64,
    /// How many of the records wait beside the database.
    pub(super) waiting: u64,
}

/// After how many records it is told how far the pass is.
const TOLD: u64 = 1 << 14;
/// The first record never loses its content.
const FIRST_BARE: u64 = 1;

impl Pass {
    /// Reads all records in order, then those that wait beside them, remembers the tree at `sizes`, and
    /// counts what is good.
    pub(super) fn run(
        connection: &Connection,
        waiting: &[Frame],
        mut sizes: Vec<u64>,
        good: &mut u64,
        watch: &mut dyn FnMut(u64),
    ) -> Result<Self, Stop> {
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes.dedup();
        let mut pass = Self {
            frontier: Frontier::new(),
            captured: Vec::new(),
            wanted: sizes,
            leaves: LeafHasher::default(),
            open: Open::default(),
            bare: FIRST_BARE,
            pruned: FIRST_BARE,
            waiting: 0,
        };
        pass.capture(&[]);
        let mut statement =
            connection.prepare("SELECT seq, leaf, body FROM record ORDER BY seq")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let said = match pass.record(unsigned(row, 0), blob(row, 1), blob(row, 2)) {
                Ok(()) => {
                    *good = pass.frontier.size();
                    if good.is_multiple_of(TOLD) {
                        watch(*good);
                    }
                    continue;
                }
                Err(Wrong::Fault(fault)) => return Err(fault.into()),
                Err(Wrong::Moved { seq, id }) => (seq, id),
            };
            let next = rows.next()?.and_then(|row| body_of(row)?.said_seq());
            return Err(moved(*good, said, next).into());
        }
        pass.take_in(waiting, good)?;
        if pass.bare > pass.pruned {
            *good = pass.pruned;
            return Err(Fault::at(pass.pruned, Damage::BodyMissing).into());
        }
        Ok(pass)
    }

    /// Reads what follows on the records of the database.
    fn take_in(&mut self, waiting: &[Frame], good: &mut u64) -> Result<(), Stop> {
        let stored = self.frontier.size();
        if waiting.first().is_some_and(|first| first.seq > stored) {
            return Ok(());
        }
        // What the database has already may still be there.
        for frame in waiting.iter().filter(|frame| frame.seq >= stored) {
            match self.record(Some(frame.seq), Some(&frame.leaf), Some(&frame.body)) {
                Ok(()) => *good = self.frontier.size(),
                Err(Wrong::Fault(fault)) => return Err(fault.into()),
                Err(Wrong::Moved { seq, id }) => return Err(moved(*good, (seq, id), None).into()),
            }
        }
        self.waiting = self.frontier.size() - stored;
        Ok(())
    }

    /// The root over the first `size` records, if it was asked for and there are as many.
    pub(super) fn root_at(&self, size: u64) -> Option<Hash> {
        self.captured(size).map(|captured| captured.frontier.root())
    }

    pub(super) fn captured(&self, size: u64) -> Option<&Captured> {
        self.captured
            .iter()
            .find(|captured| captured.frontier.size() == size)
    }

    fn capture(&mut self, body: &[u8]) {
        if self.wanted.last() == Some(&self.frontier.size()) {
            self.wanted.pop();
            self.captured.push(Captured {
                frontier: self.frontier.clone(),
                last: body.to_vec(),
            });
        }
    }

    fn record(
        &mut self,
        seq: Option<u64>,
        leaf: Option<&[u8]>,
        body: Option<&[u8]>,
    ) -> Result<(), Wrong> {
        let expected = self.frontier.size();
        let fault = move |damage| Wrong::Fault(Fault::at(expected, damage));
        match seq {
            Some(seq) if seq == expected => {}
            Some(seq) if seq > expected => return Err(fault(Damage::Removed)),
            Some(_) | None => return Err(fault(Damage::Inserted)),
        }
        let Some(bytes) = body else {
            return self.pruned(leaf).map_err(fault);
        };
        let found = self.leaves.hash(bytes);
        if leaf != Some(&found) {
            return Err(Wrong::Fault(Fault {
                id: readable_id(bytes),
                ..Fault::at(expected, Damage::Body)
            }));
        }
        let Some(body) = Body::read(bytes) else {
            return Err(fault(Damage::NotARecord));
        };
        if body.seq != expected {
            let id = Some(body.id.as_ref().into());
            return Err(Wrong::Moved { seq: body.seq, id });
        }
        self.settle(&body).map_err(Wrong::Fault)?;
        if body.kind == "pruned" {
            self.pruned = self.pruned.max(body.pruned_to.unwrap_or(0));
        }
        self.frontier.push(found);
        self.capture(bytes);
        Ok(())
    }

    /// A leaf alone: good if all before it are such, and a record says so.
    fn pruned(&mut self, leaf: Option<&[u8]>) -> Result<(), Damage> {
        let leaf = leaf.and_then(|leaf| Hash::try_from(leaf).ok());
        let Some(leaf) = leaf.filter(|_| self.frontier.size() == self.bare) else {
            return Err(Damage::BodyMissing);
        };
        self.frontier.push(leaf);
        self.bare = self.frontier.size();
        self.capture(&[]);
        Ok(())
    }

    /// How many records have a leaf and no content.
    pub(super) fn bare(&self) -> u64 {
        self.bare - FIRST_BARE
    }

    /// Every outcome has an intent before it.
    fn settle(&mut self, body: &Body<'_>) -> Result<(), Fault> {
        let Some(request) = &body.request_id else {
            return Ok(());
        };
        if body.kind == "intent" {
            self.open.begin(request);
        } else if body.kind == "outcome" && !self.open.end(request) {
            return Err(Fault {
                id: Some(body.id.as_ref().into()),
                ..Fault::at(body.seq, Damage::Orphan)
            });
        }
        Ok(())
    }
}

/// Calls that are on record and not settled; as many as are under way at a time. Most are settled before
/// another one begins, so the newest stands apart.
#[derive(Debug, Default)]
struct Open {
    newest: String,
    others: HashSet<Box<str>>,
}

impl Open {
    fn begin(&mut self, request: &str) {
        let is_known = !self.others.is_empty() && self.others.contains(request);
        if is_known || self.newest == request {
            return;
        }
        if !self.newest.is_empty() {
            self.others.insert(self.newest.as_str().into());
            self.newest.clear();
        }
        self.newest.push_str(request);
    }

    /// Whether it had begun. One without a name never has.
    fn end(&mut self, request: &str) -> bool {
        if !request.is_empty() && self.newest == request {
            self.newest.clear();
            return true;
        }
        !self.others.is_empty() && self.others.remove(request)
    }
}

/// What is wrong with a record.
enum Wrong {
    Fault(Fault),
    /// It says that it is another one's.
    Moved {
        seq: u64,
        id: Option<Box<str>>,
    },
}

/// A good record in a wrong place: was one taken out before it, put in before it, or did they
/// change places? The next one tells.
fn moved(expected: u64, (seq, id): (u64, Option<Box<str>>), next: Option<u64>) -> Fault {
    if seq.checked_add(1) == Some(expected) {
        // The one before has this one's number, and nothing says who it is.
        return Fault::at(seq, Damage::Inserted);
    }
    let (at, damage) = if seq < expected {
        (expected, Damage::Inserted)
    } else if next.is_none_or(|next| next == seq + 1) {
        (expected, Damage::Removed)
    } else {
        (expected, Damage::Reordered)
    };
    Fault {
        id,
        ..Fault::at(at, damage)
    }
}

struct Said<'a>(&'a [u8]);

impl Said<'_> {
    fn said_seq(&self) -> Option<u64> {
        serde_json::from_slice::<Named>(self.0).ok()?.seq
    }
}

fn body_of<'a>(row: &'a Row<'_>) -> Option<Said<'a>> {
    blob(row, 2).map(Said)
}

/// The identifier in a damaged body, if that much can be read.
fn readable_id(bytes: &[u8]) -> Option<Box<str>> {
    serde_json::from_slice::<Named>(bytes).ok()?.id
}

fn blob<'a>(row: &'a Row<'_>, column: usize) -> Option<&'a [u8]> {
    match row.get_ref(column) {
        Ok(ValueRef::Blob(bytes)) => Some(bytes),
        Ok(_) | Err(_) => None,
    }
}

fn unsigned(row: &Row<'_>, column: usize) -> Option<u64> {
    match row.get_ref(column) {
        Ok(ValueRef::Integer(number)) => u64::try_from(number).ok(),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whichever_call_is_the_newest_each_ends_once() {
        let mut random = 1_u64;
        let (mut open, mut defined) = (Open::default(), HashSet::new());
        for _ in 0..20_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let request = ["a", "b", "c", "d", "e"][usize::try_from(random >> 33).unwrap() % 5];
            if (random >> 60).is_multiple_of(2) {
                open.begin(request);
                defined.insert(request);
            } else {
                assert_eq!(open.end(request), defined.remove(request));
            }
        }
        assert!(!Open::default().end(""));
    }
}
