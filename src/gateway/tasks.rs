//! Tasks of servers (extension `io.modelcontextprotocol/tasks`, SEP-2663): handles that hosts come
//! back with, perhaps after this program was started anew.
//!
//! Two servers may call their tasks the same, so a handle carries the name of its server before a
//! colon, which no such name contains.

use std::sync::Arc;

use crate::name::ServerName;
use crate::wire::{Object, Raw, method};

use super::fault::Fault;
use super::route::{self, Route, What};

const ID: &str = "taskId";
const TASK: &str = "task";

/// Finds the server of a request about a task.
pub(super) fn route(asked: &str, params: &Raw) -> Result<Route, Fault> {
    let object = route::open(params)?;
    let handle = route::required(&object, ID)?;
    let unknown = || Fault::BadParams("no server has this \"taskId\"".into());
    let (server, own) = handle.split_once(':').ok_or_else(unknown)?;
    Ok(Route {
        server: ServerName::parse(server).map_err(|_| unknown())?,
        what: What::Server(asked.into()),
        asked: handle.as_ref().into(),
        params: object.with(ID, Some(&Raw::string(own))),
        mirrors: Arc::default(),
        held: None,
    })
}

/// A result with the handle that hosts come back with, where it has one.
pub(super) fn for_host(server: &ServerName, asked: &str, result: Raw) -> Raw {
    if !method::is_of_tasks(asked) && !is_handle(&result) {
        return result;
    }
    let Ok(object) = Object::of(&result, &[]) else {
        return result;
    };
    match object.string(ID) {
        Ok(Some(own)) => object.with(ID, Some(&Raw::string(&format!("{server}:{own}")))),
        Ok(None) | Err(_) => result,
    }
}

/// Whether a result is not the end, but a task that leads to it.
fn is_handle(result: &Raw) -> bool {
    // Nearly none is, and some are large.
    if memchr::memmem::find(result.get().as_bytes(), ID.as_bytes()).is_none() {
        return false;
    }
    let object = Object::of(result, &[]).ok();
    let kind = object.and_then(|object| object.string("resultType").ok().flatten().map(Into::into));
    kind.is_some_and(|kind: Box<str>| *kind == *TASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::parse(text).unwrap()
    }

    #[test]
    fn a_handle_leads_back_to_its_server() {
        let server = ServerName::parse("builds").unwrap();
        let result = raw(r#"{"resultType":"task","taskId":"a:\u0062","n":1e400}"#);
        let shown = for_host(&server, "tools/call", result);
        assert_eq!(
            shown.get(),
            r#"{"resultType":"task","taskId":"builds:a:b","n":1e400}"#
        );
        let found = route("tasks/get", &raw(r#"{"taskId":"builds:a:b"}"#)).unwrap();
        assert_eq!(found.server, server);
        assert_eq!(found.params.get(), r#"{"taskId":"a:b"}"#);
        let polled = raw(r#"{"resultType":"complete","taskId":"a:b"}"#);
        let polled = for_host(&server, "tasks/get", polled);
        assert_eq!(
            polled.get(),
            r#"{"resultType":"complete","taskId":"builds:a:b"}"#
        );
    }

    #[test]
    fn what_is_no_task_stays_as_it_is() {
        let server = ServerName::parse("builds").unwrap();
        for other in [
            r#"{"taskId":"1"}"#,
            r#"{"resultType":"complete","taskId":"1"}"#,
            r#"{"resultType":"task","taskId":7}"#,
        ] {
            assert_eq!(for_host(&server, "tools/call", raw(other)).get(), other);
        }
        for bad in [
            "{}",
            r#"{"taskId":"1"}"#,
            r#"{"taskId":"a b:1"}"#,
            r#"{"taskId":7}"#,
        ] {
            assert!(
                matches!(route("tasks/get", &raw(bad)), Err(Fault::BadParams(_))),
                "{bad}"
            );
        }
    }
}
