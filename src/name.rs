//! Names of servers and tools, and the one place that joins and splits them.
//!
//! Policy and the record speak a server's own tool name ([`ToolName`]); hosts see an
//! [`ExposedName`], `server__tool`, which fits the strictest host and is injective: two different
//! tools never share one. Nothing else in the crate knows the separator.

use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};

use crate::bounds::TOOL_NAME;
use crate::wording::is_invisible;

/// Stands between the server's and the tool's name.
const SEPARATOR: &str = "__";
/// Hexadecimal digits of the suffix that tells sanitised names apart.
const SUFFIX_DIGITS: usize = 10;
/// The longest server name; with a separator it leaves half of the usual budget to the tool.
const SERVER_LIMIT: usize = 24;
/// The name that chaperone's own tools carry as their server.
const RESERVED: &str = "chaperone";

/// The administrator's name of a server, `[a-z0-9-]`, 1 to 24 characters, not `chaperone`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerName(Box<str>);

/// Why a text is no server name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServerNameError {
    /// Empty, or more than 24 characters.
    #[error("a server's name has 1 to {SERVER_LIMIT} characters")]
    Length,
    /// A character outside `[a-z0-9-]`.
    #[error("a server's name holds only a-z, 0-9 and '-'")]
    Alphabet,
    /// The name of chaperone's own tools.
    #[error("the name 'chaperone' is reserved")]
    Reserved,
}

impl ServerName {
    /// Reads a server's name.
    ///
    /// # Errors
    /// Names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, ServerNameError> {
        if text.is_empty() || text.len() > SERVER_LIMIT {
            return Err(ServerNameError::Length);
        }
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !text.bytes().all(fits) {
            return Err(ServerNameError::Alphabet);
        }
        if text == RESERVED {
            return Err(ServerNameError::Reserved);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tool's (or prompt's) name as its own server spells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolName(Box<str>);

/// Why a server's tool cannot be offered under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ToolNameError {
    /// No characters at all.
    #[error("the name is empty")]
    Empty,
    /// More than 256 bytes.
    #[error("the name is longer than {TOOL_NAME} bytes")]
    Length,
    /// Control, bidirectional or invisible formatting characters.
    #[error("the name holds control, bidirectional or invisible characters")]
    Invisible,
}

impl ToolName {
    /// Reads a name that a server gave.
    ///
    /// # Errors
    /// Empty and oversized names, and names with characters that a person cannot see.
    pub fn parse(text: &str) -> Result<Self, ToolNameError> {
        if text.is_empty() {
            return Err(ToolNameError::Empty);
        }
        if text.len() > TOOL_NAME {
            return Err(ToolNameError::Length);
        }
        if text.chars().any(is_invisible) {
            return Err(ToolNameError::Invisible);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name as hosts see it: `server__tool` in `[A-Za-z0-9_-]`, never longer than the limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExposedName(Box<str>);

impl ExposedName {
    /// Joins a server's and a tool's name.
    ///
    /// A name that is too long, leaves the alphabet, or looks like one that was sanitised is
    /// rewritten and gets a digest of the original as a suffix, so that the function stays
    /// injective. `limit` counts characters and is at least 40 (the configuration holds that).
    #[must_use]
    pub fn join(server: &ServerName, tool: &ToolName, limit: usize) -> Self {
        let plain = format!("{server}{SEPARATOR}{tool}");
        if plain.len() <= limit && plain.bytes().all(is_portable) && !has_suffix(&plain) {
            return Self(plain.into());
        }
        let suffix = suffix_of(&plain);
        let keep = limit.saturating_sub(suffix.len());
        let head: String = plain.chars().map(portable).take(keep).collect();
        Self(format!("{head}{suffix}").into())
    }

    /// Whether a name that a host sent is one that the server's things could have.
    #[must_use]
    pub fn could_be_of(name: &str, server: &ServerName) -> bool {
        let rest = name.strip_prefix(server.as_str());
        rest.is_some_and(|rest| rest.starts_with(SEPARATOR))
    }

    /// The server and tool of a name that was joined without rewriting it, for one of the servers;
    /// of a rewritten one only the catalogue knows what it stands for.
    #[must_use]
    pub fn parts(name: &str, servers: &[ServerName]) -> Option<(ServerName, ToolName)> {
        if has_suffix(name) {
            return None;
        }
        let server = servers
            .iter()
            .find(|server| Self::could_be_of(name, server))?;
        let tool = name.get(server.as_str().len() + SEPARATOR.len()..)?;
        Some((server.clone(), ToolName::parse(tool).ok()?))
    }

    /// The name of one of chaperone's own tools.
    #[must_use]
    pub fn own(tool: &str) -> Self {
        Self(format!("{RESERVED}{SEPARATOR}{tool}").into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExposedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lets a map of exposed names be asked with what the host sent.
impl std::borrow::Borrow<str> for ExposedName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn is_portable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn portable(c: char) -> char {
    if c.is_ascii_alphanumeric() || c == '-' {
        c
    } else {
        '_'
    }
}

fn suffix_of(plain: &str) -> String {
    let digest = Sha256::digest(plain.as_bytes());
    let mut suffix = String::from("-");
    for byte in digest.iter().take(SUFFIX_DIGITS / 2) {
        // Writing to a string does not fail.
        let _written = write!(suffix, "{byte:02x}");
    }
    suffix
}

/// A natural name of this shape could imitate a sanitised one, so it is sanitised too.
fn has_suffix(name: &str) -> bool {
    let Some((_, tail)) = name.rsplit_once('-') else {
        return false;
    };
    tail.len() == SUFFIX_DIGITS
        && tail
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn server(text: &str) -> ServerName {
        ServerName::parse(text).unwrap()
    }

    fn tool(text: &str) -> ToolName {
        ToolName::parse(text).unwrap()
    }

    #[test]
    fn server_names_follow_the_documented_alphabet() {
        for good in ["a", "database", "eu-1", "abcdefghijklmnopqrstuvwx"] {
            assert!(ServerName::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", ServerNameError::Length),
            ("abcdefghijklmnopqrstuvwxy", ServerNameError::Length),
            ("Database", ServerNameError::Alphabet),
            ("a__b", ServerNameError::Alphabet),
            ("ä", ServerNameError::Alphabet),
            ("chaperone", ServerNameError::Reserved),
        ] {
            assert_eq!(ServerName::parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn names_that_hide_something_are_refused() {
        for bad in [
            "a\u{202E}b",
            "a\u{0}b",
            "a\u{200B}",
            "\u{E0041}x",
            "a\nb",
            "a\u{FE0F}",
        ] {
            assert_eq!(
                ToolName::parse(bad),
                Err(ToolNameError::Invisible),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn ordinary_names_are_joined_unchanged() {
        let joined = ExposedName::join(&server("github"), &tool("create_issue"), 48);
        assert_eq!(joined.as_str(), "github__create_issue");
    }

    #[test]
    fn a_name_that_imitates_a_sanitised_one_is_sanitised() {
        let long = "x".repeat(80);
        let first = ExposedName::join(&server("s"), &tool(&long), 48);
        let imitation = first.as_str().strip_prefix("s__").unwrap();
        let second = ExposedName::join(&server("s"), &tool(imitation), 48);
        assert_ne!(first, second);
    }

    proptest! {
        #[test]
        fn exposed_names_fit_every_host_and_stay_apart(
            names in proptest::collection::vec(("[a-z0-9-]{1,8}", ".{1,70}"), 1..30)
        ) {
            let mut seen: HashMap<ExposedName, (ServerName, ToolName)> = HashMap::new();
            for (s, t) in names {
                let (Ok(s), Ok(t)) = (ServerName::parse(&s), ToolName::parse(&t)) else { continue };
                let exposed = ExposedName::join(&s, &t, 48);
                prop_assert!(exposed.as_str().len() <= 48);
                prop_assert!(exposed.as_str().bytes().all(is_portable));
                if let Some(other) = seen.insert(exposed, (s.clone(), t.clone())) {
                    prop_assert_eq!(other, (s, t));
                }
            }
        }
    }
}
