//! What waits to be written, and the order in which the writer's thread takes it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::error::StoreError;
use super::key::Keys;
use super::scribe::Scribe;
use super::store::{Done, Work};
use super::{Receipt, State};
use crate::principal::{Generation, Identity};

/// The most that goes into one transaction.
const BATCH: usize = 256;

/// A failure, told to everybody whom it concerns.
pub type Shared = Arc<StoreError>;
/// Where an answer is waited for.
pub type Reply<T> = oneshot::Sender<Result<T, Shared>>;

/// Something to be committed, and who waits for it.
#[derive(Debug)]
pub struct Job {
    /// What to do.
    pub work: Work,
    /// Of an intent: what its caller will get.
    pub receipt: Option<Receipt>,
    /// Who waits; nobody when a receipt was dropped.
    pub reply: Option<Reply<Answer>>,
}

impl Job {
    /// Whether to do it: an intent whose caller has gone is not made.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        let is_left = self.reply.as_ref().is_some_and(oneshot::Sender::is_closed);
        !(is_left && matches!(self.work, Work::Intent { .. }))
    }
}

/// What came of a job.
#[derive(Debug)]
pub struct Answer {
    /// The work's result.
    pub done: Done,
    /// Of an intent: the receipt, good if the intent was admitted.
    pub receipt: Option<Receipt>,
}

/// What the thread is asked beside commits.
#[derive(Debug)]
pub enum Ask {
    /// To have the log open.
    Open(Option<Reply<Arc<Scribe>>>),
    /// How the log is.
    State(oneshot::Sender<State>),
    /// Whose session is open.
    Session(Reply<Option<(Identity, Generation)>>),
    /// The keys in use.
    Keys(Reply<Arc<Keys>>),
    /// To sign heads with these from now on.
    Rotate(Arc<Keys>, Reply<()>),
}

/// What the thread does next.
pub enum Turn {
    /// Answers a question.
    Ask(Ask),
    /// Takes jobs and commits them.
    Jobs,
    /// Looks after the log.
    Upkeep,
    /// Ends.
    Close,
    /// Waits, until then if nothing happens before.
    Wait(Option<Instant>),
}

/// What waits.
#[derive(Default)]
pub struct Queue {
    jobs: VecDeque<Job>,
    asks: VecDeque<Ask>,
    /// Whether the thread is to take the jobs.
    summoned: bool,
    upkeep_at: Option<Instant>,
    /// How many jobs may be expected together, and how long they are waited for.
    expected: usize,
    gather: Duration,
    gathering_until: Option<Instant>,
    closing: bool,
    ended: bool,
    /// Who waits for the end.
    waiting: Vec<oneshot::Sender<()>>,
}

impl Queue {
    /// Adds a job, unless it is too late.
    pub fn push(&mut self, job: Job) -> Result<(), Shared> {
        self.check()?;
        self.jobs.push_back(job);
        Ok(())
    }

    /// Adds a question, unless it is too late.
    pub fn ask(&mut self, ask: Ask) -> Result<(), Shared> {
        self.check()?;
        self.asks.push_back(ask);
        Ok(())
    }

    fn check(&self) -> Result<(), Shared> {
        if self.closing {
            return Err(Arc::new(StoreError::Closed));
        }
        Ok(())
    }

    /// Takes what goes into the next transaction.
    pub fn take(&mut self) -> Vec<Job> {
        let count = self.jobs.len().min(BATCH);
        // Mostly there is one, and a vector that is collected begins with room for four.
        let mut taken = Vec::with_capacity(count);
        taken.extend(self.jobs.drain(..count));
        taken
    }

    /// Puts jobs back to where they were taken from.
    pub fn put_back(&mut self, jobs: Vec<Job>) {
        for job in jobs.into_iter().rev() {
            self.jobs.push_front(job);
        }
    }

    /// Leaves the jobs to the thread; whether it has to be woken: by the first of them, and when
    /// there are as many as it waits for.
    pub fn summon(&mut self) -> bool {
        let known = std::mem::replace(&mut self.summoned, !self.jobs.is_empty());
        self.summoned && (!known || self.jobs.len() >= self.expected)
    }

    /// Has the thread look after the log at that time or earlier.
    pub fn upkeep_by(&mut self, at: Instant) {
        self.upkeep_at = Some(self.upkeep_at.map_or(at, |other| other.min(at)));
    }

    /// Notes how many jobs were just committed, and how long to wait for as many before the next
    /// commit: those callers, and those who came meanwhile.
    pub fn expect_again(&mut self, committed: usize, gather: Duration) {
        self.expected = (committed + self.jobs.len()).min(BATCH);
        self.gather = gather;
    }

    /// Takes no more, and tells `reply` when all is done; not if it is done already.
    pub fn close(&mut self, reply: Option<oneshot::Sender<()>>) {
        self.closing = true;
        if !self.ended {
            self.waiting.extend(reply);
        }
    }

    /// All is done.
    pub fn end(&mut self) {
        self.ended = true;
        for reply in self.waiting.drain(..) {
            // Whoever waited and went needs no answer.
            let _sent = reply.send(());
        }
    }

    /// What the thread does at this time.
    pub fn turn(&mut self, now: Instant) -> Turn {
        if let Some(ask) = self.asks.pop_front() {
            return Turn::Ask(ask);
        }
        if self.jobs.is_empty() {
            self.summoned = false;
            if self.closing {
                return Turn::Close;
            }
        } else if self.closing {
            return Turn::Jobs;
        } else if self.summoned {
            let until = *self.gathering_until.get_or_insert(now + self.gather);
            if self.jobs.len() < self.expected && now < until {
                return Turn::Wait(Some(until));
            }
            self.gathering_until = None;
            return Turn::Jobs;
        }
        if self.upkeep_at.is_some_and(|at| now >= at) {
            self.upkeep_at = None;
            return Turn::Upkeep;
        }
        Turn::Wait(self.upkeep_at)
    }
}
