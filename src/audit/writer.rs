//! The writer: what waits is taken together and committed in one transaction.
//!
//! In durability `strict` a thread of its own commits, because a commit waits for the disk; what
//! arrives meanwhile goes into the next one. In durability `process` a commit is over sooner than
//! another thread wakes up, so whoever comes first commits for all, on the spot; the thread is
//! called when somebody else holds the log, and for whole transactions when there are many calls to
//! be dealt with. It also does what nobody should wait for: opening, carrying over what has waited in
//! the tail for a second, looking after dead processes, and sending off chores. With nothing to do it
//! sleeps without waking.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::error::StoreError;
use super::queue::{Answer, Ask, Job, Queue, Shared, Turn};
use super::scribe::Scribe;
use super::slot::{Committed, Slot};
use super::store::{Patience, Work};
use super::{AuditSettings, Receipt};
use crate::config::Durability;

/// How long a record may wait in the tail, which in durability `process` means unsigned.
const CARRY_WITHIN: Duration = Duration::from_secs(1);
/// The part of a commit's time that is spent waiting for more to come along.
const GATHER_DIVISOR: u32 = 2;
/// With more calls than these under way the thread does the transactions, while others are dealt with.
const CROWD: usize = 8;
/// The longest such wait.
const GATHER_LIMIT: Duration = Duration::from_millis(1);

/// What all handles and the thread share.
pub struct Writer {
    settings: AuditSettings,
    scribe: OnceLock<Arc<Scribe>>,
    queue: Mutex<Queue>,
    wake: Condvar,
    slot: Mutex<Slot>,
    thread: OnceLock<Result<(), Shared>>,
    /// Calls between admission and outcome: with others about, it pays to wait for them.
    calls: AtomicUsize,
    /// Whether upkeep is due, so that it is asked for once.
    stirred: AtomicBool,
}

impl Writer {
    /// A writer that does nothing yet.
    pub fn new(settings: AuditSettings) -> Arc<Self> {
        Arc::new(Self {
            slot: Mutex::new(Slot::default()),
            settings,
            scribe: OnceLock::new(),
            queue: Mutex::default(),
            wake: Condvar::new(),
            thread: OnceLock::new(),
            calls: AtomicUsize::new(0),
            stirred: AtomicBool::new(false),
        })
    }

    pub fn settings(&self) -> &AuditSettings {
        &self.settings
    }

    pub fn calls(&self) -> &AtomicUsize {
        &self.calls
    }

    /// What words the records, once the log is open.
    pub async fn scribe(self: &Arc<Self>) -> Result<Arc<Scribe>, Shared> {
        if let Some(scribe) = self.scribe.get() {
            return Ok(Arc::clone(scribe));
        }
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Open(Some(reply)))?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Asks the thread, starting it if need be.
    pub fn ask(self: &Arc<Self>, ask: Ask) -> Result<(), Shared> {
        self.start()?;
        lock(&self.queue).ask(ask)?;
        self.wake.notify_one();
        Ok(())
    }

    /// Has the work committed, with whatever else waits.
    pub async fn submit(
        self: &Arc<Self>,
        work: Work,
        receipt: Option<Receipt>,
    ) -> Result<Answer, Shared> {
        self.start()?;
        let (reply, mut answer) = oneshot::channel();
        lock(&self.queue).push(Job {
            work,
            receipt,
            reply: Some(reply),
        })?;
        // Whoever is dropped here leaves his job to the thread.
        let abandoned = SummonOnDrop(self);
        let calls = self.calls.load(Ordering::Relaxed);
        if self.settings.durability == Durability::Process {
            if calls > 1 {
                tokio::task::yield_now().await;
            }
            if let Ok(answer) = answer.try_recv() {
                std::mem::forget(abandoned);
                return answer;
            }
            let patience = if calls <= CROWD {
                Patience::None
            } else {
                Patience::Quick
            };
            self.commit_here(patience);
        } else {
            self.summon();
        }
        let answer = answer.await;
        std::mem::forget(abandoned);
        answer.unwrap_or_else(|_| Err(closed()))
    }

    /// Leaves a job for which nobody waits to the thread.
    pub fn leave(self: &Arc<Self>, job: Job) {
        // Without a thread or after the end the next process writes the outcome.
        if self.start().is_ok() && lock(&self.queue).push(job).is_ok() {
            self.summon();
        }
    }

    /// Has everything written and signed, and ends the thread.
    pub async fn close(&self) {
        let (reply, ended) = oneshot::channel();
        lock(&self.queue).close(Some(reply));
        if self.thread.get().is_some_and(Result::is_ok) {
            self.wake.notify_one();
            // An error says that the thread has ended already.
            let _ended = ended.await;
        }
    }

    /// As [`Writer::close`], for the last handle that goes without closing.
    pub fn abandon(&self) {
        lock(&self.queue).close(None);
        self.wake.notify_one();
    }

    fn summon(&self) {
        if lock(&self.queue).summon() {
            self.wake.notify_one();
        }
    }

    /// Commits what waits on the caller's thread, unless somebody else has the log.
    fn commit_here(&self, patience: Patience) {
        let mut slot = match self.slot.try_lock() {
            Ok(slot) if slot.is_open() => slot,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Ok(_) | Err(TryLockError::WouldBlock) => return self.summon(),
        };
        loop {
            let jobs = lock(&self.queue).take();
            if jobs.is_empty() {
                break;
            }
            let committed = slot.commit(&self.settings, jobs, patience, Vec::new);
            if let Committed::Busy(jobs) = committed {
                lock(&self.queue).put_back(jobs);
                return self.summon();
            }
        }
        let laden = slot.is_laden();
        drop(slot);
        self.stir(laden);
    }

    /// Has the thread look after things in a while, or at once.
    fn stir(&self, laden: bool) {
        if self.stirred.swap(true, Ordering::Relaxed) && !laden {
            return;
        }
        let wait = if laden { Duration::ZERO } else { CARRY_WITHIN };
        lock(&self.queue).upkeep_by(Instant::now() + wait);
        self.wake.notify_one();
    }

    fn start(self: &Arc<Self>) -> Result<(), Shared> {
        let started = self.thread.get_or_init(|| {
            let writer = Arc::clone(self);
            std::thread::Builder::new()
                .name("audit".into())
                .spawn(move || writer.run())
                .map(drop)
                .map_err(|error| Arc::new(StoreError::Writer(error)))
        });
        started.clone()
    }

    fn run(&self) {
        loop {
            match self.next_turn() {
                Turn::Ask(ask) => self.answer(ask),
                Turn::Jobs => self.commit(),
                Turn::Upkeep => self.upkeep(),
                Turn::Close => break,
                Turn::Wait(_) => {}
            }
        }
        lock(&self.slot).close(&self.settings);
        lock(&self.queue).end();
    }

    /// Waits for something to do.
    fn next_turn(&self) -> Turn {
        let mut queue = lock(&self.queue);
        loop {
            let now = Instant::now();
            queue = match queue.turn(now) {
                Turn::Wait(None) => {
                    let woken = self.wake.wait(queue);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
                Turn::Wait(Some(until)) => {
                    let left = until.saturating_duration_since(now);
                    let woken = self.wake.wait_timeout(queue, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                turn @ (Turn::Ask(_) | Turn::Jobs | Turn::Upkeep | Turn::Close) => return turn,
            };
        }
    }

    /// Commits, and from what happened meanwhile reckons how many will come together next time.
    ///
    /// After a commit its callers come back at once, most of them; beginning the next one without
    /// them would leave them waiting for a whole commit, and two half-filled groups would take
    /// turns. A short wait, in proportion to what a commit costs here, brings them together.
    ///
    /// Jobs are taken by whoever has the log, so that they keep their order whoever commits them.
    fn commit(&self) {
        let started = Instant::now();
        let (count, laden) = {
            let mut slot = lock(&self.slot);
            let jobs = lock(&self.queue).take();
            let count = jobs.len();
            // With all patience nothing comes back.
            let _done = slot.commit(&self.settings, jobs, Patience::Full, || {
                lock(&self.queue).take()
            });
            (count, slot.is_laden())
        };
        let gather = match self.settings.durability {
            Durability::Strict => (started.elapsed() / GATHER_DIVISOR).min(GATHER_LIMIT),
            Durability::Process => Duration::ZERO,
        };
        lock(&self.queue).expect_again(count, gather);
        self.stir(laden);
    }

    fn answer(&self, ask: Ask) {
        let mut slot = lock(&self.slot);
        // Whoever asked and went needs no answer.
        match ask {
            Ask::Open(reply) => {
                let scribe = slot.open(&self.settings).map(|store| {
                    let scribe = self
                        .scribe
                        .get_or_init(|| Arc::new(Scribe::new(&self.settings, store.keys())));
                    Arc::clone(scribe)
                });
                if let Some(reply) = reply {
                    let _sent = reply.send(scribe);
                }
            }
            Ask::State(reply) => {
                let _sent = reply.send(slot.state(&self.settings));
            }
            Ask::Session(reply) => {
                let _sent = reply.send(slot.session(&self.settings));
            }
            Ask::Keys(reply) => {
                let _sent = reply.send(slot.keys(&self.settings));
            }
            Ask::Rotate(next, reply) => {
                let _sent = reply.send(slot.rotate(&self.settings, &next));
            }
        }
    }

    fn upkeep(&self) {
        self.stirred.store(false, Ordering::Relaxed);
        let next = lock(&self.slot).upkeep(&self.settings);
        if let Some(next) = next {
            lock(&self.queue).upkeep_by(next);
        }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

struct SummonOnDrop<'a>(&'a Writer);

impl Drop for SummonOnDrop<'_> {
    fn drop(&mut self) {
        self.0.summon();
    }
}

fn closed() -> Shared {
    Arc::new(StoreError::Closed)
}

/// A panic in here leaves plain data behind that is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
