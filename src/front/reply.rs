//! The words and codes of answers.

use std::borrow::Cow;

use rmcp::model::{CallToolResult, ContentBlock, ErrorCode, ErrorData, MetaObject};
use serde::Serialize;
use serde_json::{Value, json};

use crate::codes::Code;
use crate::gateway::Fault;
use crate::gateway::fault::Kind;
use crate::wire::{Id, Malformed, Object, Raw, Response, code, method};

use super::running::NoPlace;

/// Where the `_meta` of a tool's result names the code of what went wrong (MCP, basic, `_meta`: the
/// prefix is ours). Models need not read it, and what they read stays as it is.
const CODE: &str = "chaperone/code";

/// An answer with a result.
pub(super) fn result(id: Id, result: Raw) -> Response {
    Response {
        id: Some(id),
        outcome: Ok(result),
    }
}

/// An answer with an error of our own.
pub(super) fn error(
    id: Option<Id>,
    code: i32,
    named: Code,
    message: impl Into<Cow<'static, str>>,
) -> Response {
    let error = ErrorData {
        code: ErrorCode(code),
        message: message.into(),
        data: Some(json!({"code": named})),
    };
    Response {
        id,
        outcome: Err(raw(&error)),
    }
}

/// The answer to a line that is no message.
pub(super) fn malformed(malformed: Malformed) -> Response {
    error(
        malformed.id,
        malformed.code,
        Code::Message,
        malformed.reason.into_string(),
    )
}

/// The answer to a line that is too long to be read.
pub(super) fn too_long(limit: usize) -> Response {
    let message = format!("the message is longer than {limit} bytes");
    error(None, code::INVALID_REQUEST, Code::Message, message)
}

/// The answer to a request that may not run.
pub(super) fn no_place(id: Id, why: NoPlace) -> Response {
    let (code, named, message) = match why {
        NoPlace::Full => (
            code::BUSY,
            Code::Busy,
            "Too many requests at once; wait for answers.",
        ),
        NoPlace::Taken => (
            code::INVALID_REQUEST,
            Code::Message,
            "A request with this \"id\" is still running.",
        ),
    };
    error(Some(id), code, named, message)
}

/// The answer to a request of which something came, or why nothing did.
pub(super) fn outcome(id: Id, asked: &str, outcome: Result<Raw, Fault>) -> Response {
    match outcome {
        Ok(found) => result(id, found),
        Err(Fault::Upstream(error)) => Response {
            id: Some(id),
            outcome: Err(error),
        },
        Err(fault) => match code(&fault) {
            // Models read results; what they can act on is said to them.
            code::NOT_DONE if asked == method::TOOLS_CALL => result(id, failed(&fault)),
            code => Response {
                id: Some(id),
                outcome: Err(raw(&ErrorData {
                    code: ErrorCode(code),
                    message: fault.sentence().into(),
                    data: Some(more(&fault)),
                })),
            },
        },
    }
}

fn code(fault: &Fault) -> i32 {
    match fault {
        Fault::Unknown(kind, _) => unknown(*kind),
        // What the host was not shown does not exist for it.
        Fault::Refused(refused) if !refused.shown => unknown(refused.kind),
        Fault::BadParams(_) => code::INVALID_PARAMS,
        Fault::UnknownMethod => code::METHOD_NOT_FOUND,
        Fault::Incapable(_) => code::MISSING_CAPABILITY,
        Fault::Refused(_)
        | Fault::RateLimited { .. }
        | Fault::NotSignedIn(_)
        | Fault::Unavailable(_)
        | Fault::SpoolFull(_)
        | Fault::Unrecorded(_)
        | Fault::Superseded(_)
        | Fault::Withheld(_)
        | Fault::Upstream(_) => code::NOT_DONE,
    }
}

/// What an error says beside its sentence: the code that names it, which resource does not exist for
/// the host (MCP 2026-07-28, server/resources, error handling), or what the host would have to be able
/// to do (basic, errors).
fn more(fault: &Fault) -> Value {
    let code = fault.code();
    match fault {
        Fault::Unknown(Kind::Resource, uri) => json!({"code": code, "uri": uri}),
        Fault::Refused(refused) if !refused.shown && refused.kind == Kind::Resource => {
            json!({"code": code, "uri": refused.asked})
        }
        Fault::Incapable(ability) => {
            json!({"code": code, "requiredCapabilities": {*ability: {}}})
        }
        Fault::Refused(_)
        | Fault::Unknown(..)
        | Fault::BadParams(_)
        | Fault::UnknownMethod
        | Fault::RateLimited { .. }
        | Fault::NotSignedIn(_)
        | Fault::Unavailable(_)
        | Fault::SpoolFull(_)
        | Fault::Unrecorded(_)
        | Fault::Superseded(_)
        | Fault::Withheld(_)
        | Fault::Upstream(_) => json!({"code": code}),
    }
}

fn unknown(kind: Kind) -> i32 {
    match kind {
        Kind::Tool | Kind::Prompt => code::INVALID_PARAMS,
        Kind::Resource => code::RESOURCE_NOT_FOUND,
    }
}

fn failed(fault: &Fault) -> Raw {
    let mut result = CallToolResult::error(vec![ContentBlock::text(fault.sentence())]);
    // Revisions with a handshake do not know it.
    result.result_type = None;
    let code = (CODE.to_owned(), json!(fault.code()));
    result.meta = Some(MetaObject(std::iter::once(code).collect()));
    raw(&result)
}

/// Whether the `_meta` of a result is of our own making.
pub(super) fn names_code(meta: &Raw) -> bool {
    Object::of(meta, &[]).is_ok_and(|meta| meta.get(CODE).is_some())
}

/// An object without members.
pub(super) fn empty() -> Raw {
    Raw::empty_object()
}

/// A value as JSON; those that are made here are text, numbers and objects of them, which always
/// can be.
pub(super) fn raw(value: &impl Serialize) -> Raw {
    Raw::of(value).unwrap_or_else(|_| Raw::empty_object())
}
