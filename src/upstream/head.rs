//! Heads of requests, and what the heads of answers say.

use std::time::Duration;

use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE,
};

use crate::bounds::{CHALLENGE, LONGEST_WAIT};
use crate::login::Grant;
use crate::wire::leap::string_end;
use crate::wire::mirror::{self, Mirror};
use crate::wire::{Object, Raw, TraceContext, method, revision};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const PARAMETER: &str = "mcp-param-";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE: HeaderName = HeaderName::from_static("traceparent");
pub(super) const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// The names under which a request is found again in the gateway's log and ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trace<'a> {
    /// `X-Request-Id`
    pub(super) request_id: &'a str,
    /// The trace, and our span in it.
    pub(super) context: &'a TraceContext,
}

/// What every request to a server has in its head; `session` and `revision` once they are known.
#[derive(Debug, Clone, Default)]
pub(super) struct Heads {
    post: HeaderMap,
    get: HeaderMap,
    has_session: bool,
}

/// What the head of a request that stands alone repeats of its body (MCP 2026-07-28,
/// basic/transports/streamable-http, standard request headers).
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeated<'a> {
    pub(super) method: &'a str,
    pub(super) params: Option<&'a Raw>,
    /// The parameters that the tool wants repeated.
    pub(super) mirrors: &'a [Mirror],
}

impl Heads {
    /// Before a session is open.
    pub(super) fn new() -> Self {
        let mut post = HeaderMap::with_capacity(8);
        post.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let both = HeaderValue::from_static("application/json, text/event-stream");
        post.insert(ACCEPT, both);
        let mut get = HeaderMap::with_capacity(6);
        get.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let has_session = false;
        Self {
            post,
            get,
            has_session,
        }
    }

    /// Once it is open.
    pub(super) fn opened(revision: &'static str, session: Option<&HeaderValue>) -> Self {
        let mut heads = Self::new();
        heads.has_session = session.is_some();
        for head in [&mut heads.post, &mut heads.get] {
            head.insert(REVISION, HeaderValue::from_static(revision));
            if let Some(session) = session {
                head.insert(SESSION, session.clone());
            }
        }
        heads
    }

    /// For requests that stand alone.
    pub(super) fn alone() -> Self {
        let mut heads = Self::new();
        for head in [&mut heads.post, &mut heads.get] {
            head.insert(REVISION, HeaderValue::from_static(revision::STATELESS));
        }
        heads
    }

    /// Whether the server gave the session a name.
    pub(super) fn has_session(&self) -> bool {
        self.has_session
    }

    /// The head of a message.
    pub(super) fn post(&self, bearer: Option<&Grant>, trace: Option<Trace<'_>>) -> HeaderMap {
        let mut head = self.post.clone();
        sign(&mut head, bearer);
        if let Some(trace) = trace {
            insert(&mut head, REQUEST_ID, trace.request_id.as_bytes());
            insert(&mut head, TRACE, trace.context.to_string().as_bytes());
        }
        head
    }

    /// The head of a request for a stream, or for the end of the session.
    pub(super) fn get(&self, bearer: Option<&Grant>, after: Option<&str>) -> HeaderMap {
        let mut head = self.get.clone();
        sign(&mut head, bearer);
        if let Some(id) = after {
            insert(&mut head, LAST_EVENT, id.as_bytes());
        }
        head
    }
}

fn sign(head: &mut HeaderMap, bearer: Option<&Grant>) {
    let Some(grant) = bearer else { return };
    let text = ["Bearer ", grant.token().expose()].concat();
    if let Ok(mut value) = HeaderValue::from_maybe_shared(bytes::Bytes::from(text)) {
        value.set_sensitive(true);
        head.insert(AUTHORIZATION, value);
    }
}

/// Puts into a head what it repeats of the body.
pub(super) fn repeat(head: &mut HeaderMap, what: Repeated<'_>) {
    insert(head, METHOD, what.method.as_bytes());
    let key = match what.method {
        method::TOOLS_CALL | method::PROMPTS_GET => "name",
        method::RESOURCES_READ => "uri",
        asked if method::is_of_tasks(asked) => "taskId",
        _ => return,
    };
    let Some(params) = what.params.and_then(|params| Object::of(params, &[]).ok()) else {
        return;
    };
    if let Ok(Some(name)) = params.string(key) {
        insert(head, NAME, mirror::encoded(&name).as_bytes());
    }
    let Some(arguments) = params.get("arguments") else {
        return;
    };
    for parameter in what.mirrors {
        let name = format!("{PARAMETER}{}", parameter.header);
        if let (Ok(name), Some(value)) = (name.parse(), parameter.value(arguments)) {
            insert(head, name, value.as_bytes());
        }
    }
}

/// What no header can carry is left out.
fn insert(head: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        head.insert(name, value);
    }
}

/// The session that an answer to `initialize` opens; visible ASCII only, as the specification has
/// it. Marked sensitive, because whoever knows it can speak in the session.
pub(super) fn session(head: &HeaderMap) -> Option<HeaderValue> {
    let mut value = head.get(SESSION)?.clone();
    let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
    value.set_sensitive(true);
    (visible && !value.is_empty()).then_some(value)
}

/// What a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// `application/json`, or nothing said.
    Json,
    /// `text/event-stream`
    Events,
    /// Anything else.
    Other(Box<str>),
}

pub(super) fn kind(head: &HeaderMap) -> Kind {
    let Some(value) = head.get(CONTENT_TYPE) else {
        return Kind::Json;
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Kind::Json
    } else if essence.eq_ignore_ascii_case("text/event-stream") {
        Kind::Events
    } else {
        Kind::Other(super::scrub::clean(essence))
    }
}

/// `Retry-After` in seconds; its form with a date is not read, because it would need the server's
/// clock to be right.
pub(crate) fn retry_after(head: &HeaderMap) -> Option<Duration> {
    let text = head.get(RETRY_AFTER)?.to_str().ok()?;
    let seconds = text.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// The scope that a 403 asks for: `WWW-Authenticate: Bearer error="insufficient_scope",
/// scope="..."` (RFC 6750 §3).
pub(crate) fn missing_scope(head: &HeaderMap) -> Option<&str> {
    let challenges = head.get_all(WWW_AUTHENTICATE).iter().take(8);
    let mut texts = challenges.filter_map(|value| value.to_str().ok());
    let text = texts.find(|text| {
        text.len() <= CHALLENGE && parameter(text, "error") == Some("insufficient_scope")
    })?;
    parameter(text, "scope").filter(|scope| !scope.is_empty())
}

/// What a 401 complains about: `error_description`, else `error`.
pub(crate) fn complaint(head: &HeaderMap) -> &str {
    let texts = head.get_all(WWW_AUTHENTICATE).iter().take(8);
    let mut texts = texts.filter_map(|value| value.to_str().ok());
    let said = texts.find_map(|text| {
        let text = text.get(..CHALLENGE).unwrap_or(text);
        parameter(text, "error_description").or_else(|| parameter(text, "error"))
    });
    said.unwrap_or_default()
}

/// A parameter of a challenge, the first of this name. Escapes are not undone: no scope has one.
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let mut parameters = Parameters(challenge);
    let (_, value) = parameters.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(value)
}

/// The parameters of all challenges in a header (RFC 9110 §11.6.1), without the schemes and what
/// stands beside them unnamed. Ends at a quote that is not closed.
struct Parameters<'a>(&'a str);

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let text = self.0.trim_start_matches([' ', '\t', ',']);
            let (name, rest) = text.split_at(text.find([' ', '\t', ',', '='])?);
            self.0 = rest;
            let Some(after) = rest.trim_start().strip_prefix('=') else {
                continue;
            };
            let (value, rest) = value(after.trim_start())?;
            self.0 = rest;
            if let Some(value) = value {
                return Some((name, value));
            }
        }
    }
}

/// The value that a text begins with, and what follows it. There is none where the equals sign
/// belongs to credentials without a name, which may end in such signs.
fn value(text: &str) -> Option<(Option<&str>, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, rest) = quoted.split_at(string_end(quoted.as_bytes(), 0));
        return Some((Some(value), rest.strip_prefix('"')?));
    }
    let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    let is_value = !value.is_empty() && !value.starts_with('=');
    Some((is_value.then_some(value), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_str(text).unwrap())])
    }

    #[test]
    fn a_missing_scope_is_read_from_the_challenge() {
        for (text, scope) in [
            (
                r#"Bearer error="insufficient_scope", scope="a b""#,
                Some("a b"),
            ),
            ("Bearer scope=a,error=insufficient_scope", Some("a")),
            (r#"Bearer realm="x=y", error="insufficient_scope""#, None),
            (r#"Bearer error="invalid_token", scope="a""#, None),
            (r#"Bearer error="insufficient_scope, scope=a"#, None),
            ("Negotiate", None),
            (
                "Negotiate error=, Bearer error = \"insufficient_scope\",\tscope=a",
                Some("a"),
            ),
            (
                r#"Bearer error="insufficient_scope", error_description="no \"scope=all\"", scope="a""#,
                Some("a"),
            ),
        ] {
            assert_eq!(missing_scope(&challenge(text)), scope, "{text}");
        }
    }

    #[test]
    fn a_challenge_of_a_mebibyte_is_not_read() {
        let text = format!(
            r#"Bearer error="insufficient_scope", scope="{}""#,
            "x=,".repeat(1 << 18)
        );
        assert_eq!(missing_scope(&challenge(&text)), None);
    }

    #[test]
    fn a_complaint_ends_where_its_quotes_do() {
        for (text, said) in [
            (
                r#"Bearer error_description="no \"error\" here", error=a"#,
                r#"no \"error\" here"#,
            ),
            (r#"Bearer error="", error_description="\\""#, r"\\"),
            ("Negotiate YQ==, Bearer error=a", "a"),
            (r#"Bearer error="a\""#, ""),
        ] {
            assert_eq!(complaint(&challenge(text)), said, "{text}");
        }
    }

    #[test]
    fn a_session_name_must_be_visible() {
        let head =
            |text: &[u8]| HeaderMap::from_iter([(SESSION, HeaderValue::from_bytes(text).unwrap())]);
        assert!(session(&head(b"abc-1")).is_some());
        for bad in [&b"a b"[..], b"", b"\xff"] {
            assert!(session(&head(bad)).is_none(), "{bad:?}");
        }
        assert!(!format!("{:?}", session(&head(b"abc-1"))).contains("abc"));
    }

    #[test]
    fn waits_are_bounded() {
        let head = |text| HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
        assert_eq!(retry_after(&head("7")), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&head("99999999999999")), Some(LONGEST_WAIT));
        assert_eq!(retry_after(&head("Wed, 21 Oct 2026 07:28:00 GMT")), None);
    }
}
