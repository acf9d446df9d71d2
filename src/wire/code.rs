//! Error codes of JSON-RPC 2.0 and of MCP.

/// The line is not JSON.
pub const PARSE_ERROR: i32 = -32700;
/// The JSON is not a message.
pub const INVALID_REQUEST: i32 = -32600;
/// The method is not served.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// The parameters are not the method's, or name something unknown.
pub const INVALID_PARAMS: i32 = -32602;
/// The person has to open a link first (2025-11-25).
pub const URL_NEEDED: i32 = -32042;
/// The resource does not exist (revisions up to 2025-11-25).
pub const RESOURCE_NOT_FOUND: i32 = -32002;

// JSON-RPC 2.0, section 5.1, leaves -32000 to -32099 to the server. MCP has taken -32002, -32020 to
// -32022 and -32042, and its SDKs report a closed connection as -32000 and a time-out as -32001:
// none of these may be confused with what follows.

/// The request's head says something else than its body (MCP 2026-07-28).
pub const HEADER_MISMATCH: i32 = -32020;
/// The request needs something of the client that it has not said it can do (MCP 2026-07-28).
pub const MISSING_CAPABILITY: i32 = -32021;
/// The request speaks a revision that is not served (MCP 2026-07-28).
pub const UNSUPPORTED_VERSION: i32 = -32022;

/// Too many requests are running; the request was not looked at.
pub const BUSY: i32 = -32010;
/// The request was understood and has no result: refused, not signed in, rate used up, server away,
/// or not recorded. The message says which, and the next step.
pub const NOT_DONE: i32 = -32011;

// Revision 2026-07-28 takes what is left of that range for itself (basic, error codes); its hosts get
// the same two from outside of it.

/// [`BUSY`] for a request that stands alone.
pub const STATELESS_BUSY: i32 = 32010;
/// [`NOT_DONE`] for a request that stands alone.
pub const STATELESS_NOT_DONE: i32 = 32011;
