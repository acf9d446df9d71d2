//! The messages that go to a server, as bytes; and what its errors say.

use super::fault::{Said, UpstreamError};
use super::scrub;
use crate::wire::{Abilities, Id, Object, Raw, code, method, object::quoted, revision};
use bytes::Bytes;

/// A request. The parameters are copied as they are, so that what was decided on is what is sent.
pub(super) fn request(id: u64, method: &str, params: Option<&Raw>) -> Bytes {
    let params = params.map_or("{}", Raw::get);
    let mut body = Vec::with_capacity(params.len() + method.len() + 80);
    body.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    body.extend_from_slice(id.to_string().as_bytes());
    body.extend_from_slice(br#","method":"#);
    body.extend_from_slice(quoted(method).as_bytes());
    body.extend_from_slice(br#","params":"#);
    body.extend_from_slice(params.as_bytes());
    body.push(b'}');
    body.into()
}

/// A notice.
pub(super) fn notification(method: &str, params: Option<&str>) -> Bytes {
    let method = quoted(method);
    let params = params.map_or_else(String::new, |params| format!(r#","params":{params}"#));
    format!(r#"{{"jsonrpc":"2.0","method":{method}{params}}}"#).into()
}

/// Withdraws a request.
pub(super) fn cancelled(id: u64, reason: &str) -> Bytes {
    let reason = quoted(reason);
    let params = format!(r#"{{"requestId":{id},"reason":{reason}}}"#);
    notification(method::CANCELLED, Some(&params))
}

/// Opens a session for a host that can do this.
pub(super) fn initialize(id: u64, abilities: &Abilities) -> Bytes {
    let params = format!(
        r#"{{"protocolVersion":"{}","capabilities":{},"clientInfo":{{"name":"chaperone","version":"{}"}}}}"#,
        revision::NEWEST_HANDSHAKE,
        abilities.as_raw().get(),
        env!("CARGO_PKG_VERSION"),
    );
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"initialize","params":{params}}}"#).into()
}

/// Answers a server's question.
pub(super) fn answer(id: &Id, outcome: &Result<Raw, Raw>) -> Bytes {
    let id = id.as_json();
    let (key, value) = match outcome {
        Ok(result) => ("result", result),
        Err(error) => ("error", error),
    };
    let value = value.get();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"{key}":{value}}}"#).into()
}

/// Answers a server's own request: `ping`, and none that is not known.
pub(super) fn reply(id: &Id, asked: &str) -> Bytes {
    let id = id.as_json();
    if asked == method::PING {
        return format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#).into();
    }
    let code = code::METHOD_NOT_FOUND;
    let error = format!(r#"{{"code":{code},"message":"not served by this client"}}"#);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into()
}

/// The code of a JSON-RPC error object; 0 where there is none.
fn code_of(error: &Raw) -> i64 {
    let object = Object::of(error, &[]).ok();
    let code = object.as_ref().and_then(|object| object.get("code"));
    code.and_then(|raw| raw.get().parse().ok()).unwrap_or(0)
}

/// Whether a JSON-RPC error object has one of these codes.
pub(super) fn has_code(error: &Raw, codes: &[i32]) -> bool {
    let said = code_of(error);
    codes.iter().any(|code| i64::from(*code) == said)
}

/// What a JSON-RPC error object says.
pub(super) fn refused(error: &Raw) -> UpstreamError {
    let object = Object::of(error, &[]).ok();
    let message = object
        .as_ref()
        .and_then(|object| object.string("message").ok().flatten());
    UpstreamError::Refused {
        code: code_of(error),
        said: Said::new(&scrub::clean(&message.unwrap_or_default())),
    }
}
