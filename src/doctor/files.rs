//! Looking at all that lies in the data directory.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

/// How many files are looked at: chaperone keeps fewer.
const MOST: usize = 20_000;

/// Shows a directory and what is in it, the outer before the inner, as long as there is not too much of
/// it. Links are not followed, and not ours.
///
/// # Errors
/// When a directory cannot be read.
pub(super) fn each(top: &Path, mut see: impl FnMut(&Path, &Metadata)) -> io::Result<()> {
    let mut left = MOST;
    let mut places = vec![top.to_owned()];
    while let Some(place) = places.pop() {
        let meta = match fs::symlink_metadata(&place) {
            // Other processes remove what they have done with.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        if meta.is_symlink() {
            continue;
        }
        if left == 0 {
            break;
        }
        left -= 1;
        see(&place, &meta);
        if meta.is_dir() {
            for entry in fs::read_dir(&place)? {
                places.push(entry?.path());
            }
        }
    }
    Ok(())
}
