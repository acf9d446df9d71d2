//! Reads records for people: list, show and follow.
//!
//! Nothing is verified here. Records come out as the JSON that was stored, and as a [`Row`] of what
//! a table shows; a record that cannot be read comes out as an empty row rather than not at all. Records
//! whose content was pruned are left out.

mod calls;
mod row;
mod words;

use std::borrow::Cow;
use std::ops::ControlFlow;

use rusqlite::Statement;
use rusqlite::types::ValueRef;

pub use self::calls::{Finished, calls};
pub use self::row::Row;
pub use self::words::Words;
use super::reader::Reader;
use crate::clock::Timestamp;

/// Which records are asked for; every part that is given has to match.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
    /// The user's identifier or subject.
    pub user: Option<Box<str>>,
    /// The server.
    pub server: Option<Box<str>>,
    /// The tool, by its own name.
    pub tool: Option<Box<str>>,
    /// `success`, `error`, `denied` or `unknown`.
    pub outcome: Option<Box<str>>,
    /// Words that all stand in it.
    pub text: Option<Words>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// The JSON object as it was stored.
    pub json: Box<str>,
}

/// In which order records come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they were written.
    OldestFirst,
    /// The other way round.
    NewestFirst,
}

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot be read")]
pub struct QueryError(#[from] rusqlite::Error);

impl Entry {
    /// What a table shows.
    #[must_use]
    pub fn row(&self) -> Row<'_> {
        serde_json::from_str(&self.json).unwrap_or_default()
    }
}

impl Filter {
    /// Whether a record is asked for.
    #[must_use]
    pub fn admits(&self, json: &str) -> bool {
        self.is_empty()
            || self.matches(&serde_json::from_str(json).unwrap_or_default())
                && self.says([json].into_iter())
    }

    /// Whether a record is asked for, but for the words, which a row does not have.
    fn matches(&self, row: &Row<'_>) -> bool {
        let is = |wanted: &Option<Box<str>>, found: &Option<Cow<'_, str>>| {
            wanted.is_none() || wanted.as_deref() == found.as_deref()
        };
        (is(&self.user, &row.user_id) || is(&self.user, &row.subject))
            && is(&self.server, &row.server)
            && is(&self.tool, &row.tool_name)
            && is(&self.outcome, &row.outcome)
            && self.includes(&row.timestamp)
    }

    /// Whether a record of this time is asked for.
    fn includes(&self, timestamp: &str) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        Timestamp::parse(timestamp).is_ok_and(|made| {
            self.since.is_none_or(|since| made >= since)
                && self.until.is_none_or(|until| made < until)
        })
    }

    /// Whether the records of one call say the words together.
    fn says<'a>(&self, records: impl Iterator<Item = &'a str>) -> bool {
        self.text
            .as_ref()
            .is_none_or(|words| words.stand_in(records))
    }

    fn is_empty(&self) -> bool {
        let texts = [&self.user, &self.server, &self.tool, &self.outcome];
        self.since.is_none()
            && self.until.is_none()
            && self.text.is_none()
            && texts.iter().all(|text| text.is_none())
    }
}

/// Calls `each` with the records that match, until it breaks.
///
/// # Errors
/// When the log cannot be read.
pub fn list(
    reader: &Reader,
    filter: &Filter,
    order: Order,
    mut each: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<(), QueryError> {
    let sql = match order {
        Order::OldestFirst => {
            "SELECT seq, body FROM record WHERE seq >= ?1 AND body IS NOT NULL ORDER BY seq"
        }
        Order::NewestFirst => {
            "SELECT seq, body FROM record WHERE seq >= ?1 AND body IS NOT NULL ORDER BY seq DESC"
        }
    };
    let mut statement = reader.connection().prepare(sql)?;
    walk(&mut statement, 0, filter, &mut each).map(drop)
}

/// Finds records by number, identifier, or call: a call has two.
///
/// # Errors
/// When the log cannot be read.
pub fn find(reader: &Reader, which: &str) -> Result<Vec<Entry>, QueryError> {
    let mut found = Vec::new();
    if let Ok(seq) = which.parse::<u64>() {
        let mut statement = reader
            .connection()
            .prepare("SELECT seq, body FROM record WHERE seq >= ?1 AND body IS NOT NULL ORDER BY seq LIMIT 1")?;
        let _end = walk(&mut statement, seq, &Filter::default(), &mut |entry| {
            found.extend((entry.seq == seq).then_some(entry));
            ControlFlow::Break(())
        })?;
        return Ok(found);
    }
    let named = |entry: &Entry| {
        let row = entry.row();
        row.id == which || row.request_id.as_deref() == Some(which)
    };
    list(reader, &Filter::default(), Order::OldestFirst, |entry| {
        if entry.json.contains(which) && named(&entry) {
            found.push(entry);
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// The number that a text is, if the record of that number has lost its content.
///
/// # Errors
/// When the log cannot be read.
pub fn pruned(reader: &Reader, which: &str) -> Result<Option<u64>, QueryError> {
    let seq = which.parse::<u64>().ok();
    let Some((seq, row)) = seq.and_then(|seq| Some((seq, i64::try_from(seq).ok()?))) else {
        return Ok(None);
    };
    let sql = "SELECT count(*) FROM record WHERE seq = ?1 AND body IS NULL";
    let count: i64 = reader
        .connection()
        .query_row(sql, [row], |row| row.get(0))?;
    Ok((count > 0).then_some(seq))
}

/// Calls `each` with every matching record from number `from` on, and goes on as records are
/// written, for as long as `wait` says so. `wait` decides how often the log is looked at.
///
/// # Errors
/// When the log cannot be read.
pub fn follow(
    reader: &Reader,
    from: u64,
    filter: &Filter,
    mut each: impl FnMut(Entry) -> ControlFlow<()>,
    mut wait: impl FnMut() -> ControlFlow<()>,
) -> Result<(), QueryError> {
    let sql = "SELECT seq, body FROM record WHERE seq >= ?1 AND body IS NOT NULL ORDER BY seq";
    let mut statement = reader.connection().prepare(sql)?;
    let (mut next, mut version) = (from, None);
    loop {
        // Changes when somebody else commits; asking costs no reading of pages.
        let now: i64 = reader
            .connection()
            .pragma_query_value(None, "data_version", |row| row.get(0))?;
        if version.replace(now) != Some(now) {
            let (seen, flow) = walk(&mut statement, next, filter, &mut each)?;
            next = seen.map_or(next, |seen| seen + 1);
            if flow.is_break() {
                return Ok(());
            }
        }
        if wait().is_break() {
            return Ok(());
        }
    }
}

/// The number after the newest record's.
///
/// # Errors
/// When the log cannot be read.
pub fn end(reader: &Reader) -> Result<u64, QueryError> {
    let newest: Option<i64> =
        reader
            .connection()
            .query_row("SELECT max(seq) FROM record", [], |row| row.get(0))?;
    Ok(newest
        .and_then(|seq| u64::try_from(seq).ok())
        .map_or(0, |seq| seq + 1))
}

/// Goes through the records from a number on; returns the last one's number.
fn walk(
    statement: &mut Statement<'_>,
    from: u64,
    filter: &Filter,
    each: &mut impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<(Option<u64>, ControlFlow<()>), QueryError> {
    let mut rows = statement.query([i64::try_from(from).unwrap_or(i64::MAX)])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let Ok(seq) = u64::try_from(row.get::<_, i64>(0)?) else {
            continue;
        };
        last = Some(seq);
        let json = text(row.get_ref(1)?);
        if filter.admits(&json) {
            let json = json.into();
            let flow = each(Entry { seq, json });
            if flow.is_break() {
                return Ok((last, flow));
            }
        }
    }
    Ok((last, ControlFlow::Continue(())))
}

/// A stored body as far as it is text.
fn text(value: ValueRef<'_>) -> Cow<'_, str> {
    match value {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => String::from_utf8_lossy(bytes),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Cow::Borrowed(""),
    }
}

#[cfg(test)]
mod tests;
