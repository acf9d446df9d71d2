//! Writes logs for reports, through the program's own log: a made-up company's fortnight, a log full
//! of what a hostile server would say, and one that is large.
//!
//! The clock is moved by hand, so that calls take as long as they are said to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use chaperone::audit::checkpoint::VerifierKey;
use chaperone::audit::key::{self, KeyPlace};
use chaperone::audit::verify::{KeySource, PinnedKey, VerifyRequest};
use chaperone::audit::{
    Agent, Audit, AuditSettings, Call, Device, Event, Outcome, OutcomeStatus, RefusalReason, mark,
};
use chaperone::clock::{Clock, Timestamp, Uptime};
use chaperone::config::{Durability, ScopeNames};
use chaperone::login::keychain::{KeychainError, SecretStore};
use chaperone::name::{ServerName, ToolName};
use chaperone::paths::Paths;
use chaperone::policy::{Decision, Permit, Policy, Standing, Target, decide};
use chaperone::principal::{Generation, Identity, Principal, Roles, Scopes};
use chaperone::wire::{Raw, TraceContext};
use zeroize::Zeroizing;

const POLICY: &str = r#"
version: "1.0"
policies:
  - name: "database-access"
    servers: ["database"]
    roles: ["data-analyst", "db-admin"]
    tools:
      allowed: ["query_database", "list_tables", "describe_table"]
      denied: ["drop_table"]
  - name: "deployment-access"
    servers: ["deploy"]
    roles: ["devops"]
    tools:
      allowed: ["deploy_staging", "rollback", "list_releases"]
      denied: ["deploy_production"]
    approval_required:
      - tool: "deploy_production"
        approvers: ["platform-lead"]
  - name: "everyday-tools"
    servers: ["tickets", "wiki", "crm"]
    roles: ["*"]
  - name: "default-deny"
    servers: ["*"]
    roles: ["*"]
    effect: "deny"
"#;

#[derive(Debug)]
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Uptime {
        Uptime {
            boot: "test".into(),
            millis: self.0.load(Ordering::SeqCst),
        }
    }
}

#[derive(Debug, Default)]
struct Drawer(Mutex<BTreeMap<String, Vec<u8>>>);

impl SecretStore for Drawer {
    fn read(&self, field: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        Ok(self
            .0
            .lock()
            .unwrap()
            .get(field)
            .cloned()
            .map(Zeroizing::new))
    }

    fn write(&self, field: &str, secret: &[u8]) -> Result<(), KeychainError> {
        self.0.lock().unwrap().insert(field.into(), secret.to_vec());
        Ok(())
    }

    fn delete(&self, field: &str) -> Result<(), KeychainError> {
        self.0.lock().unwrap().remove(field);
        Ok(())
    }

    fn probe(&self) -> Result<(), KeychainError> {
        Ok(())
    }
}

/// One call.
pub struct Ask<'a> {
    pub server: &'a str,
    pub tool: &'a str,
    pub arguments: &'a str,
    pub took: i64,
    pub status: OutcomeStatus,
    pub answer: &'a str,
}

/// A log, and whoever is signed in.
pub struct Desk {
    directory: PathBuf,
    audit: Audit,
    policy: Policy,
    clock: Arc<HandClock>,
    secrets: Arc<Drawer>,
    principal: Arc<Principal>,
    agent: Arc<Agent>,
}

impl Desk {
    /// An empty log in a directory, at this time.
    pub fn open(directory: &Path, now: &str) -> Self {
        let paths = Paths::find(Some(directory.join("c.toml")), Some(directory.join("data")));
        let now = Timestamp::parse(now).unwrap().millis();
        let clock = Arc::new(HandClock(now.into()));
        let secrets = Arc::new(Drawer::default());
        Self {
            directory: directory.to_owned(),
            audit: Audit::open(AuditSettings {
                paths: paths.unwrap(),
                durability: Durability::Process,
                redact_keys: Vec::new(),
                secrets: secrets.clone(),
                clock: clock.clone(),
                device: Device::default(),
            }),
            policy: Policy::parse(POLICY, ScopeNames::default()).unwrap(),
            clock,
            secrets,
            principal: Arc::new(principal("nobody", &[], Generation(0))),
            agent: Arc::new(Agent {
                name: "claude-desktop/1.4.2".into(),
            }),
        }
    }

    /// The time, which never goes back.
    pub fn wait_until(&self, millis: i64) {
        self.clock.0.fetch_max(millis, Ordering::SeqCst);
    }

    pub fn now(&self) -> i64 {
        self.clock.0.load(Ordering::SeqCst)
    }

    /// Whoever speaks from now on, through which host.
    pub async fn sign_in(&mut self, person: &str, roles: &[&str], host: &str) {
        let who = principal(person, roles, Generation(0)).identity;
        let generation = self.audit.begin_session(&who).await.unwrap();
        self.principal = Arc::new(principal(person, roles, generation));
        self.agent = Arc::new(Agent { name: host.into() });
    }

    /// A call, or its refusal, as the policy decides.
    pub async fn ask(&self, ask: &Ask<'_>) {
        match self.decide(ask) {
            Decision::Permit(permit) => self.call(permit, ask).await,
            Decision::NeedsApproval(refusal, _)
            | Decision::NeedsScope(refusal, _)
            | Decision::Deny(refusal) => self.refuse(ask, RefusalReason::Policy(refusal)).await,
        }
    }

    fn decide(&self, ask: &Ask<'_>) -> Decision {
        let server = ServerName::parse(ask.server).unwrap();
        let tool = ToolName::parse(ask.tool).unwrap();
        let who = Standing {
            roles: &self.principal.roles,
            scopes: &self.principal.scopes,
        };
        decide(&self.policy, who, &server, Target::Tool(&tool))
    }

    async fn call(&self, permit: Permit, ask: &Ask<'_>) {
        let params = format!(r#"{{"name":"{}","arguments":{}}}"#, ask.tool, ask.arguments);
        let call = Call {
            request_id: uuid::Uuid::now_v7().to_string().into(),
            trace: TraceContext::begin("0af7651916cd43dd8448eb211c80319c".into(), 1),
            method: "tools/call".into(),
            params: Raw::parse(&params).unwrap(),
            principal: Arc::clone(&self.principal),
            agent: Arc::clone(&self.agent),
        };
        let (_, receipt) = self.audit.admit(permit, call).await.unwrap();
        self.clock.0.fetch_add(ask.took, Ordering::SeqCst);
        let outcome = Outcome {
            status: ask.status,
            http_status: Some(200),
            rpc_error: None,
            is_error: Some(ask.status == OutcomeStatus::Error),
            response: Some(ask.answer),
            reason: (ask.status == OutcomeStatus::Unknown).then(|| ask.answer.into()),
            bytes_out: 60,
        };
        self.audit.settle(receipt, outcome).await.unwrap();
    }

    /// A refusal for whatever reason.
    pub async fn refuse(&self, ask: &Ask<'_>, refusal: RefusalReason) {
        let event = Event::Refusal {
            server: Some(ServerName::parse(ask.server).unwrap()),
            target: ask.tool.into(),
            method: "tools/call".into(),
            params: Raw::parse(&format!(r#"{{"arguments":{}}}"#, ask.arguments)).ok(),
            refusal,
            policy_digest: None,
            principal: Some(Arc::clone(&self.principal)),
            agent: Arc::clone(&self.agent),
            request_id: uuid::Uuid::now_v7().to_string().into(),
        };
        self.note(event).await;
    }

    pub async fn note(&self, event: Event) {
        self.audit.record(event).await.unwrap();
    }

    /// Ends the log; what verifies it, with what the keychain knows.
    pub async fn close(self) -> VerifyRequest {
        let _opened = self.audit.state().await;
        self.audit.close().await;
        let data = self.directory.join("data");
        let mark = mark::read(&*self.secrets).unwrap();
        let mark = mark
            .and_then(|mark| mark.checkpoint())
            .expect("a head in the keychain");
        let keys = key::load(KeyPlace::Keychain, &data, &*self.secrets).unwrap();
        let key = VerifierKey::new(&mark.origin, keys.signing.verifying_key()).unwrap();
        VerifyRequest {
            database: data.join("audit.db"),
            key: Some(PinnedKey {
                key,
                source: KeySource::Keychain,
            }),
            head: None,
            mark: Some(mark),
            witnesses: Vec::new(),
        }
    }
}

fn principal(person: &str, roles: &[&str], generation: Generation) -> Principal {
    Principal {
        identity: Identity {
            issuer: "https://sso.example.com".into(),
            subject: person.into(),
            email: Some(person.into()),
        },
        roles: roles.iter().copied().collect::<Roles>(),
        scopes: ["mcp:tools:read", "mcp:tools:execute"]
            .into_iter()
            .collect::<Scopes>(),
        generation,
    }
}
