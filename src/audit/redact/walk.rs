//! One pass over a JSON text that copies it and leaves the secrets out.
//!
//! Nothing is copied before it has to be: a text without secrets is copied once, whole. A piece of
//! JSON that ends anywhere is walked as far as it goes; what cannot be read is searched as plain
//! text, so that no way of being malformed carries a secret through.

use std::borrow::Cow;
use std::ops::Range;

use super::cursor::{Cursor, Literal, Syntax, beginning};
use super::place::{self, Step};
use super::{MARK, PLACES_LIMIT, RedactedPlace, Redactor, quoted};

/// Deeper values are replaced whole. The parser that read the message allows as many.
const DEPTH_LIMIT: usize = 127;
/// How many times a string may hold JSON that holds a string that holds JSON.
const NESTING_LIMIT: usize = 4;
/// Longer strings name nothing.
const NAME_LIMIT: usize = 256;
/// Shorter strings hold no shape of a secret.
const SHORTEST: usize = 6;
/// Members that name what another member of the same object holds: `{"name": …, "value": …}`.
const NAMING: &[&str] = &["name", "key", "header", "field", "variable"];

/// How much of the text is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// Its beginning.
    Begun,
}

/// What a key says about values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    /// Its own is a secret.
    Secret,
    /// Its own may name a secret that is the object's `value`.
    Naming,
    /// Its own is a secret if another member says so.
    Value,
    /// Nothing.
    Plain,
}

/// The pass; see the module.
pub(super) struct Walk<'r, 'a> {
    redactor: &'r Redactor,
    source: &'a str,
    cursor: Cursor<'a>,
    extent: Extent,
    copied: usize,
    out: String,
    limit: usize,
    full: bool,
    /// Where the text came from, if it is inside another.
    base: Option<String>,
    nesting: usize,
    steps: Vec<Step<'a>>,
    /// Keys repeat; what was found out about the last few is kept.
    judged: [Option<(&'a str, Name)>; 16],
    places: Vec<RedactedPlace>,
}

impl<'r, 'a> Walk<'r, 'a> {
    /// A pass that keeps at most `limit` bytes.
    pub(super) fn new(
        redactor: &'r Redactor,
        source: &'a str,
        extent: Extent,
        limit: usize,
    ) -> Self {
        Self {
            redactor,
            source,
            cursor: Cursor::new(source),
            extent,
            copied: 0,
            out: String::new(),
            limit,
            full: false,
            base: None,
            nesting: 0,
            steps: Vec::new(),
            judged: [None; 16],
            places: Vec::new(),
        }
    }

    /// Walks a whole JSON value.
    pub(super) fn document(&mut self) -> Result<(), Syntax> {
        self.value()?;
        if self.cursor.peek().is_some() {
            return Err(Syntax);
        }
        self.copy(self.source.len());
        Ok(())
    }

    /// Walks JSON, or as much as there is of it, or a plain text.
    pub(super) fn anything(&mut self) {
        let json = self.nesting <= NESTING_LIMIT
            && matches!(self.cursor.peek(), Some(b'{' | b'['))
            && self.document().is_ok();
        if !json {
            self.plain(self.copied..self.source.len());
        }
    }

    /// The text, the places, and whether the text was too long and is only begun.
    pub(super) fn finish(self) -> (String, Vec<RedactedPlace>, bool) {
        (self.out, self.places, self.full)
    }

    /// The text, borrowed if nothing was found.
    pub(super) fn into_text(self) -> Cow<'a, str> {
        if self.out == self.source {
            Cow::Borrowed(self.source)
        } else {
            Cow::Owned(self.out)
        }
    }

    fn value(&mut self) -> Result<(), Syntax> {
        let start = self.start()?;
        match self.source.as_bytes()[start] {
            b'"' => self.string(),
            b'{' | b'[' if self.steps.len() >= DEPTH_LIMIT => self.replace(),
            b'{' => self.object(),
            b'[' => self.array(),
            _ => self.cursor.scalar().map(drop),
        }
    }

    fn object(&mut self) -> Result<(), Syntax> {
        self.cursor.expect(b'{')?;
        if self.cursor.take(b'}') {
            return Ok(());
        }
        // Set once a member of this object has said that its value is a secret.
        let mut named = false;
        loop {
            let key = self.cursor.string()?;
            let name = self.judge(key);
            self.cursor.expect(b':')?;
            self.steps.push(Step::Key(key));
            if name == Name::Secret || (named && name == Name::Value) {
                self.replace()?;
            } else {
                named |= name == Name::Naming && self.names_secret_next();
                self.value()?;
            }
            self.steps.pop();
            if !self.cursor.take(b',') {
                return self.cursor.expect(b'}');
            }
        }
    }

    fn array(&mut self) -> Result<(), Syntax> {
        self.cursor.expect(b'[')?;
        if self.cursor.take(b']') {
            return Ok(());
        }
        // An argument vector: `["--password", "…"]`.
        let mut flagged = false;
        for nth in 0.. {
            self.steps.push(Step::Item(nth));
            let flag = self.is_flag_next();
            if flagged && !flag {
                self.replace()?;
            } else {
                self.value()?;
            }
            flagged = flag;
            self.steps.pop();
            if !self.cursor.take(b',') {
                break;
            }
        }
        self.cursor.expect(b']')
    }

    /// The next value's text, if it is a short string.
    fn next_name(&mut self) -> Option<Cow<'a, str>> {
        let mut ahead = self.cursor.clone();
        let string = ahead.string().ok()?;
        (string.raw.len() <= NAME_LIMIT).then(|| string.decode())
    }

    fn names_secret_next(&mut self) -> bool {
        let name = self.next_name();
        name.is_some_and(|name| self.redactor.keys.names_secret(&name))
    }

    fn is_flag_next(&mut self) -> bool {
        let name = self.next_name();
        name.is_some_and(|name| {
            name.starts_with('-') && !name.contains('=') && self.redactor.keys.names_secret(&name)
        })
    }

    fn start(&mut self) -> Result<usize, Syntax> {
        self.cursor.peek().ok_or(Syntax)?;
        Ok(self.cursor.at())
    }

    /// Replaces the next value whole, unless it is one that hides nothing.
    fn replace(&mut self) -> Result<(), Syntax> {
        let start = self.start()?;
        let (secret, closed) = match self.source.as_bytes()[start] {
            b'"' => {
                let string = self.cursor.string()?;
                (string.decode(), string.closed)
            }
            b't' | b'f' | b'n' => return self.cursor.scalar().map(drop),
            _ => {
                let skipped = self.cursor.skip();
                if skipped.is_err() && self.extent == Extent::Whole {
                    return skipped;
                }
                let end = skipped.map_or(self.source.len(), |()| self.cursor.at());
                (Cow::Borrowed(&self.source[start..end]), skipped.is_ok())
            }
        };
        if secret == MARK {
            return Ok(());
        }
        self.note(&secret);
        self.copy(start);
        self.push("\"");
        self.push(MARK);
        if closed {
            self.push("\"");
            self.copied = self.cursor.at();
            return Ok(());
        }
        self.copied = self.source.len();
        Err(Syntax)
    }

    /// Searches a string value.
    fn string(&mut self) -> Result<(), Syntax> {
        let start = self.start()?;
        let string = self.cursor.string()?;
        if let Some(text) = self.searched(string) {
            self.copy(start);
            let literal = quoted(&text);
            self.push(if string.closed {
                &literal
            } else {
                &literal[..literal.len() - 1]
            });
            self.copied = self.cursor.at();
        }
        if string.closed { Ok(()) } else { Err(Syntax) }
    }

    /// Finds out what a key says, and searches it, because it may be a secret itself.
    fn judge(&mut self, key: Literal<'a>) -> Name {
        let slot =
            (key.raw.len() ^ usize::from(key.raw.as_bytes().first().copied().unwrap_or(0))) % 16;
        if let Some((raw, name)) = self.judged[slot]
            && raw == key.raw
        {
            return name;
        }
        let text = key.head(super::WINDOW).decode();
        let name = if self.redactor.keys.names_secret(&text) {
            Name::Secret
        } else if NAMING.contains(&&*text) {
            Name::Naming
        } else if text == "value" {
            Name::Value
        } else {
            Name::Plain
        };
        if !self.search_key(key) {
            self.judged[slot] = Some((key.raw, name));
        }
        name
    }

    /// Searches a key; returns whether it held something.
    fn search_key(&mut self, key: Literal<'a>) -> bool {
        let end = self.cursor.at();
        if let Some(text) = self.searched(key) {
            self.copy(end - key.raw.len() - 1 - usize::from(key.closed));
            self.push(&quoted(&text));
            self.copied = end;
            return true;
        }
        false
    }

    /// The redacted text of a string; nothing if there was nothing to redact.
    fn searched(&mut self, string: Literal<'a>) -> Option<String> {
        if string.raw.len() < SHORTEST {
            return None;
        }
        let first = string.raw.trim_ascii_start().as_bytes().first();
        let json = string.escaped && matches!(first, Some(b'{' | b'[' | b'\\'));
        if !json && !string.disguised && !self.redactor.shapes.may_hold(string.raw) {
            return None;
        }
        let text = string.decode();
        let extent = if string.closed {
            Extent::Whole
        } else {
            self.extent
        };
        let mut inner = Walk::new(self.redactor, &text, extent, usize::MAX);
        inner.base = Some(self.pointer());
        inner.nesting = self.nesting + 1;
        inner.places = std::mem::take(&mut self.places);
        inner.anything();
        self.places = std::mem::take(&mut inner.places);
        match inner.into_text() {
            Cow::Borrowed(_) => None,
            Cow::Owned(text) => Some(text),
        }
    }

    /// Searches a text that is no JSON.
    fn plain(&mut self, range: Range<usize>) {
        let text = &self.source[range.clone()];
        if self.redactor.shapes.may_hold(text) {
            let open = self.extent == Extent::Begun;
            for found in self.redactor.shapes.find(&self.redactor.keys, text, open) {
                self.note(&text[found.clone()]);
                self.copy(range.start + found.start);
                self.push(MARK);
                self.copied = range.start + found.end;
            }
        }
        self.copy(range.end);
    }

    /// Remembers what was taken out.
    fn note(&mut self, secret: &str) {
        if self.places.len() < PLACES_LIMIT {
            self.places.push(RedactedPlace {
                path: self.pointer(),
                digest: self.redactor.keyed_digest(secret),
            });
        }
    }

    fn pointer(&self) -> String {
        match &self.base {
            Some(base) => base.clone(),
            None => place::pointer(self.redactor, &self.steps),
        }
    }

    /// Copies the source up to `end`.
    fn copy(&mut self, end: usize) {
        let piece = &self.source[self.copied.min(end)..end];
        self.push(piece);
        self.copied = end;
    }

    /// Appends as much as is kept; what follows a cut is searched and not kept.
    fn push(&mut self, piece: &str) {
        let room = self.limit - self.out.len();
        if self.full || piece.len() > room {
            if !self.full {
                self.out.push_str(beginning(piece, room));
            }
            self.full = true;
            return;
        }
        self.out.push_str(piece);
    }
}
