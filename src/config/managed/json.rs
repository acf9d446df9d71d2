//! JSON as TOML on one line, so that whatever reads settings reads them, too.
//!
//! Nothing is lost on the way: a name that stands twice is written twice, for the reader of TOML to
//! refuse. What TOML has no word for, `null`, is as good as absent.

use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The value as TOML.
///
/// # Errors
/// When it is not JSON.
pub(super) fn to_toml(json: &str) -> Result<String, serde_json::Error> {
    let mut toml = String::with_capacity(json.len() + 16);
    let mut reader = serde_json::Deserializer::from_str(json);
    Writer(&mut toml).deserialize(&mut reader)?;
    reader.end()?;
    Ok(toml)
}

/// A text in TOML's basic quotes: those of JSON, but for one character that TOML does not allow.
pub(super) fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.replace('\u{7f}', "\\u007f")
}

/// Writes what it is shown; says whether there was anything to write.
struct Writer<'w>(&'w mut String);

impl Writer<'_> {
    fn put(self, text: impl fmt::Display) -> bool {
        // Writing to a string does not fail.
        let _written = write!(self.0, "{text}");
        true
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        Ok(self.put(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        Ok(self.put(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        Ok(self.put(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<bool, E> {
        Ok(self.put(format_args!("{value:?}")))
    }

    fn visit_str<E>(self, value: &str) -> Result<bool, E> {
        Ok(self.put(quoted(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
        self.0.push('[');
        while let Some(written) = elements.next_element_seed(Writer(self.0))? {
            self.0.push_str(if written { ", " } else { "" });
        }
        Ok(Writer(self.0).put(']'))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        self.0.push('{');
        let mut separator = " ";
        while let Some(key) = members.next_key::<String>()? {
            let before = self.0.len();
            let _written = write!(self.0, "{separator}{} = ", quoted(&key));
            if members.next_value_seed(Writer(self.0))? {
                separator = ", ";
            } else {
                self.0.truncate(before);
            }
        }
        Ok(Writer(self.0).put(" }"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_toml_of_the_same_meaning() {
        for (json, expected) in [
            (r#"["a", "b\n\"\u007f"]"#, r#"["a", "b\n\"\u007f", ]"#),
            (
                r#"{"a": 1, "b.c": null, "d": [true, {}]}"#,
                r#"{ "a" = 1, "d" = [true, { }, ] }"#,
            ),
            (r#"{"mcp:admin": ""}"#, r#"{ "mcp:admin" = "" }"#),
            (
                "[-1, 2.0, 1e30, 18446744073709551615]",
                "[-1, 2.0, 1e30, 18446744073709551615, ]",
            ),
            ("[null, 1]", "[1, ]"),
        ] {
            let toml = to_toml(json).unwrap();
            assert_eq!(toml, expected);
        }
        let line = format!(
            "x = {}",
            to_toml(r#"[{"a": "\ud83d\ude00", "b": []}]"#).unwrap()
        );
        assert!(line.parse::<toml::Table>().is_ok(), "{line}");
        for wrong in ["[", "{\"a\" 1}", "[1] x", "{'a': 1}", "[\"a\n\"]"] {
            assert!(to_toml(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_stands_twice_is_left_for_the_reader_to_refuse() {
        let line = format!("x = {}", to_toml(r#"{"a": 1, "a": 2}"#).unwrap());
        assert!(line.parse::<toml::Table>().is_err(), "{line}");
    }
}
