use super::super::tests::{load, roles, scopes};
use super::*;
use crate::config::ScopeNames;
use crate::name::ToolName;

const DOCUMENT: &str = "\
version: \"1.0\"
policies:
- name: elsewhere
  servers: [web, \"eu-*\"]
  roles: [\"*\"]
- name: others
  servers: [db]
  roles: [dba, \"ops-*\"]
- name: ours
  servers: [db]
  roles: [analyst]
  scopes: [\"mcp:admin\"]
  rate_limit: {requests_per_minute: 5}
  tools: {allowed: [read, risky], denied: [drop], read_only: [read, risky, drop]}
  approval_required: [{tool: risky, approvers: [lead, dba]}]
- name: rest
  servers: [\"*\"]
  roles: [\"*\"]
  effect: deny
  message: Ask the platform team.
";

fn explain(held: &str, granted: &str, tool: &str) -> Explanation {
    let (held, granted) = (roles(held), scopes(granted));
    let who = Standing {
        roles: &held,
        scopes: &granted,
    };
    let tool = ToolName::parse(tool).unwrap();
    let server = ServerName::parse("db").unwrap();
    load(DOCUMENT).explain(who, &server, Target::Tool(&tool))
}

#[test]
fn a_person_reads_each_policy_and_then_the_answer() {
    let text = explain("analyst", "all", "read").to_string();
    let expected = "\
server  db
tool    read
roles   analyst

  1. elsewhere (line 3): does not match, it is for the servers web, eu-*
  2. others (line 6): does not match, it is for the roles dba, ops-*
  3. ours (line 9): matches and is final
  4. rest (line 16): not reached, an earlier policy matched

Permitted: policy \"ours\", rule allowed, at most 5 times a minute, also while records cannot leave (read_only)
";
    assert_eq!(text, expected);
}

#[test]
fn a_refusal_ends_with_what_the_person_is_told() {
    let ending = |held, granted, tool| {
        let text = explain(held, granted, tool).to_string();
        let at = text
            .rfind("\n\n")
            .and_then(|end| text[..end].rfind("\n\n"))
            .unwrap();
        text[at + 2..].to_owned()
    };
    assert_eq!(
        ending("", "all", "read"),
        "Refused: policy \"rest\", rule effect\n\nAsk the platform team."
    );
    assert_eq!(
        ending("analyst", "all", "risky").lines().next(),
        Some("Needs an approval by lead or dba: policy \"ours\", rule approval")
    );
    assert_eq!(
        ending("analyst", "use", "read").lines().next(),
        Some("Needs the scope mcp:admin: policy \"ours\", rule scope")
    );
    assert_eq!(
        ending("analyst", "all", "drop").lines().next(),
        Some("Refused: policy \"ours\", rule denied")
    );
}

#[test]
fn a_script_reads_stable_keys() {
    let explanation = explain("analyst", "use admin", "risky");
    let json = serde_json::to_value(&explanation).unwrap();
    let expected = serde_json::json!({
        "server": "db",
        "kind": "tool",
        "target": "risky",
        "roles": ["analyst"],
        "scopes": ["mcp:admin", "mcp:tools:execute", "mcp:tools:read"],
        "policies": [
            {"name": "elsewhere", "line": 3, "result": "other_server",
             "why": "it is for the servers web, eu-*"},
            {"name": "others", "line": 6, "result": "other_roles",
             "why": "it is for the roles dba, ops-*"},
            {"name": "ours", "line": 9, "result": "matched", "why": ""},
            {"name": "rest", "line": 16, "result": "not_reached",
             "why": "an earlier policy matched"},
        ],
        "decision": "needs_approval",
        "policy": "ours",
        "rule": "approval",
        "message": "The tool risky of the server db was not run, because the policy \"ours\" asks \
                    for an approval by the role lead or dba. Do not try again; ask a person who \
                    has that role.",
        "scope": null,
        "approvers": ["lead", "dba"],
        "requests_per_minute": null,
        "read_only": false,
        "listed": true,
        "policy_digest": *load(DOCUMENT).digest(),
    });
    assert_eq!(json, expected);
}

#[test]
fn without_a_document_there_is_nothing_to_walk_through() {
    let policy = Policy::refusing("the file is empty", ScopeNames::default());
    let (held, granted) = (roles(""), scopes(""));
    let who = Standing {
        roles: &held,
        scopes: &granted,
    };
    let server = ServerName::parse("db").unwrap();
    let text = policy
        .explain(who, &server, Target::Resource("file:///\u{1b}x"))
        .to_string();
    let expected = "\
server  db
URI     file:///\\u{1b}x
roles   none

Refused: rule no_document

The resource \"file:///\\u{1b}x\" of the server db was not read, because there is no readable policy \
and without one everything is refused: the file is empty. Ask your administrator to mend it; \
`chaperone policy check` shows what is wrong.";
    assert_eq!(text, expected);
}
