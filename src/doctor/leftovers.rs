//! Files that a process left behind when it was killed in the middle of writing: [`paths::Fresh`] writes
//! beside the place of a file, under a name that nobody reads.
//!
//! [`paths::Fresh`]: crate::paths::Fresh

use std::fs::Metadata;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::repair::Repair;
use super::{Check, files};
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::paths::Paths;

/// Nobody writes a file for as long.
const OLD: u64 = 24 * 3600;

/// Whether there are any.
pub(super) fn look(paths: &Paths) -> Check {
    const ID: &str = "data.leftovers";
    let (now, mut found) = (SystemClock::new().now(), Vec::new());
    let looked = files::each(&paths.data_dir, |path, meta| {
        if meta.is_file() && is_leftover(path) && is_old(meta, now) {
            found.push(path.to_owned());
        }
    });
    if let Err(error) = looked {
        let detail = format!("{} cannot be read: {error}", paths.data_dir.display());
        return Check::note(ID, &detail);
    }
    match found.len() {
        0 => Check::ok(ID, "no file was left half written"),
        count => {
            let detail = format!(
                "{count} files were left half written; `chaperone doctor --fix` removes them"
            );
            Check::note(ID, &detail).repaired_by(Repair::Remove(found))
        }
    }
}

/// `.NAME.` and 32 hexadecimal digits.
fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let parts = name.and_then(|name| name.strip_prefix('.')?.rsplit_once('.'));
    parts.is_some_and(|(name, unique)| {
        let is_unique = unique.len() == 32 && unique.bytes().all(|byte| byte.is_ascii_hexdigit());
        !name.is_empty() && is_unique
    })
}

fn is_old(meta: &Metadata, now: Timestamp) -> bool {
    let written = meta.modified().ok();
    let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let written = written.map(|since| Timestamp::from_millis(0).after(since));
    written.is_some_and(|written| now.since(written).as_secs() > OLD)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::super::State;
    use super::*;

    #[test]
    fn what_was_left_half_written_is_found_when_it_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::find(Some(dir.path().join("c")), Some(dir.path().to_owned())).unwrap();
        let unique = "0190f5a0b1c27d3e8f4a5b6c7d8e9f00";
        let place = |name: &str| dir.path().join(name);
        let (old, new) = (
            place(&format!(".audit.{unique}")),
            place(&format!(".b.{unique}")),
        );
        for file in [
            &old,
            &new,
            &place("audit.db"),
            &place(".hidden"),
            &place(".x.00"),
        ] {
            let file = fs::File::create(file).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(1))
                .unwrap();
        }
        fs::write(&new, "x").unwrap();
        let found = look(&paths);
        let Some(Repair::Remove(files)) = found.repair else {
            panic!("{found:?}");
        };
        assert_eq!(files, [old.as_path()]);
        super::super::repair::remove(&files).unwrap();
        assert_eq!(look(&paths).state, State::Ok);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
    }
}
