//! The path under which hosts start chaperone: the one that stays the same when it is upgraded.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// The path to write into a host's configuration.
///
/// Symbolic links are kept: package managers lead a stable name to a directory with the version in
/// its name, which the next upgrade removes. A name on the search path comes first, since that is the
/// one which installers keep; then the way in which the program was started; then where it lies.
#[must_use]
pub fn stable(program: &Path, started_as: &Path, search: &[PathBuf]) -> PathBuf {
    let real = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    let is_it = |path: &PathBuf| fs::canonicalize(path).is_ok_and(|found| found == real);
    let name = program.file_name().unwrap_or_default();
    let called = started_as.file_name().unwrap_or(name);
    let mut searched = search.iter().filter(|directory| directory.is_absolute());
    let on_path = searched.find_map(|directory| {
        let mut paths = [called, name].into_iter().map(|name| directory.join(name));
        paths.find(is_it)
    });
    let as_started = || {
        let path = std::path::absolute(started_as).ok()?;
        Some(without_detours(&path)).filter(is_it)
    };
    on_path
        .or_else(as_started)
        .unwrap_or_else(|| program.to_owned())
}

/// The path without `..`, as if no directory on the way were a symbolic link.
fn without_detours(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            straight.pop();
        } else {
            straight.push(part);
        }
    }
    straight
}

/// Whether a command in a host's configuration starts chaperone, wherever it lies.
#[must_use]
pub fn is_chaperone(command: &str) -> bool {
    let name = command.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.strip_suffix(".exe").unwrap_or(name);
    name == "chaperone"
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_name_that_upgrades_keep_is_the_one() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let (bin, cellar) = (root.join("bin"), root.join("cellar/1.2.3"));
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(&cellar).unwrap();
        let program = cellar.join("chaperone");
        fs::write(&program, "").unwrap();
        symlink(&program, bin.join("chaperone")).unwrap();
        symlink(&program, root.join("mine")).unwrap();
        let found = |started: &Path, search: &[PathBuf]| stable(&program, started, search);
        let search = [PathBuf::from("relative"), root.clone(), bin.clone()];
        let bare = Path::new("chaperone");
        assert_eq!(found(bare, &search), bin.join("chaperone"));
        assert_eq!(found(&program, &search), bin.join("chaperone"));
        assert_eq!(found(&root.join("mine"), &[]), root.join("mine"));
        assert_eq!(found(bare, &[]), program);
        let detour = root.join("bin/../cellar/../mine");
        assert_eq!(found(&detour, &[]), root.join("mine"));
        symlink(root.join("cellar/1.2.3"), root.join("link")).unwrap();
        // Where a link makes the shorter path another one, the program's own is taken.
        let detour = root.join("link/../1.2.3/chaperone");
        assert_eq!(found(&detour, &[]), program);
        // Another program of that name on the search path is not taken for it.
        fs::remove_file(bin.join("chaperone")).unwrap();
        fs::write(bin.join("chaperone"), "other").unwrap();
        assert_eq!(found(&program, &search), program);
    }

    #[test]
    fn a_command_is_known_by_its_name() {
        for ours in [
            "chaperone",
            "/usr/bin/chaperone",
            r"C:\Program Files\Chaperone\chaperone.exe",
        ] {
            assert!(is_chaperone(ours), "{ours}");
        }
        for other in ["npx", "/usr/bin/chaperone-x", "", "chaperone/x"] {
            assert!(!is_chaperone(other), "{other}");
        }
    }
}
