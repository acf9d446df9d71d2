//! Taking out the content of old records that have been sent elsewhere. Their leaves stay, so that the
//! log still verifies, and a record says how far it went. Then the file gives back what it has no more
//! use for.

use std::collections::BTreeSet;

use rusqlite::params;
use serde::Deserialize;

use super::failure::Failure;
use super::transaction::{Transaction, number, row_id};
use crate::audit::spool::beginning;
use crate::audit::{entry, tree};
use crate::clock::Timestamp;

/// How far a call may reach before it is left for another time, in records.
const WIDEST: usize = 1 << 16;

/// What may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prune {
    /// The first record that has not been looked at.
    pub from: u64,
    /// The first one that has not been sent.
    pub until: u64,
    /// Only what was made earlier.
    pub before: Timestamp,
    /// How many are looked at in one transaction.
    pub most: usize,
}

/// What went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// The first record that keeps its content.
    pub next: u64,
    /// How many have lost it.
    pub count: u64,
}

#[derive(Deserialize)]
struct Made<'a> {
    timestamp: &'a str,
}

impl Transaction<'_> {
    /// Prunes whole calls only: an outcome never outlives its intent. The first record stays, which
    /// says where the key is.
    pub(super) fn prune(&mut self, what: &Prune) -> Result<Pruned, Failure> {
        // What is pruned already is not walked through again.
        let from = what.from.max(beginning(self.conn)?).max(1);
        let until = what.until.min(self.swept()?);
        let mut most = what.most;
        let end = loop {
            let (end, seen) = self.old(from, until, what.before, most)?;
            // A call that reaches beyond what was looked at: a wider look finds its end.
            if end > from || seen < most || most >= WIDEST {
                break end;
            }
            most *= 4;
        };
        let count = self.empty(from, end)?;
        if count > 0 {
            self.clears = true;
            let draft = entry::pruned(self.device, end, count);
            self.append(&draft, None, None)?;
        }
        Ok(Pruned {
            next: end,
            count: u64::try_from(count).unwrap_or(0),
        })
    }

    /// Writes records anew without their content. A row that is changed where it stands keeps the page
    /// for itself and its few neighbours, empty as it is; rows that go and come again share one.
    fn empty(&self, from: u64, end: u64) -> Result<usize, Failure> {
        type Kept = (i64, tree::Hash, Option<Box<str>>, Option<i64>);
        let range = params![row_id(from), row_id(end)];
        let mut statement = self.conn.prepare_cached(
            "SELECT seq, leaf, process, closes FROM record
             WHERE seq >= ?1 AND seq < ?2 AND body IS NOT NULL ORDER BY seq",
        )?;
        let rows = statement.query_map(range, |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
        let rows: Vec<Kept> = rows.collect::<rusqlite::Result<_>>()?;
        self.conn
            .prepare_cached("DELETE FROM record WHERE seq >= ?1 AND seq < ?2 AND body IS NOT NULL")?
            .execute(range)?;
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO record (seq, leaf, process, closes, body) VALUES (?1, ?2, ?3, ?4, NULL)",
        )?;
        for (seq, leaf, process, closes) in &rows {
            insert.execute(params![seq, &leaf[..], process, closes])?;
        }
        Ok(rows.len())
    }

    /// Takes pages that hold nothing off the end of the file, after moving there what stands behind
    /// them. Logs that were begun before there was such a thing keep theirs, for new records.
    pub(super) fn reclaim(&self, most: u32) -> Result<u64, Failure> {
        let sql = format!("PRAGMA incremental_vacuum({most})");
        let mut statement = self.conn.prepare_cached(&sql)?;
        let mut pages = statement.query([])?;
        // Each step is one page.
        while pages.next()?.is_some() {}
        let empty = self
            .conn
            .pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        Ok(number(empty))
    }

    fn swept(&self) -> Result<u64, Failure> {
        let swept = self
            .conn
            .prepare_cached("SELECT swept FROM head WHERE one = 1")?
            .query_row([], |row| row.get(0))?;
        Ok(number(swept))
    }

    /// The end of what is old enough, at the last place that parts no call; and how many records
    /// were looked at.
    fn old(
        &self,
        from: u64,
        until: u64,
        before: Timestamp,
        most: usize,
    ) -> Result<(u64, usize), Failure> {
        let mut statement = self.conn.prepare_cached(
            "SELECT seq, process IS NOT NULL, closes, body FROM record
             WHERE seq >= ?1 AND seq < ?2 ORDER BY seq LIMIT ?3",
        )?;
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![row_id(from), row_id(until), limit])?;
        let (mut open, mut end, mut seen) = (BTreeSet::new(), from, 0);
        while let Some(row) = rows.next()? {
            let (seq, begins): (i64, bool) = (row.get(0)?, row.get(1)?);
            let closes: Option<i64> = row.get(2)?;
            let body = row
                .get_ref(3)?
                .as_blob_or_null()
                .map_err(rusqlite::Error::from)?;
            if body.is_some_and(|body| !is_before(body, before)) {
                break;
            }
            if begins {
                open.insert(number(seq));
            }
            if let Some(closes) = closes {
                open.remove(&number(closes));
            }
            seen += 1;
            end = number(seq) + 1;
        }
        Ok((
            open.first().copied().map_or(end, |first| first.min(end)),
            seen,
        ))
    }
}

/// What cannot be read stays for whoever wants to know why.
fn is_before(body: &[u8], before: Timestamp) -> bool {
    let made = serde_json::from_slice::<Made<'_>>(body).ok();
    let made = made.and_then(|made| Timestamp::parse(made.timestamp).ok());
    made.is_some_and(|made| made < before)
}
