//! Old records lose their content here once every sink has them: upstream keeps them for years, this
//! machine for a few months. A hold stops it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::Courier;
use super::cursor::{Cursor, file};
use crate::audit::{Event, Prune};
use crate::clock::Timestamp;
use crate::paths::{self, Paths};
use crate::wording::chain;

/// How often it is looked whether something is old enough.
const EVERY: Duration = Duration::from_secs(3600);
/// How many records go in one transaction: few enough that no call waits for it.
const AT_ONCE: usize = 100;
/// How many pages of the file are given back in one transaction.
const PAGES: u32 = 32;
/// The pause after it, in which calls have their turn.
const PAUSE: Duration = Duration::from_millis(25);

/// Where a hold is noted.
fn hold_file(paths: &Paths) -> PathBuf {
    paths.sync_dir().join("hold")
}

impl Courier {
    /// Prunes once an hour, as long as this process is the one that sends.
    pub(super) async fn prune_for_ever(&self) {
        let mut from = 0;
        loop {
            self.prune(&mut from).await;
            self.reclaim().await;
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Prunes what is old enough now, from this record on.
    pub(super) async fn prune(&self, from: &mut u64) {
        while let Some(until) = self.taken_by_all() {
            if self.is_held() {
                return;
            }
            let keep = i64::try_from(self.0.retention.as_millis()).unwrap_or(i64::MAX);
            let before = self.0.clock.now().millis().saturating_sub(keep);
            let what = Prune {
                from: *from,
                until,
                before: Timestamp::from_millis(before),
                most: AT_ONCE,
            };
            match self.0.audit.prune(what).await {
                Ok(pruned) if pruned.next > *from => *from = pruned.next,
                Ok(_) => return,
                Err(error) => {
                    let error = chain(error.as_ref());
                    tracing::warn!(error, "old records keep their content");
                    return;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Gives back to the disk what pruning has left empty.
    pub(super) async fn reclaim(&self) {
        let mut before = u64::MAX;
        loop {
            match self.0.audit.reclaim(PAGES).await {
                // A log that was begun without the means to shrink keeps what it has.
                Ok(left) if left > 0 && left < before => before = left,
                Ok(_) => return,
                Err(error) => {
                    let error = chain(error.as_ref());
                    tracing::warn!(error, "the log keeps its size");
                    return;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The first record that some sink has not taken; nothing, where there are no sinks.
    fn taken_by_all(&self) -> Option<u64> {
        let sinks = self.0.sinks.iter();
        // What a newer version keeps is not known here: nothing is pruned then.
        let taken = sinks.map(|sink| Cursor::load(&file(&self.0.paths, sink)).ok().flatten());
        let taken: Option<Vec<Cursor>> = taken.collect();
        let taken = taken?;
        let same = taken.windows(2).all(|two| match two {
            [one, other] => one.log_id == other.log_id,
            _ => true,
        });
        taken
            .iter()
            .map(|cursor| cursor.next)
            .min()
            .filter(|_| same)
    }

    /// Whether nothing may be pruned now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        // What cannot be looked at counts as a hold.
        hold_file(&self.0.paths).try_exists().unwrap_or(true)
    }

    /// Begins or ends a hold, and puts that on record; whether it was otherwise before.
    ///
    /// # Errors
    /// When it cannot be kept or recorded.
    pub async fn hold(&self, on: bool) -> Result<bool, HoldError> {
        if self.is_held() == on {
            return Ok(false);
        }
        let file = hold_file(&self.0.paths);
        // On record before it ends, in force before it is on record.
        if on {
            paths::replace_private(&file, b"").map_err(HoldError::File)?;
        }
        let event = Event::Hold { on };
        let recorded = self.0.audit.record(event).await;
        recorded.map_err(|error| HoldError::Record(chain(error.as_ref()).into()))?;
        if !on {
            std::fs::remove_file(&file).map_err(HoldError::File)?;
        }
        Ok(true)
    }
}

/// Why a hold did not begin or end.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// Its file.
    #[error("the hold cannot be kept on disk")]
    File(#[source] io::Error),
    /// The log.
    #[error("the hold cannot be recorded: {0}")]
    Record(Box<str>),
}
