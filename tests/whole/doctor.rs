//! `chaperone doctor`: a machine where all is well, and one thing after the other that is not.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::company::Company;
use crate::sync::Scene;
use crate::world::parts::Server;
use crate::world::{World, finish};

/// What doctor found, and how it ended.
struct Found {
    checks: Vec<Value>,
    exit: Option<i32>,
    whole: Value,
}

impl Found {
    async fn by(world: &World, more: &[&str]) -> Self {
        Self::at(Path::new("/"), world, more).await
    }

    async fn at(place: &Path, world: &World, more: &[&str]) -> Self {
        let arguments = [&["doctor", "--json"], more].concat();
        let output = finish(world.chaperone(&arguments).current_dir(place)).await;
        let whole: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        let checks = whole["checks"].as_array().expect("checks").clone();
        let exit = output.status.code();
        assert_eq!(whole["exit"].as_i64(), exit.map(Into::into));
        for check in &checks {
            let (state, fix) = (&check["state"], &check["fix"]);
            let is_bad = *state == "failed" || *state == "warning";
            assert_eq!(is_bad, is_bad && fix.is_string(), "{check}");
            assert!(!is_bad || check["code"].is_string(), "{check}");
        }
        Self {
            checks,
            exit,
            whole,
        }
    }

    fn check(&self, id: &str) -> &Value {
        let mut checks = self.checks.iter();
        let found = checks.find(|check| check["id"] == id);
        found.unwrap_or_else(|| panic!("no {id}: {}", self.whole))
    }

    /// The ids of what is worse than a note.
    fn bad(&self) -> Vec<&str> {
        let bad = |check: &&Value| check["state"] == "failed" || check["state"] == "warning";
        let bad = self.checks.iter().filter(bad);
        bad.filter_map(|check| check["id"].as_str()).collect()
    }

    /// That this and nothing else is wrong.
    fn assert_only(&self, id: &str, state: &str, code: &str, exit: i32) {
        assert_eq!(self.bad(), [id], "{}", self.whole);
        let check = self.check(id);
        assert_eq!(
            (&check["state"], &check["code"]),
            (&json!(state), &json!(code))
        );
        assert_eq!(self.exit, Some(exit), "{}", self.whole);
    }
}

pub fn cursor(world: &World) -> PathBuf {
    world.home().join(".cursor/mcp.json")
}

/// A company in which Alice is signed in and Cursor starts chaperone.
pub async fn settled() -> Company {
    let company = Company::signed_in("alice").await;
    fs::create_dir(company.world.home().join(".cursor")).expect("a directory");
    let output = company.world.run(&["setup", "cursor"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    company
}

#[tokio::test]
async fn where_all_is_well_every_check_says_so() {
    let company = settled().await;
    let found = Found::by(&company.world, &[]).await;
    assert_eq!(found.bad(), [""; 0], "{}", found.whole);
    assert_eq!(found.exit, Some(0));
    for id in [
        "config.loaded",
        "config.sources",
        "policy.loaded",
        "network.proxy",
        "tls.roots",
        "clock.skew",
        "provider.reachable",
        "provider.metadata",
        "keychain.usable",
        "session.valid",
        "server.database",
        "server.deploy",
        "server.everything",
        "host.cursor",
        "data.private",
        "data.leftovers",
        "log.disk",
        "log.room",
        "log.intact",
        "version",
        "version.running",
        "version.kept",
    ] {
        assert_eq!(found.check(id)["state"], "ok", "{}", found.check(id));
    }
    let deep = Found::by(&company.world, &["--deep"]).await;
    assert_eq!(deep.exit, Some(0), "{}", deep.whole);
    let before = company.record().await.len();
    let output = company.world.run(&["doctor"]).await;
    assert_eq!(company.record().await.len(), before, "nothing is recorded");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert!(text.starts_with("ok       config.loaded:"), "{text}");
    assert!(
        !text.contains('\u{1b}'),
        "colours are for terminals: {text}"
    );
}

#[tokio::test]
async fn a_server_or_a_provider_that_is_down_is_named() {
    let mut company = settled().await;
    company.world.stop("deploy").await;
    let found = Found::by(&company.world, &[]).await;
    found.assert_only("server.deploy", "failed", "CHP-SERVER-UNREACHABLE", 5);
    company.world.stop("provider").await;
    let found = Found::by(&company.world, &[]).await;
    let expected = ["provider.reachable", "server.deploy"];
    assert_eq!(found.bad(), expected, "{}", found.whole);
    assert_eq!(found.check("provider.metadata")["state"], "skipped");
    // The token that is there still serves.
    assert_eq!(found.check("server.database")["state"], "ok");
    assert_eq!(found.exit, Some(5));
}

#[tokio::test]
async fn settings_that_do_not_load_do_not_keep_it_from_looking() {
    let company = settled().await;
    let world = &company.world;
    world.write_policy("version: \"1.0\"\npolicies: 7\n");
    let found = Found::by(world, &[]).await;
    found.assert_only("policy.loaded", "failed", "CHP-POLICY-INVALID", 2);
    let detail = found.check("policy.loaded")["detail"].as_str();
    assert!(
        detail.is_some_and(|text| text.contains("mcp-policies.yaml:2:")),
        "{detail:?}"
    );
    world.write_configuration("[identity]\nissuer = 7\n[[server]]\n");
    let found = Found::by(world, &[]).await;
    found.assert_only("config.loaded", "failed", "CHP-CONFIG-INVALID", 2);
    assert_eq!(found.check("keychain.usable")["state"], "ok");
    assert_eq!(found.check("log.intact")["state"], "ok");
    fs::remove_file(world.config_file()).expect("a configuration");
    let found = Found::by(world, &[]).await;
    found.assert_only("config.loaded", "failed", "CHP-CONFIG-MISSING", 2);
}

/// Answers everything with 405 and a date of long ago.
fn behind_the_times(name: &str) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _read = stream.read(&mut [0; 4096]);
            let answer = "HTTP/1.1 405 Method Not Allowed\r\nDate: Sat, 01 Jan 2000 00:00:00 \
                          GMT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _written = stream.write_all(answer.as_bytes());
        }
    });
    Server::new(url, name)
}

#[tokio::test]
async fn a_clock_that_differs_is_named() {
    let mut world = World::new();
    world.keychain().await;
    let provider = world.provider(json!({})).await;
    let old = behind_the_times("old");
    world.configure(&provider, &[&old], "");
    let found = Found::by(&world, &[]).await;
    let skew = found.check("clock.skew");
    assert_eq!(skew["state"], "warning", "{skew}");
    let detail = skew["detail"].as_str().expect("a detail");
    assert!(
        detail.starts_with("old is ") && detail.ends_with(" min behind"),
        "{detail}"
    );
    // Two of them against the provider: then it is this machine's.
    let other = behind_the_times("new");
    world.configure(&provider, &[&old, &other], "");
    let found = Found::by(&world, &[]).await;
    let skew = found.check("clock.skew");
    assert_eq!(
        (&skew["state"], &skew["code"]),
        (&json!("failed"), &json!("CHP-CLOCK-SKEW"))
    );
    // Nobody is signed in, no server speaks MCP, and no host was set up: the worst counts.
    assert_eq!(found.check("session.valid")["code"], "CHP-NOT-SIGNED-IN");
    assert_eq!(found.exit, Some(5), "{}", found.whole);
}

fn keyrings(world: &World) -> Vec<Pid> {
    let home = format!("HOME={}", world.home().display());
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_it = |path: &PathBuf| {
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        let lives_here = environment
            .split(|byte| *byte == 0)
            .any(|one| one == home.as_bytes());
        name.starts_with("gnome-keyring") && lives_here
    };
    let paths = entries.map(|entry| entry.path()).filter(is_it);
    let number = |path: PathBuf| path.file_name()?.to_str()?.parse().ok();
    paths.filter_map(number).filter_map(Pid::from_raw).collect()
}

#[tokio::test]
async fn a_keychain_that_is_absent_or_hangs_is_named_and_not_waited_for() {
    let mut world = World::new();
    let provider = world.provider(json!({})).await;
    world.configure(&provider, &[], "");
    let found = Found::by(&world, &[]).await;
    let keychain = found.check("keychain.usable");
    assert_eq!(keychain["code"], "CHP-KEYCHAIN-ABSENT", "{keychain}");
    assert_eq!(found.check("session.valid")["state"], "skipped");

    let company = settled().await;
    let daemons = keyrings(&company.world);
    assert!(!daemons.is_empty());
    for daemon in &daemons {
        kill_process(*daemon, Signal::STOP).expect("a daemon");
    }
    let found = Found::by(&company.world, &[]).await;
    for daemon in &daemons {
        kill_process(*daemon, Signal::CONT).expect("a daemon");
    }
    found.assert_only("keychain.usable", "failed", "CHP-KEYCHAIN-LOCKED", 1);
    assert_eq!(found.check("session.valid")["state"], "skipped");
    assert_eq!(found.check("server.everything")["state"], "ok");
}

#[tokio::test]
async fn a_keychain_that_is_locked_is_named_and_loses_nothing() {
    let company = settled().await;
    let world = &company.world;
    world.forget_tokens();
    world.lock_keychain().await;
    let found = Found::by(world, &[]).await;
    found.assert_only("keychain.usable", "failed", "CHP-KEYCHAIN-LOCKED", 1);
    assert_eq!(found.check("session.valid")["state"], "skipped");
    for command in [&["whoami"][..], &["call", "database__list_tables"]] {
        let output = world.run(command).await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{told}");
        assert!(told.contains("Unlock the keychain"), "{told}");
    }
    world.unlock_keychain().await;
    let output = world.run(&["call", "database__list_tables"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test]
async fn what_a_host_has_lost_is_given_back() {
    let company = settled().await;
    let world = &company.world;
    let entry = fs::read_to_string(cursor(world)).expect("a file");
    for lost in [Some("{\"mcpServers\": {}}\n"), None] {
        match lost {
            Some(text) => fs::write(cursor(world), text).expect("a file"),
            None => fs::remove_file(cursor(world)).expect("a file"),
        }
        let found = Found::by(world, &[]).await;
        found.assert_only("host.cursor", "failed", "CHP-HOST-WIPED", 1);
        let found = Found::by(world, &["--fix", "--dry-run"]).await;
        assert_eq!(found.whole["repairs"][0]["done"], false);
        assert_eq!(fs::read_to_string(cursor(world)).ok().as_deref(), lost);
        let found = Found::by(world, &["--fix"]).await;
        assert_eq!(found.whole["repairs"][0]["id"], "host.cursor");
        assert_eq!(found.whole["repairs"][0]["done"], true);
        assert_eq!(found.exit, Some(0), "{}", found.whole);
        let again = fs::read_to_string(cursor(world)).expect("a file");
        assert!(again.contains("\"chaperone\""), "{again}");
    }
    // The program was moved.
    let moved = entry.replace(env!("CARGO_BIN_EXE_chaperone"), "/gone/chaperone");
    fs::write(cursor(world), moved).expect("a file");
    let found = Found::by(world, &[]).await;
    found.assert_only("host.cursor", "failed", "CHP-HOST-STALE", 1);
    assert_eq!(Found::by(world, &["--fix"]).await.exit, Some(0));
    // What a person took out is not put back.
    let output = world.run(&["setup", "cursor", "--remove"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found = Found::by(world, &["--fix"]).await;
    assert_eq!(found.whole["repairs"], json!([]));
    found.assert_only("host.any", "warning", "CHP-HOST-ABSENT", 1);
}

#[tokio::test]
async fn an_entry_of_the_project_here_is_looked_at_where_there_is_one() {
    let company = settled().await;
    let world = &company.world;
    let project = world.home().join("project");
    fs::create_dir(&project).expect("a directory");
    let id = "host.claude-code.project";
    let knows = |found: &Found| found.checks.iter().any(|check| check["id"] == id);
    assert!(!knows(&Found::at(&project, world, &[]).await));
    let arguments = ["setup", "claude-code", "--scope", "project"];
    let output = finish(world.chaperone(&arguments).current_dir(&project)).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        Found::at(&project, world, &[]).await.check(id)["state"],
        "ok"
    );
    assert!(!knows(&Found::by(world, &[]).await), "of another project");
    let file = project.join(".mcp.json");
    let entry = fs::read(&file).expect("a file");
    fs::write(&file, "{}\n").expect("a file");
    let found = Found::at(&project, world, &[]).await;
    found.assert_only(id, "failed", "CHP-HOST-WIPED", 1);
    assert_eq!(Found::at(&project, world, &["--fix"]).await.exit, Some(0));
    assert_eq!(fs::read(&file).expect("a file"), entry);
    // At home the file of Cursor's project is the account's.
    let found = Found::at(world.home(), world, &[]).await;
    assert!(
        found
            .checks
            .iter()
            .all(|check| check["id"] != "host.cursor.project")
    );
}

#[tokio::test]
async fn files_that_others_may_read_are_closed() {
    let company = settled().await;
    let world = &company.world;
    let file = world.data_dir().join("session.json");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("a file");
    let found = Found::by(world, &[]).await;
    found.assert_only("data.private", "warning", "CHP-DATA-OPEN", 1);
    assert_eq!(Found::by(world, &["--fix"]).await.exit, Some(0));
    let mode = fs::metadata(&file).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_damaged_log_is_named_and_left_alone() {
    let company = settled().await;
    let log = company.world.data_dir().join("audit.db");
    let mut bytes = fs::read(&log).expect("a log");
    let sound = bytes.clone();
    let from = bytes.len() / 2;
    for byte in &mut bytes[from..] {
        *byte ^= 0x5a;
    }
    fs::write(&log, &bytes).expect("a log");
    let found = Found::by(&company.world, &["--fix"]).await;
    found.assert_only("log.intact", "failed", "CHP-LOG-DAMAGED", 6);
    assert_eq!(fs::read(&log).expect("a log"), bytes);
    fs::write(&log, b"no database at all").expect("a log");
    let found = Found::by(&company.world, &[]).await;
    found.assert_only("log.intact", "failed", "CHP-LOG-DAMAGED", 6);
    fs::write(&log, sound).expect("a log");
    assert_eq!(Found::by(&company.world, &[]).await.exit, Some(0));
}

#[tokio::test]
async fn a_sink_that_is_behind_is_named_and_sent_to() {
    let mut scene = Scene::of("kind = \"otlp\"\nurl = \"URL\"\nauth = \"none\"").await;
    scene.close().await;
    scene.call().await;
    assert_eq!(scene.sync().await.0, Some(5));
    let found = Found::by(&scene.world, &[]).await;
    assert_eq!(found.bad(), ["host.any", "sync.siem"], "{}", found.whole);
    assert_eq!(found.check("sync.siem")["code"], "CHP-SYNC-BEHIND");
    let found = Found::by(&scene.world, &["--fix"]).await;
    let repair = &found.whole["repairs"][0];
    assert_eq!(
        (&repair["id"], &repair["done"]),
        (&json!("sync.siem"), &json!(false))
    );
    scene.open().await;
    let found = Found::by(&scene.world, &["--fix"]).await;
    assert_eq!(found.whole["repairs"][0]["done"], true, "{}", found.whole);
    assert_eq!(found.check("sync.siem")["state"], "ok");
    scene.assert_all_arrived(&[]).await;
}
