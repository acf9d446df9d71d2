//! Privacy by owner and access list.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf, Prefix};

use super::refused;
use crate::acl::{self, Access, Forbidden};

/// A name that every part of the system takes, whatever its length: what is close to the 260 letters of
/// old is written the way in which the system leaves names as they are.
pub(super) fn any_length(path: PathBuf) -> PathBuf {
    // Names of files, locks and segments come after it.
    const SHORT: usize = 160;
    if path.as_os_str().encode_wide().count() <= SHORT {
        return path;
    }
    let Ok(whole) = std::path::absolute(&path) else {
        return path;
    };
    let start = match whole.components().next() {
        Some(Component::Prefix(prefix)) => prefix.kind(),
        _ => return path,
    };
    let mut name = match start {
        Prefix::Disk(_) => OsString::from(r"\\?\"),
        Prefix::UNC(..) => OsString::from(r"\\?\UNC"),
        _ => return path,
    };
    match (start, whole.to_str()) {
        (Prefix::UNC(..), Some(text)) => name.push(&text[1..]),
        _ => name.push(whole.as_os_str()),
    }
    name.into()
}

pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    acl::make_private(path)
}

/// What lies in a private directory inherits its list.
pub(super) fn create_dirs(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// What a link leads to is not opened: the link itself is, and no plain file.
pub(super) fn private_options() -> OpenOptions {
    const OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.custom_flags(OPEN_REPARSE_POINT);
    options
}

/// Refuses what belongs to another account; mends an access list that lets others in. What is made
/// in a private directory inherits its list.
pub(super) fn ours_alone(path: &Path, _meta: &fs::Metadata, _mode: u32) -> io::Result<()> {
    let account = acl::account()?;
    let told = acl::of_path(path)?;
    let access = Access::parse(&told).filter(|access| access.is_owned_by(&[account]));
    let access = access.ok_or_else(|| refused(path, "belongs to another account"))?;
    match access.open_to(&[account], Forbidden::Everything) {
        Some(_others) => acl::make_private(path),
        None => Ok(()),
    }
}

/// Here a file is on the disk with its name.
///
/// # Errors
/// None.
#[expect(clippy::unnecessary_wraps, reason = "other systems can fail at it")]
pub fn sync_directory(_place: &Path) -> io::Result<()> {
    Ok(())
}
