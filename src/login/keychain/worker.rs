//! One thread for calls that may wait for a person.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Runs jobs one after the other on a thread that starts with the first and ends with the worker.
#[derive(Debug)]
pub(super) struct Worker {
    patience: Duration,
    jobs: Mutex<Option<Sender<Job>>>,
    /// A job was given up and has not come back: the next ones would only wait behind it.
    stuck: Arc<AtomicBool>,
}

type Job = Box<dyn FnOnce() + Send>;

/// Why a job has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// It takes too long. If it had begun it may still take effect.
    #[error("no answer in time")]
    TimedOut,
    /// The system gives no thread, or the job panicked.
    #[error("the thread for the keychain is gone")]
    Gone,
}

impl Worker {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            jobs: Mutex::new(None),
            stuck: Arc::default(),
        }
    }

    /// Runs the job and waits for its answer. One that has not begun when it is given up never
    /// begins: a secret written late could replace a newer one.
    pub(super) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoAnswer> {
        if self.stuck.load(Ordering::Acquire) {
            return Err(NoAnswer::TimedOut);
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let state = Arc::new(Mutex::new(Progress::Waiting));
        let (theirs, stuck) = (Arc::clone(&state), Arc::clone(&self.stuck));
        self.send(Box::new(move || {
            if !advance(&theirs, Progress::Running) {
                return;
            }
            // A store that panics costs its own job; those behind it find the thread as it was.
            let result = catch_unwind(AssertUnwindSafe(job));
            if !advance(&theirs, Progress::Done) {
                stuck.store(false, Ordering::Release);
            }
            if let Ok(result) = result {
                // Nobody listens to an answer that was given up.
                let _unheard = answer.send(result);
            }
        }))?;
        match answered.recv_timeout(self.patience) {
            Ok(result) => Ok(result),
            Err(RecvTimeoutError::Disconnected) => Err(NoAnswer::Gone),
            Err(RecvTimeoutError::Timeout) => {
                self.give_up(&state);
                answered.try_recv().or(Err(NoAnswer::TimedOut))
            }
        }
    }

    fn give_up(&self, state: &Mutex<Progress>) {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            Progress::Running => {
                self.stuck.store(true, Ordering::Release);
                *state = Progress::GivenUp;
            }
            Progress::Waiting => *state = Progress::GivenUp,
            Progress::Done | Progress::GivenUp => {}
        }
    }

    fn send(&self, job: Job) -> Result<(), NoAnswer> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match jobs.as_ref() {
            Some(sender) => match sender.send(job) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(job)) => job,
            },
            None => job,
        };
        let (sender, receiver) = mpsc::channel::<Job>();
        thread::Builder::new()
            .name("keychain".to_owned())
            .spawn(move || receiver.into_iter().for_each(|job| job()))
            .or(Err(NoAnswer::Gone))?;
        let sent = sender.send(job).or(Err(NoAnswer::Gone));
        *jobs = Some(sender);
        sent
    }
}

/// What becomes of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Waiting,
    Running,
    Done,
    GivenUp,
}

/// Moves on unless the job was given up; whether it moved.
fn advance(state: &Mutex<Progress>, to: Progress) -> bool {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if *state == Progress::GivenUp {
        return false;
    }
    *state = to;
    true
}
