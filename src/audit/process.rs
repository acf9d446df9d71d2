//! Which writers live: each holds a kernel lock for as long as it has the log open.
//!
//! The lock's file is named after a random identity, which stands in the intents of its process.
//! Whoever can take the lock knows that the process is dead. Process identifiers are not used, they
//! are given out again. Files are made, taken over and removed under one further lock, so that none
//! vanishes between its making and its locking.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::lock::FileLock;
use crate::paths::Paths;

/// How long the lock over the process locks is waited for; it is held for a few file operations.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to pause between two tries to get a lock.
const PAUSE: Duration = Duration::from_millis(1);

/// This process as a writer of the log; dropping it gives the lock back.
#[derive(Debug)]
pub struct Process {
    id: Box<str>,
    path: PathBuf,
    _lock: FileLock,
}

impl Process {
    /// Takes a new identity and holds its lock.
    ///
    /// # Errors
    /// What the system says of the lock's file.
    pub fn begin(paths: &Paths) -> io::Result<Self> {
        let _all = take_within(&paths.lock("processes"), PATIENCE)?;
        let id: Box<str> = uuid::Uuid::now_v7().simple().to_string().into();
        let path = lock_path(paths, &id);
        let lock = FileLock::try_take(&path)?.ok_or(io::ErrorKind::AlreadyExists)?;
        Ok(Self {
            id,
            path,
            _lock: lock,
        })
    }

    /// The identity, which stands in this process' intents.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Removes the lock's file; for a process that has no open intents.
    pub fn end(self) {
        // A file that is left over is removed by whoever looks for dead processes next.
        let _left = std::fs::remove_file(&self.path);
    }
}

/// The right to look for dead processes; while it is held no process begins.
#[derive(Debug)]
pub struct Census<'a> {
    paths: &'a Paths,
    _all: FileLock,
}

impl<'a> Census<'a> {
    /// Begins, unless another process is at it.
    ///
    /// # Errors
    /// What the system says of the lock's file.
    pub fn begin(paths: &'a Paths) -> io::Result<Option<Self>> {
        let all = FileLock::try_take(&paths.lock("processes"))?;
        Ok(all.map(|all| Self { paths, _all: all }))
    }

    /// Whether the process has ended; its lock's file is removed then.
    ///
    /// # Errors
    /// What the system says of the lock's file.
    pub fn is_dead(&self, id: &str) -> io::Result<bool> {
        // Only names of our own making become paths: the log may have been written by others.
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(true);
        }
        let path = lock_path(self.paths, id);
        let Some(_held) = FileLock::try_take(&path)? else {
            return Ok(false);
        };
        std::fs::remove_file(&path)?;
        Ok(true)
    }

    /// Removes the files of processes that ended without removing them.
    ///
    /// # Errors
    /// What the system says of the directory.
    pub fn tidy(&self) -> io::Result<()> {
        let Some(dir) = self.paths.lock("processes").parent().map(PathBuf::from) else {
            return Ok(());
        };
        for file in std::fs::read_dir(dir)? {
            let name = file?.file_name();
            let id = name.to_str().and_then(|name| name.strip_prefix("process-"));
            if let Some(id) = id.and_then(|name| name.strip_suffix(".lock")) {
                self.is_dead(id)?;
            }
        }
        Ok(())
    }
}

fn lock_path(paths: &Paths, id: &str) -> PathBuf {
    paths.lock(&format!("process-{id}"))
}

/// Takes a lock that others hold for a moment only. Blocks the thread.
///
/// # Errors
/// What the system says, or that the lock stayed taken.
pub fn take_within(path: &std::path::Path, patience: Duration) -> io::Result<FileLock> {
    within(patience, || FileLock::try_take(path))
}

/// Tries until there is something, at least once. Blocks the thread.
///
/// # Errors
/// What trying says, or `TimedOut`.
pub fn within<T>(
    patience: Duration,
    mut take: impl FnMut() -> io::Result<Option<T>>,
) -> io::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(taken) = take()? {
            return Ok(taken);
        }
        if started.elapsed() >= patience {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(PAUSE);
    }
}
