//! What nobody waits for, on a thread that ends when it is done: carrying the write-ahead log over
//! into the database, and renewing the keychain's mark. Both wait for the disk or the keychain, and
//! neither holds up a commit for longer than one flush.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::AuditSettings;
use super::error::StoreError;
use super::file;
use super::key::KeyError;
use super::mark::{self, Mark};
use super::process::take_within;
use super::store::OPEN_FLAGS;
use super::tree::Head;
use crate::login::keychain::SecretStore;
use crate::paths::Paths;

/// How long the chore waits for its turn to begin the write-ahead log anew.
const TURN: Duration = Duration::from_millis(50);
/// How long another process' renewal of the mark is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pages in the write-ahead log from which writers have to wait until it begins anew: 32 MB.
const TOO_MANY: i64 = 8192;

/// One round of chores.
pub struct Chore {
    paths: Paths,
    secrets: Arc<dyn SecretStore>,
    carries_over: bool,
    mark: Option<Mark>,
}

impl Chore {
    /// A round that has nothing to do yet.
    pub fn new(settings: &AuditSettings) -> Self {
        Self {
            paths: settings.paths.clone(),
            secrets: Arc::clone(&settings.secrets),
            carries_over: false,
            mark: None,
        }
    }

    /// Also carries the write-ahead log over.
    pub fn carry_over(&mut self) {
        self.carries_over = true;
    }

    /// Also renews the keychain's mark, if there is one to be written.
    pub fn renew_mark(&mut self, mark: Option<Mark>) {
        self.mark = mark;
    }

    /// Whether there is anything to do.
    pub fn is_needed(&self) -> bool {
        self.carries_over || self.mark.is_some()
    }

    /// Does it. What fails is tried again in a later round.
    pub fn run(self) {
        if self.carries_over
            && let Err(error) = self.checkpoint()
        {
            let error: &dyn std::error::Error = &error;
            tracing::debug!(error, "the audit log was not carried over");
        }
        if let Some(mark) = &self.mark
            && let Err(error) = self.renew(mark)
        {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(
                error,
                "the keychain does not know the newest head of the audit log"
            );
        }
    }

    /// Does it, and waits so long at most.
    pub fn run_within(self, patience: Duration) {
        let (done, wait) = sync_channel(1);
        let spawned = std::thread::Builder::new()
            .name("audit-chore".into())
            .spawn(move || {
                self.run();
                // Nobody waits any more after `patience`.
                let _sent = done.send(());
            });
        if spawned.is_ok() && wait.recv_timeout(patience).is_err() {
            tracing::warn!("the keychain did not take the newest head of the audit log in time");
        }
    }

    fn database(&self) -> PathBuf {
        let db = self.paths.audit_db();
        db.canonicalize().unwrap_or(db)
    }

    /// First without holding up anybody. Writers that never pause keep the file growing, though;
    /// then the little that is left is carried over while they wait.
    fn checkpoint(&self) -> rusqlite::Result<()> {
        let conn = Connection::open_with_flags(self.database(), OPEN_FLAGS)?;
        conn.busy_timeout(TURN)?;
        conn.pragma_update(None, "checkpoint_fullfsync", true)?;
        let pages: i64 = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
        if pages >= TOO_MANY {
            conn.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    fn renew(&self, mark: &Mark) -> Result<(), StoreError> {
        let lock = self.paths.lock("audit-mark");
        let place = |path: &PathBuf| {
            let path = path.clone();
            move |cause| StoreError::Place { path, cause }
        };
        let _alone = take_within(&lock, PATIENCE).map_err(place(&lock))?;
        let database = self.database();
        file::flush(&database).map_err(place(&database))?;
        let old = mark::read(&*self.secrets).map_err(|error| StoreError::Key(error.into()))?;
        if mark.replaces(old.as_ref(), |head| self.knows(head)) {
            mark::write(&*self.secrets, mark).map_err(|error: KeyError| StoreError::Key(error))?;
        }
        Ok(())
    }

    /// Whether the log was there when this head went into the keychain.
    fn knows(&self, head: Head) -> bool {
        let size = i64::try_from(head.size).unwrap_or(i64::MAX);
        let found = Connection::open_with_flags(self.database(), OPEN_FLAGS).and_then(|conn| {
            conn.busy_timeout(TURN)?;
            conn.query_row(
                "SELECT 1 FROM mark WHERE size = ?1 AND root = ?2",
                params![size, &head.root[..]],
                |_| Ok(()),
            )
            .optional()
        });
        matches!(found, Ok(Some(())))
    }
}
