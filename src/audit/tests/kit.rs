//! What the tests of the log share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use rusqlite::Connection;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::audit::tree::Frontier;
use crate::audit::*;
use crate::clock::FakeClock;
use crate::config::ScopeNames;
use crate::login::keychain::KeychainError;
use crate::name::{ServerName, ToolName};
use crate::policy::{Decision, Policy, Standing, Target, decide};
use crate::principal::{Generation, Principal, Roles, Scopes};

/// What the policy below allows in a minute.
pub const LIMIT: u32 = 5;

const POLICY: &str = r#"
version: "1.0"
policies:
  - name: "database-access"
    servers: ["database"]
    roles: ["analyst"]
    rate_limit:
      requests_per_minute: 5
    tools:
      allowed: ["list_tables"]
  - name: "unlimited"
    servers: ["open"]
    roles: ["analyst"]
"#;

/// A keychain that can be locked, emptied and counted.
#[derive(Default)]
pub struct Secrets {
    fields: Mutex<BTreeMap<String, Vec<u8>>>,
    locked: AtomicBool,
    silent: Mutex<bool>,
    spoke: Condvar,
    kept: Condvar,
    reads: AtomicUsize,
}

impl Secrets {
    pub fn lock(&self, locked: bool) {
        self.locked.store(locked, Ordering::SeqCst);
    }

    /// Answers nobody as long as it is silent.
    pub fn silence(&self, silent: bool) {
        *self.silent.lock().unwrap() = silent;
        self.spoke.notify_all();
    }

    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    pub fn forget(&self, field: &str) {
        self.fields.lock().unwrap().remove(field);
    }

    pub fn put(&self, field: &str, value: &[u8]) {
        let mut fields = self.fields.lock().unwrap();
        fields.insert(field.to_owned(), value.to_vec());
        self.kept.notify_all();
    }

    /// Blocks until a field is there; the log's own threads write it.
    pub fn wait_for(&self, field: &str) {
        let fields = self.fields.lock().unwrap();
        let missing = |fields: &mut BTreeMap<String, Vec<u8>>| !fields.contains_key(field);
        let patience = Duration::from_secs(5);
        let (_fields, late) = self
            .kept
            .wait_timeout_while(fields, patience, missing)
            .unwrap();
        assert!(!late.timed_out(), "{field} is not written");
    }

    pub fn get(&self, field: &str) -> Option<Vec<u8>> {
        self.fields.lock().unwrap().get(field).cloned()
    }

    fn check(&self) -> Result<(), KeychainError> {
        if self.locked.load(Ordering::SeqCst) {
            return Err(KeychainError::Locked("as the test wants".into()));
        }
        Ok(())
    }
}

impl SecretStore for Secrets {
    fn read(&self, field: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let silent = self.silent.lock().unwrap();
        drop(self.spoke.wait_while(silent, |silent| *silent).unwrap());
        self.check()?;
        Ok(self.get(field).map(Zeroizing::new))
    }

    fn write(&self, field: &str, secret: &[u8]) -> Result<(), KeychainError> {
        self.check()?;
        self.put(field, secret);
        Ok(())
    }

    fn delete(&self, field: &str) -> Result<(), KeychainError> {
        self.check()?;
        self.forget(field);
        Ok(())
    }

    fn probe(&self) -> Result<(), KeychainError> {
        self.check()
    }
}

/// A directory, a keychain and a clock.
pub struct Desk {
    dir: tempfile::TempDir,
    secrets: Arc<Secrets>,
    clock: Arc<FakeClock>,
}

impl Desk {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            secrets: Arc::default(),
            clock: FakeClock::new(),
        }
    }

    pub fn paths(&self) -> Paths {
        let root = self.dir.path();
        Paths::find(Some(root.join("c.toml")), Some(root.join("data"))).unwrap()
    }

    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub fn clock(&self) -> &FakeClock {
        &self.clock
    }

    pub fn settings(&self, durability: Durability) -> AuditSettings {
        AuditSettings {
            paths: self.paths(),
            durability,
            redact_keys: vec!["pin".into()],
            secrets: self.secrets.clone(),
            clock: self.clock.clone(),
            device: Device {
                client_ip: Some([192, 0, 2, 7].into()),
                host_pid: Some(4711),
            },
        }
    }

    pub fn audit(&self, durability: Durability) -> Audit {
        Audit::open(self.settings(durability))
    }

    /// To the database as its readers find it.
    pub fn connection(&self) -> Connection {
        settle(&self.paths());
        Connection::open(self.paths().audit_db()).unwrap()
    }

    /// The tail beside the database.
    pub fn tail(&self) -> std::fs::File {
        let path = tail::place(&self.paths().audit_db());
        let file = std::fs::File::options().read(true).write(true).open(path);
        file.unwrap()
    }

    pub fn read(&self) -> Log {
        Log::read(&self.connection())
    }

    pub fn process_locks(&self) -> Vec<String> {
        let dir = std::fs::read_dir(self.paths().data_dir.join("locks")).unwrap();
        dir.map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("process-"))
            .collect()
    }
}

/// A log as it lies there, checked on the way: gapless, leaves and numbers right, the newest note
/// signed over the tree of its size.
pub struct Log {
    pub records: Vec<Value>,
    open: BTreeSet<u64>,
    signed: u64,
}

impl Log {
    pub fn read(conn: &Connection) -> Self {
        let mut statement = conn
            .prepare("SELECT seq, leaf, process IS NOT NULL, closes, body FROM record ORDER BY seq")
            .unwrap();
        let mut rows = statement.query([]).unwrap();
        let mut log = Self {
            records: Vec::new(),
            open: BTreeSet::new(),
            signed: 0,
        };
        let mut roots = vec![Frontier::new()];
        while let Some(row) = rows.next().unwrap() {
            let seq = u64::try_from(row.get::<_, i64>(0).unwrap()).unwrap();
            let (leaf, body): (tree::Hash, Vec<u8>) = (row.get(1).unwrap(), row.get(4).unwrap());
            assert_eq!(usize::try_from(seq).unwrap(), log.records.len());
            assert_eq!(leaf, tree::leaf_hash(&body));
            let record: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(record["seq"], seq);
            if row.get(2).unwrap() {
                assert_eq!(record["kind"], "intent");
                log.open.insert(seq);
            }
            if let Some(closes) = row.get::<_, Option<i64>>(3).unwrap() {
                let intent = &log.records[usize::try_from(closes).unwrap()];
                assert_eq!(record["kind"], "outcome");
                assert_eq!(intent["request_id"], record["request_id"]);
                assert!(log.open.remove(&u64::try_from(closes).unwrap()));
            }
            let mut frontier = roots.last().unwrap().clone();
            frontier.push(leaf);
            roots.push(frontier);
            log.records.push(record);
        }
        log.check_head(conn, &roots);
        log
    }

    fn check_head(&mut self, conn: &Connection, roots: &[Frontier]) {
        let query = "SELECT note, size, frontier, origin, public_key FROM head, log";
        let (note, size, frontier, origin, key) = conn
            .query_row(query, [], |row| {
                let note: Option<String> = row.get(0)?;
                let key: [u8; 32] = row.get(4)?;
                let frontier: Vec<u8> = row.get(2)?;
                let origin: String = row.get(3)?;
                Ok((note, row.get::<_, i64>(1)?, frontier, origin, key))
            })
            .unwrap();
        let Some(note) = note else { return };
        let key = ed25519_dalek::VerifyingKey::from_bytes(&key).unwrap();
        let head = checkpoint::open(&note, &key, &origin).unwrap().head;
        let tree = &roots[usize::try_from(head.size).unwrap()];
        assert_eq!(head.root, tree.root());
        assert_eq!(head.size, u64::try_from(size).unwrap());
        assert_eq!(frontier, tree.to_bytes());
        self.signed = head.size;
    }

    pub fn kinds(&self) -> Vec<&str> {
        let kinds = self.records.iter().map(|record| record["kind"].as_str());
        kinds.map(Option::unwrap).collect()
    }

    pub fn open(&self) -> &BTreeSet<u64> {
        &self.open
    }

    pub fn signed_size(&self) -> u64 {
        self.signed
    }

    pub fn last(&self) -> &Value {
        self.records.last().unwrap()
    }
}

pub fn person() -> Identity {
    Identity {
        issuer: "https://sso.example.com".into(),
        subject: "8f14e45f".into(),
        email: Some("ann@example.com".into()),
    }
}

pub fn agent() -> Arc<Agent> {
    Arc::new(Agent {
        name: "claude-ai/1.0".into(),
    })
}

/// A permit: `list_tables` is limited, all else is not.
pub fn permit(tool: &str) -> Permit {
    let policy = Policy::parse(POLICY, ScopeNames::default()).unwrap();
    let roles: Roles = ["analyst"].into_iter().collect();
    let scopes: Scopes = ["mcp:tools:read", "mcp:tools:execute"]
        .into_iter()
        .collect();
    let who = Standing {
        roles: &roles,
        scopes: &scopes,
    };
    let server = if tool == "list_tables" {
        "database"
    } else {
        "open"
    };
    let server = ServerName::parse(server).unwrap();
    let tool = ToolName::parse(tool).unwrap();
    match decide(&policy, who, &server, Target::Tool(&tool)) {
        Decision::Permit(permit) => permit,
        Decision::NeedsApproval(..) | Decision::NeedsScope(..) | Decision::Deny(_) => panic!(),
    }
}

pub fn call(tool: &str, generation: Generation) -> (Permit, Call) {
    call_with(
        tool,
        generation,
        r#"{"sql":"select 1","password":"hunter2"}"#,
    )
}

pub fn call_with(tool: &str, generation: Generation, arguments: &str) -> (Permit, Call) {
    let params = format!(r#"{{"name":"{tool}","arguments":{arguments},"_meta":{{"x":1}}}}"#);
    let principal = Principal {
        identity: person(),
        roles: ["analyst"].into_iter().collect(),
        scopes: Scopes::default(),
        generation,
    };
    let call = Call {
        request_id: uuid::Uuid::now_v7().to_string().into(),
        trace: crate::wire::TraceContext::begin("0af7651916cd43dd8448eb211c80319c".into(), 1),
        method: "tools/call".into(),
        params: crate::wire::Raw::parse(&params).unwrap(),
        principal: Arc::new(principal),
        agent: agent(),
    };
    (permit(tool), call)
}

pub fn outcome() -> Outcome<'static> {
    Outcome {
        status: OutcomeStatus::Success,
        http_status: Some(200),
        rpc_error: None,
        is_error: Some(false),
        response: Some(r#"{"content":[{"type":"text","text":"one row"}]}"#),
        reason: None,
        bytes_out: 120,
    }
}

/// The whole story of an error, as a person is told it.
pub fn error<T: std::fmt::Debug>(result: Result<T, AdmitError>) -> String {
    let error = result.unwrap_err();
    let mut story = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        story.push_str(": ");
        story.push_str(&error.to_string());
        source = error.source();
    }
    story
}
