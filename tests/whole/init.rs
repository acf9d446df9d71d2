//! `chaperone init`: from nothing to a host that can call tools.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::world::parts::{Kind, Provider, Server};
use crate::world::{PATIENCE, World, browser};

/// A world without configuration, in which Cursor is installed.
async fn fresh() -> (World, Provider, Server, Server) {
    let mut world = World::new();
    world.keychain().await;
    let provider = world.provider(json!({})).await;
    let database = world.server(Kind::Database, &provider).await;
    let deploy = world.server(Kind::Deploy, &provider).await;
    fs::create_dir_all(world.home().join(".cursor")).expect("a directory");
    (world, provider, database, deploy)
}

/// Runs a command that prints a link somewhere, with which this person signs in.
async fn signing_in(command: &mut Command, person: &str) -> (String, Output) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a piped stdout")).lines();
    let mut out = String::new();
    while let Ok(Ok(Some(line))) = timeout(PATIENCE, lines.next_line()).await {
        let line = line.trim_end();
        out = format!("{out}{line}\n");
        if line.trim().starts_with("http") && line.contains("code_challenge=") {
            let page = browser::sign_in(line.trim(), person).await;
            assert_eq!(page.status, 200, "{page:?}");
        }
    }
    let output = timeout(PATIENCE, child.wait_with_output()).await;
    (out, output.expect("an end").expect("an exit status"))
}

/// The host's entry starts the program, and the person's tools are there.
async fn check_host(world: &World) {
    let entry = fs::read_to_string(world.home().join(".cursor/mcp.json")).expect("an entry");
    let entry: Value = serde_json::from_str(&entry).expect("JSON");
    let program = entry["mcpServers"]["chaperone"]["command"].as_str();
    assert_eq!(program, Some(env!("CARGO_BIN_EXE_chaperone")), "{entry}");
    let mut host = world.host();
    host.initialize("2025-11-25").await;
    let tools = host.tools_with("database__query_database").await;
    assert!(
        tools.iter().any(|tool| tool == "deploy__rollback"),
        "{tools:?}"
    );
    let answer = host
        .call("database__query_database", json!({"sql": "select 1"}))
        .await;
    assert_eq!(answer["isError"], json!(false), "{answer}");
    host.close().await;
}

fn mode(world: &World, name: &str) -> u32 {
    let file = world.config_file().with_file_name(name);
    let meta = fs::metadata(file).expect("a file");
    meta.permissions().mode() & 0o777
}

#[tokio::test]
async fn options_alone_lead_to_a_host_that_works_and_again_changes_nothing() {
    let (world, provider, database, deploy) = fresh().await;
    let servers = [&database, &deploy].map(|server| format!("{}={}", server.name, server.url));
    let all = [
        "init",
        "--yes",
        "--allow-all",
        "--no-browser",
        "--issuer",
        &provider.url,
        "--client-id",
        "mcp-desktop",
        "--server",
        &servers[0],
        "--server",
        &servers[1],
    ];
    let tried = world.run(&[&all[..], &["--dry-run"]].concat()).await;
    assert_eq!(tried.status.code(), Some(0), "{tried:?}");
    assert!(!world.config_file().exists(), "nothing was changed");
    let (out, output) = signing_in(&mut world.chaperone(&all), "alice").await;
    assert_eq!(output.status.code(), Some(0), "{out} {output:?}");
    let last = out.lines().last().unwrap_or_default();
    let expected = "Done. Start Cursor anew and type: Which tools of database may I use?";
    assert_eq!(last, expected, "{out}");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(!told.contains("recorded"), "{told}");
    assert_eq!(
        [
            mode(&world, "chaperone.toml"),
            mode(&world, "mcp-policies.yaml")
        ],
        [0o600; 2]
    );
    check_host(&world).await;

    let before = fs::read(world.config_file()).expect("a configuration");
    let again = world.run(&["init", "--yes"]).await;
    let told = String::from_utf8(again.stdout).expect("UTF-8");
    assert_eq!(again.status.code(), Some(0), "{told}");
    for part in [
        "There is a configuration already",
        "There is a policy already",
        "Signed in already",
        "Cursor: chaperone is in it already",
        expected,
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(fs::read(world.config_file()).expect("it"), before);
    let other = world.run(&all).await;
    assert_eq!(other.status.code(), Some(2), "{other:?}");
    assert_eq!(fs::read(world.config_file()).expect("it"), before);
}

#[tokio::test]
async fn answers_at_a_terminal_do_as_well() {
    let (world, provider, database, deploy) = fresh().await;
    let dead = Server::dead("dead").await;
    let answers = json!([
        ["issuer:", "ftp://x"],
        ["issuer:", provider.url],
        ["client id:", "mcp-desktop"],
        ["address:", dead.url],
        ["name", "database"],
        ["address:", deploy.url],
        ["name", "deploy"],
        ["address", ""],
        ["[y/N]", "y"],
        ["Answer anew?", "y"],
        ["issuer [", ""],
        ["client id [", ""],
        ["address [", database.url],
        ["name", ""],
        ["address", ""],
        ["name", ""],
        ["address", ""],
        ["[y/N]", "y"],
        ["Write this?", ""],
        ["Give Cursor the entry", "y"],
    ]);
    let mut command = world.python("tests/world/terminal.py");
    command.arg(answers.to_string());
    command.arg(env!("CARGO_BIN_EXE_chaperone"));
    command.args(["init", "--no-browser"]);
    let (out, output) = signing_in(&mut command, "alice").await;
    assert_eq!(output.status.code(), Some(0), "{out}");
    for part in [
        "server.database: ",
        "Written: ",
        "Which tools of database may I use?",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    check_host(&world).await;
}

#[tokio::test]
async fn a_company_announces_what_nobody_has_to_type() {
    let (world, provider, database, deploy) = fresh().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let whole = json!({
        "identity": {"issuer": provider.url, "client_id": "mcp-desktop"},
        "server": [{"name": "database", "url": database.url}, {"name": "deploy", "url": deploy.url}],
        "policy": {"version": "1.0", "policies": [{"name": "all", "servers": ["*"], "roles": ["*"]}]},
    });
    let router = axum::Router::new()
        .route(
            "/chaperone.json",
            axum::routing::get(async move || whole.to_string()),
        )
        .route(
            "/else.json",
            axum::routing::get(async || "{\"network\": {}}"),
        );
    let tasks = chaperone::stop::Tasks::new();
    tasks.spawn_until_stop(async move { drop(axum::serve(listener, router).await) });
    for (path, code, part) in [
        ("else.json", 1, "unknown field `network`"),
        ("none.json", 5, "HTTP 404"),
    ] {
        let output = world
            .run(&["init", &format!("{address}/{path}"), "--yes"])
            .await;
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(part), "{told}");
        assert!(!world.config_file().exists());
    }
    let address = format!("{address}/chaperone.json");
    let mut command = world.chaperone(&["init", &address, "--yes", "--no-browser"]);
    let (out, output) = signing_in(&mut command, "alice").await;
    assert_eq!(output.status.code(), Some(0), "{out} {output:?}");
    check_host(&world).await;
}

#[tokio::test]
async fn what_is_missing_or_does_not_answer_is_said_and_nothing_is_written() {
    let (world, provider, database, _) = fresh().await;
    let dead = Server::dead("dead").await;
    let server = format!("database={}", database.url);
    let gone = format!("dead={}", dead.url);
    let issuer = provider.url.as_str();
    let whole = ["--issuer", issuer, "--client-id", "mcp-desktop", "--server"];
    let wrong = world.home().join("wrong.yaml");
    fs::write(&wrong, "version: \"1.0\"\npolicies: 7\n").expect("a file");
    let wrong = wrong.to_str().expect("UTF-8");
    let cases: [(&[&str], i32, &str); 6] = [
        (
            &[&whole[..], &[&server, "--policy", wrong]].concat(),
            2,
            "line 2, column 11",
        ),
        (
            &["--issuer", issuer],
            2,
            "--client-id ID, --server NAME=URL",
        ),
        (&["--issuer", "ftp://x"], 2, "https address"),
        (&[&whole[..], &[&server]].concat(), 2, "--allow-all"),
        (
            &[&whole[..], &[&gone, "--allow-all"]].concat(),
            5,
            "server.dead",
        ),
        (
            &[
                "--issuer",
                &dead.url,
                "--client-id",
                "c",
                "--server",
                &server,
                "--allow-all",
            ],
            5,
            "provider.reachable",
        ),
    ];
    for (arguments, code, part) in cases {
        let output = world.run(&[&["init"], arguments].concat()).await;
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {told}");
        assert!(told.contains(part), "{told}");
        assert!(!world.config_file().exists(), "{arguments:?}");
    }
}

#[tokio::test]
async fn what_does_not_answer_yet_is_written_if_that_is_asked_for() {
    let world = World::new();
    let dead = Server::dead("dead").await;
    let gone = format!("dead={}", dead.url);
    let there = ["--issuer", &dead.url, "--client-id", "c", "--server", &gone];
    let plain = ["init", "--no-login", "--no-setup", "--allow-all"];
    let output = world.run(&[&plain[..], &there].concat()).await;
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let output = world
        .run(&[&plain[..], &there, &["--unchecked"]].concat())
        .await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(world.config_file().exists());
}

#[tokio::test]
async fn what_the_administrator_has_set_is_not_asked_for() {
    if !World::can_be_managed() {
        return;
    }
    let (mut world, provider, database, deploy) = fresh().await;
    let identity = format!(
        "[identity]\nissuer = \"{}\"\nclient_id = \"mcp-desktop\"\n\n[policy]\n\
         file = \"/etc/chaperone/mcp-policies.yaml\"\n\n",
        provider.url
    );
    let policy = "version: \"1.0\"\npolicies: [{name: all, servers: [\"*\"], roles: [\"*\"]}]\n";
    world.manage(&identity, policy);
    let missing = world.run(&["init", "--yes"]).await;
    let told = String::from_utf8(missing.stderr).expect("UTF-8");
    assert_eq!(missing.status.code(), Some(2), "{told}");
    assert!(told.contains("to be asked: --server NAME=URL."), "{told}");
    let server = |server: &Server| format!("{}={}", server.name, server.url);
    let own = [
        "init",
        "--yes",
        "--no-browser",
        "--server",
        &server(&database),
        "--server",
        &server(&deploy),
    ];
    let (out, output) = signing_in(&mut world.chaperone(&own), "alice").await;
    assert_eq!(output.status.code(), Some(0), "{out} {output:?}");
    let text = fs::read_to_string(world.config_file()).expect("a configuration");
    assert!(
        !text.contains("[identity]") && text.contains("[[server]]"),
        "{text}"
    );
    check_host(&world).await;

    fs::remove_file(world.config_file()).expect("a configuration");
    let servers = format!("{}{}", database.configuration(), deploy.configuration());
    let managed = world.etc().join("chaperone/managed.toml");
    fs::write(managed, format!("{identity}{servers}")).expect("a file in /etc");
    let whole = world.run(&["init", "--yes"]).await;
    let told = String::from_utf8(whole.stdout).expect("UTF-8");
    assert_eq!(whole.status.code(), Some(0), "{told}");
    assert!(
        told.contains("The administrator has set what is needed"),
        "{told}"
    );
    assert!(!world.config_file().exists());
}

#[tokio::test]
async fn without_a_keychain_the_host_will_show_the_link() {
    let mut world = World::new();
    let provider = world.provider(json!({})).await;
    let database = world.server(Kind::Database, &provider).await;
    let server = format!("database={}", database.url);
    let output = world
        .run(&[
            "init",
            "--yes",
            "--allow-all",
            "--issuer",
            &provider.url,
            "--client-id",
            "mcp-desktop",
            "--server",
            &server,
        ])
        .await;
    let (out, told) = (output.stdout, output.stderr);
    let (out, told) = [out, told]
        .map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
        .into();
    assert_eq!(output.status.code(), Some(0), "{out} {told}");
    assert!(told.contains("has no keychain"), "{told}");
    assert!(told.contains("no host that setup knows"), "{told}");
    let last = "Done. Once your host has the entry, start it, sign in with the link that it shows, and \
                type: Which tools of database may I use?";
    assert_eq!(out.lines().last(), Some(last), "{out}");
    assert!(world.opened().is_empty(), "no browser for nothing");
}
