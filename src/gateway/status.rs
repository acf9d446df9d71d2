//! How everything stands, for people and scripts: the person, the policy, the servers, the record.

mod person;
mod text;

use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::time::{Instant, timeout_at};

use crate::audit::State;
use crate::audit::key::KeyPlace;
use crate::config::{Durability, ServerAuth};
use crate::name::ServerName;
use crate::policy::{Decision, Target};
use crate::sync::{Lag, Sight};
use crate::upstream::Health;

use super::fault::Fault;
use super::lane::Stage;
use super::lists::Viewer;
use super::{Gateway, Server, pins};

pub use person::{Person, TokenReport};

const NOBODY: &str =
    "Nobody is signed in. Run `chaperone login`, or have the assistant call chaperone__sign_in.";
const UNANSWERED: &str = "It could not be found out in time who is signed in: the keychain or the identity \
    provider has not answered. Try again; `chaperone doctor` says which of them it is.";

/// Everything that `chaperone status` says.
#[derive(Debug, Serialize)]
pub struct Report {
    /// This program's version.
    pub version: &'static str,
    /// Why the configuration cannot be used.
    pub problem: Option<Box<str>>,
    /// What is worth knowing about the configuration.
    pub notes: Vec<Box<str>>,
    /// Who is signed in.
    pub person: Option<Person>,
    /// Why nobody is, as far as it was found out, and what to do.
    #[serde(serialize_with = "in_words")]
    pub not_signed_in: Option<Fault>,
    /// The policy document.
    pub policy: PolicyReport,
    /// The servers, in the order of the configuration.
    pub servers: Vec<ServerReport>,
    /// The record.
    pub audit: AuditReport,
}

/// The policy document.
#[derive(Debug, Serialize)]
pub struct PolicyReport {
    /// The file.
    pub file: Box<str>,
    /// Its digest.
    pub digest: Box<str>,
    /// Why everything is refused, if the document does not load.
    pub problem: Option<Box<str>>,
    /// What loads and is probably not meant.
    pub warnings: Vec<Box<str>>,
}

/// One server.
#[derive(Debug, Serialize)]
pub struct ServerReport {
    /// Its name.
    pub name: Box<str>,
    /// Its endpoint.
    pub url: Box<str>,
    /// `sso` or `none`.
    pub auth: &'static str,
    /// `up`, `down` or `unused`.
    pub state: &'static str,
    /// Why it is not up.
    pub reason: Option<Box<str>>,
    /// When it is tried again, if it is down: milliseconds from now.
    pub retry_in_ms: Option<u64>,
    /// How many of its messages belonged to nothing that was asked.
    pub strays: u64,
    /// How it calls itself.
    pub server_info: Option<Box<str>>,
    /// The revision of MCP that is spoken with it.
    pub revision: Option<Box<str>>,
    /// How many tools it has, if its lists are known.
    pub tools_total: Option<usize>,
    /// How many of them the person is shown.
    pub tools_shown: usize,
    /// How many definitions have lost characters that cannot be seen.
    pub cleaned: usize,
    /// Each tool, with the reason if it is not shown.
    pub tools: Vec<ToolReport>,
}

/// One tool, prompts and resources aside.
#[derive(Debug, Serialize)]
pub struct ToolReport {
    /// The name that hosts see; absent for what cannot be shown at all.
    pub name: Option<Box<str>>,
    /// The server.
    pub server: Box<str>,
    /// The server's own name for it.
    pub tool: Box<str>,
    /// What the server says of it.
    pub description: Box<str>,
    /// Whether lists show it.
    pub shown: bool,
    /// `permit`, `needs_approval`, `needs_scope`, `deny` or `unusable`.
    pub decision: &'static str,
    /// The policy that decided.
    pub policy: Option<Box<str>>,
    /// The rule within it.
    pub rule: Option<&'static str>,
    /// Why it is refused.
    pub reason: Option<Box<str>>,
}

/// The record.
#[derive(Debug, Serialize)]
pub struct AuditReport {
    /// The file.
    pub file: Box<str>,
    /// `strict` or `process`.
    pub durability: &'static str,
    /// How many records there are.
    pub records: u64,
    /// Where the signing key is: `keychain` or `file`.
    pub key: Option<&'static str>,
    /// Why nothing can be recorded, if so.
    pub problem: Option<Box<str>>,
    /// How far records have been sent.
    pub sinks: Vec<Lag>,
    /// What witnesses have seen.
    pub witnesses: Vec<Sight>,
}

impl Gateway {
    /// How everything stands; waits for servers and provider no longer than `patience`.
    pub async fn report(&self, patience: Duration) -> Report {
        let deadline = Instant::now() + patience;
        // Side by side: a server that uses up the time leaves the person known.
        let (who, viewer) = tokio::join!(self.person_until(deadline), async {
            let viewer = self.viewing_until(deadline).await;
            if viewer.is_some() {
                self.await_all(deadline).await;
            }
            viewer
        });
        let (person, not_signed_in) = match who {
            Ok(person) => (Some(person), None),
            Err(fault) => (None, Some(fault)),
        };
        let servers = self.parts.servers.iter();
        Report {
            version: env!("CARGO_PKG_VERSION"),
            problem: self.parts.problem.clone(),
            notes: self.parts.notes.clone(),
            person,
            not_signed_in,
            policy: self.policy_report().await,
            servers: servers
                .map(|server| self.server_report(server, viewer.as_ref()))
                .collect(),
            audit: self.audit_report().await,
        }
    }

    /// Who is signed in; by the deadline, whom this process knows of.
    async fn person_until(&self, deadline: Instant) -> Result<Person, Fault> {
        let found = timeout_at(deadline, self.whoami()).await;
        found.unwrap_or_else(|_| {
            let known = self.parts.session.known();
            let known = known.ok_or_else(|| Fault::Unavailable(UNANSWERED.into()))?;
            Ok(Person::of(known, self.parts.session.keeping()))
        })
    }

    /// Who is signed in.
    ///
    /// # Errors
    /// When nobody is, or it cannot be found out.
    pub async fn whoami(&self) -> Result<Person, Fault> {
        let session = &self.parts.session;
        match session.who().await {
            Ok(Some(signed_in)) => Ok(Person::of(signed_in, session.keeping())),
            Ok(None) => Err(Fault::NotSignedIn(NOBODY.into())),
            Err(error) => Err(Fault::from(&error)),
        }
    }

    async fn policy_report(&self) -> PolicyReport {
        let policy = self.policy().await;
        let file = self.parts.rules.place();
        let warning = |at: crate::policy::Problem| {
            format!("{file}:{}:{}: {}", at.line, at.column, at.message).into()
        };
        PolicyReport {
            digest: policy.digest().into(),
            problem: policy.problem().map(Into::into),
            warnings: policy.warnings().into_iter().map(warning).collect(),
            file: file.clone(),
        }
    }

    fn server_report(&self, server: &Server, viewer: Option<&Viewer>) -> ServerReport {
        let config = &server.config;
        let tools = self.tool_reports(&config.name, viewer);
        let mut report = ServerReport {
            name: config.name.as_str().into(),
            url: config.url.as_str().into(),
            auth: match config.auth {
                ServerAuth::Sso => "sso",
                ServerAuth::None => "none",
            },
            state: "unused",
            reason: None,
            retry_in_ms: None,
            strays: server.upstream.strays(),
            server_info: None,
            revision: None,
            tools_total: tools.as_ref().map(Vec::len),
            tools_shown: tools.iter().flatten().filter(|tool| tool.shown).count(),
            cleaned: self.catalog(|catalog| catalog.cleaned(&config.name)),
            tools: tools.unwrap_or_default(),
        };
        match server.upstream.health() {
            Health::Unused => {
                report.reason = viewer.is_none().then(|| "nobody is signed in".into());
            }
            Health::Up {
                server_info,
                revision,
            } => {
                report.state = "up";
                report.server_info = server_info;
                report.revision = Some(revision);
            }
            Health::Down { reason, retry_in } => {
                report.state = "down";
                report.reason = Some(reason);
                report.retry_in_ms = u64::try_from(retry_in.as_millis()).ok();
            }
        }
        match self.parts.fetching.stage(&config.name) {
            Stage::Failed(why, _) if report.reason.is_none() => report.reason = Some((*why).into()),
            Stage::Running if report.state == "unused" => {
                report.reason = Some("it has not answered yet".into());
            }
            Stage::Failed(..) | Stage::Idle | Stage::Running | Stage::Known => {}
        }
        report
    }

    fn tool_reports(&self, name: &ServerName, viewer: Option<&Viewer>) -> Option<Vec<ToolReport>> {
        self.catalog(|catalog| {
            let (_, lists) = catalog.servers().find(|(known, _)| *known == name)?;
            let lists = lists?;
            let dropped = lists.dropped.iter().map(|dropped| ToolReport {
                name: None,
                server: name.as_str().into(),
                tool: dropped.name.clone(),
                description: "".into(),
                shown: false,
                decision: "unusable",
                policy: None,
                rule: None,
                reason: Some(dropped.reason.clone()),
            });
            let tools = lists.tools.iter().filter_map(|tool| {
                let decision = viewer?.judge(self, name, Target::Tool(&tool.name));
                let decision = match (decision, tool.held) {
                    (Decision::Permit(_), Some(held)) => {
                        Decision::Deny(pins::refusal(held, tool.exposed.as_str()))
                    }
                    (decision, _) => decision,
                };
                let mut report = ToolReport::of(name, tool, &decision);
                report.name = Some(tool.exposed.as_str().into());
                Some(report)
            });
            Some(tools.chain(dropped).collect())
        })
    }

    async fn audit_report(&self) -> AuditReport {
        let State {
            path,
            durability,
            records,
            key_place,
            problem,
            ..
        } = self.parts.audit.state().await;
        let sync = self.parts.sync.clone();
        let look = move || (sync.lags(), sync.sights());
        let (sinks, witnesses) = self.parts.tasks.blocking(look).await;
        AuditReport {
            file: path.display().to_string().into(),
            durability: match durability {
                Durability::Strict => "strict",
                Durability::Process => "process",
            },
            records,
            key: key_place.map(|place| match place {
                KeyPlace::Keychain => "keychain",
                KeyPlace::File => "file",
            }),
            problem: problem.map(|problem| problem.in_words().into()),
            sinks,
            witnesses,
        }
    }
}

impl ToolReport {
    fn of(server: &ServerName, tool: &crate::catalog::Tool, decision: &Decision) -> Self {
        let refusal = decision.refusal();
        Self {
            name: None,
            server: server.as_str().into(),
            tool: tool.name.as_str().into(),
            description: tool.description.clone(),
            shown: decision.is_listed(),
            decision: match decision {
                Decision::Permit(_) => "permit",
                Decision::NeedsApproval(..) => "needs_approval",
                Decision::NeedsScope(..) => "needs_scope",
                Decision::Deny(_) => "deny",
            },
            policy: match decision {
                Decision::Permit(permit) => Some(permit.policy().into()),
                Decision::NeedsApproval(..) | Decision::NeedsScope(..) | Decision::Deny(_) => {
                    refusal.and_then(|refusal| refusal.policy.clone())
                }
            },
            rule: refusal.map(|refusal| refusal.rule.as_str()),
            reason: refusal.map(|refusal| refusal.message.clone()),
        }
    }
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn in_words<S: Serializer>(fault: &Option<Fault>, to: S) -> Result<S::Ok, S::Error> {
    fault.as_ref().map(Fault::sentence).serialize(to)
}
