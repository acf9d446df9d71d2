//! Records as OTLP log records (OpenTelemetry Protocol 1.10, logs over HTTP with protobuf).
//!
//! The mapping, all of it, version [`MAPPING`]: names follow the OpenTelemetry semantic conventions for
//! generative AI and MCP where they have one, else they begin with `chaperone.`. The body is the record
//! itself, byte for byte, so that whoever receives it can hash it; the newest signed head of the log is
//! an attribute of the resource.

use std::borrow::Cow;

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use super::delivery::Delivery;
use crate::audit::query::Row;
use crate::audit::spool::{Batch, Spooled};
use crate::clock::Timestamp;
use crate::wire::method;

/// Grows when the same record would look otherwise; it is the version of the scope.
const MAPPING: &str = "1";

/// A batch as a request.
pub(super) fn request(batch: &Batch) -> Vec<u8> {
    let mut about = vec![
        text("service.name", "chaperone"),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("chaperone.audit.log_id", &batch.log_id),
    ];
    about.extend(
        batch
            .head
            .as_deref()
            .map(|head| text("chaperone.audit.checkpoint", head)),
    );
    let scope = InstrumentationScope {
        name: "chaperone.audit".to_owned(),
        version: MAPPING.to_owned(),
        ..InstrumentationScope::default()
    };
    let logs = ScopeLogs {
        scope: Some(scope),
        log_records: batch.records.iter().map(record).collect(),
        ..ScopeLogs::default()
    };
    let resource = Resource {
        attributes: about,
        ..Resource::default()
    };
    let logs = ResourceLogs {
        resource: Some(resource),
        scope_logs: vec![logs],
        ..ResourceLogs::default()
    };
    let request = ExportLogsServiceRequest {
        resource_logs: vec![logs],
    };
    request.encode_to_vec()
}

/// What an answer of status 200 says. One that cannot be read is a yes: the status is what counts
/// (OTLP, "Full Success"), and some receivers answer with nothing.
pub(super) fn judge(answer: &[u8]) -> Delivery {
    let partial = ExportLogsServiceResponse::decode(answer)
        .ok()
        .and_then(|answer| answer.partial_success);
    match partial {
        Some(partial) if partial.rejected_log_records > 0 => Delivery::Refused(format!(
            "{} records refused: {}",
            partial.rejected_log_records, partial.error_message
        )),
        Some(_) | None => Delivery::Taken,
    }
}

fn record(spooled: &Spooled) -> LogRecord {
    let mapped: Row<'_> = serde_json::from_str(&spooled.json).unwrap_or_default();
    let time = Timestamp::parse(&mapped.timestamp).map_or(0, |time| nanoseconds(time.millis()));
    let (severity, word) = severity(&mapped);
    LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: time,
        severity_number: severity.into(),
        severity_text: word.to_owned(),
        body: Some(any(Value::StringValue(spooled.json.clone().into()))),
        attributes: attributes(spooled.seq, &mapped),
        trace_id: mapped.trace_id.as_deref().map(bytes).unwrap_or_default(),
        event_name: format!("chaperone.audit.{}", mapped.kind),
        ..LogRecord::default()
    }
}

fn nanoseconds(millis: i64) -> u64 {
    u64::try_from(millis).unwrap_or(0).saturating_mul(1_000_000)
}

fn severity(mapped: &Row<'_>) -> (SeverityNumber, &'static str) {
    match mapped.outcome.as_deref() {
        Some("error" | "unknown") => (SeverityNumber::Error, "ERROR"),
        Some("denied") => (SeverityNumber::Warn, "WARN"),
        Some(_) | None => (SeverityNumber::Info, "INFO"),
    }
}

fn attributes(seq: u64, mapped: &Row<'_>) -> Vec<KeyValue> {
    let calls = mapped.method.as_deref() == Some(method::TOOLS_CALL);
    let failed = mapped.outcome.as_deref() == Some("error");
    let rpc_error = mapped.rpc_error.map(|code| code.to_string());
    let error = rpc_error.clone().unwrap_or_else(|| "tool_error".to_owned());
    let texts = [
        ("log.record.uid", Some(&*mapped.id)),
        ("chaperone.audit.kind", Some(&*mapped.kind)),
        ("mcp.method.name", mapped.method.as_deref()),
        ("gen_ai.operation.name", calls.then_some("execute_tool")),
        ("gen_ai.tool.name", mapped.tool_name.as_deref()),
        ("rpc.response.status_code", rpc_error.as_deref()),
        ("error.type", failed.then_some(error.as_str())),
        ("user.id", mapped.subject.as_deref()),
        ("user.name", mapped.user_id.as_deref()),
        ("chaperone.agent", mapped.agent_id.as_deref()),
        ("chaperone.server", mapped.server.as_deref()),
        ("chaperone.request_id", mapped.request_id.as_deref()),
        ("chaperone.decision", mapped.decision.as_deref()),
        ("chaperone.policy.name", mapped.policy.as_deref()),
        ("chaperone.policy.digest", mapped.policy_digest.as_deref()),
        ("chaperone.reason", mapped.reason.as_deref()),
        ("chaperone.outcome", mapped.outcome.as_deref()),
    ];
    let numbers = [
        ("chaperone.audit.seq", i64::try_from(seq).ok()),
        (
            "http.response.status_code",
            mapped.http_status.map(i64::from),
        ),
        (
            "chaperone.duration_ms",
            mapped.duration_ms.and_then(|ms| i64::try_from(ms).ok()),
        ),
    ];
    let texts = texts.into_iter();
    let texts = texts.filter_map(|(key, value)| Some(text(key, value?)));
    let numbers = numbers.into_iter().filter_map(|(key, value)| {
        let value = Some(any(Value::IntValue(value?)));
        let key = key.to_owned();
        Some(KeyValue {
            key,
            value,
            ..KeyValue::default()
        })
    });
    texts
        .chain(numbers)
        .chain((!mapped.roles.is_empty()).then(|| roles(&mapped.roles)))
        .collect()
}

fn roles(roles: &[Cow<'_, str>]) -> KeyValue {
    let values = roles
        .iter()
        .map(|role| any(Value::StringValue(role.to_string())));
    let values = values.collect();
    KeyValue {
        key: "user.roles".to_owned(),
        value: Some(any(Value::ArrayValue(ArrayValue { values }))),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(any(Value::StringValue(value.to_owned()))),
        ..KeyValue::default()
    }
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// The 16 bytes of a trace identity; nothing for what is none.
fn bytes(hex: &str) -> Vec<u8> {
    let number = u128::from_str_radix(hex, 16)
        .ok()
        .filter(|_| hex.len() == 32);
    number
        .map(|number| number.to_be_bytes().to_vec())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
