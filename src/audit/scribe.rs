//! Words the records of this process: what a call, its outcome, a refusal or an event says.

use super::entry::{Device, Draft, Fields};
use super::key::Keys;
use super::redact::{self, Redactor};
use super::{Agent, AuditSettings, Call, Event, Outcome, OutcomeStatus, RefusalReason};
use crate::name::ServerName;
use crate::policy::{Permit, Refusal, Rule};
use crate::principal::{Generation, Identity};
use crate::wire::{Object, Raw, method};

/// Who asked for what: what an outcome repeats of its intent, so that it can be read alone.
#[derive(Debug, Clone)]
pub struct Subject {
    request_id: Box<str>,
    trace_id: Box<str>,
    user_id: Box<str>,
    sub: Box<str>,
    agent: Box<str>,
    server: Box<str>,
    tool_name: Option<Box<str>>,
    method: Box<str>,
    session: Option<Generation>,
}

impl Subject {
    /// Of a call that is about to be admitted.
    #[must_use]
    pub fn of(permit: &Permit, call: &Call) -> Self {
        let identity = &call.principal.identity;
        Self {
            request_id: call.request_id.clone(),
            trace_id: call.trace.trace_id().into(),
            user_id: identity.display().into(),
            sub: identity.subject.clone(),
            agent: call.agent.name.clone(),
            server: permit.server().as_str().into(),
            tool_name: tool_name(&call.method, permit.target()).map(Into::into),
            method: call.method.clone(),
            session: Some(call.principal.generation),
        }
    }

    /// Of an intent on record; as much as can be read.
    #[must_use]
    pub fn from_intent(body: &[u8]) -> Self {
        let intent: Intent = serde_json::from_slice(body).unwrap_or_default();
        Self {
            request_id: intent.request_id,
            trace_id: intent.trace_id,
            user_id: intent.user_id,
            sub: intent.subject,
            agent: intent.agent_id,
            server: intent.server,
            tool_name: intent.tool_name,
            method: intent.method,
            session: intent.session.map(Generation),
        }
    }

    fn fields(&self) -> Fields<'_> {
        Fields {
            kind: "outcome",
            request_id: Some(&self.request_id),
            user_id: Some(&self.user_id),
            subject: Some(&self.sub),
            agent_id: Some(&self.agent),
            server: Some(&self.server),
            tool_name: self.tool_name.as_deref(),
            method: Some(&self.method),
            session: self.session,
            trace_id: Some(&self.trace_id),
            ..Fields::default()
        }
    }

    /// The outcome of a call of which nothing is known but that its intent is on record.
    #[must_use]
    pub fn unknown(&self, device: &Device, reason: &str) -> Draft {
        let fields = Fields {
            reason: Some(reason),
            outcome: Some(OutcomeStatus::Unknown.as_str()),
            ..self.fields()
        };
        fields.draft(device)
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Intent {
    request_id: Box<str>,
    trace_id: Box<str>,
    user_id: Box<str>,
    subject: Box<str>,
    agent_id: Box<str>,
    server: Box<str>,
    tool_name: Option<Box<str>>,
    method: Box<str>,
    session: Option<u64>,
}

/// Words the records of this process.
#[derive(Debug)]
pub struct Scribe {
    redactor: Redactor,
    device: Device,
}

impl Scribe {
    /// Words records with these keys.
    #[must_use]
    pub fn new(settings: &AuditSettings, keys: &Keys) -> Self {
        Self {
            redactor: Redactor::new(&settings.redact_keys, *keys.digest),
            device: settings.device.clone(),
        }
    }

    /// A permitted call.
    #[must_use]
    pub fn intent(&self, permit: &Permit, call: &Call, who: &Subject) -> Draft {
        let shown = shown_params(&call.method, &call.params);
        let args = self.redactor.arguments(shown.get());
        let fields = Fields {
            kind: "intent",
            roles: Some(&call.principal.roles),
            tool_args: Some(&args.json),
            redacted: &args.redacted,
            args_digest: Some(&args.digest),
            decision: Some("permit"),
            policy: Some(permit.policy()),
            policy_digest: Some(permit.policy_digest()),
            reason: Some(permit.rule().as_str()),
            ..who.fields()
        };
        fields.draft(&self.device)
    }

    /// How a call ended, after so many milliseconds.
    #[must_use]
    pub fn outcome(&self, who: &Subject, how: &Outcome<'_>, duration_ms: u64) -> Draft {
        let reason = how.reason.as_deref().map(|text| self.redactor.text(text));
        let summary = how.response.map(|text| self.redactor.summary(text));
        let digest = how.response.map(|text| redact::digest(text.as_bytes()));
        let fields = Fields {
            reason: reason.as_deref(),
            outcome: Some(how.status.as_str()),
            http_status: how.http_status,
            rpc_error: how.rpc_error,
            is_error: how.is_error,
            response_summary: summary.as_deref(),
            response_digest: digest.as_deref(),
            bytes_out: Some(how.bytes_out),
            duration_ms: Some(duration_ms),
            ..who.fields()
        };
        fields.draft(&self.device)
    }

    /// A record that stands alone.
    #[must_use]
    pub fn event(&self, event: &Event) -> Draft {
        match event {
            Event::Refusal { .. } => self.refusal(event),
            Event::PolicyLoaded {
                digest,
                file,
                error,
            } => {
                let reason = match error {
                    None => format!("loaded {file}"),
                    Some(error) => format!("{file} does not load: {error}"),
                };
                let fields = Fields {
                    kind: "policy_loaded",
                    policy_digest: Some(digest),
                    reason: Some(&self.redactor.text(&reason)),
                    outcome: Some(if error.is_none() { "success" } else { "error" }),
                    ..Fields::default()
                };
                fields.draft(&self.device)
            }
            Event::SettingsRefused { why } => self.told("settings_refused", why, Some("denied")),
            Event::Definitions {
                server,
                what,
                which,
            } => {
                let fields = Fields {
                    kind: what.as_str(),
                    server: Some(server.as_str()),
                    reason: Some(which),
                    ..Fields::default()
                };
                fields.draft(&self.device)
            }
            Event::Heartbeat => self.bare("heartbeat"),
            Event::Hold { on: true } => self.bare("hold_begun"),
            Event::Hold { on: false } => self.bare("hold_ended"),
            Event::Quarantined { sink, seq, why } => {
                let reason = format!("{sink} does not take record {seq}: {why}");
                self.told("sync_quarantined", &reason, None)
            }
            Event::Contradicted { witness, why } => {
                let reason = format!("{witness} does not cosign: {why}");
                self.told("witness_contradiction", &reason, None)
            }
            Event::Started { agent } => self.agent("started", agent),
            Event::Stopped { agent } => self.agent("stopped", agent),
        }
    }

    /// Something of which there is nothing to say but that it happened.
    fn bare(&self, kind: &'static str) -> Draft {
        let fields = Fields {
            kind,
            ..Fields::default()
        };
        fields.draft(&self.device)
    }

    /// Something that a text says, parts of which may come from elsewhere.
    fn told(&self, kind: &'static str, reason: &str, outcome: Option<&str>) -> Draft {
        let fields = Fields {
            kind,
            reason: Some(&self.redactor.text(reason)),
            outcome,
            ..Fields::default()
        };
        fields.draft(&self.device)
    }

    fn agent(&self, kind: &'static str, agent: &Agent) -> Draft {
        let fields = Fields {
            kind,
            agent_id: Some(&agent.name),
            ..Fields::default()
        };
        fields.draft(&self.device)
    }

    fn refusal(&self, event: &Event) -> Draft {
        let Event::Refusal {
            server,
            target,
            method,
            params,
            refusal,
            policy_digest,
            principal,
            agent,
            request_id,
        } = event
        else {
            return self.agent("refusal", &Agent::default());
        };
        let args = params.as_ref().map(|params| {
            let shown = shown_params(method, params);
            self.redactor.arguments(shown.get())
        });
        let (decision, policy, reason) = worded(refusal);
        let reason = reason.map(|text| self.redactor.text(text));
        let person = principal.as_deref().map(|principal| &principal.identity);
        let fields = Fields {
            kind: "refusal",
            request_id: Some(request_id),
            user_id: person.map(Identity::display),
            subject: person.map(|person| &*person.subject),
            roles: principal.as_deref().map(|principal| &principal.roles),
            agent_id: Some(&agent.name),
            server: server.as_ref().map(ServerName::as_str),
            tool_name: tool_name(method, target),
            method: Some(method),
            tool_args: args.as_ref().map(|args| &*args.json),
            redacted: args.as_ref().map_or(&[], |args| &args.redacted),
            args_digest: args.as_ref().map(|args| &*args.digest),
            decision: Some(decision),
            policy,
            policy_digest: policy_digest.as_deref(),
            reason: reason.as_deref(),
            outcome: Some("denied"),
            session: principal.as_deref().map(|principal| principal.generation),
            ..Fields::default()
        };
        fields.draft(&self.device)
    }
}

/// The word for a refusal, the policy that refused, and the rule or a text.
fn worded(refusal: &RefusalReason) -> (&'static str, Option<&str>, Option<&str>) {
    match refusal {
        RefusalReason::Policy(Refusal { policy, rule, .. }) => {
            let decision = match rule {
                Rule::Scope => "needs_scope",
                Rule::Approval => "needs_approval",
                Rule::NoDocument
                | Rule::NoPolicy
                | Rule::Effect
                | Rule::Denied
                | Rule::NotAllowed
                | Rule::Allowed
                | Rule::Definition => "deny",
            };
            (decision, policy.as_deref(), Some(rule.as_str()))
        }
        RefusalReason::RateLimited { policy } => ("rate_limited", policy.as_deref(), None),
        RefusalReason::NotSignedIn => ("not_signed_in", None, None),
        RefusalReason::NoRoom { policy } => ("disk_full", Some(policy), None),
        RefusalReason::SpoolFull { policy, why } => ("spool_full", Some(policy), Some(why)),
        RefusalReason::Other(text) => ("deny", None, Some(text)),
    }
}

fn tool_name<'a>(method: &str, target: &'a str) -> Option<&'a str> {
    (method == method::TOOLS_CALL && !target.is_empty()).then_some(target)
}

/// What a record shows of `params`: a tool's arguments, else everything but `_meta`, which is the
/// protocol's.
fn shown_params(method: &str, params: &Raw) -> Raw {
    let Ok(object) = Object::of(params, &[]) else {
        return params.clone();
    };
    if method == method::TOOLS_CALL {
        let arguments = object.get("arguments");
        return arguments.cloned().unwrap_or_else(Raw::empty_object);
    }
    object.with("_meta", None)
}
