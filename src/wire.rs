//! JSON-RPC as MCP uses it: the envelope, what is read inside it, method names, codes, revisions.
//!
//! A message is an envelope whose `params`, `result` and `error` stay the raw text that arrived, so
//! that what chaperone does not know passes byte for byte. Where something inside is decided on it
//! is read strictly by [`object::Object`], which also replaces single members without touching the
//! rest. Nothing here waits, logs or knows a server.

pub mod abilities;
pub mod code;
pub mod leap;
pub mod level;
pub mod message;
pub mod method;
pub mod mirror;
pub mod object;
pub mod raw;
pub mod revision;
pub mod rounds;
pub mod stateless;
pub mod trace;

pub use abilities::Abilities;
pub use message::{Id, Malformed, Message, Notification, Request, Response};
pub use object::Object;
pub use raw::Raw;
pub use trace::TraceContext;
