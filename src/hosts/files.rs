//! Reading and replacing files that belong to the person and to other programs.
//!
//! A symbolic link is followed, as people keep their settings in one place and link to it, unless it
//! leads out of the home. The file at its end is replaced in one step and keeps its mode.

use std::fs::{self, Metadata, Permissions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::locations::Location;
use crate::paths::Fresh;

/// No settings are longer; Claude Code keeps a history of projects in its own.
const SIZE_LIMIT: u64 = 64 << 20;

/// A host's file as it was when it was read.
#[derive(Debug, Clone)]
pub struct HostFile {
    /// Where the host looks.
    pub path: PathBuf,
    /// The file itself, behind all links.
    pub real: PathBuf,
    /// Its bytes, if it is there.
    pub bytes: Option<Vec<u8>>,
    permissions: Option<Permissions>,
}

/// Why a file is left alone.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A link leads elsewhere.
    #[error("{} leads to {}, out of {}; links out of there are not followed", path.display(), real.display(), base.display())]
    Outside {
        /// Where the host looks.
        path: PathBuf,
        /// Where that leads.
        real: PathBuf,
        /// What it must not leave.
        base: PathBuf,
    },
    /// It is nothing that can be replaced.
    #[error("{} {why}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl FileError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    fn unfit(path: &Path, why: &'static str) -> Self {
        Self::Unfit {
            path: path.to_owned(),
            why,
        }
    }
}

impl HostFile {
    /// Reads what is in a place, if there is anything.
    ///
    /// # Errors
    /// When a link leads out, or what is there is no plain file of readable size.
    pub fn read(location: &Location) -> Result<Self, FileError> {
        let path = &location.file;
        let real = behind_links(path).map_err(FileError::io(path))?;
        let base = behind_links(&location.base).map_err(FileError::io(&location.base))?;
        if !real.starts_with(&base) {
            return Err(FileError::Outside {
                path: path.clone(),
                real,
                base,
            });
        }
        let (bytes, permissions) = match content(&real)? {
            Some((bytes, meta)) => (Some(bytes), Some(meta.permissions())),
            None => (None, None),
        };
        Ok(Self {
            path: path.clone(),
            real,
            bytes,
            permissions,
        })
    }

    /// Reads a file by its own place, of which a backup tells.
    ///
    /// # Errors
    /// As [`HostFile::read`].
    pub fn at(real: &Path) -> Result<Self, FileError> {
        Self::read(&Location {
            file: real.to_owned(),
            base: real.parent().unwrap_or(real).to_owned(),
            is_installed: true,
        })
    }

    /// The bytes; none for a file that is not there.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or_default()
    }

    /// The mode, where files have one.
    #[cfg(unix)]
    #[must_use]
    pub fn mode(&self) -> Option<u32> {
        use std::os::unix::fs::PermissionsExt as _;
        let permissions = self.permissions.as_ref()?;
        Some(permissions.mode())
    }

    /// The mode, where files have one.
    #[cfg(not(unix))]
    #[must_use]
    pub fn mode(&self) -> Option<u32> {
        None
    }

    /// Gives a file that is written anew the mode that it had before.
    #[cfg(unix)]
    #[must_use]
    pub fn with_mode(mut self, mode: Option<u32>) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        self.permissions = mode.map(Permissions::from_mode);
        self
    }

    /// Modes are of other systems.
    #[cfg(not(unix))]
    #[must_use]
    pub fn with_mode(self, _mode: Option<u32>) -> Self {
        self
    }

    /// Finds out whether it may be replaced.
    ///
    /// # Errors
    /// When it is marked as not to be written, belongs to somebody else, or has a second name.
    pub fn check_replaceable(&self) -> Result<(), FileError> {
        if self.bytes.is_none() {
            return Ok(());
        }
        let meta = fs::metadata(&self.real).map_err(FileError::io(&self.real))?;
        if meta.permissions().readonly() {
            let why = "is read-only; make it writable first, or change it by hand";
            return Err(FileError::unfit(&self.real, why));
        }
        self.check_owner(&meta)
    }

    #[cfg(unix)]
    fn check_owner(&self, meta: &Metadata) -> Result<(), FileError> {
        use std::os::unix::fs::MetadataExt as _;
        if meta.uid() != rustix::process::geteuid().as_raw() {
            let why = "belongs to another account; run this as its owner";
            return Err(FileError::unfit(&self.real, why));
        }
        if meta.nlink() > 1 {
            let why = "has a second name (hard link), which would keep the old content";
            return Err(FileError::unfit(&self.real, why));
        }
        Ok(())
    }

    /// The file inherits the access list of its directory.
    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "other systems look at it")]
    #[expect(clippy::unnecessary_wraps, reason = "other systems refuse")]
    fn check_owner(&self, _meta: &Metadata) -> Result<(), FileError> {
        Ok(())
    }

    /// Replaces the file in one step, unless somebody has changed it since it was read.
    ///
    /// # Errors
    /// When it was changed meanwhile, or the system refuses; what was there still is.
    pub fn replace(&self, bytes: &[u8]) -> Result<(), FileError> {
        let failed = || FileError::io(&self.real);
        if let Some(parent) = self.real.parent() {
            fs::create_dir_all(parent).map_err(failed())?;
        }
        let mut fresh = Fresh::of(&self.real).map_err(failed())?;
        fresh.write_all(bytes).map_err(failed())?;
        if let Some(permissions) = &self.permissions {
            fresh
                .set_permissions(permissions.clone())
                .map_err(failed())?;
        }
        self.check_unchanged()?;
        fresh.publish().map_err(failed())
    }

    /// Removes the file, unless somebody has changed it since it was read.
    ///
    /// # Errors
    /// As [`HostFile::replace`].
    pub fn remove(&self) -> Result<(), FileError> {
        self.check_unchanged()?;
        fs::remove_file(&self.real).map_err(FileError::io(&self.real))
    }

    fn check_unchanged(&self) -> Result<(), FileError> {
        let now = content(&self.real)?.map(|(bytes, _)| bytes);
        if now == self.bytes {
            return Ok(());
        }
        let why = "was changed by another program just now; nothing was written, try again";
        Err(FileError::unfit(&self.real, why))
    }
}

/// A path without links, of which the last parts need not exist. A link that leads nowhere is one
/// that cannot be followed.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_link = path.symlink_metadata().is_ok();
            match (path.parent(), path.file_name()) {
                (Some(parent), Some(name)) if !is_link => Ok(behind_links(parent)?.join(name)),
                _ => Err(error),
            }
        }
        other => other,
    }
}

fn content(real: &Path) -> Result<Option<(Vec<u8>, Metadata)>, FileError> {
    let meta = match fs::symlink_metadata(real) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(FileError::io(real))?,
    };
    if !meta.is_file() {
        return Err(FileError::unfit(real, "is not a plain file"));
    }
    let file = fs::File::open(real).map_err(FileError::io(real))?;
    let mut bytes = Vec::new();
    let length = file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes);
    length.map_err(FileError::io(real))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > SIZE_LIMIT) {
        return Err(FileError::unfit(real, "is larger than 64 MiB"));
    }
    Ok(Some((bytes, meta)))
}
