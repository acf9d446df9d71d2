//! A document loads or says why, the same each time, and never allows by accident.

#![no_main]

use std::collections::BTreeSet;

use chaperone::config::ScopeNames;
use chaperone::name::{ServerName, ToolName};
use chaperone::policy::{
    Decision, Explanation, Found, Outcome, Policy, Problem, Rule, Standing, Target, decide,
    digest_of,
};
use chaperone::principal::{Roles, Scopes};
use chaperone::wording::is_invisible;
use libfuzzer_sys::fuzz_target;

/// With other line ends, a document of this size is within the limit too.
const LARGE: usize = 1 << 19;
/// A server, a role and a tool that no document has.
const UNKNOWN: &str = "nobody-knows-this-one";
/// The general scopes, those of tools first.
const SCOPES: [&str; 4] = [
    "mcp:tools:read",
    "mcp:tools:execute",
    "mcp:resources:read",
    "mcp:admin",
];
/// The most that a person reads of one problem, in bytes.
const PROBLEM: usize = 600;
/// The most problems, and the word that there are more.
const PROBLEMS: usize = 101;
/// How many words are asked about, from the beginning and from the end.
const FIRST: usize = 3;
const LAST: usize = 2;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if text.len() > LARGE {
        return;
    }
    // As an editor on Windows saves it, a document says the same.
    let elsewhere = text.replace("\r\n", "\n").replace('\n', "\r\n");
    match (load(text), load(text), load(&elsewhere)) {
        (Ok(policy), Ok(again), Ok(elsewhere)) => {
            assert_eq!(policy.digest(), &*digest_of(data));
            readable(&policy.warnings(), text);
            decides(&policy, [&again, &elsewhere], text);
        }
        (Err(problems), Err(again), Err(elsewhere)) => {
            assert!(!problems.is_empty());
            assert_eq!(problems, again);
            assert_eq!(problems, elsewhere);
            readable(&problems, text);
        }
        (first, second, elsewhere) => panic!("{first:?} {second:?} {elsewhere:?}"),
    }
});

fn load(text: &str) -> Result<Policy, Vec<Problem>> {
    Policy::parse(text, ScopeNames::default()).map_err(|error| error.problems)
}

fn decides(policy: &Policy, others: [&Policy; 2], text: &str) {
    let words = words(text);
    for (nth, (roles, scopes)) in people(&words).iter().enumerate() {
        let who = Standing { roles, scopes };
        for server in words.iter().filter_map(|word| ServerName::parse(word).ok()) {
            for target in targets(&words) {
                let what = target.what();
                let decision = decide(policy, who, &server, what);
                consistent(policy, &decision, &server, what);
                closed(&decision, text, &server, roles);
                without_scopes(policy, roles, &server, what, &decision);
                // Explaining takes long; one person's decisions tell documents apart.
                if nth == 1 {
                    let explained = policy.explain(who, &server, what);
                    explains(&explained, &decision);
                    for other in others {
                        let said = other.explain(who, &server, what);
                        assert_eq!(said.to_string(), explained.to_string());
                    }
                }
            }
        }
    }
}

/// Problems stand in the document, in its order, and are lines that a terminal shows as they are.
fn readable(problems: &[Problem], text: &str) {
    assert!(problems.len() <= PROBLEMS);
    assert!(problems.is_sorted_by_key(|problem| (problem.line, problem.column)));
    for problem in problems {
        let Problem {
            line,
            column,
            message,
        } = problem;
        let lines = text.split(['\n', '\r']).count() + 1;
        assert!((1..=lines).contains(line) && *column >= 1, "{problem}");
        assert!(!message.is_empty() && message.len() <= PROBLEM, "{problem}");
        assert!(!message.contains(is_invisible), "{problem:?}");
    }
}

/// Some words of the document, to be asked about: the first, which are servers and roles, and the
/// last, which are tools.
fn words(text: &str) -> Vec<&str> {
    let ends = |c: char| c.is_whitespace() || "\"',[]{}*".contains(c);
    let words = text
        .split(ends)
        .filter(|word| word.contains(char::is_alphabetic));
    let mut words: Vec<&str> = words.filter(|word| !word.ends_with(':')).collect();
    let mut seen = BTreeSet::new();
    words.retain(|word| seen.insert(*word));
    if words.len() > FIRST + LAST {
        words.drain(FIRST..words.len() - LAST);
    }
    words.push(UNKNOWN);
    words
}

/// Nobody in particular, and people who have all the words for roles, with more scopes and fewer.
fn people(words: &[&str]) -> Vec<(Roles, Scopes)> {
    let roles: Roles = words.iter().copied().collect();
    let every: Scopes = SCOPES.iter().chain(words).copied().collect();
    let some = |count| SCOPES.into_iter().take(count).collect();
    vec![
        (Roles::default(), every.clone()),
        (roles.clone(), every),
        (roles, some(1)),
        ([UNKNOWN].into_iter().collect(), some(2)),
    ]
}

enum Thing<'a> {
    Tool(ToolName),
    Prompt(&'a str),
    Resource(&'a str),
    Server(&'a str),
}

impl Thing<'_> {
    fn what(&self) -> Target<'_> {
        match self {
            Self::Tool(tool) => Target::Tool(tool),
            Self::Prompt(name) => Target::Prompt(name),
            Self::Resource(uri) => Target::Resource(uri),
            Self::Server(setting) => Target::Server(setting),
        }
    }
}

fn targets<'a>(words: &'a [&'a str]) -> impl Iterator<Item = Thing<'a>> {
    let tools = words.iter().filter_map(|word| ToolName::parse(word).ok());
    let others = [
        Thing::Prompt(words[0]),
        Thing::Resource(words[0]),
        Thing::Server(words[0]),
    ];
    tools.map(Thing::Tool).chain(others)
}

/// A list shows what can be used, now or with an approval, and a permit is for what was asked.
fn consistent(policy: &Policy, decision: &Decision, server: &ServerName, what: Target<'_>) {
    let listed = match decision {
        Decision::Permit(permit) => {
            assert_eq!((permit.server(), permit.target()), (server, what.name()));
            assert_eq!(permit.policy_digest(), policy.digest());
            assert!(permit.rate_limit().is_none_or(|rate| rate.per_minute > 0));
            assert_eq!(permit.rule(), Rule::Allowed);
            true
        }
        Decision::NeedsApproval(_, approvers) => {
            assert!(!approvers.is_empty() && matches!(what, Target::Tool(_)));
            true
        }
        Decision::NeedsScope(..) | Decision::Deny(_) => false,
    };
    assert_eq!(decision.is_listed(), listed);
    let refusal = decision.refusal();
    assert_eq!(refusal.is_none(), matches!(decision, Decision::Permit(_)));
    assert!(refusal.is_none_or(|refusal| !refusal.message.is_empty()));
}

/// An explanation ends in the decision, which the first policy that matches has made.
fn explains(said: &Explanation, decision: &Decision) {
    let outcome = match decision {
        Decision::Permit(_) => Outcome::Permit,
        Decision::NeedsApproval(..) => Outcome::NeedsApproval,
        Decision::NeedsScope(..) => Outcome::NeedsScope,
        Decision::Deny(_) => Outcome::Deny,
    };
    assert_eq!(
        (said.decision, said.listed),
        (outcome, decision.is_listed())
    );
    let message = decision.refusal().map(|refusal| &refusal.message);
    assert_eq!(said.message.as_ref(), message);
    let found: Vec<Found> = said.policies.iter().map(|one| one.result).collect();
    let at = found.iter().position(|one| *one == Found::Matched);
    assert_eq!(said.policy.as_ref(), at.map(|at| &said.policies[at].name));
    for (nth, one) in found.into_iter().enumerate() {
        let missed = matches!(one, Found::OtherServer | Found::OtherRoles);
        match at {
            Some(at) if nth == at => assert_eq!(one, Found::Matched),
            Some(at) if nth > at => assert_eq!(one, Found::NotReached),
            Some(_) | None => assert!(missed),
        }
    }
}

/// What a document names neither in full nor by a star, it does not allow.
fn closed(decision: &Decision, text: &str, server: &ServerName, roles: &Roles) {
    // Escapes spell a word in other letters.
    let open = text.contains('\\');
    let any = roles.iter().chain([""]).any(|role| named(text, role));
    if open || named(text, server.as_str()) && any {
        return;
    }
    match decision {
        Decision::Deny(refusal) => assert_eq!(refusal.rule, Rule::NoPolicy),
        other => panic!("{other:?}"),
    }
}

/// Whether a text has a word, or a star behind a beginning of it.
fn named(text: &str, word: &str) -> bool {
    let pieces: Vec<&str> = text.split('*').collect();
    let mut starred = pieces.iter().rev().skip(1).map(|before| {
        let ends = |c: char| c.is_whitespace() || "\"',[]{}".contains(c);
        before.rsplit(ends).next().unwrap_or_default()
    });
    !word.is_empty() && text.contains(word) || starred.any(|stem| word.starts_with(stem))
}

/// A scope less never allows more, and without any nothing but settings is listed.
fn without_scopes(
    policy: &Policy,
    roles: &Roles,
    server: &ServerName,
    what: Target<'_>,
    with: &Decision,
) {
    let scopes = Scopes::default();
    let without = decide(
        policy,
        Standing {
            roles,
            scopes: &scopes,
        },
        server,
        what,
    );
    assert!(with.is_listed() || !without.is_listed());
    assert!(!without.is_listed() || matches!(what, Target::Server(_)));
}
