//! Why a transaction is given up.

use std::io;
use std::path::Path;

use crate::audit::error::{Damage, StoreError};
use crate::format::Newer;

/// Why a transaction is given up.
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    Corrupt(Damage),
    Cut {
        known: u64,
        found: u64,
    },
    /// Another process changed the key.
    Rekeyed,
    /// A newer program brought the log forward.
    Newer(Newer),
    /// The tail cannot be read or written.
    Tail(io::Error),
}

impl Failure {
    /// As it is told of the log at `path`.
    pub(super) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Sqlite(error) => StoreError::from_sqlite(path, error),
            Self::Corrupt(cause) => StoreError::Corrupt {
                path: path.into(),
                cause,
            },
            Self::Cut { known, found } => StoreError::Cut { known, found },
            Self::Rekeyed => StoreError::Rekeyed,
            Self::Newer(cause) => StoreError::Newer {
                path: path.into(),
                cause,
            },
            Self::Tail(cause) => StoreError::of_tail(path, cause),
        }
    }
}

impl From<Newer> for Failure {
    fn from(newer: Newer) -> Self {
        Self::Newer(newer)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Damage> for Failure {
    fn from(damage: Damage) -> Self {
        Self::Corrupt(damage)
    }
}
