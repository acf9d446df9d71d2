//! What goes in, what comes out, byte for byte.

use proptest::prelude::*;

use super::*;
use crate::hosts::Host;

const NAME: &str = "chaperone";

fn entry(host: Host) -> Entry {
    host.entry("/usr/bin/chaperone", &[])
}

fn check(host: Host, before: &str, after: &str) {
    let dialect = host.dialect();
    let put = put(before.as_bytes(), dialect, NAME, &entry(host));
    let put = put.unwrap_or_else(|why| panic!("{before:?}: {} {}", why.place.line, why.message));
    assert_eq!(String::from_utf8(put.clone()).unwrap(), after);
    let again = super::put(&put, dialect, NAME, &entry(host)).unwrap();
    assert_eq!(again, put, "what is there already is left alone");
}

/// The same, and taking the entry out again gives what was there before.
fn check_both(host: Host, before: &str, after: &str) {
    check(host, before, after);
    let taken = remove(after.as_bytes(), host.dialect(), NAME).unwrap();
    assert_eq!(String::from_utf8(taken).unwrap(), before);
}

const OURS: &str = r#""chaperone": {"#;

#[test]
fn a_host_without_a_file_gets_one() {
    let with = |host: Host| alone(host.dialect(), NAME, &entry(host));
    let plain = "{\n  \"mcpServers\": {\n    \"chaperone\": {\n      \"command\": \
                 \"/usr/bin/chaperone\",\n      \"args\": []\n    }\n  }\n}\n";
    for host in [
        Host::ClaudeDesktop,
        Host::Cursor,
        Host::Windsurf,
        Host::GeminiCli,
    ] {
        assert_eq!(with(host), plain);
        check(host, "", plain);
    }
    let typed = plain.replace("\"command\"", "\"type\": \"stdio\",\n      \"command\"");
    assert_eq!(with(Host::ClaudeCode), typed);
    assert_eq!(with(Host::VsCode), typed.replace("mcpServers", "servers"));
    let zed = "\"source\": \"custom\",\n      \"enabled\": true";
    let zed = typed.replace("\"type\": \"stdio\"", zed);
    assert_eq!(
        with(Host::Zed),
        zed.replace("mcpServers", "context_servers")
    );
    let codex = "[mcp_servers.chaperone]\ncommand = \"/usr/bin/chaperone\"\nargs = []\n";
    assert_eq!(with(Host::Codex), codex);
    check(Host::Codex, "", codex);
    check(Host::Cursor, " \r\n", &plain.replace('\n', "\r\n"));
}

#[test]
fn json_is_changed_in_one_place() {
    let ours = |indent: &str, unit: &str, end: &str| {
        let inner = [indent, unit].concat();
        format!(
            "{indent}{OURS}{end}{inner}\"command\": \"/usr/bin/chaperone\",{end}{inner}\"args\": []{end}{indent}}}"
        )
    };
    // Other servers, with comments everywhere, tabs and trailing commas.
    let before = "// mine\n{\n\t\"mcpServers\": { // all\n\t\t\"a\": {\"command\": \"a\"}, // first\n\t\t\"b\": {\"command\": \"b\"}, /* last */\n\t\t// end\n\t},\n\t\"x\": 1,\n}\n// done";
    let after = before.replace(
        "// end\n",
        &format!("// end\n{},\n", ours("\t\t", "\t", "\n")),
    );
    check_both(Host::GeminiCli, before, &after);
    // No trailing comma: the one before it gets one, and the comment stays with it.
    let before = "{\n    \"mcpServers\": {\n        \"a\": {} // first\n    }\n}";
    let after = format!(
        "{{\n    \"mcpServers\": {{\n        \"a\": {{}}, // first\n{}\n    }}\n}}",
        ours("        ", "    ", "\n")
    );
    check_both(Host::Cursor, before, &after);
    // CRLF and a byte order mark.
    let before = "\u{FEFF}{\r\n  \"mcpServers\": {\r\n    \"a\": {}\r\n  }\r\n}\r\n";
    let after = format!(
        "\u{FEFF}{{\r\n  \"mcpServers\": {{\r\n    \"a\": {{}},\r\n{}\r\n  }}\r\n}}\r\n",
        ours("    ", "  ", "\r\n")
    );
    check_both(Host::ClaudeDesktop, before, &after);
    // An empty object of servers, and other settings.
    let before = "{\n  \"theme\": \"dark\",\n  \"mcpServers\": {}\n}\n";
    let after = format!(
        "{{\n  \"theme\": \"dark\",\n  \"mcpServers\": {{\n{}\n  }}\n}}\n",
        ours("    ", "  ", "\n")
    );
    check_both(Host::Windsurf, before, &after);
    // No servers yet: the key comes with them, at the end.
    let before = "{\n  \"theme\": \"dark\"\n}\n";
    let after = format!(
        "{{\n  \"theme\": \"dark\",\n  \"mcpServers\": {{\n{}\n  }}\n}}\n",
        ours("    ", "  ", "\n")
    );
    check(Host::GeminiCli, before, &after);
    check(
        Host::GeminiCli,
        "{}",
        alone(Host::GeminiCli.dialect(), NAME, &entry(Host::GeminiCli)).trim_end(),
    );
    check(
        Host::GeminiCli,
        "{ // none\n}\n",
        &format!(
            "{{ // none\n  \"mcpServers\": {{\n{}\n  }}\n}}\n",
            ours("    ", "  ", "\n")
        ),
    );
}

#[test]
fn what_stands_in_one_line_stays_in_one_line() {
    for (before, after) in [
        (
            r#"{"mcpServers":{"a":{"command":"a"}},"n":1}"#,
            r#"{"mcpServers":{"a":{"command":"a"},"chaperone":{"command":"/usr/bin/chaperone","args":[]}},"n":1}"#,
        ),
        (
            r#"{"mcpServers": {}, "n": 1}"#,
            r#"{"mcpServers": {"chaperone": {"command": "/usr/bin/chaperone", "args": []}}, "n": 1}"#,
        ),
        (
            "{\n  \"mcpServers\": { \"a\": {}, } // these\n}",
            "{\n  \"mcpServers\": { \"a\": {}, \"chaperone\": {\"command\": \"/usr/bin/chaperone\", \"args\": []}, } // these\n}",
        ),
    ] {
        check_both(Host::Cursor, before, after);
    }
}

#[test]
fn of_an_entry_that_is_there_only_what_differs_is_changed() {
    let before = "{\n  // mine\n  \"servers\": {\n    \"chaperone\": { \"command\": \"/old/chaperone\", \"env\": {\"A\": \"1\"}, /* x */ \"args\": [\"serve\"] },\n    \"b\": {}\n  }\n}";
    let after = "{\n  // mine\n  \"servers\": {\n    \"chaperone\": { \"command\": \"/usr/bin/chaperone\", \"env\": {\"A\": \"1\"}, /* x */ \"args\": [], \"type\": \"stdio\" },\n    \"b\": {}\n  }\n}";
    check(Host::VsCode, before, after);
    let before = "x = 1\n[mcp_servers.chaperone] # mine\ncommand = '/old' # here\nargs = [\n  \"serve\", # why\n]\n\n[mcp_servers.chaperone.env]\nA = \"1\"\n";
    let after = "x = 1\n[mcp_servers.chaperone] # mine\ncommand = \"/usr/bin/chaperone\" # here\nargs = []\n\n[mcp_servers.chaperone.env]\nA = \"1\"\n";
    check(Host::Codex, before, after);
    let before = "[mcp_servers.chaperone] # mine\nstartup_timeout_sec = 3\n";
    let after = "[mcp_servers.chaperone] # mine\ncommand = \"/usr/bin/chaperone\"\nstartup_timeout_sec = 3\n";
    check(Host::Codex, before, after);
}

#[test]
fn toml_gets_a_table_at_its_end() {
    let ours = "[mcp_servers.chaperone]\ncommand = \"/usr/bin/chaperone\"\nargs = []";
    for before in [
        "# mine\nmodel = \"o3\" # good\n",
        "model = \"o3\"",
        "[mcp_servers.a]\ncommand = \"a\"\n\n\n",
        "[mcp_servers]\na = { command = \"a\" }\n[tui]\nx = [\n  1,\n]\n# end\n",
        "mcp_servers.a.command = \"a\"\n",
        "text = \"\"\"\n[mcp_servers.chaperone]\n\"\"\"\n",
    ] {
        let end = if before.ends_with('\n') { "" } else { "\n" };
        let last = if before.ends_with('\n') { "\n" } else { "" };
        check_both(Host::Codex, before, &format!("{before}{end}\n{ours}{last}"));
        let crlf = |text: &str| format!("\u{FEFF}{}", text.replace('\n', "\r\n"));
        if before.contains('\n') {
            let after = format!("{before}{end}\n{ours}{last}");
            check_both(Host::Codex, &crlf(before), &crlf(&after));
        }
    }
}

#[test]
fn an_entry_in_the_middle_is_taken_out_alone() {
    let gone = |host: Host, before: &str| {
        let after = remove(before.as_bytes(), host.dialect(), NAME).unwrap();
        String::from_utf8(after).unwrap()
    };
    let json = "{\n  \"mcpServers\": {\n    // ours\n    \"chaperone\": {}, // it\n    \"b\": {} // b\n  }\n}";
    let rest = "{\n  \"mcpServers\": {\n    // ours\n    // it\n    \"b\": {} // b\n  }\n}";
    assert_eq!(gone(Host::Cursor, json), rest);
    let toml = "[a]\nx = 1\n\n[mcp_servers.chaperone]\ncommand = \"c\"\nargs = [\n  \"[\",\n]\n[mcp_servers.chaperone.env]\nA = \"1\" # it\n\n# of b\n[b]\ny = 2\n";
    assert_eq!(
        gone(Host::Codex, toml),
        "[a]\nx = 1\n\n# of b\n[b]\ny = 2\n"
    );
    let inline = "[mcp_servers]\na = {command = \"a\"}\nchaperone = {command = \"c\"} # it\nb = {command = \"b\"}\n";
    let rest = "[mcp_servers]\na = {command = \"a\"}\nb = {command = \"b\"}\n";
    assert_eq!(gone(Host::Codex, inline), rest);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn another_shape_is_refused_with_its_place() {
    let told = |host: Host, bytes: &[u8]| {
        let why = put(bytes, host.dialect(), NAME, &entry(host)).unwrap_err();
        format!("{}:{} {}", why.place.line, why.place.column, why.message)
    };
    let deep = format!(
        "{{\"mcpServers\": {}1{}}}",
        "[".repeat(600),
        "]".repeat(600)
    );
    for (host, text, expected) in [
        (Host::Cursor, "[]", "1:1 an object {..} was expected here"),
        (
            Host::Cursor,
            "{\n  \"mcpServers\": []\n}",
            "2:17 \"mcpServers\" was expected to be an object {..}",
        ),
        (
            Host::Cursor,
            "{\"mcpServers\": null}",
            "1:16 \"mcpServers\" was expected to be an object {..}",
        ),
        (
            Host::Cursor,
            "{\"mcpServers\": {\"chaperone\": 1}}",
            "1:30 \"chaperone\" was expected to be an object {..}",
        ),
        (
            Host::Cursor,
            "{\n \"mcpServers\": {},\n \"mcpServers\": {}}",
            "3:2 there is a second \"mcpServers\" here",
        ),
        (
            Host::Cursor,
            "{\"mcpServers\": {\"a\": 1, \"a\": 2}}",
            "1:25 there is a second \"a\" here",
        ),
        (
            Host::Cursor,
            "{\"mcpServers\": {\n",
            "1:16 this is no JSON: unterminated object",
        ),
        (
            Host::Cursor,
            "{\"a\": 1} x",
            "1:10 this is no JSON: text cannot contain more than one json value",
        ),
        (
            Host::Cursor,
            "{'a': 1}",
            "1:2 this is no JSON: single-quoted strings are not allowed",
        ),
        (
            Host::Cursor,
            "{\"a\" 1}",
            "1:6 this is no JSON: expected colon after the string or word in object property",
        ),
        (
            Host::Cursor,
            "// nothing\n",
            "1:1 this holds comments only; an object {..} was expected",
        ),
        (
            Host::Cursor,
            &deep,
            "1:526 this is no JSON: maximum nesting depth exceeded",
        ),
        (
            Host::Codex,
            "a = 1\nmcp_servers = 1\n",
            "2:1 \"mcp_servers\" was expected to be a table",
        ),
        (
            Host::Codex,
            "[mcp_servers]\nchaperone = 1\n",
            "2:1 \"chaperone\" was expected to be a table",
        ),
        (
            Host::Codex,
            "mcp_servers = { a = {} }\n",
            "1:15 \"mcp_servers\" is written in one line; add the server there by hand",
        ),
    ] {
        assert_eq!(told(host, text.as_bytes()), expected, "{text}");
    }
    assert!(told(Host::Codex, b"a = 1\nb =\n").starts_with("2:4 this is no TOML"));
    assert!(told(Host::Codex, b"[a]\n[a]\n").starts_with("2:"));
    assert_eq!(told(Host::Cursor, b"{\n\"\xff\"}"), "2:2 this is not UTF-8");
}

#[test]
fn a_strict_host_is_known_not_to_read_comments() {
    let at = |host: Host, text: &str| unread_by_host(text.as_bytes(), host.dialect());
    assert_eq!(
        at(Host::ClaudeDesktop, "{\n  // x\n}"),
        Some(Place { line: 2, column: 3 })
    );
    assert_eq!(at(Host::ClaudeDesktop, "\u{FEFF}{}"), None);
    assert_eq!(at(Host::VsCode, "{\n  // x\n}"), None);
}

#[derive(Debug, Clone)]
struct Style {
    comma: bool,
    line_end: &'static str,
    indent: &'static str,
    mark: &'static str,
    last: &'static str,
}

fn style() -> impl Strategy<Value = Style> {
    (
        any::<bool>(),
        prop_oneof![Just("\n"), Just("\r\n")],
        prop_oneof![Just("\t"), Just("  "), Just("    "), Just(" ")],
        prop_oneof![Just(""), Just("\u{FEFF}")],
        prop_oneof![Just(""), Just("\n")],
    )
        .prop_map(|(comma, line_end, indent, mark, last)| Style {
            comma,
            line_end,
            indent,
            mark,
            last,
        })
}

/// A name, its value as JSON, and a comment behind it.
fn members() -> impl Strategy<Value = Vec<(String, &'static str, &'static str)>> {
    let values = prop_oneof![
        Just(r#"{"command": "a, b // no comment", "args": ["}", "/*"]}"#),
        Just("{}"),
        Just(r#"{"url": "https://ä.example/mcp"}"#),
    ];
    let comments = prop_oneof![Just(""), Just(" // , {"), Just(" /* ] , */"), Just("  ")];
    let names = proptest::collection::btree_set("[a-z \"\\\\/*,{}é]{1,8}", 1..5);
    names.prop_flat_map(move |names| {
        let count = names.len();
        let texts = proptest::collection::vec((values.clone(), comments.clone()), count);
        (Just(names), texts).prop_map(|(names, texts)| {
            let both = names.into_iter().zip(texts);
            both.map(|(name, (value, comment))| (name, value, comment))
                .collect()
        })
    })
}

fn json_of(members: &[(String, &str, &str)], style: &Style) -> String {
    let Style {
        line_end,
        indent,
        mark,
        last,
        ..
    } = style;
    let mut text = format!("{mark}{{{line_end}{indent}\"mcpServers\": {{{line_end}");
    for (at, (name, value, comment)) in members.iter().enumerate() {
        let comma = if at + 1 < members.len() || style.comma {
            ","
        } else {
            ""
        };
        let name = Value::from(name.as_str()).to_string();
        for part in [
            indent,
            indent,
            name.as_str(),
            ": ",
            *value,
            comma,
            *comment,
            *line_end,
        ] {
            text += part;
        }
    }
    let last = last.replace('\n', line_end);
    text + &format!("{indent}}}{line_end}}}{last}")
}

proptest! {
    /// Where an object of servers has members, taking out what was put in gives the bytes back.
    #[test]
    fn json_put_then_remove_is_nothing(members in members(), style in style()) {
        prop_assume!(members.iter().all(|(name, ..)| name != NAME));
        let before = json_of(&members, &style);
        let dialect = Host::Cursor.dialect();
        let with = put(before.as_bytes(), dialect, NAME, &entry(Host::Cursor)).unwrap();
        prop_assert_eq!(servers(&with, dialect).unwrap().len(), members.len() + 1);
        let without = remove(&with, dialect, NAME).unwrap();
        prop_assert_eq!(String::from_utf8(without).unwrap(), before);
    }

    /// However the members lie in their lines, each can be taken out, and one more be put in.
    #[test]
    fn any_member_is_taken_out_alone(
        members in members(),
        breaks in proptest::collection::vec(prop_oneof![Just("\n"), Just(" "), Just("")], 12),
        style in style(),
        which in any::<proptest::sample::Index>(),
    ) {
        let mut breaks = breaks.into_iter();
        let mut text = format!("{{\"mcpServers\": {{{}", breaks.next().unwrap());
        for (at, (name, value, comment)) in members.iter().enumerate() {
            let end = if comment.contains("//") { "\n" } else { breaks.next().unwrap() };
            let comma = if at + 1 < members.len() || style.comma { "," } else { "" };
            let name = Value::from(name.as_str());
            text = format!("{text}{name}: {value}{comma}{comment}{end}");
        }
        let text = text + "}}" + style.last;
        let dialect = Host::Zed.dialect();
        let dialect = Dialect { key: "mcpServers", ..dialect };
        let (name, ..) = which.get(&members);
        let after = remove(text.as_bytes(), dialect, name);
        prop_assert!(after.is_ok(), "{} {:?}", text, after);
        let after = put(&after.unwrap(), dialect, NAME, &entry(Host::Cursor));
        prop_assert!(after.is_ok(), "{} {:?}", text, after);
    }

    #[test]
    fn toml_put_then_remove_is_nothing(
        names in proptest::collection::btree_set("[b-z]{1,6}", 0..4),
        style in style(),
        comment in prop_oneof![Just(""), Just("# [x]\n"), Just("\n\n")],
    ) {
        let tables = names.iter().map(|name| format!("[mcp_servers.{name}]\ncommand = '[x]' # é\n{comment}"));
        let body = tables.collect::<String>() + "[other]\nlist = [\n  \"[mcp_servers.chaperone]\",\n]" + style.last;
        let before = style.mark.to_owned() + &body.replace('\n', style.line_end);
        let dialect = Host::Codex.dialect();
        let with = put(before.as_bytes(), dialect, NAME, &entry(Host::Codex)).unwrap();
        let without = remove(&with, dialect, NAME).unwrap();
        prop_assert_eq!(String::from_utf8(without).unwrap(), before);
    }

    /// No text makes it panic, and what it makes of one is read again.
    #[test]
    fn any_text_is_changed_or_refused(text in "[{}\\[\\]\",:/* \r\n=a#']{0,40}") {
        for host in [Host::Zed, Host::Codex] {
            let dialect = host.dialect();
            if let Ok(after) = put(text.as_bytes(), dialect, NAME, &entry(host)) {
                prop_assert!(servers(&after, dialect).unwrap().contains_key(NAME));
            }
        }
    }
}
