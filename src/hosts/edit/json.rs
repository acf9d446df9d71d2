//! JSON, with comments and trailing commas or without.

use jsonc_parser::ast::{Object, ObjectProp, Value as Node};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Map, Value};

use super::object::{self, Layout, Shape};
use super::text::{indent, line_end, spliced, unfit};
use super::{Entry, Unfit};

/// How deep things are indented where a file does not say it.
const UNIT: &str = "  ";

/// What hosts write, and no dialect beyond that.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The whole as an object; `None` for a file without content.
fn parse(text: &str) -> Result<Option<Object<'_>>, Unfit> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT).map_err(|error| {
        let message = format!("this is no JSON: {}", error.kind()).to_lowercase();
        let message = message.replace("this is no json", "this is no JSON");
        unfit(text, error.range().start, message)
    })?;
    match parsed.value {
        Some(Node::Object(object)) => Ok(Some(object)),
        Some(other) => Err(unfit(
            text,
            other.start(),
            "an object {..} was expected here",
        )),
        None if text.trim().is_empty() => Ok(None),
        None => Err(unfit(
            text,
            0,
            "this holds comments only; an object {..} was expected",
        )),
    }
}

/// The member of a name, if there is exactly one.
fn member<'o, 'a>(
    text: &str,
    object: &'o Object<'a>,
    name: &str,
) -> Result<Option<(usize, &'o ObjectProp<'a>)>, Unfit> {
    let mut found = object.properties.iter().enumerate();
    let first = found.find(|(_, property)| property.name.as_str() == name);
    match found.find(|(_, property)| property.name.as_str() == name) {
        Some((_, second)) => {
            let message = format!("there is a second {name:?} here");
            Err(unfit(text, second.start(), message))
        }
        None => Ok(first),
    }
}

fn as_object<'o, 'a>(text: &str, property: &'o ObjectProp<'a>) -> Result<&'o Object<'a>, Unfit> {
    property.value.as_object().ok_or_else(|| {
        let name = property.name.as_str();
        let message = format!("{name:?} was expected to be an object {{..}}");
        unfit(text, property.value.start(), message)
    })
}

pub(super) fn servers(text: &str, key: &str) -> Result<Map<String, Value>, Unfit> {
    let Some(root) = parse(text)? else {
        return Ok(Map::new());
    };
    let Some((_, property)) = member(text, &root, key)? else {
        return Ok(Map::new());
    };
    let all = as_object(text, property)?;
    for property in &all.properties {
        member(text, all, property.name.as_str())?;
    }
    let plain = |property: &ObjectProp<'_>| {
        let name = property.name.as_str().to_owned();
        (name, Value::from(property.value.clone()))
    };
    Ok(all.properties.iter().map(plain).collect())
}

pub(super) fn alone(key: &str, name: &str, entry: &Entry, line_end: &str) -> String {
    let all = Shape::of(name, Shape::from(entry));
    let whole = Shape::of(key, all);
    let layout = Layout::lines(String::new(), UNIT.to_owned(), line_end);
    whole.written(&layout) + line_end
}

pub(super) fn put(text: &str, key: &str, name: &str, entry: &Entry) -> Result<String, Unfit> {
    let Some(root) = parse(text)? else {
        return Ok(alone(key, name, entry, line_end(text)));
    };
    let unit = unit(text, &root);
    let Some((_, property)) = member(text, &root, key)? else {
        let all = Shape::of(name, Shape::from(entry));
        return Ok(object::insert(text, &root, &root, &unit, (key, &all)));
    };
    let all = as_object(text, property)?;
    let Some((_, server)) = member(text, all, name)? else {
        let shape = Shape::from(entry);
        return Ok(object::insert(text, &root, all, &unit, (name, &shape)));
    };
    as_object(text, server)?;
    update(text, [key, name], entry)
}

/// Changes what differs in a server that is there, one member after the other.
fn update(text: &str, path: [&str; 2], entry: &Entry) -> Result<String, Unfit> {
    let mut text = text.to_owned();
    for (name, wanted) in &entry.0 {
        let changed = {
            let Some(root) = parse(&text)? else { continue };
            let mut at = &root;
            for step in path {
                let Some((_, property)) = member(&text, at, step)? else {
                    continue;
                };
                at = as_object(&text, property)?;
            }
            let shape = Shape::Leaf(wanted.value());
            match member(&text, at, name)? {
                Some((_, found)) if wanted.is(Some(&Value::from(found.value.clone()))) => continue,
                Some((_, found)) => {
                    let (from, to) = (found.value.start(), found.value.end());
                    spliced(&text, from, to, &shape.written(&Layout::inline(": ")))
                }
                None if wanted.is(None) => continue,
                None => object::insert(&text, &root, at, &unit(&text, &root), (name, &shape)),
            }
        };
        text = changed;
    }
    Ok(text)
}

pub(super) fn remove(text: &str, key: &str, name: &str) -> Result<String, Unfit> {
    let absent = || unfit(text, 0, format!("there is no server {name:?}"));
    let root = parse(text)?.ok_or_else(absent)?;
    let (_, property) = member(text, &root, key)?.ok_or_else(absent)?;
    let all = as_object(text, property)?;
    let (index, _) = member(text, all, name)?.ok_or_else(absent)?;
    Ok(object::remove(text, all, index))
}

/// How much deeper each level of this file is.
fn unit(text: &str, root: &Object<'_>) -> String {
    let first = root.properties.first().map(ObjectProp::start);
    let own = first.filter(|at| super::text::begins_line(text, *at));
    let own = own.map(|at| indent(text, at)).unwrap_or_default();
    if own.is_empty() { UNIT } else { own }.to_owned()
}
