//! A server's answer in the words of the host's revision, where the two differ.

use crate::wire::{Object, Raw, code, method};

const KIND: &str = "resultType";
const COMPLETE: &str = "complete";
/// What only hosts know that open no session.
const OF_LATER: [&str; 3] = [KIND, "ttlMs", "cacheScope"];

/// A result of a server for a host; each either keeps sessions or does not.
pub(super) fn result(result: Raw, server_alone: bool, host_alone: bool) -> Raw {
    if server_alone == host_alone || !has_kind(&result) {
        return result;
    }
    let Ok(object) = Object::of(&result, &[]) else {
        return result;
    };
    let complete = Raw::string(COMPLETE);
    match object.get(KIND) {
        // What another kind means is for the host to find out.
        Some(kind) if server_alone && *kind == complete => object.without(&OF_LATER),
        // A field of the server's own, which would now say something else.
        Some(kind) if !server_alone && *kind != complete => object.with(KIND, Some(&complete)),
        Some(_) | None => result,
    }
}

fn has_kind(result: &Raw) -> bool {
    memchr::memmem::find(result.get().as_bytes(), KIND.as_bytes()).is_some()
}

/// An error of a server for a host with a session. The other way round the codes differ for all
/// hosts of that revision, wherever an error comes from.
pub(super) fn error(error: Raw, asked: &str, server_alone: bool, host_alone: bool) -> Raw {
    if !server_alone || host_alone || asked != method::RESOURCES_READ {
        return error;
    }
    let Ok(object) = Object::of(&error, &[]) else {
        return error;
    };
    let said = object.get("code").and_then(|code| code.get().parse().ok());
    if said != Some(code::INVALID_PARAMS) {
        return error;
    }
    let code = Raw::of(&code::RESOURCE_NOT_FOUND);
    code.map_or_else(|_| error.clone(), |code| object.with("code", Some(&code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(text: &str, server_alone: bool, host_alone: bool) -> String {
        let raw = Raw::parse(text).unwrap();
        result(raw, server_alone, host_alone).get().to_owned()
    }

    #[test]
    fn results_lose_what_the_host_does_not_know() {
        let modern =
            r#"{"content":[1e400],"resultType":"complete","ttlMs":5,"cacheScope":"private"}"#;
        assert_eq!(translated(modern, true, false), r#"{"content":[1e400]}"#);
        assert_eq!(translated(modern, true, true), modern);
        let task = r#"{"resultType":"task","taskId":"1"}"#;
        assert_eq!(translated(task, true, false), task);
        let legacy = r#"{"content":[{"resultType":"x"}]}"#;
        assert_eq!(translated(legacy, false, true), legacy);
        let pretending = r#"{"resultType":"input_required","a":1}"#;
        assert_eq!(
            translated(pretending, false, true),
            r#"{"resultType":"complete","a":1}"#
        );
        assert_eq!(translated(pretending, false, false), pretending);
    }

    #[test]
    fn what_is_not_found_has_the_code_of_the_hosts_revision() {
        let said = Raw::parse(r#"{"code":-32602,"message":"no","x":1}"#).unwrap();
        let recoded = error(said.clone(), "resources/read", true, false);
        assert_eq!(recoded.get(), r#"{"code":-32002,"message":"no","x":1}"#);
        assert_eq!(error(said.clone(), "tools/call", true, false), said);
        assert_eq!(error(said.clone(), "resources/read", true, true), said);
        assert_eq!(error(said.clone(), "resources/read", false, false), said);
    }
}
