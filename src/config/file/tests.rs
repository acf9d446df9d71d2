//! Whose files are read, and which are not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

const OWNERS: Owners = Owners {
    administrator: 0,
    account: 1000,
};

fn file(trust: Trust, uid: u32, mode: u32) -> &'static str {
    let found = Standing { uid, mode };
    match OWNERS.judge_file(Path::new("f"), found, trust) {
        Ok(()) => "read",
        Err(FileError::NotAdministrators(_)) => "not the administrator's",
        Err(FileError::NotYours(_)) => "not yours",
        Err(FileError::Writable(_)) => "writable",
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn files_count_by_owner_and_mode() {
    use Trust::{Account, Administrator};
    for (trust, uid, mode, expected) in [
        (Administrator, 0, 0o644, "read"),
        (Administrator, 0, 0o600, "read"),
        (Administrator, 0, 0o664, "writable"),
        (Administrator, 0, 0o646, "writable"),
        (Administrator, 1000, 0o644, "not the administrator's"),
        (Administrator, 1001, 0o644, "not the administrator's"),
        (Account, 1000, 0o600, "read"),
        (Account, 1000, 0o644, "read"),
        (Account, 0, 0o644, "read"),
        (Account, 1001, 0o644, "not yours"),
        (Account, 1000, 0o660, "writable"),
        (Account, 1000, 0o602, "writable"),
        (Account, 0, 0o666, "writable"),
    ] {
        assert_eq!(file(trust, uid, mode), expected, "{trust:?} {uid} {mode:o}");
    }
}

#[test]
fn a_private_key_is_read_by_its_owner_alone() {
    let judge = |uid, mode| OWNERS.judge_key(Path::new("k"), Standing { uid, mode });
    for (uid, mode) in [(1000, 0o600), (1000, 0o400), (0, 0o600), (0, 0o640)] {
        assert!(judge(uid, mode).is_ok(), "{uid} {mode:o}");
    }
    for (uid, mode) in [(1000, 0o640), (1000, 0o604), (0, 0o644), (0, 0o660)] {
        let told = judge(uid, mode).unwrap_err().to_string();
        assert!(told.contains("chmod go="), "{uid} {mode:o}: {told}");
    }
    assert!(matches!(judge(1001, 0o600), Err(FileError::NotYours(1001))));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.pem");
    let put = |length: usize| {
        fs::write(&path, vec![b'k'; length]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        read_private_key(&path)
    };
    assert_eq!(put(7).unwrap().as_slice(), b"kkkkkkk");
    assert_eq!(put(KEY_LIMIT).unwrap().len(), KEY_LIMIT);
    assert!(matches!(put(KEY_LIMIT + 1), Err(FileError::KeySize)));
    assert!(matches!(
        read_private_key(dir.path()),
        Err(FileError::NotPlain)
    ));
}

#[test]
fn directories_count_by_owner_and_mode_and_place() {
    let judge = |uid, mode, above| {
        OWNERS
            .judge_directory(Path::new("d"), Standing { uid, mode }, above)
            .is_ok()
    };
    assert!(judge(0, 0o755, false));
    assert!(judge(0, 0o1777, true));
    assert!(!judge(0, 0o1777, false), "anybody may have put it there");
    assert!(!judge(0, 0o777, true));
    assert!(!judge(0, 0o775, false));
    assert!(!judge(1000, 0o755, true));
}

#[test]
fn what_is_no_text_of_ours_is_refused_and_does_not_block() {
    let dir = tempfile::tempdir().unwrap();
    let read = |name: &str| Owners::of_system().read(&dir.path().join(name), Trust::Account);
    rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("pipe"), 0o600.into()).unwrap();
    assert!(matches!(read("pipe"), Err(FileError::NotPlain)));
    assert!(matches!(read(""), Err(FileError::NotPlain)));
    assert!(read("absent").unwrap_err().is_absence());
    fs::write(dir.path().join("latin"), b"ab\xe4").unwrap();
    assert!(matches!(read("latin"), Err(FileError::Encoding(2))));
    File::create(dir.path().join("huge"))
        .unwrap()
        .set_len(SIZE_LIMIT + 1)
        .unwrap();
    assert!(matches!(read("huge"), Err(FileError::Size)));
}

#[test]
fn a_link_to_the_administrators_file_leads_through_trusted_directories_only() {
    let dir = tempfile::tempdir().unwrap();
    let me = rustix::process::geteuid().as_raw();
    let owners = Owners {
        administrator: me,
        account: me,
    };
    let open = dir.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::write(open.join("managed.toml"), "").unwrap();
    symlink(open.join("managed.toml"), dir.path().join("link")).unwrap();
    let read = || owners.read(&dir.path().join("link"), Trust::Administrator);
    assert_eq!(read().unwrap(), "");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(read(), Err(FileError::Directory(path)) if path.ends_with("open")));
}
