//! One level of a JSON object, read strictly and rewritten in place.
//!
//! Members keep their order and their bytes. A key that appears twice is refused, because two
//! parsers may disagree on which one counts, and so is a key that differs from an expected one in
//! letter case alone (CVE-2026-27896).

use crate::bounds::MEMBERS;
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use super::Raw;
use super::leap::string_end;

/// The most members that are looked through for a key, which is quicker than hashing it. With more
/// of them one message would hold up everything: a million take half a trillion comparisons.
const FEW: usize = 32;

/// The members of one JSON object.
#[derive(Debug)]
pub struct Object<'a> {
    source: &'a Raw,
    members: Vec<Member<'a>>,
}

#[derive(Debug)]
struct Member<'a> {
    key: Cow<'a, str>,
    value: Raw,
    /// Where the key begins in the source.
    start: usize,
    /// Where the value lies in the source.
    place: Range<usize>,
}

/// Why a value cannot be read as an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// Not an object.
    #[error("not a JSON object")]
    Shape,
    /// More members than anybody means.
    #[error("it has more than {MEMBERS} members")]
    Many,
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
    /// When it is no object, has too many members, or a key is there twice or imitates an expected
    /// one.
    pub fn of(source: &'a Raw, expected: &[&'static str]) -> Result<Self, ObjectError> {
        let mut members: Vec<Member<'a>> = Vec::with_capacity(8);
        let mut seen = HashSet::new();
        let mut scan = Scan::of(source.get());
        if !scan.take(b'{') {
            return Err(ObjectError::Shape);
        }
        while let Some((start, key)) = scan.key() {
            let key = text(key).ok_or(ObjectError::Shape)?;
            if members.len() == MEMBERS {
                return Err(ObjectError::Many);
            }
            if !is_new(key.clone(), &members, &mut seen) {
                return Err(ObjectError::Duplicate(key.into()));
            }
            if let Some(expected) = expected.iter().find(|known| imitates(&key, known)) {
                return Err(ObjectError::Imitation {
                    found: key.into(),
                    expected,
                });
            }
            let place = scan.value();
            members.push(Member {
                key,
                value: source.piece(place.clone()),
                start,
                place,
            });
        }
        Ok(Self { source, members })
    }

    /// The value of a member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Raw> {
        self.member(key).map(|member| &member.value)
    }

    /// The members in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Raw)> {
        let members = self.members.iter();
        members.map(|member| (member.key.as_ref(), &member.value))
    }

    /// The text of a string member.
    ///
    /// # Errors
    /// When the member is there and is no string.
    pub fn string(&self, key: &'static str) -> Result<Option<Cow<'a, str>>, ObjectError> {
        let Some(member) = self.member(key) else {
            return Ok(None);
        };
        match text(&self.source.get()[member.place.clone()]) {
            Some(text) => Ok(Some(text)),
            None => Err(ObjectError::Type {
                key,
                expected: "a string",
            }),
        }
    }

    /// The object with one member set, or taken out with `None`; every other byte stays.
    #[must_use]
    pub fn with(&self, key: &str, value: Option<&Raw>) -> Raw {
        let source = self.source.get();
        let at = self.members.iter().position(|member| member.key == key);
        Raw::assembled(match (at, value) {
            (Some(at), Some(value)) => {
                let Range { start, end } = self.members[at].place;
                [&source[..start], value.get(), &source[end..]].concat()
            }
            (Some(_), None) => return self.without(&[key]),
            (None, Some(value)) => self.append(key, value),
            (None, None) => return self.source.clone(),
        })
    }

    /// The object with several members set.
    #[must_use]
    pub fn with_all(&self, members: &[(&str, Raw)]) -> Raw {
        let (known, new): (Vec<_>, Vec<_>) =
            members.iter().partition(|(key, _)| self.get(key).is_some());
        let mut text = self.source.get().to_owned();
        let mut empty = self.members.is_empty();
        text.truncate(text.rfind('}').unwrap_or(text.len()));
        for (key, value) in new {
            if !std::mem::replace(&mut empty, false) {
                text.push(',');
            }
            text.extend([quoted(key).as_str(), ":", value.get()]);
        }
        text.push('}');
        let whole = Raw::assembled(text);
        known
            .into_iter()
            .fold(whole, |whole, (key, value)| whole.with(key, value))
    }

    fn member(&self, key: &str) -> Option<&Member<'a>> {
        self.members.iter().find(|member| member.key == key)
    }

    /// The object without these members; every other byte stays, but for the commas before them.
    #[must_use]
    pub fn without(&self, keys: &[&str]) -> Raw {
        let source = self.source.get();
        let (Some(first), Some(last)) = (self.members.first(), self.members.last()) else {
            return self.source.clone();
        };
        let mut text = String::with_capacity(source.len());
        text.push_str(&source[..first.start]);
        let (mut before, mut kept) = (first.start, false);
        for member in &self.members {
            if !keys.contains(&member.key.as_ref()) {
                // The comma before the first one that is kept goes with those before it.
                let from = if kept { before } else { member.start };
                text.push_str(&source[from..member.place.end]);
                kept = true;
            }
            before = member.place.end;
        }
        text.push_str(&source[last.place.end..]);
        Raw::assembled(text)
    }

    fn append(&self, key: &str, value: &Raw) -> String {
        let source = self.source.get();
        let end = source.rfind('}').unwrap_or(source.len());
        let comma = if self.members.is_empty() { "" } else { "," };
        [
            source[..end].trim_end(),
            comma,
            &quoted(key),
            ":",
            value.get(),
            "}",
        ]
        .concat()
    }
}

/// Whether no earlier member has this key. Once there are more than a few, `seen` holds their keys.
fn is_new<'a>(key: Cow<'a, str>, members: &[Member<'a>], seen: &mut HashSet<Cow<'a, str>>) -> bool {
    if members.len() < FEW {
        return members.iter().all(|earlier| earlier.key != key);
    }
    if seen.is_empty() {
        seen.extend(members.iter().map(|member| member.key.clone()));
    }
    seen.insert(key)
}

/// A JSON string literal of the text.
#[must_use]
pub fn quoted(text: &str) -> String {
    // A text can always be written.
    serde_json::to_string(text).unwrap_or_default()
}

/// The text of a JSON string literal.
fn text(literal: &str) -> Option<Cow<'_, str>> {
    let inside = literal.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(inside.into());
    }
    serde_json::from_str(literal).ok().map(Cow::Owned)
}

/// Whether a key is an expected one but for letter case, in which some letters are others.
fn imitates(key: &str, expected: &str) -> bool {
    if key == expected {
        return false;
    }
    if key.is_ascii() {
        return key.eq_ignore_ascii_case(expected);
    }
    key.to_lowercase()
        .replace('ſ', "s")
        .replace('\u{212a}', "k")
        == expected.to_lowercase()
}

/// Where the first items of an array lie, `most` of them; `None` if the text is no array.
pub(super) fn items(text: &str, most: usize) -> Option<Vec<Range<usize>>> {
    let mut scan = Scan::of(text);
    scan.take(b'[').then_some(())?;
    let mut items = Vec::new();
    while items.len() < most && scan.more() {
        items.push(scan.value());
    }
    Some(items)
}

/// Walks over text that is known to be JSON, leaping over what nobody asked for.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// Whether another item or member follows; steps over the comma before it.
    fn more(&mut self) -> bool {
        self.skip_blanks();
        self.take(b',');
        self.skip_blanks();
        !matches!(self.peek(), None | Some(b']' | b'}'))
    }

    /// Where the next member's key begins and how it is spelled, with the cursor behind its colon.
    fn key(&mut self) -> Option<(usize, &'a str)> {
        if !self.more() {
            return None;
        }
        let start = self.at;
        if !self.take(b'"') {
            return None;
        }
        self.at = string_end(self.text.as_bytes(), self.at) + 1;
        let key = self.text.get(start..self.at)?;
        self.skip_blanks();
        self.take(b':');
        Some((start, key))
    }

    /// Where the next value lies.
    fn value(&mut self) -> Range<usize> {
        self.skip_blanks();
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => self.at = string_end(bytes, self.at + 1),
                b'{' | b'[' => depth += 1,
                b'}' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => break,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
                break;
            }
        }
        self.at = self.at.min(bytes.len());
        start..self.at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::parse(text).unwrap()
    }

    #[test]
    fn setting_a_member_leaves_every_other_byte() {
        let source = r#"{ "a" : 1e400,"name":"x", "n":12345678901234567890123 , "z":[1, 2] }"#;
        let whole = raw(source);
        let object = Object::of(&whole, &["name"]).unwrap();
        assert_eq!(
            object.with("name", Some(&raw("\"yy\""))).get(),
            source.replace("\"x\"", "\"yy\"")
        );
        assert_eq!(
            object.with("name", None).get(),
            source.replace(r#","name":"x""#, "")
        );
        for (before, after) in [("{}", r#"{"k":1}"#), ("{\"a\":{} }", r#"{"a":{},"k":1}"#)] {
            let before = raw(before);
            let object = Object::of(&before, &[]).unwrap();
            assert_eq!(object.with("k", Some(&raw("1"))).get(), after);
        }
    }

    #[test]
    fn taking_members_out_leaves_every_other_byte() {
        for (before, after) in [
            (
                r#"{ "x":1 , "\u0061\/" : 1e400,"y":2 }"#,
                r#"{ "\u0061\/" : 1e400 }"#,
            ),
            (r#"{"\u0061":1, "x":2, "b" :3}"#, r#"{"\u0061":1, "b" :3}"#),
            (r#"{"a":1 , "x":2,"\u0079":3}"#, r#"{"a":1}"#),
            (r#"{"x":1,"y":2}"#, "{}"),
            (r#"{ "a":1 }"#, r#"{ "a":1 }"#),
            ("{}", "{}"),
        ] {
            let before = raw(before);
            let object = Object::of(&before, &[]).unwrap();
            assert_eq!(object.without(&["x", "y"]).get(), after);
        }
    }

    #[test]
    fn ambiguous_keys_are_refused() {
        for bad in [
            r#"{"name":1,"name":2}"#,
            r#"{"Name":1}"#,
            "{\"param\u{17f}\":1}",
            r#"{"na\u006de":1,"name":2}"#,
            r#"{"N\u0061me":1}"#,
        ] {
            assert!(Object::of(&raw(bad), &["name", "params"]).is_err(), "{bad}");
        }
        assert!(Object::of(&raw(r#"{"other":1,"Other":2}"#), &["name"]).is_ok());
    }

    #[test]
    fn an_object_of_a_million_members_is_not_looked_into() {
        let of = |count: usize| {
            let members: Vec<String> = (0..count).map(|n| format!("\"{n}\":0")).collect();
            raw(&format!("{{{}}}", members.join(",")))
        };
        assert!(Object::of(&of(MEMBERS), &[]).is_ok());
        for more in [MEMBERS + 1, 1_000_000] {
            assert_eq!(Object::of(&of(more), &[]).err(), Some(ObjectError::Many));
        }
    }

    #[test]
    fn a_repeated_key_is_found_among_very_many() {
        let member = |nth: usize| format!(r#""k{nth}":{nth},"#);
        let many: String = (0..100_000).map(member).collect();
        for (last, refused) in [("k0", true), ("k31", true), ("k99999", true), ("k", false)] {
            let whole = raw(&format!(r#"{{{many}"{last}":0}}"#));
            assert_eq!(Object::of(&whole, &["name"]).is_err(), refused, "{last}");
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            r#"[a"\\\\/{}\[\]:, é\n]{0,8}"#.prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let key = r#"[a-c"\\\\{}é]{0,3}"#;
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                proptest::collection::btree_map(key, inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// What a parser that builds everything finds is what leaping finds.
        #[test]
        fn members_are_those_of_a_whole_parser(value in json(), pretty in any::<bool>()) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let whole = raw(&text);
            let found = Object::of(&whole, &[]);
            let Some(map) = value.as_object() else {
                prop_assert_eq!(found.err(), Some(ObjectError::Shape));
                return Ok(());
            };
            let found = found.unwrap();
            prop_assert_eq!(found.iter().count(), map.len());
            for (key, value) in map {
                let piece = found.get(key).unwrap();
                let read: serde_json::Value = serde_json::from_str(piece.get()).unwrap();
                prop_assert_eq!(&read, value);
            }
        }
    }
}
