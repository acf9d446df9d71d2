//! What is wrong with a document, and where.
//!
//! A reader reports into [`Problems`] and goes on, so that an administrator sees everything in one
//! go. The list is bounded: a file of another kind would otherwise be answered by a longer one.

use std::fmt;

use serde::Serialize;

/// More problems than a person mends before he tries again.
const LIMIT: usize = 100;
/// The longest piece of the user's text that a problem repeats, in characters.
const SHOWN: usize = 60;

/// One problem of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What is wrong, for a person.
    pub message: Box<str>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            message,
        } = self;
        write!(f, "line {line}, column {column}: {message}")
    }
}

/// A place in the document, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// Where a problem of the whole document is shown.
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spanned<T> {
    pub(super) place: Place,
    pub(super) value: T,
}

/// Collects problems; the first hundred are kept.
#[derive(Debug, Default)]
pub(super) struct Problems {
    kept: Vec<Problem>,
    last: Option<Place>,
    dropped: bool,
}

impl Problems {
    pub(super) fn add(&mut self, place: Place, message: impl Into<Box<str>>) {
        self.last = self.last.max(Some(place));
        if self.kept.len() == LIMIT {
            self.dropped = true;
            return;
        }
        self.kept.push(Problem {
            line: place.line,
            column: place.column,
            message: message.into(),
        });
    }

    /// Takes over what another reading has found.
    pub(super) fn append(&mut self, other: Self) {
        for Problem {
            line,
            column,
            message,
        } in other.kept
        {
            self.add(Place { line, column }, message);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The problems in the order of the document.
    pub(super) fn into_sorted(mut self) -> Vec<Problem> {
        self.kept
            .sort_by_key(|problem| (problem.line, problem.column));
        if let (true, Some(place)) = (self.dropped, self.last) {
            self.kept.push(Problem {
                line: place.line,
                column: place.column,
                message: "there are more problems up to here".into(),
            });
        }
        self.kept
    }
}

/// The user's text in quotes, with what cannot be seen escaped and the rest of a long one cut.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
