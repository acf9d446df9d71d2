//! Steps through JSON text without building anything.
//!
//! Strings are leapt over; nothing is checked that is not needed to find where a value ends. The
//! text comes from a parser that has checked it, or it is a piece of one, which ends anywhere.

use std::borrow::Cow;

use crate::wire::leap;

/// A place in a JSON text.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    source: &'a str,
    at: usize,
}

/// The text is no JSON at this place, or ends here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Syntax;

/// A string's text as it stands between the quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Literal<'a> {
    /// Still escaped.
    pub(super) raw: &'a str,
    /// Whether there is a backslash at all.
    pub(super) escaped: bool,
    /// Whether an escape may stand for a character that could also stand for itself.
    pub(super) disguised: bool,
    /// Whether the closing quote is there.
    pub(super) closed: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    /// The byte offset.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is no white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = &self.source.as_bytes()[self.at..];
        let blank = rest
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += blank.unwrap_or(rest.len());
        rest.get(blank?).copied()
    }

    /// Steps over `byte` if it is next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Steps over `byte`, which has to be next.
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Syntax> {
        if self.take(byte) { Ok(()) } else { Err(Syntax) }
    }

    /// Steps over a string; one that is not closed goes to the end.
    pub(super) fn string(&mut self) -> Result<Literal<'a>, Syntax> {
        self.string_within(usize::MAX)
    }

    /// Steps over a string; of a longer one than `limit` bytes the beginning stands for the whole,
    /// as if the text ended there.
    pub(super) fn string_within(&mut self, limit: usize) -> Result<Literal<'a>, Syntax> {
        self.expect(b'"')?;
        let (start, bytes) = (self.at, self.source.as_bytes());
        let (mut escaped, mut disguised, mut from) = (false, false, start);
        while from - start <= limit {
            let Some(found) = leap::stop(bytes, from) else {
                break;
            };
            if bytes[found] == b'"' {
                self.at = found + 1;
                return Ok(Literal {
                    raw: &self.source[start..found],
                    escaped,
                    disguised,
                    closed: true,
                });
            }
            escaped = true;
            disguised |= matches!(bytes.get(found + 1), Some(b'u' | b'/'));
            from = (found + 2).min(bytes.len());
        }
        self.at = bytes.len();
        Ok(Literal {
            raw: beginning(&self.source[start..], limit),
            escaped,
            disguised,
            closed: false,
        })
    }

    /// Steps over a number, `true`, `false` or `null`.
    pub(super) fn scalar(&mut self) -> Result<&'a str, Syntax> {
        self.peek();
        let rest = &self.source[self.at..];
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let end = rest.find(|c| !plain(c)).unwrap_or(rest.len());
        self.at += end;
        if end == 0 {
            Err(Syntax)
        } else {
            Ok(&rest[..end])
        }
    }

    /// Steps over a value, however deep.
    pub(super) fn skip(&mut self) -> Result<(), Syntax> {
        let mut depth = 0_usize;
        loop {
            match self.peek().ok_or(Syntax)? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    self.at += 1;
                    depth += 1;
                }
                b'}' | b']' => {
                    self.at += 1;
                    depth = depth.checked_sub(1).ok_or(Syntax)?;
                }
                b',' | b':' if depth > 0 => self.at += 1,
                _ => {
                    self.scalar()?;
                }
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Calls `member` with each key of an object, at its value; skips what is no object.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&str, &mut Self) -> Result<(), Syntax>,
    ) -> Result<(), Syntax> {
        if !self.take(b'{') {
            return self.skip();
        }
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string()?.decode();
            self.expect(b':')?;
            member(&key, self)?;
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// Calls `item` at each element of an array; skips what is no array.
    pub(super) fn array(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), Syntax>,
    ) -> Result<(), Syntax> {
        if !self.take(b'[') {
            return self.skip();
        }
        if self.take(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.take(b',') {
                return self.expect(b']');
            }
        }
    }
}

impl<'a> Literal<'a> {
    /// At most `limit` bytes from the beginning; an escape that is cut there is lost in decoding.
    pub(super) fn head(self, limit: usize) -> Self {
        Self {
            raw: beginning(self.raw, limit),
            ..self
        }
    }

    /// The text that is meant. Half a surrogate pair becomes U+FFFD, because a string with one is
    /// searched like any other.
    pub(super) fn decode(self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut text = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
            text.push_str(&rest[..at]);
            let escape = &rest[at + 1..];
            let used = match escape.bytes().next() {
                Some(b'u') => unicode(escape, &mut text),
                Some(byte) if byte.is_ascii() => {
                    text.push(plain(byte));
                    1
                }
                _ => 0,
            };
            rest = &escape[used..];
        }
        text.push_str(rest);
        Cow::Owned(text)
    }
}

/// At most `limit` bytes of a text, whole characters only.
pub(super) fn beginning(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn plain(escape: u8) -> char {
    match escape {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        other => char::from(other),
    }
}

/// Decodes `uXXXX`, or two of them, and says how long it was.
fn unicode(escape: &str, text: &mut String) -> usize {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 4)?;
        u32::from_str_radix(digits, 16).ok()
    };
    let Some(first) = unit(1) else {
        text.push(char::REPLACEMENT_CHARACTER);
        return 1;
    };
    let second = escape.get(5..7).filter(|mark| *mark == "\\u");
    if let (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) = (first, second.and_then(|_| unit(7))) {
        let pair = 0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00);
        text.push(char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER));
        return 11;
    }
    text.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
    5
}
