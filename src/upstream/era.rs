//! Which of the two ways a server is spoken to, remembered between runs.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::clock::{Clock, Timestamp};
use crate::name::ServerName;
use crate::paths;

/// How long it is taken for granted that a server keeps sessions. It may have learnt the newer way
/// since, and would say nothing of it.
const GRANTED: Duration = Duration::from_secs(24 * 3600);
/// A larger file is not one of ours.
const SIZE_LIMIT: u64 = 4096;
/// Grows when the file's shape changes; what another version found out is found out again.
const VERSION: u32 = 1;

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Era {
    /// In a session that `initialize` opens (revisions up to 2025-11-25).
    Sessions,
    /// In requests that stand alone (2026-07-28).
    Alone,
}

/// Where it is remembered how servers are spoken to.
#[derive(Clone)]
pub struct Eras {
    /// A directory with a file for each server.
    dir: PathBuf,
    clock: Arc<dyn Clock>,
}

/// What is remembered of one server.
pub(super) struct Memory {
    file: Option<(PathBuf, Arc<dyn Clock>)>,
    url: Url,
    known: Mutex<Known>,
}

#[derive(Debug, Clone, Copy)]
enum Known {
    /// The file has not been read yet.
    Unread,
    Read(Option<Era>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    url: Url,
    era: Era,
    since_millis: i64,
}

impl Eras {
    /// Remembers in files of this directory.
    #[must_use]
    pub fn kept_in(dir: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { dir, clock }
    }

    pub(super) fn of(&self, server: &ServerName, url: &Url) -> Memory {
        let file = self.dir.join(format!("{server}.json"));
        Memory {
            file: Some((file, Arc::clone(&self.clock))),
            url: url.clone(),
            known: Mutex::new(Known::Unread),
        }
    }
}

impl Memory {
    /// A memory that lasts as long as the program, with something in it.
    #[cfg(test)]
    pub(super) fn of_this_run(url: &Url, era: Option<Era>) -> Self {
        Self {
            file: None,
            url: url.clone(),
            known: Mutex::new(Known::Read(era)),
        }
    }

    /// How the server was spoken to last. Reads a small file the first time.
    pub(super) fn era(&self) -> Option<Era> {
        let mut known = self.known();
        if let Known::Read(era) = *known {
            return era;
        }
        let era = self.read();
        *known = Known::Read(era);
        era
    }

    fn read(&self) -> Option<Era> {
        let (file, clock) = self.file.as_ref()?;
        let meta = std::fs::symlink_metadata(file).ok()?;
        if !meta.is_file() || meta.len() > SIZE_LIMIT {
            return None;
        }
        let stored: Stored = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
        let age = clock
            .now()
            .since(Timestamp::from_millis(stored.since_millis));
        let holds = stored.era == Era::Alone || age < GRANTED;
        let holds = holds && stored.version == VERSION;
        (stored.url == self.url && holds).then_some(stored.era)
    }

    /// Takes it as unknown until something is noted; what is on disk counts no more in this run.
    pub(super) fn forget(&self) {
        *self.known() = Known::Read(None);
    }

    /// Takes note of it. Writes a file, unless it is nothing new.
    pub(super) fn note(&self, era: Era) {
        let before = std::mem::replace(&mut *self.known(), Known::Read(Some(era)));
        if matches!(before, Known::Read(Some(before)) if before == era) {
            return;
        }
        if let Err(error) = self.write(era) {
            tracing::debug!(%error, "how a server is spoken to cannot be kept on disk");
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, era: Era) -> std::io::Result<()> {
        let Some((file, clock)) = &self.file else {
            return Ok(());
        };
        let stored = Stored {
            version: VERSION,
            url: self.url.clone(),
            era,
            since_millis: clock.now().millis(),
        };
        paths::replace_private(file, &serde_json::to_vec(&stored)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FakeClock;

    #[test]
    fn what_is_found_out_is_kept_and_grows_old() {
        let dir = tempfile::tempdir().unwrap();
        let clock = FakeClock::new();
        let eras = Eras::kept_in(dir.path().join("servers"), clock.clone());
        let name = ServerName::parse("files").unwrap();
        let url: Url = "http://127.0.0.1:1/mcp".parse().unwrap();
        let again = || eras.of(&name, &url).era();
        assert_eq!(again(), None);
        let memory = eras.of(&name, &url);
        memory.note(Era::Sessions);
        assert_eq!(
            (memory.era(), again()),
            (Some(Era::Sessions), Some(Era::Sessions))
        );
        memory.forget();
        assert_eq!(memory.era(), None);
        let other = "http://127.0.0.1:2/mcp".parse().unwrap();
        assert_eq!(eras.of(&name, &other).era(), None);
        clock.advance(GRANTED);
        assert_eq!(again(), None);
        memory.note(Era::Alone);
        clock.advance(GRANTED);
        assert_eq!(again(), Some(Era::Alone));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_nothing_known() {
        let dir = tempfile::tempdir().unwrap();
        let eras = Eras::kept_in(dir.path().into(), FakeClock::new());
        let name = ServerName::parse("files").unwrap();
        let url: Url = "http://127.0.0.1:1/mcp".parse().unwrap();
        let file = dir.path().join("files.json");
        for content in [
            "",
            "{}",
            r#"{"url":"http://127.0.0.1:1/mcp","era":"odd","since_millis":0}"#,
        ] {
            std::fs::write(&file, content).unwrap();
            assert_eq!(eras.of(&name, &url).era(), None, "{content}");
        }
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        let memory = eras.of(&name, &url);
        memory.note(Era::Alone);
        assert_eq!(memory.era(), Some(Era::Alone));
    }
}
