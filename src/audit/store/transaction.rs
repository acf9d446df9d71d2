//! What happens inside a transaction.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::carry::{Carried, carry, insert, set_aside};
use super::failure::Failure;
use super::head::{read_leaves, size, store_head, stored_head, tree_under};
use super::{Done, SIGN_EVERY, Store, Work};
use crate::audit::checkpoint;
use crate::audit::entry::{self, Device, Draft};
use crate::audit::error::StoreError;
use crate::audit::file;
use crate::audit::key::Keys;
use crate::audit::schema;
use crate::audit::tail::{Found, Frame, Turn};
use crate::audit::tree::{self, Frontier, Head};
use crate::clock::{Timestamp, Uptime};
use crate::config::Durability;
use crate::principal::Generation;
use crate::random;

/// How far calendar and uptime may drift apart between two transactions of a process.
const CLOCK_JUMP_MILLIS: u64 = 60_000;
/// As many records carried over together write what a transaction of one does.
const CARRIED: usize = 8;
/// A wait that is not worth counting.
const SOON: Duration = Duration::from_millis(100);
/// Heads in the keychain that the log remembers.
const MARKS_KEPT: u32 = 64;

/// An open transaction, at the end of the log.
pub(super) struct Transaction<'s> {
    pub(super) conn: &'s Connection,
    path: &'s Path,
    pub(super) device: &'s Device,
    pub(super) keys: Arc<Keys>,
    pub(super) origin: &'s str,
    pub(super) process: &'s str,
    frontier: Frontier,
    signed: u64,
    now: Timestamp,
    pub(super) uptime: Uptime,
    stamp: String,
    pub(super) short: bool,
    carried: usize,
    /// Whether nothing is to be left of earlier records beside the database.
    pub(super) clears: bool,
}

impl Store {
    /// Takes the turn, begins, carries the tail over, catches up, works, signs if it is time, and commits;
    /// or leaves no trace.
    pub(super) fn in_transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let failed = |failure: Failure| failure.at(&self.path);
        let since = Instant::now();
        let turn = self.tail.turn(self.patience);
        let mut turn = turn.map_err(|cause| failed(Failure::Tail(cause)))?;
        let begun = begin(&self.conn, &mut self.patience, since);
        begun.map_err(|error| failed(error.into()))?;
        let now = self.clock.now();
        let uptime = self.clock.uptime();
        let mut transaction = Transaction {
            conn: &self.conn,
            path: &self.path,
            device: &self.device,
            keys: Arc::clone(&self.keys),
            origin: &self.origin,
            process: &self.process,
            frontier: self.frontier.clone(),
            signed: self.signed,
            now,
            uptime,
            stamp: now.to_string(),
            short: self.short,
            carried: 0,
            clears: false,
        };
        let done = transaction.whole(&mut turn, self.clocks.as_ref(), self.durability, work);
        let Transaction {
            frontier,
            signed,
            uptime,
            keys,
            carried,
            ..
        } = transaction;
        match done {
            Ok((done, session)) => {
                self.session = session;
                self.transactions += 1 + carried / CARRIED;
                self.stored = frontier.size();
                self.frontier = frontier;
                self.signed = signed;
                self.keys = keys;
                self.clocks = Some((now, uptime));
                Ok(done)
            }
            Err(failure) => {
                // If this fails too, the connection is closed next, which rolls back as well.
                let _rolled_back = run(&self.conn, "ROLLBACK");
                Err(failure.at(&self.path))
            }
        }
    }
}

impl Transaction<'_> {
    /// Also returns the session that is open then.
    fn whole<T>(
        &mut self,
        tail: &mut Turn<'_>,
        clocks: Option<&(Timestamp, Uptime)>,
        durability: Durability,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<(T, Option<Generation>), Failure> {
        self.check_format()?;
        let (found, before) = self.take_in(tail)?;
        if let Some(expected) = clock_jump(clocks, self.now, &self.uptime) {
            let draft = entry::clock_jump(self.device, expected, self.now);
            self.append(&draft, None, None)?;
        }
        let done = work(self)?;
        let wrote = self.frontier.size() > before || self.carried > 0;
        let due = match durability {
            Durability::Strict => wrote,
            Durability::Process => found.lasts || self.frontier.size() - self.signed >= SIGN_EVERY,
        };
        if due {
            self.sign()?;
        }
        let session = self.generation()?.filter(|(_, open)| *open);
        self.commit(tail, &found, durability)?;
        Ok((done, session.map(|(session, _)| session)))
    }

    /// Carries the tail over and catches up; also returns how many records there were then.
    fn take_in(&mut self, tail: &mut Turn<'_>) -> Result<(Found, u64), Failure> {
        let found = tail.read().map_err(Failure::Tail)?;
        let carried = carry(self.conn, &found.frames)?;
        self.carried = found.frames.len();
        if let Some(signed) = &found.signed
            && signed.size > self.frontier.size()
        {
            tree_under(self.conn, signed)?;
        }
        self.catch_up()?;
        let before = self.frontier.size();
        if let Carried::Severed(from) = carried {
            self.note_severed(from, &found, tail)?;
        }
        if found.torn > 0 {
            self.append(&entry::torn(self.device, found.torn), None, None)?;
        }
        Ok((found, before))
    }

    fn commit(
        &self,
        tail: &mut Turn<'_>,
        found: &Found,
        durability: Durability,
    ) -> Result<(), Failure> {
        let size = self.frontier.size();
        tail.announce(found, size).map_err(Failure::Tail)?;
        run(self.conn, "COMMIT")?;
        let is_strict = durability == Durability::Strict;
        // What lasted in the tail is to last in the database.
        let flushed = if found.lasts && !is_strict {
            file::flush(self.path)
        } else {
            Ok(())
        };
        let keeps_room = is_strict && !self.clears;
        if let Err(error) = flushed.and_then(|()| tail.begin_anew(found, size, keeps_room)) {
            tracing::debug!(%error, "the audit log's tail was not begun anew");
        }
        Ok(())
    }

    /// Keeps what cannot be taken in, and says so.
    fn note_severed(&mut self, from: u64, found: &Found, tail: &Turn<'_>) -> Result<(), Failure> {
        let place = set_aside(self.path, found, tail).map_err(Failure::Tail)?;
        let name = place.file_name().unwrap_or_default();
        let draft = entry::severed(self.device, from, found.frames.len(), name);
        self.append(&draft, None, None)?;
        Ok(())
    }

    /// A newer program may have brought the log forward since it was opened here; what it is to hold
    /// from then on is not known to this one.
    fn check_format(&self) -> Result<(), Failure> {
        let found = self
            .conn
            .prepare_cached("PRAGMA user_version")?
            .query_row([], |row| row.get(0))?;
        Ok(schema::check(found)?)
    }

    /// Adds what other processes appended since the last transaction of this one.
    fn catch_up(&mut self) -> Result<(), Failure> {
        let found = size(self.conn)?;
        let known = self.frontier.size();
        if found < known {
            return Err(Failure::Cut { known, found });
        }
        if found > known + SIGN_EVERY {
            self.leap()?;
        }
        if found > self.frontier.size() {
            read_leaves(self.conn, &mut self.frontier, found)?;
        }
        Ok(())
    }

    /// Takes the tree of the stored head where that is further than what this process knows.
    fn leap(&mut self) -> Result<(), Failure> {
        let (frontier, signed) = stored_head(self.conn)?;
        if frontier.size() > self.frontier.size() {
            self.frontier = frontier;
            self.signed = self.signed.max(signed);
        }
        Ok(())
    }

    /// How many records there are.
    pub(super) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Appends a record and returns its number.
    pub(super) fn append(
        &mut self,
        draft: &Draft,
        process: Option<&str>,
        closes: Option<u64>,
    ) -> Result<u64, Failure> {
        let seq = self.frontier.size();
        let body = draft.complete(new_id(self.now), seq, &self.stamp);
        let leaf = tree::leaf_hash(&body);
        let process = process.map(Into::into);
        let record = Frame {
            seq,
            leaf,
            process,
            closes,
            body,
        };
        insert(self.conn, &record)?;
        self.frontier.push(leaf);
        Ok(seq)
    }

    pub(super) fn perform(&mut self, work: &Work) -> Result<Done, Failure> {
        match work {
            Work::Intent {
                draft,
                session,
                rate,
            } => self.intent(draft, *session, rate.as_ref()),
            Work::Outcome { draft, closes } => {
                self.append(draft, None, Some(*closes))?;
                Ok(Done::Recorded)
            }
            Work::Record(draft) => {
                self.append(draft, None, None)?;
                Ok(Done::Recorded)
            }
            Work::BeginSession(who) => self.begin_session(who).map(Done::Session),
            Work::EndSession(who, of) => self.end_session(who, *of).map(Done::Ended),
            Work::Sign => self.sign().map(Done::Signed),
            Work::Prune(what) => self.prune(what).map(Done::Pruned),
            Work::Cosigned(what) => self.cosigned(what),
            Work::Reclaim(most) => self.reclaim(*most).map(Done::Reclaimed),
            Work::Mark => {
                let head = self.sign()?;
                self.note_mark(head)?;
                Ok(Done::Signed(head))
            }
        }
    }

    /// Another process may have changed the key since this one read it.
    pub(super) fn check_key(&self) -> Result<(), Failure> {
        let public: Vec<u8> = self
            .conn
            .prepare_cached("SELECT public_key FROM log WHERE one = 1")?
            .query_row([], |row| row.get(0))?;
        if public == self.keys.signing.verifying_key().as_bytes() {
            Ok(())
        } else {
            Err(Failure::Rekeyed)
        }
    }

    /// Signs the head and stores it with its tree, unless the newest one is signed already.
    pub(super) fn sign(&mut self) -> Result<Head, Failure> {
        let head = Head {
            size: self.frontier.size(),
            root: self.frontier.root(),
        };
        if head.size == self.signed && head.size > 0 {
            return Ok(head);
        }
        self.check_key()?;
        let note = checkpoint::sign(self.origin, head.size, &head.root, &self.keys.signing);
        store_head(self.conn, &self.frontier, &note)?;
        self.signed = head.size;
        Ok(head)
    }

    fn note_mark(&self, head: Head) -> Result<(), Failure> {
        self.conn
            .prepare_cached("INSERT OR REPLACE INTO mark (size, root) VALUES (?1, ?2)")?
            .execute(params![row_id(head.size), &head.root[..]])?;
        self.conn
            .prepare_cached(
                "DELETE FROM mark WHERE size NOT IN
                 (SELECT size FROM mark ORDER BY size DESC LIMIT ?1)",
            )?
            .execute([MARKS_KEPT])?;
        Ok(())
    }
}

/// Begins. The wait for it and the one that began at `since` are together no longer than one.
fn begin(conn: &Connection, patience: &mut Duration, since: Instant) -> rusqlite::Result<()> {
    let left = patience.saturating_sub(since.elapsed());
    if left + SOON < *patience {
        conn.busy_timeout(left)?;
        *patience = left;
    }
    run(conn, "BEGIN IMMEDIATE")
}

/// What the calendar would show now if nobody had set it since these clocks were read, if it does
/// not show that.
pub(super) fn clock_jump(
    clocks: Option<&(Timestamp, Uptime)>,
    now: Timestamp,
    uptime: &Uptime,
) -> Option<Timestamp> {
    let (then, before) = clocks?;
    if before.boot != uptime.boot {
        return None;
    }
    let calendar = now.millis().saturating_sub(then.millis());
    let passed = uptime.millis.saturating_sub(before.millis);
    let jumped = calendar.abs_diff(passed) > CLOCK_JUMP_MILLIS;
    jumped.then(|| Timestamp::from_millis(then.millis().saturating_add(passed)))
}

/// A new record's identity: a UUID of version 7, by the transaction's calendar.
pub(super) fn new_id(now: Timestamp) -> uuid::Uuid {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random::bytes()).into_uuid()
}

/// Runs a statement that answers nothing.
pub(super) fn run(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// A number from the database; what is negative there was not written by us and is found elsewhere.
pub(super) fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// A number for the database; records do not reach its end.
pub(super) fn row_id(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
