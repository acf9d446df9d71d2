//! `chaperone setup`: files of every host and kind before and after, byte for byte.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::world::{World, finish};

/// A host, its file, the key of its servers, and what its entry begins with.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

const HOSTS: [Row; 7] = [
    (
        "claude-desktop",
        ".config/Claude/claude_desktop_config.json",
        "mcpServers",
        &[],
    ),
    (
        "claude-code",
        ".claude.json",
        "mcpServers",
        &["\"type\": \"stdio\""],
    ),
    (
        "vscode",
        ".config/Code/User/mcp.json",
        "servers",
        &["\"type\": \"stdio\""],
    ),
    ("cursor", ".cursor/mcp.json", "mcpServers", &[]),
    (
        "windsurf",
        ".codeium/windsurf/mcp_config.json",
        "mcpServers",
        &[],
    ),
    (
        "zed",
        ".config/zed/settings.json",
        "context_servers",
        &["\"source\": \"custom\"", "\"enabled\": true"],
    ),
    ("gemini-cli", ".gemini/settings.json", "mcpServers", &[]),
];
const CODEX: &str = ".codex/config.toml";

const PROGRAM: &str = env!("CARGO_BIN_EXE_chaperone");

/// Files with a place, between « and », for what is to be there afterwards; `KEY`
/// is the key, `LINES` the entry's lines, two levels deep, and `INLINE` the entry in one line.
const KINDS: [(&str, &str); 4] = [
    (
        "others",
        "{\n  \"x\": [1, 2.50],\n  \"KEY\": {\n    \"a\": {\"command\": \"a\", \"env\": {\"K\": \"v\"}}«,\nLINES»\n  }\n}\n",
    ),
    (
        "comments",
        "// mine\n{\n  \"KEY\": { /* all */\n    // why\n    \"a\": {}«,» // first, last«\nLINES»\n  }\n}\n// end",
    ),
    (
        "one line",
        "{\"n\":1,\"KEY\":{\"a\":{\"command\":\"a\"}«,INLINE»}}",
    ),
    ("no others", "{\n  \"KEY\": {«\nLINES\n  »}\n}\n"),
];

const TOML: [&str; 3] = [
    "# mine\nmodel = \"o3\" # good\n\n[mcp_servers.a]\ncommand = 'a'\nargs = [\n  \"x\", # y\n]\n«\nENTRY\n»",
    "model = \"o3\"«\n\nENTRY»",
    "[mcp_servers]\na = { command = \"a\" }\n\n[tui]\n# nothing\n«\nENTRY\n»",
];

fn lines(members: &[&str]) -> String {
    let own = [
        format!("\"command\": \"{PROGRAM}\""),
        "\"args\": []".to_owned(),
    ];
    let members = members.iter().map(|member| (*member).to_owned()).chain(own);
    let members: Vec<String> = members.map(|member| format!("      {member}")).collect();
    format!("    \"chaperone\": {{\n{}\n    }}", members.join(",\n"))
}

fn inline(members: &[&str]) -> String {
    let own = [
        format!("\"command\":\"{PROGRAM}\""),
        "\"args\":[]".to_owned(),
    ];
    let members = members
        .iter()
        .map(|member| member.replace(": ", ":"))
        .chain(own);
    let members: Vec<String> = members.collect();
    format!("\"chaperone\":{{{}}}", members.join(","))
}

/// A template before and after.
fn both(template: &str, key: &str, members: &[&str]) -> (String, String) {
    let mut before = String::new();
    let mut after = String::new();
    for (index, part) in template.split(['«', '»']).enumerate() {
        let part = part.replace("KEY", key);
        if index % 2 == 0 {
            before += &part;
        }
        let entry = format!("[mcp_servers.chaperone]\ncommand = \"{PROGRAM}\"\nargs = []");
        let part = part
            .replace("LINES", &lines(members))
            .replace("ENTRY", &entry);
        after += &part.replace("INLINE", &inline(members));
    }
    (before, after)
}

async fn setup(world: &World, arguments: &[&str]) -> Output {
    world.run(&[&["setup"], arguments].concat()).await
}

async fn succeeds(world: &World, arguments: &[&str]) -> String {
    let output = setup(world, arguments).await;
    assert_eq!(output.status.code(), Some(0), "{arguments:?} {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

async fn fails(world: &World, arguments: &[&str], code: i32) -> String {
    let output = setup(world, arguments).await;
    assert_eq!(output.status.code(), Some(code), "{arguments:?} {output:?}");
    assert_eq!(output.stdout, b"", "{arguments:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    fs::write(path, bytes).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).expect("a mode");
}

fn read(path: &Path) -> String {
    String::from_utf8(fs::read(path).expect("a file")).expect("UTF-8")
}

/// Puts a file there, sets the host up, looks, and goes back.
async fn check(world: &World, host: &str, path: &Path, before: &str, after: &str) {
    write(path, before.as_bytes());
    let preview = succeeds(world, &[host, "--dry-run"]).await;
    assert!(preview.contains("@@"), "{preview}");
    assert_eq!(read(path), before, "{host}: a preview");
    succeeds(world, &[host]).await;
    assert_eq!(read(path), after, "{host}");
    let mode = fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode, 0o640, "{host}");
    let again = succeeds(world, &[host]).await;
    assert!(again.contains("already"), "{again}");
    assert_eq!(read(path), after, "{host}: again");
    succeeds(world, &[host, "--undo"]).await;
    assert_eq!(read(path), before, "{host}: the way back");
    succeeds(world, &[host]).await;
    succeeds(world, &[host, "--remove"]).await;
    assert_eq!(read(path), before, "{host}: taken out");
}

#[tokio::test]
async fn files_of_every_host_and_kind_are_changed_in_one_place_and_back() {
    let world = World::new();
    for (host, file, key, members) in HOSTS {
        let path = world.home().join(file);
        for (kind, template) in KINDS {
            let (before, after) = both(template, key, members);
            check(&world, host, &path, &before, &after).await;
            if kind == "others" {
                let foreign = |text: &str| format!("\u{FEFF}{}", text.replace('\n', "\r\n"));
                check(&world, host, &path, &foreign(&before), &foreign(&after)).await;
            }
        }
        fs::remove_file(path).expect("a file");
    }
    let path = world.home().join(CODEX);
    for template in TOML {
        let (before, after) = both(template, "", &[]);
        check(&world, "codex", &path, &before, &after).await;
        let foreign = |text: &str| format!("\u{FEFF}{}", text.replace('\n', "\r\n"));
        if before.contains('\n') {
            check(&world, "codex", &path, &foreign(&before), &foreign(&after)).await;
        }
    }
}

#[tokio::test]
async fn a_host_without_a_file_gets_one_and_loses_it_again() {
    let world = World::new();
    for (host, file, key, members) in HOSTS {
        let path = world.home().join(file);
        let entry = lines(members);
        let expected = format!("{{\n  \"{key}\": {{\n{entry}\n  }}\n}}\n");
        assert_eq!(succeeds(&world, &[host, "--print"]).await, expected);
        succeeds(&world, &[host]).await;
        assert_eq!(read(&path), expected, "{host}");
        let mode = fs::metadata(&path).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{host}");
        succeeds(&world, &[host, "--undo"]).await;
        assert!(!path.exists(), "{host}");
        write(&path, b"");
        succeeds(&world, &[host]).await;
        assert_eq!(read(&path), expected, "{host}: from an empty file");
    }
    let print = succeeds(&world, &["codex", "--print"]).await;
    assert_eq!(
        print,
        format!("[mcp_servers.chaperone]\ncommand = \"{PROGRAM}\"\nargs = []\n")
    );
}

#[tokio::test]
async fn a_file_of_another_shape_is_refused_with_its_place_and_left_alone() {
    let world = World::new();
    let toml = ("codex", CODEX, "mcp_servers", &[][..]);
    for (host, file, key, _) in HOSTS.into_iter().chain([toml]) {
        let path = world.home().join(file);
        let texts = if host == "codex" {
            ["a = 1\nb = = 2\n".to_owned(), format!("x = 1\n{key} = 1\n")]
        } else {
            [
                format!("{{\n  \"{key}\": {{}}"),
                format!("{{\n  \"{key}\": []}}"),
            ]
        };
        for text in texts {
            write(&path, text.as_bytes());
            let told = fails(&world, &[host], 1).await;
            let place = format!("{}:2:", path.display());
            let at_end = format!("{}:1:", path.display());
            assert!(told.contains(&place) || told.contains(&at_end), "{told}");
            assert_eq!(read(&path), text, "{host}");
        }
        let (before, _) = both("{\"KEY\": {}}", key, &[]);
        let before = if host == "codex" {
            String::new()
        } else {
            before
        };
        write(&path, before.as_bytes());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).expect("a mode");
        let told = fails(&world, &[host], 1).await;
        assert!(told.contains("read-only"), "{told}");
        assert_eq!(read(&path), before, "{host}");
        fs::remove_file(path).expect("a file");
    }
    assert!(
        !world.data_dir().join("backups").exists(),
        "nothing was changed"
    );
    assert!(
        fails(&world, &["emacs"], 2)
            .await
            .contains("possible values")
    );
    assert!(
        fails(&world, &["zed", "--scope", "project"], 2)
            .await
            .contains("no configuration of projects")
    );
    assert!(
        fails(&world, &["zed", "--undo"], 1)
            .await
            .contains("no change to take back")
    );
}

#[tokio::test]
async fn links_are_followed_at_home_and_never_out_of_it() {
    let world = World::new();
    let outside = tempfile::tempdir().expect("a directory");
    for (host, file, key, members) in HOSTS {
        let path = world.home().join(file);
        let (before, after) = both(KINDS[0].1, key, members);
        let dotfile = world.home().join("dotfiles").join(host);
        write(&dotfile, before.as_bytes());
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        symlink(&dotfile, &path).expect("a link");
        succeeds(&world, &[host]).await;
        assert_eq!(read(&dotfile), after, "{host}");
        assert!(path.is_symlink(), "{host}");
        succeeds(&world, &[host, "--undo"]).await;
        assert_eq!(read(&dotfile), before, "{host}");
        fs::remove_file(&path).expect("a link");
        let away = outside.path().join(host);
        write(&away, before.as_bytes());
        symlink(&away, &path).expect("a link");
        let told = fails(&world, &[host], 1).await;
        assert!(
            told.contains("links out of there are not followed"),
            "{told}"
        );
        assert_eq!(read(&away), before, "{host}");
        fs::remove_file(path).expect("a link");
    }
}

#[tokio::test]
async fn a_huge_file_is_changed_in_one_place() {
    let world = World::new();
    let path = world.home().join(".claude.json");
    let history = "    \"a line of a long history, as Claude Code keeps one\",\n".repeat(60_000);
    let template = format!(
        "{{\n  \"history\": [\n{history}    \"end\"\n  ],\n  \"KEY\": {{\n    \"a\": {{}}«,\nLINES»\n  }}\n}}\n"
    );
    let (before, after) = both(&template, "mcpServers", HOSTS[1].3);
    check(&world, "claude-code", &path, &before, &after).await;
}

#[tokio::test]
async fn a_host_that_would_write_its_file_back_is_named() {
    let world = World::new();
    let path = world
        .home()
        .join(".config/Claude/claude_desktop_config.json");
    write(&path, b"{}");
    let told = async || {
        let output = setup(&world, &["claude-desktop"]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    // A program of that name, which waits for the end of its input.
    let program = world.home().join("bin/claude-desktop");
    fs::copy("/bin/cat", &program).expect("a program");
    let mut command = world.command(&program);
    command.stdin(std::process::Stdio::piped());
    let mut running = command.spawn().expect("it starts");
    let warned = told().await;
    assert!(
        warned.contains("Claude Desktop is running and may write"),
        "{warned}"
    );
    running.kill().await.expect("it ends");
    succeeds(&world, &["claude-desktop", "--undo"]).await;
}

#[tokio::test]
async fn two_at_once_do_not_write() {
    let world = World::new();
    let lock = world.data_dir().join("locks/setup.lock");
    write(&lock, b"");
    fs::set_permissions(
        lock.parent().expect("a parent"),
        fs::Permissions::from_mode(0o700),
    )
    .expect("a mode");
    let held = fs::File::open(&lock).expect("a lock");
    held.lock().expect("a lock");
    let told = fails(&world, &["cursor"], 1).await;
    assert!(
        told.contains("another `chaperone setup` is at work"),
        "{told}"
    );
    assert!(!world.home().join(".cursor").exists());
    drop(held);
    succeeds(&world, &["cursor"]).await;
}

#[tokio::test]
async fn an_entry_that_is_not_ours_or_turned_off_is_told() {
    let world = World::new();
    let path = world.home().join(".cursor/mcp.json");
    let other = "{\"mcpServers\": {\"chaperone\": {\"command\": \"/usr/bin/other\"}}}";
    write(&path, other.as_bytes());
    assert!(
        fails(&world, &["cursor"], 1)
            .await
            .contains("that is another program")
    );
    assert_eq!(read(&path), other);
    let off = format!(
        "{{\"mcpServers\": {{\"chaperone\": {{\"command\": \"{PROGRAM}\", \"disabled\": true}}}}}}"
    );
    write(&path, off.as_bytes());
    let output = setup(&world, &["cursor"]).await;
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("turned off"),
        "{output:?}"
    );
    assert_eq!(read(&path), off);
}

#[tokio::test]
async fn what_was_changed_since_is_not_taken_back() {
    let world = World::new();
    let path = world.home().join(".cursor/mcp.json");
    write(&path, b"{}");
    succeeds(&world, &["cursor"]).await;
    let mine = read(&path).replace("\"args\"", "\"env\": {},\n      \"args\"");
    write(&path, mine.as_bytes());
    let told = fails(&world, &["cursor", "--undo"], 1).await;
    assert!(told.contains("has been changed since"), "{told}");
    let told = told.lines().next().expect("a sentence");
    let backup = told.rsplit(' ').next().expect("a path").trim();
    assert_eq!(read(Path::new(backup)), "{}");
    assert_eq!(read(&path), mine);
}

#[tokio::test]
async fn the_list_says_what_is_installed_and_whether_chaperone_is_in_it() {
    let world = World::new();
    write(&world.home().join(".cursor/mcp.json"), b"{}");
    write(&world.home().join(".gemini/settings.json"), b"{\n]");
    let old = json!({"mcpServers": {"tools": {"command": "/old/chaperone"}}});
    write(
        &world.home().join(".claude.json"),
        old.to_string().as_bytes(),
    );
    fs::create_dir_all(world.home().join(".codex")).expect("a directory");
    let states = async |scope: &[&str]| -> Vec<(String, bool, String)> {
        let text = succeeds(&world, &[&["--list", "--json"], scope].concat()).await;
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines
            .map(|line| {
                let text = |name: &str| line[name].as_str().expect("a text").to_owned();
                (text("host"), line["installed"] == true, text("state"))
            })
            .collect()
    };
    let row = |host: &str, installed, state: &str| (host.to_owned(), installed, state.to_owned());
    let expected = |cursor: &str, claude: &str| {
        vec![
            row("claude-desktop", false, "absent"),
            row("claude-code", true, claude),
            row("vscode", false, "absent"),
            row("cursor", true, cursor),
            row("windsurf", false, "absent"),
            row("zed", false, "absent"),
            row("codex", true, "absent"),
            row("gemini-cli", true, "unreadable"),
        ]
    };
    assert_eq!(states(&[]).await, expected("absent", "differs"));
    succeeds(&world, &["cursor"]).await;
    assert_eq!(states(&[]).await, expected("present", "differs"));
    // An entry of another name that starts chaperone is the one that is brought up to date; one file
    // that cannot be read keeps nobody else from it.
    let output = setup(&world, &["--all"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let claude: Value =
        serde_json::from_str(&read(&world.home().join(".claude.json"))).expect("JSON");
    let entry = json!({"tools": {"command": PROGRAM, "type": "stdio"}});
    assert_eq!(claude["mcpServers"], entry);
    assert_eq!(states(&[]).await[6], row("codex", true, "present"));
    assert!(
        !world.home().join(".codeium").exists(),
        "what is not installed is left alone"
    );
    let text = succeeds(&world, &["--list"]).await;
    assert!(text.contains("cursor          has chaperone"), "{text}");
    assert!(text.contains("settings.json:2:1: "), "{text}");
}

#[tokio::test]
async fn arguments_are_constant_and_name_a_configuration_that_lies_elsewhere() {
    let world = World::new();
    let other = world.home().join("other.toml");
    let other = other.to_str().expect("UTF-8");
    let print = succeeds(&world, &["codex", "--print", "--config", other]).await;
    assert!(
        print.ends_with(&format!("args = [\"serve\", \"--config\", \"{other}\"]\n")),
        "{print}"
    );
    let mut command = world.chaperone(&["setup", "codex", "--print"]);
    let output = finish(command.env("CHAPERONE_CONFIG", other)).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), print);
    // Started through a link of a stable name on the search path, that is what hosts start.
    let link = world.home().join("bin/chaperone");
    symlink(PROGRAM, &link).expect("a link");
    let print = succeeds(&world, &["codex", "--print"]).await;
    assert!(
        print.contains(&format!("command = \"{}\"", link.display())),
        "{print}"
    );
}

#[tokio::test]
async fn a_project_has_an_entry_and_backups_of_its_own() {
    let world = World::new();
    let projects: [PathBuf; 2] = ["one", "two"].map(|name| world.home().join(name));
    let at = async |project: &Path, arguments: &[&str]| {
        let mut command = world.chaperone(&["setup", "claude-code", "--scope", "project"]);
        let output = finish(command.args(arguments).current_dir(project)).await;
        output.status.code()
    };
    for project in &projects {
        write(&project.join(".mcp.json"), b"{}\n");
        assert_eq!(at(project, &[]).await, Some(0));
        assert!(read(&project.join(".mcp.json")).contains(PROGRAM));
    }
    assert_eq!(at(&projects[0], &["--undo"]).await, Some(0));
    assert_eq!(read(&projects[0].join(".mcp.json")), "{}\n");
    assert!(read(&projects[1].join(".mcp.json")).contains(PROGRAM));
    assert!(!world.home().join(".claude.json").exists());
}

#[tokio::test]
async fn remote_servers_move_without_their_secrets_and_come_back() {
    let world = World::new();
    let config = "# mine\n[[server]]\nname = \"database\"\nurl = \"https://gateway.example.com/mcp/database\"\n";
    world.write_configuration(config);
    let path = world.home().join(".cursor/mcp.json");
    let before = "{\n  \"mcpServers\": {\n    \"files\": {\"command\": \"npx\", \"args\": [\"-y\", \"files\"]},\n    // ours\n    \"Deploy\": {\"url\": \"https://gateway.example.com/mcp/deploy\", \"headers\": {\"Authorization\": \"Bearer canary-1\"}},\n    \"db\": {\"url\": \"https://gateway.example.com/mcp/database\"},\n    \"docs\": {\"command\": \"npx\", \"args\": [\"mcp-remote\", \"https://docs.example.org/mcp\"]},\n    \"keyed\": {\"url\": \"https://x.example/mcp\", \"headers\": {\"X-Key\": \"canary-2\"}},\n    \"query\": {\"url\": \"https://x.example/mcp?key=canary-3\"}\n  }\n}\n";
    write(&path, before.as_bytes());
    let output = setup(&world, &["cursor", "--import"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
    assert!(!told.concat().contains("canary"), "{told:?}");
    for expected in [
        "note: Deploy is moved to chaperone as 'deploy', and gets your token, as its origin does already; its Authorization header was left out",
        "note: db: chaperone has it already, as 'database'",
        "note: docs is moved to chaperone as 'docs', and gets no token",
        "note: keyed stays in Cursor: it is sent the header \"X-Key\"",
        "note: query stays in Cursor: its address has a query",
    ] {
        assert!(told[1].contains(expected), "{expected}: {}", told[1]);
    }
    let own = format!(
        "{config}\n[[server]]\nname = \"deploy\"\nurl = \"https://gateway.example.com/mcp/deploy\"\nauth = \"sso\"\n\n[[server]]\nname = \"docs\"\nurl = \"https://docs.example.org/mcp\"\nauth = \"none\"\n"
    );
    assert_eq!(read(&world.config_file()), own);
    let after: Value = {
        let text = read(&path);
        assert!(text.contains("    // ours\n    \"keyed\""), "{text}");
        serde_json::from_str(&text.replace("// ours", "")).expect("JSON")
    };
    let names: Vec<&String> = after["mcpServers"]
        .as_object()
        .expect("servers")
        .keys()
        .collect();
    assert_eq!(names, ["chaperone", "files", "keyed", "query"]);
    let output = world.run(&["config", "show"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let again = succeeds(&world, &["cursor", "--import"]).await;
    assert!(again.contains("already"), "{again}");
    succeeds(&world, &["cursor", "--undo"]).await;
    assert_eq!(
        (read(&path), read(&world.config_file())),
        (before.to_owned(), config.to_owned())
    );
    // Two hosts with the same server bring it once, and the way back is the same for both.
    let other = world.home().join(".gemini/settings.json");
    let theirs = before.replace("\"url\"", "\"httpUrl\"");
    write(&other, theirs.as_bytes());
    succeeds(&world, &["--all", "--import"]).await;
    assert_eq!(read(&world.config_file()), own);
    assert!(!read(&other).contains("\"docs\""), "it has left both");
    succeeds(&world, &["--all", "--undo"]).await;
    assert_eq!((read(&path), read(&other)), (before.to_owned(), theirs));
    assert_eq!(read(&world.config_file()), config);
    // A configuration that cannot be read is not written to.
    world.write_configuration("server = 1\n");
    assert!(
        fails(&world, &["cursor", "--import"], 2)
            .await
            .contains("chaperone.toml:1:")
    );
    assert_eq!(read(&path), before);
}
