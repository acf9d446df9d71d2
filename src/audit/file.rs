//! The log's files: where those lie that belong to the database, and which is which.

use std::fs::{Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A file whose name is the database's and more.
#[must_use]
pub fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Waits until what has been committed to a database is on the disk.
///
/// # Errors
/// What the system says.
pub fn flush(database: &Path) -> io::Result<()> {
    // Flushing may need the right to write (Windows). SQLite keeps no locks on this file that
    // closing it could drop.
    let log = OpenOptions::new()
        .write(true)
        .open(beside(database, "-wal"));
    match log.and_then(|log| log.sync_all()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        flushed => flushed,
    }
}

/// Tells one file from another that took its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId(u64, u64);

impl FileId {
    /// Of the file that this was read of.
    #[cfg(unix)]
    #[must_use]
    pub fn of(meta: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(meta.dev(), meta.ino())
    }

    /// Elsewhere an open file can be neither removed nor replaced.
    #[cfg(not(unix))]
    #[must_use]
    pub fn of(_meta: &Metadata) -> Self {
        Self(0, 0)
    }
}
