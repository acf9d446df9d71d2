//! The tail: the newest records, in a file beside the database, until they are carried into it.
//!
//! A commit of SQLite writes a page twice over and takes six file locks, twice for every call. The
//! records of calls are appended here instead, by one write of the records alone. Whatever commits
//! the long way carries the tail over first, in order, in its own transaction; so does whoever finds that
//! a thousand records wait or that the room for them is filled, and the writer after a second. Like the
//! write-ahead log the file belongs to the database: what is in it is part of the log.
//!
//! The file is a head and frames. Each of them ends with a seal: a number (of the head: how many
//! records the database had; of a frame: the record's), eight bytes (of the head: which log it is; of
//! a frame: the beginning of a digest of it), and whether the tail is open. A process may append where
//! the tail ends with the very seal with which this process knows it to end: then nobody has written
//! since, here or in the database, because whoever commits there changes the seal beforehand. All of
//! that happens under a kernel lock on the file.
//!
//! Signed heads stand between the records, in durability `process` after 256 of them. In durability
//! `strict` one follows the records that are appended together, and all of it is on the disk before
//! anybody hears of it. What the disk then has to write should be that alone, so the file does not
//! shrink, and frames are written over those of earlier times; four bytes of nought say where they stop.
//! What is behind them is never taken for a frame of these times: its numbers are lower.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{self, FileId};
use super::process::within;
use crate::config::Durability;
use crate::lock::try_lock;
use crate::paths;

mod frame;

pub use frame::{Batch, Found, Frame, SignedHead};

use frame::{CLOSED, EMPTY, Mark, SEAL, STOP, Seal, is_stop, length, mark_of, parse, sealed};

/// By how much a file grows in which frames are to be written over what is there: then a flush has
/// nothing to write but these, not also how long the file is and where it lies.
const STEP: usize = 128 << 10;
/// How much of that a tail keeps that begins anew. Whoever carries it over has as much in memory, twice.
const ROOM: u64 = 1 << 20;
/// Whoever reads what somebody else brought reads no more of it; no tail is near as long.
const LONGEST: u64 = 256 << 20;
/// A seal and what stops after it.
const ENDING: usize = SEAL + STOP.len();

/// The tail as this process knows it.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    file: File,
    /// Which log it belongs to.
    mark: Mark,
    end: u64,
    /// With what it ends; `None` if that has to be found out.
    seal: Option<Seal>,
}

/// The right to change the tail, given back when dropped.
#[derive(Debug)]
pub struct Turn<'t>(&'t mut Tail);

/// Where the tail of a database lies.
#[must_use]
pub fn place(database: &Path) -> PathBuf {
    file::beside(database, "-tail")
}

/// Whether there is a tail that records wait in.
#[must_use]
pub fn is_waiting(database: &Path) -> bool {
    let mut beginning = [0; ENDING];
    let tail = File::open(place(database));
    match tail.and_then(|tail| read_at(&tail, &mut beginning, 0)) {
        Ok(count) => count > SEAL && !is_stop(&beginning[SEAL..count]),
        // Elsewhere nobody may even read what another has locked.
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Reads the tail of a log without taking part. What is being appended at this moment is not there
/// yet.
///
/// # Errors
/// What the system says. A tail that does not exist holds nothing.
pub fn read(database: &Path, log_id: &str) -> io::Result<Found> {
    let mut bytes = Vec::new();
    let tail = File::open(place(database));
    match tail.and_then(|tail| tail.take(LONGEST).read_to_end(&mut bytes)) {
        Ok(_) => Ok(parse(&bytes, mark_of(log_id))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::default()),
        Err(error) => Err(error),
    }
}

impl Tail {
    /// Opens the tail of a log, making it if there is none.
    ///
    /// # Errors
    /// When it cannot be opened privately.
    pub fn open(database: &Path, log_id: &str) -> io::Result<Self> {
        let path = place(database);
        let file = paths::open_private(&path)?;
        if file.metadata()?.len() == 0 {
            paths::sync_directory(path.parent().unwrap_or(&path))?;
        }
        Ok(Self {
            file,
            path,
            mark: mark_of(log_id),
            end: 0,
            seal: None,
        })
    }

    /// Whether it still lies where it was opened.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        let there = std::fs::symlink_metadata(&self.path);
        let (there, own) = (there.map(|file| FileId::of(&file)), self.file.metadata());
        matches!((there, own), (Ok(there), Ok(own)) if there == FileId::of(&own))
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the turn if nobody has it.
    ///
    /// # Errors
    /// When the system has no locks there.
    pub fn try_turn(&mut self) -> io::Result<Option<Turn<'_>>> {
        Ok(try_lock(&self.file)?.map(|()| Turn(self)))
    }

    /// Takes the turn; others have it for a transaction at most. Blocks the thread.
    ///
    /// # Errors
    /// `TimedOut` if they have it for longer than `patience`, else as [`Tail::try_turn`].
    pub fn turn(&mut self, patience: Duration) -> io::Result<Turn<'_>> {
        within(patience, || try_lock(&self.file))?;
        Ok(Turn(self))
    }

    /// Writes at the end.
    fn write(&self, bytes: &[u8], durability: Durability) -> io::Result<()> {
        match durability {
            Durability::Process => write_at(&self.file, bytes, self.end),
            Durability::Strict => {
                self.make_room(self.end + length(bytes.len()))?;
                write_at(&self.file, bytes, self.end)?;
                self.file.sync_data()
            }
        }
    }

    /// How long the file is. Asking for more than that would have the next write note its time, which
    /// the disk would have to write too.
    fn length(&self) -> io::Result<u64> {
        (&self.file).seek(SeekFrom::End(0))
    }

    fn make_room(&self, end: u64) -> io::Result<()> {
        let mut until = self.length()?;
        while until < end {
            write_at(&self.file, &vec![0; STEP], until)?;
            until += length(STEP);
        }
        Ok(())
    }
}

impl Turn<'_> {
    /// Whether the tail is as this process left it, and open.
    #[must_use]
    pub fn is_current(&self) -> bool {
        let Some(seal) = self.0.seal else {
            return false;
        };
        let Some(start) = self.0.end.checked_sub(length(SEAL)) else {
            return false;
        };
        let mut last = [0; ENDING];
        let count = read_at(&self.0.file, &mut last, start).unwrap_or(0);
        count >= SEAL && last[..SEAL] == seal && is_stop(&last[SEAL..count])
    }

    /// Whether this would fill the room that a tail keeps.
    #[must_use]
    pub fn is_filled_by(&self, batch: &Batch) -> bool {
        self.0.end + length(batch.stopped_length()) > ROOM
    }

    /// Appends records to a tail that is current.
    ///
    /// # Errors
    /// What the system says; then nothing was appended.
    pub fn append(&mut self, batch: Batch, durability: Durability) -> io::Result<()> {
        let seal = batch.seal;
        let bytes = batch.stopped();
        let tail = &mut *self.0;
        if let Err(error) = tail.write(&bytes, durability) {
            tail.seal = None;
            // What is left of it is no record, and goes with the next transaction at the latest.
            let _cut = tail.file.set_len(tail.end);
            return Err(error);
        }
        tail.end += length(bytes.len() - STOP.len());
        tail.seal = Some(seal);
        Ok(())
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&mut self) -> io::Result<Found> {
        let known = self.is_current().then_some(self.0.end);
        let tail = &mut *self.0;
        // Until a transaction is through, this process knows less than the tail.
        tail.seal = None;
        let length = tail.length()?;
        let mark = tail.mark;
        // Behind its end there are only frames of earlier times.
        let bytes = self.bytes(known.unwrap_or(length))?;
        Ok(Found {
            length,
            ..parse(&bytes, mark)
        })
    }

    /// Its bytes up to there, or to the end of the file.
    ///
    /// # Errors
    /// What the system says.
    pub fn bytes(&self, end: u64) -> io::Result<Vec<u8>> {
        let mut file = &self.0.file;
        file.seek(SeekFrom::Start(0))?;
        let mut bytes = Vec::new();
        file.take(end).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Before the database is committed with `size` records: from now on nobody appends to the tail as
    /// it was `found`. No file grows by this, so that it is done on a full disk too.
    ///
    /// # Errors
    /// What the system says; then the database must not be committed.
    pub fn announce(&mut self, found: &Found, size: u64) -> io::Result<()> {
        let tail = &*self.0;
        if found.holds_nothing() {
            let head = sealed(size, tail.mark);
            if found.seal != Some(head) {
                write_at(&tail.file, &head, 0)?;
            }
            return Ok(());
        }
        match found.end.checked_sub(1) {
            Some(last) => write_at(&tail.file, &[CLOSED], last),
            None => Ok(()),
        }
    }

    /// After the database was committed with `size` records: the tail begins anew. The room that it may
    /// keep holds what is left of earlier frames.
    ///
    /// # Errors
    /// What the system says; then the tail stays closed until the next transaction.
    pub fn begin_anew(&mut self, found: &Found, size: u64, keeps_room: bool) -> io::Result<()> {
        let tail = &mut *self.0;
        let head = sealed(size, tail.mark);
        if !found.holds_nothing() {
            write_at(&tail.file, &[&head[..], &STOP].concat(), 0)?;
        }
        let most = if keeps_room { ROOM } else { EMPTY };
        if found.length > most {
            tail.file.set_len(most)?;
        }
        (tail.end, tail.seal) = (EMPTY, Some(head));
        Ok(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // If this fails, closing the file gives the lock back.
        let _given_back = self.0.file.unlock();
    }
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, at)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, at)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[count..];
        at += length(count);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
