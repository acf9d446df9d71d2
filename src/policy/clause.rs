//! One policy, worked out for deciding: lists that are asked fast, the company's scope names.

use std::sync::Arc;

use super::document::{Approval, Effect, Entry, Lists};
use super::pattern::{Pattern, Patterns};
use super::problem::Spanned;
use super::{RateLimit, Rule, Standing, Target};
use crate::config::ScopeNames;
use crate::name::ServerName;

/// A policy of the document.
#[derive(Debug)]
pub(super) struct Clause {
    pub(super) name: Arc<str>,
    pub(super) rate_limit: Option<RateLimit>,
    /// The administrator's own words for a refusal.
    pub(super) message: Option<Box<str>>,
    servers: Patterns,
    roles: Patterns,
    effect: Effect,
    scopes: Box<[Box<str>]>,
    approvals: Box<[Approvers]>,
    tools: Named,
    prompts: Named,
    resources: Named,
}

/// What the lists of one kind name.
#[derive(Debug, Default)]
struct Named {
    denied: Patterns,
    /// `None` where the policy has no such list and so offers everything of this kind.
    allowed: Option<Patterns>,
    read_only: Patterns,
}

/// Who can agree to the use of which tools.
#[derive(Debug)]
struct Approvers {
    tools: Pattern,
    roles: Box<[Box<str>]>,
}

/// What a policy that matched says, before it is put into words.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict<'p> {
    Permit,
    /// By somebody with one of these roles.
    Approval(&'p [Box<str>]),
    /// Without this scope the target is not even listed.
    Unlisted(&'p str),
    /// This scope is missing.
    Scope(&'p str),
    Refuse(Rule),
}

/// Why a policy does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Miss {
    Server,
    Roles,
}

impl Clause {
    pub(super) fn new(entry: &Entry, names: &ScopeNames) -> Self {
        let scopes = entry.scopes.iter();
        let scopes = scopes.filter_map(|scope| company_name(&scope.value, names));
        Self {
            name: (*entry.name.value).into(),
            rate_limit: entry.rate_limit.as_ref().map(|limit| RateLimit {
                per_minute: limit.value,
            }),
            message: entry.message.clone(),
            servers: Patterns::new(&entry.servers),
            roles: Patterns::new(&entry.roles),
            effect: entry.effect,
            scopes: scopes.collect(),
            approvals: entry.approvals.iter().map(Approvers::new).collect(),
            tools: Named::new(entry.tools.as_ref()),
            prompts: Named::new(entry.prompts.as_ref()),
            resources: Named::new(entry.resources.as_ref()),
        }
    }

    /// What keeps the policy from matching, if anything does.
    pub(super) fn miss(&self, who: Standing<'_>, server: &ServerName) -> Option<Miss> {
        if !self.servers.matches(server.as_str()) {
            Some(Miss::Server)
        } else if !self.roles.matches_one(who.roles) {
            Some(Miss::Roles)
        } else {
            None
        }
    }

    /// What this policy, having matched, says about a target.
    ///
    /// The order is part of the policy's meaning: an approval is asked for before the lists are,
    /// so that a tool under `denied` with an approval is "not without approval".
    pub(super) fn judge<'p>(
        &'p self,
        names: &'p ScopeNames,
        who: Standing<'_>,
        what: Target<'_>,
    ) -> Verdict<'p> {
        if self.effect == Effect::Deny {
            return Verdict::Refuse(Rule::Effect);
        }
        let (listing, using) = general_scopes(names, what);
        let lacks = |scope: &&str| !who.scopes.has(scope);
        if let Some(scope) = listing.filter(lacks) {
            return Verdict::Unlisted(scope);
        }
        let own = self.scopes.iter().map(AsRef::as_ref);
        if let Some(scope) = using.into_iter().chain(own).find(lacks) {
            return Verdict::Scope(scope);
        }
        match what {
            Target::Tool(tool) => self.judge_tool(tool.as_str()),
            Target::Prompt(name) => self.prompts.judge(name),
            Target::Resource(uri) => self.resources.judge(uri),
            Target::Server(_) | Target::Question(_) => Verdict::Permit,
        }
    }

    /// Whether the policy says of a tool that it changes nothing; it grants nothing by that.
    pub(super) fn is_read_only(&self, what: Target<'_>) -> bool {
        match what {
            Target::Tool(tool) => self.tools.read_only.matches(tool.as_str()),
            Target::Prompt(_) | Target::Resource(_) | Target::Server(_) | Target::Question(_) => {
                false
            }
        }
    }

    fn judge_tool(&self, tool: &str) -> Verdict<'_> {
        let mut approvals = self.approvals.iter();
        match approvals.find(|one| one.tools.matches(tool)) {
            Some(approvers) => Verdict::Approval(&approvers.roles),
            None => self.tools.judge(tool),
        }
    }
}

impl Named {
    fn new(lists: Option<&Lists>) -> Self {
        let Some(Lists {
            allowed,
            denied,
            read_only,
            ..
        }) = lists
        else {
            return Self::default();
        };
        Self {
            denied: Patterns::new(denied),
            allowed: allowed.as_ref().map(|list| Patterns::new(&list.value)),
            read_only: Patterns::new(read_only),
        }
    }

    fn judge(&self, name: &str) -> Verdict<'static> {
        if self.denied.matches(name) {
            return Verdict::Refuse(Rule::Denied);
        }
        match &self.allowed {
            Some(allowed) if !allowed.matches(name) => Verdict::Refuse(Rule::NotAllowed),
            Some(_) | None => Verdict::Permit,
        }
    }
}

impl Approvers {
    fn new(approval: &Approval) -> Self {
        let text = |role: &Spanned<Pattern>| role.value.to_string().into();
        Self {
            tools: approval.tool.value.clone(),
            roles: approval.approvers.iter().map(text).collect(),
        }
    }
}

/// The name under which a token carries a scope of the document; `None` where the company has
/// turned that check off.
fn company_name(scope: &str, names: &ScopeNames) -> Option<Box<str>> {
    match scope {
        "mcp:tools:read" => names.tools_read.clone(),
        "mcp:tools:execute" => names.tools_execute.clone(),
        "mcp:resources:read" => names.resources_read.clone(),
        "mcp:admin" => names.admin.clone(),
        own => Some(own.into()),
    }
}

/// The scope without which a target is not listed, and the one without which it is not used.
fn general_scopes<'n>(
    names: &'n ScopeNames,
    what: Target<'_>,
) -> (Option<&'n str>, Option<&'n str>) {
    match what {
        Target::Tool(_) | Target::Prompt(_) => {
            (names.tools_read.as_deref(), names.tools_execute.as_deref())
        }
        Target::Resource(_) => (names.resources_read.as_deref(), None),
        // `mcp:admin` is asked for by the policies that want it; questions are parts of calls, which
        // have been judged.
        Target::Server(_) | Target::Question(_) => (None, None),
    }
}
