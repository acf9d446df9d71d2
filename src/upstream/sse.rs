//! Server-sent events (WHATWG HTML §9.2.6), decoded from chunks as they come.
//!
//! Bounded: an event's lines together are never longer than the limit, comments are dropped where
//! they stand, however long they are. Knows nothing of MCP.

use crate::bounds::EVENT_ID;
use std::time::Duration;

use memchr::memchr2;

/// Turns bytes into the data of events.
#[derive(Debug)]
pub(crate) struct Decoder {
    limit: usize,
    /// The line that has begun in an earlier chunk.
    line: Vec<u8>,
    /// The lines of data so far; there may have been an empty one.
    data: Option<Vec<u8>>,
    /// The event is of a type other than `message`.
    other_type: bool,
    last_id: Option<Box<str>>,
    /// The identity that counts once the event is complete; empty if there is to be none.
    coming_id: Option<Box<str>>,
    retry: Option<Duration>,
    /// The last line ended in a carriage return, so a line feed that follows belongs to it.
    after_return: bool,
    first_line: bool,
}

/// An event longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventTooLarge;

impl Decoder {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            data: None,
            other_type: false,
            last_id: None,
            coming_id: None,
            retry: None,
            after_return: false,
            first_line: true,
        }
    }

    /// The identity of the last complete event, to resume after it.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// How long the server wants a client to wait before it comes back.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Forgets what is incomplete, before a stream is resumed.
    pub(crate) fn restart(&mut self) {
        self.line.clear();
        self.coming_id = None;
        self.end_event();
        self.after_return = false;
        self.first_line = true;
    }

    /// Consumes from `input` up to the end of the next event, and returns its data; `None` when
    /// the input is used up before.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, EventTooLarge> {
        loop {
            if self.after_return && !input.is_empty() {
                self.after_return = false;
                *input = input.strip_prefix(b"\n").unwrap_or(input);
            }
            let Some(end) = memchr2(b'\n', b'\r', input) else {
                self.keep(input)?;
                *input = &[];
                return Ok(None);
            };
            let (head, rest) = input.split_at(end);
            self.after_return = rest.first() == Some(&b'\r');
            *input = rest.get(1..).unwrap_or_default();
            if let Some(data) = self.end_line(head)? {
                return Ok(Some(data));
            }
        }
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), EventTooLarge> {
        let comment = self.line.first().or(part.first()) == Some(&b':');
        let kept = if comment {
            part.get(..1).unwrap_or_default()
        } else {
            part
        };
        if comment && !self.line.is_empty() {
            return Ok(());
        }
        self.fits(self.line.len() + kept.len())?;
        self.line.extend_from_slice(kept);
        Ok(())
    }

    fn end_line(&mut self, head: &[u8]) -> Result<Option<Vec<u8>>, EventTooLarge> {
        if self.line.is_empty() {
            return self.field(head);
        }
        self.keep(head)?;
        let mut line = std::mem::take(&mut self.line);
        let outcome = self.field(&line);
        line.clear();
        // Keeps the room for the next long line, unless it is a lot.
        if line.capacity() <= 1 << 16 {
            self.line = line;
        }
        outcome
    }

    fn field(&mut self, line: &[u8]) -> Result<Option<Vec<u8>>, EventTooLarge> {
        let first = std::mem::replace(&mut self.first_line, false);
        let mark = if first {
            b"\xef\xbb\xbf".as_slice()
        } else {
            b""
        };
        let line = line.strip_prefix(mark).unwrap_or(line);
        if line.is_empty() {
            return Ok(self.end_event());
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let (name, rest) = line.split_at(colon);
        let value = rest.get(1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => self.add_data(value)?,
            b"event" => self.other_type = !matches!(value, b"" | b"message"),
            b"id" => self.set_id(value),
            b"retry" => self.set_retry(value),
            _ => {}
        }
        Ok(None)
    }

    fn add_data(&mut self, value: &[u8]) -> Result<(), EventTooLarge> {
        self.fits(value.len() + 1)?;
        match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            None => self.data = Some(value.to_vec()),
        }
        Ok(())
    }

    fn set_id(&mut self, value: &[u8]) {
        if let Ok(id) = std::str::from_utf8(value)
            && id.len() <= EVENT_ID
            && !id.contains('\0')
        {
            self.coming_id = Some(id.into());
        }
    }

    fn set_retry(&mut self, value: &[u8]) {
        let digits = std::str::from_utf8(value).ok();
        if let Some(millis) = digits.filter(|text| text.bytes().all(|b| b.is_ascii_digit())) {
            self.retry = millis
                .parse()
                .ok()
                .map(Duration::from_millis)
                .or(self.retry);
        }
    }

    fn end_event(&mut self) -> Option<Vec<u8>> {
        if let Some(id) = self.coming_id.take() {
            self.last_id = Some(id).filter(|id| !id.is_empty());
        }
        let other_type = std::mem::replace(&mut self.other_type, false);
        let data = self.data.take();
        data.filter(|data| !other_type && !data.is_empty())
    }

    fn fits(&self, more: usize) -> Result<(), EventTooLarge> {
        if self.data.as_ref().map_or(0, Vec::len) + more > self.limit {
            return Err(EventTooLarge);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(decoder: &mut Decoder, mut input: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(data) = decoder.next(&mut input).unwrap() {
            events.push(String::from_utf8(data).unwrap());
        }
        events
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        for (stream, expected) in [
            ("data: a\n\n", vec!["a"]),
            ("data:a\r\n\r\ndata:  b\r\r", vec!["a", " b"]),
            ("\u{feff}data: a\ndata: b\n\n", vec!["a\nb"]),
            (": comment\n\nid: 7\ndata\n\n", vec![]),
            (
                "event: ping\ndata: a\n\nevent: message\ndata: b\n\n",
                vec!["b"],
            ),
            ("data: cut off", vec![]),
            ("nonsense\nunknown: x\ndata: a\n\n", vec!["a"]),
        ] {
            let mut decoder = Decoder::new(100);
            assert_eq!(
                decode(&mut decoder, stream.as_bytes()),
                expected,
                "{stream:?}"
            );
        }
    }

    #[test]
    fn a_chunk_that_ends_after_a_return_and_its_line_feed_hides_no_empty_line() {
        let mut decoder = Decoder::new(100);
        assert!(decode(&mut decoder, b"data: a\r\n").is_empty());
        assert_eq!(decode(&mut decoder, b"\n"), ["a"]);
        assert!(decode(&mut decoder, b"data: b\r").is_empty());
        assert!(decode(&mut decoder, b"").is_empty());
        assert_eq!(decode(&mut decoder, b"\n\n"), ["b"]);
    }

    #[test]
    fn identity_and_pause_are_kept_for_the_next_connection() {
        let mut decoder = Decoder::new(100);
        decode(
            &mut decoder,
            b"id: 1\nretry: 250\ndata: \n\nid: a\0b\nretry: 1x\n\n",
        );
        assert_eq!(decoder.last_id(), Some("1"));
        assert_eq!(decoder.retry(), Some(Duration::from_millis(250)));
    }

    /// Otherwise a stream that breaks within an event would be resumed after it, and it be lost.
    #[test]
    fn an_identity_counts_when_its_event_is_complete() {
        let mut decoder = Decoder::new(100);
        decode(&mut decoder, b"id: 1\ndata: a\n\nid: 2\ndata: b\n");
        assert_eq!(decoder.last_id(), Some("1"));
        decoder.restart();
        assert_eq!(decode(&mut decoder, b"data: c\n\n"), ["c"]);
        assert_eq!(decoder.last_id(), Some("1"));
        decode(&mut decoder, b"id: 3\n\nid\n");
        assert_eq!(decoder.last_id(), Some("3"));
        decode(&mut decoder, b"\n");
        assert_eq!(decoder.last_id(), None);
    }

    #[test]
    fn an_endless_event_is_refused_and_an_endless_comment_is_dropped() {
        for piece in [
            "data: xxxxxxxxxx",
            "data: xxxxxxxxxx\n",
            "unknown: xxxxxxxxxx",
        ] {
            let mut decoder = Decoder::new(1000);
            let flood = piece.repeat(200);
            let mut input = flood.as_bytes();
            assert_eq!(decoder.next(&mut input), Err(EventTooLarge), "{piece:?}");
        }
        let mut decoder = Decoder::new(1000);
        for _ in 0..1000 {
            assert_eq!(decoder.next(&mut &b": xxxxxxxxxxxxxxxx"[..]), Ok(None));
        }
        assert!(decoder.line.len() <= 1);
        assert_eq!(decode(&mut decoder, b"\ndata: a\n\n"), ["a"]);
    }

    proptest! {
        #[test]
        fn where_chunks_are_cut_does_not_matter(
            stream in "(data: ?[a-z]{0,5}|id: [a-z]|:[a-z]{0,4}|event: [a-z]?|)(\n|\r\n|\r|\n\n|\r\r){1,2}".prop_map(|s| s.repeat(3)),
            cuts in proptest::collection::vec(0_usize..60, 0..8),
        ) {
            let bytes = stream.as_bytes();
            let whole = decode(&mut Decoder::new(1000), bytes);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            cuts.push(bytes.len());
            let (mut decoder, mut from, mut pieces) = (Decoder::new(1000), 0, Vec::new());
            for cut in cuts {
                pieces.extend(decode(&mut decoder, &bytes[from..cut]));
                from = cut;
            }
            prop_assert_eq!(pieces, whole);
        }
    }
}
