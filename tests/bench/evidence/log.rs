//! A log with calls in it, and the sending of its records.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chaperone::audit::{
    Agent, Audit, AuditSettings, Call, Device, Outcome, OutcomeStatus, Receipt,
};
use chaperone::clock::{Clock, SystemClock};
use chaperone::config::{
    Durability, NetworkConfig, Receiver, ScopeNames, SinkAuth, SinkConfig, SinkWay, SpoolLimit,
};
use chaperone::login::Session;
use chaperone::login::keychain::{KeychainError, SecretStore};
use chaperone::name::{ServerName, ToolName};
use chaperone::paths::Paths;
use chaperone::policy::{Decision, Permit, Policy, Standing, Target, decide};
use chaperone::principal::{Identity, Principal};
use chaperone::stop::Tasks;
use chaperone::sync::{Courier, Setup};
use chaperone::upstream::Http;
use chaperone::wire::{Raw, TraceContext};
use zeroize::Zeroizing;

use crate::measure::Times;

const POLICY: &str =
    "version: \"1.0\"\npolicies:\n  - {name: \"open\", servers: [\"*\"], roles: [\"*\"]}\n";
const ARGUMENTS: &str = r#"{"name":"query_database","arguments":{"sql":"select id, total, shipped from orders where region = 'eu-west' order by id limit 50","limit":50}}"#;
const RESPONSE: &str = r#"{"content":[{"type":"text","text":"1;order 1;2026-11-21;shipped to Lisbon\n2;order 2;2026-11-21;shipped to Porto\n3;order 3;2026-11-22;waiting"}]}"#;

/// A machine without a keychain: the key is in a file.
struct NoKeychain;

impl SecretStore for NoKeychain {
    fn read(&self, _field: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        Err(KeychainError::Absent("a benchmark".into()))
    }

    fn write(&self, _field: &str, _secret: &[u8]) -> Result<(), KeychainError> {
        Err(KeychainError::Absent("a benchmark".into()))
    }

    fn delete(&self, _field: &str) -> Result<(), KeychainError> {
        Err(KeychainError::Absent("a benchmark".into()))
    }

    fn probe(&self) -> Result<(), KeychainError> {
        Err(KeychainError::Absent("a benchmark".into()))
    }
}

/// One process' way to the log.
pub struct Log {
    pub audit: Audit,
    pub paths: Paths,
    clock: Arc<dyn Clock>,
    policy: Policy,
    principal: Arc<Principal>,
}

impl Log {
    /// Opens the log in a home, making it if there is none, with a session of its own.
    pub async fn open(home: &Path, durability: Durability) -> Self {
        let config = Some(home.join("chaperone.toml"));
        let paths = Paths::find(config, Some(home.join("data"))).expect("a home");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let audit = Audit::open(AuditSettings {
            paths: paths.clone(),
            durability,
            redact_keys: Vec::new(),
            secrets: Arc::new(NoKeychain),
            clock: Arc::clone(&clock),
            device: Device::default(),
        });
        let identity = Identity {
            issuer: "https://sso.example.com".into(),
            subject: "8f14e45f".into(),
            email: Some("ann@example.com".into()),
        };
        let session = audit.begin_session(&identity).await;
        Self {
            audit,
            paths,
            clock,
            policy: Policy::parse(POLICY, ScopeNames::default()).expect("a policy"),
            principal: Arc::new(Principal {
                identity,
                roles: ["analyst"].into_iter().collect(),
                scopes: ["mcp:tools:read", "mcp:tools:execute"]
                    .into_iter()
                    .collect(),
                generation: session.expect("a session"),
            }),
        }
    }

    fn permit(&self) -> Permit {
        let server = ServerName::parse("database").expect("a name");
        let tool = ToolName::parse("query_database").expect("a name");
        let who = Standing {
            roles: &self.principal.roles,
            scopes: &self.principal.scopes,
        };
        match decide(&self.policy, who, &server, Target::Tool(&tool)) {
            Decision::Permit(permit) => permit,
            Decision::NeedsApproval(..) | Decision::NeedsScope(..) | Decision::Deny(_) => {
                unreachable!("the policy allows everything")
            }
        }
    }

    async fn admit(&self) -> Receipt {
        let call = Call {
            request_id: uuid::Uuid::now_v7().to_string().into(),
            trace: TraceContext::begin("0af7651916cd43dd8448eb211c80319c".into(), 1),
            method: "tools/call".into(),
            params: Raw::parse(ARGUMENTS).expect("JSON"),
            principal: Arc::clone(&self.principal),
            agent: Arc::new(Agent {
                name: "bench/1".into(),
            }),
        };
        let admitted = self.audit.admit(self.permit(), call).await;
        admitted.expect("an admission").1
    }

    /// One call: two records.
    pub async fn call(&self) {
        let receipt = self.admit().await;
        let outcome = Outcome {
            status: OutcomeStatus::Success,
            http_status: Some(200),
            rpc_error: None,
            is_error: Some(false),
            response: Some(RESPONSE),
            reason: None,
            bytes_out: 200,
        };
        let settled = self.audit.settle(receipt, outcome).await;
        settled.expect("an outcome");
    }

    /// Calls with pauses, in which whatever else there is to be done has its turn; each takes as long as
    /// its thread lets it wait and its two records take.
    pub async fn calls(&self, count: usize) -> Times {
        let mut times = Times::default();
        for _ in 0..count {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let begun = Instant::now();
            tokio::task::yield_now().await;
            self.call().await;
            times.add(begun.elapsed());
        }
        times
    }

    /// What sends the records to a collector, and prunes those that are older than `retention`.
    pub fn courier(&self, collector: &str, retention: Duration, tasks: &Tasks) -> Courier {
        let secrets: Arc<dyn SecretStore> = Arc::new(NoKeychain);
        let network = NetworkConfig::default();
        let session = Session::new(
            None,
            &network,
            Vec::new(),
            &self.paths,
            Arc::clone(&self.clock),
            tasks,
            Arc::clone(&secrets),
        );
        let receiver = Receiver {
            url: collector.parse().expect("an address"),
            auth: SinkAuth::None,
            timeout: Duration::from_secs(30),
            certificate: None,
        };
        let sink = SinkConfig {
            name: ServerName::parse("siem").expect("a name"),
            way: SinkWay::Otlp(receiver),
        };
        Courier::new(Setup {
            sinks: vec![sink],
            witnesses: Vec::new(),
            paths: self.paths.clone(),
            audit: self.audit.clone(),
            session,
            http: Http::new(&network).ok(),
            secrets,
            retention,
            spool: SpoolLimit::default(),
            clock: Arc::clone(&self.clock),
            tasks: tasks.clone(),
        })
    }
}
