//! Members of one object in a text: where a new one goes, and what goes with one that is taken out.

use jsonc_parser::ast::{Object, ObjectProp};
use jsonc_parser::common::Ranged as _;
use serde_json::Value;

use super::Entry;
use super::text::{begins_line, indent, line_end, spliced};

/// A value that is to be written.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// Members in order.
    Object(Vec<(String, Self)>),
    /// What is written in one line.
    Leaf(Value),
}

impl From<&Entry> for Shape {
    fn from(entry: &Entry) -> Self {
        let members = entry.0.iter();
        let member = |(name, member): &(&str, super::Member)| {
            ((*name).to_owned(), Self::Leaf(member.value()))
        };
        Self::Object(members.map(member).collect())
    }
}

/// How something is written.
#[derive(Debug, Clone)]
pub(super) enum Layout {
    /// Each member in a line of its own.
    Lines {
        /// Before the line that holds the object's end.
        indent: String,
        /// More before each member.
        unit: String,
        /// The end of a line.
        line_end: String,
        /// Between a name and its value.
        colon: String,
    },
    /// All in one line.
    Inline {
        /// Between a name and its value.
        colon: String,
    },
}

impl Layout {
    pub(super) fn lines(indent: String, unit: String, line_end: &str) -> Self {
        Self::Lines {
            indent,
            unit,
            line_end: line_end.to_owned(),
            colon: ": ".to_owned(),
        }
    }

    pub(super) fn inline(colon: &str) -> Self {
        Self::Inline {
            colon: colon.to_owned(),
        }
    }

    fn colon(&self) -> &str {
        match self {
            Self::Lines { colon, .. } | Self::Inline { colon } => colon,
        }
    }

    /// Between two things in one line.
    fn space(&self) -> &'static str {
        if self.colon().ends_with(' ') { " " } else { "" }
    }

    /// What a member of an object so written is written like.
    fn deeper(&self) -> Self {
        match self {
            Self::Inline { .. } => self.clone(),
            Self::Lines {
                indent,
                unit,
                line_end,
                colon,
            } => Self::Lines {
                indent: [indent.as_str(), unit].concat(),
                unit: unit.clone(),
                line_end: line_end.clone(),
                colon: colon.clone(),
            },
        }
    }

    /// The way from the end of one thing to the beginning of a member's line.
    fn newline(&self) -> String {
        match self {
            Self::Lines {
                indent, line_end, ..
            } => [line_end.as_str(), indent].concat(),
            Self::Inline { .. } => String::new(),
        }
    }
}

impl Shape {
    /// An object of one member.
    pub(super) fn of(name: &str, value: Self) -> Self {
        Self::Object(vec![(name.to_owned(), value)])
    }

    pub(super) fn written(&self, layout: &Layout) -> String {
        match self {
            Self::Leaf(value) => leaf(value, layout),
            Self::Object(members) => {
                let inner = layout.deeper();
                let members = members
                    .iter()
                    .map(|(name, value)| [inner.newline(), named(name, value, &inner)].concat());
                let between = match layout {
                    Layout::Lines { .. } => ",",
                    Layout::Inline { .. } if layout.space().is_empty() => ",",
                    Layout::Inline { .. } => ", ",
                };
                let members: Vec<String> = members.collect();
                ["{", &members.join(between), &layout.newline(), "}"].concat()
            }
        }
    }
}

fn leaf(value: &Value, layout: &Layout) -> String {
    match value {
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(Value::to_string).collect();
            format!("[{}]", elements.join(&format!(",{}", layout.space())))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

fn named(name: &str, value: &Shape, layout: &Layout) -> String {
    [
        &Value::from(name).to_string(),
        layout.colon(),
        &value.written(layout),
    ]
    .concat()
}

/// What lies between two places that hold no value: the comma, and where the last thing ends that is
/// not white space.
struct Gap {
    comma: Option<usize>,
    end: usize,
    /// Whether that last thing is a comment which the end of its line ends.
    ends_with_line: bool,
}

fn gap(text: &str, from: usize, to: usize) -> Gap {
    let mut gap = Gap {
        comma: None,
        end: from,
        ends_with_line: false,
    };
    let mut at = from;
    while let Some(rest) = text.get(at..to).filter(|rest| !rest.is_empty()) {
        let length = if rest.starts_with("//") {
            rest.find(['\r', '\n']).unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        if rest.starts_with(',') {
            gap.comma = Some(at);
        }
        if !rest.starts_with(char::is_whitespace) {
            gap.end = at + length;
            gap.ends_with_line = rest.starts_with("//");
        }
        at += length;
    }
    gap
}

/// Adds a member at the end of an object, the way its other members are written.
pub(super) fn insert(
    text: &str,
    root: &Object<'_>,
    object: &Object<'_>,
    unit: &str,
    (name, value): (&str, &Shape),
) -> String {
    let Some(last) = object.properties.last() else {
        return insert_first(text, root, object, unit, (name, value));
    };
    let colon = colon(text, last);
    let Gap { comma, end, .. } = gap(text, last.end(), object.end() - 1);
    let Some(indent) = own_indent(text, object) else {
        let layout = Layout::inline(colon);
        let member = [layout.space(), &named(name, value, &layout)].concat();
        return match comma {
            Some(comma) => spliced(text, comma + 1, comma + 1, &(member + ",")),
            None => spliced(text, last.end(), last.end(), &format!(",{member}")),
        };
    };
    let layout = Layout::Lines {
        indent: indent.to_owned(),
        unit: unit.to_owned(),
        line_end: line_end(text).to_owned(),
        colon: colon.to_owned(),
    };
    let member = [layout.newline(), named(name, value, &layout)].concat();
    if comma.is_some() {
        return spliced(text, end, end, &(member + ","));
    }
    let text = spliced(text, end, end, &member);
    spliced(&text, last.end(), last.end(), ",")
}

/// Adds a member to an object without any.
fn insert_first(
    text: &str,
    root: &Object<'_>,
    object: &Object<'_>,
    unit: &str,
    (name, value): (&str, &Shape),
) -> String {
    let inside = &text[object.start() + 1..object.end() - 1];
    let in_one_line = root.properties.first().filter(|_| {
        // A file in one line stays one.
        own_indent(text, root).is_none() && inside.trim().is_empty()
    });
    if let Some(first) = in_one_line {
        let member = named(name, value, &Layout::inline(colon(text, first)));
        return spliced(text, object.start() + 1, object.end() - 1, &member);
    }
    let outer = indent(text, object.start());
    let closing = Layout::lines(outer.to_owned(), unit.to_owned(), line_end(text));
    let layout = closing.deeper();
    let end = gap(text, object.start() + 1, object.end() - 1).end;
    let mut member = [layout.newline(), named(name, value, &layout)].concat();
    if !text[end..object.end()].contains('\n') {
        member += &closing.newline();
        // White space before the closing brace would be added to its indentation.
        return spliced(text, end, object.end() - 1, &member);
    }
    spliced(text, end, end, &member)
}

/// Takes a member out, with its comma and the white space before it; comments stay.
pub(super) fn remove(text: &str, object: &Object<'_>, index: usize) -> String {
    let properties = &object.properties;
    let Some(property) = properties.get(index) else {
        return text.to_owned();
    };
    let previous = index.checked_sub(1).and_then(|index| properties.get(index));
    let before = previous.map_or(object.start() + 1, ObjectProp::end);
    let before = gap(text, before, property.start());
    let next = properties.get(index + 1);
    let after = next.map_or(object.end() - 1, ObjectProp::start);
    let after = gap(text, property.end(), after);
    let end = after.comma.map_or(property.end(), |comma| comma + 1);
    let line = text[end..].split(['\r', '\n']).next().unwrap_or_default();
    // What follows in its line must not get into a comment.
    let keeps_line = before.ends_with_line && !line.trim().is_empty();
    let blank = line.len() - line.trim_start().len();
    let (start, end) = if keeps_line {
        (property.start(), end + blank)
    } else {
        (before.end, end)
    };
    let rest = spliced(text, start, end, "");
    match (before.comma, after.comma) {
        // The last one takes the comma of the one before it along.
        (Some(comma), None) => spliced(&rest, comma, comma + 1, ""),
        (None, _) if next.is_none() => emptied(&rest, object.start()),
        _ => rest,
    }
}

/// An object that has lost its only member; nothing but white space in it is nothing.
fn emptied(text: &str, start: usize) -> String {
    let inside = &text[start + 1..];
    let blank = inside.len() - inside.trim_start().len();
    if inside[blank..].starts_with('}') {
        return spliced(text, start + 1, start + 1 + blank, "");
    }
    text.to_owned()
}

/// The white space before the members of an object that has each in a line of its own.
fn own_indent<'t>(text: &'t str, object: &Object<'_>) -> Option<&'t str> {
    let mut ends = object.properties.iter().rev().map(ObjectProp::start);
    let own = ends.find(|at| begins_line(text, *at) && text[..*at].contains('\n'))?;
    Some(indent(text, own))
}

/// What an object has between a name and its value.
fn colon<'t>(text: &'t str, property: &ObjectProp<'_>) -> &'t str {
    let between = &text[property.name.end()..property.value.start()];
    let plain = between.chars().all(|c| c == ':' || c == ' ' || c == '\t');
    if plain { between } else { ": " }
}
