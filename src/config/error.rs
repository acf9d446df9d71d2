//! What can be wrong with the configuration, all of it at once.

use std::fmt;
use std::path::PathBuf;

use super::Source;
use crate::codes::Code;
use crate::wording::terminal_safe;

/// Why there is no configuration. Without one everything is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// Nobody has written one yet.
    Missing {
        /// Where the user's file is expected.
        path: PathBuf,
    },
    /// The administrator's settings cannot be used, and the user's must not take their place;
    /// problems of the user's file follow.
    Managed(Vec<Problem>),
    /// The user's file cannot be used.
    User(Vec<Problem>),
}

/// One problem of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it was read.
    pub source: Source,
    /// Where in it; absent when it as a whole is the problem.
    pub place: Option<Position>,
    /// What is wrong, for a person.
    pub message: Box<str>,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Where in a source something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// In a text.
    Text(Place),
    /// Under this name, where a source is names with values: `identity.issuer`.
    Entry(Box<str>),
}

impl Position {
    /// The line in a text.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Text(place) => Some(place.line),
            Self::Entry(_) => None,
        }
    }

    /// The name of a value.
    #[must_use]
    pub fn entry(&self) -> Option<&str> {
        match self {
            Self::Text(_) => None,
            Self::Entry(name) => Some(name),
        }
    }
}

/// The least that a configuration holds, for whoever has none.
pub(super) const BEGINNING: &str = r#"[identity]
issuer = "https://sso.example.com/realms/enterprise"
client_id = "mcp-desktop"

[policy]
file = "mcp-policies.yaml"

[[server]]
name = "database"
url = "https://gateway.example.com/mcp/database"
"#;

impl ConfigError {
    /// The code that names it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Missing { .. } => Code::ConfigMissing,
            Self::Managed(_) => Code::ConfigManaged,
            Self::User(_) => Code::ConfigInvalid,
        }
    }

    /// The problems that have a place in a file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Missing { .. } => &[],
            Self::Managed(problems) | Self::User(problems) => problems,
        }
    }
}

impl std::error::Error for ConfigError {}

/// One line for each problem, in the form that editors and terminals make a link of.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Missing { path } = self {
            let path = path.display();
            return write!(
                f,
                "There is no configuration yet. `chaperone init` writes one in a terminal; or write {path} \
                 yourself, beginning with:\n\n{BEGINNING}"
            );
        }
        for (index, problem) in self.problems().iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}

/// `file:line:column: message`, or `key: name: message`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.source.name();
        f.write_str(name.as_deref().unwrap_or("configuration"))?;
        match &self.place {
            Some(Position::Text(Place { line, column })) => write!(f, ":{line}:{column}")?,
            Some(Position::Entry(entry)) => write!(f, ": {}", terminal_safe(entry))?,
            None => {}
        }
        write!(f, ": {}", self.message)
    }
}
