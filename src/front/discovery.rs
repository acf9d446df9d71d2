//! What hosts are told that open no session (MCP 2026-07-28): what is served, and how a result looks
//! that stands alone.

use rmcp::model::{CacheScope, DiscoverResult, ProtocolVersion};
use serde_json::json;

use crate::codes::Code;
use crate::gateway::Fault;
use crate::wire::stateless::{self, TermsError};
use crate::wire::{Id, Object, Raw, Response, code, method, revision};

use super::{greeting, reply};

/// How long the answer to `server/discover` holds: it says what this program can do.
const DISCOVERY_MILLIS: u64 = 3_600_000;

/// The extension for handles of what takes long; servers have tasks, and their handles are passed on.
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// The answer to `server/discover`, from memory; `extensions` is what servers are known to offer by
/// now.
pub(super) fn answer(extensions: &[(Box<str>, Raw)]) -> Raw {
    let versions = ProtocolVersion::KNOWN_VERSIONS.iter().rev();
    let served = versions.filter(|version| revision::is_served(version.as_str()));
    let mut answer = DiscoverResult::new(served.cloned().collect(), greeting::offer())
        .with_ttl_ms(DISCOVERY_MILLIS)
        .with_cache_scope(CacheScope::Public)
        .with_server_info(greeting::implementation());
    answer.instructions = Some(greeting::INSTRUCTIONS.to_owned());
    offering(&reply::raw(&answer), extensions)
}

/// The answer with what servers offer beyond the protocol, in their own words.
fn offering(answer: &Raw, extensions: &[(Box<str>, Raw)]) -> Raw {
    let capabilities = Object::of(answer, &[]).ok();
    let capabilities = capabilities.and_then(|answer| answer.get("capabilities").cloned());
    let Some(capabilities) = capabilities else {
        return answer.clone();
    };
    let all = Raw::empty_object().with(TASKS, &Raw::empty_object());
    let all = extensions
        .iter()
        .fold(all, |all, (name, settings)| all.with(name, settings));
    answer.with("capabilities", &capabilities.with("extensions", &all))
}

/// The answer to a request whose terms cannot be met.
pub(super) fn refusal(id: Id, error: &TermsError) -> Response {
    let TermsError::Version(requested) = error else {
        return reply::error(
            Some(id),
            code::INVALID_PARAMS,
            Code::Message,
            error.to_string(),
        );
    };
    let error = json!({
        "code": code::UNSUPPORTED_VERSION,
        "message": error.to_string(),
        "data": {
            "code": Code::Message,
            "supported": revision::served(),
            "requested": requested,
        },
    });
    Response {
        id: Some(id),
        outcome: Err(reply::raw(&error)),
    }
}

/// Whether a host has said that it knows tasks.
pub(super) fn knows_tasks(capabilities: &Raw) -> bool {
    let capabilities = Object::of(capabilities, &[]).ok();
    let extensions = capabilities.and_then(|all| all.get("extensions").cloned());
    extensions.is_some_and(|extensions| {
        Object::of(&extensions, &[]).is_ok_and(|extensions| extensions.get(TASKS).is_some())
    })
}

/// The answer to a request about a task of a host that has not said that it knows them.
pub(super) fn without_tasks(id: Id) -> Response {
    let error = json!({
        "code": code::MISSING_CAPABILITY,
        "message": "Tasks are for hosts that say they know them.",
        "data": {"requiredCapabilities": {"extensions": {TASKS: {}}}},
    });
    Response {
        id: Some(id),
        outcome: Err(reply::raw(&error)),
    }
}

/// Whether a method is one of sessions alone.
pub(super) fn is_of_sessions(asked: &str) -> bool {
    matches!(
        asked,
        method::INITIALIZE
            | method::PING
            | method::SET_LEVEL
            | method::SUBSCRIBE
            | method::UNSUBSCRIBE
    )
}

/// The answer to a request that stands alone.
pub(super) fn outcome(id: Id, asked: &str, outcome: Result<Raw, Fault>) -> Response {
    let Response { id, outcome } = reply::outcome(id, asked, outcome);
    coded(Response {
        id,
        outcome: outcome.map(|result| complete(asked, &result)),
    })
}

/// The answer with this revision's codes.
pub(super) fn coded(answer: Response) -> Response {
    let Response { id, outcome } = answer;
    Response {
        id,
        outcome: outcome.map_err(|error| recoded(&error)),
    }
}

/// A result as this revision has it: its type, who it is from, and how long it may be kept.
fn complete(asked: &str, result: &Raw) -> Raw {
    let Ok(object) = Object::of(result, &[]) else {
        return result.clone();
    };
    let is_complete = object
        .string("resultType")
        .is_ok_and(|kind| kind.is_none_or(|kind| kind == "complete"));
    let mut more = Vec::with_capacity(4);
    if object.get("resultType").is_none() {
        more.push(("resultType", Raw::string("complete")));
    }
    if is_complete && is_kept(asked) {
        if object.get("ttlMs").is_none() {
            // What the person may see can change with every request.
            more.push(("ttlMs", reply::raw(&0)));
        }
        // The policy decides what is in it, and decides differently for others.
        more.push(("cacheScope", Raw::string("private")));
    }
    let server = || reply::raw(&greeting::implementation());
    match object.get("_meta") {
        None => more.push((
            "_meta",
            Raw::empty_object().with(stateless::SERVER, &server()),
        )),
        // Of a server's result all stays as it is; of our own, which names a code, more can be said.
        Some(meta) if reply::names_code(meta) => {
            more.push(("_meta", meta.with(stateless::SERVER, &server())));
        }
        Some(_) => {}
    }
    object.with_all(&more)
}

/// Whether hosts may keep the results of a method (server/utilities/caching).
fn is_kept(asked: &str) -> bool {
    matches!(
        asked,
        method::TOOLS_LIST
            | method::PROMPTS_LIST
            | method::RESOURCES_LIST
            | method::TEMPLATES_LIST
            | method::RESOURCES_READ
    )
}

/// An error with the codes of this revision, which leaves those below -32000 to JSON-RPC and itself.
fn recoded(error: &Raw) -> Raw {
    let Ok(object) = Object::of(error, &[]) else {
        return error.clone();
    };
    let said = object.get("code").and_then(|said| said.get().parse().ok());
    let code = match said {
        Some(code::RESOURCE_NOT_FOUND) => code::INVALID_PARAMS,
        Some(code::BUSY) => code::STATELESS_BUSY,
        Some(code::NOT_DONE) => code::STATELESS_NOT_DONE,
        Some(_) | None => return error.clone(),
    };
    object.with("code", Some(&reply::raw(&code)))
}
