//! Tables of which there may be several, each with a name: `[[audit.sink]]`, `[[audit.witness]]`.

use toml::de::DeValue;

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
    let mut found: Vec<(ServerName, T)> = Vec::new();
    for file in files {
        let Some(entries) = file.elements() else {
            file.expected::<()>(report, &format!("tables, [[audit.{kind}]]"));
            continue;
        };
        for entry in entries {
            let Some((name, name_at, rest)) = one(entry, kind, report, &read) else {
                continue;
            };
            if found.iter().any(|(known, _)| *known == name) {
                name_at.refuse::<()>(
                    report,
                    &format!("there are two {kind} tables named '{name}'"),
                );
            } else {
                found.push((name, rest));
            }
        }
    }
    found
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
    let mut section = Section::new(title, vec![part]);
    let name_at = section.values("name").into_iter().next();
    let named = section.required("name", report, name);
    let rest = read(section, report);
    let Named(name) = named?;
    Some((name, name_at?, rest?))
}
