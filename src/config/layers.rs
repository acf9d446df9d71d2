//! Reading one table as all sources have it: the administrator's first, then the user's.
//!
//! Every key that is asked for is read in all of them, so that the problems of all are found; the
//! first that has it counts, and what the user has said against the administrator is noted. A key that
//! was never asked for is unknown, so the code that reads a table is the only list of its keys.

use toml::de::{DeTable, DeValue};

use super::document::{Document, Report, Value};
use super::near::nearest;
use super::shown::Shown;
use super::{Setting, Source};

/// One table in all sources that have it, the one that counts first.
#[derive(Debug)]
pub(super) struct Section<'d> {
    /// Its name for people, such as `identity.scope_names`; empty at the top.
    name: String,
    /// The same for all tables of its kind, such as `server[]`.
    kind: String,
    parts: Vec<Part<'d>>,
    known: Vec<&'static str>,
}

/// A table in one file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'d> {
    pub(super) document: &'d Document<'d>,
    pub(super) table: &'d DeTable<'d>,
    /// Where it begins, as a byte of the text.
    pub(super) at: usize,
}

/// Something that was read, with its place.
#[derive(Debug, Clone)]
pub(super) struct Found<'d, T> {
    pub(super) value: T,
    pub(super) at: Value<'d>,
}

impl<T> Found<'_, T> {
    /// Whether the administrator wrote it.
    pub(super) fn is_managed(&self) -> bool {
        self.at.document.source.is_managed()
    }
}

impl<'d> Section<'d> {
    /// The whole of the files.
    pub(super) fn top(documents: impl Iterator<Item = &'d Document<'d>>) -> Self {
        let part = |document: &'d Document<'d>| Part {
            document,
            table: &document.table,
            at: 0,
        };
        Self::new(String::new(), String::new(), documents.map(part).collect())
    }

    /// A table that stands in the given places.
    pub(super) fn new(name: String, kind: String, parts: Vec<Part<'d>>) -> Self {
        Self {
            name,
            kind,
            parts,
            known: Vec::new(),
        }
    }

    /// Whether no file has the table.
    pub(super) fn is_absent(&self) -> bool {
        self.parts.is_empty()
    }

    /// A key's values in all files, unread, the one that counts first.
    pub(super) fn values(&mut self, key: &'static str) -> Vec<Value<'d>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let value = |part: &Part<'d>| {
            let spanned = part.table.get(key)?;
            let document = part.document;
            Some(Value { document, spanned })
        };
        self.parts.iter().filter_map(value).collect()
    }

    /// A key's values in all files, the one that counts first; what cannot be read is a problem.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        report: &mut Report,
        parse: impl Fn(Value<'d>, &mut Report) -> Option<T>,
    ) -> Vec<Found<'d, T>> {
        let values = self.values(key).into_iter();
        values
            .filter_map(|at| {
                Some(Found {
                    value: parse(at, report)?,
                    at,
                })
            })
            .collect()
    }

    /// The value of a key that need not be there.
    pub(super) fn optional<T: Shown>(
        &mut self,
        key: &'static str,
        report: &mut Report,
        parse: impl Fn(Value<'d>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        let found = self.read(key, report, parse);
        self.first(key, found, report)
    }

    /// The value of a key, or its default.
    pub(super) fn or<T: Shown>(
        &mut self,
        key: &'static str,
        default: T,
        report: &mut Report,
        parse: impl Fn(Value<'d>, &mut Report) -> Option<T>,
    ) -> T {
        let found = self.read(key, report, parse);
        self.settle(key, found, default, report)
    }

    /// The same for a key that only the administrator may set if it is `reserved`, which is why.
    pub(super) fn or_reserved<T: Shown>(
        &mut self,
        key: &'static str,
        default: T,
        reserved: Option<&str>,
        report: &mut Report,
        parse: impl Fn(Value<'d>, &mut Report) -> Option<T>,
    ) -> T {
        let mut found = self.read(key, report, parse);
        if let Some(why) = reserved {
            let (theirs, users): (Vec<_>, Vec<_>) = found.into_iter().partition(Found::is_managed);
            found = theirs;
            let other = |user: &&Found<'d, T>| user.value.shown() != default.shown();
            for user in users.iter().filter(other) {
                report.overrule(format!("{} does not count: {why}", self.yours(key, user)));
            }
        }
        self.settle(key, found, default, report)
    }

    /// The value of a key that must be there.
    pub(super) fn required<T: Shown>(
        &mut self,
        key: &'static str,
        report: &mut Report,
        parse: impl Fn(Value<'d>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        let absent = self.parts.iter().all(|part| !part.table.contains_key(key));
        let value = self.optional(key, report, parse);
        // Said once, in the file nearest to the reader, and not where a misspelt line may hold it.
        let broken = self.parts.iter().any(|part| part.document.broken);
        if let (true, false, Some(part)) = (absent, broken, self.parts.last()) {
            let message = format!("{} needs '{key}'", self.title());
            report.problem(part.document, part.at, &message);
        }
        value
    }

    /// Takes the first of the values that were found, or the default, and notes whence it came.
    pub(super) fn settle<T: Shown>(
        &self,
        key: &str,
        found: Vec<Found<'d, T>>,
        default: T,
        report: &mut Report,
    ) -> T {
        if let Some(value) = self.first(key, found, report) {
            return value;
        }
        self.keep_default(key, &default, report);
        default
    }

    /// Takes the first of the values that were found, and notes which of the user's it overrules.
    fn first<T: Shown>(
        &self,
        key: &str,
        found: Vec<Found<'d, T>>,
        report: &mut Report,
    ) -> Option<T> {
        let mut found = found.into_iter();
        let first = found.next()?;
        self.keep(key, &first, report);
        let against = |other: &Found<'d, T>| {
            !other.is_managed() && other.value.shown() != first.value.shown()
        };
        for user in found.filter(|other| first.is_managed() && against(other)) {
            let place = first.at.document.shown_place(first.at.span().start);
            report.overrule(format!(
                "{} does not count: the administrator has set it ({place})",
                self.yours(key, &user)
            ));
        }
        Some(first.value)
    }

    fn yours<T>(&self, key: &str, user: &Found<'d, T>) -> String {
        let place = user.at.document.shown_place(user.at.span().start);
        format!("your {} ({place})", self.path(key))
    }

    /// Notes a default for `config show`.
    pub(super) fn keep_default(&self, key: &str, value: &impl Shown, report: &mut Report) {
        report.values.push(Setting {
            key: self.path(key).into(),
            value: value.shown().into(),
            source: Source::Default,
            place: None,
        });
    }

    /// Notes a value for `config show`.
    pub(super) fn keep<T: Shown>(&self, key: &str, found: &Found<'d, T>, report: &mut Report) {
        let document = found.at.document;
        report.values.push(Setting {
            key: self.path(key).into(),
            value: found.value.shown().into(),
            source: document.source.clone(),
            place: Some(document.place(found.at.span().start)),
        });
    }

    /// A table within this one.
    pub(super) fn section(&mut self, key: &'static str, report: &mut Report) -> Section<'d> {
        let part = |value: Value<'d>, report: &mut Report| match value.get() {
            DeValue::Table(table) => Some(Part {
                document: value.document,
                table,
                at: value.span().start,
            }),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => {
                value.expected(report, &format!("a table, [{}]", self.path(key)))
            }
        };
        let parts: Vec<_> = self
            .known_values(key)
            .filter_map(|value| part(value, report))
            .collect();
        let name = self.path(key);
        self.known.push(key);
        Section::new(name.clone(), name, parts)
    }

    fn known_values(&self, key: &'static str) -> impl Iterator<Item = Value<'d>> {
        self.parts.iter().filter_map(move |part| {
            let spanned = part.table.get(key)?;
            let document = part.document;
            Some(Value { document, spanned })
        })
    }

    /// Refuses every key that was not asked for.
    pub(super) fn finish(self, report: &mut Report) {
        let dot = if self.kind.is_empty() { "" } else { "." };
        let known = self.known.iter();
        let asked = known.map(|key| format!("{}{dot}{key}", self.kind));
        report.asked.extend(asked);
        for part in &self.parts {
            for key in part.table.keys() {
                if !self.known.contains(&key.get_ref().as_ref()) {
                    let message = self.unknown(key.get_ref());
                    report.problem(part.document, key.span().start, &message);
                }
            }
        }
    }

    fn unknown(&self, key: &str) -> String {
        let hint = match nearest(key, &self.known) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("known are {}", self.known.join(", ")),
        };
        format!(
            "unknown key '{}' in {}; {hint}",
            key.escape_debug(),
            self.title()
        )
    }

    fn title(&self) -> String {
        match self.name.as_str() {
            "" => "the top level".to_owned(),
            name => format!("[{name}]"),
        }
    }

    fn path(&self, key: &str) -> String {
        match self.name.as_str() {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }
}
