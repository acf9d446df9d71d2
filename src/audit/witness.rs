//! What a witness is shown of a log: the signed head, and the proof that it continues the head which the
//! witness saw last (C2SP tlog-witness).

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::checkpoint::{Cosigned, cosigned};
use super::reader::{ReadError, Reader};
use super::tree::proof::Prover;
use super::tree::{Frontier, Hash};
use crate::note::WitnessKey;

/// A head, and how it continues an older one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    /// Which log.
    pub log_id: Box<str>,
    /// How many records the older head covers.
    pub old: u64,
    /// The proof that the newer head begins with it (RFC 9162 §2.1.4).
    pub proof: Vec<Hash>,
    /// The newer head's tree.
    pub frontier: Frontier,
    /// The newer head, signed.
    pub note: Box<str>,
}

/// Why there is nothing to be shown.
#[derive(Debug, thiserror::Error)]
pub enum ContinuationError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The witness saw more than there is.
    #[error(
        "the witness saw a head over {seen} records, and the log's covers {found}: the log is an older \
         copy, or was cut"
    )]
    Shorter {
        /// How many the witness saw.
        seen: u64,
        /// How many there are.
        found: u64,
    },
    /// Records and head contradict each other.
    #[error("the log is not what was written; see what `audit verify` says")]
    Changed,
}

impl From<rusqlite::Error> for ContinuationError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(error.into())
    }
}

/// The newest signed head as a continuation of what this witness cosigned last or, if it says so
/// itself, of the head over `seen` records. Nothing, if no head is signed.
///
/// # Errors
/// When the log cannot be read, or cannot be such a continuation.
pub fn continuation(
    log: &Path,
    witness: &str,
    seen: Option<u64>,
) -> Result<Option<Continuation>, ContinuationError> {
    let reader = Reader::open_live(log)?;
    let snapshot = reader.connection().unchecked_transaction()?;
    let query = "SELECT log_id, size, frontier, note FROM log, head WHERE note IS NOT NULL";
    let head = snapshot.query_row(query, [], |row| {
        let (id, note): (String, String) = (row.get(0)?, row.get(3)?);
        Ok((id, tree(row.get(1)?, &row.get::<_, Vec<u8>>(2)?), note))
    });
    let Some((log_id, frontier, note)) = head.optional()? else {
        return Ok(None);
    };
    let frontier = frontier.ok_or(ContinuationError::Changed)?;
    let found = frontier.size();
    let old = before(&snapshot, witness, seen, found)?;
    if old.size() > found {
        let seen = old.size();
        return Err(ContinuationError::Shorter { seen, found });
    }
    let mut prover = Prover::resume(&old, found);
    leaves(&snapshot, old.size(), found, |leaf| prover.push(leaf))?;
    let is_sound = found == 0 || prover.root() == Some(frontier.root());
    let proof = prover.consistency(old.size()).filter(|_| is_sound);
    Ok(Some(Continuation {
        log_id: log_id.into(),
        old: old.size(),
        proof: proof.ok_or(ContinuationError::Changed)?,
        frontier,
        note: note.into(),
    }))
}

/// The newest head that this witness cosigned, by what is kept in the log.
#[must_use]
pub fn newest(log: &Path, witness: &str, key: &WitnessKey) -> Option<Cosigned> {
    let reader = Reader::open_live(log).ok()?;
    let query = "SELECT note FROM cosigned WHERE witness = ?1";
    let note = reader
        .connection()
        .query_row(query, [witness], |row| row.get::<_, String>(0));
    cosigned(&note.ok()?, key).ok().flatten()
}

/// The tree that the witness knows.
fn before(
    connection: &Connection,
    witness: &str,
    seen: Option<u64>,
    found: u64,
) -> Result<Frontier, ContinuationError> {
    let query = "SELECT size, frontier FROM cosigned WHERE witness = ?1";
    let kept = connection.query_row(query, [witness], |row| {
        Ok(tree(row.get(0)?, &row.get::<_, Vec<u8>>(1)?))
    });
    let kept = kept.optional()?.flatten();
    let Some(seen) = seen else {
        return Ok(kept.unwrap_or_default());
    };
    if let Some(kept) = kept.filter(|kept| kept.size() == seen) {
        return Ok(kept);
    }
    if seen > found {
        return Err(ContinuationError::Shorter { seen, found });
    }
    let mut tree = Frontier::new();
    leaves(connection, 0, seen, |leaf| tree.push(leaf))?;
    Ok(tree)
}

fn tree(size: i64, bytes: &[u8]) -> Option<Frontier> {
    Frontier::from_bytes(u64::try_from(size).ok()?, bytes).ok()
}

/// Reads the leaves from one number to another; there is none missing.
fn leaves(
    connection: &Connection,
    from: u64,
    until: u64,
    mut each: impl FnMut(Hash),
) -> Result<(), ContinuationError> {
    let bounds = [from, until].map(|bound| i64::try_from(bound).unwrap_or(i64::MAX));
    let query = "SELECT seq, leaf FROM record WHERE seq >= ?1 AND seq < ?2 ORDER BY seq";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query(params![bounds[0], bounds[1]])?;
    let mut expected = bounds[0];
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(0)? != expected {
            return Err(ContinuationError::Changed);
        }
        each(row.get(1)?);
        expected += 1;
    }
    if expected == bounds[1] {
        Ok(())
    } else {
        Err(ContinuationError::Changed)
    }
}
