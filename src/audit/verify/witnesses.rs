//! What witnesses have seen of a log, by the cosignatures in its file.

use rusqlite::Connection;
use serde::Serialize;

use super::Stop;
use super::report::{Damage, Fault, Memory};
use crate::audit::checkpoint::{Cosigned, WitnessKey, cosigned};
use crate::audit::tree::Head;

/// What a witness has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witnessed {
    /// The name in the witness' key.
    pub witness: Box<str>,
    /// How many records it saw; nothing, where no cosignature of its key is in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// When, by its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Box<str>>,
    #[serde(skip)]
    head: Option<Head>,
}

impl Witnessed {
    /// What this witness saw.
    pub(in crate::audit) fn of(key: &WitnessKey, found: Option<&Cosigned>) -> Self {
        Self {
            witness: key.name().into(),
            seen: found.map(|found| found.checkpoint.head.size),
            time: found.map(|found| found.time.to_string().into()),
            head: found.map(|found| found.checkpoint.head),
        }
    }

    /// The head, as one that is remembered.
    pub(super) fn remembered(&self) -> Option<(Memory, Head)> {
        Some((Memory::Witness, self.head?))
    }
}

/// Looks for the newest cosignature of each key.
pub(super) fn seen(
    connection: &Connection,
    keys: &[WitnessKey],
    origin: &str,
) -> Result<Vec<Witnessed>, Stop> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let notes = notes(connection)?;
    let seen = keys.iter().map(|key| {
        let newest = newest(&notes, key, origin)?;
        Ok(Witnessed::of(key, newest.as_ref()))
    });
    seen.collect()
}

/// The notes that witnesses signed.
pub(in crate::audit) fn notes(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    column(connection, "cosigned", "note", "size DESC")
}

/// The texts of a table that a log of the first format does not have.
pub(in crate::audit) fn column(
    connection: &Connection,
    table: &'static str,
    column: &'static str,
    order: &'static str,
) -> rusqlite::Result<Vec<String>> {
    let known = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let is_there: bool = connection.query_row(known, [table], |row| row.get(0))?;
    if !is_there {
        return Ok(Vec::new());
    }
    let query = format!("SELECT {column} FROM {table} ORDER BY {order} LIMIT 1000");
    let mut statement = connection.prepare(&query)?;
    let texts = statement.query_map([], |row| row.get(0))?;
    texts.collect()
}

fn newest(notes: &[String], key: &WitnessKey, origin: &str) -> Result<Option<Cosigned>, Fault> {
    let mut newest: Option<Cosigned> = None;
    for note in notes {
        let found = cosigned(note, key);
        let found = found.map_err(|why| Fault::whole(Damage::Note(why)))?;
        let Some(found) = found else {
            continue;
        };
        if *found.checkpoint.origin != *origin {
            return Err(Fault::whole(Damage::OtherLog));
        }
        let size = |one: &Cosigned| one.checkpoint.head.size;
        if newest
            .as_ref()
            .is_none_or(|newest| size(newest) < size(&found))
        {
            newest = Some(found);
        }
    }
    Ok(newest)
}
