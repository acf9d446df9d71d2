//! Texts: what is before them, how their lines end, and where in them something is.

use super::Unfit;
use crate::config::Place;

const MARK: &str = "\u{FEFF}";

/// The byte order mark, if there is one, and what follows it.
pub(super) fn open(bytes: &[u8]) -> Result<(&'static str, &str), Unfit> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let before = String::from_utf8_lossy(valid);
            return Err(unfit(&before, before.len(), "this is not UTF-8"));
        }
    };
    Ok(match text.strip_prefix(MARK) {
        Some(body) => (MARK, body),
        None => ("", text),
    })
}

/// How the lines of a text end: as its first does.
pub(super) fn line_end(text: &str) -> &'static str {
    match text.split_once('\n') {
        Some((line, _)) if line.ends_with('\r') => "\r\n",
        Some(_) | None => "\n",
    }
}

/// Where the line that holds a byte begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    before.rfind('\n').map_or(0, |newline| newline + 1)
}

/// The white space at the beginning of the line that holds a byte.
pub(super) fn indent(text: &str, at: usize) -> &str {
    let line = &text[line_start(text, at)..];
    let end = line.find(|c| c != ' ' && c != '\t').unwrap_or(line.len());
    &line[..end]
}

/// Whether there is nothing but white space before a byte in its line.
pub(super) fn begins_line(text: &str, at: usize) -> bool {
    text[line_start(text, at)..at].trim().is_empty()
}

/// Where a byte of a text is, for people.
#[must_use]
pub fn place(text: &str, at: usize) -> Place {
    let before = text.get(..at).unwrap_or(text);
    let line = &before[line_start(before, before.len())..];
    Place {
        line: before.matches('\n').count() + 1,
        column: line.trim_start_matches(MARK).chars().count() + 1,
    }
}

/// A refusal because of what is at a byte of a text.
pub(super) fn unfit(text: &str, at: usize, message: impl Into<Box<str>>) -> Unfit {
    Unfit {
        place: place(text, at),
        message: message.into(),
    }
}

/// The text with a part of it replaced.
pub(super) fn spliced(text: &str, from: usize, to: usize, with: &str) -> String {
    [&text[..from], with, &text[to..]].concat()
}
