//! Why the log cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::key::KeyError;
use crate::format::Newer;
use crate::wording::chain;

/// Why the log cannot be used. Nothing was written, and the next use tries again.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory or the file is not one of this account alone, or cannot be made.
    #[error("the audit log cannot be opened at {}", path.display())]
    Place {
        /// What was looked at.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// Somebody else is writing and does not stop.
    #[error("the audit log has been locked by another program for more than {seconds} seconds")]
    Locked {
        /// How long was waited.
        seconds: u64,
    },
    /// No room.
    #[error("the disk that holds the audit log is full")]
    Full(#[source] rusqlite::Error),
    /// No room but that which is kept for refusals.
    #[error(
        "the disk that holds the audit log is full; what is kept of it is for the record of refusals"
    )]
    NoRoom(#[source] io::Error),
    /// No permission to write.
    #[error("the audit log is read-only")]
    ReadOnly(#[source] rusqlite::Error),
    /// The file is no sound database.
    #[error("the audit log is damaged; keep {} and have it checked", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What was found.
        #[source]
        cause: Damage,
    },
    /// A database of another program.
    #[error("{} is not an audit log", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Brought forward by a newer version, perhaps while it was open here.
    #[error("a newer version of chaperone has taken over the audit log at {}", path.display())]
    Newer {
        /// The log.
        path: PathBuf,
        /// Its format.
        #[source]
        cause: Newer,
    },
    /// Records that this process wrote are gone.
    #[error("the audit log has {found} records where {known} were written")]
    Cut {
        /// How many this process knows of.
        known: u64,
        /// How many are left.
        found: u64,
    },
    /// The file was removed or replaced while it was in use.
    #[error("the audit log was removed from {}", path.display())]
    Gone {
        /// Where it was.
        path: PathBuf,
    },
    /// The key cannot be had.
    #[error("the key of the audit log is not available")]
    Key(#[source] KeyError),
    /// Another process changed the key; the log is opened anew with it.
    #[error("the key of the audit log was changed by another process")]
    Rekeyed,
    /// Anything else that the database says.
    #[error("the audit log cannot be used")]
    Sqlite(#[source] rusqlite::Error),
    /// The writer could not be started.
    #[error("the audit log's writer cannot be started")]
    Writer(#[source] io::Error),
    /// The log was closed because the program is ending.
    #[error("the audit log is closed, chaperone is ending")]
    Closed,
}

/// What is wrong with a damaged file.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The database itself.
    #[error(transparent)]
    Database(rusqlite::Error),
    /// The stored tree is not that of its size.
    #[error(transparent)]
    Frontier(#[from] super::tree::FrontierError),
    /// A row that every log has is missing or holds the impossible.
    #[error("the table '{0}' does not hold what it must")]
    Table(&'static str),
    /// Numbers of records do not follow each other.
    #[error("record {0} is missing")]
    Gap(u64),
    /// A signed head in the tail beside the database is not that of the records there.
    #[error("the signed head over {0} records is not theirs")]
    Head(u64),
    /// The database and the tail beside it hold two records of one number.
    #[error("record {0} is there twice, and they differ")]
    Fork(u64),
}

impl StoreError {
    /// What the person can do, where that is not said by the error itself.
    #[must_use]
    pub fn next_step(&self) -> Option<String> {
        match self {
            Self::Newer { path, .. } => Some(way_back(path)),
            Self::Place { .. }
            | Self::Locked { .. }
            | Self::Full(_)
            | Self::NoRoom(_)
            | Self::ReadOnly(_)
            | Self::Corrupt { .. }
            | Self::Foreign { .. }
            | Self::Cut { .. }
            | Self::Gone { .. }
            | Self::Key(_)
            | Self::Rekeyed
            | Self::Sqlite(_)
            | Self::Writer(_)
            | Self::Closed => None,
        }
    }

    /// What happened, why, and what to do.
    #[must_use]
    pub fn in_words(&self) -> String {
        let why = chain(self);
        match self.next_step() {
            Some(next) => format!("{why}. {next}"),
            None => why,
        }
    }

    /// Sorts what the system says of the tail of the log at `path`.
    pub(super) fn of_tail(path: &Path, cause: io::Error) -> Self {
        let kind = cause.kind();
        if kind == io::ErrorKind::TimedOut {
            return Self::Locked {
                seconds: super::store::BUSY.as_secs(),
            };
        }
        if matches!(
            kind,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
            return Self::Full(rusqlite::Error::SqliteFailure(
                full,
                Some(cause.to_string()),
            ));
        }
        Self::Place {
            path: super::tail::place(path),
            cause,
        }
    }

    /// Sorts what the database says by what can be done about it.
    pub(super) fn from_sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let exact = error.sqlite_error().map(|error| error.extended_code);
        if exact == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) {
            // The index of the write-ahead log finds no room either.
            return Self::Full(error);
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked {
                seconds: super::store::BUSY.as_secs(),
            },
            Some(ErrorCode::DiskFull) => Self::Full(error),
            Some(ErrorCode::ReadOnly) => Self::ReadOnly(error),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt {
                path: path.into(),
                cause: Damage::Database(error),
            },
            _ => Self::Sqlite(error),
        }
    }
}

/// The ways on from a log that a newer version has taken over: forward, or back without a loss.
#[must_use]
pub fn way_back(log: &Path) -> String {
    let name = log.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "If the newer version is installed, start the host again; else install it again. To go on with this \
         version, quit all hosts, move {name} and the files beside it that begin with {name} to another \
         directory, and keep them: a new log begins here, and the newer version reads the old one there."
    )
}
