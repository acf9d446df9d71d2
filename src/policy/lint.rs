//! What loads and is probably not meant.
//!
//! Every warning here is certain about what the document does and only guesses that somebody
//! wanted something else; so none of them keeps a document from loading, and none changes a
//! decision.

use std::collections::BTreeSet;

use super::document::{Approval, Document, Effect, Entry, Lists};
use super::pattern::Pattern;
use super::problem::{Place, Problem, Problems, Spanned, shown};
use crate::name::ServerName;

/// Signs of a regular expression or a shell's pattern, which tool names do not have.
const FOREIGN: [char; 12] = ['?', '[', ']', '{', '}', '(', ')', '^', '$', '|', '\\', '+'];

/// The warnings, in the order of the document.
pub(super) fn warnings(document: &Document) -> Vec<Problem> {
    let mut found = Problems::default();
    for (at, entry) in document.policies.iter().enumerate() {
        unreachable(&document.policies[..at], entry, &mut found);
        servers(entry, &mut found);
        scopes(entry, &mut found);
        if entry.effect == Effect::Deny {
            idle(entry, &mut found);
        } else {
            lists(entry, &mut found);
            approvals(entry, &mut found);
        }
        repeated(entry, &mut found);
    }
    found.into_sorted()
}

/// A person matches through one role at one server, so a policy is reached by nobody if for each
/// of its servers and roles one earlier policy has both.
fn unreachable(earlier: &[Entry], entry: &Entry, found: &mut Problems) {
    let mut by = BTreeSet::new();
    for server in &entry.servers {
        let here: Vec<_> = (0..)
            .zip(earlier)
            .filter(|(_, other)| covered(&other.servers, &server.value))
            .collect();
        for role in &entry.roles {
            let first = here
                .iter()
                .find(|(_, other)| covered(&other.roles, &role.value));
            match first {
                Some((at, _)) => by.insert(*at),
                None => return,
            };
        }
    }
    let by: Vec<_> = by
        .into_iter()
        .map(|at: usize| shown(&earlier[at].name.value))
        .collect();
    let (name, by) = (shown(&entry.name.value), by.join(" and "));
    let message = format!("the policy {name} is never reached: {by} before it matches first");
    found.add(entry.name.place, message);
}

fn covered(list: &[Spanned<Pattern>], pattern: &Pattern) -> bool {
    list.iter().any(|entry| entry.value.covers(pattern))
}

/// Names that no server of this program can have.
fn servers(entry: &Entry, found: &mut Problems) {
    for server in &entry.servers {
        let why = match (&server.value, ServerName::parse(server.value.stem())) {
            (Pattern::Exact(_), Err(why)) => why,
            // The beginning of a name may be reserved, or fill the whole of it.
            (Pattern::Prefix(stem), Err(why)) if &**stem != "chaperone" => why,
            (Pattern::Any | Pattern::Prefix(_) | Pattern::Exact(_), _) => continue,
        };
        let name = shown(&server.value.to_string());
        found.add(server.place, format!("{name} matches no server: {why}"));
    }
}

fn scopes(entry: &Entry, found: &mut Problems) {
    for scope in entry
        .scopes
        .iter()
        .filter(|scope| scope.value.contains('*'))
    {
        let message = "scopes are no patterns; this one is compared with its '*'";
        found.add(scope.place, message);
    }
}

/// Parts of a refusing policy that nobody asks.
fn idle(entry: &Entry, found: &mut Problems) {
    let parts = [
        ("scopes", entry.scopes.first().map(|scope| scope.place)),
        (
            "rate_limit",
            entry.rate_limit.as_ref().map(|rate| rate.place),
        ),
        ("tools", entry.tools.as_ref().map(|lists| lists.place)),
        ("prompts", entry.prompts.as_ref().map(|lists| lists.place)),
        (
            "resources",
            entry.resources.as_ref().map(|lists| lists.place),
        ),
        (
            "approval_required",
            entry.approvals.first().map(|one| one.tool.place),
        ),
    ];
    for (key, place) in parts {
        if let Some(place) = place {
            let message = format!("'{key}' has no effect beside effect: \"deny\"");
            found.add(place, message);
        }
    }
}

fn lists(entry: &Entry, found: &mut Problems) {
    // An approval takes a tool out of both lists, and nothing else.
    list(entry.tools.as_ref(), "tool", &entry.approvals, found);
    read_only(entry, found);
    list(entry.prompts.as_ref(), "prompt", &[], found);
    list(entry.resources.as_ref(), "resource", &[], found);
    let lists = [&entry.tools, &entry.prompts].into_iter().flatten();
    for Lists {
        allowed,
        denied,
        read_only,
        ..
    } in lists
    {
        let allowed = allowed.iter().flat_map(|list| &list.value);
        // Such signs are ordinary in URIs.
        let names = allowed.chain(denied).chain(read_only);
        names.for_each(|name| foreign(name, found));
    }
}

/// Tools that are called harmless and are refused all the same: somebody may take the list for a grant.
fn read_only(entry: &Entry, found: &mut Problems) {
    let Some(lists) = &entry.tools else { return };
    for tool in &lists.read_only {
        let mut approvals = entry.approvals.iter();
        let approved = approvals.any(|one| one.tool.value.meets(&tool.value));
        let left_out = lists.allowed.as_ref().is_some_and(|allowed| {
            let named = |one: &Spanned<Pattern>| one.value.meets(&tool.value);
            !allowed.value.iter().any(named)
        });
        if !approved && (left_out || covered(&lists.denied, &tool.value)) {
            let name = shown(&tool.value.to_string());
            let message = format!("{name} is refused; 'read_only' grants nothing");
            found.add(tool.place, message);
        }
    }
}

fn list(lists: Option<&Lists>, kind: &str, approvals: &[Approval], found: &mut Problems) {
    let Some(Lists {
        allowed: Some(allowed),
        denied,
        ..
    }) = lists
    else {
        return;
    };
    if allowed.value.is_empty() {
        let message = format!("'allowed' is an empty list, which allows no {kind}");
        found.add(allowed.place, message);
    }
    for name in &allowed.value {
        contradicted(name, denied, approvals, found);
    }
}

/// An allowed tool that `denied` refuses all the same, unless an approval takes it out of both.
fn contradicted(
    tool: &Spanned<Pattern>,
    denied: &[Spanned<Pattern>],
    approvals: &[Approval],
    found: &mut Problems,
) {
    if approvals
        .iter()
        .any(|one| one.tool.value.covers(&tool.value))
    {
        return;
    }
    let Some(denial) = denied
        .iter()
        .find(|denial| denial.value.covers(&tool.value))
    else {
        return;
    };
    let name = shown(&tool.value.to_string());
    let line = denial.place.line;
    let message = if denial.value == tool.value {
        format!("{name} is allowed and denied, and so is refused (denied in line {line})")
    } else {
        let pattern = shown(&denial.value.to_string());
        format!("{name} is allowed, but {pattern} under 'denied' in line {line} refuses it")
    };
    found.add(tool.place, message);
}

fn approvals(entry: &Entry, found: &mut Problems) {
    for (at, Approval { tool, .. }) in entry.approvals.iter().enumerate() {
        let name = shown(&tool.value.to_string());
        let earlier = &entry.approvals[..at];
        if let Some(first) = earlier
            .iter()
            .find(|one| one.tool.value.covers(&tool.value))
        {
            let line = first.tool.place.line;
            let message = format!("{name} is under 'approval_required' already, in line {line}");
            found.add(tool.place, message);
        }
        if let Some(Lists {
            allowed: Some(allowed),
            denied,
            ..
        }) = &entry.tools
            && !allowed
                .value
                .iter()
                .chain(denied)
                .any(|one| one.value.meets(&tool.value))
        {
            let message = format!(
                "{name} needs an approval, but neither 'allowed' nor 'denied' names it; with an \
                 approval it can be used"
            );
            found.add(tool.place, message);
        }
        foreign(tool, found);
    }
}

/// A pattern of another language, which is compared letter by letter here.
fn foreign(tool: &Spanned<Pattern>, found: &mut Problems) {
    let stem = tool.value.stem();
    let dot_star = matches!(&tool.value, Pattern::Prefix(stem) if stem.ends_with('.'));
    if dot_star || stem.contains(FOREIGN) {
        let name = shown(&tool.value.to_string());
        let message = format!(
            "{name} looks like a regular expression; the only patterns are '*' and 'prefix*'"
        );
        found.add(tool.place, message);
    }
}

fn repeated(entry: &Entry, found: &mut Problems) {
    let named = [&entry.tools, &entry.prompts, &entry.resources];
    let named = named.into_iter().flatten().flat_map(|lists| {
        let allowed = lists.allowed.as_ref().map(|list| &list.value);
        allowed.into_iter().chain([&lists.denied, &lists.read_only])
    });
    let lists = [&entry.servers, &entry.roles].into_iter().chain(named);
    for list in lists {
        let places = list.iter().map(|one| (one.value.to_string(), one.place));
        repeated_words(places, found);
    }
    let scopes = entry.scopes.iter();
    repeated_words(scopes.map(|one| (one.value.to_string(), one.place)), found);
}

fn repeated_words(words: impl Iterator<Item = (String, Place)>, found: &mut Problems) {
    let mut seen = BTreeSet::new();
    for (word, place) in words {
        let message = format!("{} is in this list already", shown(&word));
        if !seen.insert(word) {
            found.add(place, message);
        }
    }
}

#[cfg(test)]
mod tests;
