//! JSON as text: the parts of a message with the bytes that they came in.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A message whose parts are raw.
#[derive(Debug)]
pub struct Envelope {
    pub id: Option<String>,
    pub method: Option<String>,
    pub params: Option<String>,
    members: Vec<(String, String)>,
}

impl Envelope {
    pub fn read(text: &str) -> Self {
        let members = members(text).unwrap_or_else(|| panic!("no message: {text}"));
        Self {
            id: find(&members, "id"),
            method: find(&members, "method").map(|raw| string(&raw)),
            params: find(&members, "params"),
            members,
        }
    }

    /// `result` or `error`, and its raw value.
    pub fn outcome(&self) -> (&'static str, String) {
        let mut keys = ["result", "error"].into_iter();
        let found = keys.find_map(|key| Some((key, find(&self.members, key)?)));
        found.unwrap_or_else(|| panic!("no answer: {self:?}"))
    }
}

/// The raw keys and values of an object in their order; `None` if it is none.
pub fn members(text: &str) -> Option<Vec<(String, String)>> {
    let read: Borrowed<'_> = serde_json::from_str(text).ok()?;
    let owned =
        |(key, value): &(&RawValue, &RawValue)| (key.get().to_owned(), value.get().to_owned());
    Some(read.0.iter().map(owned).collect())
}

/// The raw value of a member.
pub fn member(text: &str, key: &str) -> Option<String> {
    find(&members(text)?, key)
}

fn find(members: &[(String, String)], key: &str) -> Option<String> {
    let wanted = format!("\"{key}\"");
    let found = members.iter().find(|(key, _)| *key == wanted);
    found.map(|(_, value)| value.clone())
}

/// The object with another value for a member, and every other byte as it was.
pub fn replaced(text: &str, key: &str, value: &str) -> String {
    let wanted = format!("\"{key}\"");
    let members: Vec<(&RawValue, &RawValue)> = serde_json::from_str::<Borrowed<'_>>(text)
        .unwrap_or_else(|error| panic!("{error}: {text}"))
        .0;
    let old = members.iter().find(|(key, _)| key.get() == wanted);
    let old = old.unwrap_or_else(|| panic!("no {key}: {text}")).1.get();
    let start = old.as_ptr().addr() - text.as_ptr().addr();
    [&text[..start], value, &text[start + old.len()..]].concat()
}

/// The raw items of an array.
pub fn items(text: &str) -> Vec<String> {
    let items: Vec<&RawValue> = serde_json::from_str(text).expect("an array");
    items.iter().map(|item| item.get().to_owned()).collect()
}

/// The text of a string.
pub fn string(raw: &str) -> String {
    serde_json::from_str(raw).unwrap_or_else(|error| panic!("{error}: {raw}"))
}

struct Borrowed<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Borrowed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Borrowed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Borrowed(members))
    }
}
