//! Requests that stand alone (MCP 2026-07-28, basic, `_meta`): each says which revision it speaks,
//! who sends it and what the sender can do.

use super::level::Level;
use super::message::Notification;
use super::object::{Object, ObjectError};
use super::raw::Raw;
use super::revision;

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// Names the subscription that a notification belongs to.
pub const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
/// Names the server in a result.
pub const SERVER: &str = "io.modelcontextprotocol/serverInfo";

/// What a request says of itself.
#[derive(Debug)]
pub struct Terms {
    /// `clientInfo`, as it came.
    pub client: Option<Raw>,
    /// `clientCapabilities`, as they came.
    pub capabilities: Raw,
    /// From which level on the sender wants the log messages of this request.
    pub level: Option<Level>,
    /// The parameters without what is said here: that is between the two ends of one connection,
    /// and a server of another revision would misread it. The rest of `_meta` stays.
    pub params: Raw,
}

/// Why a request cannot be served on its terms.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// It speaks another revision.
    #[error("Unsupported protocol version")]
    Version(Box<str>),
    /// Something that every request has to say is missing or of the wrong type.
    #[error("the request's \"_meta\" lacks {0:?}, or it is not of the right type")]
    Lacks(&'static str),
    /// `_meta` cannot be read.
    #[error("the request's \"_meta\" is unreadable: {0}")]
    Unreadable(#[from] ObjectError),
}

/// Reads the terms of a request; `None` if it has none and belongs to a session with a handshake.
///
/// # Errors
/// When it has some and they cannot be met.
pub fn terms(params: &Raw) -> Result<Option<Terms>, TermsError> {
    // Most requests of sessions say nothing of the kind, and some are large.
    if memchr::memmem::find(params.get().as_bytes(), VERSION.as_bytes()).is_none() {
        return Ok(None);
    }
    let outer = Object::of(params, &["_meta"])?;
    let Some(meta) = outer.get("_meta") else {
        return Ok(None);
    };
    let said = Object::of(meta, &[VERSION, CAPABILITIES, CLIENT, LEVEL])?;
    if said.get(VERSION).is_none() {
        return Ok(None);
    }
    let version = said.string(VERSION).ok().flatten();
    let version = version.ok_or(TermsError::Lacks(VERSION))?;
    if version != revision::STATELESS {
        return Err(TermsError::Version(version.into()));
    }
    let capabilities = said.get(CAPABILITIES).filter(|said| said.is_object());
    let capabilities = capabilities.ok_or(TermsError::Lacks(CAPABILITIES))?.clone();
    let level = said.string(LEVEL).map_err(|_| TermsError::Lacks(LEVEL))?;
    let level = level.map(|level| Level::parse(&level).ok_or(TermsError::Lacks(LEVEL)));
    let level = level.transpose()?;
    let client = said.get(CLIENT).cloned();
    let rest = said.without(&[VERSION, CAPABILITIES, CLIENT, LEVEL]);
    let params = if rest.is_empty_object() {
        outer.with("_meta", None)
    } else {
        outer.with("_meta", Some(&rest))
    };
    Ok(Some(Terms {
        client,
        capabilities,
        level,
        params,
    }))
}

/// The parameters of a request of ours that stands alone: those given, with what every request says
/// of its sender. What else `_meta` holds stays.
#[must_use]
pub fn on_terms(params: &Raw, capabilities: &Raw, level: Option<Level>) -> Raw {
    let meta = Object::of(params, &[]).ok();
    let meta = meta.and_then(|params| params.get("_meta").cloned());
    let meta = meta
        .filter(Raw::is_object)
        .unwrap_or_else(Raw::empty_object);
    let Ok(object) = Object::of(&meta, &[]) else {
        return params.clone();
    };
    let client = Raw::empty_object()
        .with("name", &Raw::string(env!("CARGO_PKG_NAME")))
        .with("version", &Raw::string(env!("CARGO_PKG_VERSION")));
    let mut said = vec![
        (VERSION, Raw::string(revision::STATELESS)),
        (CLIENT, client),
        (CAPABILITIES, capabilities.clone()),
    ];
    said.extend(level.map(|level| (LEVEL, Raw::string(level.as_str()))));
    params.with("_meta", &object.with_all(&said))
}

/// A notice without the subscription that it belongs to, which is between the two ends of one
/// connection.
#[must_use]
pub fn untagged(notice: Notification) -> Notification {
    let params = notice.params.map(|params| {
        let Ok(outer) = Object::of(&params, &[]) else {
            return params.clone();
        };
        let meta = outer
            .get("_meta")
            .and_then(|meta| Object::of(meta, &[]).ok());
        let Some(meta) = meta.filter(|meta| meta.get(SUBSCRIPTION).is_some()) else {
            return params.clone();
        };
        let rest = meta.without(&[SUBSCRIPTION]);
        outer.with("_meta", Some(&rest).filter(|rest| !rest.is_empty_object()))
    });
    Notification { params, ..notice }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(params: &str) -> Result<Option<Terms>, TermsError> {
        terms(&Raw::parse(params).unwrap())
    }

    #[test]
    fn terms_are_read_and_taken_out() {
        let params = r#"{"name":"x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
            "io.modelcontextprotocol/clientCapabilities":{"roots":{}},"progressToken":7,
            "io.modelcontextprotocol/clientInfo":{"name":"h"},"traceparent":"00-a-b-01",
            "io.modelcontextprotocol/logLevel":"notice"}}"#;
        let terms = read(params).unwrap().unwrap();
        assert_eq!(terms.client.unwrap().get(), r#"{"name":"h"}"#);
        assert_eq!(terms.level, Some(Level::Notice));
        assert_eq!(
            terms.params.get(),
            r#"{"name":"x","_meta":{"progressToken":7,"traceparent":"00-a-b-01"}}"#
        );
        let alone = r#"{"_meta":{"io.modelcontextprotocol/clientCapabilities":{},
            "io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
        assert_eq!(read(alone).unwrap().unwrap().params.get(), "{}");
    }

    #[test]
    fn requests_on_terms_say_them_and_keep_the_rest() {
        let params = r#"{"n":1e400,"_meta":{"progressToken":7,"x/y":[1],
            "io.modelcontextprotocol/protocolVersion":"1900-01-01"}}"#;
        let abilities = Raw::parse(r#"{"roots":{}}"#).unwrap();
        let sent = on_terms(&Raw::parse(params).unwrap(), &abilities, Some(Level::Error));
        let terms = terms(&sent).unwrap().unwrap();
        assert_eq!(terms.capabilities, abilities);
        assert_eq!(terms.level, Some(Level::Error));
        assert!(
            terms
                .client
                .unwrap()
                .get()
                .starts_with(r#"{"name":"chaperone""#)
        );
        assert_eq!(
            terms.params.get(),
            r#"{"n":1e400,"_meta":{"progressToken":7,"x/y":[1]}}"#
        );
        let bare = on_terms(&Raw::empty_object(), &Raw::empty_object(), None);
        assert!(!bare.get().contains("logLevel"));
    }

    #[test]
    fn requests_of_sessions_have_none() {
        for params in [
            "{}",
            r#"{"_meta":{"progressToken":1}}"#,
            r#"{"arguments":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
            r#"{"_meta":{"x":"io.modelcontextprotocol/protocolVersion"}}"#,
        ] {
            assert!(read(params).unwrap().is_none(), "{params}");
        }
    }

    #[test]
    fn terms_that_cannot_be_met_are_told_apart() {
        let meta = |meta: &str| read(&format!("{{\"_meta\":{meta}}}")).unwrap_err();
        assert_eq!(
            meta(r#"{"io.modelcontextprotocol/protocolVersion":"1900-01-01"}"#),
            TermsError::Version("1900-01-01".into())
        );
        for (lacking, what) in [
            (r#"{"io.modelcontextprotocol/protocolVersion":7}"#, VERSION),
            (
                r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#,
                CAPABILITIES,
            ),
            (
                r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities":[]}"#,
                CAPABILITIES,
            ),
            (
                r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities":{},
                    "io.modelcontextprotocol/logLevel":"loud"}"#,
                LEVEL,
            ),
        ] {
            assert_eq!(meta(lacking), TermsError::Lacks(what), "{lacking}");
        }
        let twice = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
            "io.modelcontextprotocol/protocolVersion":"2025-11-25"}"#;
        assert!(matches!(meta(twice), TermsError::Unreadable(_)));
    }
}
