//! The commands, and the exit codes that scripts tell apart.

use std::fs;

use serde_json::json;

use crate::company::Company;
use crate::world::World;
use crate::world::parts::Server;

async fn code(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = world.run(arguments).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test]
async fn without_a_configuration_commands_say_how_to_begin() {
    let world = World::new();
    for command in ["whoami", "login", "servers", "tools", "config show"] {
        let arguments: Vec<&str> = command.split(' ').collect();
        let (code, out, told) = code(&world, &arguments).await;
        assert_eq!((code, out.as_str()), (Some(2), ""), "{command}: {told}");
        assert!(told.contains("[identity]"), "{command}: {told}");
    }
    let (exit, out, _) = code(&world, &["status"]).await;
    assert_eq!(exit, Some(2));
    assert!(out.contains("There is no configuration yet"), "{out}");
    assert_eq!(code(&world, &["nonsense"]).await.0, Some(2));
    assert_eq!(code(&world, &["--help"]).await.0, Some(0));
    assert_eq!(code(&world, &["completions", "bash"]).await.0, Some(0));
    assert!(code(&world, &["man"]).await.1.contains(".TH chaperone"));
    let (exit, out, _) = code(&world, &["version", "--json"]).await;
    let version: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        (exit, version["version"].as_str()),
        (Some(0), Some(env!("CARGO_PKG_VERSION")))
    );
    world.write_configuration("[identity]\nissuer = 7\n");
    let (exit, _, told) = code(&world, &["whoami"]).await;
    assert_eq!(exit, Some(2));
    assert!(
        told.contains("chaperone.toml:2:10: expected a string"),
        "{told}"
    );
}

#[tokio::test]
async fn every_failure_names_its_code_and_help_explains_it() {
    let world = World::new();
    for (command, expected) in [
        ("whoami", "CHP-CONFIG-MISSING"),
        ("nonsense", "CHP-USAGE"),
        ("audit list", "CHP-LOG-UNREADABLE"),
        ("audit report -o report.html", "CHP-LOG-UNREADABLE"),
        ("audit export -o export.zip", "CHP-LOG-UNREADABLE"),
        ("help nonsense", "CHP-USAGE"),
    ] {
        let arguments: Vec<&str> = command.split(' ').collect();
        let (_, out, told) = code(&world, &arguments).await;
        assert_eq!(out, "", "{command}");
        let last = told.trim_end().lines().last();
        let wanted = format!("{expected}: chaperone help {expected}");
        assert_eq!(last, Some(wanted.as_str()), "{command}: {told}");
        let (exit, out, _) = code(&world, &["help", expected]).await;
        assert_eq!(exit, Some(0));
        assert!(
            out.starts_with(expected) && out.contains("What to do:"),
            "{out}"
        );
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    }
    let (_, list, _) = code(&world, &["help", "codes"]).await;
    assert!(list.lines().count() > 40 && list.contains("CHP-WITNESS"));
    for (topic, wanted) in [
        (&["help"][..], "Usage: chaperone [OPTIONS] [COMMAND]"),
        (
            &["help", "audit"],
            "Usage: chaperone audit [OPTIONS] <COMMAND>",
        ),
        (
            &["help", "audit", "verify"],
            "Usage: chaperone audit verify",
        ),
        (&["help", "help"], "Usage: chaperone help"),
        (&["help"], "  chaperone help auditor "),
        (&["help", "auditor"], "FOR AUDITORS\n"),
    ] {
        let (exit, out, _) = code(&world, topic).await;
        assert_eq!(exit, Some(0), "{topic:?}");
        assert!(out.contains(wanted), "{topic:?}: {out}");
    }
}

#[tokio::test]
async fn calls_from_the_terminal_go_the_way_of_a_hosts_and_tell_how_they_ended() {
    let company = Company::new("").await;
    let world = &company.world;
    let call = [
        "call",
        "database__query_database",
        "{\"sql\": \"select 1\"}",
    ];
    assert_eq!(code(world, &call).await.0, Some(4));
    company.sign_in("alice").await;
    let (exit, out, told) = code(world, &call).await;
    assert_eq!(exit, Some(0), "{told}");
    assert!(!out.is_empty());
    let (exit, out, _) = code(world, &[&call[..], &["--json"]].concat()).await;
    assert_eq!(exit, Some(0));
    let result: serde_json::Value = serde_json::from_str(&out).expect("one line of JSON");
    assert!(result["content"].is_array(), "{result}");
    let (exit, _, told) = code(
        world,
        &["call", "database__drop_table", "{\"table\":\"x\"}"],
    )
    .await;
    assert_eq!(exit, Some(3), "{told}");
    assert!(
        told.contains("database-access"),
        "the person hears the rule: {told}"
    );
    assert_eq!(
        code(world, &["call", "database__no_such_tool"]).await.0,
        Some(1)
    );
    assert_eq!(code(world, &["call", "nowhere__tool"]).await.0, Some(1));
    assert_eq!(
        code(world, &["call", "database__list_tables", "[1]"])
            .await
            .0,
        Some(2)
    );
    let wrong = ["call", "everything__get-sum", "{\"a\": \"x\"}"];
    assert_eq!(
        code(world, &wrong).await.0,
        Some(1),
        "a tool that answers isError"
    );
    let record = company.record().await;
    let agents = record.iter().filter(|one| one["kind"] == "intent");
    for agent in agents {
        assert!(
            agent["agent_id"]
                .as_str()
                .is_some_and(|name| name.starts_with("chaperone-cli/"))
        );
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_has_its_own_code() {
    let mut world = World::new();
    world.keychain().await;
    let provider = world.provider(json!({})).await;
    let dead = Server::dead("database").await;
    provider.add_resource(&dead.url).await;
    world.configure(&provider, &[&dead], "");
    world.sign_in("alice").await;
    let (exit, _, told) = code(&world, &["call", "database__list_tables"]).await;
    assert_eq!(exit, Some(5), "{told}");
    let (exit, out, _) = code(&world, &["servers", "--json"]).await;
    assert_eq!(exit, Some(0));
    let server: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(server["state"], "down", "{server}");
    let (exit, _, _) = code(&world, &["audit", "verify"]).await;
    assert_eq!(exit, Some(0));
}

#[tokio::test]
async fn reports_say_what_the_policy_leaves_and_why() {
    let company = Company::signed_in("alice").await;
    let (tools, exit) = company.json(&["tools", "--json"]).await;
    assert_eq!(exit, Some(0));
    let of = |name: &str| {
        let found = tools.iter().find(|tool| tool["tool"] == name);
        found.unwrap_or_else(|| panic!("{name}: {tools:?}"))
    };
    assert_eq!(of("query_database")["shown"], true);
    assert_eq!(of("drop_table")["shown"], false);
    assert_eq!(of("drop_table")["rule"], "denied");
    assert_eq!(of("deploy_staging")["rule"], "no_policy");
    let (status, exit) = company.json(&["status", "--json"]).await;
    assert_eq!(exit, Some(0));
    assert_eq!(status[0]["person"]["user"], "alice@example.test");
    assert_eq!(status[0]["person"]["kept_in"], "keychain");
    assert_eq!(status[0]["audit"]["key"], "keychain");
    let (values, _) = company.json(&["config", "show", "--json"]).await;
    let issuer = values
        .iter()
        .find(|value| value["key"] == "identity.issuer")
        .expect("a value");
    assert_eq!(
        (&issuer["source"], &issuer["line"]),
        (&json!("user"), &json!(2))
    );
    let (exit, out, _) = code(
        &company.world,
        &["policy", "explain", "database__drop_table"],
    )
    .await;
    assert_eq!(exit, Some(0));
    assert!(out.contains("database-access"), "{out}");
    let rewritten = ["policy", "explain", "database__query-0123456789"];
    let (exit, _, told) = code(&company.world, &rewritten).await;
    assert_eq!(exit, Some(2));
    assert!(told.contains("rewritten"), "{told}");
    assert_eq!(code(&company.world, &["policy", "check"]).await.0, Some(0));
    company
        .world
        .write_policy("version: \"1.0\"\npolicies:\n  - nam: x\n");
    let (exit, out, _) = code(&company.world, &["policy", "check"]).await;
    assert_eq!(exit, Some(2));
    assert!(out.contains("mcp-policies.yaml:3:5:"), "{out}");
}

#[tokio::test]
async fn a_changed_log_and_an_older_copy_are_told_apart_from_an_unproven_one() {
    let company = Company::signed_in("alice").await;
    let world = &company.world;
    let log = world.data_dir().join("audit.db");
    code(world, &["call", "database__list_tables"]).await;
    let copy = fs::read(&log).expect("a log");
    code(world, &["call", "database__list_tables"]).await;
    assert_eq!(code(world, &["audit", "verify"]).await.0, Some(0));
    let elsewhere = world.home().join("copy.db");
    fs::copy(&log, &elsewhere).expect("a copy");
    let elsewhere = elsewhere.to_str().expect("a path");
    let (exit, out, _) = code(world, &["audit", "verify", "--db", elsewhere]).await;
    assert_eq!(exit, Some(7), "{out}");
    let mut changed = fs::read(elsewhere).expect("a copy");
    let told = br#""tool_name":"list_tables""#;
    // A page may hold what a record left behind when it moved, so every place is changed.
    for at in 0..changed.len() - told.len() {
        if changed[at..].starts_with(told) {
            changed[at + 14] ^= 1;
        }
    }
    fs::write(elsewhere, changed).expect("a copy");
    let (exit, out, _) = code(world, &["audit", "verify", "--db", elsewhere]).await;
    assert_eq!(exit, Some(6), "{out}");
    fs::write(&log, copy).expect("a log");
    let (exit, out, _) = code(world, &["audit", "verify"]).await;
    assert_eq!(exit, Some(6), "the keychain remembers more: {out}");
}
