//! The names of the published guide, so that its `jq` lines work as they are printed.
//!
//! One object for each finished call or refusal. Times are whole seconds, as `fromdateiso8601` wants
//! them. The guide knows three outcomes: a call whose outcome is unknown counts as an error, its
//! `reason` says which. `durationMs` is always a number, 0 where nothing ran or nobody knows, because
//! the guide's line computes means of it.

use std::io::Write;

use serde::Serialize;
use serde_json::value::RawValue;

use super::call::Call;
use super::{ExportError, json_line};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    timestamp: String,
    request_id: Option<&'a str>,
    user_id: Option<&'a str>,
    agent_id: Option<&'a str>,
    server_name: Option<&'a str>,
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_args: Option<&'a RawValue>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_summary: Option<&'a str>,
    duration_ms: u64,
    client_ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Writes one call.
pub(super) fn line(call: &Call<'_>, out: &mut dyn Write) -> Result<(), ExportError> {
    let (end, decided) = (&call.end, call.decided());
    let line = Line {
        timestamp: whole_seconds(&call.ended.to_string()),
        request_id: end.request_id.as_deref(),
        user_id: end.user_id.as_deref().or(end.subject.as_deref()),
        agent_id: end.agent_id.as_deref(),
        server_name: end.server.as_deref(),
        // What is no call of a tool is told by its method, so that nothing counts as nameless.
        tool_name: end.tool_name.as_deref().or(end.method.as_deref()),
        tool_args: decided.tool_args,
        outcome: match end.outcome.as_deref() {
            Some("success") => "success",
            Some("denied") => "denied",
            Some(_) | None => "error",
        },
        response_summary: end.response_summary.as_deref(),
        duration_ms: end.duration_ms.unwrap_or(0),
        client_ip: end.client_ip.as_deref(),
        policy: decided.policy.as_deref(),
        reason: call.reason(),
    };
    json_line(&line, out)
}

/// An instant without its milliseconds, which stand before the `Z`.
fn whole_seconds(instant: &str) -> String {
    let seconds = instant
        .split_once('.')
        .map_or(instant, |(seconds, _)| seconds);
    format!("{}Z", seconds.trim_end_matches('Z'))
}
