//! What is about to be changed, for people to read; values of others, which may be secrets, are hidden.

use std::fmt::Write as _;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::Setup;
use crate::hosts::backup::Change;
use crate::hosts::{Host, HostFile, Syntax};
use crate::wording::terminal_safe;

/// Stands for a value.
const HIDDEN: &str = "...";
/// Members whose values say where and how, not who.
const PLAIN: [&str; 7] = [
    "command",
    "type",
    "source",
    "name",
    "auth",
    "transport",
    "model",
];
/// The same for addresses.
const ADDRESSES: [&str; 3] = ["url", "serverUrl", "httpUrl"];
/// Lines around a change.
const CONTEXT: usize = 3;
/// The longest line that is shown, in characters.
const LONGEST: usize = 400;

/// A change as a unified diff.
pub(super) fn unified(setup: &Setup<'_>, host: Host, change: &Change) -> String {
    between(setup, host, &change.file, &change.after)
}

/// The way from a file to other bytes, as a unified diff.
pub(super) fn between(setup: &Setup<'_>, host: Host, file: &HostFile, after: &[u8]) -> String {
    let is_toml = file.real.extension().is_some_and(|end| end == "toml")
        || host.dialect().syntax == Syntax::Toml;
    let mut shown = vec![setup.command.as_str()];
    shown.extend(setup.args.iter().map(|arg| &**arg));
    let line = Line { is_toml, shown };
    let [before, after] = [file.content(), after].map(String::from_utf8_lossy);
    let mut text = format!("--- {0}\n+++ {0}\n", file.path.display());
    let diff = TextDiff::from_lines(&*before, &*after);
    // Within a text of many lines a line does not show that it is one.
    let is_long = ["\"\"\"", "'''"]
        .iter()
        .any(|quotes| before.contains(quotes));
    let context = if is_toml && is_long { 0 } else { CONTEXT };
    for hunk in diff.unified_diff().context_radius(context).iter_hunks() {
        // Writing to a string does not fail.
        let _written = writeln!(text, "{}", hunk.header());
        for change in hunk.iter_changes() {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            let value = change.value().trim_end_matches(['\r', '\n']);
            let value: String = line.masked(value).chars().take(LONGEST).collect();
            let _written = writeln!(text, "{sign}{}", terminal_safe(&value).replace("\\t", "\t"));
        }
    }
    text
}

struct Line<'a> {
    is_toml: bool,
    /// Values that are ours.
    shown: Vec<&'a str>,
}

impl Line<'_> {
    /// A line with every text in it hidden that is neither a name nor known to be harmless.
    fn masked(&self, line: &str) -> String {
        let quotes: &[char] = if self.is_toml { &['"', '\''] } else { &['"'] };
        let is_header = self.is_toml && line.trim_start().starts_with('[');
        let (mut text, mut rest, mut name) = (String::new(), line, String::new());
        while let Some((before, quote, after)) = split(rest, quotes) {
            if let Some(bare) = bare_name(before) {
                bare.clone_into(&mut name);
            }
            text += before;
            text.push(quote);
            let Some(end) = closing(after, quote) else {
                return text + HIDDEN;
            };
            let (inner, follows) = (&after[..end], &after[end + 1..]);
            let follows_name = if self.is_toml {
                ['=', '.', ']']
            } else {
                [':'; 3]
            };
            let is_name = follows.trim_start().starts_with(follows_name)
                && (!self.is_toml || is_header || follows.trim_start().starts_with('='));
            if is_name {
                inner.clone_into(&mut name);
            }
            let is_shown = is_name || self.is_plain(&name, inner);
            text += if is_shown { inner } else { HIDDEN };
            text.push(quote);
            rest = follows;
        }
        text + rest
    }

    fn is_plain(&self, name: &str, value: &str) -> bool {
        let is_address = ADDRESSES.contains(&name) && !value.contains(['?', '@']);
        let written = |ours: &&str| {
            let json = Value::from(*ours).to_string();
            value == *ours || json.get(1..json.len() - 1) == Some(value)
        };
        PLAIN.contains(&name) || is_address || self.shown.iter().any(written)
    }
}

fn split<'t>(text: &'t str, quotes: &[char]) -> Option<(&'t str, char, &'t str)> {
    let at = text.find(quotes)?;
    let quote = text[at..].chars().next()?;
    Some((&text[..at], quote, &text[at + 1..]))
}

/// Where a text ends that began before.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped && quote == '"';
        ends.then_some(at)
    })
}

/// The name before an equals sign, as TOML writes it.
fn bare_name(before: &str) -> Option<&str> {
    let name = before
        .trim_end()
        .trim_end_matches('[')
        .trim_end()
        .strip_suffix('=')?;
    name.trim().rsplit([' ', ',', '{', '.']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_others_are_hidden() {
        let check = |is_toml, line: &str, expected: &str| {
            let shown = vec!["/usr/bin/chaperone", "serve"];
            assert_eq!(Line { is_toml, shown }.masked(line), expected);
        };
        for (line, expected) in [
            (
                r#"  "Authorization": "Bearer x","#,
                r#"  "Authorization": "...","#,
            ),
            (
                r#""a": {"command": "npx", "args": ["-y", "k\"ey"]}"#,
                r#""a": {"command": "npx", "args": ["...", "..."]}"#,
            ),
            (
                r#""url": "https://a.example/mcp""#,
                r#""url": "https://a.example/mcp""#,
            ),
            (r#""url": "https://a.example/mcp?key=1""#, r#""url": "...""#),
            (r#""args": ["serve", "--x"]"#, r#""args": ["serve", "..."]"#),
            (r#""KEY": "unterminated"#, r#""KEY": "..."#),
        ] {
            check(false, line, expected);
        }
        for (line, expected) in [
            ("[mcp_servers.\"a b\"]", "[mcp_servers.\"a b\"]"),
            (
                "env = { KEY = 'x', \"B\" = \"y\" }",
                "env = { KEY = '...', \"B\" = \"...\" }",
            ),
            (
                "command = '/usr/bin/x' # it's",
                "command = '/usr/bin/x' # it'...",
            ),
            (
                "args = [\"serve\", \"sk-1\"]",
                "args = [\"serve\", \"...\"]",
            ),
        ] {
            check(true, line, expected);
        }
    }
}
