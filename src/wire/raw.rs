//! JSON that is passed on as it came.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::object::{self, Object, quoted};

/// The text of one JSON value. It was checked when it arrived, so that whoever looks into it later
/// can leap over what does not concern him; clones and pieces share one text.
#[derive(Clone)]
pub struct Raw {
    whole: Arc<str>,
    range: Range<usize>,
}

impl Raw {
    /// Checks a text and keeps a copy of it without the blanks around it.
    ///
    /// # Errors
    /// When it is not one JSON value.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let checked: &RawValue = serde_json::from_str(text)?;
        Ok(Self::assembled(checked.get()))
    }

    /// A value as JSON.
    ///
    /// # Errors
    /// When it has no form in JSON: a map whose keys are no texts, or what its own `Serialize`
    /// refuses.
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self::assembled)
    }

    /// A text as a JSON string.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self::assembled(quoted(text))
    }

    /// An object without members.
    #[must_use]
    pub fn empty_object() -> Self {
        Self::assembled("{}")
    }

    /// Text that was put together from valid parts.
    pub(super) fn assembled(text: impl Into<Arc<str>>) -> Self {
        let whole = text.into();
        let range = 0..whole.len();
        Self { whole, range }
    }

    /// A value inside this one.
    pub(super) fn piece(&self, within: Range<usize>) -> Self {
        let start = self.range.start;
        Self {
            whole: Arc::clone(&self.whole),
            range: start + within.start..start + within.end,
        }
    }

    /// The text.
    #[must_use]
    pub fn get(&self) -> &str {
        &self.whole[self.range.clone()]
    }

    /// The object with a member set; anything else stays as it is.
    #[must_use]
    pub fn with(&self, key: &str, value: &Self) -> Self {
        match Object::of(self, &[]) {
            Ok(object) => object.with(key, Some(value)),
            Err(_) => self.clone(),
        }
    }

    /// Whether it is an object without members.
    #[must_use]
    pub fn is_empty_object(&self) -> bool {
        Object::of(self, &[]).is_ok_and(|object| object.iter().next().is_none())
    }

    /// The first items of an array, `most` of them; `None` if it is none.
    #[must_use]
    pub fn items(&self, most: usize) -> Option<Vec<Self>> {
        let places = object::items(self.get(), most)?;
        Some(places.into_iter().map(|place| self.piece(place)).collect())
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.get().starts_with('{')
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl PartialEq for Raw {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(self.get()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self::assembled(Box::<str>::from(raw)))
    }
}

/// `{"key":[…]}`, item by item.
#[derive(Debug)]
pub struct List {
    text: String,
    empty: bool,
}

impl List {
    /// A list under a key, without items yet.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self {
            text: format!("{{{}:[", quoted(key)),
            empty: true,
        }
    }

    /// Adds an item.
    pub fn add(&mut self, item: &Raw) {
        if !std::mem::replace(&mut self.empty, false) {
            self.text.push(',');
        }
        self.text.push_str(item.get());
    }

    /// The whole object.
    #[must_use]
    pub fn done(mut self) -> Raw {
        self.text.push_str("]}");
        Raw::assembled(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_value_is_refused() {
        for bad in ["", "{", "{}{}", "{\"a\":}", "\"\u{1}\"", "nul", "[1,]"] {
            assert!(Raw::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            Raw::parse(" {\"a\" : 1e400}\n").unwrap().get(),
            "{\"a\" : 1e400}"
        );
    }

    #[test]
    fn pieces_share_the_text_of_the_whole() {
        let whole = Raw::parse(r#" {"a":{"b":[1, 2]}} "#).unwrap();
        let object = Object::of(&whole, &[]).unwrap();
        let inner = Object::of(object.get("a").unwrap(), &[]).unwrap();
        let piece = inner.get("b").unwrap();
        assert_eq!(piece.get(), "[1, 2]");
        assert!(Arc::ptr_eq(&piece.whole, &whole.whole));
    }

    #[test]
    fn lists_and_values_are_json() {
        let mut list = List::of("tools");
        assert_eq!(List::of("x").done().get(), r#"{"x":[]}"#);
        list.add(&Raw::string("a\"b"));
        list.add(&Raw::empty_object());
        let done = list.done();
        assert_eq!(done.get(), r#"{"tools":["a\"b",{}]}"#);
        let kept = serde_json::to_string(&done).unwrap();
        assert_eq!(serde_json::from_str::<Raw>(&kept).unwrap(), done);
    }
}
