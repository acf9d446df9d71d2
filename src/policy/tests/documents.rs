use proptest::prelude::*;

use super::*;

/// Every problem of a document that does not load.
fn refused(text: &str) -> String {
    match Policy::parse(text, ScopeNames::default()) {
        Ok(policy) => panic!("loads: {text}\n{policy:?}"),
        Err(error) => lines(&error.problems),
    }
}

fn check_problems(text: &str, expected: &[&str]) {
    let found = refused(text);
    let found: Vec<_> = found.lines().collect();
    assert_eq!(found, expected, "{text}");
}

/// One policy `p` with these further lines; the first of them is line 6.
fn with(body: &str) -> String {
    format!("version: \"1.0\"\npolicies:\n- name: p\n  servers: [db]\n  roles: [r]\n{body}")
}

#[test]
fn shipped_example_is_the_published_one_with_comments() {
    let shipped = include_str!("../../../config/mcp-policies.yaml");
    let bare = shipped.lines().filter(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    let bare: String = bare.flat_map(|line| [line, "\n"]).collect();
    assert_eq!(bare, PUBLISHED);
    assert_eq!(load(shipped).warnings(), []);
    assert_eq!(load(PUBLISHED).warnings(), []);
}

#[test]
fn tools_alone_are_called_harmless() {
    check_problems(
        &with(
            "  tools: {read-only: [a], readonly: [b], read_only: [c, \"d*e\"]}
  prompts: {read_only: [a]}
",
        ),
        &[
            "6:11 unknown key \"read-only\" in 'tools'; did you mean 'read_only'?",
            "6:27 unknown key \"readonly\" in 'tools'; did you mean 'read_only'?",
            "6:57 the pattern \"d*e\" is not understood: '*' stands alone or at the end",
            "7:13 unknown key \"read_only\" in 'prompts'",
        ],
    );
}

#[test]
fn documents_without_policies_do_not_load() {
    let empty = "the document is empty";
    let expected = format!("{empty}; a mapping of keys to values is expected");
    for (text, place, message) in [
        ("", "1:1", empty),
        ("\n\n# only a comment\n", "1:1", empty),
        ("---\n", "2:1", &*expected),
        ("~", "1:1", &*expected),
        (
            "[]",
            "1:1",
            "the document is a list; a mapping of keys to values is expected",
        ),
        (
            "text",
            "1:1",
            "the document is text; a mapping of keys to values is expected",
        ),
        ("version: \"1.0\"", "1:1", "the document has no 'policies'"),
        (
            "version: \"1.0\"\npolicies:\n",
            "2:1",
            "'policies' is empty; a list is expected",
        ),
        (
            "version: \"1.0\"\npolicies: []\n",
            "2:11",
            "there are no policies, so nothing would be allowed",
        ),
    ] {
        check_problems(text, &[&format!("{place} {message}")]);
    }
}

#[test]
fn every_problem_is_named_with_its_place_in_one_go() {
    let text = "\
version: 1.0
polices: []
policies:
- name: first
  server: [db]
  roles: admin
  effect: Deny
  tools:
    allow: [a]
    denied: [\"*_table\", 7, [x], \"\"]
  rate_limit: {requests_per_minute: 0, burst: 5}
- name: first
  servers: [db]
  roles: [\"a*b\", true]
  scopes: [\"one two\"]
  approval_required:
  - tool: t
  - {approvers: [lead], tool: \"t*t\", extra: 1}
  - t
- just text
- servers: []
  roles: [r]
  message: \"\\e[31mred\"
  name: \"a\\u200bb\"
";
    check_problems(
        text,
        &[
            "1:10 'version' is a number; text is expected, in quotes",
            "2:1 unknown key \"polices\" in the document; did you mean 'policies'?",
            "4:3 a policy has no 'servers'",
            "5:3 unknown key \"server\" in a policy; did you mean 'servers'?",
            "6:10 'roles' is text; a list is expected",
            "7:11 'effect' is \"Deny\"; it is \"allow\" or \"deny\"; did you mean 'deny'?",
            "9:5 unknown key \"allow\" in 'tools'; did you mean 'allowed'?",
            "10:14 the pattern \"*_table\" is not understood: '*' stands alone or at the end",
            "10:25 an entry of 'denied' is a number; text is expected, in quotes",
            "10:28 an entry of 'denied' is a list; text is expected",
            "10:33 an entry of 'denied' is empty",
            "11:37 'requests_per_minute' is 0; a whole number from 1 to 4294967295 counts",
            "11:40 unknown key \"burst\" in 'rate_limit'",
            "12:9 a policy named \"first\" is there already, in line 4",
            "14:11 the pattern \"a*b\" is not understood: '*' stands alone or at the end",
            "14:18 an entry of 'roles' is true or false; text is expected, in quotes",
            "15:12 the scope \"one two\" has a space; each scope is an entry of its own",
            "17:5 an entry of 'approval_required' has no 'approvers'",
            "18:31 the pattern \"t*t\" is not understood: '*' stands alone or at the end",
            "18:38 unknown key \"extra\" in an entry of 'approval_required'",
            "19:5 an entry of 'approval_required' is text; a mapping of keys to values is expected",
            "20:3 a policy is text; a mapping of keys to values is expected",
            "21:12 'servers' is an empty list; write [\"*\"] for all",
            "23:12 'message' holds control characters",
            "24:9 'name' is \"a\\u{200b}b\", with characters that cannot be seen",
        ],
    );
}

#[test]
fn a_version_that_is_unknown_does_not_load() {
    for (version, problem) in [
        (
            "\"2.0\"",
            "version \"2.0\" is unknown; this program reads \"1.0\"",
        ),
        (
            "\"1\"",
            "version \"1\" is unknown; this program reads \"1.0\"",
        ),
        (
            "v1.0",
            "version \"v1.0\" is unknown; this program reads \"1.0\"",
        ),
        ("1.0", "'version' is a number; text is expected, in quotes"),
        ("[]", "'version' is a list; text is expected"),
    ] {
        let text = with("").replace("\"1.0\"", version);
        check_problems(&text, &[&format!("1:10 {problem}")]);
    }
    let text = with("").replace("version: \"1.0\"", "# none");
    check_problems(&text, &["2:1 the document has no 'version'"]);
}

#[test]
fn keys_with_nothing_behind_them_are_no_empty_lists() {
    let text = with(
        "  tools:
    allowed:
    denied: ~
  approval_required:
  rate_limit:
  scopes:
  effect:
  message: null
",
    );
    check_problems(
        &text,
        &[
            "7:5 'allowed' is empty; a list is expected",
            "8:13 'denied' is empty; a list is expected",
            "9:3 'approval_required' is empty; a list is expected",
            "10:3 'rate_limit' is empty; a mapping of keys to values is expected",
            "11:3 'scopes' is empty; a list is expected",
            "12:3 'effect' is empty; text is expected",
            "13:12 'message' is empty; text is expected",
        ],
    );
    check_problems(
        &with("  tools:\n"),
        &["6:3 'tools' is empty; a mapping of keys to values is expected"],
    );
}

#[test]
fn rates_are_whole_numbers_of_at_least_one() {
    for good in ["1", "50", "4294967295"] {
        load(&with(&format!(
            "  rate_limit: {{requests_per_minute: {good}}}\n"
        )));
    }
    let counts = "a whole number from 1 to 4294967295 counts";
    for (bad, problem) in [
        ("0", format!("is 0; {counts}")),
        ("-1", format!("is -1; {counts}")),
        ("+1", format!("is +1; {counts}")),
        ("1.5", format!("is 1.5; {counts}")),
        ("012", format!("is 012; {counts}")),
        ("0x10", format!("is 0x10; {counts}")),
        ("1e3", format!("is 1e3; {counts}")),
        (".inf", format!("is .inf; {counts}")),
        ("4294967296", format!("is 4294967296; {counts}")),
        ("\"50\"", "is text; a whole number is expected".to_owned()),
        ("fifty", "is text; a whole number is expected".to_owned()),
        (
            "true",
            "is true or false; a whole number is expected".to_owned(),
        ),
        ("[1]", "is a list; a whole number is expected".to_owned()),
    ] {
        let text = with(&format!("  rate_limit:\n    requests_per_minute: {bad}\n"));
        check_problems(&text, &[&format!("7:26 'requests_per_minute' {problem}")]);
    }
    check_problems(
        &with("  rate_limit: {}\n"),
        &["6:15 'rate_limit' has no 'requests_per_minute'"],
    );
}

#[test]
fn text_without_quotes_is_text_only_if_every_reader_agrees() {
    for good in [
        "yes",
        "on",
        "a:b",
        "1a",
        "2024-01-01",
        "v1",
        "inf",
        "\"1\"",
        "'true'",
    ] {
        load(&with("").replace("[r]", &format!("[{good}]")));
    }
    for (bad, kind) in [
        ("1", "a number"),
        ("1.5", "a number"),
        ("-3", "a number"),
        ("0x1f", "a number"),
        ("0o17", "a number"),
        ("6e4", "a number"),
        (".nan", "a number"),
        ("True", "true or false"),
    ] {
        let text = with("").replace("[r]", &format!("[{bad}]"));
        let problem = format!("5:11 an entry of 'roles' is {kind}; text is expected, in quotes");
        check_problems(&text, &[&problem]);
    }
    let text = with("").replace("[r]", "[null]");
    check_problems(
        &text,
        &["5:11 an entry of 'roles' is empty; text is expected"],
    );
}

#[test]
fn words_that_look_alike_do_not_load() {
    for bad in [
        "\"a\\u202eb\"",
        "\" a\"",
        "\"a \"",
        "\"a\\nb\"",
        "\"\\u00a0a\"",
        "\"a\\0\"",
    ] {
        let text = with("").replace("[r]", &format!("[{bad}]"));
        let found = refused(&text);
        assert!(found.starts_with("5:11 an entry of 'roles' is "), "{found}");
        assert!(
            found.ends_with("with characters that cannot be seen\n"),
            "{found}"
        );
    }
}

#[test]
fn a_star_without_quotes_is_explained_each_time() {
    let star = "'*' without quotes begins an alias; write it in quotes: \"*\"";
    check_problems(
        "version: \"1.0\"
policies:
- name: p
  servers: [*]
  roles: *
  effect: no
- name: q
  servers:
  - *
  roles: [*x, \"*\"]
",
        &[
            &format!("4:13 {star}"),
            &format!("5:10 {star}"),
            "5:10 'roles' is text; a list is expected",
            "6:11 'effect' is \"no\"; it is \"allow\" or \"deny\"",
            &format!("9:5 {star}"),
            &format!("10:11 {star}"),
        ],
    );
}

#[test]
fn anchors_aliases_tags_and_merges_are_refused() {
    check_problems(
        "version: \"1.0\"
policies:
- &a {name: p, servers: &b [db], roles: [r]}
- *a
- {name: !!str q, servers: !x [db], roles: [&c r, *c], <<: *a}
",
        &[
            "3:3 anchors are not read here",
            "3:25 anchors are not read here",
            "4:3 aliases are not read here",
            "5:10 tags are not read here",
            "5:28 tags are not read here",
            "5:45 anchors are not read here",
            "5:51 aliases are not read here",
            "5:56 unknown key \"<<\" in a policy",
            "5:60 aliases are not read here",
        ],
    );
}

#[test]
fn the_same_key_twice_is_refused_in_any_spelling() {
    check_problems(
        "version: \"1.0\"
version: \"1.0\"
policies:
- name: p
  roles: [r]
  servers: [db]
  roles: [\"*\"]
  \"roles\": 1
  ? [x]
  : y
  ? {z: 1}
",
        &[
            "2:1 the key \"version\" appears twice, first in line 1",
            "7:3 the key \"roles\" appears twice, first in line 5",
            "8:3 the key \"roles\" appears twice, first in line 5",
            "9:5 a key is a word, not a list or a mapping",
            "11:5 a key is a word, not a list or a mapping",
        ],
    );
}

#[test]
fn one_document_is_read_and_no_more() {
    let second = "a second document begins here; only one is read";
    check_problems(
        &format!("{}---\nversion: \"1.0\"\n", with("")),
        &[&format!("6:1 {second}")],
    );
    check_problems(
        &format!("{}...\n--- {{}}\n", with("  x: 1\n")),
        &[
            "6:3 unknown key \"x\" in a policy",
            &format!("8:1 {second}"),
        ],
    );
    load(&format!("---\n{}...\n", with("")));
}

#[test]
fn what_is_no_yaml_is_shown_where_it_breaks_off() {
    for (text, problem) in [
        (
            "version: \"1.0\n",
            "1:10 not YAML: while scanning a quoted scalar, found unexpected end of stream",
        ),
        (
            "a: b: c\n",
            "1:5 not YAML: mapping values are not allowed in this context",
        ),
        ("a: 1\n b\nc\nd: 2\n", "4:1 not YAML: simple key expect ':'"),
        ("a\0b: c", "1:2 not YAML: found unprintable character"),
    ] {
        check_problems(text, &[problem]);
    }
}

#[test]
fn oversized_and_over_deep_documents_are_refused_quickly() {
    let comment = format!("{}#{}", with(""), "x".repeat(1 << 20));
    check_problems(&comment, &["1:1 the document is larger than 1 MiB"]);
    let deep = "nested too deeply";
    assert!(refused(&"- ".repeat(1 << 19)).contains(deep));
    assert!(refused(&"? ".repeat(1 << 19)).contains(deep));
    assert!(refused(&format!("{}1{}", "[".repeat(100), "]".repeat(100))).contains(deep));
    assert!(refused(&"[".repeat(1 << 20)).contains("recursion limit"));
    let many: String = (0..2000)
        .flat_map(|nth| [nth.to_string(), ":\n".to_owned()])
        .collect();
    let many = refused(&many);
    assert_eq!(many.lines().count(), 101);
    assert!(
        many.ends_with("2000:1 there are more problems up to here\n"),
        "{many}"
    );
}

#[test]
fn other_ways_to_write_yaml_mean_the_same() {
    let styles = [
        "{\"version\": \"1.0\", \"policies\": [{\"name\": \"p\", \"servers\": [\"db\"], \"roles\": [\"r\"]}]}",
        "\u{feff}version: '1.0'\r\npolicies:\r\n  - roles:\r\n      - r\r\n    servers:\r\n      - db\r\n    name: p\r\n",
        "%YAML 1.2\n---\nversion: \"1.0\" # comment\npolicies:\n- name: >-\n    p\n  servers: [db,]\n  roles:\n  - \"r\"\n",
    ];
    for text in styles {
        check(&load(text), &["r | use | db | t | permit allowed p"]);
    }
}

#[test]
fn a_message_keeps_its_lines() {
    let policy = load(&with("  effect: deny\n  message: |\n    One.\n    Two.\n"));
    let decision = ask(&policy, (&roles("r"), &scopes("")), "db", "t");
    assert_eq!(&*decision.refusal().unwrap().message, "One.\nTwo.");
}

#[test]
fn digest_is_of_the_bytes_as_they_came() {
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(&*digest_of(b""), empty);
    let one = load(&with(""));
    let two = load(&with("# a comment\n"));
    assert_eq!(one.digest(), &*digest_of(with("").as_bytes()));
    assert_ne!(one.digest(), two.digest());
}

#[test]
fn problems_read_as_sentences_of_a_compiler() {
    let error = Policy::parse("x: 1", ScopeNames::default()).unwrap_err();
    assert_eq!(error.to_string(), "the policy document does not load");
    assert_eq!(
        error.problems[0].to_string(),
        "line 1, column 1: unknown key \"x\" in the document"
    );
}

proptest! {
    #[test]
    fn any_text_loads_or_is_refused_with_a_place_inside_it(
        text in "([a-z*&!\"'\\[\\]{}:,#? \n-]|name|servers|policies: |version: \"1[.]0\"\n|\t|\r|é){0,40}"
    ) {
        if let Err(error) = Policy::parse(&text, ScopeNames::default()) {
            prop_assert!(!error.problems.is_empty());
            // The parser ends the last line where the text ends, and stands in the one after.
            let last = text.matches(['\n', '\r']).count() + 2;
            for problem in error.problems {
                prop_assert!((1..=last).contains(&problem.line), "{problem} of {last}");
                prop_assert!(problem.column >= 1);
            }
        }
    }

    #[test]
    fn a_changed_character_never_panics(at in 0..PUBLISHED.len(), with in "[ -~\n]") {
        let mut text = PUBLISHED.to_owned();
        text.replace_range(at..=at, &with);
        if let Err(error) = Policy::parse(&text, ScopeNames::default()) {
            prop_assert!(!error.problems.is_empty());
        }
    }
}
