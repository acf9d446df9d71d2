//! Records as syslog messages (RFC 5424), each behind its length (RFC 5425 §4.3).
//!
//! The mapping, all of it, version [`MAPPING`]; what a record does not have is `-`:
//!
//! | field | what stands there |
//! | --- | --- |
//! | PRI | facility 13 (log audit); severity 4 (warning) for the outcomes `error` and `unknown`, 5 (notice) for `denied`, else 6 (informational) |
//! | TIMESTAMP | the record's `timestamp` |
//! | HOSTNAME | the record's `client_ip`, which is all that a record says of where it was made |
//! | APP-NAME | `chaperone` |
//! | PROCID | the record's `host_pid`: the process of the host that was served |
//! | MSGID | the record's `kind` |
//! | STRUCTURED-DATA | one element, [`ELEMENT`] |
//! | MSG | the record, byte for byte as it was hashed |
//!
//! The element has `mapping` (the version), `id`, `seq`, `log_id` and `leaf`, the record's hash in the
//! log's tree (RFC 9162 §2.1.1, in hexadecimal); the last message of a batch has also `checkpoint`, the
//! log's newest signed head in base64, because receivers may rewrite the ends of lines (RFC 5424 §6.4).
//! MSG is UTF-8 without the mark that may stand in front of it (it is MSG-ANY, §6.4): receivers keep that
//! mark, and readers of JSON refuse it (RFC 8259 §8.1).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::audit::query::Row;
use crate::audit::spool::{Batch, Spooled};
use crate::audit::tree::leaf_hash;
use crate::clock::Timestamp;

/// Grows when the same record would look otherwise.
const MAPPING: &str = "1";
/// The name of the element (RFC 5424 §7.2.2). 32473 is the enterprise that stands in examples (RFC 5612):
/// chaperone has no number of its own, and the name in front tells its elements from those of others.
const ELEMENT: &str = "chaperone@32473";
/// Log audit (RFC 5424 §6.2.1).
const FACILITY: u8 = 13;
/// How long a field of the header may be (RFC 5424 §6).
const HOSTNAME_LENGTH: usize = 255;
const MSGID_LENGTH: usize = 32;

/// A batch as one message behind the other.
pub(super) fn frames(batch: &Batch) -> Vec<u8> {
    let mut frames = Vec::new();
    let last = batch.records.last().map(|record| record.seq);
    for record in &batch.records {
        let head = batch.head.as_deref().filter(|_| Some(record.seq) == last);
        let message = message(&batch.log_id, record, head);
        frames.extend_from_slice(format!("{} ", message.len()).as_bytes());
        frames.extend_from_slice(message.as_bytes());
    }
    frames
}

fn message(log_id: &str, record: &Spooled, head: Option<&str>) -> String {
    let mapped: Row<'_> = serde_json::from_str(&record.json).unwrap_or_default();
    let priority = FACILITY * 8 + severity(&mapped);
    let time = Timestamp::parse(&mapped.timestamp).ok();
    let time = time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    let host = field(mapped.client_ip.as_deref(), HOSTNAME_LENGTH);
    let process = mapped.host_pid.map(|pid| pid.to_string());
    let process = process.as_deref().unwrap_or("-");
    let kind = field(Some(&mapped.kind), MSGID_LENGTH);
    let mut text = format!("<{priority}>1 {time} {host} chaperone {process} {kind} [{ELEMENT}");
    parameter(&mut text, "mapping", MAPPING);
    parameter(&mut text, "id", &mapped.id);
    parameter(&mut text, "seq", &record.seq.to_string());
    parameter(&mut text, "log_id", log_id);
    parameter(&mut text, "leaf", &leaf(&record.json));
    if let Some(head) = head {
        parameter(&mut text, "checkpoint", &STANDARD.encode(head));
    }
    text.push_str("] ");
    text.push_str(&record.json);
    text
}

fn severity(mapped: &Row<'_>) -> u8 {
    match mapped.outcome.as_deref() {
        Some("error" | "unknown") => 4,
        Some("denied") => 5,
        Some(_) | None => 6,
    }
}

/// A field of the header: visible ASCII, not too long, and `-` for nothing.
fn field(text: Option<&str>, length: usize) -> String {
    let text = text.unwrap_or_default().chars();
    let text: String = text.filter(char::is_ascii_graphic).take(length).collect();
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

/// A parameter of the element, with what would end it escaped (RFC 5424 §6.3.3).
fn parameter(text: &mut String, name: &str, value: &str) {
    text.push(' ');
    text.push_str(name);
    text.push_str("=\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | ']') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
}

fn leaf(json: &str) -> String {
    let mut text = String::with_capacity(64);
    for byte in leaf_hash(json.as_bytes()) {
        // Writing to a string does not fail.
        let _written = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;
