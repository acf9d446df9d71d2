//! The text of a configuration for somebody who has none: from answers, or as a company announces it.
//!
//! Whether it can be used, [`preview`](super::preview) says; nothing is judged here.

use std::fmt::{self, Write as _};

use serde::Deserialize;
use toml::{Table, Value};

/// What stands above the rest.
const HEAD: &str = "\
# Written by `chaperone init`. `chaperone config keys` lists all keys, `chaperone config show` what is
# in force; servers can be added and changed here.
";

/// The keys that are read first, in this order; all others follow.
const FIRST: [&str; 4] = ["issuer", "client_id", "name", "url"];

/// How people sign in, and the servers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    identity: Table,
    servers: Vec<Table>,
}

/// A policy document.
pub type PolicyDocument = serde_json::Map<String, serde_json::Value>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Announced {
    identity: Table,
    server: Vec<Table>,
    #[serde(default)]
    policy: Option<PolicyDocument>,
}

impl Draft {
    /// Reads what a company serves at one address, so that nobody has to type it: the keys of the
    /// configuration as JSON, `{"identity": {..}, "server": [{..}]}`, and if it likes the policy
    /// document, `"policy": {..}`.
    ///
    /// # Errors
    /// When it is not JSON, or holds anything else.
    pub fn announced(json: &[u8]) -> Result<(Self, Option<PolicyDocument>), serde_json::Error> {
        let Announced {
            identity,
            server: servers,
            policy,
        } = serde_json::from_slice(json)?;
        Ok((Self { identity, servers }, policy))
    }

    /// Sets the provider, and how the program is known to it.
    pub fn sign_in_with(&mut self, issuer: &str, client_id: &str) {
        self.identity.insert("issuer".to_owned(), issuer.into());
        self.identity
            .insert("client_id".to_owned(), client_id.into());
    }

    /// Adds a server.
    pub fn add_server(&mut self, name: &str, url: &str) {
        let mut server = Table::new();
        server.insert("name".to_owned(), name.into());
        server.insert("url".to_owned(), url.into());
        self.servers.push(server);
    }
}

/// The text of the file.
impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        if !self.identity.is_empty() {
            write!(f, "\n[identity]\n{}", lines(&self.identity))?;
        }
        for server in &self.servers {
            write!(f, "\n[[server]]\n{}", lines(server))?;
        }
        Ok(())
    }
}

fn lines(table: &Table) -> String {
    let place = |key: &str| FIRST.iter().position(|first| *first == key);
    let mut pairs: Vec<(&String, &Value)> = table.iter().collect();
    pairs.sort_by_key(|(key, _)| place(key).unwrap_or(FIRST.len()));
    let mut text = String::new();
    for (key, value) in pairs {
        // Writing to a string does not fail.
        let _written = writeln!(text, "{} = {value}", shown(key));
    }
    text
}

/// A key, in quotes unless it is a bare one.
fn shown(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(is_bare) {
        return key.to_owned();
    }
    Value::from(key).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_what_was_answered() {
        let mut draft = Draft::default();
        draft.sign_in_with("https://sso.example.com/a\"b", "mcp-desktop");
        draft.add_server("database", "https://gateway.example.com/mcp/database");
        let text = draft.to_string();
        let read: Table = text.parse().unwrap();
        assert_eq!(
            read["identity"]["issuer"].as_str(),
            Some("https://sso.example.com/a\"b")
        );
        assert!(
            text.ends_with(
                "client_id = \"mcp-desktop\"\n\n[[server]]\nname = \"database\"\n\
                 url = \"https://gateway.example.com/mcp/database\"\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn whatever_is_announced_comes_back_from_the_text() {
        let json = r#"{"identity": {"scope_names": {"mcp:tools:read": "api://x/read"}, "roles_claim": ["a", "https://x/roles"],
            "client_id": "c", "issuer": "https://sso.example.com", "redirect_port": 8765, "odd key": {"}": ["{"]}},
            "server": [{"url": "https://a.example.com/mcp", "name": "a", "scopes": []}, {"name": "b"}],
            "policy": {"version": "1.0"}}"#;
        let (draft, policy) = Draft::announced(json.as_bytes()).unwrap();
        let text = draft.to_string();
        let read: Table = text.parse().unwrap();
        let announced_as: serde_json::Value = serde_json::from_str(json).unwrap();
        for key in ["identity", "server"] {
            assert_eq!(
                serde_json::to_value(&read[key]).unwrap(),
                announced_as[key],
                "{text}"
            );
        }
        assert!(text.find("issuer") < text.find("client_id"), "{text}");
        assert!(policy.is_some());
    }

    #[test]
    fn nothing_else_can_be_announced() {
        for json in [
            "",
            "[]",
            r#"{"identity": {}}"#,
            r#"{"identity": {}, "server": [], "network": {}}"#,
            r#"{"identity": {"issuer": null}, "server": []}"#,
        ] {
            assert!(Draft::announced(json.as_bytes()).is_err(), "{json}");
        }
    }
}
