//! Reading a file that decides what is allowed, if nobody could have written it who may not.
//!
//! Links are followed (configuration management makes them); what counts is the file at their end
//! and every directory on the way to it. The file is opened once and judged by its descriptor, so
//! that it cannot be swapped between the look and the reading.

#[cfg(windows)]
mod listed;

use std::fmt;
#[cfg(unix)]
use std::fs::Metadata;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use zeroize::Zeroizing;

/// No configuration or policy that a person wrote is longer.
const SIZE_LIMIT: u64 = 4 * 1024 * 1024;
/// No private key is longer.
const KEY_LIMIT: usize = 64 * 1024;

/// Who may have written a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The administrator alone, as for the managed file.
    Administrator,
    /// This account or the administrator, as for the user's file.
    Account,
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Administrator => "administrators",
            Self::Account => "you and administrators",
        })
    }
}

/// The two accounts whose files count, as numbers of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owners {
    pub(super) administrator: u32,
    pub(super) account: u32,
}

/// What the system says of a file or directory.
#[cfg(unix)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) uid: u32,
    pub(super) mode: u32,
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refuses.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A directory, a pipe, a device.
    #[error("is not a plain file")]
    NotPlain,
    /// Larger than any document that a person wrote.
    #[error("is larger than {} MiB", SIZE_LIMIT / 1024 / 1024)]
    Size,
    /// Larger than any private key.
    #[error("is larger than any private key ({} KiB)", KEY_LIMIT / 1024)]
    KeySize,
    /// Not UTF-8.
    #[error("is not UTF-8 (first wrong byte at offset {0})")]
    Encoding(usize),
    /// The administrator's file belongs to somebody else.
    #[error("belongs to account {0}; it counts only if the administrator owns it")]
    NotAdministrators(u32),
    /// The user's file belongs to somebody else.
    #[error("belongs to account {0}, not to you")]
    NotYours(u32),
    /// Others can change it.
    #[error("can be written by others; mend it with: chmod go-w '{}'", .0.display())]
    Writable(PathBuf),
    /// Others can read what is secret.
    #[error("can be read by others; mend it with: chmod go= '{}'", .0.display())]
    Readable(PathBuf),
    /// Others can change a directory on the way to it.
    #[error("lies in '{}', which others can change", .0.display())]
    Directory(PathBuf),
    /// An access list lets others change it.
    #[error("can be changed by others ({who}); only {trust} may, mend it with icacls")]
    Open {
        /// Who, as the system names accounts.
        who: Box<str>,
        /// Who may.
        trust: Trust,
    },
    /// An access list lets others read what is secret.
    #[error("can be read by others ({0}); mend it with icacls")]
    Secret(Box<str>),
    /// It belongs to an account that does not count.
    #[error("belongs to another account; it counts only if it is owned by {0}")]
    Foreign(Trust),
}

/// Reads a document that decides what is allowed, such as the policy.
///
/// # Errors
/// When it is not there, or somebody could have written it who may not.
pub fn read_document(path: &Path, trust: Trust) -> Result<String, FileError> {
    Owners::of_system().read(path, trust)
}

/// Reads a file with a private key, which must belong to this account or the administrator, and be
/// readable by nobody else. The administrator may let a group of accounts read his: else no account
/// could use a key that is installed for all.
///
/// # Errors
/// When it is not there, or others than these could have read or written it.
pub fn read_private_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(FileError::NotPlain);
    }
    #[cfg(unix)]
    Owners::of_system().judge_key(path, standing(&meta))?;
    #[cfg(windows)]
    listed::check_key(&file)?;
    // Never moved to a larger place, which would leave a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_LIMIT + 1));
    let most = u64::try_from(KEY_LIMIT + 1).unwrap_or(u64::MAX);
    file.take(most).read_to_end(&mut bytes)?;
    if bytes.len() > KEY_LIMIT {
        return Err(FileError::KeySize);
    }
    Ok(bytes)
}

impl FileError {
    /// Whether there simply is no such file.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl Owners {
    /// The system's administrator, and the account that this process runs as.
    #[cfg(unix)]
    pub(super) fn of_system() -> Self {
        Self {
            administrator: 0,
            account: rustix::process::geteuid().as_raw(),
        }
    }

    /// Accounts have no numbers here.
    #[cfg(not(unix))]
    pub(super) fn of_system() -> Self {
        Self {
            administrator: 0,
            account: 0,
        }
    }

    /// Reads a text, if only those could have written it who may.
    pub(super) fn read(self, path: &Path, trust: Trust) -> Result<String, FileError> {
        let bytes = self.read_bytes(path, trust)?;
        let wrong = |error: FromUtf8Error| FileError::Encoding(error.utf8_error().valid_up_to());
        String::from_utf8(bytes).map_err(wrong)
    }

    /// Reads a file, if only those could have written it who may.
    pub(super) fn read_bytes(self, path: &Path, trust: Trust) -> Result<Vec<u8>, FileError> {
        let file = open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(FileError::NotPlain);
        }
        #[cfg(unix)]
        self.check(path, &meta, trust)?;
        #[cfg(windows)]
        listed::check(path, &file, trust)?;
        content(file)
    }

    #[cfg(unix)]
    fn check(self, path: &Path, meta: &Metadata, trust: Trust) -> Result<(), FileError> {
        self.judge_file(path, standing(meta), trust)?;
        if trust == Trust::Account {
            return Ok(());
        }
        let real = path.canonicalize()?;
        for way in [path, &real] {
            for (above, directory) in way.ancestors().skip(1).enumerate() {
                if !directory.as_os_str().is_empty() {
                    let standing = standing(&directory.metadata()?);
                    self.judge_directory(directory, standing, above > 0)?;
                }
            }
        }
        Ok(())
    }

    /// Judges a file by its owner and mode.
    #[cfg(unix)]
    fn judge_file(self, path: &Path, found: Standing, trust: Trust) -> Result<(), FileError> {
        match trust {
            Trust::Administrator if found.uid != self.administrator => {
                return Err(FileError::NotAdministrators(found.uid));
            }
            Trust::Account if ![self.account, self.administrator].contains(&found.uid) => {
                return Err(FileError::NotYours(found.uid));
            }
            Trust::Administrator | Trust::Account => {}
        }
        if found.mode & 0o022 != 0 {
            return Err(FileError::Writable(path.to_owned()));
        }
        Ok(())
    }

    /// Judges a file with a private key by its owner and mode.
    #[cfg(unix)]
    fn judge_key(self, path: &Path, found: Standing) -> Result<(), FileError> {
        let open = if found.uid == self.administrator {
            0o037
        } else {
            0o077
        };
        if ![self.account, self.administrator].contains(&found.uid) {
            return Err(FileError::NotYours(found.uid));
        }
        if found.mode & open != 0 {
            return Err(FileError::Readable(path.to_owned()));
        }
        Ok(())
    }

    /// Judges a directory on the way to the administrator's file. Further up one that all may write
    /// is harmless if it is sticky: what the administrator owns in it stays where it is.
    #[cfg(unix)]
    fn judge_directory(self, path: &Path, found: Standing, above: bool) -> Result<(), FileError> {
        let owner = found.uid == self.administrator || found.uid == 0;
        let sticky = above && found.mode & 0o1000 != 0;
        if !owner || (found.mode & 0o022 != 0 && !sticky) {
            return Err(FileError::Directory(path.to_owned()));
        }
        Ok(())
    }
}

#[cfg(unix)]
fn standing(meta: &Metadata) -> Standing {
    use std::os::unix::fs::MetadataExt;
    Standing {
        uid: meta.uid(),
        mode: meta.mode(),
    }
}

/// Opens without waiting for the other end of a pipe.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    let mut options = OpenOptions::new();
    options.custom_flags(i32::try_from(flags).unwrap_or(0));
    options.read(true).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

fn content(file: File) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size > SIZE_LIMIT) {
        return Err(FileError::Size);
    }
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests;
