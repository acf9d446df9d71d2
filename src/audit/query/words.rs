//! Finds words in records.
//!
//! Words are looked for in what a person would read: who, where, what, why, the answer's summary and
//! the arguments. Digests and identifiers are not text; they have their own ways to be found.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

/// Words in lower case; a record has to hold all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Vec<Box<str>>);

/// Where words are looked for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Read<'a> {
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    server: Cow<'a, str>,
    #[serde(borrow)]
    tool_name: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    #[serde(borrow)]
    response_summary: Cow<'a, str>,
    tool_args: Value,
}

impl Words {
    /// Takes a text apart at its spaces.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let words = text.split_whitespace();
        Self(words.map(|word| word.to_lowercase().into()).collect())
    }

    /// Whether all words stand in some records taken together.
    pub(super) fn stand_in<'a>(&self, records: impl Iterator<Item = &'a str>) -> bool {
        let mut all = String::new();
        for record in records {
            let read: Read<'_> = serde_json::from_str(record).unwrap_or_default();
            for text in [
                &read.user_id,
                &read.subject,
                &read.server,
                &read.tool_name,
                &read.reason,
                &read.response_summary,
            ] {
                add(&mut all, text);
            }
            add_value(&mut all, &read.tool_args);
        }
        self.0.iter().all(|word| all.contains(&**word))
    }
}

/// The line break keeps a word from being found across two members.
fn add(all: &mut String, text: &str) {
    all.push_str(&text.to_lowercase());
    all.push('\n');
}

/// The texts, numbers and names of arguments, without the punctuation of JSON; the parser bounds how
/// deep they go.
fn add_value(all: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => add(all, &value.to_string()),
        Value::String(text) => add(all, text),
        Value::Array(items) => items.iter().for_each(|item| add_value(all, item)),
        Value::Object(members) => {
            for (name, value) in members {
                add(all, name);
                add_value(all, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_are_found_in_any_case_wherever_a_person_would_read_them() {
        let record = r#"{"id":"feed","kind":"refusal","user_id":"Jürgen@example.com","server":"Lager",
            "tool_name":"drop_table","reason":"no","tool_args":{"Table":["k\u00e4se",17]}}"#;
        for (words, found) in [
            ("drop_table", true),
            ("DROP table", true),
            ("KÄSE jÜRGEN 17", true),
            ("käse brot", false),
            ("refusal", false),
            ("feed", false),
            ("nodrop", false),
            ("", true),
        ] {
            assert_eq!(
                Words::new(words).stand_in([record].into_iter()),
                found,
                "{words}"
            );
        }
        assert!(!Words::new("x").stand_in(["no record"].into_iter()));
    }
}
