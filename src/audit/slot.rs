//! The log as this process has it: open, or failed for a while, with what must outlive a failure.

mod upkeep;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::error::StoreError;
use super::key::Keys;
use super::process::Process;
use super::queue::{Answer, Job, Shared};
use super::reserve::Reserve;
use super::store::{Custodian, Done, Opening, Patience, Store, Work};
use super::{AuditSettings, State};
use crate::principal::{Generation, Identity};

/// How long a failure is believed before the log is opened again.
const RETRY: Duration = Duration::from_secs(1);
/// How often the keychain's mark is renewed, and dead processes are looked for.
const MINUTE: Duration = Duration::from_secs(60);
/// Transactions after which the write-ahead log, some ten megabytes then, is carried over.
const CARRY_EVERY: usize = 1024;
/// As many transactions of records write what one step of pruning or reclaiming does.
const STEP: usize = 32;

/// What is said of an intent of this process that nobody holds.
const STRAY: &str = "the record was interrupted; the call was refused, or its answer withheld";

/// The log, and what this process knows beyond it.
#[derive(Default)]
pub struct Slot {
    store: Option<Store>,
    failed: Option<(Instant, Shared)>,
    custodian: Custodian,
    process: Option<Process>,
    /// Intents of this process whose outcome will come.
    held: BTreeSet<u64>,
    swept: Option<Instant>,
    /// When the keychain's mark was renewed, and for how many records.
    marked: Option<(Instant, u64)>,
    /// Transactions since the write-ahead log was last carried over.
    transactions: usize,
    laden: bool,
    reserve: Reserve,
    chore: Option<JoinHandle<()>>,
}

/// What became of jobs.
pub enum Committed {
    /// They are answered, one way or another.
    Done,
    /// They come back as they were: others hold the log, and it was not to be waited for.
    Busy(Vec<Job>),
}

impl Slot {
    /// Whether a commit can begin at once.
    pub fn is_open(&self) -> bool {
        self.store.is_some()
    }

    /// The open log; opened again if it failed, but not more than once a second.
    pub fn open(&mut self, settings: &AuditSettings) -> Result<&mut Store, Shared> {
        if self.store.is_none() {
            if let Some((since, error)) = &self.failed
                && since.elapsed() < RETRY
            {
                return Err(Arc::clone(error));
            }
            let opened = match self.try_open(settings) {
                Err(StoreError::Full(_)) if self.reserve.give_up() => self.try_open(settings),
                opened => opened,
            };
            match opened {
                Ok(store) => {
                    self.store = Some(store);
                    self.failed = None;
                }
                Err(error) => return Err(self.fail(error)),
            }
        }
        match &mut self.store {
            Some(store) => Ok(store),
            None => Err(Arc::new(StoreError::Closed)),
        }
    }

    fn try_open(&mut self, settings: &AuditSettings) -> Result<Store, StoreError> {
        let paths = &settings.paths;
        self.reserve.set_place(paths.audit_reserve());
        if self.process.is_none() {
            let process = Process::begin(paths).map_err(|cause| StoreError::Place {
                path: paths.lock("processes"),
                cause,
            })?;
            self.process = Some(process);
        }
        let opening = Opening {
            paths,
            durability: settings.durability,
            secrets: &settings.secrets,
            clock: &settings.clock,
            device: &settings.device,
            process: self.process.as_ref().map_or("", Process::id),
        };
        let mut store = opening.open(&mut self.custodian)?;
        store.sweep(paths, &self.held, STRAY, Patience::Full)?;
        self.swept = Some(Instant::now());
        self.reserve.look();
        Ok(store)
    }

    /// Notes a failure. A lock held by others ends by itself; after anything else the log is
    /// opened anew.
    fn fail(&mut self, error: StoreError) -> Shared {
        if matches!(error, StoreError::Full(_)) {
            self.reserve.give_up();
        }
        let is_lock = matches!(error, StoreError::Locked { .. });
        let is_rekeyed = matches!(error, StoreError::Rekeyed);
        let error = Arc::new(error);
        if is_rekeyed {
            // With the new key it opens at once.
            self.store = None;
            return error;
        }
        if !(is_lock && self.store.is_some()) {
            let cause: &dyn std::error::Error = &*error;
            tracing::warn!(error = cause, "the audit log failed");
            self.store = None;
            self.failed = Some((Instant::now(), Arc::clone(&error)));
        }
        error
    }

    /// Whether the log wants to be looked after at once.
    pub fn is_laden(&self) -> bool {
        self.laden
    }

    /// Commits jobs and answers them. If that fails, `late` are those who came meanwhile: they have
    /// waited in vain too, and would wait as long again.
    pub fn commit(
        &mut self,
        settings: &AuditSettings,
        mut jobs: Vec<Job>,
        patience: Patience,
        late: impl FnOnce() -> Vec<Job>,
    ) -> Committed {
        jobs.retain(Job::is_wanted);
        if jobs.is_empty() {
            return Committed::Done;
        }
        let works = jobs
            .iter_mut()
            .map(|job| std::mem::replace(&mut job.work, Work::Sign));
        let works: Vec<Work> = works.collect();
        if let Err(error) = self.open(settings) {
            self.refuse(jobs, &works, &error);
            return Committed::Done;
        }
        let done = match self.write(&works, patience) {
            Err(StoreError::Rekeyed) => self.write_rekeyed(settings, &works, patience),
            done => done,
        };
        match done {
            Ok(done) => {
                self.count(&done);
                self.answer(jobs, &works, done);
                Committed::Done
            }
            Err(StoreError::Locked { .. }) if patience != Patience::Full => {
                for (job, work) in jobs.iter_mut().zip(works) {
                    job.work = work;
                }
                Committed::Busy(jobs)
            }
            Err(error) => {
                let error = self.fail(error);
                // Whoever hears of the failure and tries again comes after it.
                let late = late();
                self.refuse(jobs, &works, &error);
                self.refuse_all(late, &error);
                Committed::Done
            }
        }
    }

    /// Counts what a commit wrote into the database.
    fn count(&mut self, done: &[Done]) {
        let before = self.transactions;
        let store = self.store.as_mut();
        let made = store.map_or(0, Store::take_transactions);
        let wrote = done.iter().map(|done| match done {
            // The file shrinks as soon as that is carried over.
            Done::Reclaimed(0) => CARRY_EVERY,
            Done::Pruned(_) | Done::Reclaimed(_) => STEP,
            Done::Intent(_)
            | Done::RateLimited(_)
            | Done::SessionEnded
            | Done::NoRoom
            | Done::Recorded
            | Done::Session(_)
            | Done::Ended(_)
            | Done::Signed(_) => 0,
        });
        self.transactions += wrote.sum::<usize>().max(made);
        self.laden = before < CARRY_EVERY && self.transactions >= CARRY_EVERY;
    }

    /// Commits in the open log. Where the disk is full, what is kept of it serves everything but calls
    /// that would begin.
    fn write(&mut self, works: &[Work], patience: Patience) -> Result<Vec<Done>, StoreError> {
        let Some(store) = &mut self.store else {
            return Err(StoreError::Closed);
        };
        store.set_short(self.reserve.lack().is_some());
        match store.commit(works, patience) {
            Err(StoreError::Full(_)) if self.reserve.give_up() => {
                store.set_short(true);
                store.commit(works, patience)
            }
            done => done,
        }
    }

    /// Opens the log with the key that another process gave it, and commits then.
    fn write_rekeyed(
        &mut self,
        settings: &AuditSettings,
        works: &[Work],
        patience: Patience,
    ) -> Result<Vec<Done>, StoreError> {
        self.store = None;
        self.store = Some(self.try_open(settings)?);
        self.write(works, patience)
    }

    /// Changes the key that signs heads.
    pub fn rotate(&mut self, settings: &AuditSettings, next: &Arc<Keys>) -> Result<(), Shared> {
        let rotated = self.open(settings)?.rotate(next);
        rotated.map_err(|error| self.fail(error))
    }

    /// The keys in use.
    pub fn keys(&mut self, settings: &AuditSettings) -> Result<Arc<Keys>, Shared> {
        Ok(Arc::clone(self.open(settings)?.keys()))
    }

    fn refuse_all(&mut self, mut jobs: Vec<Job>, error: &Shared) {
        let works = jobs
            .iter_mut()
            .map(|job| std::mem::replace(&mut job.work, Work::Sign));
        let works: Vec<Work> = works.collect();
        self.refuse(jobs, &works, error);
    }

    fn refuse(&mut self, jobs: Vec<Job>, works: &[Work], error: &Shared) {
        self.let_go(works);
        for job in jobs {
            if let Some(reply) = job.reply {
                // Whoever asked and went needs no answer.
                let _sent = reply.send(Err(Arc::clone(error)));
            }
        }
    }

    /// Leaves calls whose outcome could not be recorded to the next sweep.
    fn let_go(&mut self, works: &[Work]) {
        for work in works {
            if let Work::Outcome { closes, .. } = work {
                self.held.remove(closes);
                self.swept = None;
            }
        }
    }

    fn answer(&mut self, jobs: Vec<Job>, works: &[Work], done: Vec<Done>) {
        for ((mut job, work), done) in jobs.into_iter().zip(works).zip(done) {
            if let Done::Intent(seq) = &done {
                self.held.insert(*seq);
                if let Some(receipt) = &mut job.receipt {
                    receipt.arm(*seq);
                }
            }
            if let Work::Outcome { closes, .. } = work {
                self.held.remove(closes);
            }
            if let Some(reply) = job.reply {
                // A receipt for which nobody waits any more comes back as an unknown outcome.
                let _sent = reply.send(Ok(Answer {
                    done,
                    receipt: job.receipt,
                }));
            }
        }
    }

    /// How the log is, for people.
    pub fn state(&mut self, settings: &AuditSettings) -> State {
        let mut state = State {
            path: settings.paths.audit_db(),
            durability: settings.durability,
            log_id: None,
            records: 0,
            head: None,
            key_place: None,
            problem: None,
        };
        match self.run(settings, &[Work::Sign]) {
            Ok(done) => {
                state.head = done.iter().find_map(Done::head);
                if let Some(store) = &self.store {
                    state.log_id = Some(store.log_id().into());
                    state.records = store.records();
                    state.key_place = Some(store.keys().place);
                }
            }
            Err(error) => state.problem = Some(error),
        }
        if let (None, Some(why)) = (&state.problem, self.reserve.lack()) {
            state.problem = Some(Arc::new(StoreError::NoRoom(why.into())));
        }
        state
    }

    /// Whose session is open.
    pub fn session(
        &mut self,
        settings: &AuditSettings,
    ) -> Result<Option<(Identity, Generation)>, Shared> {
        let found = self.open(settings)?.session();
        found.map_err(|error| self.fail(error))
    }

    fn run(&mut self, settings: &AuditSettings, works: &[Work]) -> Result<Vec<Done>, Shared> {
        self.open(settings)?;
        let done = self.write(works, Patience::Full);
        done.map_err(|error| self.fail(error))
    }
}
