//! What is safe to mend without asking a person each time.
//!
//! Closing what others may read, removing what was left half written, giving a host back the entry that
//! setup had written, and sending what waits. Deliberately absent: anything that would touch the log, the
//! keychain, the policy or the configuration. What is wrong there is evidence, or somebody's decision.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::hosts::{Host, Scope};

/// Something that can be mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// Files and directories of this account, to be closed to others.
    Close(Vec<PathBuf>),
    /// Files that were left half written, to be removed.
    Remove(Vec<PathBuf>),
    /// A host, to be given its entry again: for the account, or for the project here.
    Host(Host, Scope),
    /// A sink, to be sent what waits for it.
    Send(Box<str>),
}

impl Repair {
    /// What is about to be done.
    #[must_use]
    pub fn intent(&self) -> String {
        match self {
            Self::Close(open) => format!("close to other accounts: {}", listed(open)),
            Self::Remove(files) => format!("remove: {}", listed(files)),
            Self::Host(host, _) => format!("give {} its entry again", host.title()),
            Self::Send(sink) => format!("send what waits for {sink}"),
        }
    }
}

/// The first of several, and how many more there are.
fn listed(files: &[PathBuf]) -> String {
    let first = files.first().map(|file| file.display().to_string());
    match (first, files.len()) {
        (Some(first), 1) => first,
        (Some(first), all) => format!("{first} and {} more", all - 1),
        (None, _) => String::new(),
    }
}

/// Removes files; those that have gone meanwhile need nothing.
///
/// # Errors
/// What the system says.
pub fn remove(files: &[PathBuf]) -> io::Result<()> {
    files
        .iter()
        .try_for_each(|file| match fs::remove_file(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        })
}

/// Closes files and directories to other accounts. One that has gone meanwhile needs nothing.
///
/// # Errors
/// What the system says.
#[cfg(unix)]
pub fn close(open: &[PathBuf]) -> io::Result<()> {
    use std::fs::{Permissions, set_permissions, symlink_metadata};
    use std::os::unix::fs::PermissionsExt as _;
    for path in open {
        let meta = match symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        // A link that took its place meanwhile leads elsewhere.
        if meta.is_symlink() {
            continue;
        }
        let mode = meta.permissions().mode() & 0o700;
        set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Gives files and directories an access list that lets nobody else in. One that has gone meanwhile needs
/// nothing, and of a link the list is its own.
///
/// # Errors
/// What the system says.
#[cfg(windows)]
pub fn close(open: &[PathBuf]) -> io::Result<()> {
    let mut open = open.iter();
    open.try_for_each(|path| match crate::acl::make_private(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    })
}
