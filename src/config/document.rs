//! One source as TOML with places, and the problems and values that reading it brings to light.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::absent;
use super::error::{Place, Position, Problem};
use super::{Setting, Source};
use crate::format::Newer;

/// The key by which a file says which format it has; it sets nothing.
const FORMAT: &str = "version";
/// Grows when a key changes its meaning; one that is added is told by its name.
const VERSION: i64 = 1;

/// The text of a source.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) source: Source,
    pub(super) text: String,
    /// Where the source is no text but names with values: the name that each line was made from.
    pub(super) entries: Vec<Box<str>>,
}

/// A source, read but not yet understood.
#[derive(Debug)]
pub(super) struct Document<'t> {
    pub(super) source: &'t Source,
    text: &'t str,
    entries: &'t [Box<str>],
    pub(super) table: DeTable<'t>,
    /// Whether the text is not TOML; what seems to be missing from it may only be misspelt.
    pub(super) broken: bool,
    /// Whether it is of a newer format; nothing else is said of it then.
    newer: bool,
}

/// A value with the file it stands in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'d> {
    pub(super) document: &'d Document<'d>,
    pub(super) spanned: &'d Spanned<DeValue<'d>>,
}

/// What reading has found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) problems: Vec<Problem>,
    pub(super) values: Vec<Setting>,
    pub(super) notes: Vec<Box<str>>,
    pub(super) refused: Vec<Box<str>>,
    /// All keys that were asked for, whether they were there or not.
    pub(super) asked: BTreeSet<String>,
}

impl<'t> Document<'t> {
    /// Reads TOML as far as it goes; each mistake is a problem.
    pub(super) fn parse(reading: &'t Reading, report: &mut Report) -> Self {
        let text = &*reading.text;
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut document = Self {
            source: &reading.source,
            text,
            entries: &reading.entries,
            table: table.into_inner(),
            broken: !errors.is_empty(),
            newer: false,
        };
        for error in &errors {
            let at = error.span().map_or(text.len(), |span| span.start);
            report.problem(&document, at, error.message());
        }
        if document.source.is_managed() {
            let names = absent::take_out(&mut document.table);
            report.note_absent(document.source, &names, "a placeholder");
        }
        if !document.is_flat() {
            document.take_version(report);
        }
        document
    }

    /// Takes the format's number out, and refuses one that is not known here.
    fn take_version(&mut self, report: &mut Report) {
        let Some(value) = self.table.remove(FORMAT) else {
            return;
        };
        let at = value.span().start;
        let number = value.get_ref().as_integer();
        let number =
            number.and_then(|found| i64::from_str_radix(found.as_str(), found.radix()).ok());
        match number {
            Some(VERSION) => {}
            Some(found) if found > VERSION => {
                let known = VERSION;
                let message = format!(
                    "{}; start the host again if that version is installed, else install it again, or put \
                     back the file that this version had",
                    Newer { found, known }
                );
                report.problem(self, at, &message);
                self.newer = true;
            }
            Some(_) | None => report.problem(self, at, &format!("expected the number {VERSION}")),
        }
    }

    /// Whether there is no setting in it.
    pub(super) fn says_nothing(&self) -> bool {
        absent::is_bare(&self.table)
    }

    /// Whether this is names with values, which know texts and numbers only.
    pub(super) fn is_flat(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Where a byte of the text stands.
    pub(super) fn place(&self, at: usize) -> Position {
        let before = self.text.get(..at).unwrap_or(self.text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let above = before.matches('\n').count();
        if let Some(entry) = self
            .entries
            .get(above.min(self.entries.len().saturating_sub(1)))
        {
            return Position::Entry(entry.clone());
        }
        let column = before[start..].trim_start_matches('\u{FEFF}');
        Position::Text(Place {
            line: above + 1,
            column: column.chars().count() + 1,
        })
    }

    /// A byte's place for people: `file:line`, or `key: name`.
    pub(super) fn shown_place(&self, at: usize) -> String {
        let name = self.source.name().unwrap_or_default();
        match self.place(at) {
            Position::Text(Place { line, .. }) => format!("{name}:{line}"),
            Position::Entry(_) => name.into_owned(),
        }
    }
}

impl<'d> Value<'d> {
    pub(super) fn get(self) -> &'d DeValue<'d> {
        self.spanned.get_ref()
    }

    pub(super) fn span(self) -> Range<usize> {
        self.spanned.span()
    }

    /// The elements, if this is an array.
    pub(super) fn elements(self) -> Option<impl Iterator<Item = Value<'d>>> {
        let document = self.document;
        let array = self.get().as_array()?;
        Some(array.iter().map(move |spanned| Value { document, spanned }))
    }

    /// Says what is wrong with this value; returns nothing, for the caller to return as well.
    pub(super) fn refuse<T>(self, report: &mut Report, message: &str) -> Option<T> {
        report.problem(self.document, self.span().start, message);
        None
    }

    /// Says that the value is of another type than it must be.
    pub(super) fn expected<T>(self, report: &mut Report, what: &str) -> Option<T> {
        let found = match self.get().type_str() {
            kind @ ("integer" | "array") => format!("an {kind}"),
            kind => format!("a {kind}"),
        };
        self.refuse(report, &format!("expected {what}, found {found}"))
    }
}

impl Report {
    /// Adds a problem at a byte of a document.
    pub(super) fn problem(&mut self, document: &Document<'_>, at: usize, message: &str) {
        if document.newer {
            return;
        }
        let place = document.place(at);
        let known = |problem: &Problem| {
            // Whatever follows from a mistake of spelling in the same line is no news.
            let known = problem.place.as_ref();
            document.broken
                && problem.source == *document.source
                && known.is_some_and(|known| {
                    (known.line(), known.entry()) == (place.line(), place.entry())
                })
        };
        if !self.problems.iter().any(known) {
            self.problems.push(Problem {
                source: document.source.clone(),
                place: Some(place),
                message: message.into(),
            });
        }
    }

    /// Adds a problem of a source as a whole.
    pub(super) fn refuse(&mut self, source: Source, message: &str) {
        self.problems.push(Problem {
            source,
            place: None,
            message: message.into(),
        });
    }

    /// Notes what the user asks for and the administrator keeps to himself.
    pub(super) fn overrule(&mut self, sentence: String) {
        self.notes.push(sentence.as_str().into());
        self.refused.push(sentence.into());
    }

    /// Notes what was found and counts as absent.
    pub(super) fn note_absent(&mut self, source: &Source, names: &[Box<str>], what: &str) {
        if !names.is_empty() {
            let (place, names) = (source.name().unwrap_or_default(), names.join(", "));
            let note = format!("in {place} these are {what} and count as absent: {names}");
            self.notes.push(note.into());
        }
    }

    /// Whether what counts for a key is the administrator's.
    pub(super) fn is_managed(&self, key: &str) -> bool {
        let mut values = self.values.iter();
        values.any(|setting| &*setting.key == key && setting.source.is_managed())
    }
}
