//! What files were before they were changed, and the way back.
//!
//! Backups lie in the data directory, which is private, and not beside the files: hosts' files hold
//! secrets, some lie in repositories, and some hosts read every file in their directory. Each change
//! of one host is a directory named by its time, with the bytes of every file that it touches and,
//! written last, a list of them with their digests before and after.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::{FileError, HostFile};
use crate::clock::Timestamp;
use crate::format;
use crate::paths;

/// How many changes of one host can be taken back.
const KEPT: usize = 20;
/// Grows when the list changes its shape; only the version that wrote it takes its change back.
const VERSION: u32 = 1;
const LIST: &str = "list.json";
/// What the list is called when its change has been taken back.
const SPENT: &str = "undone.json";

/// Where backups lie.
#[derive(Debug, Clone)]
pub struct Backups {
    dir: PathBuf,
}

/// A file that is to be changed.
#[derive(Debug, Clone)]
pub struct Change {
    /// As it is now.
    pub file: HostFile,
    /// Its bytes afterwards.
    pub after: Vec<u8>,
}

/// Whether the files hold chaperone's entry after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leaves {
    /// They do.
    Entry,
    /// They do not.
    Nothing,
}

/// The newest change of a host that was not taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// What it left in the files.
    pub leaves: Leaves,
    /// The files, behind all links.
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
struct List {
    version: u32,
    leaves: Leaves,
    files: Vec<Kept>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    path: PathBuf,
    mode: Option<u32>,
    /// The digest of what was there, if anything was.
    before: Option<String>,
    after: String,
}

/// Why a change is not made or taken back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// One of the files.
    #[error(transparent)]
    File(#[from] FileError),
    /// The backup itself.
    #[error("the backup in {}: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is nothing to take back.
    #[error("there is no change to take back; backups are kept in {}", .0.display())]
    None(PathBuf),
    /// Somebody has changed the file since.
    #[error("{} has been changed since; what it was before is kept in {}", path.display(), backup.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its earlier bytes.
        backup: PathBuf,
    },
}

impl Backups {
    /// Of this account and data directory.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Keeps what is there, then makes the changes. Returns where the backup is.
    ///
    /// `of` names what is changed, such as `cursor`; changes of the same name are taken back one by
    /// one, the newest first. The caller holds the lock.
    ///
    /// # Errors
    /// When a file may not be replaced, is not what it was, or cannot be kept: then it has not been
    /// touched. Of several files those before it have been, and can be taken back.
    pub fn make(
        &self,
        of: &str,
        now: Timestamp,
        leaves: Leaves,
        changes: &[Change],
    ) -> Result<PathBuf, BackupError> {
        for change in changes {
            change.file.check_replaceable()?;
        }
        let place = self.keep(of, now, leaves, changes)?;
        for change in changes {
            change.file.replace(&change.after)?;
        }
        Ok(place)
    }

    /// Writes the backup.
    fn keep(
        &self,
        of: &str,
        now: Timestamp,
        leaves: Leaves,
        changes: &[Change],
    ) -> Result<PathBuf, BackupError> {
        let all = self.dir.join(of);
        let place = self.fresh(&all, now)?;
        let io = |source| BackupError::Io {
            path: place.clone(),
            source,
        };
        let mut files = Vec::new();
        for (index, Change { file, after }) in changes.iter().enumerate() {
            if let Some(bytes) = &file.bytes {
                paths::replace_private(&copy(&place, index), bytes).map_err(io)?;
            }
            files.push(Kept {
                path: file.real.clone(),
                mode: file.mode(),
                before: file.bytes.as_deref().map(digest),
                after: digest(after),
            });
        }
        let list = List {
            version: VERSION,
            leaves,
            files,
        };
        let list = serde_json::to_vec_pretty(&list).map_err(io::Error::from);
        let list = list.map_err(io)?;
        paths::replace_private(&place.join(LIST), &list).map_err(io)?;
        forget_oldest(&all).map_err(io)?;
        Ok(place)
    }

    /// A directory of this time that is not there yet; colons are of other meaning on Windows.
    fn fresh(&self, all: &Path, now: Timestamp) -> Result<PathBuf, BackupError> {
        let time = now.to_string().replace(':', "-");
        let mut names = std::iter::once(time.clone()).chain((1..10).map(|n| format!("{time}-{n}")));
        let place = names.find(|name| !all.join(name).exists());
        let place = all.join(place.unwrap_or(time));
        for dir in [&self.dir, all, &place] {
            paths::private_dir(dir).map_err(|source| BackupError::Io {
                path: place.clone(),
                source,
            })?;
        }
        Ok(place)
    }

    /// The newest change that was not taken back; `None` if there is none, or it cannot be read.
    #[must_use]
    pub fn last(&self, of: &str) -> Option<Last> {
        let (_, list) = self.newest(of).ok()?;
        let files = list.files.into_iter().map(|kept| kept.path);
        Some(Last {
            leaves: list.leaves,
            files: files.collect(),
        })
    }

    fn newest(&self, of: &str) -> Result<(PathBuf, List), BackupError> {
        let mut dirs = dirs(&self.dir.join(of)).into_iter().rev();
        let newest = dirs.find(|dir| dir.join(LIST).exists());
        let place = newest.ok_or_else(|| BackupError::None(self.dir.clone()))?;
        let io = |source| BackupError::Io {
            path: place.clone(),
            source,
        };
        let text = fs::read(place.join(LIST)).map_err(io)?;
        format::check(&text, VERSION).map_err(|newer| io(newer.into()))?;
        let list = serde_json::from_slice(&text).map_err(|error| io(error.into()))?;
        Ok((place, list))
    }

    /// What taking back the newest change would do: each file with the bytes that it had.
    ///
    /// # Errors
    /// When there is none, or a file is not as the change left it.
    pub fn way_back(&self, of: &str) -> Result<WayBack, BackupError> {
        let (place, list) = self.newest(of)?;
        let io = |source| BackupError::Io {
            path: place.clone(),
            source,
        };
        let mut steps = Vec::new();
        for (index, kept) in list.files.into_iter().enumerate() {
            let backup = copy(&place, index);
            let file = HostFile::at(&kept.path)?;
            let now = file.bytes.as_deref().map(digest);
            if now == kept.before {
                // It was never changed, or somebody has undone it already.
                continue;
            }
            if now.as_ref() != Some(&kept.after) {
                let path = kept.path;
                return Err(BackupError::Changed { path, backup });
            }
            let before = match &kept.before {
                Some(_) => Some(fs::read(&backup).map_err(io)?),
                None => None,
            };
            if before.as_deref().map(digest) != kept.before {
                return Err(io(io::ErrorKind::InvalidData.into()));
            }
            let file = file.with_mode(kept.mode);
            steps.push((file, before));
        }
        Ok(WayBack { place, steps })
    }
}

/// The way from a change back to what was before.
#[derive(Debug)]
pub struct WayBack {
    /// The backup.
    pub place: PathBuf,
    /// Each file that differs, and the bytes that it had, if it was there.
    pub steps: Vec<(HostFile, Option<Vec<u8>>)>,
}

impl WayBack {
    /// Goes it. The backup stays where it is, and is not taken for the newest again.
    ///
    /// # Errors
    /// When a file may not be replaced or was changed just now; it is then as it was.
    pub fn go(&self) -> Result<(), BackupError> {
        for (file, before) in &self.steps {
            file.check_replaceable()?;
            match before {
                Some(bytes) => file.replace(bytes)?,
                None => file.remove()?,
            }
        }
        let spent = fs::rename(self.place.join(LIST), self.place.join(SPENT));
        spent.map_err(|source| BackupError::Io {
            path: self.place.clone(),
            source,
        })
    }
}

fn copy(place: &Path, index: usize) -> PathBuf {
    place.join(format!("{index}.before"))
}

fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// The backups of one host, the oldest first.
fn dirs(all: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(all).into_iter().flatten().flatten();
    let mut dirs: Vec<PathBuf> = listed.map(|entry| entry.path()).collect();
    dirs.sort();
    dirs
}

fn forget_oldest(all: &Path) -> io::Result<()> {
    let dirs = dirs(all);
    let old = dirs.len().saturating_sub(KEPT);
    dirs.iter().take(old).try_for_each(fs::remove_dir_all)
}

#[cfg(test)]
mod tests;
