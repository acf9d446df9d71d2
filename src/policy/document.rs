//! The policy document as the administrator wrote it: checked, with places, nothing worked out.
//!
//! One pass reads everything and reports every problem. What loads is meaningful by itself, but
//! may still not be what was meant; that is for `lint`.

use std::collections::HashMap;

use super::pattern::Pattern;
use super::problem::{Place, Problem, Problems, Spanned, shown};
use super::reader::{Members, Reader, hint};
use super::yaml::{self, Node};
use crate::wording::is_invisible;

/// The only version there is.
const VERSION: &str = "1.0";

/// A whole document; has at least one policy.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) policies: Vec<Entry>,
}

/// One of `policies`.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Spanned<Box<str>>,
    pub(super) servers: Vec<Spanned<Pattern>>,
    pub(super) roles: Vec<Spanned<Pattern>>,
    pub(super) scopes: Vec<Spanned<Box<str>>>,
    pub(super) rate_limit: Option<Spanned<u32>>,
    pub(super) tools: Option<Lists>,
    pub(super) prompts: Option<Lists>,
    pub(super) resources: Option<Lists>,
    pub(super) approvals: Vec<Approval>,
    pub(super) effect: Effect,
    pub(super) message: Option<Box<str>>,
}

/// `tools`, `prompts` or `resources`
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) place: Place,
    pub(super) allowed: Option<Spanned<Vec<Spanned<Pattern>>>>,
    pub(super) denied: Vec<Spanned<Pattern>>,
    /// Of tools alone: those that change nothing.
    pub(super) read_only: Vec<Spanned<Pattern>>,
}

/// `tools` also says which of them change nothing; of prompts and resources the protocol says so.
const OF_TOOLS: &[&str] = &["allowed", "denied", "read_only"];
const OF_OTHERS: &[&str] = &["allowed", "denied"];

/// One of `approval_required`.
#[derive(Debug)]
pub(super) struct Approval {
    pub(super) tool: Spanned<Pattern>,
    pub(super) approvers: Vec<Spanned<Pattern>>,
}

/// `effect`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

impl Document {
    /// Reads a text.
    ///
    /// # Errors
    /// Every problem, in the order of the text.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let root = yaml::read(text, &mut problems);
        let mut reader = Reader {
            problems: &mut problems,
        };
        let policies = match &root {
            Some(root) => document(&mut reader, root),
            None => None,
        };
        match policies {
            Some(policies) if problems.is_empty() => Ok(Self { policies }),
            Some(_) | None => {
                if problems.is_empty() {
                    problems.add(Place::START, "the document is empty");
                }
                Err(problems.into_sorted())
            }
        }
    }
}

fn document(reader: &mut Reader<'_>, root: &Node) -> Option<Vec<Entry>> {
    let members = reader.members(root, "the document", &["version", "policies"])?;
    version(reader, &members);
    let list = members.required("policies", reader)?;
    if matches!(&list.value, yaml::Value::List(nodes) if nodes.is_empty()) {
        let message = "there are no policies, so nothing would be allowed";
        reader.problems.add(list.place, message);
    }
    let mut names = Names::new();
    let entries = reader.list(list, "'policies'", |reader, node| {
        entry(reader, node, &mut names)
    })?;
    Some(entries)
}

fn version(reader: &mut Reader<'_>, members: &Members<'_>) {
    let Some(node) = members.required("version", reader) else {
        return;
    };
    if let Some(version) = reader.text(node, "'version'")
        && *version.value != *VERSION
    {
        let found = shown(&version.value);
        let message = format!("version {found} is unknown; this program reads \"{VERSION}\"");
        reader.problems.add(version.place, message);
    }
}

/// The names so far with their lines: a name decides which policy a record and a rate speak of.
type Names = HashMap<Box<str>, usize>;

fn name(reader: &mut Reader<'_>, node: &Node, names: &mut Names) -> Option<Spanned<Box<str>>> {
    let name = word(reader, node, "'name'")?;
    if let Some(line) = names.get(&name.value) {
        let found = shown(&name.value);
        let message = format!("a policy named {found} is there already, in line {line}");
        reader.problems.add(name.place, message);
        return None;
    }
    names.insert(name.value.clone(), name.place.line);
    Some(name)
}

const KEYS: [&str; 11] = [
    "name",
    "servers",
    "roles",
    "scopes",
    "rate_limit",
    "tools",
    "prompts",
    "resources",
    "approval_required",
    "effect",
    "message",
];

fn entry(reader: &mut Reader<'_>, node: &Node, names: &mut Names) -> Option<Entry> {
    let members = reader.members(node, "a policy", &KEYS)?;
    // Everything is read before anything is given up, so that every problem is seen.
    let name_node = members.required("name", reader);
    let name = name_node.and_then(|node| name(reader, node, names));
    let servers = some_patterns(reader, &members, "servers");
    let roles = some_patterns(reader, &members, "roles");
    let scopes = members.optional("scopes");
    let scopes = scopes.and_then(|node| reader.list(node, "'scopes'", scope));
    let rate_limit = members.optional("rate_limit");
    let rate_limit = rate_limit.and_then(|node| rate(reader, node));
    let tools = members.optional("tools");
    let tools = tools.and_then(|node| lists(reader, node, "'tools'", OF_TOOLS));
    let prompts = members.optional("prompts");
    let prompts = prompts.and_then(|node| lists(reader, node, "'prompts'", OF_OTHERS));
    let resources = members.optional("resources");
    let resources = resources.and_then(|node| lists(reader, node, "'resources'", OF_OTHERS));
    let approvals = members.optional("approval_required");
    let approvals = approvals.and_then(|node| reader.list(node, "'approval_required'", approval));
    let effect = members.optional("effect");
    let effect = effect.and_then(|node| effect_of(reader, node));
    let message = members.optional("message");
    let message = message.and_then(|node| message_of(reader, node));
    Some(Entry {
        name: name?,
        servers: servers?,
        roles: roles?,
        scopes: scopes.unwrap_or_default(),
        rate_limit,
        tools,
        prompts,
        resources,
        approvals: approvals.unwrap_or_default(),
        effect: effect.unwrap_or(Effect::Allow),
        message,
    })
}

/// Text that is compared, byte for byte: what a reader cannot see would make it another word.
fn word(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Spanned<Box<str>>> {
    let text = reader.text(node, what)?;
    if text.value.chars().any(is_invisible) || text.value.trim() != &*text.value {
        let found = shown(&text.value);
        let message = format!("{what} is {found}, with characters that cannot be seen");
        reader.problems.add(text.place, message);
        return None;
    }
    Some(text)
}

fn pattern(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Spanned<Pattern>> {
    let Spanned { place, value } = word(reader, node, what)?;
    match Pattern::parse(&value) {
        Ok(value) => Some(Spanned { place, value }),
        Err(message) => {
            reader.problems.add(place, message);
            None
        }
    }
}

fn patterns(
    reader: &mut Reader<'_>,
    node: &Node,
    key: &str,
) -> Option<Spanned<Vec<Spanned<Pattern>>>> {
    let entry = format!("an entry of '{key}'");
    let value = reader.list(node, &format!("'{key}'"), |reader, node| {
        pattern(reader, node, &entry)
    })?;
    Some(Spanned {
        place: node.place,
        value,
    })
}

/// A list that must name something: with nothing in it the policy would never apply, which lets a
/// refusal that was meant fall through to the next policy.
fn some_patterns(
    reader: &mut Reader<'_>,
    members: &Members<'_>,
    key: &str,
) -> Option<Vec<Spanned<Pattern>>> {
    let node = members.required(key, reader)?;
    if matches!(&node.value, yaml::Value::List(nodes) if nodes.is_empty()) {
        let message = format!("'{key}' is an empty list; write [\"*\"] for all");
        reader.problems.add(node.place, message);
        return None;
    }
    patterns(reader, node, key).map(|list| list.value)
}

fn scope(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<Box<str>>> {
    let scope = word(reader, node, "an entry of 'scopes'")?;
    if scope.value.contains(char::is_whitespace) {
        let found = shown(&scope.value);
        let message = format!("the scope {found} has a space; each scope is an entry of its own");
        reader.problems.add(scope.place, message);
        return None;
    }
    Some(scope)
}

fn rate(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<u32>> {
    let members = reader.members(node, "'rate_limit'", &["requests_per_minute"])?;
    let node = members.required("requests_per_minute", reader)?;
    let value = reader.count(node, "'requests_per_minute'")?;
    Some(Spanned {
        place: node.place,
        value,
    })
}

fn lists(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &'static str,
    known: &[&str],
) -> Option<Lists> {
    let members = reader.members(node, what, known)?;
    let mut list = |key| {
        let node = members.optional(key);
        node.and_then(|node| patterns(reader, node, key))
    };
    let (allowed, denied, read_only) = (list("allowed"), list("denied"), list("read_only"));
    Some(Lists {
        place: members.place,
        allowed,
        denied: denied.map(|list| list.value).unwrap_or_default(),
        read_only: read_only.map(|list| list.value).unwrap_or_default(),
    })
}

fn approval(reader: &mut Reader<'_>, node: &Node) -> Option<Approval> {
    let what = "an entry of 'approval_required'";
    let members = reader.members(node, what, &["tool", "approvers"])?;
    let tool = members.required("tool", reader);
    let tool = tool.and_then(|node| pattern(reader, node, "'tool'"));
    let approvers = some_patterns(reader, &members, "approvers");
    Some(Approval {
        tool: tool?,
        approvers: approvers?,
    })
}

fn effect_of(reader: &mut Reader<'_>, node: &Node) -> Option<Effect> {
    let effect = reader.text(node, "'effect'")?;
    match &*effect.value {
        "allow" => Some(Effect::Allow),
        "deny" => Some(Effect::Deny),
        other => {
            let found = shown(other);
            let hint = hint(other, &["allow", "deny"]);
            let message = format!("'effect' is {found}; it is \"allow\" or \"deny\"{hint}");
            reader.problems.add(effect.place, message);
            None
        }
    }
}

/// Words for people, shown in terminals: lines yes, other control characters no.
fn message_of(reader: &mut Reader<'_>, node: &Node) -> Option<Box<str>> {
    let message = reader.text(node, "'message'")?;
    if message.value.chars().any(|c| c.is_control() && c != '\n') {
        let what = "'message' holds control characters";
        reader.problems.add(message.place, what);
        return None;
    }
    Some(message.value.trim_end().into())
}
