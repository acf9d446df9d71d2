//! Files that replace others in one step.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{refused, system};

/// A private file that is written beside its place and takes it when it is complete; one that is
/// given up leaves nothing behind.
#[derive(Debug)]
pub struct Fresh {
    file: File,
    place: PathBuf,
    target: PathBuf,
}

impl Fresh {
    /// Begins the file that is to stand at `target`. The directory may be anybody's: it is left as
    /// it is.
    ///
    /// # Errors
    /// What the system says, or that something other than a plain file stands there.
    pub fn of(target: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(target) {
            Ok(meta) if !meta.is_file() => return Err(refused(target, "is not a plain file")),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let name = target.file_name();
        let name = name.ok_or_else(|| refused(target, "is not the name of a file"))?;
        let unique = uuid::Uuid::now_v7().simple();
        let place = target.with_file_name(format!(".{}.{unique}", name.to_string_lossy()));
        Ok(Self {
            file: system::private_options().create_new(true).open(&place)?,
            place,
            target: target.to_owned(),
        })
    }

    /// Gives the file what another had, usually the one whose place it takes.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_permissions(&self, permissions: fs::Permissions) -> io::Result<()> {
        self.file.set_permissions(permissions)
    }

    /// Puts the file in its place, once it is on the disk.
    ///
    /// # Errors
    /// What the system says; what stood there before still does.
    pub fn publish(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.place, &self.target)
    }

    /// The same, unless something stands there, which stays.
    ///
    /// # Errors
    /// What the system says, also that there is a file already.
    pub fn publish_new(self) -> io::Result<()> {
        self.file.sync_all()?;
        match fs::hard_link(&self.place, &self.target) {
            // A file system without second names.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                if fs::symlink_metadata(&self.target).is_ok() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                fs::rename(&self.place, &self.target)
            }
            linked => linked,
        }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // After `publish` there is no such file; one that cannot be removed is private.
        let _left = fs::remove_file(&self.place);
    }
}

impl Write for Fresh {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Fresh {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
