//! Opens to the fuzz targets (`tests/fuzz`) what is private and reads what strangers send.
//!
//! Exists under `cfg(fuzzing)` alone, which `cargo fuzz` sets. It holds no property of its own: it
//! feeds what it is given, piece by piece, to the code that is shipped.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use http::HeaderMap;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use tokio::io::{AsyncRead, ReadBuf};

use crate::front::LineLimit;
use crate::front::lines::{Line, Lines};
use crate::upstream::head;
use crate::upstream::sse::Decoder;

/// The lines of an input that comes in these pieces, `None` for one that is longer than `limit`.
/// At an empty piece nothing has come yet: whoever waits gives up, and asks again.
#[must_use]
pub fn lines(pieces: &[&[u8]], limit: usize) -> Vec<Option<Vec<u8>>> {
    let bound = LineLimit::default();
    bound.set(limit);
    let (piece, rest) = (&[][..], pieces.iter());
    let mut lines = Lines::new(Pieces { piece, rest }, bound);
    let mut found = Vec::new();
    loop {
        match lines.next().now_or_never() {
            None => {}
            Some(Ok(Some(Line::Text(text)))) => found.push(Some(text.to_vec())),
            Some(Ok(Some(Line::TooLong(_)))) => found.push(None),
            Some(Ok(None) | Err(_)) => return found,
        }
    }
}

/// An input that comes in pieces.
struct Pieces<'a> {
    /// What is left of the one that has come.
    piece: &'a [u8],
    rest: std::slice::Iter<'a, &'a [u8]>,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.piece.is_empty() {
            let Some(next) = self.rest.next() else {
                return Poll::Ready(Ok(()));
            };
            if next.is_empty() {
                return Poll::Pending;
            }
            self.piece = next;
        }
        let (now, later) = self.piece.split_at(self.piece.len().min(room.remaining()));
        room.put_slice(now);
        self.piece = later;
        Poll::Ready(Ok(()))
    }
}

/// A reader of server-sent events, over as many connections as it takes.
#[derive(Debug)]
pub struct Events(Decoder);

/// What one connection brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The data of its events.
    pub events: Vec<Vec<u8>>,
    /// Whether an event was refused for its length; nothing is read after it.
    pub too_large: bool,
}

impl Events {
    /// A reader that refuses events longer than `limit`.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Decoder::new(limit))
    }

    /// Hears a connection out, whose bytes come in these pieces.
    pub fn hear(&mut self, pieces: &[&[u8]]) -> Heard {
        self.0.restart();
        let mut heard = Heard::default();
        for piece in pieces {
            let mut rest = *piece;
            loop {
                match self.0.next(&mut rest) {
                    Ok(Some(data)) => heard.events.push(data),
                    Ok(None) => break,
                    Err(_) => {
                        heard.too_large = true;
                        return heard;
                    }
                }
            }
        }
        heard
    }

    /// The identity after which the stream is resumed.
    #[must_use]
    pub fn last_id(&self) -> Option<&str> {
        self.0.last_id()
    }

    /// The pause that the server wants before that.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.0.retry()
    }
}

/// The scope that a 403 with these `WWW-Authenticate` headers asks for.
#[must_use]
pub fn missing_scope(values: &[&str]) -> Option<String> {
    head::missing_scope(&challenges(values)).map(str::to_owned)
}

/// What a 401 with these `WWW-Authenticate` headers complains about.
#[must_use]
pub fn complaint(values: &[&str]) -> String {
    head::complaint(&challenges(values)).to_owned()
}

/// What no header can hold is left out.
fn challenges(values: &[&str]) -> HeaderMap {
    let mut head = HeaderMap::new();
    for value in values
        .iter()
        .filter_map(|value| HeaderValue::from_str(value).ok())
    {
        head.append(WWW_AUTHENTICATE, value);
    }
    head
}
