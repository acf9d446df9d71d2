//! Error codes of JSON-RPC 2.0 and of MCP.

/// The line is not JSON.
pub const PARSE_ERROR: i32 = -32700;
/// The JSON is not a message.
pub const INVALID_REQUEST: i32 = -32600;
/// The method is not served.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// The parameters are not the method's, or name something unknown.
pub const INVALID_PARAMS: i32 = -32602;
/// Something went wrong on this side.
pub const INTERNAL_ERROR: i32 = -32603;
/// The resource does not exist (revisions up to 2025-11-25).
pub const RESOURCE_NOT_FOUND: i32 = -32002;
