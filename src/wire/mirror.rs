//! Parameters that a tool wants repeated in the head of the request (MCP 2026-07-28,
//! basic/transports/streamable-http, custom headers): `x-mcp-header` in its input schema.

use crate::bounds::{MIRROR_DEPTH, MIRRORS};
use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::object::Object;
use super::raw::Raw;

const KEY: &str = "x-mcp-header";
/// What a value looks like that is not repeated as it is.
const OPENING: &str = "=?base64?";
const CLOSING: &str = "?=";
/// The largest integer that every JSON reader keeps exactly: 2^53 - 1.
const SAFE_INTEGER: i64 = (1 << 53) - 1;

/// One parameter that is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The header is `Mcp-Param-` and this.
    pub header: Box<str>,
    /// Where the parameter lies in the arguments.
    path: Box<[Box<str>]>,
}

/// Why a tool cannot be called with the headers that it asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMirror {
    /// The name is none for a header.
    #[error("the \"x-mcp-header\" {0:?} is no name of a header")]
    Name(Box<str>),
    /// Two parameters share a name.
    #[error("the \"x-mcp-header\" {0:?} appears twice")]
    Twice(Box<str>),
    /// The parameter is no text, integer or boolean.
    #[error("the \"x-mcp-header\" {0:?} is on a parameter that is no string, integer or boolean")]
    Type(Box<str>),
    /// It stands where no single parameter lies.
    #[error("an \"x-mcp-header\" stands outside of the properties of the schema")]
    Place,
    /// There are too many, or they lie too deep.
    #[error(
        "more than {MIRRORS} parameters have an \"x-mcp-header\", or one lies deeper than {MIRROR_DEPTH} levels"
    )]
    Many,
}

/// The parameters that a tool's definition wants repeated.
///
/// # Errors
/// When the definition breaks a rule of the revision; the tool is then not to be shown.
pub fn of(definition: &Raw) -> Result<Vec<Mirror>, BadMirror> {
    // Nearly no tool has any.
    if memchr::memmem::find(definition.get().as_bytes(), KEY.as_bytes()).is_none() {
        return Ok(Vec::new());
    }
    let schema = Object::of(definition, &[]).ok();
    let schema = schema.and_then(|definition| definition.get("inputSchema").cloned());
    let Some(schema) = schema else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    collect(&schema, &mut Vec::new(), &mut found)?;
    if count(&schema) != found.len() {
        return Err(BadMirror::Place);
    }
    let mut names = BTreeSet::new();
    for mirror in &found {
        if !names.insert(mirror.header.to_ascii_lowercase()) {
            return Err(BadMirror::Twice(mirror.header.clone()));
        }
    }
    Ok(found)
}

/// Goes down the chain of `properties`.
fn collect(
    schema: &Raw,
    path: &mut Vec<Box<str>>,
    found: &mut Vec<Mirror>,
) -> Result<(), BadMirror> {
    let Ok(schema) = Object::of(schema, &[]) else {
        return Ok(());
    };
    if let Some(name) = schema.get(KEY).filter(|_| !path.is_empty()) {
        found.push(Mirror {
            header: header(name, &schema)?,
            path: path.as_slice().into(),
        });
    }
    if found.len() > MIRRORS || path.len() > MIRROR_DEPTH {
        return Err(BadMirror::Many);
    }
    let Some(properties) = schema.get("properties") else {
        return Ok(());
    };
    let Ok(properties) = Object::of(properties, &[]) else {
        return Ok(());
    };
    for (key, inner) in properties.iter() {
        path.push(key.into());
        collect(inner, path, found)?;
        path.pop();
    }
    Ok(())
}

fn header(name: &Raw, schema: &Object<'_>) -> Result<Box<str>, BadMirror> {
    let text: Box<str> = serde_json::from_str(name.get()).unwrap_or_default();
    let bad = || BadMirror::Name(if text.is_empty() { name.get() } else { &*text }.into());
    if text.is_empty() || !text.bytes().all(is_token) {
        return Err(bad());
    }
    let kind = schema.string("type").ok().flatten();
    if !matches!(kind.as_deref(), Some("string" | "integer" | "boolean")) {
        return Err(BadMirror::Type(text));
    }
    Ok(text)
}

/// `tchar` (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// How many annotations there are anywhere in a schema; a property of that name is none.
fn count(schema: &Raw) -> usize {
    fn walk(value: &serde_json::Value, names: bool) -> usize {
        match value {
            serde_json::Value::Array(items) => items.iter().map(|item| walk(item, false)).sum(),
            serde_json::Value::Object(members) => {
                let own = usize::from(!names && members.contains_key(KEY));
                let inner = members.iter().map(|(key, value)| {
                    let of_names =
                        !names && matches!(&**key, "properties" | "$defs" | "definitions");
                    let is_data =
                        !names && matches!(&**key, "default" | "const" | "enum" | "examples");
                    if is_data { 0 } else { walk(value, of_names) }
                });
                own + inner.sum::<usize>()
            }
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => 0,
        }
    }
    let value: Result<serde_json::Value, _> = serde_json::from_str(schema.get());
    value.map_or(0, |value| walk(&value, false))
}

impl Mirror {
    /// The value of the header for these arguments; `None` if the parameter is absent, `null`, or
    /// not of a kind that can be repeated.
    #[must_use]
    pub fn value(&self, arguments: &Raw) -> Option<String> {
        let mut value = arguments.clone();
        for key in &self.path {
            value = Object::of(&value, &[]).ok()?.get(key)?.clone();
        }
        let text = value.get();
        match text.as_bytes().first()? {
            b'"' => serde_json::from_str::<String>(text)
                .ok()
                .map(|text| encoded(&text)),
            b't' | b'f' => Some(text.to_owned()),
            b'-' | b'0'..=b'9' => integer(text).map(|number| number.to_string()),
            _ => None,
        }
    }
}

/// An integer within the safe range, whichever way it is written (`42`, `42.0`).
fn integer(text: &str) -> Option<i64> {
    let number = text.parse().ok().or_else(|| {
        let (whole, fraction) = text.split_once('.')?;
        let is_whole = fraction.bytes().all(|digit| digit == b'0');
        is_whole.then(|| whole.parse().ok()).flatten()
    })?;
    (-SAFE_INTEGER..=SAFE_INTEGER)
        .contains(&number)
        .then_some(number)
}

/// A text as the value of a header: as it is, or encoded where it could not be told from another.
#[must_use]
pub fn encoded(text: &str) -> String {
    let plain = text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    let padded = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    let ambiguous = text.starts_with(OPENING) && text.ends_with(CLOSING);
    if plain && !padded && !ambiguous {
        return text.to_owned();
    }
    format!("{OPENING}{}{CLOSING}", STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirrors(schema: &str) -> Result<Vec<(String, String)>, BadMirror> {
        let definition = format!(r#"{{"name":"t","inputSchema":{schema}}}"#);
        let found = of(&Raw::parse(&definition).unwrap())?;
        let pairs = found
            .iter()
            .map(|m| (m.header.to_string(), m.path.join(".")));
        Ok(pairs.collect())
    }

    #[test]
    fn annotations_are_found_along_properties() {
        let schema = r#"{"properties":{"region":{"type":"string","x-mcp-header":"Region"},
            "x-mcp-header":{"type":"string"},
            "at":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}}"#;
        assert_eq!(
            mirrors(schema).unwrap(),
            [
                ("Region".into(), "region".into()),
                ("N".into(), "at.n".into())
            ]
        );
        assert_eq!(mirrors(r#"{"type":"object"}"#).unwrap(), []);
        assert_eq!(
            mirrors(r#"{"properties":{"a":{"type":"string","default":{"x-mcp-header":"A"}}}}"#),
            Ok(Vec::new())
        );
    }

    #[test]
    fn annotations_against_the_rules_are_refused() {
        let of = |name: &str, kind: &str| {
            mirrors(&format!(
                r#"{{"properties":{{"a":{{"type":"{kind}","x-mcp-header":{name}}}}}}}"#
            ))
        };
        assert_eq!(of("\"\"", "string"), Err(BadMirror::Name("\"\"".into())));
        assert_eq!(of("\"a b\"", "string"), Err(BadMirror::Name("a b".into())));
        assert_eq!(
            of("\"a\\r\\nb\"", "string"),
            Err(BadMirror::Name("a\r\nb".into()))
        );
        assert_eq!(of("7", "string"), Err(BadMirror::Name("7".into())));
        assert_eq!(of("\"A\"", "number"), Err(BadMirror::Type("A".into())));
        assert_eq!(of("\"A\"", "object"), Err(BadMirror::Type("A".into())));
        let twice = r#"{"properties":{"a":{"type":"string","x-mcp-header":"X"},
            "b":{"type":"string","x-mcp-header":"x"}}}"#;
        assert_eq!(mirrors(twice), Err(BadMirror::Twice("x".into())));
        for misplaced in [
            r#"{"x-mcp-header":"A"}"#,
            r#"{"properties":{"l":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}}"#,
            r#"{"oneOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]}"#,
            r#"{"$defs":{"d":{"type":"string","x-mcp-header":"A"}}}"#,
            r#"{"if":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}"#,
        ] {
            assert_eq!(mirrors(misplaced), Err(BadMirror::Place), "{misplaced}");
        }
    }

    #[test]
    fn values_are_repeated_as_the_revision_has_it() {
        for (text, header) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            ("", ""),
        ] {
            assert_eq!(encoded(text), header, "{text:?}");
        }
        let mirror = Mirror {
            header: "N".into(),
            path: ["at".into(), "n".into()].into(),
        };
        let value =
            |n: &str| mirror.value(&Raw::parse(&format!(r#"{{"at":{{"n":{n}}}}}"#)).unwrap());
        assert_eq!(value("42").as_deref(), Some("42"));
        assert_eq!(value("-7.0").as_deref(), Some("-7"));
        assert_eq!(value("true").as_deref(), Some("true"));
        for absent in ["null", "1.5", "9007199254740992", "1e400", "{}", "[]"] {
            assert_eq!(value(absent), None, "{absent}");
        }
        assert_eq!(mirror.value(&Raw::empty_object()), None);
    }
}
