//! One file as TOML with places, and the problems and values that reading it brings to light.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Place, Problem};
use super::{Setting, Source};

/// A file, read but not yet understood.
#[derive(Debug)]
pub(super) struct Document<'t> {
    pub(super) source: Source,
    text: &'t str,
    pub(super) table: DeTable<'t>,
    /// Whether the text is not TOML; what seems to be missing from it may only be misspelt.
    pub(super) broken: bool,
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
}

impl<'t> Document<'t> {
    /// Reads TOML as far as it goes; each mistake is a problem.
    pub(super) fn parse(source: Source, text: &'t str, report: &mut Report) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let document = Self {
            source,
            text,
            table: table.into_inner(),
            broken: !errors.is_empty(),
        };
        for error in &errors {
            let at = error.span().map_or(text.len(), |span| span.start);
            report.problem(&document, at, error.message());
        }
        document
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        self.source.path().unwrap_or(Path::new(""))
    }

    /// Where a byte of the text stands.
    pub(super) fn place(&self, at: usize) -> Place {
        let before = self.text.get(..at).unwrap_or(self.text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before[start..].trim_start_matches('\u{FEFF}');
        Place {
            line,
            column: column.chars().count() + 1,
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
        let place = document.place(at);
        let known = |problem: &Problem| {
            // Whatever follows from a mistake of spelling in the same line is no news.
            document.broken
                && problem.file == document.path()
                && problem.place.is_some_and(|other| other.line == place.line)
        };
        if !self.problems.iter().any(known) {
            self.problems.push(Problem {
                file: document.path().to_owned(),
                place: Some(place),
                message: message.into(),
            });
        }
    }

    /// Adds a problem of a file as a whole.
    pub(super) fn refuse_file(&mut self, path: &Path, message: &str) {
        self.problems.push(Problem {
            file: path.to_owned(),
            place: None,
            message: message.into(),
        });
    }
}
