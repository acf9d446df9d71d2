//! How a decision came about, for a person at a terminal or a script.
//!
//! The steps are taken from the same functions as the decision, which itself is asked last; there
//! is no second opinion to drift from the first.

use std::fmt;

use serde::Serialize;

use super::clause::{Clause, Miss};
use super::document::Entry;
use super::pattern::Pattern;
use super::problem::Spanned;
use super::{Body, Decision, Policy, Rule, Standing, Target, decide};
use crate::name::ServerName;

/// A decision with the way to it. As JSON it is one object with these keys, which are stable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The server that was asked about.
    pub server: Box<str>,
    /// `tool`, `prompt`, `resource` or `server`.
    pub kind: &'static str,
    /// The name or URI that was asked about.
    pub target: Box<str>,
    /// The roles that were asked about.
    pub roles: Vec<Box<str>>,
    /// The scopes that were asked about.
    pub scopes: Vec<Box<str>>,
    /// Each policy in order; empty where there is no readable document.
    pub policies: Vec<Consulted>,
    /// The answer.
    pub decision: Outcome,
    /// The policy that decided, if one matched.
    pub policy: Option<Box<str>>,
    /// The rule within it.
    pub rule: Rule,
    /// What the person is told, unless the answer is yes.
    pub message: Option<Box<str>>,
    /// The scope that is missing, where that is the answer.
    pub scope: Option<Box<str>>,
    /// The roles that can approve, where that is the answer.
    pub approvers: Vec<Box<str>>,
    /// How often, where the answer is yes and the policy sets a rate.
    pub requests_per_minute: Option<u32>,
    /// Whether, the answer being yes, it can be called while records cannot leave.
    pub read_only: bool,
    /// Whether lists show the target.
    pub listed: bool,
    /// The digest of the document.
    pub policy_digest: Box<str>,
}

/// One policy on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consulted {
    /// Its name.
    pub name: Box<str>,
    /// The line of its name in the document.
    pub line: usize,
    /// Whether it matched.
    pub result: Found,
    /// Why not, for a person; empty for the one that matched.
    pub why: Box<str>,
}

/// What came of one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// It names the server and one of the roles, and is final.
    Matched,
    /// It does not name the server.
    OtherServer,
    /// It names the server and none of the roles.
    OtherRoles,
    /// An earlier one matched.
    NotReached,
}

/// The kind of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Yes.
    Permit,
    /// With an approval.
    NeedsApproval,
    /// With a further scope.
    NeedsScope,
    /// No.
    Deny,
}

impl Policy {
    /// Decides and says how.
    #[must_use]
    pub fn explain(&self, who: Standing<'_>, server: &ServerName, what: Target<'_>) -> Explanation {
        let decision = decide(self, who, server, what);
        let refusal = decision.refusal();
        let mut explanation = Explanation {
            server: server.as_str().into(),
            kind: what.kind(),
            target: what.name().into(),
            roles: who.roles.iter().map(Into::into).collect(),
            scopes: who.scopes.iter().map(Into::into).collect(),
            policies: self.consult(who, server),
            decision: Outcome::Deny,
            policy: refusal.and_then(|refusal| refusal.policy.clone()),
            rule: refusal.map_or(Rule::Allowed, |refusal| refusal.rule),
            message: refusal.map(|refusal| refusal.message.clone()),
            scope: None,
            approvers: Vec::new(),
            requests_per_minute: None,
            read_only: false,
            listed: decision.is_listed(),
            policy_digest: self.digest().into(),
        };
        match decision {
            Decision::Permit(permit) => {
                explanation.decision = Outcome::Permit;
                explanation.policy = Some(permit.policy().into());
                explanation.rule = permit.rule();
                explanation.requests_per_minute = permit.rate_limit().map(|rate| rate.per_minute);
                explanation.read_only = permit.is_read_only();
            }
            Decision::NeedsApproval(_, approvers) => {
                explanation.decision = Outcome::NeedsApproval;
                explanation.approvers = approvers;
            }
            Decision::NeedsScope(_, scope) => {
                explanation.decision = Outcome::NeedsScope;
                explanation.scope = Some(scope);
            }
            Decision::Deny(_) => {}
        }
        explanation
    }

    fn consult(&self, who: Standing<'_>, server: &ServerName) -> Vec<Consulted> {
        let Body::Read { clauses, document } = &self.body else {
            return Vec::new();
        };
        let mut reached = true;
        let pairs = clauses.iter().zip(&document.policies);
        pairs
            .map(|(clause, entry)| {
                let (result, why) = found(reached, clause, entry, who, server);
                reached &= result != Found::Matched;
                Consulted {
                    name: entry.name.value.clone(),
                    line: entry.name.place.line,
                    result,
                    why: why.into(),
                }
            })
            .collect()
    }
}

fn found(
    reached: bool,
    clause: &Clause,
    entry: &Entry,
    who: Standing<'_>,
    server: &ServerName,
) -> (Found, String) {
    if !reached {
        return (Found::NotReached, "an earlier policy matched".to_owned());
    }
    match clause.miss(who, server) {
        None => (Found::Matched, String::new()),
        Some(Miss::Server) => {
            let why = format!("it is for the servers {}", listed(&entry.servers));
            (Found::OtherServer, why)
        }
        Some(Miss::Roles) => {
            let why = format!("it is for the roles {}", listed(&entry.roles));
            (Found::OtherRoles, why)
        }
    }
}

fn listed(entries: &[Spanned<Pattern>]) -> String {
    let texts: Vec<_> = entries
        .iter()
        .map(|entry| entry.value.to_string())
        .collect();
    texts.join(", ")
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles = match self.roles.join(", ") {
            none if none.is_empty() => "none".to_owned(),
            some => some,
        };
        let target = self.target.escape_debug();
        writeln!(f, "server  {}", self.server)?;
        writeln!(f, "{:<7} {target}", self.subject())?;
        writeln!(f, "roles   {roles}")?;
        writeln!(f)?;
        for (nth, policy) in (1..).zip(&self.policies) {
            writeln!(f, "{nth:>3}. {policy}")?;
        }
        if !self.policies.is_empty() {
            writeln!(f)?;
        }
        self.answer(f)?;
        match &self.message {
            Some(message) => write!(f, "\n{message}"),
            None => Ok(()),
        }
    }
}

impl Explanation {
    /// The word before the target; the server itself is named above it.
    fn subject(&self) -> &'static str {
        match self.kind {
            "server" => "setting",
            // Eight letters, one more than the column has.
            "resource" => "URI",
            kind => kind,
        }
    }

    fn answer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decision {
            Outcome::Permit => f.write_str("Permitted")?,
            Outcome::NeedsApproval => {
                write!(f, "Needs an approval by {}", self.approvers.join(" or "))?;
            }
            Outcome::NeedsScope => {
                let scope = self.scope.as_deref().unwrap_or_default();
                write!(f, "Needs the scope {scope}")?;
            }
            Outcome::Deny => f.write_str("Refused")?,
        }
        match &self.policy {
            Some(policy) => write!(f, ": policy \"{policy}\", rule {}", self.rule)?,
            None => write!(f, ": rule {}", self.rule)?,
        }
        if let Some(rate) = self.requests_per_minute {
            write!(f, ", at most {rate} times a minute")?;
        }
        if self.read_only {
            write!(f, ", also while records cannot leave (read_only)")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Consulted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            line,
            result,
            why,
        } = self;
        write!(f, "{name} (line {line}): ")?;
        match result {
            Found::Matched => f.write_str("matches and is final"),
            Found::OtherServer | Found::OtherRoles => write!(f, "does not match, {why}"),
            Found::NotReached => write!(f, "not reached, {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
