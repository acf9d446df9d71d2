//! What a server says, made safe to repeat.
//!
//! A server that echoes our own bearer must not hand it to the host or the record, and excerpts of
//! its bodies must not carry control characters to a terminal.

use std::sync::Arc;

use crate::bounds::EXCERPT;
use crate::login::Grant;
use crate::wire::Raw;
use crate::wording::is_invisible;
use memchr::memmem;

/// A shorter token is no secret, and would be found in innocent text.
const SHORTEST: usize = 8;
/// The part of a token that is looked for.
const TELLING: usize = 24;
const REDACTED: &str = "[REDACTED]";

/// Takes one request's bearer out of whatever comes back; tokens need no escape in JSON, so their
/// text is found in raw messages too.
#[derive(Debug, Clone, Default)]
pub(super) struct Scrubber {
    grant: Option<Arc<Grant>>,
}

impl Scrubber {
    pub(super) fn new(grant: Option<Arc<Grant>>) -> Self {
        Self { grant }
    }

    /// The same JSON without the bearer.
    pub(super) fn raw(&self, raw: Raw) -> Raw {
        match self.without_token(raw.get()) {
            Some(text) => Raw::parse(&text).unwrap_or_else(|_| Raw::empty_object()),
            None => raw,
        }
    }

    /// The beginning of a text, fit for an error message.
    pub(super) fn excerpt(&self, text: &str) -> Box<str> {
        clean(self.without_token(text).as_deref().unwrap_or(text))
    }

    fn without_token(&self, text: &str) -> Option<String> {
        let token = self.grant.as_ref()?.token().expose();
        if token.len() < SHORTEST || text.len() < token.len() {
            return None;
        }
        // The end of a token is unlike that of any other text, and quicker to look for than all of
        // it: preparing a search costs as much as the pattern is long.
        let end = &token.as_bytes()[token.len().saturating_sub(TELLING)..];
        memmem::find(text.as_bytes(), end)?;
        text.contains(token).then(|| text.replace(token, REDACTED))
    }
}

/// The beginning of a text without control and invisible characters.
pub(super) fn clean(text: &str) -> Box<str> {
    let mut excerpt = String::new();
    let visible = text
        .split_whitespace()
        .flat_map(|word| word.chars().chain([' ']));
    for (nth, c) in visible.filter(|c| !is_invisible(*c)).enumerate() {
        if nth == EXCERPT {
            excerpt.push('…');
            break;
        }
        excerpt.push(c);
    }
    excerpt.trim_end().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber(token: &str) -> Scrubber {
        Scrubber::new(Some(Grant::of(token, "subject")))
    }

    #[test]
    fn an_echoed_bearer_is_taken_out_and_nothing_else_changes() {
        let raw = Raw::parse(r#"{ "a": "Bearer tok.en-1", "n": 1e400 }"#).unwrap();
        let clean = scrubber("tok.en-1").raw(raw);
        assert_eq!(clean.get(), r#"{ "a": "Bearer [REDACTED]", "n": 1e400 }"#);
    }

    #[test]
    fn excerpts_are_short_and_plain() {
        let long = "x".repeat(500);
        assert_eq!(
            scrubber("t0k-t0k-").excerpt(&long).chars().count(),
            EXCERPT + 1
        );
        let hostile = "t0k-t0k-\u{1b}]52;c;evil\u{7}\r\n  next\u{202e}line";
        assert_eq!(
            &*scrubber("t0k-t0k-").excerpt(hostile),
            "[REDACTED]]52;c;evil nextline"
        );
    }
}
