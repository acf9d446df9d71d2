//! Where the data lies: on which kind of disk, with how much room, and who may read it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::repair::Repair;
use super::{Check, files};
use crate::codes::Code;
use crate::paths::Paths;

/// Less than this is little: the room that is kept for refusals is twice as much.
const LITTLE: u64 = 64 << 20;
/// With less than this, it is worth knowing.
const SOME: u64 = 512 << 20;

/// Whether others may read or write what is kept.
pub(super) fn private(paths: &Paths) -> Check {
    const ID: &str = "data.private";
    let dir = &paths.data_dir;
    if !dir.exists() {
        return Check::ok(ID, &format!("{} is not there yet", dir.display()));
    }
    let mut found = Found::default();
    if let Err(error) = files::each(dir, |place, meta| found.see(place, meta)) {
        let fix = "give the directory back to your account";
        let detail = format!("{} cannot be read: {error}", dir.display());
        return Check::failed(ID, Code::DataFailed, &detail, fix);
    }
    if let Some(foreign) = found.foreign.first() {
        let detail = format!("{} belongs to another account", foreign.display());
        let fix = "give it back to your account (chown)";
        return Check::failed(ID, Code::DataFailed, &detail, fix);
    }
    let Some(open) = found.open.first() else {
        let dir = dir.display();
        return Check::ok(ID, &format!("{dir} is for this account alone"));
    };
    let more = match found.open.len() {
        1 => String::new(),
        all => format!(", and {} more", all - 1),
    };
    let detail = format!("open to other accounts: {}{more}", open.display());
    let fix = "chaperone doctor --fix";
    // What lies in a closed directory is reached by nobody else.
    let found_open = if open == dir {
        Check::failed(ID, Code::DataOpen, &detail, fix)
    } else {
        Check::warning(ID, Code::DataOpen, &detail, fix)
    };
    found_open.repaired_by(Repair::Close(found.open))
}

#[derive(Default)]
struct Found {
    open: Vec<PathBuf>,
    foreign: Vec<PathBuf>,
}

impl Found {
    fn see(&mut self, place: &Path, meta: &fs::Metadata) {
        match kind(place, meta) {
            Kind::Ours => {}
            Kind::Open => self.open.push(place.to_owned()),
            Kind::Foreign => self.foreign.push(place.to_owned()),
        }
    }
}

enum Kind {
    Ours,
    Open,
    Foreign,
}

#[cfg(unix)]
fn kind(_place: &Path, meta: &fs::Metadata) -> Kind {
    use std::os::unix::fs::MetadataExt as _;
    if meta.uid() != rustix::process::geteuid().as_raw() {
        Kind::Foreign
    } else if meta.mode() & 0o077 != 0 {
        Kind::Open
    } else {
        Kind::Ours
    }
}

/// What cannot be asked about counts as open.
#[cfg(windows)]
fn kind(place: &Path, _meta: &fs::Metadata) -> Kind {
    use crate::acl::{self, Access, Forbidden};
    let told = acl::account().and_then(|account| Ok((account, acl::of_path(place)?)));
    let Ok((account, told)) = told else {
        return Kind::Open;
    };
    match Access::parse(&told).filter(|access| access.is_owned_by(&[account])) {
        None => Kind::Foreign,
        Some(access) => match access.open_to(&[account], Forbidden::Everything) {
            Some(_others) => Kind::Open,
            None => Kind::Ours,
        },
    }
}

/// Whether the log's directory is on a disk of this machine.
pub(super) fn local(paths: &Paths) -> Check {
    const ID: &str = "log.disk";
    let dir = existing(&paths.data_dir);
    match remote(dir) {
        Ok(None) => Check::ok(ID, &format!("{} is on a local disk", dir.display())),
        Ok(Some(kind)) => {
            let detail = format!("{} is on a disk of another machine ({kind})", dir.display());
            let fix =
                "let it lie on a local disk: CHAPERONE_DATA_DIR, or data_dir in the managed file";
            Check::failed(ID, Code::LogDisk, &detail, fix)
        }
        Err(error) => {
            let detail = format!("the disk of {} cannot be looked at: {error}", dir.display());
            Check::note(ID, &detail)
        }
    }
}

/// Whether there is room for records.
pub(super) fn room(paths: &Paths) -> Check {
    const ID: &str = "log.room";
    let dir = existing(&paths.data_dir);
    let fix = "make room on that disk: without a record no call is made";
    match free(dir) {
        Ok(free) => {
            let detail = format!("{} free for {}", crate::sync::Size(free), dir.display());
            match free {
                0..LITTLE => Check::failed(ID, Code::LogRoom, &detail, fix),
                LITTLE..SOME => Check::warning(ID, Code::LogRoom, &detail, fix),
                _ => Check::ok(ID, &detail),
            }
        }
        Err(error) => Check::note(ID, &format!("{}: {error}", dir.display())),
    }
}

/// Bytes that this account may still write.
#[cfg(unix)]
fn free(dir: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(dir)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Bytes that this account may still write.
#[cfg(windows)]
fn free(dir: &Path) -> io::Result<u64> {
    let mut free = 0;
    winsafe::GetDiskFreeSpaceEx(dir.to_str(), Some(&mut free), None, None)
        .map_err(io::Error::other)?;
    Ok(free)
}

/// The nearest directory that is there.
fn existing(dir: &Path) -> &Path {
    dir.ancestors().find(|dir| dir.exists()).unwrap_or(dir)
}

/// The kind of a disk that is not of this machine.
#[cfg(target_os = "linux")]
fn remote(dir: &Path) -> io::Result<Option<String>> {
    /// `statfs(2)`
    const NUMBERS: [(u64, &str); 9] = [
        (0x6969, "nfs"),
        (0x517B, "smb"),
        (0xFF53_4D42, "cifs"),
        (0xFE53_4D42, "smb2"),
        (0x0102_1997, "9p"),
        (0x5346_414F, "afs"),
        (0x00C3_6400, "ceph"),
        (0x7375_7245, "coda"),
        (0x564C, "ncp"),
    ];
    const FUSE: u64 = 0x6573_5546;
    // The number is signed on some machines and has 32 bits.
    let number = u64::try_from(rustix::fs::statfs(dir)?.f_type & 0xFFFF_FFFF).unwrap_or(0);
    if number == FUSE {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let kind = mounted(&mounts, &fs::canonicalize(dir)?);
        let is_remote = |kind: &String| {
            ["sshfs", "s3fs", "rclone", "davfs", "gvfsd"]
                .iter()
                .any(|one| kind.contains(one))
        };
        return Ok(kind.filter(is_remote));
    }
    let known = NUMBERS.iter().find(|(known, _)| *known == number);
    Ok(known.map(|(_, kind)| (*kind).to_owned()))
}

/// The kind of the file system that is mounted nearest to a directory (`proc_pid_mountinfo(5)`).
#[cfg(target_os = "linux")]
fn mounted(mounts: &str, dir: &Path) -> Option<String> {
    let place = |line: &str| Some(PathBuf::from(line.split(' ').nth(4)?));
    let holds = |line: &&str| place(line).is_some_and(|place| dir.starts_with(place));
    let depth = |line: &&str| place(line).map_or(0, |place| place.components().count());
    let nearest = mounts.lines().filter(holds).max_by_key(depth)?;
    let (_, kind) = nearest.split_once(" - ")?;
    kind.split(' ').next().map(str::to_owned)
}

/// The system says whether a disk is its own (`statfs(2)`, `MNT_LOCAL`).
#[cfg(target_os = "macos")]
fn remote(dir: &Path) -> io::Result<Option<String>> {
    const MNT_LOCAL: u32 = 0x1000;
    let is_local = rustix::fs::statfs(dir)?.f_flags & MNT_LOCAL != 0;
    Ok((!is_local).then(|| "mounted over the network".to_owned()))
}

/// A drive of another machine is spelled as a share when links are followed.
#[cfg(windows)]
fn remote(dir: &Path) -> io::Result<Option<String>> {
    use std::path::{Component, Prefix};
    let real = fs::canonicalize(dir)?;
    let share = real.components().find_map(|part| match part {
        Component::Prefix(prefix) => match prefix.kind() {
            Prefix::UNC(..) | Prefix::VerbatimUNC(..) => Some("a network share".to_owned()),
            Prefix::Verbatim(_)
            | Prefix::VerbatimDisk(_)
            | Prefix::DeviceNS(_)
            | Prefix::Disk(_) => None,
        },
        Component::RootDir | Component::CurDir | Component::ParentDir | Component::Normal(_) => {
            None
        }
    });
    Ok(share)
}

/// Nothing is known of it here.
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn remote(_dir: &Path) -> io::Result<Option<String>> {
    Ok(None)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::State;
    use super::*;

    fn paths(dir: &Path) -> Paths {
        Paths::find(Some(dir.join("c.toml")), Some(dir.join("data"))).unwrap()
    }

    #[test]
    fn what_others_may_read_is_found_and_closed() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        assert_eq!(private(&paths).state, State::Ok);
        crate::paths::open_private(&paths.data_dir.join("servers/x")).unwrap();
        crate::paths::private_dir(&paths.data_dir).unwrap();
        assert_eq!(private(&paths).state, State::Ok, "{:?}", private(&paths));
        let file = paths.data_dir.join("servers/x");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let found = private(&paths);
        assert_eq!(
            (found.state, found.code),
            (State::Warning, Some(Code::DataOpen))
        );
        let Some(Repair::Close(open)) = found.repair else {
            panic!("{found:?}");
        };
        assert_eq!(open, [file.as_path()]);
        super::super::repair::close(&open).unwrap();
        assert_eq!(private(&paths).state, State::Ok);
    }

    #[test]
    fn a_disk_is_looked_at_before_there_is_any_data() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        assert_eq!(local(&paths).state, State::Ok);
        assert!(room(&paths).detail.contains("free"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_nearest_mount_counts() {
        let mounts = "1 0 0:1 / / rw - ext4 /dev/a rw\n\
                      2 1 0:2 / /home/a/far rw,x shared:1 - fuse.sshfs host: rw\n\
                      3 1 0:3 / /home rw - btrfs /dev/b rw\n";
        let kind = |dir| mounted(mounts, Path::new(dir)).unwrap();
        assert_eq!(kind("/home/a/far/data"), "fuse.sshfs");
        assert_eq!(kind("/home/a/farther"), "btrfs");
        assert_eq!(kind("/tmp"), "ext4");
    }
}
