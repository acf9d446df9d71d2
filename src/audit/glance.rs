//! A look at the log that takes no longer for a large one: whether it opens, whether its head is signed
//! by its key, whether its newest records are what was hashed, and whether the keychain remembers more.
//!
//! It finds what goes wrong by itself: a damaged disk, a copy put back, a file of another program. What
//! somebody did on purpose to an old record is found by [`super::verify`] alone, which reads everything.

use std::path::Path;

use rusqlite::OptionalExtension as _;

use super::mark::Mark;
use super::reader::{ReadError, Reader, undisturbed};
use super::rotation::Signers;
use super::tree::leaf_hash;
use super::verify::column;

/// How many records are looked at.
const NEWEST: i64 = 256;
/// SQLite's own check reads the whole file, which is quick up to here.
const CHECKED: u64 = 64 << 20;

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// How many records there are.
    pub records: u64,
    /// How many of them the signed head covers.
    pub signed: u64,
    /// The number of the session that is open, if one is.
    pub session: Option<u64>,
    /// What is wrong, if anything is.
    pub wrong: Option<Wrong>,
}

/// What a look finds wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// SQLite finds its own structures damaged.
    #[error("the database is damaged: {0}")]
    Database(Box<str>),
    /// The rows that every log has are not there.
    #[error("the rows that every log has are missing or unreadable")]
    Rows,
    /// The head is not signed by the key that the file names.
    #[error("the signed head is not that of the log's own key")]
    Head,
    /// A record is not what was hashed, or is missing.
    #[error("record {0} is not what was written, or missing")]
    Record(u64),
    /// The head covers more records than there are.
    #[error("there are {found} records where {known} were signed")]
    Cut {
        /// How many the head covers.
        known: u64,
        /// How many there are.
        found: u64,
    },
    /// The keychain remembers a longer log.
    #[error("there are {found} records where the keychain remembers {known}; is it an older copy?")]
    Older {
        /// How many the keychain remembers.
        known: u64,
        /// How many there are.
        found: u64,
    },
}

/// Looks at a log; `mark` is what the keychain remembers.
///
/// # Errors
/// When the log cannot be opened.
pub fn glance(path: &Path, mark: Option<&Mark>) -> Result<Glance, ReadError> {
    let small = std::fs::metadata(path).is_ok_and(|meta| meta.len() <= CHECKED);
    undisturbed(path, |reader| {
        let mut found = counted(reader)?;
        let wrong = || -> Result<Option<Wrong>, rusqlite::Error> {
            if let (true, Some(wrong)) = (small, checked(reader)?) {
                return Ok(Some(wrong));
            }
            judged(reader, &mut found, mark)
        }();
        found.wrong = match wrong {
            Ok(wrong) => wrong,
            Err(error) if super::reader::is_damage(&error) => {
                Some(Wrong::Database(error.to_string().into()))
            }
            Err(error) => return Err(error.into()),
        };
        Ok(found)
    })
}

fn counted(reader: &Reader) -> Result<Glance, ReadError> {
    let connection = reader.connection();
    let records = "SELECT coalesce(max(seq) + 1, 0) FROM record";
    let records: i64 = connection.query_row(records, [], |row| row.get(0))?;
    let session = "SELECT generation FROM session WHERE active = 1";
    let session = connection.query_row(session, [], |row| row.get::<_, i64>(0));
    Ok(Glance {
        records: records.unsigned_abs(),
        signed: 0,
        session: session.optional()?.map(i64::unsigned_abs),
        wrong: None,
    })
}

fn checked(reader: &Reader) -> Result<Option<Wrong>, rusqlite::Error> {
    let said: String = reader
        .connection()
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((said != "ok").then(|| Wrong::Database(said.into())))
}

fn judged(
    reader: &Reader,
    found: &mut Glance,
    mark: Option<&Mark>,
) -> Result<Option<Wrong>, rusqlite::Error> {
    let connection = reader.connection();
    let row = connection.query_row("SELECT log_id, note FROM log, head", [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?))
    });
    let (Some((log_id, note)), Some(key)) = (row.optional()?, reader.verifier_key()) else {
        return Ok(Some(Wrong::Rows));
    };
    let statements = column(connection, "rotated", "statement", "seq")?;
    let signers = Signers::of(&key, statements.iter().map(String::as_str));
    if let Some(note) = note {
        let Some(head) = signers.ok().and_then(|signers| signers.open(&note).ok()) else {
            return Ok(Some(Wrong::Head));
        };
        found.signed = head.head.size;
    }
    let (known, there) = (found.signed, found.records);
    if known > there {
        return Ok(Some(Wrong::Cut {
            known,
            found: there,
        }));
    }
    if let Some(mark) = mark.filter(|mark| *mark.log_id == *log_id && mark.size > there) {
        return Ok(Some(Wrong::Older {
            known: mark.size,
            found: there,
        }));
    }
    newest(reader, there)
}

/// Hashes the newest records again; one whose content was pruned has nothing to be hashed.
fn newest(reader: &Reader, records: u64) -> Result<Option<Wrong>, rusqlite::Error> {
    let query = "SELECT seq, leaf, body FROM record ORDER BY seq DESC LIMIT ?1";
    let mut statement = reader.connection().prepare(query)?;
    let mut rows = statement.query([NEWEST])?;
    let mut expected = records;
    while let Some(row) = rows.next()? {
        expected = expected.saturating_sub(1);
        let seq = row.get::<_, i64>(0)?.unsigned_abs();
        let leaf: Vec<u8> = row.get(1)?;
        let body: Option<Vec<u8>> = row.get(2)?;
        let is_sound = body.is_none_or(|body| leaf == leaf_hash(&body));
        if seq != expected || !is_sound {
            return Ok(Some(Wrong::Record(expected)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::audit::Event;
    use crate::audit::tests::kit::{Desk, agent};
    use crate::audit::tree::Head;
    use crate::config::Durability;

    #[tokio::test]
    async fn a_sound_log_is_counted_and_a_changed_one_is_not_sound() {
        let desk = Desk::new();
        let audit = desk.audit(Durability::Strict);
        for _ in 0..3 {
            audit
                .record(Event::Started { agent: agent() })
                .await
                .unwrap();
        }
        audit.close().await;
        let path = desk.paths().audit_db();
        let found = glance(&path, None).unwrap();
        assert_eq!(found.wrong, None);
        assert_eq!(found.signed, found.records);
        assert!(found.records >= 3);

        let log_id: String = connection(&path)
            .query_row("SELECT log_id FROM log", [], |row| row.get(0))
            .unwrap();
        let head = Head {
            size: found.records + 1,
            root: [0; 32],
        };
        let mark = Mark::new(&log_id, head);
        let older = glance(&path, Some(&mark)).unwrap().wrong;
        assert!(matches!(older, Some(Wrong::Older { .. })), "{older:?}");

        let last = found.records - 1;
        let change = |sql: &str| connection(&path).execute(sql, []).unwrap();
        change(&format!(
            "UPDATE record SET body = x'7b7d' WHERE seq = {last}"
        ));
        assert_eq!(
            glance(&path, None).unwrap().wrong,
            Some(Wrong::Record(last))
        );
        change(&format!("DELETE FROM record WHERE seq = {last}"));
        let cut = glance(&path, None).unwrap().wrong;
        assert!(matches!(cut, Some(Wrong::Cut { .. })), "{cut:?}");
        change("UPDATE head SET note = replace(note, 'a', 'b')");
        assert_eq!(glance(&path, None).unwrap().wrong, Some(Wrong::Head));
        change("DELETE FROM head");
        assert_eq!(glance(&path, None).unwrap().wrong, Some(Wrong::Rows));
    }

    fn connection(path: &Path) -> Connection {
        Connection::open(path).unwrap()
    }
}
