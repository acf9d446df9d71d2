//! Hosts as their makers ship them, without an account, started against what `setup` wrote.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::company::Company;
use crate::world::{PATIENCE, World, finish, installed};

const PROGRAM: &str = env!("CARGO_BIN_EXE_chaperone");

/// A command with nothing beyond this machine in reach: hosts send home what they see.
fn alone(world: &World, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = world.command(program);
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    for name in ["no_proxy", "NO_PROXY"] {
        command.env(name, "127.0.0.1,localhost");
    }
    command.current_dir(world.home());
    command
}

async fn told(command: &mut Command) -> String {
    let output = finish(command).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // Some tell what they have found on standard error.
    String::from_utf8([output.stdout, output.stderr].concat()).expect("text")
}

/// The line of a list that tells of a server.
fn line<'a>(list: &'a str, server: &str) -> &'a str {
    let of = format!("{server}: ");
    let mut lines = list.lines();
    lines
        .find(|line| line.contains(&of))
        .unwrap_or_else(|| panic!("nothing of {server}: {list}"))
}

async fn setup(world: &World, arguments: &[&str], place: &Path) {
    let mut command = world.chaperone(&[&["setup"], arguments].concat());
    told(command.current_dir(place)).await;
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    fs::write(path, text).expect("a file");
}

/// The program of Claude Code, which lies in the package of this system.
fn claude(world: &World, arguments: &[&str]) -> Command {
    let packages = fs::read_dir(installed("npm/node_modules/@anthropic-ai")).expect("packages");
    let mut programs = packages.map(|found| found.expect("a package").path().join("claude"));
    let program = programs.find(|path| path.is_file()).expect("Claude Code");
    let mut command = alone(world, program);
    command.args(arguments);
    command
}

fn gemini(world: &World, arguments: &[&str]) -> Command {
    let mut command = alone(world, installed("bin/node"));
    let script = "npm/node_modules/@google/gemini-cli/bundle/gemini.js";
    command.arg(installed(script)).args(arguments);
    command
}

fn codex(world: &World, arguments: &[&str]) -> Command {
    let mut command = alone(world, installed("bin/node"));
    let script = "npm/node_modules/@openai/codex/bin/codex.js";
    command.arg(installed(script)).args(arguments);
    command
}

#[tokio::test]
async fn claude_code_connects_through_its_entry() {
    let company = Company::signed_in("alice").await;
    let world = &company.world;
    let file = world.home().join(".claude.json");
    let others =
        json!({"mcpServers": {"other": {"type": "stdio", "command": "/nowhere", "args": []}}});
    write(&file, &others.to_string());
    setup(world, &["claude-code"], world.home()).await;
    let list = told(&mut claude(world, &["mcp", "list"])).await;
    let found = line(&list, "chaperone");
    assert!(found.contains(PROGRAM), "{list}");
    assert!(found.contains("Connected"), "{list}");
    assert!(!line(&list, "other").contains("Connected"), "{list}");
    // The host has written its file meanwhile, and keeps what it wrote.
    setup(world, &["claude-code", "--remove"], world.home()).await;
    let left: Value = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
    assert_eq!(left["mcpServers"], others["mcpServers"]);
    assert!(
        left.as_object().is_some_and(|left| left.len() > 1),
        "{left}"
    );
    // A project's entry waits for the person's consent, which is the host's own affair.
    let project = world.home().join("project");
    fs::create_dir(&project).expect("a directory");
    setup(world, &["claude-code", "--scope", "project"], &project).await;
    let mut command = claude(world, &["mcp", "list"]);
    let list = told(command.current_dir(&project)).await;
    assert!(
        line(&list, "chaperone").contains("Pending approval"),
        "{list}"
    );
}

#[tokio::test]
async fn gemini_cli_connects_through_its_entry() {
    let company = Company::signed_in("alice").await;
    let world = &company.world;
    let settings = "// mine\n{\n  \"privacy\": {\"usageStatisticsEnabled\": false},\n  \"mcpServers\": {\n            // another\n    \"other\": {\"command\": \"/nowhere\"}\n  }\n}\n";
    write(&world.home().join(".gemini/settings.json"), settings);
    let trusted = json!({world.home().display().to_string(): "TRUST_FOLDER"});
    write(
        &world.home().join(".gemini/trustedFolders.json"),
        &trusted.to_string(),
    );
    setup(world, &["gemini-cli"], world.home()).await;
    let list = told(&mut gemini(world, &["mcp", "list"])).await;
    let found = line(&list, "chaperone");
    assert!(found.contains(PROGRAM), "{list}");
    assert!(found.contains("- Connected"), "{list}");
    assert!(!line(&list, "other").contains("- Connected"), "{list}");
}

#[tokio::test]
async fn codex_lists_the_tools_behind_its_entry() {
    let company = Company::signed_in("alice").await;
    let world = &company.world;
    let file = world.home().join(".codex/config.toml");
    let others = "# mine\nmodel = \"o3\"\n\n[mcp_servers.other]\ncommand = \"/nowhere\"\n";
    write(&file, others);
    setup(world, &["codex"], world.home()).await;
    // Codex leaves programs a few variables only; here the keychain's bus is not where it usually is.
    let text = fs::read_to_string(&file).expect("a file");
    write(
        &file,
        &format!("{text}\nenv_vars = [\"DBUS_SESSION_BUS_ADDRESS\"]\n"),
    );
    let servers = of_codex(codex(world, &["app-server"])).await;
    let servers = servers["data"].as_array().expect("servers");
    let ours = servers.iter().find(|server| server["name"] == "chaperone");
    let tools = &ours.expect("chaperone")["tools"];
    for tool in ["chaperone__status", "database__query_database"] {
        assert_eq!(tools[tool]["name"], tool, "{servers:?}");
    }
}

/// What the server that graphical hosts of Codex use says of MCP servers, in its own kind of JSON-RPC.
async fn of_codex(mut command: Command) -> Value {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().expect("Codex starts");
    let client = json!({"name": "world", "title": "world", "version": "1"});
    let messages = [
        json!({"id": 1, "method": "initialize", "params": {"clientInfo": client}}),
        json!({"method": "initialized"}),
        json!({"id": 2, "method": "mcpServerStatus/list", "params": {}}),
    ];
    let text: String = messages.map(|message| format!("{message}\n")).concat();
    let mut stdin = child.stdin.take().expect("a piped stdin");
    let written = stdin.write_all(text.as_bytes()).await;
    written.expect("Codex reads");
    let mut lines = BufReader::new(child.stdout.take().expect("a piped stdout")).lines();
    let answer = async {
        loop {
            let line = lines.next_line().await.expect("text").expect("an answer");
            let mut message: Value = serde_json::from_str(&line).expect("a message");
            if message["id"] == 2 {
                break message["result"].take();
            }
        }
    };
    let answer = timeout(PATIENCE, answer).await.expect("an answer in time");
    drop(stdin);
    let end = timeout(PATIENCE, child.wait()).await;
    end.expect("an end in time").expect("an exit status");
    answer
}
