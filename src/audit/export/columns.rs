//! The columns of tables: the members of records under their stored names, and one for the rest.

/// The members of records, in their order.
pub(super) const COLUMNS: [&str; 31] = [
    "seq",
    "id",
    "timestamp",
    "kind",
    "request_id",
    "user_id",
    "subject",
    "roles",
    "agent_id",
    "server",
    "tool_name",
    "method",
    "tool_args",
    "redacted",
    "args_digest",
    "decision",
    "policy",
    "policy_digest",
    "reason",
    "outcome",
    "http_status",
    "rpc_error",
    "is_error",
    "response_summary",
    "response_digest",
    "bytes_out",
    "duration_ms",
    "client_ip",
    "host_pid",
    "session",
    "trace_id",
];

/// What no column is for, so that nothing is missing: a JSON object.
pub(super) const REST: &str = "other_members";
