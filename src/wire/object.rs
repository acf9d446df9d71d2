//! One level of a JSON object, read strictly and rewritten in place.
//!
//! Members keep their order and their bytes. A key that appears twice is refused, because two
//! parsers may disagree on which one counts, and so is a key that differs from an expected one in
//! letter case alone (CVE-2026-27896).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of one JSON object, borrowed from its text.
#[derive(Debug)]
pub struct Object<'a> {
    source: &'a str,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// Why a value cannot be read as an object.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// Not an object, or not JSON.
    #[error("not a JSON object")]
    Shape(#[source] serde_json::Error),
    /// The same key twice.
    #[error("the key {0:?} appears twice")]
    Duplicate(Box<str>),
    /// A key that imitates an expected one.
    #[error("the key {found:?} differs from {expected:?} in letter case alone")]
    Imitation {
        /// What was sent.
        found: Box<str>,
        /// What it looks like.
        expected: &'static str,
    },
    /// The member is not of the type that its name promises.
    #[error("{key:?} is not {expected}")]
    Type {
        /// The member.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

impl<'a> Object<'a> {
    /// Reads the members of `source`; `expected` are the keys that nothing may imitate.
    ///
    /// # Errors
    /// When it is no object, or a key is there twice or imitates an expected one.
    pub fn parse(source: &'a str, expected: &[&'static str]) -> Result<Self, ObjectError> {
        let Members(members) = serde_json::from_str(source).map_err(ObjectError::Shape)?;
        for (at, (key, _)) in members.iter().enumerate() {
            if members[..at].iter().any(|(earlier, _)| earlier == key) {
                return Err(ObjectError::Duplicate(key.as_ref().into()));
            }
            if let Some(expected) = expected.iter().find(|known| imitates(key, known)) {
                return Err(ObjectError::Imitation {
                    found: key.as_ref().into(),
                    expected,
                });
            }
        }
        Ok(Self { source, members })
    }

    /// The raw value of a member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.members
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| *value)
    }

    /// The members in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.members
            .iter()
            .map(|(key, value)| (key.as_ref(), *value))
    }

    /// The text of a string member.
    ///
    /// # Errors
    /// When the member is there and is no string.
    pub fn string(&self, key: &'static str) -> Result<Option<Cow<'a, str>>, ObjectError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match serde_json::from_str::<Text<'a>>(value.get()) {
            Ok(Text(text)) => Ok(Some(text)),
            Err(_) => Err(ObjectError::Type {
                key,
                expected: "a string",
            }),
        }
    }

    /// The object's text with one member set, or taken out with `None`; every other byte stays.
    #[must_use]
    pub fn with(&self, key: &str, value: Option<&str>) -> String {
        match (
            self.members.iter().position(|(known, _)| known == key),
            value,
        ) {
            (Some(at), Some(value)) => {
                let (start, end) = self.span(self.members[at].1);
                [&self.source[..start], value, &self.source[end..]].concat()
            }
            (Some(at), None) => self.without(at),
            (None, Some(value)) => self.append(key, value),
            (None, None) => self.source.to_owned(),
        }
    }

    fn without(&self, skipped: usize) -> String {
        let mut text = String::with_capacity(self.source.len());
        text.push('{');
        let kept = self
            .members
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != skipped);
        for (nth, (_, (key, value))) in kept.enumerate() {
            if nth > 0 {
                text.push(',');
            }
            text.push_str(&quoted(key));
            text.push(':');
            text.push_str(value.get());
        }
        text.push('}');
        text
    }

    fn append(&self, key: &str, value: &str) -> String {
        let end = self.source.rfind('}').unwrap_or(self.source.len());
        let comma = if self.members.is_empty() { "" } else { "," };
        [
            self.source[..end].trim_end(),
            comma,
            &quoted(key),
            ":",
            value,
            "}",
        ]
        .concat()
    }

    /// Where a member's value lies in the source, which it borrows from.
    fn span(&self, value: &RawValue) -> (usize, usize) {
        let start = value.get().as_ptr().addr() - self.source.as_ptr().addr();
        (start, start + value.get().len())
    }
}

/// A JSON string literal of the text.
#[must_use]
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn imitates(key: &str, expected: &str) -> bool {
    key != expected
        && key
            .to_lowercase()
            .replace('ſ', "s")
            .replace('\u{212a}', "k")
            == expected.to_lowercase()
}

struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(Text(key)) = map.next_key()? {
                    members.push((key, map.next_value::<&'de RawValue>()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_a_member_leaves_every_other_byte() {
        let source = r#"{ "a" : 1e400,"name":"x", "n":12345678901234567890123 , "z":[1, 2] }"#;
        let object = Object::parse(source, &["name"]).unwrap();
        assert_eq!(
            object.with("name", Some("\"yy\"")),
            source.replace("\"x\"", "\"yy\"")
        );
        assert_eq!(
            object.with("name", None),
            r#"{"a":1e400,"n":12345678901234567890123,"z":[1, 2]}"#
        );
        assert_eq!(
            Object::parse("{}", &[]).unwrap().with("k", Some("1")),
            r#"{"k":1}"#
        );
        assert_eq!(
            Object::parse("{\"a\":{} }", &[])
                .unwrap()
                .with("k", Some("1")),
            r#"{"a":{},"k":1}"#
        );
    }

    #[test]
    fn ambiguous_keys_are_refused() {
        for bad in [
            r#"{"name":1,"name":2}"#,
            r#"{"Name":1}"#,
            "{\"param\u{17f}\":1}",
            r#"{"na\u006de":1,"name":2}"#,
        ] {
            assert!(Object::parse(bad, &["name", "params"]).is_err(), "{bad}");
        }
        assert!(Object::parse(r#"{"other":1,"Other":2}"#, &["name"]).is_ok());
    }
}
