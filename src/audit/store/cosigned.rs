//! What witnesses say is kept in the log's file, so that whoever gets the file gets it too.

use rusqlite::params;

use super::Done;
use super::failure::Failure;
use super::transaction::{Transaction, row_id};

/// A head that a witness cosigned.
#[derive(Debug, Clone)]
pub struct Cosigned {
    /// The witness' name in the configuration.
    pub witness: Box<str>,
    /// How many records the head covers.
    pub size: u64,
    /// The tree under it.
    pub frontier: Vec<u8>,
    /// The checkpoint, signed by the witness.
    pub note: Box<str>,
}

impl Transaction<'_> {
    /// Keeps it in place of an older one of the same witness.
    pub(super) fn cosigned(&mut self, what: &Cosigned) -> Result<Done, Failure> {
        self.conn
            .prepare_cached(
                "INSERT OR REPLACE INTO cosigned (witness, size, frontier, note)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                what.witness,
                row_id(what.size),
                what.frontier,
                what.note
            ])?;
        Ok(Done::Recorded)
    }
}
