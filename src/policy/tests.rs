use super::*;
use crate::name::{ServerName, ToolName};
use crate::principal::{Roles, Scopes};

mod documents;
mod oracle;
mod rules;

/// The published example, without a change.
const PUBLISHED: &str = r#"version: "1.0"
policies:
  - name: "database-access"
    servers: ["database"]
    roles: ["db-admin", "data-analyst"]
    scopes: ["mcp:tools:execute"]
    rate_limit:
      requests_per_minute: 50
    tools:
      allowed: ["query_database", "list_tables", "describe_table"]
      denied: ["drop_table", "truncate"]
  - name: "deployment-access"
    servers: ["deploy"]
    roles: ["admin", "devops"]
    scopes: ["mcp:tools:execute", "mcp:admin"]
    rate_limit:
      requests_per_minute: 10
    tools:
      allowed: ["deploy_staging", "rollback"]
      denied: ["deploy_production"]
    approval_required:
      - tool: "deploy_production"
        approvers: ["platform-lead"]
  - name: "default-deny"
    servers: ["*"]
    roles: ["*"]
    effect: "deny"
    message: "No policy matches this request. Contact platform team."
"#;

const READ: &str = "mcp:tools:read";
const EXECUTE: &str = "mcp:tools:execute";
const RESOURCES: &str = "mcp:resources:read";
const ADMIN: &str = "mcp:admin";

pub(super) fn load(text: &str) -> Policy {
    load_with(text, ScopeNames::default())
}

fn load_with(text: &str, scopes: ScopeNames) -> Policy {
    match Policy::parse(text, scopes) {
        Ok(policy) => policy,
        Err(error) => panic!("{text}\n{}", lines(&error.problems)),
    }
}

/// Problems as a person reads them, one a line, short enough for a table.
pub(super) fn lines(problems: &[Problem]) -> String {
    let lines = problems
        .iter()
        .map(|problem| format!("{}:{} {}\n", problem.line, problem.column, problem.message));
    lines.collect()
}

/// Roles, as words between spaces.
pub(super) fn roles(text: &str) -> Roles {
    text.split_whitespace().collect()
}

/// Scopes, as words between spaces; the standard ones by their short names, `use` for both of
/// tools and `all` for all four.
pub(super) fn scopes(text: &str) -> Scopes {
    let scopes = text.split_whitespace().flat_map(|word| match word {
        "read" => vec![READ],
        "execute" => vec![EXECUTE],
        "resources" => vec![RESOURCES],
        "admin" => vec![ADMIN],
        "use" => vec![READ, EXECUTE],
        "all" => vec![READ, EXECUTE, RESOURCES, ADMIN],
        own => vec![own],
    });
    scopes.collect()
}

/// `permit RULE`, `approval by ROLES`, `scope NAME` or `deny RULE`, with the policy at the end.
fn short(decision: &Decision) -> String {
    match decision {
        Decision::Permit(permit) => format!("permit {} {}", permit.rule(), permit.policy()),
        Decision::NeedsApproval(refusal, by) => {
            assert_eq!(refusal.rule, Rule::Approval);
            format!("approval {} {}", by.join("|"), policy_of(refusal))
        }
        Decision::NeedsScope(refusal, scope) => {
            assert_eq!(refusal.rule, Rule::Scope);
            format!("scope {scope} {}", policy_of(refusal))
        }
        Decision::Deny(refusal) => format!("deny {} {}", refusal.rule, policy_of(refusal)),
    }
}

fn policy_of(refusal: &Refusal) -> &str {
    refusal.policy.as_deref().unwrap_or("-")
}

/// Asks about `tool`, or `prompt:…`, `resource:…`, `server:…`.
fn ask(policy: &Policy, with: (&Roles, &Scopes), server: &str, what: &str) -> Decision {
    let server = ServerName::parse(server).unwrap();
    let who = Standing {
        roles: with.0,
        scopes: with.1,
    };
    let tool;
    let target = match what.split_once(':') {
        Some(("prompt", name)) => Target::Prompt(name),
        Some(("resource", uri)) => Target::Resource(uri),
        Some(("server", setting)) => Target::Server(setting),
        _ => {
            tool = ToolName::parse(what).unwrap();
            Target::Tool(&tool)
        }
    };
    decide(policy, who, &server, target)
}

/// Checks rows of roles, scopes, server, target, and the decision in short.
fn check(policy: &Policy, rows: &[&str]) {
    for row in rows {
        let columns: Vec<_> = row.splitn(5, '|').map(str::trim).collect();
        let [held, granted, server, what, expected] = columns[..] else {
            panic!("{row} has five columns");
        };
        let decision = ask(policy, (&roles(held), &scopes(granted)), server, what);
        assert_eq!(short(&decision), expected, "{row}");
    }
}
