//! How much waits to be sent: how many records, since when, and about how many bytes.

use std::path::Path;

use rusqlite::{OptionalExtension as _, params};

use crate::audit::reader::{ReadError, Reader};

/// Up to so many records are counted to the byte; of more, as many are looked at.
const LOOKED_AT: u64 = 512;
/// How many of them stand next to each other: an intent and its outcome differ in length, so that
/// every second record alone would say little.
const RUN: u64 = 8;

/// What waits from a record on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which log.
    pub log_id: Box<str>,
    /// How many records the log has.
    pub size: u64,
    /// The number of the first record that was looked for.
    pub from: u64,
    /// The first that waits: the JSON object that was hashed.
    pub first: Option<Box<str>>,
    /// How many bytes wait; of more than 512 records an estimate, the same for everybody who looks.
    pub bytes: u64,
}

/// Looks at what waits from number `from` on (without one, for whoever has nothing yet), which takes as long for a million records as for a
/// thousand.
///
/// # Errors
/// When there is no log that can be read.
pub fn waiting(log: &Path, from: Option<u64>) -> Result<Waiting, ReadError> {
    let reader = Reader::open_live(log)?;
    let connection = reader.connection();
    // One state of the log, whoever writes meanwhile.
    let transaction = connection.unchecked_transaction()?;
    let from = from.map_or_else(|| super::beginning(connection), Ok)?;
    let log_id: String = transaction.query_row("SELECT log_id FROM log", [], |row| row.get(0))?;
    let size = "SELECT coalesce(max(seq) + 1, 0) FROM record";
    let size: i64 = transaction.query_row(size, [], |row| row.get(0))?;
    let size = u64::try_from(size).unwrap_or(0);
    let first = "SELECT body FROM record WHERE seq >= ?1 AND body IS NOT NULL ORDER BY seq LIMIT 1";
    let first = transaction.query_row(first, [id(from)], |row| row.get::<_, Vec<u8>>(0));
    let first = first
        .optional()?
        .and_then(|body| String::from_utf8(body).ok());
    Ok(Waiting {
        log_id: log_id.into(),
        size,
        from,
        first: first.map(Into::into),
        bytes: bytes(&reader, from, size)?,
    })
}

/// Records of the same number for everybody, spread over all that wait.
fn bytes(reader: &Reader, from: u64, size: u64) -> rusqlite::Result<u64> {
    let count = size.saturating_sub(from);
    // The length of a body stands before it; the body itself is not read.
    let mut lengths = reader.connection().prepare(
        "SELECT count(*), coalesce(sum(length(body)), 0) FROM record WHERE seq >= ?1 AND seq < ?2",
    )?;
    let mut look = |from: u64, until: u64| -> rusqlite::Result<(u64, u64)> {
        lengths.query_row(params![id(from), id(until)], |row| {
            let (seen, bytes): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok((seen.unsigned_abs(), bytes.unsigned_abs()))
        })
    };
    if count <= LOOKED_AT {
        return look(from, size).map(|(_, bytes)| bytes);
    }
    let runs = LOOKED_AT / RUN;
    let (mut seen, mut bytes) = (0, 0);
    for run in 0..runs {
        let begin = from + (count - RUN) * run / (runs - 1);
        let (more, long) = look(begin, begin + RUN)?;
        seen += more;
        bytes += long;
    }
    let all = u128::from(bytes) * u128::from(count) / u128::from(seen.max(1));
    Ok(u64::try_from(all).unwrap_or(u64::MAX))
}

fn id(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::tests::log;
    use super::*;

    fn of(count: i64, body: impl Fn(i64) -> String) -> (u64, u64) {
        let bodies: Vec<(i64, String)> = (0..count).map(|seq| (seq, body(seq))).collect();
        let given: Vec<(i64, &str)> = bodies.iter().map(|(seq, body)| (*seq, &**body)).collect();
        let (_directory, path) = log(&given);
        let from = 3;
        let found = waiting(&path, Some(from)).unwrap();
        assert_eq!(found.size, u64::try_from(count).unwrap());
        assert_eq!(found.first.as_deref(), Some(&*bodies[3].1));
        let exact = bodies[3..]
            .iter()
            .map(|(_, body)| body.len())
            .sum::<usize>();
        (found.bytes, u64::try_from(exact).unwrap())
    }

    #[test]
    fn few_records_are_counted_to_the_byte_and_many_nearly() {
        let uneven = |seq: i64| "x".repeat(usize::try_from(seq * seq % 97 + 1).unwrap());
        let (bytes, exact) = of(500, uneven);
        assert_eq!(bytes, exact);
        // Every second one is long, the later ones longer.
        let pairs = |seq: i64| {
            let long = if seq % 2 == 0 { 500 } else { 20 };
            "x".repeat(usize::try_from(long + seq / 100).unwrap())
        };
        let (bytes, exact) = of(5000, pairs);
        assert!(bytes.abs_diff(exact) * 20 < exact, "{bytes} for {exact}");
    }

    #[test]
    fn nothing_waits_behind_the_end() {
        let (_directory, path) = log(&[(0, "{}"), (1, "{\"b\":1}")]);
        for from in [2, 3, u64::MAX] {
            let found = waiting(&path, Some(from)).unwrap();
            assert_eq!((found.bytes, found.first, found.size), (0, None, 2));
        }
        assert!(waiting(&path.join("none"), None).is_err());
    }
}
