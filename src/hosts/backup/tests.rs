//! Changes, the way back, and what stands in it.

use super::*;
use crate::hosts::Location;

struct Room {
    dir: tempfile::TempDir,
    backups: Backups,
}

impl Room {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let backups = Backups::new(dir.path().join("data/backups"));
        Self { dir, backups }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str) -> Result<HostFile, FileError> {
        HostFile::read(&Location {
            file: self.path(name),
            base: self.dir.path().to_owned(),
            is_installed: true,
        })
    }

    fn change(&self, name: &str, after: &[u8]) -> Change {
        let file = self.file(name).unwrap();
        let after = after.to_vec();
        Change { file, after }
    }

    fn make(&self, changes: &[Change]) -> Result<PathBuf, BackupError> {
        self.backups
            .make("cursor", Timestamp::from_millis(0), Leaves::Entry, changes)
    }

    fn undo(&self) -> Result<(), BackupError> {
        self.backups.way_back("cursor")?.go()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

#[test]
fn changes_are_taken_back_one_by_one() {
    let room = Room::new();
    fs::write(room.path("a"), b"\xff\r\none").unwrap();
    let place = room
        .make(&[room.change("a", b"two"), room.change("new/b", b"x")])
        .unwrap();
    assert!(
        place.ends_with("cursor/1970-01-01T00-00-00.000Z"),
        "{place:?}"
    );
    let place = room.make(&[room.change("a", b"three")]).unwrap();
    assert!(
        place.ends_with("cursor/1970-01-01T00-00-00.000Z-1"),
        "{place:?}"
    );
    room.undo().unwrap();
    assert_eq!(
        (room.text("a"), room.text("new/b")),
        ("two".into(), "x".into())
    );
    room.undo().unwrap();
    assert_eq!(fs::read(room.path("a")).unwrap(), b"\xff\r\none");
    assert!(!room.path("new/b").exists());
    assert!(matches!(room.undo(), Err(BackupError::None(_))));
}

#[test]
fn a_file_that_was_changed_since_is_left_alone_and_its_backup_is_named() {
    let room = Room::new();
    fs::write(room.path("a"), "one").unwrap();
    let place = room.make(&[room.change("a", b"two")]).unwrap();
    fs::write(room.path("a"), "mine").unwrap();
    match room.undo() {
        Err(BackupError::Changed { backup, .. }) => {
            assert!(backup.starts_with(place));
            assert_eq!(fs::read_to_string(backup).unwrap(), "one");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(room.text("a"), "mine");
}

#[test]
fn killed_between_backup_and_replacement_nothing_is_lost() {
    let room = Room::new();
    fs::write(room.path("a"), "one").unwrap();
    let changes = [room.change("a", b"two"), room.change("b", b"x")];
    room.backups
        .keep("cursor", Timestamp::from_millis(0), Leaves::Entry, &changes)
        .unwrap();
    assert_eq!(room.backups.way_back("cursor").unwrap().steps.len(), 0);
    room.undo().unwrap();
    assert_eq!(room.text("a"), "one");
    // Between the one and the other, the first is taken back.
    let changes = [room.change("a", b"two"), room.change("b", b"x")];
    room.backups
        .keep("cursor", Timestamp::from_millis(1), Leaves::Entry, &changes)
        .unwrap();
    changes[0].file.replace(b"two").unwrap();
    room.undo().unwrap();
    assert_eq!(room.text("a"), "one");
    assert!(!room.path("b").exists());
    // Before the list is written there is nothing to take back, and nothing was changed.
    fs::create_dir_all(room.path("data/backups/cursor/2999")).unwrap();
    assert!(matches!(room.undo(), Err(BackupError::None(_))));
}

#[test]
fn a_backup_that_was_tampered_with_is_not_put_back() {
    let room = Room::new();
    fs::write(room.path("a"), "one").unwrap();
    let place = room.make(&[room.change("a", b"two")]).unwrap();
    fs::write(place.join("0.before"), "evil").unwrap();
    assert!(matches!(room.undo(), Err(BackupError::Io { .. })));
    assert_eq!(room.text("a"), "two");
}

#[test]
fn a_file_that_changes_under_the_hand_is_not_overwritten() {
    let room = Room::new();
    fs::write(room.path("a"), "one").unwrap();
    let change = room.change("a", b"two");
    fs::write(room.path("a"), "theirs").unwrap();
    let error = room.make(&[change]).unwrap_err().to_string();
    assert!(error.contains("by another program"), "{error}");
    assert_eq!(room.text("a"), "theirs");
    let absent = room.change("b", b"two");
    fs::write(room.path("b"), "theirs").unwrap();
    assert!(room.make(&[absent]).is_err());
    assert_eq!(room.text("b"), "theirs");
}

#[test]
fn so_many_changes_are_kept_and_no_more() {
    let room = Room::new();
    for n in 0..=KEPT {
        fs::write(room.path("a"), "one").unwrap();
        let now = Timestamp::from_millis(i64::try_from(n).unwrap());
        let change = room.change("a", b"two");
        room.backups
            .make("cursor", now, Leaves::Nothing, &[change])
            .unwrap();
    }
    let left = dirs(&room.path("data/backups/cursor"));
    assert_eq!(left.len(), KEPT);
    assert!(left[0].ends_with("1970-01-01T00-00-00.001Z"));
}

#[cfg(unix)]
#[test]
fn modes_stay_links_are_followed_at_home_only_and_what_is_protected_is_left() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let room = Room::new();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(room.path("dotfiles")).unwrap();
    let real = room.path("dotfiles/a");
    fs::write(&real, "one").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("dotfiles/a", room.path("a")).unwrap();
    room.make(&[room.change("a", b"two")]).unwrap();
    let mode = || fs::metadata(&real).unwrap().permissions().mode() & 0o777;
    assert_eq!((room.text("dotfiles/a"), mode()), ("two".into(), 0o640));
    assert!(room.path("a").is_symlink());
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    room.undo().unwrap();
    assert_eq!((room.text("a"), mode()), ("one".into(), 0o640));
    // Out of the home, by the file or by a directory, whether it is there or not.
    fs::write(outside.path().join("x"), "x").unwrap();
    symlink(outside.path().join("x"), room.path("out")).unwrap();
    symlink(outside.path(), room.path("dir")).unwrap();
    for name in ["out", "dir/x", "dir/new"] {
        assert!(
            matches!(room.file(name), Err(FileError::Outside { .. })),
            "{name}"
        );
    }
    symlink(outside.path().join("none"), room.path("dangling")).unwrap();
    assert!(matches!(room.file("dangling"), Err(FileError::Io { .. })));
    symlink("self", room.path("self")).unwrap();
    assert!(matches!(room.file("self"), Err(FileError::Io { .. })));
    // Read-only, with a second name, or no file at all.
    let told = |name: &str| {
        room.make(&[room.change(name, b"y")])
            .unwrap_err()
            .to_string()
    };
    fs::write(room.path("ro"), "x").unwrap();
    fs::set_permissions(room.path("ro"), fs::Permissions::from_mode(0o444)).unwrap();
    assert!(told("ro").contains("read-only"));
    fs::write(room.path("hard"), "x").unwrap();
    fs::hard_link(room.path("hard"), room.path("second")).unwrap();
    assert!(told("hard").contains("second name"));
    fs::create_dir(room.path("folder")).unwrap();
    assert!(matches!(room.file("folder"), Err(FileError::Unfit { .. })));
    let huge = fs::File::create(room.path("huge")).unwrap();
    huge.set_len((64 << 20) + 1).unwrap();
    assert!(matches!(room.file("huge"), Err(FileError::Unfit { .. })));
}
