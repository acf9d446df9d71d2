//! Sending: batch after batch, as far as the receiver takes them.

use std::path::PathBuf;
use std::time::Duration;

use super::channel::Channel;
use super::cursor::{Cursor, file};
use super::delivery::Delivery;
use super::http::{self, Dialect};
use super::pace::Pace;
use super::{Courier, directory, otlp, splunk, syslog};
use crate::audit::Event;
use crate::audit::reader::ReadError;
use crate::audit::spool::{self, Batch, Most, SpoolError};
use crate::clock::Timestamp;
use crate::config::{SinkConfig, SinkWay};
use crate::lock::FileLock;
use crate::wording::chain;

/// How often the log is looked at for what other processes wrote.
const LOOK: Duration = Duration::from_secs(5);
/// How old the first record of a segment is at least, unless the segment is full.
const SEGMENT_AGE: Duration = Duration::from_secs(60);

/// The largest batch for those that listen.
const REQUEST: Most = Most {
    records: 500,
    bytes: 512 << 10,
};
/// The largest segment.
const SEGMENT: Most = Most {
    records: 10_000,
    bytes: 8 << 20,
};

const OTLP: Dialect = Dialect {
    content_type: "application/x-protobuf",
    scheme: "",
    packed: true,
    request: otlp::request,
    judge: otlp::judge,
};
const SPLUNK: Dialect = Dialect {
    content_type: "application/json",
    scheme: "Splunk ",
    packed: false,
    request: splunk::request,
    judge: splunk::judge,
};

/// What one step did.
enum Step {
    /// The receiver took so many records.
    Sent(u64),
    /// Nothing waits, or not enough.
    Idle,
    /// It failed, and is to be tried again, no sooner than that.
    Later(String, Option<Duration>),
}

/// How sending everything is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many records the sink has taken.
    pub sent: u64,
    /// How many there are.
    pub of: u64,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Nothing waits.
    Done,
    /// The receiver takes nothing now, for this reason.
    Failed(String),
    /// Another process of the account sends.
    Elsewhere,
}

/// Sends for one sink.
struct Sender<'a> {
    sync: &'a Courier,
    sink: &'a SinkConfig,
    channel: Channel<'a>,
    file: PathBuf,
    /// How many records the next batch may have; fewer while a bad one is looked for.
    most: usize,
    /// Whether a segment is closed however little it holds.
    eager: bool,
    size: u64,
}

impl Courier {
    /// Sends as long as the program runs, once no other process does; and gives signs of life.
    pub fn start(&self) {
        let sync = self.clone();
        self.0.tasks.spawn_until_stop(async move {
            let Some(_lock) = sync.lock().await else {
                return;
            };
            let sinks = sync.0.sinks.iter().map(|sink| sync.send_for_ever(sink));
            let sending = futures_util::future::join_all(sinks);
            let witnesses = sync.0.witnesses.iter();
            let showing = witnesses.map(|witness| sync.show_for_ever(witness));
            let showing = futures_util::future::join_all(showing);
            tokio::join!(sending, showing, sync.beat(), sync.prune_for_ever());
        });
    }

    /// Waits for its turn on a thread that does nothing else, so that nothing wakes meanwhile.
    async fn lock(&self) -> Option<FileLock> {
        let path = self.0.paths.lock("sync");
        let (got, lock) = tokio::sync::oneshot::channel();
        let waiting = std::thread::Builder::new().name("sync-turn".into());
        let spawned = waiting.spawn(move || {
            // Whoever waited may have gone; then the lock goes too.
            let _gone = got.send(FileLock::take(&path));
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "records are not sent: no thread can be started");
            return None;
        }
        match lock.await {
            Ok(Ok(lock)) => Some(lock),
            Ok(Err(error)) => {
                tracing::error!(%error, "records are not sent: there is no lock");
                None
            }
            Err(_) => None,
        }
    }

    async fn send_for_ever(&self, sink: &SinkConfig) {
        let (mut sender, mut pace) = (Sender::new(self, sink, false), Pace::default());
        loop {
            match sender.step().await {
                Step::Sent(_) => pace.reset(),
                Step::Idle => tokio::time::sleep(LOOK).await,
                Step::Later(why, after) => {
                    let (sink, pause) = (sink.name.as_str(), pace.pause(after));
                    tracing::warn!(sink, why, ?pause, "records wait");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Sends what waits for one sink, now, telling how far it is after each batch.
    pub async fn send_now(&self, sink: &SinkConfig, mut told: impl FnMut(Progress)) -> Ended {
        let lock = self.0.paths.lock("sync");
        let taken = self
            .0
            .tasks
            .blocking(move || FileLock::try_take(&lock))
            .await;
        let _lock = match taken {
            Ok(Some(lock)) => lock,
            Ok(None) => return Ended::Elsewhere,
            Err(error) => return Ended::Failed(chain(&error)),
        };
        let mut sender = Sender::new(self, sink, true);
        loop {
            match sender.step().await {
                Step::Sent(sent) => told(Progress {
                    sent,
                    of: sender.size,
                }),
                Step::Idle => return Ended::Done,
                Step::Later(why, _) => return Ended::Failed(why),
            }
        }
    }
}

impl<'a> Sender<'a> {
    fn new(sync: &'a Courier, sink: &'a SinkConfig, eager: bool) -> Self {
        Self {
            sync,
            sink,
            channel: Channel::new(sync, sink),
            file: file(&sync.0.paths, sink),
            most: usize::MAX,
            eager,
            size: 0,
        }
    }

    /// One batch.
    async fn step(&mut self) -> Step {
        let (batch, mut cursor) = match self.next().await {
            Ok(Some(next)) => next,
            Ok(None) => return Step::Idle,
            Err(why) => return Step::Later(why, None),
        };
        if !self.is_due(&batch) {
            return Step::Idle;
        }
        match self.deliver(&batch).await {
            Delivery::Taken => {
                self.most = self.most.saturating_mul(2);
                cursor.next += u64::try_from(batch.records.len()).unwrap_or(0);
                self.moved(cursor)
            }
            Delivery::NotNow { why, after } => self.failed(cursor, why, after),
            // One of them is bad: it is looked for by halves.
            Delivery::Refused(_) if batch.records.len() > 1 => {
                self.most = batch.records.len() / 2;
                Step::Sent(cursor.next)
            }
            Delivery::Refused(why) => self.quarantine(cursor, why).await,
        }
    }

    /// The next records and where they begin; nothing, if none wait.
    async fn next(&mut self) -> Result<Option<(Batch, Cursor)>, String> {
        let cursor = Cursor::load(&self.file).map_err(|newer| chain(&newer))?;
        let from = cursor.as_ref().map(|cursor| cursor.next);
        let batch = match self.read(from).await {
            // Nobody has written anything yet.
            Err(SpoolError::Read(ReadError::Missing { .. })) => return Ok(None),
            read => read.map_err(|error| chain(&error))?,
        };
        let (batch, cursor) = match cursor.filter(|cursor| cursor.log_id == batch.log_id) {
            Some(cursor) => (batch, cursor),
            // A new log is sent from its beginning.
            None if from.is_none() => {
                let cursor = Cursor::start(&batch.log_id, batch.from);
                (batch, cursor)
            }
            None => {
                let batch = self.read(None).await.map_err(|error| chain(&error))?;
                let cursor = Cursor::start(&batch.log_id, batch.from);
                (batch, cursor)
            }
        };
        self.size = batch.size;
        if cursor.next > batch.size {
            return Err(format!(
                "the log has {} records, and {} have been sent: it is an older copy, or has been cut",
                batch.size, cursor.next
            ));
        }
        Ok((!batch.records.is_empty()).then_some((batch, cursor)))
    }

    async fn read(&self, from: Option<u64>) -> Result<Batch, SpoolError> {
        let (log, mut most) = (self.sync.log(), self.usual());
        most.records = most.records.min(self.most).max(1);
        let read = move || spool::next(&log, from, most);
        self.sync.0.tasks.blocking(read).await
    }

    fn usual(&self) -> Most {
        match self.sink.way {
            SinkWay::Directory(_) => SEGMENT,
            SinkWay::Otlp(_) | SinkWay::Splunk(_) | SinkWay::Syslog(_) => REQUEST,
        }
    }

    /// Segments are closed when they are full or old enough; whoever listens hears at once.
    fn is_due(&self, batch: &Batch) -> bool {
        let is_directory = matches!(self.sink.way, SinkWay::Directory(_));
        if !is_directory || batch.is_full || self.eager {
            return true;
        }
        let made = batch.records.first();
        let made = made.and_then(|record| super::cursor::made(&record.json));
        let made = made.and_then(|made| Timestamp::parse(&made).ok());
        made.is_none_or(|made| self.sync.0.clock.now().since(made) >= SEGMENT_AGE)
    }

    async fn deliver(&self, batch: &Batch) -> Delivery {
        let channel = &self.channel;
        match &self.sink.way {
            SinkWay::Otlp(receiver) => http::deliver(channel, receiver, &OTLP, batch).await,
            SinkWay::Splunk(receiver) => http::deliver(channel, receiver, &SPLUNK, batch).await,
            SinkWay::Syslog(receiver) => syslog::deliver(channel, receiver, batch).await,
            SinkWay::Directory(place) => {
                let (place, batch) = (place.clone(), batch.clone());
                let write = move || directory::deliver(&place, &batch);
                self.sync.0.tasks.blocking(write).await
            }
        }
    }

    /// A record that the receiver will not take is passed over only if it takes the next one: else
    /// it is the receiver that is wrong. That it was passed over is on record.
    async fn quarantine(&self, mut cursor: Cursor, why: String) -> Step {
        let bad = cursor.next;
        let neighbour = match self.read(Some(bad + 1)).await {
            Ok(batch) if !batch.records.is_empty() => batch,
            Ok(_) | Err(_) => return self.failed(cursor, why, None),
        };
        let taken = u64::try_from(neighbour.records.len()).unwrap_or(0);
        if self.deliver(&neighbour).await != Delivery::Taken {
            return self.failed(cursor, why, None);
        }
        let sink = self.sink.name.clone();
        let event = Event::Quarantined {
            sink: sink.as_str().into(),
            seq: bad,
            why: why.into(),
        };
        if let Err(error) = self.sync.0.audit.record(event).await {
            return self.failed(cursor, chain(error.as_ref()), None);
        }
        cursor.next = bad + 1 + taken;
        self.moved(cursor)
    }

    fn moved(&self, mut cursor: Cursor) -> Step {
        cursor.taken = Some(self.sync.0.clock.now().to_string().into());
        cursor.problem = None;
        match cursor.store(&self.file) {
            Ok(()) => Step::Sent(cursor.next),
            Err(error) => Step::Later(chain(&error), None),
        }
    }

    fn failed(&self, mut cursor: Cursor, why: String, after: Option<Duration>) -> Step {
        self.channel.forget();
        let told = Some(why.as_str().into());
        if cursor.problem != told {
            cursor.problem = told;
            if let Err(error) = cursor.store(&self.file) {
                tracing::warn!(%error, "why records wait cannot be kept");
            }
        }
        Step::Later(why, after)
    }
}
