//! A record, read as far as people and other programs look at it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The members of a record by their stored names; what is absent is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Row<'a> {
    /// The record's identifier.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// RFC 3339.
    #[serde(borrow)]
    pub timestamp: Cow<'a, str>,
    /// `intent`, `outcome`, `refusal`, …
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// The call's identifier, shared by intent and outcome.
    #[serde(borrow)]
    pub request_id: Option<Cow<'a, str>>,
    /// The person, as other systems know him.
    #[serde(borrow)]
    pub user_id: Option<Cow<'a, str>>,
    /// The person, as the provider knows him.
    #[serde(borrow)]
    pub subject: Option<Cow<'a, str>>,
    /// The person's roles.
    #[serde(borrow)]
    pub roles: Vec<Cow<'a, str>>,
    /// The host.
    #[serde(borrow)]
    pub agent_id: Option<Cow<'a, str>>,
    /// The server.
    #[serde(borrow)]
    pub server: Option<Cow<'a, str>>,
    /// The tool.
    #[serde(borrow)]
    pub tool_name: Option<Cow<'a, str>>,
    /// The method.
    #[serde(borrow)]
    pub method: Option<Cow<'a, str>>,
    /// The arguments, redacted.
    #[serde(borrow)]
    pub tool_args: Option<&'a RawValue>,
    /// The digest of the arguments.
    #[serde(borrow)]
    pub args_digest: Option<Cow<'a, str>>,
    /// What the policy said.
    #[serde(borrow)]
    pub decision: Option<Cow<'a, str>>,
    /// The policy that decided.
    #[serde(borrow)]
    pub policy: Option<Cow<'a, str>>,
    /// The digest of its document.
    #[serde(borrow)]
    pub policy_digest: Option<Cow<'a, str>>,
    /// The rule that let it through, or why it ended so.
    #[serde(borrow)]
    pub reason: Option<Cow<'a, str>>,
    /// How it ended.
    #[serde(borrow)]
    pub outcome: Option<Cow<'a, str>>,
    /// The status of the HTTP response.
    pub http_status: Option<u16>,
    /// The code of a JSON-RPC error.
    pub rpc_error: Option<i64>,
    /// A tool result's `isError`.
    pub is_error: Option<bool>,
    /// What the result says, in short.
    #[serde(borrow)]
    pub response_summary: Option<Cow<'a, str>>,
    /// The digest of the result.
    #[serde(borrow)]
    pub response_digest: Option<Cow<'a, str>>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// An address of the device.
    #[serde(borrow)]
    pub client_ip: Option<Cow<'a, str>>,
    /// The process that started chaperone there.
    pub host_pid: Option<u32>,
    /// The session that it belongs to.
    pub session: Option<u64>,
    /// The W3C trace.
    #[serde(borrow)]
    pub trace_id: Option<Cow<'a, str>>,
}
