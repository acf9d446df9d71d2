//! The sentences of refusals: what happened, why, and what to do next.
//!
//! They are read by people and by models, which take them for the result of a call. Where an
//! administrator wrote a `message` of his own for a refusal, it stands in place of ours.

use super::clause::Clause;
use super::problem::shown;
use super::{Rule, Target};
use crate::name::ServerName;

/// Where the reasons stand, for those who may ask.
const ASK: &str =
    "Ask your administrator if you need it; `chaperone policy explain` shows how it was decided.";

pub(super) fn no_document(server: &ServerName, what: Target<'_>, reason: &str) -> String {
    let (thing, unused) = phrase(server, what);
    format!(
        "{thing} was {unused}, because there is no readable policy and without one everything is \
         refused: {reason}. Ask your administrator to mend it; `chaperone policy check` shows what \
         is wrong."
    )
}

pub(super) fn no_policy(server: &ServerName, what: Target<'_>) -> String {
    let (thing, unused) = phrase(server, what);
    format!("{thing} was {unused}, because no policy gives one of your roles this server. {ASK}")
}

pub(super) fn approval(
    policy: &str,
    server: &ServerName,
    what: Target<'_>,
    approvers: &[Box<str>],
) -> String {
    let (thing, unused) = phrase(server, what);
    let policy = shown(policy);
    let (who, ask) = if approvers.iter().any(|role| **role == *"*") {
        ("another person".to_owned(), "another person")
    } else {
        let roles = approvers.join(" or ");
        (format!("the role {roles}"), "a person who has that role")
    };
    format!(
        "{thing} was {unused}, because the policy {policy} asks for an approval by {who}. Do not \
         try again; ask {ask}."
    )
}

pub(super) fn scope(server: &ServerName, what: Target<'_>, scope: &str) -> String {
    let (thing, unused) = phrase(server, what);
    format!(
        "{thing} was {unused}, because your sign-in does not carry the scope {scope} for this \
         server. Ask your administrator for it, then sign in again with `chaperone login`."
    )
}

/// For the rules that the policy's own message may speak for.
pub(super) fn refused(
    clause: &Clause,
    rule: Rule,
    server: &ServerName,
    what: Target<'_>,
) -> String {
    if let Some(message) = &clause.message {
        return message.as_ref().to_owned();
    }
    let (thing, unused) = phrase(server, what);
    let kind = what.kind();
    let why = match rule {
        Rule::Denied => format!("denies this {kind}"),
        Rule::NotAllowed => format!("does not list it among the {kind}s it allows"),
        Rule::Effect
        | Rule::NoDocument
        | Rule::NoPolicy
        | Rule::Scope
        | Rule::Approval
        | Rule::Allowed
        | Rule::Definition => "refuses your role this server".to_owned(),
    };
    let policy = shown(&clause.name);
    format!("{thing} was {unused}, because the policy {policy} {why}. {ASK}")
}

/// The subject of a sentence, and what was not done with it. Prompts and resources are named by
/// whoever asks, so what cannot be seen in them is escaped.
fn phrase(server: &ServerName, what: Target<'_>) -> (String, &'static str) {
    match what {
        Target::Tool(tool) => (format!("The tool {tool} of the server {server}"), "not run"),
        Target::Prompt(name) => {
            let name = shown(name);
            (
                format!("The prompt {name} of the server {server}"),
                "not fetched",
            )
        }
        Target::Resource(uri) => {
            let uri = shown(uri);
            (
                format!("The resource {uri} of the server {server}"),
                "not read",
            )
        }
        Target::Server(setting) => {
            let setting = shown(setting);
            (
                format!("The setting {setting} of the server {server}"),
                "not changed",
            )
        }
        Target::Question(method) => {
            let method = shown(method);
            (
                format!("The question {method} of the server {server}"),
                "not put",
            )
        }
    }
}
