//! Privacy by owner and mode.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::refused;

/// Names of any length are taken as they are.
pub(super) fn any_length(path: PathBuf) -> PathBuf {
    path
}

pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

pub(super) fn create_dirs(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path)
}

pub(super) fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    options
}

/// The owner must be this account; a mode that is too open is closed.
pub(super) fn ours_alone(path: &Path, meta: &fs::Metadata, mode: u32) -> io::Result<()> {
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(refused(path, "belongs to another account"));
    }
    if meta.is_file() && meta.nlink() > 1 {
        return Err(refused(path, "has a second name (hard link)"));
    }
    if meta.mode() & 0o777 != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Waits until the names of the files in a directory are on the disk.
///
/// # Errors
/// What the system says.
pub fn sync_directory(place: &Path) -> io::Result<()> {
    fs::File::open(place)?.sync_all()
}
