//! What entries of hosts mean, and what becomes of them.

use serde_json::json;

use super::*;

fn stays(entry: &Value) -> String {
    let read = read(entry);
    let Foreign::Stays(why) = read else {
        panic!("{entry}: {read:?}");
    };
    why.into()
}

fn movable_of(entry: &Value) -> Movable {
    let read = read(entry);
    let Foreign::Movable(server) = read else {
        panic!("{entry}: {read:?}");
    };
    server
}

#[test]
fn remote_servers_are_known_in_every_hosts_words() {
    const URL: &str = "https://gateway.example.com/mcp/database";
    for entry in [
        json!({"url": URL}),
        json!({"type": "http", "url": URL, "headers": {}}),
        json!({"type": "streamable-http", "url": URL, "disabled": false}),
        json!({"serverUrl": URL}),
        json!({"httpUrl": URL}),
        json!({"source": "custom", "enabled": true, "url": URL}),
        json!({"command": "npx", "args": ["-y", "mcp-remote", URL]}),
        json!({"command": "npx.cmd", "args": ["mcp-remote@latest", URL, "3334", "--transport", "http-only", "--debug"]}),
        json!({"command": "cmd", "args": ["/c", "npx", "mcp-remote", URL], "env": {}}),
        json!({"command": "/usr/bin/mcp-remote", "args": [URL, "--host", "127.0.0.1"]}),
    ] {
        let server = movable_of(&entry);
        assert_eq!(
            (server.url.as_str(), server.headers.len()),
            (URL, 0),
            "{entry}"
        );
    }
    let headers = json!({"url": URL, "headers": {"X-Key": "secret"}});
    assert_eq!(movable_of(&headers).headers, ["X-Key".into()]);
    let header = json!({"command": "npx", "args": ["mcp-remote", URL, "--header", "Authorization: Bearer secret"]});
    assert_eq!(movable_of(&header).headers, ["Authorization".into()]);
}

#[test]
fn what_has_no_words_in_the_configuration_stays() {
    const URL: &str = "https://a.example/mcp";
    for (entry, why) in [
        (json!({"type": "sse", "url": URL}), "does not speak"),
        (json!({"url": URL, "disabled": true}), "turned off"),
        (json!({"url": URL, "enabled": false}), "turned off"),
        (
            json!({"url": URL, "headersHelper": "/x"}),
            "\"headersHelper\"",
        ),
        (
            json!({"url": URL, "bearer_token_env_var": "T"}),
            "\"bearer_token_env_var\"",
        ),
        (json!({"url": "http://a.example/mcp"}), "not https"),
        (json!({"url": "https://me:pw@a.example/mcp"}), "not https"),
        (
            json!({"url": "https://a.example/mcp?api_key=canary"}),
            "query",
        ),
        (json!({"url": "${URL}"}), "no URL"),
        (json!({"url": 1}), "neither"),
        (json!(7), "neither"),
        (
            json!({"command": "npx", "args": ["mcp-remote", URL, "--transport", "sse-only"]}),
            "does not speak",
        ),
        (
            json!({"command": "npx", "args": ["mcp-remote", URL, "--static-oauth-client-info", "{}"]}),
            "--static-oauth-client-info",
        ),
        (
            json!({"command": "npx", "args": ["mcp-remote", URL, "what"]}),
            "arguments",
        ),
        (
            json!({"command": "npx", "args": ["mcp-remote", URL], "env": {"A": "canary"}}),
            "environment",
        ),
    ] {
        let told = stays(&entry);
        assert!(told.contains(why), "{entry}: {told}");
        assert!(!told.contains("canary"), "{told}");
    }
    for local in [
        json!({"command": "npx", "args": ["-y", "server-filesystem", "/"]}),
        json!({"command": "uvx"}),
        json!({"command": "npx", "args": [1]}),
    ] {
        assert_eq!(read(&local), Foreign::Local, "{local}");
    }
    assert_eq!(read(&json!({"command": "/opt/chaperone"})), Foreign::Ours);
}

fn known() -> Vec<Adopted> {
    let one = |name, url, auth| Adopted {
        name: ServerName::parse(name).unwrap(),
        url: Url::parse(url).unwrap(),
        auth,
    };
    vec![
        one(
            "database",
            "https://gateway.example.com/mcp/database",
            ServerAuth::Sso,
        ),
        one("linear", "https://mcp.linear.app/mcp", ServerAuth::None),
    ]
}

fn fate_of(name: &str, url: &str, headers: &[&str]) -> Fate {
    let server = Movable {
        url: Url::parse(url).unwrap(),
        headers: headers.iter().map(|name| (*name).into()).collect(),
    };
    fate(name, &server, &known())
}

#[test]
fn the_companys_token_goes_where_it_goes_already_and_nowhere_else() {
    for (url, headers, expected) in [
        (
            "https://gateway.example.com/mcp/deploy",
            &[][..],
            Some(ServerAuth::Sso),
        ),
        (
            "https://gateway.example.com/mcp/deploy",
            &["authorization"],
            Some(ServerAuth::Sso),
        ),
        ("https://gateway.example.com/mcp/deploy", &["X-Key"], None),
        (
            "https://gateway.example.com:8443/mcp",
            &[],
            Some(ServerAuth::None),
        ),
        ("https://mcp.linear.app/other", &[], Some(ServerAuth::None)),
        ("https://evil.example/mcp", &[], Some(ServerAuth::None)),
        ("https://evil.example/mcp", &["Authorization"], None),
    ] {
        let auth = match fate_of("new", url, headers) {
            Fate::Added(server) => Some(server.auth),
            Fate::Stays(_) => None,
            Fate::Known(name) => panic!("{name}"),
        };
        assert_eq!(auth, expected, "{url} {headers:?}");
    }
    let known = fate_of("db", "https://gateway.example.com/mcp/database", &["X"]);
    assert_eq!(known, Fate::Known(ServerName::parse("database").unwrap()));
}

#[test]
fn names_are_made_legal_and_are_not_taken() {
    for (name, expected) in [
        ("GitHub", "github"),
        ("my server!", "my-server"),
        ("database", "database-2"),
        ("chaperone", "chaperone-2"),
        ("___", "server"),
        ("a very long name of a server indeed", "a-very-long-name-of"),
        ("größe", "gr--e"),
    ] {
        let Fate::Added(server) = fate_of(name, "https://x.example/mcp", &[]) else {
            panic!("{name}");
        };
        assert_eq!(server.name.as_str(), expected, "{name}");
    }
}

#[test]
fn adopted_servers_stand_at_the_end_of_the_configuration() {
    let before =
        "# mine\r\n[identity] # all\r\nissuer = \"https://sso.example\"\r\nclient_id = \"c\"\r\n";
    let new = [&known()[1..], &known()[..1]].concat();
    let after = String::from_utf8(adopt(before.as_bytes(), &new).unwrap()).unwrap();
    let more = "\n[[server]]\nname = \"linear\"\nurl = \"https://mcp.linear.app/mcp\"\nauth = \"none\"\n\n\
                [[server]]\nname = \"database\"\nurl = \"https://gateway.example.com/mcp/database\"\nauth = \"sso\"\n";
    assert_eq!(after, format!("{before}{}", more.replace('\n', "\r\n")));
    let refused = adopt(b"server = 1\n", &new).unwrap_err();
    assert_eq!(refused.place.line, 3, "{refused}");
    assert_eq!(adopt(b"x =\n", &new).unwrap_err().place.line, 1);
}
