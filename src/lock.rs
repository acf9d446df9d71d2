//! Locks between processes: kernel file locks, which a killed process gives back.
//!
//! A lock file is created once and never removed; its content means nothing. Process identifiers
//! in files are deliberately absent: they lie after `kill -9` and a reboot.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::paths;

/// A held lock; dropping it gives it back.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock if nobody holds it; `None` if somebody does.
    ///
    /// # Errors
    /// When the file cannot be created privately or the system has no locks there.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let file = paths::open_private(path)?;
        Ok(try_lock(&file)?.map(|()| Self { _file: file }))
    }

    /// Takes the lock, waiting as long as another process holds it. Blocks the thread: asynchronous
    /// callers run it where blocking is allowed and bound the wait themselves.
    ///
    /// # Errors
    /// As [`FileLock::try_take`].
    pub fn take(path: &Path) -> io::Result<Self> {
        let file = paths::open_private(path)?;
        file.lock()?;
        Ok(Self { _file: file })
    }
}

/// Locks an open file if nobody has; `None` if somebody has.
///
/// # Errors
/// When the system has no locks there.
pub fn try_lock(file: &File) -> io::Result<Option<()>> {
    match file.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_holder_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("login.lock");
        let held = FileLock::try_take(&path).unwrap().unwrap();
        assert!(FileLock::try_take(&path).unwrap().is_none());
        drop(held);
        assert!(FileLock::try_take(&path).unwrap().is_some());
    }
}
