//! Two versions on one machine: what a newer one has taken over, an older one leaves alone, and says so;
//! and a program whose file is replaced while it serves a host.
//!
//! The newer version is played by the tests: they raise the numbers that say which format something has,
//! as `src/audit/schema.rs` and the others do it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use chaperone::audit::tree::leaf_hash;
use chaperone::audit::{self, schema};
use chaperone::paths::Paths;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::time::timeout;

use crate::company::{Company, link, text};
use crate::sync::settle_in;
use crate::world::host::Host;
use crate::world::{PATIENCE, World, browser, finish};

/// The code of everything that a newer version has written.
const NEWER: &str = "CHP-VERSION-NEWER";

fn log(world: &World) -> Connection {
    let log = Connection::open(world.data_dir().join("audit.db")).expect("the log");
    log.busy_timeout(PATIENCE).expect("patience");
    log
}

fn number(log: &Connection, sql: &str) -> i64 {
    log.query_row(sql, [], |row| row.get(0)).expect("a number")
}

/// Brings the log forward as the next version does: tables, the number, and a record, in one transaction,
/// with the turn at the tail, which is carried over and begins anew.
fn take_over(world: &World) {
    let data = world.data_dir();
    let paths = Paths::find(Some(data.join("c.toml")), Some(data.clone())).expect("the paths");
    audit::settle(&paths);
    let tail = fs::File::options()
        .write(true)
        .open(data.join("audit.db-tail"));
    let tail = tail.expect("the tail");
    tail.lock().expect("a turn at the tail");
    let log = log(world);
    let next = schema::VERSION + 1;
    log.execute_batch("BEGIN IMMEDIATE; CREATE TABLE later (what TEXT) STRICT")
        .expect("a turn");
    let seq = number(&log, "SELECT max(seq) + 1 FROM record");
    let sql = "SELECT CAST(body AS TEXT) FROM record WHERE seq = 0";
    let first: String = log.query_row(sql, [], |row| row.get(0)).expect("a record");
    let before = "\"seq\":0,";
    assert!(first.contains(before), "{first}");
    let body = first.replacen(before, &format!("\"seq\":{seq},"), 1);
    let body = body.replacen("\"log_created\"", "\"log_upgraded\"", 1);
    let leaf = leaf_hash(body.as_bytes());
    let sql = "INSERT INTO record (seq, leaf, body) VALUES (?1, ?2, ?3)";
    let appended = log.execute(sql, params![seq, &leaf[..], body.as_bytes()]);
    appended.expect("a record");
    log.execute_batch(&format!("PRAGMA user_version = {next}; COMMIT"))
        .expect("a log that was brought forward");
    tail.set_len(0).expect("a tail that begins anew");
}

/// Makes a log one of the first format.
fn take_back(log: &Connection) {
    let sql = "BEGIN IMMEDIATE; DROP TABLE IF EXISTS cosigned; DROP TABLE IF EXISTS rotated;
               PRAGMA user_version = 1; COMMIT";
    log.execute_batch(sql).expect("a log of the first format");
}

async fn query(host: &mut Host) -> Value {
    let arguments = json!({"sql": "select 1"});
    host.call("database__query_database", arguments).await
}

/// What a command said that failed for a newer version.
fn refusal(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{output:?}");
    assert!(told.contains(NEWER), "{output:?}");
    told
}

/// One check of `chaperone doctor`.
async fn check(world: &World, id: &str) -> Value {
    let output = world.run(&["doctor", "--json"]).await;
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let checks = found["checks"].as_array().expect("checks");
    let check = checks.iter().find(|check| check["id"] == id);
    check.unwrap_or_else(|| panic!("no {id}: {found}")).clone()
}

/// Moves the log and what belongs to it to another directory, as the way back has it.
fn move_log(world: &World, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(world.data_dir()).expect("the data") {
        let entry = entry.expect("a file");
        if entry.file_name().to_string_lossy().starts_with("audit.db") {
            fs::rename(entry.path(), to.join(entry.file_name())).expect("a move");
        }
    }
}

async fn assert_superseded(company: &Company, host: &mut Host) {
    let world = &company.world;
    let calls = company.database.calls().await.len();
    let records = number(&log(world), "SELECT count(*) FROM record");
    for _ in 0..2 {
        let refused = query(host).await;
        assert_eq!(refused["isError"], true, "{refused}");
        assert_eq!(refused["_meta"]["chaperone/code"], NEWER, "{refused}");
        let told = text(&refused);
        for part in [
            "Not sent",
            "a newer version of chaperone has taken over the audit log",
            "start the host again",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }
    let status = host.call("chaperone__status", json!({})).await;
    assert!(text(&status).contains("start the host again"), "{status}");
    let output = world.run(&["status"]).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("has taken over the audit log"), "{output:?}");
    for command in [
        &["audit", "list"][..],
        &["audit", "verify"],
        &["audit", "stats"],
        &["audit", "export"],
        &["call", "database__list_tables"],
    ] {
        let told = refusal(&world.run(command).await);
        assert!(told.contains("newer version"), "{command:?}: {told}");
    }
    let found = check(world, "log.intact").await;
    assert_eq!(found["code"], NEWER, "{found}");
    let fix = found["fix"].as_str().expect("a fix");
    assert!(fix.contains("move audit.db"), "{fix}");
    // Nothing left, and nothing was written.
    assert_eq!(company.database.calls().await.len(), calls);
    let found = number(&log(world), "SELECT count(*) FROM record");
    assert_eq!(found, records);
}

#[tokio::test]
async fn a_log_that_is_taken_over_under_a_host_is_written_no_more_and_the_way_back_loses_nothing() {
    for durability in ["strict", "process"] {
        let more = format!("[audit]\ndurability = \"{durability}\"\n");
        let company = Company::new(&more).await;
        company.sign_in("alice").await;
        let world = &company.world;
        let mut host = company.host().await;
        assert_ne!(query(&mut host).await["isError"], true);
        take_over(world);
        assert_superseded(&company, &mut host).await;
        host.close().await;
        // The way back, as it is told.
        let old = world.home().join("old log");
        let before = number(&log(world), "SELECT count(*) FROM record");
        move_log(world, &old);
        company.sign_in("alice").await;
        let mut host = company.host().await;
        assert_ne!(query(&mut host).await["isError"], true);
        host.close().await;
        company.assert_intact().await;
        let first = company.record().await.remove(0);
        assert!(
            first["reason"]
                .as_str()
                .is_some_and(|why| why.contains("earlier log")),
            "{first}"
        );
        // The newer version, which knows that format, reads the old one there.
        let kept = Connection::open(old.join("audit.db")).expect("the old log");
        kept.execute_batch(&format!(
            "DROP TABLE later; PRAGMA user_version = {}",
            schema::VERSION
        ))
        .expect("the newer version's own business");
        assert_eq!(number(&kept, "SELECT count(*) FROM record"), before);
        drop(kept);
        let place = old.join("audit.db");
        let place = place.to_str().expect("UTF-8");
        let output = world.run(&["audit", "verify", place]).await;
        // What no head covers yet is unproven, not changed.
        assert!(matches!(output.status.code(), Some(0 | 7)), "{output:?}");
    }
}

#[tokio::test]
async fn a_log_is_brought_forward_once_whoever_has_it_open_or_is_killed() {
    let company = Company::signed_in("alice").await;
    let world = &company.world;
    take_back(&log(world));
    // Somebody reads the log as it was; a host is started again and brings it forward.
    let mut command = world.chaperone(&["audit", "tail", "--json"]);
    command.stdout(Stdio::piped());
    let mut tail = command.spawn().expect("the program starts");
    let mut lines = BufReader::new(tail.stdout.take().expect("a piped stdout")).lines();
    let mut next = async || {
        let line = timeout(PATIENCE, lines.next_line()).await.expect("a line");
        line.expect("UTF-8").expect("a record")
    };
    next().await;
    let mut host = company.host().await;
    assert_ne!(query(&mut host).await["isError"], true);
    while !next().await.contains("\"intent\"") {}
    tail.kill().await.expect("a running process");
    let mut upgrades = 1;
    host.close().await;
    for round in 0_usize..8 {
        let log = log(world);
        take_back(&log);
        // Both wait for their turn to bring it forward; one is killed before it, in it or after it.
        log.execute_batch("BEGIN IMMEDIATE").expect("a turn");
        let mut one = world.host();
        let mut other = world.host();
        one.initialize("2025-06-18").await;
        other.initialize("2025-06-18").await;
        let call = json!({"name": "everything__echo", "arguments": {"message": "x"}});
        one.send("tools/call", call.clone()).await;
        other.send("tools/call", call.clone()).await;
        log.execute_batch("COMMIT").expect("a turn");
        for _ in 0..round {
            tokio::task::yield_now().await;
            let _looked = number(&log, "SELECT count(*) FROM record");
        }
        one.kill().await;
        if round % 4 == 3 {
            other.kill().await;
        } else {
            other.close().await;
        }
        // All of it, or nothing.
        let version = number(&log, "PRAGMA user_version");
        let tables = number(
            &log,
            "SELECT count(*) FROM sqlite_schema WHERE name IN ('cosigned', 'rotated')",
        );
        let sql = "SELECT count(*) FROM record WHERE instr(body, 'log_upgraded')";
        let told = number(&log, sql);
        upgrades += i64::from(version == schema::VERSION);
        assert_eq!(tables, if version == schema::VERSION { 2 } else { 0 });
        assert_eq!(told, upgrades, "in round {round}");
    }
    let mut host = company.host().await;
    assert_ne!(query(&mut host).await["isError"], true);
    host.close().await;
    let record = company.record().await;
    for (at, one) in record.iter().enumerate() {
        assert_eq!(one["seq"], at, "a gap before {one}");
    }
    company.assert_intact().await;
}

/// An entry of the keychain: its attributes and what it holds.
struct Entry {
    attributes: Vec<(String, String)>,
    secret: String,
}

impl Entry {
    async fn of(world: &World, field: &str) -> Self {
        let mut command = world.command("secret-tool");
        let output = finish(command.args(["search", "--all", "service", "chaperone"])).await;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let names = text
            .lines()
            .filter_map(|line| line.strip_prefix("attribute.username = "));
        let mut names = names.filter(|name| name.ends_with(&format!("/{field}")));
        let name = names.next().unwrap_or_else(|| panic!("no {field}: {text}"));
        let mut attributes = vec![
            ("service".to_owned(), "chaperone".to_owned()),
            ("username".to_owned(), name.to_owned()),
        ];
        if text.contains("attribute.target = default") {
            attributes.push(("target".to_owned(), "default".to_owned()));
        }
        let mut entry = Self {
            attributes,
            secret: String::new(),
        };
        let output = finish(&mut entry.command(world, &["lookup"])).await;
        entry.secret = String::from_utf8(output.stdout).expect("text");
        assert!(!entry.secret.is_empty(), "{field}");
        entry
    }

    fn command(&self, world: &World, what: &[&str]) -> tokio::process::Command {
        let mut command = world.command("secret-tool");
        command.args(what);
        for (name, value) in &self.attributes {
            command.arg(name).arg(value);
        }
        command
    }

    /// Lets a newer version write it.
    async fn raise(&mut self, world: &World) {
        let mut entry: Value = serde_json::from_str(&self.secret).expect("JSON");
        entry["version"] = json!(2);
        entry["later"] = json!([]);
        self.secret = entry.to_string();
        let mut command = self.command(world, &["store", "--label=raised"]);
        command.stdin(Stdio::piped());
        let mut child = command.spawn().expect("secret-tool is installed");
        let mut stdin = child.stdin.take().expect("a piped stdin");
        let written = stdin.write_all(self.secret.as_bytes()).await;
        written.expect("a program that reads");
        drop(stdin);
        assert!(child.wait().await.expect("an end").success());
    }

    async fn assert_untouched(&self, world: &World, field: &str) {
        assert_eq!(Self::of(world, field).await.secret, self.secret);
    }
}

#[tokio::test]
async fn a_newer_session_in_the_keychain_is_left_alone_until_the_person_signs_out() {
    let company = Company::signed_in("alice").await;
    let world = &company.world;
    let mut host = company.host().await;
    assert_ne!(query(&mut host).await["isError"], true);
    host.close().await;
    let mut who = Entry::of(world, "session.who").await;
    who.raise(world).await;
    let mut mark = Entry::of(world, "audit.mark").await;
    mark.raise(world).await;
    let told = refusal(&world.run(&["login", "--no-browser"]).await);
    assert!(told.contains("chaperone logout"), "{told}");
    refusal(&world.run(&["whoami"]).await);
    let mut host = company.host().await;
    let refused = query(&mut host).await;
    assert_eq!(refused["_meta"]["chaperone/code"], NEWER, "{refused}");
    assert!(text(&refused).contains("chaperone logout"), "{refused}");
    let asked = host.call("chaperone__sign_in", json!({})).await;
    assert!(!text(&asked).contains("http"), "{asked}");
    host.close().await;
    for id in ["session.valid", "version.kept"] {
        let found = check(world, id).await;
        assert!(
            found["state"] == "failed" || found["state"] == "skipped",
            "{found}"
        );
    }
    who.assert_untouched(world, "session.who").await;
    // The way back.
    let output = world.run(&["logout"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    company.sign_in("alice").await;
    let mut host = company.host().await;
    assert_ne!(query(&mut host).await["isError"], true);
    host.close().await;
    // What the newer version remembers of the log it still does.
    mark.assert_untouched(world, "audit.mark").await;
}

fn put(path: &Path, value: &Value) -> Vec<u8> {
    let text = value.to_string().into_bytes();
    let mut file = fs::File::options()
        .write(true)
        .truncate(true)
        .create(true)
        .open(path);
    let written = file.as_mut().map(|file| file.write_all(&text));
    written.expect("a file").expect("a disk");
    text
}

/// Raises the version of a JSON file that the program keeps.
fn raise(path: &Path) -> Vec<u8> {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut value: Value = serde_json::from_slice(&text).expect("JSON");
    value["version"] = json!(2);
    value["later"] = json!({"a": 1});
    put(path, &value)
}

fn files_in(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let (mut found, mut below) = (Vec::new(), Vec::new());
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            below.extend(files_in(&path));
        } else {
            found.push(path);
        }
    }
    found.append(&mut below);
    found
}

#[tokio::test]
async fn newer_files_beside_the_log_are_kept_where_something_would_be_lost_and_else_made_anew() {
    let mut world = World::new();
    world.keychain().await;
    let provider = world.provider(json!({})).await;
    let share = world.home().join("share");
    let more = format!(
        "[[audit.sink]]\nname = \"share\"\nkind = \"directory\"\npath = \"{}\"\n",
        share.display()
    );
    settle_in(&mut world, &provider, &more).await;
    let call = ["call", "only__where", "{\"region\":\"x\"}"];
    let succeeds = async |arguments: &[&str]| {
        let output = world.run(arguments).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    };
    succeeds(&call).await;
    succeeds(&["sync", "--now"]).await;
    let data = world.data_dir();
    // What can be had again is had again, quietly.
    let copies: Vec<PathBuf> = ["catalog", "servers"]
        .iter()
        .flat_map(|place| files_in(&data.join(place)))
        .chain([data.join("session.json")])
        .collect();
    assert!(copies.len() >= 3, "{copies:?}");
    for copy in &copies {
        raise(copy);
    }
    let mut host = world.host();
    host.initialize("2025-11-25").await;
    host.tools_with("only__where").await;
    host.close().await;
    succeeds(&call).await;
    unsent(&world, &data.join("sync/share.json"), &share).await;
    // What was accepted counts for nothing here, and is not written over.
    let text = fs::read_to_string(world.config_file()).expect("a configuration");
    world.write_configuration(&(text + "[tools]\npin_definitions = true\n"));
    succeeds(&["pins", "accept", "--all"]).await;
    let pins = data.join("pins.json");
    let kept = raise(&pins);
    let output = world.run(&call).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    refusal(&world.run(&["pins", "accept", "--all"]).await);
    let found = check(&world, "version.kept").await;
    assert_eq!(
        (&found["state"], &found["code"]),
        (&json!("failed"), &json!(NEWER))
    );
    assert_eq!(fs::read(&pins).ok(), Some(kept));
}

/// What was sent is known to the newer version alone: this one sends nothing, and says so.
async fn unsent(world: &World, cursor: &Path, share: &Path) {
    let kept = raise(cursor);
    let sent = files_in(share).len();
    let output = world.run(&["sync", "--now"]).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(
        !output.status.success() && told.contains("newer version"),
        "{output:?}"
    );
    let found = check(world, "sync.share").await;
    assert!(
        found["detail"].to_string().contains("newer version"),
        "{found}"
    );
    assert_eq!(
        (fs::read(cursor).ok(), files_in(share).len()),
        (Some(kept), sent)
    );
}

#[tokio::test]
async fn a_configuration_of_a_newer_format_is_refused_in_one_sentence() {
    let world = World::new();
    let text = "version = 2\nlater = true\n\n[identity]\nissuer = \"https://sso.example.com\"\n";
    world.write_configuration(text);
    let output = world.run(&["config", "show"]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("newer version") && told.contains("install it again"),
        "{told}"
    );
    assert!(!told.contains("unknown key"), "{told}");
    let mut host = world.host();
    host.initialize("2025-11-25").await;
    let status = host.call("chaperone__status", json!({})).await;
    assert!(self::text(&status).contains("newer version"), "{status}");
    host.close().await;
    assert_eq!(
        fs::read_to_string(world.config_file()).ok().as_deref(),
        Some(text)
    );
    world.write_configuration(&text.replace("version = 2", "version = 1"));
    let output = world.run(&["config", "show"]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("unknown key 'later'"), "{told}");
}

/// An installed copy of the program, and a host that runs it.
struct Installed(PathBuf);

impl Installed {
    fn of(world: &World) -> Self {
        // By its usual name, doctor would find it in the tests that run at the same time.
        let place = world.home().join("bin/installed");
        let installed = Self(place);
        Self::put(world, &installed.0);
        installed
    }

    /// Puts a copy of the program somewhere. This process writes none: another that it starts at the same
    /// moment would keep it open.
    fn put(world: &World, place: &Path) {
        let built = env!("CARGO_BIN_EXE_chaperone");
        let mut copy = world.command("cp");
        let copied = copy.as_std_mut().arg(built).arg(place).status();
        assert!(
            copied.is_ok_and(|status| status.success()),
            "an installed program"
        );
    }

    async fn host(&self, world: &World) -> Host {
        let mut host = Host::start(world.command(&self.0), &world.log("installed"));
        host.initialize("2025-06-18").await;
        host
    }
}

#[tokio::test]
async fn a_program_that_is_replaced_serves_its_host_to_the_end() {
    let company = Company::new("").await;
    let world = &company.world;
    let installed = Installed::of(world);
    let mut host = installed.host(world).await;
    // The system refuses to write into a program that runs, so packagers put another in its place.
    let written = fs::File::options()
        .write(true)
        .truncate(true)
        .open(&installed.0);
    let why = written.expect_err("it runs").kind();
    assert_eq!(why, std::io::ErrorKind::ExecutableFileBusy);
    let next = installed.0.with_extension("dpkg-new");
    Installed::put(world, &next);
    fs::rename(&next, &installed.0).expect("an upgrade");
    // The sign-in has a process of its own, of the version that asks for it.
    let asked = host.call("chaperone__sign_in", json!({})).await;
    assert_eq!(browser::sign_in(&link(&asked), "alice").await.status, 200);
    host.method("notifications/tools/list_changed").await;
    assert_ne!(query(&mut host).await["isError"], true);
    // The next version runs beside it.
    let mut beside = installed.host(world).await;
    assert_ne!(query(&mut beside).await["isError"], true);
    // Removed altogether, it still serves.
    fs::remove_file(&installed.0).expect("a removal");
    assert_ne!(query(&mut host).await["isError"], true);
    assert_ne!(query(&mut beside).await["isError"], true);
    host.close().await;
    beside.close().await;
    company.assert_intact().await;
    assert_eq!(company.database.calls().await.len(), 4);
}
