use super::super::tests::{lines, load};

fn check(body: &str, expected: &[&str]) {
    let text = format!("version: \"1.0\"\npolicies:\n{body}");
    let found = lines(&load(&text).warnings());
    let found: Vec<_> = found.lines().collect();
    assert_eq!(found, expected, "{text}");
}

/// One policy `p`; the first line of the body is line 4.
fn check_one(body: &str, expected: &[&str]) {
    check(
        &format!("- {{name: p, servers: [db], roles: [r]\n{body}}}"),
        expected,
    );
}

#[test]
fn a_policy_that_others_cover_is_named_with_them() {
    check(
        "- {name: a, servers: [db, web], roles: [x]}
- {name: b, servers: [\"*\"], roles: [y, \"z-*\"]}
- {name: covered, servers: [db], roles: [x, y]}
- {name: half, servers: [db, other], roles: [x]}
- {name: prefix, servers: [\"eu-*\"], roles: [z-1, \"z-a*\"]}
- {name: wider, servers: [db], roles: [\"z*\"]}
- {name: all, servers: [\"*\"], roles: [\"*\"], effect: deny}
- {name: late, servers: [\"*\"], roles: [\"*\"]}
",
        &[
            "5:10 the policy \"covered\" is never reached: \"a\" and \"b\" before it matches first",
            "7:10 the policy \"prefix\" is never reached: \"b\" before it matches first",
            "10:10 the policy \"late\" is never reached: \"all\" before it matches first",
        ],
    );
}

#[test]
fn anybody_is_not_the_sum_of_roles() {
    check(
        "- {name: a, servers: [\"*\"], roles: [\"a*\", x]}
- {name: b, servers: [\"*\"], roles: [\"*\"]}
",
        &[],
    );
}

#[test]
fn allowed_tools_that_are_denied_are_named() {
    check_one(
        ", tools: {allowed: [a, drop_table, \"get_*\"], denied: [a, \"drop_*\", get_secret]}",
        &[
            "4:21 \"a\" is allowed and denied, and so is refused (denied in line 4)",
            "4:24 \"drop_table\" is allowed, but \"drop_*\" under 'denied' in line 4 refuses it",
        ],
    );
    check_one(
        ", tools: {allowed: [a], denied: [\"*\"]}, approval_required: [{tool: a, approvers: [l]}]",
        &[],
    );
}

#[test]
fn harmless_tools_that_are_refused_are_named() {
    check_one(
        ", tools: {allowed: [a, \"get_*\"], denied: [get_secret],
 read_only: [a, b, \"get*\", get_secret, get_x, \"c.*\", a, d]}, approval_required: [{tool: d, approvers: [l]}]",
        &[
            "5:17 \"b\" is refused; 'read_only' grants nothing",
            "5:28 \"get_secret\" is refused; 'read_only' grants nothing",
            "5:47 \"c.*\" is refused; 'read_only' grants nothing",
            "5:47 \"c.*\" looks like a regular expression; the only patterns are '*' and 'prefix*'",
            "5:54 \"a\" is in this list already",
            "5:89 \"d\" needs an approval, but neither 'allowed' nor 'denied' names it; with an approval it can be used",
        ],
    );
    check_one(", tools: {read_only: [a]}", &[]);
}

#[test]
fn an_empty_allowed_is_named() {
    check_one(
        ", tools: {allowed: []}",
        &["4:20 'allowed' is an empty list, which allows no tool"],
    );
    check_one(", tools: {denied: []}", &[]);
}

#[test]
fn approvals_of_tools_that_no_list_names_are_named() {
    check_one(
        ", tools: {allowed: [a, \"get_*\"], denied: [d]}, approval_required: [
 {tool: other, approvers: [l]}, {tool: get_x, approvers: [l]}, {tool: d, approvers: [l]},
 {tool: \"get_*\", approvers: [l]}, {tool: get_y, approvers: [m]}, {tool: \"g*\", approvers: [l]}]",
        &[
            "5:9 \"other\" needs an approval, but neither 'allowed' nor 'denied' names it; with an \
             approval it can be used",
            "6:42 \"get_y\" is under 'approval_required' already, in line 6",
        ],
    );
    check_one(
        ", tools: {denied: [d]}, approval_required: [{tool: other, approvers: [l]}]",
        &[],
    );
}

#[test]
fn parts_that_nobody_asks_are_named() {
    check_one(
        ", effect: deny, scopes: [s],
 rate_limit: {requests_per_minute: 1},
 tools: {allowed: []},
 approval_required: [{tool: t, approvers: [l]}]",
        &[
            "4:26 'scopes' has no effect beside effect: \"deny\"",
            "5:36 'rate_limit' has no effect beside effect: \"deny\"",
            "6:9 'tools' has no effect beside effect: \"deny\"",
            "7:29 'approval_required' has no effect beside effect: \"deny\"",
        ],
    );
}

#[test]
fn servers_that_cannot_be_are_named() {
    check(
        "- {name: p, servers: [Database, \"my_*\", \"chaper*\", \"chaperone*\", chaperone], roles: [r]}",
        &[
            "3:23 \"Database\" matches no server: a server's name holds only a-z, 0-9 and '-'",
            "3:33 \"my_*\" matches no server: a server's name holds only a-z, 0-9 and '-'",
            "3:66 \"chaperone\" matches no server: the name 'chaperone' is reserved",
        ],
    );
}

#[test]
fn patterns_of_other_languages_are_named() {
    let why = "looks like a regular expression; the only patterns are '*' and 'prefix*'";
    check_one(
        ", tools: {allowed: [\"get_.*\", \"^set$\", v1.2], denied: [\"drop_[a-z]*\"]}",
        &[
            &format!("4:21 \"get_.*\" {why}"),
            &format!("4:31 \"^set$\" {why}"),
            &format!("4:56 \"drop_[a-z]*\" {why}"),
        ],
    );
    check_one(
        ", scopes: [\"mcp:*\"]",
        &["4:12 scopes are no patterns; this one is compared with its '*'"],
    );
}

#[test]
fn what_is_listed_twice_is_named() {
    check(
        "- {name: p, servers: [db, db], roles: [r, \"r\"], scopes: [s, s], tools: {allowed: [a, a], denied: [\"b*\", \"b*\"]}}",
        &[
            "3:27 \"db\" is in this list already",
            "3:43 \"r\" is in this list already",
            "3:61 \"s\" is in this list already",
            "3:86 \"a\" is in this list already",
            "3:105 \"b*\" is in this list already",
        ],
    );
}

#[test]
fn lists_of_prompts_and_resources_are_looked_at_too() {
    check_one(
        ", prompts: {allowed: [], denied: [\"a.*\"]}, resources: {allowed: [\"x://{id}\", \"x://{id}\"]}",
        &[
            "4:22 'allowed' is an empty list, which allows no prompt",
            "4:35 \"a.*\" looks like a regular expression; the only patterns are '*' and 'prefix*'",
            "4:78 \"x://{id}\" is in this list already",
        ],
    );
    check_one(
        ", prompts: {denied: [a]}, resources: {denied: [b]}, effect: deny",
        &[
            "4:12 'prompts' has no effect beside effect: \"deny\"",
            "4:38 'resources' has no effect beside effect: \"deny\"",
        ],
    );
}
