//! One entry more or less in a host's file, and every other byte as it was. Pure: from bytes to bytes.
//!
//! The file is read with places, and changed where they say: a byte order mark, line ends, comments,
//! indentation and the end of the file stay as they are. What has another shape than expected is
//! refused with its place. What comes out is read again before anybody gets it, and must hold the
//! servers that it held, and the one that was asked for.

mod json;
mod object;
mod text;
mod toml;

use serde_json::{Map, Value};

use super::table::{Dialect, Syntax};
use crate::config::Place;

pub use text::place;

/// What a host is told of a server: members in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry(pub Vec<(&'static str, Member)>);

/// One value of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// A text.
    Text(Box<str>),
    /// A list of texts.
    Texts(Vec<Box<str>>),
    /// True or false.
    Flag(bool),
}

/// Why a file is left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unfit {
    /// Where in the file.
    pub place: Place,
    /// What is wrong there.
    pub message: Box<str>,
}

impl Member {
    fn value(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.to_string()),
            Self::Texts(texts) => texts.iter().map(|text| Value::from(&**text)).collect(),
            Self::Flag(flag) => Value::Bool(*flag),
        }
    }

    /// Whether a file that has `found` in this place, or nothing, says the same.
    fn is(&self, found: Option<&Value>) -> bool {
        let nothing = matches!(self, Self::Texts(texts) if texts.is_empty());
        found.map_or(nothing, |found| *found == self.value())
    }
}

impl Entry {
    /// Whether a server in a file is this one; what it has besides is its own affair.
    #[must_use]
    pub fn is_met_by(&self, server: &Value) -> bool {
        let Self(members) = self;
        members
            .iter()
            .all(|(name, member)| member.is(server.get(*name)))
    }
}

/// The servers of a file by name.
///
/// # Errors
/// When the file is not what the host writes.
pub fn servers(bytes: &[u8], dialect: Dialect) -> Result<Map<String, Value>, Unfit> {
    let (_, body) = text::open(bytes)?;
    match dialect.syntax {
        Syntax::Json | Syntax::Jsonc => json::servers(body, dialect.key),
        Syntax::Toml => toml::servers(body, dialect.key),
    }
}

/// The file with the entry under this name. Of an entry that is there already only what differs is
/// changed.
///
/// # Errors
/// When the file has another shape than expected; it then stays as it is.
pub fn put(bytes: &[u8], dialect: Dialect, name: &str, entry: &Entry) -> Result<Vec<u8>, Unfit> {
    let (mark, body) = text::open(bytes)?;
    let after = match dialect.syntax {
        Syntax::Json | Syntax::Jsonc => json::put(body, dialect.key, name, entry)?,
        Syntax::Toml => toml::put(body, dialect.key, name, entry)?,
    };
    let after = [mark, &after].concat().into_bytes();
    let mut now = servers(&after, dialect)?;
    let mut before = servers(bytes, dialect)?;
    let fits = now.get(name).is_some_and(|server| entry.is_met_by(server));
    before.remove(name);
    now.remove(name);
    if fits && before == now {
        return Ok(after);
    }
    Err(beyond(body, "added"))
}

/// The file without the entry of this name.
///
/// # Errors
/// When the file has another shape than expected; it then stays as it is.
pub fn remove(bytes: &[u8], dialect: Dialect, name: &str) -> Result<Vec<u8>, Unfit> {
    let (mark, body) = text::open(bytes)?;
    let after = match dialect.syntax {
        Syntax::Json | Syntax::Jsonc => json::remove(body, dialect.key, name)?,
        Syntax::Toml => toml::remove(body, dialect.key, name)?,
    };
    let after = [mark, &after].concat().into_bytes();
    let mut before = servers(bytes, dialect)?;
    before.remove(name);
    if servers(&after, dialect)? == before {
        return Ok(after);
    }
    Err(beyond(body, "taken out"))
}

/// A TOML file with these blocks at its end, each after an empty line.
///
/// # Errors
/// When the file is no TOML, or cannot take the blocks.
pub fn append_tables(bytes: &[u8], blocks: impl Iterator<Item = String>) -> Result<Vec<u8>, Unfit> {
    let (mark, body) = text::open(bytes)?;
    let after = toml::append_all(body, blocks)?;
    Ok([mark, &after].concat().into_bytes())
}

/// The file that a host without one gets, or a snippet to paste.
#[must_use]
pub fn alone(dialect: Dialect, name: &str, entry: &Entry) -> String {
    match dialect.syntax {
        Syntax::Json | Syntax::Jsonc => json::alone(dialect.key, name, entry, "\n"),
        Syntax::Toml => toml::alone(dialect.key, name, entry, "\n"),
    }
}

/// Where a host of strict JSON stops reading, if it does.
#[must_use]
pub fn unread_by_host(bytes: &[u8], dialect: Dialect) -> Option<Place> {
    if dialect.syntax != Syntax::Json {
        return None;
    }
    let (_, body) = text::open(bytes).ok()?;
    let error = serde_json::from_str::<serde::de::IgnoredAny>(body).err()?;
    Some(Place {
        line: error.line(),
        column: error.column(),
    })
}

fn beyond(body: &str, what: &str) -> Unfit {
    let message = format!(
        "the way the servers are written leaves no place where one could be {what}; do it by hand"
    );
    text::unfit(body, 0, message)
}

#[cfg(test)]
mod tests;
