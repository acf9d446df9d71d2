//! What the open log needs from time to time, and at the end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{CARRY_EVERY, MINUTE, RETRY, STRAY, Slot};
use crate::audit::AuditSettings;
use crate::audit::chore::Chore;
use crate::audit::error::StoreError;
use crate::audit::key::KeyPlace;
use crate::audit::mark::Mark;
use crate::audit::store::{Done, Patience, Work};

/// How long the end of the process waits for the keychain.
const LAST_MARK: Duration = Duration::from_secs(1);
/// What a closing process says of the calls that it leaves open.
const ENDING: &str = "chaperone ended before the answer was recorded";

impl Slot {
    /// Looks after the open log, and says when to do so next even if nothing happens. Does not wait
    /// for others who hold it: calls would wait with it.
    pub fn upkeep(&mut self, settings: &AuditSettings) -> Option<Instant> {
        match self.look_after(settings) {
            Ok(next) => next,
            Err(StoreError::Locked { .. }) => Some(Instant::now() + RETRY),
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    fn look_after(&mut self, settings: &AuditSettings) -> Result<Option<Instant>, StoreError> {
        let Some(store) = &mut self.store else {
            return Ok(None);
        };
        store.check_place()?;
        self.reserve.look();
        if store.is_unsigned() {
            store.commit(&[Work::Sign], Patience::None)?;
        }
        store.check_tail()?;
        if self.swept.is_none_or(|at| at.elapsed() >= MINUTE) {
            store.sweep(&settings.paths, &self.held, STRAY, Patience::None)?;
            self.swept = Some(Instant::now());
        }
        if self
            .chore
            .as_ref()
            .is_some_and(|chore| !chore.is_finished())
        {
            return Ok(Some(Instant::now() + RETRY));
        }
        let (mut mark, mut next) = (None, None);
        if self.is_unmarked() {
            match self.marked {
                Some((at, _)) if at.elapsed() < MINUTE => next = Some(at + MINUTE),
                Some(_) | None => mark = self.mark(Patience::None)?,
            }
        }
        let mut chore = Chore::new(settings);
        chore.renew_mark(mark);
        if self.transactions >= CARRY_EVERY {
            chore.carry_over();
            self.transactions = 0;
        }
        if chore.is_needed() {
            let thread = std::thread::Builder::new().name("audit-chore".into());
            self.chore = thread.spawn(move || chore.run()).ok();
        }
        Ok(next)
    }

    /// Whether the keychain is to know a newer head.
    fn is_unmarked(&self) -> bool {
        let marked = self.marked.map(|(_, size)| size);
        self.store.as_ref().is_some_and(|store| {
            store.keys().place == KeyPlace::Keychain && marked < Some(store.records())
        })
    }

    /// The mark for the newest head, which the log has noted.
    fn mark(&mut self, patience: Patience) -> Result<Option<Mark>, StoreError> {
        let Some(store) = &mut self.store else {
            return Ok(None);
        };
        let done = store.commit(&[Work::Mark], patience)?;
        let head = done.iter().find_map(Done::head);
        self.marked = head.map(|head| (Instant::now(), head.size));
        Ok(head.map(|head| Mark::new(store.log_id(), head)))
    }

    /// Writes what is to be said at the end, signs, renews the mark, closes the file.
    pub fn close(&mut self, settings: &AuditSettings) {
        let closed = self.wind_up(settings);
        if let Err(error) = closed {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the audit log could not be closed in order");
        } else if let Some(process) = self.process.take() {
            process.end();
        }
        self.store = None;
        self.failed = None;
    }

    fn wind_up(&mut self, settings: &AuditSettings) -> Result<(), StoreError> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        if self.swept.is_none() {
            store.sweep(&settings.paths, &self.held, STRAY, Patience::Full)?;
        }
        if !self.held.is_empty() {
            store.sweep(&settings.paths, &BTreeSet::new(), ENDING, Patience::Full)?;
            self.held.clear();
        }
        store.commit(&[Work::Sign], Patience::Full)?;
        if self.is_unmarked() {
            let mut chore = Chore::new(settings);
            chore.renew_mark(self.mark(Patience::Full)?);
            chore.run_within(LAST_MARK);
        }
        Ok(())
    }
}
