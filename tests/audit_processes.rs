//! The log under several processes, and under processes that are killed.
//!
//! The writers are this test binary itself, started again with a first argument (`argv[0]`) that
//! tells it what to do: no environment, no helper program.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use chaperone::audit::tree::{self, Frontier};
use chaperone::audit::{
    AdmitError, Admitted, Agent, Audit, AuditSettings, Call, Device, Event, Outcome, OutcomeStatus,
    Receipt, checkpoint,
};
use chaperone::clock::SystemClock;
use chaperone::config::{Durability, ScopeNames};
use chaperone::login::keychain::{KeychainError, SecretStore};
use chaperone::name::{ServerName, ToolName};
use chaperone::paths::Paths;
use chaperone::policy::{Decision, Permit, Policy, Standing, Target, decide};
use chaperone::principal::{Generation, Identity, Principal, Roles, Scopes};
use rusqlite::Connection;
use serde_json::Value;
use zeroize::Zeroizing;

const MARK: &str = "audit-writer";
const POLICY: &str = r#"
version: "1.0"
policies:
  - name: "free"
    servers: ["free"]
    roles: ["r"]
  - name: "limited"
    servers: ["limited"]
    roles: ["r"]
    rate_limit:
      requests_per_minute: 50
"#;

/// A session without a keychain: the key is in a file, which all processes find.
struct NoKeychain;

impl SecretStore for NoKeychain {
    fn read(&self, _field: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        Err(KeychainError::Absent("a test".into()))
    }

    fn write(&self, _field: &str, _secret: &[u8]) -> Result<(), KeychainError> {
        Err(KeychainError::Absent("a test".into()))
    }

    fn delete(&self, _field: &str) -> Result<(), KeychainError> {
        Err(KeychainError::Absent("a test".into()))
    }

    fn probe(&self) -> Result<(), KeychainError> {
        Err(KeychainError::Absent("a test".into()))
    }
}

/// One process' way to the log.
struct Desk {
    audit: Audit,
    policy: Policy,
    principal: Arc<Principal>,
}

impl Desk {
    fn open(dir: &Path, durability: Durability, generation: Generation) -> Self {
        let paths = Paths::find(Some(dir.join("c.toml")), Some(dir.join("data"))).unwrap();
        let principal = Principal {
            identity: person(),
            roles: ["r"].into_iter().collect::<Roles>(),
            scopes: ["mcp:tools:read", "mcp:tools:execute"]
                .into_iter()
                .collect::<Scopes>(),
            generation,
        };
        Self {
            audit: Audit::open(AuditSettings {
                paths,
                durability,
                redact_keys: Vec::new(),
                secrets: Arc::new(NoKeychain),
                clock: Arc::new(SystemClock::new()),
                device: Device::default(),
            }),
            policy: Policy::parse(POLICY, ScopeNames::default()).unwrap(),
            principal: Arc::new(principal),
        }
    }

    fn permit(&self, server: &str) -> Permit {
        let server = ServerName::parse(server).unwrap();
        let tool = ToolName::parse("echo").unwrap();
        let who = Standing {
            roles: &self.principal.roles,
            scopes: &self.principal.scopes,
        };
        match decide(&self.policy, who, &server, Target::Tool(&tool)) {
            Decision::Permit(permit) => permit,
            Decision::NeedsApproval(..) | Decision::NeedsScope(..) | Decision::Deny(_) => panic!(),
        }
    }

    async fn admit(&self, server: &str) -> Result<(Admitted, Receipt), AdmitError> {
        let params = r#"{"name":"echo","arguments":{"text":"hello"}}"#;
        let call = Call {
            request_id: uuid::Uuid::now_v7().to_string().into(),
            trace: chaperone::wire::TraceContext::begin(
                "0af7651916cd43dd8448eb211c80319c".into(),
                1,
            ),
            method: "tools/call".into(),
            params: chaperone::wire::Raw::parse(params).unwrap(),
            principal: Arc::clone(&self.principal),
            agent: Arc::new(Agent::default()),
        };
        self.audit.admit(self.permit(server), call).await
    }

    async fn settle(&self, receipt: Receipt) {
        let outcome = Outcome {
            status: OutcomeStatus::Success,
            http_status: Some(200),
            rpc_error: None,
            is_error: Some(false),
            response: Some(r#"{"content":[]}"#),
            reason: None,
            bytes_out: 60,
        };
        self.audit.settle(receipt, outcome).await.unwrap();
    }
}

fn person() -> Identity {
    Identity {
        issuer: "https://sso.example.com".into(),
        subject: "8f14e45f".into(),
        email: None,
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "> {line}").unwrap();
    out.flush().unwrap();
}

/// What a writer does; of no use but to the tests below, and done at once without their word.
#[test]
fn writer() {
    let name = std::env::args().next().unwrap_or_default();
    let words: Vec<&str> = name.split(' ').collect();
    let [MARK, task, durability, generation, dir] = words[..] else {
        return;
    };
    let durability = match durability {
        "strict" => Durability::Strict,
        _ => Durability::Process,
    };
    let desk = Desk::open(
        Path::new(dir),
        durability,
        Generation(generation.parse().unwrap()),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        match task.split_once('=') {
            Some(("calls", count)) => calls(&desk, count.parse().unwrap()).await,
            Some(("limited", count)) => limited(&desk, count.parse().unwrap()).await,
            Some(("until-killed", _)) => until_killed(&desk).await,
            Some(("first", _)) => first(&desk).await,
            Some(("full", _)) => full(&desk).await,
            Some(("brimful", _)) => brimful(&desk, Path::new(dir)).await,
            _ => panic!("{task}"),
        }
    });
}

async fn calls(desk: &Desk, count: usize) {
    for _ in 0..count {
        let (_, receipt) = desk.admit("free").await.unwrap();
        desk.settle(receipt).await;
    }
    desk.audit.close().await;
}

async fn first(desk: &Desk) {
    let agent = Arc::default();
    desk.audit.record(Event::Started { agent }).await.unwrap();
    desk.audit.close().await;
}

async fn limited(desk: &Desk, count: usize) {
    let mut admitted = 0;
    for _ in 0..count {
        match desk.admit("limited").await {
            Ok((_, receipt)) => {
                admitted += 1;
                desk.settle(receipt).await;
            }
            Err(AdmitError::RateLimited { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    say(&format!("admitted {admitted}"));
    desk.audit.close().await;
}

/// Four calls in flight; each is told when it might leave, which is when its intent must be there.
async fn until_killed(desk: &Desk) {
    let one = async || {
        loop {
            let (admitted, receipt) = desk.admit("free").await.unwrap();
            say(&format!("left {}", admitted.call().request_id));
            tokio::task::yield_now().await;
            desk.settle(receipt).await;
        }
    };
    tokio::join!(one(), one(), one(), one());
}

/// Files may not grow any further, then they may again.
async fn full(desk: &Desk) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let (_, receipt) = desk.admit("free").await.unwrap();
    let before = getrlimit(Resource::Fsize);
    let tight = Rlimit {
        current: Some(4096),
        maximum: before.maximum,
    };
    setrlimit(Resource::Fsize, tight).unwrap();
    // What is there of the tail takes a few more.
    let mut receipts = vec![receipt];
    let refused = loop {
        match desk.admit("free").await {
            Ok((_, receipt)) => receipts.push(receipt),
            Err(error) => break error,
        }
        assert!(receipts.len() < 100);
    };
    assert!(matches!(refused, AdmitError::Store(_)), "{refused:?}");
    drop(receipts);
    setrlimit(Resource::Fsize, before).unwrap();
    let since = std::time::Instant::now();
    while let Err(error) = desk.admit("free").await {
        assert!(since.elapsed().as_secs() < 5, "{error:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    desk.audit.close().await;
    say("recovered");
}

/// The disk fills up while a call is under way, and is emptied again.
async fn brimful(desk: &Desk, dir: &Path) {
    let (_, receipt) = desk.admit("free").await.unwrap();
    let filler = dir.join("data/filler");
    let reserve = dir.join("data/audit.reserve");
    assert!(reserve.exists());
    fill(&filler);
    // The write-ahead log has some room of its own.
    let mut made = 0;
    let refused = loop {
        match desk.admit("free").await {
            Ok((_, receipt)) => desk.settle(receipt).await,
            Err(error) => break error,
        }
        made += 1;
        assert!(made < 10_000);
    };
    assert!(matches!(refused, AdmitError::NoRoom { .. }), "{refused:?}");
    assert!(!reserve.exists());
    desk.settle(receipt).await;
    let agent = Arc::default;
    for _ in 0..3000 {
        let event = Event::Started { agent: agent() };
        desk.audit.record(event).await.unwrap();
    }
    // Whoever opens the log now may not call either, and can say so.
    let other = Desk::open(dir, Durability::Strict, desk.principal.generation);
    let refused = other.admit("free").await;
    assert!(matches!(refused, Err(AdmitError::NoRoom { .. })));
    let event = Event::Started { agent: agent() };
    other.audit.record(event).await.unwrap();
    assert!(other.audit.state().await.problem.is_some());
    std::fs::remove_file(filler).unwrap();
    let since = std::time::Instant::now();
    for desk in [desk, &other] {
        while let Err(error) = desk.admit("free").await {
            assert!(since.elapsed().as_secs() < 5, "{error:?}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        desk.audit.close().await;
    }
    assert!(reserve.exists());
    let log = Log::read(dir);
    assert!(log.open.is_empty());
    say(&format!("recorded {}", log.count("kind", "started")));
}

/// Takes what is left of the disk, to the last byte.
fn fill(filler: &Path) {
    let mut file = std::fs::File::create(filler).unwrap();
    for size in [1 << 20, 1 << 12, 1] {
        let part = vec![b'x'; size];
        while file.write_all(&part).is_ok() {}
    }
}

/// A directory with a log and an open session, and the writers on it.
struct World {
    dir: tempfile::TempDir,
    generation: Generation,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let desk = Desk::open(dir.path(), Durability::Process, Generation(0));
        let generation = block_on(async {
            let generation = desk.audit.begin_session(&person()).await.unwrap();
            desk.audit.close().await;
            generation
        });
        Self { dir, generation }
    }

    fn name(&self, task: &str, durability: &str) -> String {
        let dir = self.dir.path().display();
        format!("{MARK} {task} {durability} {} {dir}", self.generation.0)
    }

    fn start(&self, task: &str, durability: &str) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .arg0(self.name(task, durability))
            .args(["--exact", "writer", "--nocapture", "--test-threads=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        command.spawn().unwrap()
    }

    fn read(&self) -> Log {
        Log::read(self.dir.path())
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(work)
}

/// What a writer said; the harness' own lines left out, a line that was cut by a kill too.
fn said(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    std::iter::from_fn(move || {
        loop {
            let mut line = String::new();
            let read = out.read_line(&mut line).unwrap();
            if read == 0 || !line.ends_with('\n') {
                return None;
            }
            // The harness begins a line of its own (`test writer ... `) and leaves it open.
            if let Some((_, said)) = line.split_once("> ") {
                return Some(said.trim_end().to_owned());
            }
        }
    })
}

/// The log as it lies there: gapless, each leaf its body's, the signed head true.
struct Log {
    records: Vec<Value>,
    open: BTreeSet<i64>,
    signed: u64,
}

impl Log {
    fn read(dir: &Path) -> Self {
        let paths = Paths::find(Some(dir.join("c.toml")), Some(dir.join("data"))).unwrap();
        chaperone::audit::settle(&paths);
        let conn = Connection::open(paths.audit_db()).unwrap();
        let mut statement = conn
            .prepare("SELECT seq, leaf, process, closes, body FROM record ORDER BY seq")
            .unwrap();
        let mut rows = statement.query([]).unwrap();
        let (mut records, mut open, mut roots) = (Vec::new(), BTreeSet::new(), Vec::new());
        let mut frontier = Frontier::new();
        while let Some(row) = rows.next().unwrap() {
            let (seq, leaf): (i64, tree::Hash) = (row.get(0).unwrap(), row.get(1).unwrap());
            let (process, closes): (Option<String>, Option<i64>) =
                (row.get(2).unwrap(), row.get(3).unwrap());
            let body: Vec<u8> = row.get(4).unwrap();
            assert_eq!(seq, i64::try_from(records.len()).unwrap());
            assert_eq!(leaf, tree::leaf_hash(&body));
            frontier.push(leaf);
            roots.push(frontier.root());
            if process.is_some() {
                open.insert(seq);
            }
            if let Some(closes) = closes {
                assert!(open.remove(&closes), "{closes} was closed twice");
            }
            records.push(serde_json::from_slice(&body).unwrap());
        }
        let signed = signed_size(&conn, &roots);
        Self {
            records,
            open,
            signed,
        }
    }

    fn count(&self, member: &str, value: &str) -> usize {
        let of = self.records.iter().filter(|record| record[member] == value);
        of.count()
    }
}

fn signed_size(conn: &Connection, roots: &[tree::Hash]) -> u64 {
    let sql = "SELECT note, origin, public_key FROM head, log";
    let (note, origin, key): (Option<String>, String, [u8; 32]) = conn
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    let Some(note) = note else { return 0 };
    let key = ed25519_dalek::VerifyingKey::from_bytes(&key).unwrap();
    let head = checkpoint::open(&note, &key, &origin).unwrap().head;
    assert_eq!(head.root, roots[usize::try_from(head.size).unwrap() - 1]);
    head.size
}

#[test]
fn eight_processes_write_one_log_without_a_gap() {
    let mixed = [
        ("process", "process"),
        ("strict", "strict"),
        ("strict", "process"),
    ];
    for ((one, other), calls) in mixed.into_iter().zip([250, 20, 20]) {
        let world = World::new();
        let task = format!("calls={calls}");
        let start = |number| world.start(&task, if number % 2 == 0 { one } else { other });
        let writers: Vec<Child> = (0..8).map(start).collect();
        for mut writer in writers {
            assert!(writer.wait().unwrap().success());
        }
        let log = world.read();
        assert_eq!(log.records.len(), 2 + 8 * calls * 2, "{one} {other}");
        assert!(log.open.is_empty());
        assert_eq!(log.signed, u64::try_from(log.records.len()).unwrap());
        assert_eq!(log.count("outcome", "unknown"), 0);
    }
}

#[test]
fn eight_processes_may_be_the_first_at_once() {
    let world = World {
        dir: tempfile::tempdir().unwrap(),
        generation: Generation(1),
    };
    let writers: Vec<Child> = (0..8).map(|_| world.start("first=0", "strict")).collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    let log = world.read();
    assert_eq!(log.count("kind", "log_created"), 1);
    assert_eq!(log.records.len(), 9);
}

#[test]
fn the_rate_holds_across_processes() {
    let world = World::new();
    let start = |_| world.start("limited=30", "process");
    let mut writers: Vec<Child> = (0..6).map(start).collect();
    let mut admitted = 0;
    for writer in &mut writers {
        for line in said(writer) {
            let count = line.strip_prefix("admitted ").unwrap();
            admitted += count.parse::<usize>().unwrap();
        }
        assert!(writer.wait().unwrap().success());
    }
    assert_eq!(admitted, 50);
    assert_eq!(world.read().count("kind", "intent"), 50);
}

#[test]
fn a_killed_writer_leaves_an_intent_for_all_that_left_and_no_open_end() {
    let world = World::new();
    let mut left = BTreeSet::new();
    for round in 0..20_usize {
        let durability = if round % 2 == 1 { "strict" } else { "process" };
        let mut writer = world.start("until-killed=0", durability);
        let mut lines = said(&mut writer);
        // A different point each time, with calls in every state.
        for line in lines.by_ref().take(1 + round * 7 % 50) {
            left.insert(line);
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        left.extend(lines);
        if durability == "strict" {
            let log = world.read();
            let records = u64::try_from(log.records.len()).unwrap();
            // A write that was interrupted between its records and their head is of four calls at most.
            assert!(log.signed + 4 >= records, "{} of {records}", log.signed);
        }
    }
    let desk = Desk::open(world.dir.path(), Durability::Process, world.generation);
    block_on(async {
        assert!(desk.audit.state().await.problem.is_none());
        desk.audit.close().await;
    });
    let log = world.read();
    assert!(log.open.is_empty());
    assert!(log.count("outcome", "unknown") >= 20);
    let intents = log
        .records
        .iter()
        .filter(|record| record["kind"] == "intent");
    let intents: BTreeMap<&str, &Value> = intents
        .map(|record| (record["request_id"].as_str().unwrap(), record))
        .collect();
    for line in &left {
        let id = line.strip_prefix("left ").unwrap();
        assert!(intents.contains_key(id), "{id}");
    }
    let unknown = log
        .records
        .iter()
        .find(|record| record["outcome"] == "unknown");
    assert_eq!(
        unknown.unwrap()["reason"],
        "the process ended before the answer was recorded"
    );
    let locks = std::fs::read_dir(world.dir.path().join("data/locks")).unwrap();
    let names = locks.map(|lock| lock.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("process-")).count(), 0);
}

/// Starts a writer through a shell that sets what a process inherits.
fn through_shell(world: &World, setting: &str, task: &str, durability: &str) -> Child {
    let script = format!("{setting}; exec -a \"$0\" \"$1\" --exact writer --nocapture");
    Command::new("bash")
        .arg("-c")
        .arg(script)
        .arg(world.name(task, durability))
        .arg(std::env::current_exe().unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_full_disk_refuses_calls_and_is_got_over() {
    for durability in ["process", "strict"] {
        let world = World::new();
        let mut writer = through_shell(&world, "trap '' XFSZ", "full=0", durability);
        assert_eq!(said(&mut writer).last().as_deref(), Some("recovered"));
        assert!(writer.wait().unwrap().success());
        let log = world.read();
        assert!(log.open.is_empty());
    }
}

/// On a file system of 100 MiB, which takes a machine that lets its users mount one for themselves;
/// elsewhere the parts are held by `audit::reserve` and `audit::tests::failure`.
#[test]
fn a_disk_that_is_full_keeps_room_for_refusals() {
    let own = ["-rm", "true"];
    if !Command::new("unshare")
        .args(own)
        .status()
        .is_ok_and(|status| status.success())
    {
        return;
    }
    let world = World::new();
    let script = "cd \"$2\" && cp -a data old && mount -t tmpfs -o size=100m,mode=700 tmpfs data && \
                  cp -a old/. data && exec -a \"$0\" \"$1\" --exact writer --nocapture";
    let mut command = Command::new("unshare");
    command.args(["-rm", "bash", "-c", script]);
    command.arg(world.name("brimful=0", "strict"));
    command
        .arg(std::env::current_exe().unwrap())
        .arg(world.dir.path());
    let mut writer = command.stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(said(&mut writer).last().as_deref(), Some("recorded 3001"));
    assert!(writer.wait().unwrap().success());
}

#[test]
fn files_are_private_whatever_the_umask() {
    let world = World::new();
    let mut writer = through_shell(&world, "umask 000", "until-killed=0", "process");
    let mut lines = said(&mut writer);
    lines.next().unwrap();
    let mut checked = 0;
    for dir in ["data", "data/locks"] {
        let dir = world.dir.path().join(dir);
        assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        for file in std::fs::read_dir(dir).unwrap() {
            let meta = file.unwrap().metadata().unwrap();
            if meta.is_file() {
                assert_eq!(meta.mode() & 0o777, 0o600);
                checked += 1;
            }
        }
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert!(checked >= 6, "{checked}");
}
