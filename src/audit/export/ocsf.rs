//! Calls as OCSF API Activity (class 6003): the whole mapping, and nothing else.
//!
//! Written to schema 1.8.0 (<https://github.com/ocsf/ocsf-schema>, `events/application/api_activity`
//! with the profiles `security_control` and `trace`). The activity is always "Other", named "Call":
//! whether a tool creates, reads or deletes is only what its server says of it. What the schema has
//! no place for stands under `unmapped`, with the number of this mapping. Arguments are parsed on the
//! way, so a number beyond 64 bits loses digits here; `jsonl` keeps every spelling.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::call::Call;
use super::{ExportError, json_line};
use crate::audit::query::Row;
use crate::clock::Timestamp;

/// The version of the schema.
const SCHEMA: &str = "1.8.0";
/// Grows whenever a member comes to mean something else or goes.
const MAPPING: u32 = 1;

/// Writes one call of the log of that name.
pub(super) fn line(
    call: &Call<'_>,
    log: Option<&str>,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    let mut event = json!({
        "class_uid": 6003,
        "class_name": "API Activity",
        "category_uid": 6,
        "category_name": "Application Activity",
        "activity_id": 99,
        "activity_name": "Call",
        "type_uid": 600_399,
        "type_name": "API Activity: Other",
        "time": call.ended.millis(),
        "start_time": started(call),
        "duration": call.end.duration_ms,
        "metadata": metadata(call, log),
        "actor": actor(call),
        "api": api(call),
        "src_endpoint": source(&call.end),
        "dst_endpoint": call.end.server.as_deref().map(|server| json!({ "svc_name": server })),
        "resources": call.end.tool_name.as_deref().map(|tool| json!([{ "name": tool, "type": "tool" }])),
        "http_response": call.end.http_status.map(|code| json!({ "code": code })),
        "trace": call.end.trace_id.as_deref().map(|trace| json!({ "uid": trace })),
        "policy": policy(call.decided()),
        "unmapped": unmapped(call),
    });
    judge(call, &mut event);
    strip(&mut event);
    json_line(&event, out)
}

/// How it ended. A refusal is what somebody should look at first; an unknown end comes next.
fn judge(call: &Call<'_>, event: &mut Value) {
    let (severity, severity_id, status, status_id) = match call.end.outcome.as_deref() {
        Some("success") => ("Informational", 1, "Success", 1),
        Some("error") => ("Low", 2, "Failure", 2),
        Some("denied") => ("Medium", 3, "Failure", 2),
        Some(_) | None => ("Low", 2, "Unknown", 0),
    };
    let denied = call.end.outcome.as_deref() == Some("denied");
    let (action, disposition) = if denied {
        ("Denied", "Blocked")
    } else {
        ("Allowed", "Allowed")
    };
    let id = if denied { 2 } else { 1 };
    let code = call.end.rpc_error.map(|code| code.to_string());
    for (name, value) in [
        ("severity", json!(severity)),
        ("severity_id", json!(severity_id)),
        ("status", json!(status)),
        ("status_id", json!(status_id)),
        ("status_code", json!(code)),
        ("status_detail", json!(call.end.reason)),
        ("action", json!(action)),
        ("action_id", json!(id)),
        ("disposition", json!(disposition)),
        ("disposition_id", json!(id)),
    ] {
        event[name] = value;
    }
}

fn started(call: &Call<'_>) -> Option<i64> {
    let begun = Timestamp::parse(&call.intent.as_ref()?.timestamp).ok()?;
    Some(begun.millis())
}

fn metadata(call: &Call<'_>, log: Option<&str>) -> Value {
    json!({
        "version": SCHEMA,
        "profiles": ["security_control", "trace"],
        "product": {
            "name": "chaperone",
            "vendor_name": "chaperone",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "uid": call.end.id,
        "sequence": call.seq,
        "event_code": call.end.kind,
        "log_name": log,
        "logged_time": call.ended.millis(),
        "correlation_uid": call.end.request_id,
    })
}

/// The person, through the host; one of the two has to be named.
fn actor(call: &Call<'_>) -> Value {
    let end = &call.end;
    let person = end.user_id.is_some() || end.subject.is_some();
    let groups: Vec<Value> = call
        .decided()
        .roles
        .iter()
        .map(|role| json!({ "name": role }))
        .collect();
    let session = end
        .session
        .map(|session| json!({ "uid": session.to_string() }));
    json!({
        "user": person.then(|| json!({
            "name": end.user_id,
            "uid": end.subject,
            "groups": (!groups.is_empty()).then_some(groups),
        })),
        "session": session,
        "app_name": end.agent_id.as_deref().unwrap_or("unknown host"),
    })
}

fn api(call: &Call<'_>) -> Value {
    let end = &call.end;
    let request = end.request_id.as_deref().map(|id| {
        let arguments = call
            .decided()
            .tool_args
            .map(|args| json!({ "arguments": args }));
        json!({ "uid": id, "data": arguments })
    });
    json!({
        "operation": end.method.as_deref().unwrap_or("unknown"),
        "service": end.server.as_deref().map(|server| json!({ "name": server })),
        "request": request,
        "response": {
            "code": end.rpc_error,
            "error_message": end.is_error.and(end.reason.as_deref()),
            "message": end.response_summary,
        },
    })
}

/// This machine: its address if one is known.
fn source(end: &Row<'_>) -> Value {
    match end.client_ip.as_deref() {
        Some(ip) => json!({ "ip": ip }),
        None => json!({ "hostname": "localhost" }),
    }
}

fn policy(decided: &Row<'_>) -> Option<Value> {
    let name = decided.policy.as_deref()?;
    Some(json!({ "name": name, "uid": decided.policy_digest, "desc": decided.reason }))
}

fn unmapped(call: &Call<'_>) -> Value {
    json!({
        "mapping": MAPPING,
        "decision": call.decided().decision,
        "is_error": call.end.is_error,
        "args_digest": call.decided().args_digest,
        "response_digest": call.end.response_digest,
    })
}

/// Takes out what is not there, and what is empty for that reason. Arguments stay as they are.
fn strip(value: &mut Value) {
    let Value::Object(members) = value else {
        return;
    };
    let old = std::mem::take(members);
    let kept = old.into_iter().filter_map(|(name, mut value)| {
        if name != "arguments" {
            strip(&mut value);
        }
        let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        (name == "arguments" || !empty).then_some((name, value))
    });
    *members = kept.collect();
}
