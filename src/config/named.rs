//! Tables of which there may be several, each with a name: `[[audit.sink]]`, `[[audit.witness]]`.

use toml::de::DeValue;

use super::Source;
use super::document::{Report, Value};
use super::layers::{Part, Section};
use super::servers::{Named, name};
use crate::name::ServerName;

/// Reads the tables `[[audit.<kind>]]` of all files, `read` what stands in one beside its name. All of
/// them count: a user may add to the administrator's, and cannot take away from them.
pub(super) fn tables<T>(
    files: Vec<Value<'_>>,
    kind: &str,
    report: &mut Report,
    read: impl Fn(Section<'_>, &mut Report) -> Option<T>,
) -> Vec<(ServerName, T)> {
    let mut found: Vec<(ServerName, T, &Source)> = Vec::new();
    for file in files {
        let Some(entries) = file.elements() else {
            file.expected::<()>(report, &format!("tables, [[audit.{kind}]]"));
            continue;
        };
        for entry in entries {
            let Some((name, name_at, rest)) = one(entry, kind, report, &read) else {
                continue;
            };
            let same = found.iter().find(|(known, ..)| *known == name);
            match same {
                Some((.., other)) => refuse_second(kind, &name, name_at, other, report),
                None => found.push((name, rest, file.document.source)),
            }
        }
    }
    found
        .into_iter()
        .map(|(name, rest, _)| (name, rest))
        .collect()
}

/// Says what becomes of a table whose name another source, or the same one, has had already.
pub(super) fn refuse_second(
    kind: &str,
    name: &ServerName,
    at: Value<'_>,
    first: &Source,
    report: &mut Report,
) {
    let source = at.document.source;
    if source == first {
        let message = format!("there are two {kind} tables named '{name}'");
        at.refuse::<()>(report, &message);
    } else if source.is_managed() {
        let place = at.document.shown_place(at.span().start);
        let first = first.name().unwrap_or_default();
        let note =
            format!("the {kind} '{name}' of {place} is left out: {first} has one of that name");
        report.notes.push(note.into());
    } else {
        report.overrule(format!(
            "your {kind} '{name}' is left out: the administrator has set one of that name"
        ));
    }
}

fn one<'d, T>(
    entry: Value<'d>,
    kind: &str,
    report: &mut Report,
    read: impl Fn(Section<'_>, &mut Report) -> Option<T>,
) -> Option<(ServerName, Value<'d>, T)> {
    let DeValue::Table(table) = entry.get() else {
        return entry.expected(report, &format!("a table, [[audit.{kind}]]"));
    };
    let part = Part {
        document: entry.document,
        table,
        at: entry.span().start,
    };
    let known_as = table.get("name").and_then(|name| name.get_ref().as_str());
    let title = format!("audit.{kind}.{}", known_as.unwrap_or("?").escape_debug());
    let mut section = Section::new(title, format!("audit.{kind}[]"), vec![part]);
    let name_at = section.values("name").into_iter().next();
    let named = section.required("name", report, name);
    let rest = read(section, report);
    let Named(name) = named?;
    Some((name, name_at?, rest?))
}
