//! What a record says: its members, in their one order, as the bytes that are hashed and kept.
//!
//! Nearly all of a record is written here, on the caller's side, before the log is touched:
//! arguments are redacted, digests made, texts escaped. `id`, `seq` and `timestamp`, which only the
//! transaction knows, come first in every record, so that [`Draft::complete`] puts them in front.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use super::redact::RedactedPlace;
use crate::clock::Timestamp;
use crate::principal::{Generation, Identity, Roles};

/// A record without the members that the transaction fills in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft(Vec<u8>);

impl Draft {
    /// The whole record.
    #[must_use]
    pub fn complete(&self, id: uuid::Uuid, seq: u64, timestamp: &str) -> Vec<u8> {
        let mut head = String::with_capacity(112 + self.0.len());
        // Writing to a string does not fail.
        let _written = write!(
            head,
            r#"{{"id":"{id}","seq":{seq},"timestamp":"{timestamp}","#
        );
        let mut body = head.into_bytes();
        body.extend_from_slice(&self.0);
        body
    }
}

/// The members of a record after `timestamp`, in their order; what is absent is not written.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) kind: &'static str,
    pub(super) request_id: Option<&'a str>,
    pub(super) user_id: Option<&'a str>,
    pub(super) subject: Option<&'a str>,
    pub(super) roles: Option<&'a Roles>,
    pub(super) agent_id: Option<&'a str>,
    pub(super) server: Option<&'a str>,
    pub(super) tool_name: Option<&'a str>,
    pub(super) method: Option<&'a str>,
    pub(super) tool_args: Option<&'a str>,
    pub(super) redacted: &'a [RedactedPlace],
    pub(super) args_digest: Option<&'a str>,
    pub(super) decision: Option<&'a str>,
    pub(super) policy: Option<&'a str>,
    pub(super) policy_digest: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    pub(super) outcome: Option<&'a str>,
    pub(super) http_status: Option<u16>,
    pub(super) rpc_error: Option<i32>,
    pub(super) is_error: Option<bool>,
    pub(super) response_summary: Option<&'a str>,
    pub(super) response_digest: Option<&'a str>,
    pub(super) bytes_out: Option<u64>,
    pub(super) duration_ms: Option<u64>,
    pub(super) session: Option<Generation>,
    pub(super) trace_id: Option<&'a str>,
    pub(super) pruned_to: Option<u64>,
    pub(super) rotation: Option<&'a str>,
}

impl Fields<'_> {
    pub(super) fn draft(&self, device: &Device) -> Draft {
        let mut out = Members(Vec::with_capacity(768));
        out.text("kind", Some(self.kind));
        out.text("request_id", self.request_id);
        out.text("user_id", self.user_id);
        out.text("subject", self.subject);
        out.json(
            "roles",
            self.roles.map(|roles| roles.iter().collect::<Vec<_>>()),
        );
        out.text("agent_id", self.agent_id.filter(|name| !name.is_empty()));
        out.text("server", self.server);
        out.text("tool_name", self.tool_name);
        out.text("method", self.method);
        out.raw("tool_args", self.tool_args);
        out.json(
            "redacted",
            (!self.redacted.is_empty()).then_some(self.redacted),
        );
        out.text("args_digest", self.args_digest);
        out.text("decision", self.decision);
        out.text("policy", self.policy);
        out.text("policy_digest", self.policy_digest);
        out.text("reason", self.reason);
        out.text("outcome", self.outcome);
        out.json("http_status", self.http_status);
        out.json("rpc_error", self.rpc_error);
        out.json("is_error", self.is_error);
        out.text("response_summary", self.response_summary);
        out.text("response_digest", self.response_digest);
        out.json("bytes_out", self.bytes_out);
        out.json("duration_ms", self.duration_ms);
        out.json("client_ip", device.client_ip);
        out.json("host_pid", device.host_pid);
        out.json("session", self.session.map(|generation| generation.0));
        out.text("trace_id", self.trace_id);
        out.json("pruned_to", self.pruned_to);
        out.text("rotation", self.rotation);
        out.0.push(b'}');
        Draft(out.0)
    }
}

struct Members(Vec<u8>);

impl Members {
    fn key(&mut self, key: &str) {
        if !self.0.is_empty() {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn text(&mut self, key: &str, value: Option<&str>) {
        self.json(key, value);
    }

    /// What is already JSON, such as redacted arguments.
    fn raw(&mut self, key: &str, json: Option<&str>) {
        if let Some(json) = json {
            self.key(key);
            self.0.extend_from_slice(json.as_bytes());
        }
    }

    fn json(&mut self, key: &str, value: Option<impl serde::Serialize>) {
        if let Some(value) = value {
            self.key(key);
            // Texts, numbers and lists of them are written to memory, which does not fail.
            let _written = serde_json::to_writer(&mut self.0, &value);
        }
    }
}

/// Where this process runs: the same in all of its records.
#[derive(Debug, Clone, Default)]
pub struct Device {
    /// An address of this device, if it is known.
    pub client_ip: Option<IpAddr>,
    /// The process that started this one.
    pub host_pid: Option<u32>,
}

impl Device {
    /// This device, and the process that started this one.
    #[must_use]
    pub fn of_system() -> Self {
        Self {
            client_ip: outward_address(),
            host_pid: parent(),
        }
    }
}

/// The address that packets to elsewhere would carry. Connecting a datagram socket asks the routing
/// table and sends nothing; the target is one of those reserved for documentation (RFC 5737).
fn outward_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_unspecified())
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems do not tell")]
fn parent() -> Option<u32> {
    Some(std::os::unix::process::parent_id())
}

#[cfg(windows)]
fn parent() -> Option<u32> {
    use winsafe::{HPROCESSLIST, co};
    let own = std::process::id();
    let mut list = HPROCESSLIST::CreateToolhelp32Snapshot(co::TH32CS::SNAPPROCESS, None).ok()?;
    let mut processes = list.iter_processes().filter_map(Result::ok);
    let found = processes.find(|process| process.th32ProcessID == own);
    found.map(|process| process.th32ParentProcessID)
}

/// A session's beginning (`login`) or end (`logout`).
#[must_use]
pub fn session(kind: &'static str, device: &Device, who: &Identity, of: Generation) -> Draft {
    let fields = Fields {
        kind,
        user_id: Some(who.display()),
        subject: Some(&who.subject),
        outcome: Some("success"),
        session: Some(of),
        ..Fields::default()
    };
    fields.draft(device)
}

/// Something that the log notes about itself.
#[must_use]
pub fn note(kind: &'static str, device: &Device, reason: &str) -> Draft {
    let fields = Fields {
        kind,
        reason: Some(reason),
        ..Fields::default()
    };
    fields.draft(device)
}

/// Records before number `end` have lost their content; `count` of them now.
#[must_use]
pub fn pruned(device: &Device, end: u64, count: usize) -> Draft {
    let reason = format!("{count} records that were sent elsewhere have lost their content here");
    let fields = Fields {
        kind: "pruned",
        reason: Some(&reason),
        pruned_to: Some(end),
        ..Fields::default()
    };
    fields.draft(device)
}

/// Bytes in the tail that were no record: a write that was interrupted, before anything left.
#[must_use]
pub fn torn(device: &Device, bytes: usize) -> Draft {
    let reason = format!("{bytes} bytes behind the last record were no record");
    note("torn", device, &reason)
}

/// Records waited in the tail that those from number `from` on should have come before.
#[must_use]
pub fn severed(device: &Device, from: u64, waited: usize, kept: &OsStr) -> Draft {
    let kept = kept.to_string_lossy();
    let reason = format!(
        "records from number {from} on were lost before they reached the disk, as when the machine \
         stops; {waited} later ones are kept in the file {kept}"
    );
    note("severed", device, &reason)
}

/// The log's key changes with this record, as the statement says that both keys signed.
#[must_use]
pub fn rotated(device: &Device, statement: &str) -> Draft {
    let fields = Fields {
        kind: "key_rotated",
        reason: Some("heads from here on are signed with another key"),
        rotation: Some(statement),
        ..Fields::default()
    };
    fields.draft(device)
}

/// The calendar moved against the machine's uptime.
#[must_use]
pub fn clock_jump(device: &Device, from: Timestamp, to: Timestamp) -> Draft {
    let reason = format!("the calendar was set from about {from} to {to}");
    note("clock_jump", device, &reason)
}
