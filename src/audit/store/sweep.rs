//! Cleaning up: intents of writers that died, and readings that no longer count.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;

use super::failure::Failure;
use super::transaction::{Transaction, number, row_id};
use super::{Patience, Store};
use crate::audit::entry::Device;
use crate::audit::error::StoreError;
use crate::audit::process::Census;
use crate::audit::scribe::Subject;
use crate::limits;
use crate::paths::Paths;

/// What the outcome says of an intent whose process is dead.
const DEAD: &str = "the process ended before the answer was recorded";

impl Store {
    /// Gives every intent of a dead process its outcome, and every one of this process that is not
    /// among `held`, for the reason `stray`; forgets readings that have left the window of the rate limit. Returns how many
    /// outcomes were written.
    ///
    /// # Errors
    /// What the database or the process locks say.
    pub fn sweep(
        &mut self,
        paths: &Paths,
        held: &BTreeSet<u64>,
        stray: &'static str,
        patience: Patience,
    ) -> Result<usize, StoreError> {
        let at = |cause| StoreError::Place {
            path: paths.lock("processes"),
            cause,
        };
        // Somebody else looks already.
        let Some(census) = Census::begin(paths).map_err(at)? else {
            return Ok(0);
        };
        let own = self.process.clone();
        self.wait_for_turn(patience)?;
        let (closed, trouble) = self.in_transaction(|transaction| {
            let mut trouble = None;
            let mut is_over = |seq: u64, process: &str| {
                if *process == *own {
                    return (!held.contains(&seq)).then_some(stray);
                }
                match census.is_dead(process) {
                    Ok(dead) => dead.then_some(DEAD),
                    Err(error) => {
                        trouble = Some(error);
                        None
                    }
                }
            };
            let closed = transaction.close_open(&mut is_over)?;
            transaction.forget_readings()?;
            Ok((closed, trouble))
        })?;
        match trouble {
            Some(cause) => Err(at(cause)),
            None => census.tidy().map(|()| closed).map_err(at),
        }
    }
}

impl Transaction<'_> {
    fn close_open(
        &mut self,
        is_over: &mut dyn FnMut(u64, &str) -> Option<&'static str>,
    ) -> Result<usize, Failure> {
        let mut open = self.open_intents()?;
        let mut verdicts: BTreeMap<Box<str>, Option<&'static str>> = BTreeMap::new();
        let mut closed = Vec::new();
        for (seq, process) in &open {
            // A process is asked about once; of our own each intent is a case of its own.
            let verdict = if **process == *self.process {
                is_over(*seq, process)
            } else {
                *verdicts
                    .entry(process.clone())
                    .or_insert_with(|| is_over(*seq, process))
            };
            if let Some(reason) = verdict {
                closed.push((*seq, reason));
            }
        }
        for (seq, reason) in &closed {
            let who = Subject::from_intent(&self.body(*seq)?);
            let device: &Device = self.device;
            let draft = who.unknown(device, reason);
            self.append(&draft, None, Some(*seq))?;
            open.remove(seq);
        }
        let swept = open.keys().next().copied().unwrap_or(self.size());
        self.conn
            .prepare_cached("UPDATE head SET swept = ?1 WHERE one = 1 AND swept <> ?1")?
            .execute([row_id(swept)])?;
        Ok(closed.len())
    }

    /// Intents without an outcome, with their processes.
    fn open_intents(&self) -> Result<BTreeMap<u64, Box<str>>, Failure> {
        let mut statement = self.conn.prepare_cached(
            "SELECT seq, process, closes FROM record
             WHERE seq >= (SELECT swept FROM head WHERE one = 1)
               AND (process IS NOT NULL OR closes IS NOT NULL)
             ORDER BY seq",
        )?;
        let mut rows = statement.query([])?;
        let mut open = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let (seq, process, closes): (i64, Option<Box<str>>, Option<i64>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            if let Some(process) = process {
                open.insert(number(seq), process);
            }
            if let Some(closes) = closes {
                open.remove(&number(closes));
            }
        }
        Ok(open)
    }

    fn body(&self, seq: u64) -> Result<Vec<u8>, Failure> {
        let body: Option<Vec<u8>> = self
            .conn
            .prepare_cached("SELECT body FROM record WHERE seq = ?1")?
            .query_row([row_id(seq)], |row| row.get(0))?;
        Ok(body.unwrap_or_default())
    }

    /// Readings of other boots, from before the window, and (where boots have no names) from the
    /// future.
    fn forget_readings(&self) -> Result<(), Failure> {
        let now = &self.uptime;
        self.conn
            .prepare_cached("DELETE FROM rate WHERE boot <> ?1 OR uptime NOT BETWEEN ?2 AND ?3")?
            .execute(params![
                now.boot,
                now.millis.saturating_sub(limits::WINDOW_MILLIS),
                now.millis
            ])?;
        Ok(())
    }
}
