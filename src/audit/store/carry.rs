//! Carrying the tail into the database.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::failure::Failure;
use super::head::{size, store_head, tree_under};
use super::transaction::{row_id, run};
use super::{BUSY, OPEN_FLAGS};
use crate::audit::error::{Damage, StoreError};
use crate::audit::file::beside;
use crate::audit::tail::{self, Found, Frame, SignedHead, Tail, Turn};
use crate::audit::{schema, tree};
use crate::paths;

/// What becomes of records that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// The database has them.
    All,
    /// They cannot be taken in: those before them, from this number on, are in neither file. What was
    /// committed in durability `process` may not have reached the disk when the machine stopped, while
    /// what was written later did.
    Severed(u64),
}

/// Inserts records that the database does not have yet.
pub(super) fn carry(conn: &Connection, frames: &[Frame]) -> Result<Carried, Failure> {
    let Some(first) = frames.first() else {
        return Ok(Carried::All);
    };
    let mut next = size(conn)?;
    if first.seq > next {
        return Ok(Carried::Severed(next));
    }
    for frame in frames {
        if frame.seq < next {
            // A process that was killed after its commit has left it here.
            check(conn, frame)?;
            continue;
        }
        insert(conn, frame)?;
        next += 1;
    }
    Ok(Carried::All)
}

/// Inserts one record.
pub(super) fn insert(conn: &Connection, record: &Frame) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT INTO record (seq, leaf, process, closes, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        row_id(record.seq),
        &record.leaf[..],
        record.process,
        record.closes.map(row_id),
        record.body
    ])
    .map(|_| ())
}

/// Keeps the bytes of a tail that cannot be taken in, in a file of its own; where.
pub(super) fn set_aside(database: &Path, found: &Found, tail: &Turn<'_>) -> io::Result<PathBuf> {
    let first = found.frames.first().map_or(0, |frame| frame.seq);
    let place = beside(database, &format!("-tail-{first}"));
    paths::replace_private(&place, &tail.bytes(u64::MAX)?)?;
    Ok(place)
}

/// Whether the database has this very record.
fn check(conn: &Connection, frame: &Frame) -> Result<(), Failure> {
    let leaf: Option<tree::Hash> = conn
        .prepare_cached("SELECT leaf FROM record WHERE seq = ?1")?
        .query_row([row_id(frame.seq)], |row| row.get(0))
        .optional()?;
    if leaf == Some(frame.leaf) {
        return Ok(());
    }
    Err(Damage::Fork(frame.seq).into())
}

/// Carries what is in the tail of a log into its database, for somebody who is about to read it. The
/// tail stays as it is, for whoever writes.
///
/// # Errors
/// What the database says; it may be read as it is then.
pub fn settle(database: &Path) -> Result<(), StoreError> {
    if !tail::is_waiting(database) {
        return Ok(());
    }
    let failed = |error| StoreError::from_sqlite(database, error);
    let real = database.canonicalize();
    let real = real.map_err(|cause| StoreError::Place {
        path: database.into(),
        cause,
    })?;
    let conn = Connection::open_with_flags(&real, OPEN_FLAGS).map_err(failed)?;
    conn.busy_timeout(BUSY).map_err(failed)?;
    settle_in(&conn, &real).map_err(|failure| failure.at(database))
}

fn settle_in(conn: &Connection, database: &Path) -> Result<(), Failure> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != schema::VERSION {
        return Ok(());
    }
    let log_id: Box<str> = conn.query_row("SELECT log_id FROM log", [], |row| row.get(0))?;
    let mut tail = Tail::open(database, &log_id).map_err(Failure::Tail)?;
    let mut turn = tail.turn(BUSY).map_err(Failure::Tail)?;
    run(conn, "BEGIN IMMEDIATE")?;
    let found = turn.read().map_err(Failure::Tail)?;
    carry(conn, &found.frames)?;
    if let Some(signed) = &found.signed {
        adopt(conn, signed)?;
    }
    // If it is not reached, closing the connection rolls back.
    Ok(run(conn, "COMMIT")?)
}

/// Stores the newest head that was signed in the tail, if it is newer than the stored one.
fn adopt(conn: &Connection, signed: &SignedHead) -> Result<(), Failure> {
    match tree_under(conn, signed)? {
        Some(frontier) => Ok(store_head(conn, &frontier, &signed.note)?),
        None => Ok(()),
    }
}
