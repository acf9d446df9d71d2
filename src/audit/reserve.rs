//! Room on the disk that is given up when there is none left: so much that refusals, and the outcomes of
//! calls under way, can still be recorded, and calls cannot be made until it is there again.
//!
//! It is a file of its own, not room within the database: records go into the write-ahead log first,
//! and into the database when that is carried over, so both have to be able to grow. What is given up
//! is anybody's for the taking, other programs' too; nothing within one account can prevent that.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::paths;

/// Some ten thousand refusals with what the write-ahead log takes of the disk before it begins anew.
const SIZE: u64 = 32 << 20;

/// How often it is tried to have the room again.
const RETRY: Duration = Duration::from_secs(1);

/// The room, as this process knows it.
#[derive(Debug, Default)]
pub struct Reserve {
    place: PathBuf,
    /// Since when there is none, and why.
    lack: Option<(Instant, io::ErrorKind)>,
}

impl Reserve {
    /// Says where the room is.
    pub fn set_place(&mut self, place: PathBuf) {
        self.place = place;
    }

    /// Why there is no room for calls, if so; tries to have it again, but not all the time.
    pub fn lack(&mut self) -> Option<io::ErrorKind> {
        let (since, _) = self.lack?;
        if since.elapsed() >= RETRY {
            self.keep();
        }
        self.lack.map(|(_, why)| why)
    }

    /// Keeps the room, if this process has not given it up: another one may have, or nobody may have kept
    /// any.
    pub fn look(&mut self) {
        if self.lack.is_none() {
            self.keep();
        }
    }

    /// Gives the room up; whether there was any left to give.
    pub fn give_up(&mut self) -> bool {
        let had_it = self.lack.is_none();
        give_up(&self.place);
        self.lack = Some((Instant::now(), io::ErrorKind::StorageFull));
        had_it
    }

    fn keep(&mut self) {
        let kept = keep(&self.place);
        self.lack = kept.err().map(|why| (Instant::now(), why.kind()));
    }
}

/// Makes sure that the room is kept. As much again has to be free when it is made: else what was given up
/// would be taken back, and given up, without end.
fn keep(place: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(place);
    if found.is_ok_and(|found| found.is_file() && found.len() >= SIZE) {
        return Ok(());
    }
    let file = paths::open_private(place)?;
    let kept = allocate(&file).and_then(|()| file.set_len(SIZE));
    if kept.is_err() {
        // A part of the room is of no use to anybody here.
        give_up(place);
    }
    kept
}

fn give_up(place: &Path) {
    match fs::remove_file(place) {
        Ok(()) => tracing::warn!("the disk is full; what was kept of it is given up for refusals"),
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, "the room for refusals cannot be given up"),
    }
}

#[cfg(unix)]
fn allocate(file: &File) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    match fallocate(file, FallocateFlags::empty(), 0, 2 * SIZE) {
        Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => write(file),
        other => Ok(other?),
    }
}

/// For file systems that promise nothing. Some of them compress; nothing can be made of this.
#[cfg(unix)]
fn write(file: &File) -> io::Result<()> {
    use std::io::Write as _;

    let mut buffered = io::BufWriter::with_capacity(1 << 16, file);
    for _ in 0..(2 * SIZE) >> 10 {
        buffered.write_all(&crate::random::bytes::<1024>())?;
    }
    buffered.flush()?;
    file.sync_all()
}

/// A file that is not sparse has all of its room at once (NTFS).
#[cfg(not(unix))]
fn allocate(file: &File) -> io::Result<()> {
    file.set_len(2 * SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_really_there_and_really_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("data").join("audit.reserve");
        for _again in 0..2 {
            keep(&place).unwrap();
            keep(&place).unwrap();
            let found = fs::metadata(&place).unwrap();
            assert_eq!(found.len(), SIZE);
            #[cfg(unix)]
            {
                use std::os::unix::fs::MetadataExt as _;
                assert!(found.blocks() * 512 >= SIZE);
                assert_eq!(found.mode() & 0o777, 0o600);
            }
            give_up(&place);
            give_up(&place);
            assert!(!place.exists());
        }
        // Half of it is none.
        fs::write(&place, "x").unwrap();
        keep(&place).unwrap();
        assert_eq!(fs::metadata(&place).unwrap().len(), SIZE);
    }

    #[cfg(unix)]
    #[test]
    fn where_nothing_is_promised_it_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let file = File::create(directory.path().join("f")).unwrap();
        write(&file).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 2 * SIZE);
    }

    #[test]
    fn what_cannot_be_kept_is_tried_again_and_not_all_the_time() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("audit.reserve");
        // Something else stands there.
        fs::create_dir(&place).unwrap();
        let mut reserve = Reserve::default();
        reserve.set_place(place.clone());
        reserve.look();
        assert!(reserve.lack().is_some());
        fs::remove_dir(&place).unwrap();
        assert!(reserve.lack().is_some(), "not tried so soon");
        reserve.lack = Some((
            Instant::now().checked_sub(RETRY).unwrap(),
            io::ErrorKind::Other,
        ));
        assert_eq!(reserve.lack(), None);
        // Another process gives it up and nothing is wrong: it is kept again.
        give_up(&place);
        reserve.look();
        assert!(reserve.lack().is_none() && place.exists());
        assert!(reserve.give_up());
        assert!(!reserve.give_up());
        assert_eq!(reserve.lack(), Some(io::ErrorKind::StorageFull));
        assert!(!place.exists());
    }
}
