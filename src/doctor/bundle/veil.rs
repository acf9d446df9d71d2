//! What stands between this machine and a reader elsewhere.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use serde_json::Value;

use crate::doctor::clean;

/// Takes out secrets, and puts names of its own in the place of persons and of the home.
pub(super) struct Veil {
    home: Option<String>,
    /// Identifiers of persons, the longest last.
    persons: BTreeSet<(usize, String)>,
    /// Without it nobody can try which person a name stands for; it is kept nowhere.
    key: [u8; 32],
}

/// Identifiers that are shorter stand in too many other words.
const SHORTEST: usize = 4;

impl Veil {
    /// # Errors
    /// When the system gives no random numbers: with a key that is known, names could be tried.
    pub(super) fn new(home: &Path) -> io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let home = home.to_str().filter(|home| home.len() >= SHORTEST);
        Ok(Self {
            home: home.map(str::to_owned),
            persons: BTreeSet::new(),
            key,
        })
    }

    /// Puts a name in the place of a person's identifier from now on.
    pub(super) fn hide(&mut self, person: &str) {
        if person.len() >= SHORTEST {
            self.persons.insert((person.len(), person.to_owned()));
        }
    }

    /// The value with the veil over every text in it; names of members are ours.
    pub(super) fn over(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.over(item)).collect(),
            Value::Object(members) => {
                let members = members.into_iter();
                members
                    .map(|(key, value)| (key, self.over(value)))
                    .collect()
            }
            other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
        }
    }

    fn text(&self, text: &str) -> String {
        let mut text = clean(text);
        if let Some(home) = &self.home {
            text = text.replace(home, "~");
        }
        // The longest first: a shorter identifier may be part of it.
        for (_, person) in self.persons.iter().rev() {
            if text.contains(person) {
                text = text.replace(person, &self.name(person));
            }
        }
        self.without_addresses(&text)
    }

    /// Whoever else is named by an e-mail address.
    fn without_addresses(&self, text: &str) -> String {
        let is_part =
            |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '_' | '-' | '+' | '%');
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_part) {
            let (before, word) = rest.split_at(start);
            let end = word.find(|c| !is_part(c)).unwrap_or(word.len());
            let (word, next) = word.split_at(end);
            out.push_str(before);
            match word.split_once('@') {
                Some((who, place)) if !who.is_empty() && !place.is_empty() => {
                    out.push_str(&self.name(word));
                }
                Some(_) | None => out.push_str(word),
            }
            rest = next;
        }
        out.push_str(rest);
        out
    }

    fn name(&self, person: &str) -> String {
        let digest = blake3::keyed_hash(&self.key, person.as_bytes()).to_hex();
        format!("person-{}", digest.split_at(8).0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn persons_and_the_home_have_other_names() {
        let mut veil = Veil::new(Path::new("/home/ann")).unwrap();
        veil.hide("sub-12345");
        veil.hide("sub-1234");
        let value =
            json!({"a": ["/home/ann/x of sub-12345", 7], "b": {"c": "ann@example.com, bob@x.y"}});
        let shown = veil.over(value.clone()).to_string();
        for hidden in ["/home/ann", "sub-1234", "ann@", "example.com", "bob"] {
            assert!(!shown.contains(hidden), "{hidden}: {shown}");
        }
        assert!(shown.contains("~/x of person-"), "{shown}");
        assert_eq!(shown.matches("person-").count(), 3);
        assert_eq!(shown, veil.over(value.clone()).to_string());
        let mut other = Veil::new(Path::new("/home/ann")).unwrap();
        other.hide("sub-12345");
        assert_ne!(shown, other.over(value).to_string(), "keys differ");
    }

    #[test]
    fn secrets_are_taken_out_on_the_way() {
        let veil = Veil::new(Path::new("/home/ann")).unwrap();
        let shown = veil.over(json!([
            "https://u:p4ss@h/x?key=v",
            "password=hunter2hunter2"
        ]));
        let shown = shown.to_string();
        for hidden in ["p4ss", "key=v", "hunter2"] {
            assert!(!shown.contains(hidden), "{hidden}: {shown}");
        }
    }
}
