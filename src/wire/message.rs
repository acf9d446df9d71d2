//! The envelope of a message.

use crate::bounds::DEPTH;
use std::fmt;

use super::code;
use super::leap::string_end;
use super::object::{Object, ObjectError, quoted};
use super::raw::Raw;

const KEYS: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// A request's identity: a string or a number, in the sender's own spelling.
#[derive(Clone)]
pub struct Id(Box<str>);

impl Id {
    /// An identity whose JSON this is.
    pub(super) fn of_text(json: impl Into<Box<str>>) -> Self {
        Self(json.into())
    }

    /// The identity as JSON.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// The identity as a value.
    #[must_use]
    pub fn as_value(&self) -> Raw {
        Raw::assembled(&*self.0)
    }

    /// The identity as a number of our own making, if it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// Reads a string or a number.
    #[must_use]
    pub fn from_raw(raw: &Raw) -> Option<Self> {
        let first = *raw.get().as_bytes().first()?;
        (first == b'"' || first == b'-' || first.is_ascii_digit()).then(|| Self(raw.get().into()))
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Id {}

impl std::hash::Hash for Id {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A question that wants an answer.
#[derive(Debug, Clone)]
pub struct Request {
    /// What the answer will carry.
    pub id: Id,
    /// What is asked for.
    pub method: Box<str>,
    /// With what; an object, if present.
    pub params: Option<Raw>,
}

/// A message that wants no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// What is told.
    pub method: Box<str>,
    /// With what; an object, if present.
    pub params: Option<Raw>,
}

/// An answer: a result, or an error object.
#[derive(Debug, Clone)]
pub struct Response {
    /// The request's identity; a peer that could not read it sends `null`.
    pub id: Option<Id>,
    /// `result`, or the whole `error` object.
    pub outcome: Result<Raw, Raw>,
}

/// Any message.
#[derive(Debug, Clone)]
pub enum Message {
    /// A question.
    Request(Request),
    /// A notice.
    Notification(Notification),
    /// An answer.
    Response(Response),
}

/// Text that is no message, with what an answer to it needs.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Malformed {
    /// The JSON-RPC error code that fits.
    pub code: i32,
    /// The identity, where it could be read.
    pub id: Option<Id>,
    /// What is wrong, without quoting the text.
    pub reason: Box<str>,
}

impl Malformed {
    fn new(code: i32, id: Option<Id>, reason: impl Into<Box<str>>) -> Self {
        Self {
            code,
            id,
            reason: reason.into(),
        }
    }
}

impl Message {
    /// Reads one message.
    ///
    /// # Errors
    /// When the text is no JSON, nests too deeply, is a batch (which no revision after 2025-03-26
    /// has), repeats or imitates a protocol key, or is not one of the three kinds.
    pub fn parse(line: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(line)
            .map_err(|_| Malformed::new(code::PARSE_ERROR, None, "the message is not UTF-8"))?;
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if nests_deeper(text, DEPTH) {
            let reason = format!("the message nests deeper than {DEPTH} levels");
            return Err(Malformed::new(code::PARSE_ERROR, None, reason));
        }
        if text.starts_with('[') {
            let reason = "batches are not supported; send one message per line";
            return Err(Malformed::new(code::INVALID_REQUEST, None, reason));
        }
        let whole = Raw::parse(text).map_err(|error| {
            let reason = format!("the message is not JSON: {error}");
            Malformed::new(code::PARSE_ERROR, None, reason)
        })?;
        Envelope::of(&whole)?.classify()
    }

    /// Appends the message as one line of JSON with its line feed.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        match self {
            Self::Request(request) => write_request(request, out),
            Self::Notification(notice) => write_call(&notice.method, notice.params.as_ref(), out),
            Self::Response(response) => response.write(out),
        }
        out.push(b'\n');
    }
}

fn write_request(request: &Request, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(request.id.as_json().as_bytes());
    out.extend_from_slice(br#","method":"#);
    write_method(&request.method, request.params.as_ref(), out);
}

fn write_call(method: &str, params: Option<&Raw>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"#);
    write_method(method, params, out);
}

fn write_method(method: &str, params: Option<&Raw>, out: &mut Vec<u8>) {
    out.extend_from_slice(quoted(method).as_bytes());
    if let Some(params) = params {
        out.extend_from_slice(br#","params":"#);
        write_flat(params.get(), out);
    }
    out.push(b'}');
}

impl Response {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        out.extend_from_slice(self.id.as_ref().map_or("null", Id::as_json).as_bytes());
        let (key, raw): (&[u8], _) = match &self.outcome {
            Ok(result) => (br#","result":"#, result),
            Err(error) => (br#","error":"#, error),
        };
        out.extend_from_slice(key);
        write_flat(raw.get(), out);
        out.push(b'}');
    }
}

/// A line may hold no line feed; between JSON tokens a space says the same.
fn write_flat(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    if memchr::memchr2(b'\n', b'\r', bytes).is_none() {
        out.extend_from_slice(bytes);
    } else {
        out.extend(
            bytes
                .iter()
                .map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b }),
        );
    }
}

struct Envelope<'a> {
    object: Object<'a>,
    id: Option<Id>,
}

impl<'a> Envelope<'a> {
    fn of(message: &'a Raw) -> Result<Self, Malformed> {
        let object = Object::of(message, &KEYS).map_err(|error| {
            let reason = format!("the message is unreadable: {}", unquoted(&error));
            Malformed::new(code::INVALID_REQUEST, None, reason)
        })?;
        let id = object.get("id").and_then(Id::from_raw);
        Ok(Self { object, id })
    }

    fn classify(self) -> Result<Message, Malformed> {
        if self.object.string("jsonrpc").ok().flatten().as_deref() != Some("2.0") {
            return Err(self.refuse("\"jsonrpc\" is not \"2.0\""));
        }
        let has_id = self.object.get("id").is_some();
        match (self.object.get("result"), self.object.get("error")) {
            (Some(_), Some(_)) => Err(self.refuse("both \"result\" and \"error\" are present")),
            (Some(result), None) => self.response(Ok(result)),
            (None, Some(error)) => self.response(Err(error)),
            (None, None) if has_id && self.id.is_none() => {
                Err(self.refuse("\"id\" is neither a string nor a number"))
            }
            (None, None) => self.call(),
        }
    }

    fn response(&self, outcome: Result<&Raw, &Raw>) -> Result<Message, Malformed> {
        if self.object.get("method").is_some() {
            return Err(self.refuse("an answer carries no \"method\""));
        }
        Ok(Message::Response(Response {
            id: self.id.clone(),
            outcome: outcome.cloned().map_err(Clone::clone),
        }))
    }

    fn call(self) -> Result<Message, Malformed> {
        let Ok(Some(method)) = self.object.string("method") else {
            return Err(self.refuse("\"method\" is missing or no string"));
        };
        let method: Box<str> = method.into();
        let params = self.object.get("params").cloned();
        if params.as_ref().is_some_and(|params| !params.is_object()) {
            return Err(self.refuse("\"params\" is not an object"));
        }
        Ok(match self.id {
            Some(id) => Message::Request(Request { id, method, params }),
            None => Message::Notification(Notification { method, params }),
        })
    }

    fn refuse(&self, reason: &str) -> Malformed {
        Malformed::new(code::INVALID_REQUEST, self.id.clone(), reason)
    }
}

/// The error without the key that it names, which is the sender's text and as long as he likes.
fn unquoted(error: &ObjectError) -> String {
    match error {
        ObjectError::Duplicate(_) => "a key appears twice".to_owned(),
        ObjectError::Imitation { expected, .. } => {
            format!("a key differs from {expected:?} in letter case alone")
        }
        ObjectError::Shape | ObjectError::Many | ObjectError::Type { .. } => error.to_string(),
    }
}

/// Counts brackets outside strings, unless there are too few of them in all.
fn nests_deeper(text: &str, limit: usize) -> bool {
    let bytes = text.as_bytes();
    let brackets = memchr::memchr2_iter(b'[', b'{', bytes);
    if brackets.take(limit + 1).count() <= limit {
        return false;
    }
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at + 1),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests;
