//! Settings that are names with values, as registries and preferences have them, as a file of TOML
//! would have them: `identity.issuer` is `issuer` in `[identity]`.
//!
//! A text that begins with `[` or `{` is JSON, for lists and tables. Each value becomes one line, so
//! that a place in the text leads back to its name; the one reader of settings does the rest.

use super::json;
use crate::config::Source;
use crate::config::document::{Reading, Report};
use crate::config::error::{Position, Problem};

/// A value as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    /// A text, or JSON.
    Text(String),
    /// What has a form in TOML, in it.
    Toml(String),
    /// What has none, and what to use instead.
    Unusable(&'static str),
}

/// Puts all values of a place together; `None` if there is none.
pub(super) fn reading(
    source: Source,
    given: impl IntoIterator<Item = (String, Given)>,
    report: &mut Report,
) -> Option<Reading> {
    let (mut text, mut entries, mut empty) = (String::new(), Vec::new(), Vec::new());
    for (name, given) in given {
        match toml(given) {
            Ok(Some(value)) => {
                text.extend([key(&name).as_str(), " = ", value.as_str(), "\n"]);
                entries.push(name.into());
            }
            Ok(None) => empty.push(name.into()),
            Err(message) => report.problems.push(Problem {
                source: source.clone(),
                place: Some(Position::Entry(name.into())),
                message: message.into(),
            }),
        }
    }
    report.note_absent(&source, &empty, "empty");
    (!entries.is_empty()).then_some(Reading {
        source,
        text,
        entries,
    })
}

/// The value in TOML, if there is one.
fn toml(given: Given) -> Result<Option<String>, String> {
    match given {
        Given::Text(text) if text.trim().is_empty() => Ok(None),
        Given::Text(text) if text.trim_start().starts_with(['[', '{']) => json::to_toml(&text)
            .map(Some)
            .map_err(|error| format!("this begins like JSON, and is none: {error}")),
        Given::Text(text) => Ok(Some(json::quoted(&text))),
        Given::Toml(value) => Ok(Some(value)),
        Given::Unusable(why) => Err(why.to_owned()),
    }
}

/// The name as a dotted key of TOML. No name of a setting holds a dot of its own.
fn key(name: &str) -> String {
    let words: Vec<String> = name.split('.').map(json::quoted).collect();
    words.join(".")
}
