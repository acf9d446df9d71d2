//! The decision, the words of its question and its answers.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::clause::Verdict;
use super::{Body, Policy, words};
use crate::name::{ServerName, ToolName};
use crate::principal::{Roles, Scopes};

/// What a person has, as far as a decision needs it.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The person's roles.
    pub roles: &'a Roles,
    /// The scopes of the token for this server.
    pub scopes: &'a Scopes,
}

/// What is to be used at a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// A tool, by the server's own name.
    Tool(&'a ToolName),
    /// A prompt, by the server's own name; also its completions.
    Prompt(&'a str),
    /// A resource or template, by its URI; also its completions and subscription.
    Resource(&'a str),
    /// What changes the server itself, such as its log level.
    Server(&'a str),
    /// What the server asks of the host, such as `elicitation/create`.
    Question(&'a str),
}

impl<'a> Target<'a> {
    /// The name or URI alone.
    #[must_use]
    pub fn name(self) -> &'a str {
        match self {
            Self::Tool(tool) => tool.as_str(),
            Self::Prompt(name)
            | Self::Resource(name)
            | Self::Server(name)
            | Self::Question(name) => name,
        }
    }

    /// `tool`, `prompt`, `resource`, `server` or `question`.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Tool(_) => "tool",
            Self::Prompt(_) => "prompt",
            Self::Resource(_) => "resource",
            Self::Server(_) => "server",
            Self::Question(_) => "question",
        }
    }
}

/// The answer to "may they".
#[derive(Debug)]
pub enum Decision {
    /// Yes.
    Permit(Permit),
    /// With somebody's agreement: roles, one of which the approver has (patterns as in `roles`).
    NeedsApproval(Refusal, Vec<Box<str>>),
    /// With a further scope, which is named as the company names it.
    NeedsScope(Refusal, Box<str>),
    /// No.
    Deny(Refusal),
}

impl Decision {
    /// Whether lists show the target.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        match self {
            Self::Permit(_) | Self::NeedsApproval(..) => true,
            Self::NeedsScope(..) | Self::Deny(_) => false,
        }
    }

    /// The refusal, unless the answer is yes.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Permit(_) => None,
            Self::NeedsApproval(refusal, _)
            | Self::NeedsScope(refusal, _)
            | Self::Deny(refusal) => Some(refusal),
        }
    }
}

/// Why something is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The policy that decided, if one matched.
    pub policy: Option<Box<str>>,
    /// The rule within it.
    pub rule: Rule,
    /// For the person, a whole sentence that says what happened and what to do next.
    pub message: Box<str>,
}

/// The rule that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// There is no readable policy.
    NoDocument,
    /// No policy names the server and one of the roles.
    NoPolicy,
    /// The policy's `effect` is `deny`.
    Effect,
    /// A scope is missing.
    Scope,
    /// The tool needs an approval.
    Approval,
    /// It is under `denied`.
    Denied,
    /// There is an `allowed`, and it does not name this.
    NotAllowed,
    /// It is under `allowed`, or the policy has no lists for its kind.
    Allowed,
    /// Its definition is not one that was accepted; not a policy's rule, but one of the gateway.
    Definition,
}

impl Rule {
    /// The stable word for records and scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoDocument => "no_document",
            Self::NoPolicy => "no_policy",
            Self::Effect => "effect",
            Self::Scope => "scope",
            Self::Approval => "approval",
            Self::Denied => "denied",
            Self::NotAllowed => "not_allowed",
            Self::Allowed => "allowed",
            Self::Definition => "definition",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Intents per person and policy in any 60 seconds; at least 1.
    pub per_minute: u32,
}

/// The proof that policy allowed one use of one target. Only [`decide`] makes one, and it cannot
/// be copied: one permit, one use.
#[derive(Debug)]
pub struct Permit {
    server: ServerName,
    target: Box<str>,
    policy: Arc<str>,
    rule: Rule,
    policy_digest: Arc<str>,
    rate_limit: Option<RateLimit>,
    read_only: bool,
}

impl Permit {
    /// The server it is for.
    #[must_use]
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// What it is for: the server's own name of the tool or prompt, or the URI.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The name of the policy that decided.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The rule within it.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The digest of the document that was asked.
    #[must_use]
    pub fn policy_digest(&self) -> &str {
        &self.policy_digest
    }

    /// How often the policy lets it be used.
    #[must_use]
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.rate_limit
    }

    /// Whether it is for a tool that the policy names under `read_only`: one that changes nothing, so
    /// that it may be called while records cannot leave.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }
}

/// Decides about one use.
///
/// The first policy whose `servers` and `roles` match is final. Within it, in this order:
///
/// 1. `effect: deny` refuses.
/// 2. Without the scope for listing (`mcp:tools:read` for tools and prompts, `mcp:resources:read`
///    for resources) the answer is no. Without the one for using (`mcp:tools:execute` for tools and
///    prompts), or one of the policy's own `scopes`, it is [`Decision::NeedsScope`].
/// 3. A tool under `approval_required` needs an approval, by the first entry that names it.
/// 4. A tool under `denied` of `tools`, or outside an `allowed` that is there, is refused; so are
///    prompts by the lists of `prompts` and URIs (of templates, the templates) by those of
///    `resources`. What has no lists in the policy follows the rest of it alone, and so do the
///    server's own settings. `read_only` of `tools` decides nothing here; the permit carries it.
#[must_use]
pub fn decide(
    policy: &Policy,
    who: Standing<'_>,
    server: &ServerName,
    what: Target<'_>,
) -> Decision {
    let clauses = match &policy.body {
        Body::Read { clauses, .. } => clauses,
        Body::Unreadable(reason) => {
            let message = words::no_document(server, what, reason);
            return deny(None, Rule::NoDocument, message);
        }
    };
    let matching = clauses
        .iter()
        .find(|clause| clause.miss(who, server).is_none());
    let Some(clause) = matching else {
        return deny(None, Rule::NoPolicy, words::no_policy(server, what));
    };
    let refusal = |rule, message: String| Refusal {
        policy: Some((*clause.name).into()),
        rule,
        message: message.into(),
    };
    match clause.judge(&policy.scopes, who, what) {
        Verdict::Permit => Decision::Permit(Permit {
            server: server.clone(),
            target: what.name().into(),
            policy: Arc::clone(&clause.name),
            rule: Rule::Allowed,
            policy_digest: Arc::clone(&policy.digest),
            rate_limit: clause.rate_limit,
            read_only: clause.is_read_only(what),
        }),
        Verdict::Approval(approvers) => {
            let message = words::approval(&clause.name, server, what, approvers);
            Decision::NeedsApproval(refusal(Rule::Approval, message), approvers.to_vec())
        }
        Verdict::Scope(scope) => {
            let message = words::scope(server, what, scope);
            Decision::NeedsScope(refusal(Rule::Scope, message), scope.into())
        }
        Verdict::Unlisted(scope) => {
            let message = words::scope(server, what, scope);
            Decision::Deny(refusal(Rule::Scope, message))
        }
        Verdict::Refuse(rule) => {
            Decision::Deny(refusal(rule, words::refused(clause, rule, server, what)))
        }
    }
}

fn deny(policy: Option<Box<str>>, rule: Rule, message: String) -> Decision {
    Decision::Deny(Refusal {
        policy,
        rule,
        message: message.into(),
    })
}
