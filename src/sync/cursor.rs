//! How far a sink has come, in a file of its own. A lost file costs a second delivery, never a record.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::audit::spool;
use crate::clock::Timestamp;
use crate::config::{SinkConfig, SinkWay, SpoolLimit};
use crate::format::{self, Newer};
use crate::paths::{self, Paths};
use crate::wording::chain;

/// Grows when the file's shape changes. With a newer file nothing is sent: the version that wrote it
/// knows what was, and the log keeps what was not.
const VERSION: u32 = 1;

/// How far a sink has come with one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cursor {
    version: u32,
    /// Which log.
    pub(super) log_id: Box<str>,
    /// The number of the first record that has not been taken.
    pub(super) next: u64,
    /// When the receiver last took something.
    pub(super) taken: Option<Box<str>>,
    /// Why it takes nothing now.
    pub(super) problem: Option<Box<str>>,
}

impl Cursor {
    /// The beginning of a log.
    pub(super) fn start(log_id: &str, next: u64) -> Self {
        Self {
            version: VERSION,
            log_id: log_id.into(),
            next,
            taken: None,
            problem: None,
        }
    }

    /// What was kept of a sink; nothing, where that cannot be read.
    ///
    /// # Errors
    /// When a newer version keeps it.
    pub(super) fn load(file: &Path) -> Result<Option<Self>, Superseded> {
        let Ok(text) = std::fs::read(file) else {
            return Ok(None);
        };
        let newer = |cause| Superseded {
            file: file.into(),
            cause,
        };
        format::check(&text, VERSION).map_err(newer)?;
        Ok(serde_json::from_slice(&text).ok())
    }

    /// Keeps it.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn store(&self, file: &Path) -> io::Result<()> {
        paths::replace_private(file, &serde_json::to_vec(self)?)
    }
}

/// A newer version keeps what was sent.
#[derive(Debug, thiserror::Error)]
#[error(
    "a newer version of chaperone keeps what was sent, in {}; start the host again, or install that \
     version again, and it sends", file.display()
)]
pub(super) struct Superseded {
    file: PathBuf,
    #[source]
    cause: Newer,
}

/// Where a sink's cursor is.
pub(super) fn file(paths: &Paths, sink: &SinkConfig) -> PathBuf {
    paths.sync_dir().join(format!("{}.json", sink.name))
}

/// How far a sink is behind, for people and scripts.
#[derive(Debug, Clone, Serialize)]
pub struct Lag {
    /// The sink.
    pub sink: Box<str>,
    /// What it is, by the word of the configuration.
    pub kind: &'static str,
    /// Where it is.
    pub to: Box<str>,
    /// How many records it has taken.
    pub sent: u64,
    /// How many wait.
    pub waiting: u64,
    /// About how many bytes of them.
    pub waiting_bytes: u64,
    /// When the first of them was made.
    pub waiting_since: Option<Box<str>>,
    /// When the receiver last took something.
    pub taken: Option<Box<str>>,
    /// Why it takes nothing now.
    pub problem: Option<Box<str>>,
    /// Whether more waits than may, or for longer.
    pub over_limit: bool,
}

impl Lag {
    /// How far a sink is, by its cursor and the log.
    pub(super) fn of(paths: &Paths, sink: &SinkConfig) -> Self {
        let (cursor, newer) = match Cursor::load(&file(paths, sink)) {
            Ok(cursor) => (cursor, None),
            Err(newer) => (None, Some(chain(&newer).into())),
        };
        let log = paths.audit_db();
        let from = cursor.as_ref().map(|cursor| cursor.next);
        let found = spool::waiting(&log, from).ok();
        let found = match (&cursor, found) {
            // Another log than the one it speaks of.
            (Some(cursor), Some(found)) if cursor.log_id != found.log_id => {
                spool::waiting(&log, None).ok()
            }
            (_, found) => found,
        };
        let cursor = cursor.filter(|cursor| {
            let same = |found: &spool::Waiting| found.log_id == cursor.log_id;
            found.as_ref().is_none_or(same)
        });
        let sent = cursor.as_ref().map_or(0, |cursor| cursor.next);
        let (from, size) = found
            .as_ref()
            .map_or((0, 0), |found| (found.from, found.size));
        let first = found.as_ref().and_then(|found| found.first.as_deref());
        Self {
            sink: sink.name.as_str().into(),
            kind: sink.way.kind(),
            to: place(sink),
            sent,
            waiting: size.saturating_sub(from),
            waiting_bytes: found.as_ref().map_or(0, |found| found.bytes),
            waiting_since: first.and_then(made),
            taken: cursor.as_ref().and_then(|cursor| cursor.taken.clone()),
            problem: newer.or(cursor.and_then(|cursor| cursor.problem)),
            over_limit: false,
        }
    }

    /// Says whether that is too much.
    pub(super) fn against(self, limit: &SpoolLimit, now: Timestamp) -> Self {
        let since = self.waiting_since.as_deref();
        let since = since.and_then(|since| Timestamp::parse(since).ok());
        let is_old = since.is_some_and(|since| now.since(since) > limit.age);
        Self {
            over_limit: self.waiting_bytes > limit.bytes || is_old,
            ..self
        }
    }
}

/// When a record was made, as it is written there.
pub(super) fn made(json: &str) -> Option<Box<str>> {
    #[derive(Deserialize)]
    struct Made {
        timestamp: Box<str>,
    }
    let made: Made = serde_json::from_str(json).ok()?;
    Timestamp::parse(&made.timestamp).ok()?;
    Some(made.timestamp)
}

fn place(sink: &SinkConfig) -> Box<str> {
    match &sink.way {
        SinkWay::Otlp(receiver) | SinkWay::Splunk(receiver) => receiver.url.as_str().into(),
        SinkWay::Syslog(syslog) => syslog.endpoint.to_string().into(),
        SinkWay::Directory(path) => path.display().to_string().into(),
    }
}
