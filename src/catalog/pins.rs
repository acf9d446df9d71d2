//! Definitions that somebody has accepted, and what others differ in.
//!
//! A model reads definitions as instructions, so a server that changes one after people have come to
//! trust it changes what the model does. Where definitions are pinned, a tool whose definition is new
//! or other than the accepted one, in whatever member, is held back until a person accepts it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::ServerName;
use crate::wire::Raw;

use super::Tool;

/// What has been accepted: by server, then by the server's name of the tool, as hosts see it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pins(BTreeMap<Box<str>, BTreeMap<Box<str>, Raw>>);

/// Why a tool is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Nobody has accepted any definition of it.
    New,
    /// Its definition is not the one that was accepted.
    Changed,
}

impl Held {
    /// The stable word for scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
        }
    }
}

impl Pins {
    /// What was accepted of a tool.
    #[must_use]
    pub fn accepted(&self, server: &ServerName, tool: &Tool) -> Option<&Raw> {
        self.0.get(server.as_str())?.get(tool.name.as_str())
    }

    /// Accepts a tool as it is now.
    pub fn accept(&mut self, server: &ServerName, tool: &Tool) {
        let tools = self.0.entry(server.as_str().into()).or_default();
        tools.insert(tool.name.as_str().into(), tool.definition.clone());
    }

    /// Why a tool has to wait, if it has to.
    #[must_use]
    pub fn held(&self, server: &ServerName, tool: &Tool) -> Option<Held> {
        match self.accepted(server, tool) {
            None => Some(Held::New),
            Some(accepted) if is_same(accepted, &tool.definition) => None,
            Some(_) => Some(Held::Changed),
        }
    }

    /// The tools, each with whether it has to wait.
    pub(super) fn mark(&self, server: &ServerName, tools: &[Tool]) -> Arc<[Tool]> {
        let marked = tools.iter().map(|tool| Tool {
            held: self.held(server, tool),
            ..tool.clone()
        });
        marked.collect()
    }
}

/// Whether two definitions say the same, in whatever order.
fn is_same(one: &Raw, other: &Raw) -> bool {
    let read = |raw: &Raw| serde_json::from_str::<Value>(raw.get()).ok();
    one.get() == other.get() || read(one).is_some_and(|one| Some(one) == read(other))
}

/// A member that two definitions do not share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where it is, as a JSON Pointer (RFC 6901).
    pub at: String,
    /// What was there.
    pub before: Option<String>,
    /// What is there now.
    pub after: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = &self.at;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{at}: {before} -> {after}"),
            (None, Some(after)) => write!(f, "{at}: {after}"),
            (Some(before), None) => write!(f, "{at}: {before} -> (gone)"),
            (None, None) => f.write_str(at),
        }
    }
}

/// What is in one of two definitions alone; everything, where there was none before.
#[must_use]
pub fn differences(before: Option<&Raw>, after: &Raw) -> Vec<Difference> {
    let mut members: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
    for (at, value) in before.map(leaves).unwrap_or_default() {
        members.entry(at).or_default().0 = Some(value);
    }
    for (at, value) in leaves(after) {
        members.entry(at).or_default().1 = Some(value);
    }
    let differ = members.into_iter().filter(|(_, (one, other))| one != other);
    let name = |(at, (before, after))| Difference { at, before, after };
    differ.map(name).collect()
}

/// What a definition holds at its ends, by their pointers.
fn leaves(definition: &Raw) -> Vec<(String, String)> {
    let mut found = Vec::new();
    match serde_json::from_str(definition.get()) {
        Ok(value) => collect(String::new(), &value, &mut found),
        // Numbers that no machine has.
        Err(_) => found.push((String::new(), definition.get().to_owned())),
    }
    found
}

fn collect(at: String, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect(format!("{at}/{key}"), value, found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (nth, value) in items.iter().enumerate() {
                collect(format!("{at}/{nth}"), value, found);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => found.push((at, value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::parse(text).unwrap()
    }

    #[test]
    fn order_and_blanks_make_no_other_definition_and_everything_else_does() {
        let accepted = r#"{"name":"t","description":"a","inputSchema":{"x":1,"y":[1,2]}}"#;
        let same = r#"{ "inputSchema":{"y":[1,2], "x":1},"description":"\u0061","name":"t"}"#;
        assert!(is_same(&raw(accepted), &raw(same)));
        for other in [
            r#"{"name":"t","description":"b","inputSchema":{"x":1,"y":[1,2]}}"#,
            r#"{"name":"t","description":"a","inputSchema":{"x":1,"y":[2,1]}}"#,
            r#"{"name":"t","description":"a","inputSchema":{"x":1,"y":[1,2],"bcc":{}}}"#,
            r#"{"name":"t","description":"a","inputSchema":{"x":1,"y":[1,2]},"title":"T"}"#,
            r#"{"name":"t","description":"a","inputSchema":{"x":1,"y":[1,2]},"_meta":{"a":1}}"#,
            r#"{"name":"t","description":"a","inputSchema":{"x":1,"y":[1,2]},"annotations":{}}"#,
            r#"{"name":"t","description":"a","inputSchema":{"x":1e400,"y":[1,2]}}"#,
        ] {
            assert!(!is_same(&raw(accepted), &raw(other)), "{other}");
        }
        let odd = raw(r#"{"x":1e400}"#);
        assert!(is_same(&odd, &odd));
        assert!(!is_same(&odd, &raw(r#"{"x":1e401}"#)));
    }

    #[test]
    fn differences_name_the_place_and_both_sides() {
        let before = raw(r#"{"d":"a","s":{"p":{"to":1},"r":["to"]},"old":{}}"#);
        let after = raw(r#"{"d":"b","s":{"p":{"to":1,"b/c":2},"r":["to"]}}"#);
        let told: Vec<String> = differences(Some(&before), &after)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [r#"/d: "a" -> "b""#, "/old: {} -> (gone)", "/s/p/b~1c: 2"]
        );
        let all = differences(None, &after);
        assert_eq!(all.len(), 4);
        assert_eq!(all[0].to_string(), r#"/d: "b""#);
    }
}
