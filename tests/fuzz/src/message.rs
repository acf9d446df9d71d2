//! What a line says, read off a whole tree.

use crate::json::{Kind, Value, unescape};

/// The deepest nesting that the program reads.
const DEPTH_LIMIT: usize = 256;
const KEYS: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// A message, as the texts of its parts.
#[derive(Debug)]
pub enum Message<'a> {
    /// Identity, method, params.
    Request(&'a str, String, Option<&'a Value<'a>>),
    /// Method, params.
    Notification(String, Option<&'a Value<'a>>),
    /// Identity, result or error.
    Response(Option<&'a str>, Result<&'a Value<'a>, &'a Value<'a>>),
}

/// What a text is, that is not a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Nothing<'a> {
    /// It cannot be read as a value.
    Unreadable,
    /// It is a value and no message; the identity, where one can be read.
    NoMessage(Option<&'a str>),
}

/// Reads what [`Value::parse`] has found in a line.
///
/// # Errors
/// When it is no message.
pub fn read<'a>(value: Option<&'a Value<'a>>) -> Result<Message<'a>, Nothing<'a>> {
    let value = value.ok_or(Nothing::Unreadable)?;
    if value.depth() > DEPTH_LIMIT {
        return Err(Nothing::Unreadable);
    }
    let members = members(value, &KEYS).ok_or(Nothing::NoMessage(None))?;
    let get = |key: &str| Some(members.iter().find(|(known, _)| known == key)?.1);
    let id = get("id").filter(|id| is_id(id)).map(|id| id.text);
    let nothing = Nothing::NoMessage(id);
    if get("jsonrpc").and_then(string).as_deref() != Some("2.0") {
        return Err(nothing);
    }
    match (get("result"), get("error")) {
        (Some(_), Some(_)) => Err(nothing),
        (Some(_), None) | (None, Some(_)) if get("method").is_some() => Err(nothing),
        (Some(result), None) => Ok(Message::Response(id, Ok(result))),
        (None, Some(error)) => Ok(Message::Response(id, Err(error))),
        (None, None) => {
            let (method, params) = (get("method").and_then(string), get("params"));
            let fits = params.is_none_or(|params| params.members().is_some());
            match (method, get("id").is_some(), id) {
                (Some(method), true, Some(id)) if fits => Ok(Message::Request(id, method, params)),
                (Some(method), false, _) if fits => Ok(Message::Notification(method, params)),
                _ => Err(nothing),
            }
        }
    }
}

/// The members of an object whose keys are texts, each there once, none imitating an expected one.
#[must_use]
pub fn members<'a>(
    value: &'a Value<'a>,
    expected: &[&str],
) -> Option<Vec<(String, &'a Value<'a>)>> {
    let mut found: Vec<(String, &Value<'_>)> = Vec::new();
    for (key, value) in value.members()? {
        let key = unescape(key)?;
        let imitates = |known: &&str| key != *known && folded(&key) == folded(known);
        if found.iter().any(|(earlier, _)| *earlier == key) || expected.iter().any(imitates) {
            return None;
        }
        found.push((key, value));
    }
    Some(found)
}

/// The text without what a lenient parser takes for a difference in letter case.
fn folded(text: &str) -> String {
    let fold = |c| match c {
        'ſ' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    text.chars().map(fold).collect()
}

fn string(value: &Value<'_>) -> Option<String> {
    matches!(value.kind, Kind::String).then(|| unescape(value.text))?
}

fn is_id(value: &Value<'_>) -> bool {
    let word = ["true", "false", "null"].contains(&value.text);
    matches!(value.kind, Kind::String | Kind::Word) && !word
}
