//! Lines of bounded length.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::bounds::LINE;

/// How much room there is for each read; what a pipe holds.
const CHUNK: usize = 64 * 1024;
/// The largest buffer that is kept when it is empty.
const KEPT: usize = 1024 * 1024;

/// The longest line that is read, in bytes without the line feed; clones share it. It can be set
/// while lines are read, because a session is opened before the configuration is.
#[derive(Debug, Clone)]
pub struct LineLimit(Arc<AtomicUsize>);

impl LineLimit {
    /// Sets the limit for the lines to come.
    pub fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for LineLimit {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(LINE)))
    }
}

/// A line that says something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Its bytes, without the line feed.
    Text(&'a [u8]),
    /// It is longer than this limit; the rest of it is skipped.
    TooLong(usize),
}

/// Lines as they come; blank ones are left out.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Where the next line begins; what stands before has been handed out.
    start: usize,
    /// Where the search for its end goes on.
    searched: usize,
    limit: LineLimit,
    /// Whether the bytes up to the next line feed belong to a line that is too long.
    skipping: bool,
}

enum Found {
    Text(Range<usize>),
    TooLong(usize),
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The lines of `reader`, none longer than `limit`.
    pub(crate) fn new(reader: R, limit: LineLimit) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            limit,
            skipping: false,
        }
    }

    /// The next line, or `None` at the end. A last line needs no line feed.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        Ok(match self.find().await? {
            Some(Found::Text(range)) => Some(Line::Text(&self.buffer[range])),
            Some(Found::TooLong(limit)) => Some(Line::TooLong(limit)),
            None => None,
        })
    }

    async fn find(&mut self) -> io::Result<Option<Found>> {
        loop {
            if let Some(found) = self.buffered() {
                return Ok(Some(found));
            }
            self.make_room();
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                let rest = self.take(self.buffer.len());
                return Ok(self.text(rest));
            }
        }
    }

    /// The next line of what has been read.
    fn buffered(&mut self) -> Option<Found> {
        while let Some(at) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
            let range = self.take(self.searched + at);
            (self.start, self.searched) = (range.end + 1, range.end + 1);
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if let Some(found) = self.text(range) {
                return Some(found);
            }
        }
        self.searched = self.buffer.len();
        if self.skipping {
            self.forget();
            return None;
        }
        let limit = self.limit.bytes();
        (self.buffer.len() - self.start > limit).then(|| {
            self.skipping = true;
            self.forget();
            Found::TooLong(limit)
        })
    }

    fn take(&mut self, end: usize) -> Range<usize> {
        let range = self.start..end;
        (self.start, self.searched) = (end, end);
        range
    }

    fn text(&self, range: Range<usize>) -> Option<Found> {
        let limit = self.limit.bytes();
        if range.len() > limit {
            return Some(Found::TooLong(limit));
        }
        let blank = self.buffer[range.clone()].trim_ascii().is_empty();
        (!blank).then_some(Found::Text(range))
    }

    fn forget(&mut self) {
        self.buffer.clear();
        (self.start, self.searched) = (0, 0);
    }

    /// Moves what is left to the front, and gives back the room that one long line took.
    fn make_room(&mut self) {
        if self.start == self.buffer.len() {
            self.forget();
            if self.buffer.capacity() > KEPT {
                self.buffer = Vec::new();
            }
        } else if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.buffer.reserve(CHUNK);
    }
}

#[cfg(test)]
mod tests;
