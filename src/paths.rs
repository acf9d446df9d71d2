//! Where things lie on this system, and how a private file or directory is made.
//!
//! Data, locks and log lie in one directory of the account. On Windows it is in the profile but
//! outside `AppData`, because packaged hosts see a copy of `AppData` of their own and each would
//! otherwise get a log of its own.

mod fresh;
#[cfg(unix)]
#[path = "paths/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "paths/windows.rs"]
mod system;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use directories::{BaseDirs, ProjectDirs};

pub use fresh::Fresh;
pub use system::sync_directory;

/// The directories and files that the product uses; nothing here is created before it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The user's configuration.
    pub config_file: PathBuf,
    /// The administrator's configuration, which wins.
    pub managed_file: PathBuf,
    /// Log, locks, cache and sealed tokens.
    pub data_dir: PathBuf,
}

/// Why there is no place for the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this account has no home directory; set CHAPERONE_CONFIG and CHAPERONE_DATA_DIR")]
pub struct NoHome;

impl Paths {
    /// Finds the places: what was asked for, else the system's conventions.
    ///
    /// # Errors
    /// When a place is not given and the account has no home directory.
    pub fn find(config: Option<PathBuf>, data: Option<PathBuf>) -> Result<Self, NoHome> {
        let config_file = config.or_else(default_config_file).ok_or(NoHome)?;
        let data_dir = data.or_else(default_data_dir).ok_or(NoHome)?;
        Ok(Self {
            config_file: system::any_length(config_file),
            managed_file: managed_file(),
            data_dir: system::any_length(data_dir),
        })
    }

    /// The audit log.
    #[must_use]
    pub fn audit_db(&self) -> PathBuf {
        self.data_dir.join("audit.db")
    }

    /// The room that is kept for the log.
    #[must_use]
    pub fn audit_reserve(&self) -> PathBuf {
        self.data_dir.join("audit.reserve")
    }

    /// A lock file.
    #[must_use]
    pub fn lock(&self, name: &str) -> PathBuf {
        self.data_dir.join("locks").join(format!("{name}.lock"))
    }

    /// The directory of what is known of servers, whoever is signed in.
    #[must_use]
    pub fn servers_dir(&self) -> PathBuf {
        self.data_dir.join("servers")
    }

    /// The directory of what is known of sending records.
    #[must_use]
    pub fn sync_dir(&self) -> PathBuf {
        self.data_dir.join("sync")
    }

    /// What witnesses have seen.
    #[must_use]
    pub fn witness_dir(&self) -> PathBuf {
        self.data_dir.join("witness")
    }

    /// The definitions of tools that have been accepted.
    #[must_use]
    pub fn pins_file(&self) -> PathBuf {
        self.data_dir.join("pins.json")
    }

    /// What hosts' files were before they were changed.
    #[must_use]
    pub fn backups_dir(&self) -> PathBuf {
        self.data_dir.join("backups")
    }

    /// The directory of the catalogue cache.
    #[must_use]
    pub fn catalog_dir(&self) -> PathBuf {
        self.data_dir.join("catalog")
    }
}

/// Where the account's other programs keep their settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDirs {
    /// The home.
    pub home: PathBuf,
    /// `$XDG_CONFIG_HOME`, `~/Library/Application Support`, `%APPDATA%`.
    pub config: PathBuf,
    /// The same for this machine alone: `%LOCALAPPDATA%`.
    pub local: PathBuf,
}

impl AccountDirs {
    /// Finds them.
    ///
    /// # Errors
    /// When the account has no home directory.
    pub fn find() -> Result<Self, NoHome> {
        let dirs = BaseDirs::new().ok_or(NoHome)?;
        Ok(Self {
            home: dirs.home_dir().to_owned(),
            config: dirs.config_dir().to_owned(),
            local: dirs.data_local_dir().to_owned(),
        })
    }
}

/// The account's home as the system knows it. `HOME` is whatever the one who starts the program says.
#[cfg(unix)]
#[must_use]
pub fn account_home() -> Option<PathBuf> {
    Some(account()?.dir)
}

/// The account's home as the system knows it.
#[cfg(not(unix))]
#[must_use]
pub fn account_home() -> Option<PathBuf> {
    Some(BaseDirs::new()?.home_dir().to_owned())
}

#[cfg(unix)]
fn account() -> Option<nix::unistd::User> {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).ok()?
}

/// Where the data lies unless anybody says otherwise, whatever the environment is.
#[must_use]
pub fn own_data_dir() -> Option<PathBuf> {
    let home = account_home()?;
    Some(if cfg!(windows) {
        home.join(".chaperone")
    } else if cfg!(target_os = "macos") {
        home.join("Library/Application Support/chaperone")
    } else {
        home.join(".local/share/chaperone")
    })
}

/// The managed preferences of this account and of the machine, in the order in which they count; the
/// system writes them from configuration profiles.
#[cfg(target_os = "macos")]
#[must_use]
pub fn managed_preferences() -> Vec<PathBuf> {
    let all = Path::new("/Library/Managed Preferences");
    let own = account().map(|account| all.join(account.name));
    let places = own.into_iter().chain([all.to_owned()]);
    places
        .map(|place| place.join("com.chaperone.chaperone.plist"))
        .collect()
}

fn default_config_file() -> Option<PathBuf> {
    let dirs = ProjectDirs::from("", "", "chaperone")?;
    Some(dirs.config_dir().join("chaperone.toml"))
}

#[cfg(not(windows))]
fn default_data_dir() -> Option<PathBuf> {
    Some(BaseDirs::new()?.data_local_dir().join("chaperone"))
}

#[cfg(windows)]
fn default_data_dir() -> Option<PathBuf> {
    Some(BaseDirs::new()?.home_dir().join(".chaperone"))
}

#[cfg(target_os = "macos")]
fn managed_file() -> PathBuf {
    "/Library/Application Support/Chaperone/managed.toml".into()
}

/// `%ProgramData%` is where the system was installed unless someone moved it; reading the variable
/// would let whoever starts the process move the policy.
#[cfg(windows)]
fn managed_file() -> PathBuf {
    r"C:\ProgramData\Chaperone\managed.toml".into()
}

#[cfg(not(any(windows, target_os = "macos")))]
fn managed_file() -> PathBuf {
    "/etc/chaperone/managed.toml".into()
}

/// Creates a directory that only this account can enter (0700), with its parents where they are
/// missing (as private: XDG Base Directory Specification), and refuses one
/// that is a symbolic link or belongs to somebody else.
///
/// # Errors
/// What the system says, or that the directory is not ours.
pub fn private_dir(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        system::create_dirs(parent)?;
    }
    match system::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    let meta = fs::symlink_metadata(path)?;
    if !meta.is_dir() {
        return Err(refused(
            path,
            "is not a directory (symbolic links are not followed)",
        ));
    }
    system::ours_alone(path, &meta, 0o700)
}

/// Opens, creating it if need be, a file that only this account can read (0600), with its
/// directory, and refuses symbolic links, other kinds of file, hard links and foreign owners.
///
/// # Errors
/// What the system says, or that the file is not ours.
pub fn open_private(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        private_dir(parent)?;
    }
    let file = system::private_options().open(path)?;
    check_private(path, &file.metadata()?)?;
    Ok(file)
}

/// Replaces a private file in one step: readers see the old content or the new, never a part.
///
/// # Errors
/// What the system says.
pub fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let parent = path
        .parent()
        .ok_or_else(|| refused(path, "has no directory"))?;
    private_dir(parent)?;
    let mut fresh = Fresh::of(path)?;
    fresh.write_all(content)?;
    fresh.publish()
}

/// Writes a new private file where whoever asked for it wants it, in one step; what stands there stays.
///
/// # Errors
/// What the system says, also that there is a file already.
pub fn create_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut fresh = Fresh::of(path)?;
    fresh.write_all(content)?;
    fresh.publish_new()
}

/// Refuses a file that is not a plain one of this account alone.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_private(path: &Path, meta: &fs::Metadata) -> io::Result<()> {
    if !meta.is_file() {
        return Err(refused(path, "is not a plain file"));
    }
    system::ours_alone(path, meta, 0o600)
}

fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("{} {why}", path.display()),
    )
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn private_files_are_private_whatever_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data/audit.db");
        open_private(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        open_private(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(
            fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777,
            0o700
        );
    }

    #[test]
    fn what_lies_above_a_private_directory_is_private_if_it_is_new() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("old");
        fs::create_dir(&old).unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
        private_dir(&old.join("new/private")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&old), 0o755);
        assert_eq!(mode(&old.join("new")), 0o700);
    }

    #[test]
    fn links_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        fs::write(&target, "x").unwrap();
        symlink(&target, dir.path().join("soft")).unwrap();
        fs::hard_link(&target, dir.path().join("hard")).unwrap();
        symlink(dir.path(), dir.path().join("loop")).unwrap();
        assert!(open_private(&dir.path().join("soft")).is_err());
        assert!(open_private(&dir.path().join("hard")).is_err());
        assert!(private_dir(&dir.path().join("loop")).is_err());
    }

    #[test]
    fn replacing_leaves_the_new_content_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d/snapshot.json");
        replace_private(&path, b"one").unwrap();
        replace_private(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_file_takes_the_place_of_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.zip");
        create_private(&path, b"one").unwrap();
        let error = create_private(&path, b"two").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_takes_its_name_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let path = dir.path().join("out");
        fs::write(&path, "old").unwrap();
        let mut given_up = Fresh::of(&path).unwrap();
        given_up.write_all(b"half").unwrap();
        drop(given_up);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let mut fresh = Fresh::of(&path).unwrap();
        fresh.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        fresh.publish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o755);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        for other in ["/dev/null", "/", "/no/such/place"] {
            assert!(Fresh::of(Path::new(other)).is_err(), "{other}");
        }
    }
}
