//! What can be wrong with the configuration, all of it at once.

use std::fmt;
use std::path::PathBuf;

/// Why there is no configuration. Without one everything is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// Nobody has written one yet.
    Missing {
        /// Where the user's file is expected.
        path: PathBuf,
    },
    /// The administrator's file cannot be used, and the user's must not take its place; problems of
    /// the user's file follow.
    Managed(Vec<Problem>),
    /// The user's file cannot be used.
    User(Vec<Problem>),
}

/// One problem of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Where in it; absent when the file as a whole is the problem.
    pub place: Option<Place>,
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
                "There is no configuration yet. Write {path}, beginning with:\n\n{BEGINNING}"
            );
        }
        for (index, problem) in self.problems().iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}

/// `file:line:column: message`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, message) = (self.file.display(), &self.message);
        match self.place {
            Some(Place { line, column }) => write!(f, "{file}:{line}:{column}: {message}"),
            None => write!(f, "{file}: {message}"),
        }
    }
}
