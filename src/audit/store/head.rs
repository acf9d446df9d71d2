//! The tree and its signed head, as the database has them.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::failure::Failure;
use super::transaction::{number, row_id};
use crate::audit::checkpoint;
use crate::audit::error::Damage;
use crate::audit::tail::SignedHead;
use crate::audit::tree::{Frontier, Hash, Head};

/// The tree of the newest signed head, and how many records the head covers.
pub(super) fn stored_head(conn: &Connection) -> Result<(Frontier, u64), Failure> {
    let (size, bytes, note): (i64, Vec<u8>, Option<String>) = conn
        .prepare_cached("SELECT size, frontier, note FROM head WHERE one = 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?
        .ok_or(Damage::Table("head"))?;
    let size = number(size);
    let frontier = Frontier::from_bytes(size, &bytes).map_err(Damage::Frontier)?;
    Ok((frontier, note.map_or(0, |_| size)))
}

/// How many records the database has.
pub(super) fn size(conn: &Connection) -> rusqlite::Result<u64> {
    let last: Option<i64> = conn
        .prepare_cached("SELECT max(seq) FROM record")?
        .query_row([], |row| row.get(0))?;
    Ok(last.map_or(0, |last| number(last) + 1))
}

/// Stores a signed head with its tree.
pub(super) fn store_head(
    conn: &Connection,
    frontier: &Frontier,
    note: &str,
) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE head SET size = ?1, frontier = ?2, note = ?3 WHERE one = 1")?
        .execute(params![row_id(frontier.size()), frontier.to_bytes(), note])
        .map(|_| ())
}

/// Adds the leaves that a tree lacks, up to that many.
pub(super) fn read_leaves(
    conn: &Connection,
    frontier: &mut Frontier,
    until: u64,
) -> Result<(), Failure> {
    let mut statement = conn
        .prepare_cached("SELECT seq, leaf FROM record WHERE seq >= ?1 AND seq < ?2 ORDER BY seq")?;
    let mut rows = statement.query([row_id(frontier.size()), row_id(until)])?;
    while let Some(row) = rows.next()? {
        let (seq, leaf): (i64, Hash) = (row.get(0)?, row.get(1)?);
        if number(seq) != frontier.size() {
            return Err(Damage::Gap(frontier.size()).into());
        }
        frontier.push(leaf);
    }
    if frontier.size() == until {
        Ok(())
    } else {
        Err(Damage::Gap(frontier.size()).into())
    }
}

/// The tree under a head that waited in the tail, with records that were carried over; `None` if the stored
/// head covers as many. A head that is not the log's own, over these very records, is damage.
pub(super) fn tree_under(
    conn: &Connection,
    signed: &SignedHead,
) -> Result<Option<Frontier>, Failure> {
    let (mut frontier, _) = stored_head(conn)?;
    if signed.size <= frontier.size() || signed.size > size(conn)? {
        return Ok(None);
    }
    read_leaves(conn, &mut frontier, signed.size)?;
    check_signed(conn, signed, &frontier)?;
    Ok(Some(frontier))
}

fn check_signed(
    conn: &Connection,
    signed: &SignedHead,
    frontier: &Frontier,
) -> Result<(), Failure> {
    let (origin, key): (String, [u8; 32]) = conn
        .prepare_cached("SELECT origin, public_key FROM log WHERE one = 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(&key).map_err(|_| Damage::Table("log"))?;
    let expected = Head {
        size: frontier.size(),
        root: frontier.root(),
    };
    match checkpoint::open(&signed.note, &key, &origin) {
        Ok(found) if found.head == expected => Ok(()),
        Ok(_) | Err(_) => Err(Damage::Head(signed.size).into()),
    }
}
