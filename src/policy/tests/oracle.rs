//! A second implementation of the rules, as plain as possible and sharing no code with the first,
//! and properties over random documents and people.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;

/// What the documents are made from; written out and read by the real reader.
#[derive(Debug, Clone)]
struct Sheet {
    servers: Vec<&'static str>,
    roles: Vec<&'static str>,
    scopes: Vec<&'static str>,
    allowed: Option<Vec<&'static str>>,
    denied: Option<Vec<&'static str>>,
    read_only: Vec<&'static str>,
    /// Allowed and denied, of prompts and of resources.
    others: [(Option<Vec<&'static str>>, Vec<&'static str>); 2],
    approvals: Vec<(&'static str, &'static str)>,
    deny: bool,
    rate: Option<u32>,
}

#[derive(Debug, Clone)]
struct Person {
    roles: BTreeSet<&'static str>,
    scopes: BTreeSet<&'static str>,
}

const WORDS: [&str; 6] = ["a", "ab", "abc", "b", "ba", "c"];
const GRANTS: [&str; 9] = [
    READ,
    EXECUTE,
    RESOURCES,
    ADMIN,
    "own",
    "co-read",
    "co-execute",
    "co-resources",
    "co-admin",
];
const TARGETS: [&str; 13] = [
    "a",
    "ab",
    "abc",
    "b",
    "ba",
    "c",
    "prompt:a",
    "prompt:ab",
    "prompt:c",
    "resource:a",
    "resource:ab",
    "resource:c",
    "server:a",
];

// The oracle.

fn fits(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => text.len() >= prefix.len() && &text[..prefix.len()] == prefix,
        None => pattern == text,
    }
}

fn company(scope: &str, names: &ScopeNames) -> Option<String> {
    let name = match scope {
        READ => &names.tools_read,
        EXECUTE => &names.tools_execute,
        RESOURCES => &names.resources_read,
        ADMIN => &names.admin,
        own => return Some(own.to_owned()),
    };
    name.as_ref().map(ToString::to_string)
}

/// The list that speaks against a name, if one does.
fn against(sheet: &Sheet, kind: &str, what: &str) -> Option<&'static str> {
    let (allowed, denied) = match kind {
        "tool" => (
            sheet.allowed.clone(),
            sheet.denied.clone().unwrap_or_default(),
        ),
        "prompt" => sheet.others[0].clone(),
        "resource" => sheet.others[1].clone(),
        _ => return None,
    };
    let name = what.split_once(':').map_or(what, |(_, name)| name);
    let names = |list: &[&str]| list.iter().any(|one| fits(one, name));
    if names(&denied) {
        return Some("denied");
    }
    let misses = |allowed: Vec<&str>| !names(&allowed);
    allowed.is_some_and(misses).then_some("not_allowed")
}

fn expected(
    sheets: &[Sheet],
    names: &ScopeNames,
    person: &Person,
    server: &str,
    what: &str,
) -> String {
    for (nth, sheet) in sheets.iter().enumerate() {
        let by_server = sheet.servers.iter().any(|pattern| fits(pattern, server));
        let by_role = sheet.roles.contains(&"*")
            || person
                .roles
                .iter()
                .any(|role| sheet.roles.iter().any(|one| fits(one, role)));
        if !by_server || !by_role {
            continue;
        }
        if sheet.deny {
            return format!("deny effect p{nth}");
        }
        let kind = what.split_once(':').map_or("tool", |(kind, _)| kind);
        let (listing, using) = match kind {
            "resource" => (vec![RESOURCES], vec![]),
            "server" => (vec![], vec![]),
            _ => (vec![READ], vec![EXECUTE]),
        };
        for scope in listing {
            if company(scope, names).is_some_and(|name| !person.scopes.contains(&*name)) {
                return format!("deny scope p{nth}");
            }
        }
        for scope in using.into_iter().chain(sheet.scopes.clone()) {
            if let Some(name) = company(scope, names)
                && !person.scopes.contains(&*name)
            {
                return format!("scope {name} p{nth}");
            }
        }
        if kind == "tool" {
            for (tool, approvers) in &sheet.approvals {
                if fits(tool, what) {
                    return format!("approval {approvers} p{nth}");
                }
            }
        }
        if let Some(rule) = against(sheet, kind, what) {
            return format!("deny {rule} p{nth}");
        }
        return format!("permit allowed p{nth}");
    }
    "deny no_policy -".to_owned()
}

// Random documents and people.

fn written(sheets: &[Sheet]) -> String {
    let policies: Vec<_> = (0..)
        .zip(sheets)
        .map(|(nth, sheet)| entry(nth, sheet))
        .collect();
    format!("version: \"1.0\"\npolicies:\n{}", policies.concat())
}

fn entry(nth: usize, sheet: &Sheet) -> String {
    let mut lines = vec![
        format!("- name: p{nth}"),
        format!("  servers: {:?}", sheet.servers),
        format!("  roles: {:?}", sheet.roles),
        format!("  scopes: {:?}", sheet.scopes),
    ];
    if sheet.allowed.is_some() || sheet.denied.is_some() || !sheet.read_only.is_empty() {
        lines.push("  tools:".into());
    }
    if !sheet.read_only.is_empty() {
        lines.push(format!("    read_only: {:?}", sheet.read_only));
    }
    lines.extend(
        sheet
            .allowed
            .iter()
            .map(|list| format!("    allowed: {list:?}")),
    );
    lines.extend(
        sheet
            .denied
            .iter()
            .map(|list| format!("    denied: {list:?}")),
    );
    for (key, (allowed, denied)) in ["prompts", "resources"].iter().zip(&sheet.others) {
        lines.push(format!("  {key}:\n    denied: {denied:?}"));
        let allowed = allowed.iter();
        lines.extend(allowed.map(|list| format!("    allowed: {list:?}")));
    }
    if !sheet.approvals.is_empty() {
        lines.push("  approval_required:".into());
    }
    for (tool, approvers) in &sheet.approvals {
        lines.push(format!(
            "  - {{tool: {tool:?}, approvers: [{approvers:?}]}}"
        ));
    }
    if sheet.deny {
        lines.push("  effect: deny".into());
    }
    let rate = sheet.rate.iter();
    lines.extend(rate.map(|rate| format!("  rate_limit: {{requests_per_minute: {rate}}}")));
    lines.join("\n") + "\n"
}

fn pattern() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        3 => prop::sample::select(&WORDS[..]),
        1 => prop::sample::select(&["*", "a*", "ab*", "b*"][..]),
    ]
}

fn others() -> impl Strategy<Value = (Option<Vec<&'static str>>, Vec<&'static str>)> {
    let denied = prop_oneof![2 => Just(vec![]), 1 => vec(pattern(), 1..3)];
    (option::weighted(0.3, vec(pattern(), 0..4)), denied)
}

fn sheet() -> impl Strategy<Value = Sheet> {
    let document_scopes = prop::sample::select(&GRANTS[..6]);
    (
        vec(pattern(), 1..3),
        vec(pattern(), 1..3),
        prop_oneof![3 => Just(vec![]), 1 => vec(document_scopes, 1..3)],
        option::of(vec(pattern(), 0..4)),
        option::of(vec(pattern(), 0..3)),
        vec(pattern(), 0..3),
        [others(), others()],
        prop_oneof![2 => Just(vec![]), 1 => vec((pattern(), pattern()), 1..3)],
        prop::bool::weighted(0.1),
        option::of(1_u32..100),
    )
        .prop_map(
            |(
                servers,
                roles,
                scopes,
                allowed,
                denied,
                read_only,
                others,
                approvals,
                deny,
                rate,
            )| Sheet {
                servers,
                roles,
                scopes,
                allowed,
                denied,
                read_only,
                others,
                approvals,
                deny,
                rate,
            },
        )
}

fn sheets() -> impl Strategy<Value = Vec<Sheet>> {
    vec(sheet(), 1..5)
}

fn person() -> impl Strategy<Value = Person> {
    let scopes = prop_oneof![
        2 => Just(GRANTS.into_iter().collect()),
        1 => Just(GRANTS[..4].iter().copied().collect()),
        3 => btree_set(prop::sample::select(&GRANTS[..]), 0..8),
    ];
    (btree_set(prop::sample::select(&WORDS[..]), 0..3), scopes)
        .prop_map(|(roles, scopes)| Person { roles, scopes })
}

fn scope_names() -> impl Strategy<Value = ScopeNames> {
    let name = |standard: &'static str, own: &'static str| {
        prop_oneof![3 => Just(Some(standard)), 1 => Just(Some(own)), 1 => Just(None)]
            .prop_map(|name| name.map(Box::from))
    };
    let four = (
        name(READ, "co-read"),
        name(EXECUTE, "co-execute"),
        name(RESOURCES, "co-resources"),
        name(ADMIN, "co-admin"),
    );
    four.prop_map(
        |(tools_read, tools_execute, resources_read, admin)| ScopeNames {
            tools_read,
            tools_execute,
            resources_read,
            admin,
        },
    )
}

/// Every decision about one person at every server.
fn all(policy: &Policy, person: &Person) -> Vec<(&'static str, &'static str, Decision)> {
    let roles = person.roles.iter().copied().collect();
    let scopes = person.scopes.iter().copied().collect();
    let mut decisions = Vec::new();
    for server in WORDS {
        for what in TARGETS {
            decisions.push((server, what, ask(policy, (&roles, &scopes), server, what)));
        }
    }
    decisions
}

fn is_permit(decision: &Decision) -> bool {
    matches!(decision, Decision::Permit(_))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn oracle_agrees(sheets in sheets(), person in person(), names in scope_names()) {
        let policy = load_with(&written(&sheets), names.clone());
        for (server, what, decision) in all(&policy, &person) {
            let expected = expected(&sheets, &names, &person, server, what);
            prop_assert_eq!(short(&decision), expected, "{} at {}\n{}", what, server, written(&sheets));
        }
    }

    #[test]
    fn a_permit_carries_what_its_policy_says(sheets in sheets(), person in person()) {
        for (_, what, decision) in all(&load(&written(&sheets)), &person) {
            if let Decision::Permit(permit) = decision {
                let nth: usize = permit.policy()[1..].parse().unwrap();
                let rate = permit.rate_limit().map(|rate| rate.per_minute);
                prop_assert_eq!(rate, sheets[nth].rate);
                let read_only = sheets[nth].read_only.iter().any(|one| fits(one, what));
                prop_assert_eq!(permit.is_read_only(), read_only && !what.contains(':'));
            }
        }
    }

    #[test]
    fn without_the_listing_scope_nothing_is_permitted(sheets in sheets(), mut person in person()) {
        let policy = load(&written(&sheets));
        person.scopes.remove(READ);
        person.scopes.remove(RESOURCES);
        for (server, what, decision) in all(&policy, &person) {
            if !what.starts_with("server:") {
                prop_assert!(matches!(decision, Decision::Deny(_)), "{} at {}", what, server);
                prop_assert!(!decision.is_listed());
            }
        }
    }

    #[test]
    fn another_denied_never_widens(
        sheets in sheets(),
        person in person(),
        at in any::<prop::sample::Index>(),
        tool in pattern(),
    ) {
        let before = load(&written(&sheets));
        let mut narrowed = sheets.clone();
        at.get_mut(&mut narrowed).denied.get_or_insert_default().push(tool);
        let after = load(&written(&narrowed));
        for (old, new) in all(&before, &person).into_iter().zip(all(&after, &person)) {
            prop_assert!(old.2.is_listed() || !new.2.is_listed(), "{old:?} {new:?}");
            prop_assert!(is_permit(&old.2) || !is_permit(&new.2), "{old:?} {new:?}");
        }
    }

    #[test]
    fn another_scope_never_narrows(
        sheets in sheets(),
        person in person(),
        scope in prop::sample::select(&GRANTS[..]),
    ) {
        let policy = load(&written(&sheets));
        let mut richer = person.clone();
        richer.scopes.insert(scope);
        for (old, new) in all(&policy, &person).into_iter().zip(all(&policy, &richer)) {
            prop_assert!(!is_permit(&old.2) || is_permit(&new.2), "{old:?} {new:?}");
        }
    }

    #[test]
    fn a_policy_said_to_be_unreachable_never_decides(sheets in sheets(), person in person()) {
        let policy = load(&written(&sheets));
        let warnings = policy.warnings();
        let unreachable: Vec<_> = (0..sheets.len())
            .map(|nth| format!("p{nth}"))
            .filter(|name| {
                let start = format!("the policy \"{name}\" is never reached");
                warnings.iter().any(|warning| warning.message.starts_with(&start))
            })
            .collect();
        for (_, _, decision) in all(&policy, &person) {
            let by = short(&decision);
            let by = by.rsplit(' ').next().unwrap();
            prop_assert!(!unreachable.iter().any(|name| name == by), "{}", written(&sheets));
        }
    }

    #[test]
    fn an_explanation_ends_in_the_decision(sheets in sheets(), person in person()) {
        let policy = load(&written(&sheets));
        let roles: Roles = person.roles.iter().copied().collect();
        let scopes: Scopes = person.scopes.iter().copied().collect();
        let who = Standing { roles: &roles, scopes: &scopes };
        for (server, what, decision) in all(&policy, &person) {
            if what.contains(':') {
                continue;
            }
            let server = ServerName::parse(server).unwrap();
            let tool = ToolName::parse(what).unwrap();
            let explanation = policy.explain(who, &server, Target::Tool(&tool));
            prop_assert_eq!(explanation.listed, decision.is_listed());
            prop_assert_eq!(explanation.decision == Outcome::Permit, is_permit(&decision));
            let refusal = decision.refusal().map(|refusal| &refusal.message);
            prop_assert_eq!(explanation.message.as_ref(), refusal);
            let matched = explanation.policies.iter().filter(|one| one.result == Found::Matched);
            let matched: Vec<_> = matched.map(|one| one.name.clone()).collect();
            prop_assert_eq!(matched, explanation.policy.into_iter().collect::<Vec<_>>());
        }
    }
}
