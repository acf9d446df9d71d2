//! The log as a spool: records in their order, from a cursor on, for whoever sends them elsewhere.
//!
//! Nothing is verified here: what the receiver gets are the bytes that were hashed, with the newest
//! signed head beside them, so that it can.

mod waiting;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

pub use waiting::{Waiting, waiting};

use super::reader::{ReadError, Reader};

/// Records that are next to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Which log.
    pub log_id: Box<str>,
    /// How many records the log has.
    pub size: u64,
    /// The number of the first record that was looked for.
    pub from: u64,
    /// The newest signed head (C2SP checkpoint), of the whole log.
    pub head: Option<Box<str>>,
    /// The records, without a gap.
    pub records: Vec<Spooled>,
    /// Whether more of them wait than fitted.
    pub is_full: bool,
}

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spooled {
    /// Its number.
    pub seq: u64,
    /// The JSON object whose bytes were hashed.
    pub json: Box<str>,
}

/// How much is taken at once: at least one record, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// How many records.
    pub records: usize,
    /// How many bytes of them.
    pub bytes: usize,
}

/// Why the next records cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record is missing between others.
    #[error("the record {0} is missing from the log")]
    Gap(u64),
}

impl From<rusqlite::Error> for SpoolError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(error.into())
    }
}

/// Takes the records from number `from` on; without one, from the beginning, which is behind whatever
/// has lost its content because everybody had it then.
///
/// # Errors
/// When there is no log that can be read, or a record is missing.
pub fn next(log: &Path, from: Option<u64>, most: Most) -> Result<Batch, SpoolError> {
    let reader = Reader::open_live(log)?;
    let connection = reader.connection();
    let from = from.map_or_else(|| beginning(connection), Ok)?;
    let log_id: String = connection.query_row("SELECT log_id FROM log", [], |row| row.get(0))?;
    let note = "SELECT note FROM head WHERE note IS NOT NULL";
    let head = connection.query_row(note, [], |row| row.get::<_, String>(0));
    let last = "SELECT coalesce(max(seq) + 1, 0) FROM record";
    let size: i64 = connection.query_row(last, [], |row| row.get(0))?;
    let (records, is_full) = take(&reader, from, most)?;
    Ok(Batch {
        log_id: log_id.into(),
        size: u64::try_from(size).unwrap_or(0),
        from,
        head: head.ok().map(Into::into),
        records,
        is_full,
    })
}

/// The first record for whoever has none. Pruning goes on from the second record without a gap, so the
/// end of what is pruned is found by halves; the first record keeps its content, and stays here.
pub(super) fn beginning(connection: &Connection) -> rusqlite::Result<u64> {
    let mut body = connection.prepare("SELECT body IS NULL FROM record WHERE seq = ?1")?;
    let mut is_pruned = |seq: i64| {
        let pruned = body.query_row([seq], |row| row.get(0)).optional();
        pruned.map(|pruned| pruned.unwrap_or(false))
    };
    if !is_pruned(1)? {
        return Ok(0);
    }
    let last = "SELECT coalesce(max(seq), 0) FROM record";
    let last: i64 = connection.query_row(last, [], |row| row.get(0))?;
    let (mut pruned, mut kept) = (1, last + 1);
    while kept - pruned > 1 {
        let middle = pruned + (kept - pruned) / 2;
        if is_pruned(middle)? {
            pruned = middle;
        } else {
            kept = middle;
        }
    }
    Ok(kept.unsigned_abs())
}

fn take(reader: &Reader, from: u64, most: Most) -> Result<(Vec<Spooled>, bool), SpoolError> {
    let query = "SELECT seq, body FROM record WHERE seq >= ?1 ORDER BY seq LIMIT ?2";
    let mut statement = reader.connection().prepare(query)?;
    let start = i64::try_from(from).unwrap_or(i64::MAX);
    let limit = i64::try_from(most.records).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![start, limit])?;
    let (mut records, mut bytes, mut expected) = (Vec::new(), 0, from);
    while let Some(row) = rows.next()? {
        let seq = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
        let body = row
            .get_ref(1)?
            .as_blob_or_null()
            .map_err(rusqlite::Error::from)?;
        let body = body.and_then(|body| std::str::from_utf8(body).ok());
        let (true, Some(json)) = (seq == expected, body) else {
            return Err(SpoolError::Gap(expected));
        };
        bytes += json.len();
        if bytes > most.bytes && !records.is_empty() {
            return Ok((records, true));
        }
        let json = json.into();
        records.push(Spooled { seq, json });
        expected += 1;
    }
    let is_full = records.len() == most.records;
    Ok((records, is_full))
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;
    use rusqlite::Connection;

    pub fn log(bodies: &[(i64, &str)]) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .pragma_update(None, "journal_mode", "wal")
            .unwrap();
        connection.execute_batch(&schema::create()).unwrap();
        connection
            .execute(
                "INSERT INTO log VALUES (1, 'a-log', 'chaperone/audit/a-log', x'', 'file', '')",
                [],
            )
            .unwrap();
        for (seq, body) in bodies {
            connection
                .execute(
                    "INSERT INTO record (seq, leaf, body) VALUES (?1, x'', ?2)",
                    params![seq, body.as_bytes()],
                )
                .unwrap();
        }
        (directory, path)
    }

    const MOST: Most = Most {
        records: 10,
        bytes: 1000,
    };

    #[test]
    fn records_come_in_order_and_as_many_as_fit() {
        let (_directory, path) = log(&[(0, "{}"), (1, "{\"b\":1}"), (2, "{}")]);
        let all = next(&path, Some(0), MOST).unwrap();
        assert_eq!((&*all.log_id, all.size, all.is_full), ("a-log", 3, false));
        assert_eq!(all.records.len(), 3);
        let numbers = |from, most| -> (Vec<u64>, bool) {
            let batch = next(&path, Some(from), most).unwrap();
            let seqs = batch.records.iter().map(|record| record.seq);
            (seqs.collect(), batch.is_full)
        };
        assert_eq!(numbers(2, MOST), (vec![2], false));
        assert_eq!(numbers(3, MOST), (vec![], false));
        assert_eq!(numbers(0, Most { records: 2, ..MOST }), (vec![0, 1], true));
        assert_eq!(numbers(0, Most { bytes: 8, ..MOST }), (vec![0], true));
        assert_eq!(numbers(1, Most { bytes: 1, ..MOST }), (vec![1], true));
    }

    #[test]
    fn whoever_has_nothing_begins_behind_what_was_pruned() {
        for pruned in 0..8_i64 {
            let bodies: Vec<(i64, &str)> = (0..9).map(|seq| (seq, "{}")).collect();
            let (_directory, path) = log(&bodies);
            let connection = Connection::open(&path).unwrap();
            let sql = "UPDATE record SET body = NULL WHERE seq BETWEEN 1 AND ?1";
            connection.execute(sql, [pruned]).unwrap();
            let begin = if pruned == 0 {
                0
            } else {
                pruned.unsigned_abs() + 1
            };
            let batch = next(&path, None, MOST).unwrap();
            assert_eq!(
                (batch.from, batch.records.first().map(|one| one.seq)),
                (begin, Some(begin))
            );
            assert_eq!(waiting(&path, None).unwrap().from, begin);
        }
    }

    #[test]
    fn a_missing_record_is_not_passed_over() {
        let (_directory, path) = log(&[(0, "{}"), (2, "{}")]);
        assert!(matches!(
            next(&path, Some(0), MOST),
            Err(SpoolError::Gap(1))
        ));
        assert!(matches!(
            next(&path, Some(1), MOST),
            Err(SpoolError::Gap(1))
        ));
        let connection = Connection::open(&path).unwrap();
        connection
            .execute(
                "INSERT INTO record (seq, leaf, body) VALUES (1, x'', NULL)",
                [],
            )
            .unwrap();
        assert!(matches!(
            next(&path, Some(0), MOST),
            Err(SpoolError::Gap(1))
        ));
    }
}
