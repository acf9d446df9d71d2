//! YAML as a small tree with places, made from the parser's events.
//!
//! A policy has no use for anchors, aliases, tags, keys that are no text, the same key twice or a
//! second document, and each of them lets two readers see two documents in one text. They are
//! reported; what a value means is left to the reader of the tree.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError};

use super::problem::{Place, Problems, shown};

/// The largest document, in bytes.
const LIMIT: usize = 1 << 20;
/// The deepest nesting; the deepest policy needs six.
const DEPTH: usize = 16;
/// How often reading begins anew after a `*` without quotes.
const SLIPS: usize = 20;

/// A value and where it begins.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What a value is, before anybody asks what it means.
#[derive(Debug)]
pub(super) enum Value {
    /// Without quotes: text, a number, true, false or nothing.
    Plain(Box<str>),
    /// In quotes or as a block: always text.
    Quoted(Box<str>),
    /// Values in order.
    List(Vec<Node>),
    /// Keys with their values, in order; every key once.
    Map(Vec<Member>),
    /// Reported already; nothing more is to be said about it.
    Refused,
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) place: Place,
    pub(super) key: Box<str>,
    pub(super) value: Node,
}

/// Reads the one document of a text; `None` when it has none or cannot be read to its end.
///
/// The commonest slip in a policy is a `*` without quotes. YAML takes it for an alias and the parser
/// gives up there, so it is reported and the rest is read as if a letter stood in its place: the
/// document does not load either way.
pub(super) fn read(text: &str, problems: &mut Problems) -> Option<Node> {
    if text.len() > LIMIT {
        problems.add(Place::START, "the document is larger than 1 MiB");
        return None;
    }
    let mut text = Cow::Borrowed(text);
    for _ in 0..SLIPS {
        let mut found = Problems::default();
        match read_events(&text, &mut found) {
            Ok(root) => {
                problems.append(found);
                return root;
            }
            Err(Slip { place, byte }) => {
                let message = "'*' without quotes begins an alias; write it in quotes: \"*\"";
                problems.add(place, message);
                text.to_mut().replace_range(byte..=byte, "x");
            }
        }
    }
    None
}

/// A `*` without quotes, at which the parser gave up.
struct Slip {
    place: Place,
    byte: usize,
}

fn read_events(text: &str, problems: &mut Problems) -> Result<Option<Node>, Slip> {
    let mut tree = Tree {
        problems,
        open: Vec::new(),
        root: None,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let flow = match event {
            Ok((event, span)) => tree.take(event, place(span.start)),
            Err(error) => Err(from_parser(text, &error)?),
        };
        if let Err((place, message)) = flow {
            tree.problems.add(place, message);
            break;
        }
    }
    Ok(tree.root)
}

fn from_parser(text: &str, error: &ScanError) -> Result<Stop, Slip> {
    let marker = *error.marker();
    let place = place(marker);
    match text.char_indices().nth(marker.index()) {
        Some((byte, '*')) => Err(Slip { place, byte }),
        Some(_) | None => Ok((place, format!("not YAML: {}", error.info()).into())),
    }
}

/// A problem after which reading on makes no sense.
type Stop = (Place, Cow<'static, str>);

struct Tree<'p> {
    problems: &'p mut Problems,
    open: Vec<Open>,
    root: Option<Node>,
}

/// A list or mapping whose end has not come yet.
struct Open {
    place: Place,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map(Mapping),
}

#[derive(Default)]
struct Mapping {
    members: Vec<Member>,
    /// Each key with its line, so that a second one is found without a search.
    lines: HashMap<Box<str>, usize>,
    pending: Option<Pending>,
}

/// A key whose value has not come yet.
struct Pending {
    place: Place,
    /// `None` for a key that was reported; its value is dropped.
    key: Option<Box<str>>,
}

impl Tree<'_> {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Stop> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                if self.root.is_some() {
                    return Err((
                        place,
                        "a second document begins here; only one is read".into(),
                    ));
                }
            }
            Event::Alias(_) => {
                self.problems.add(place, "aliases are not read here");
                self.close(place, Value::Refused);
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.decoration(place, anchor, tag.is_some());
                let value = match style {
                    ScalarStyle::Plain => Value::Plain(text.into()),
                    ScalarStyle::SingleQuoted
                    | ScalarStyle::DoubleQuoted
                    | ScalarStyle::Literal
                    | ScalarStyle::Folded => Value::Quoted(text.into()),
                };
                self.close(place, value);
            }
            Event::SequenceStart(anchor, tag) => {
                self.decoration(place, anchor, tag.is_some());
                self.begin(place, Inside::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.decoration(place, anchor, tag.is_some());
                self.begin(place, Inside::Map(Mapping::default()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
        }
        Ok(())
    }

    fn decoration(&mut self, place: Place, anchor: usize, tagged: bool) {
        if anchor != 0 {
            self.problems.add(place, "anchors are not read here");
        }
        if tagged {
            self.problems.add(place, "tags are not read here");
        }
    }

    fn begin(&mut self, place: Place, inside: Inside) -> Result<(), Stop> {
        if self.open.len() == DEPTH {
            return Err((place, "this is nested too deeply".into()));
        }
        self.open.push(Open { place, inside });
        Ok(())
    }

    fn end(&mut self) {
        // The parser pairs every end with a start.
        if let Some(Open { place, inside }) = self.open.pop() {
            let value = match inside {
                Inside::List(nodes) => Value::List(nodes),
                Inside::Map(mapping) => Value::Map(mapping.members),
            };
            self.close(place, value);
        }
    }

    /// Puts a finished value where it belongs.
    fn close(&mut self, place: Place, value: Value) {
        let node = Node { place, value };
        match self.open.last_mut().map(|open| &mut open.inside) {
            None => self.root = Some(node),
            Some(Inside::List(nodes)) => nodes.push(node),
            Some(Inside::Map(mapping)) => mapping.take(node, self.problems),
        }
    }
}

impl Mapping {
    /// Takes the next key or value, whichever it is.
    fn take(&mut self, mut node: Node, problems: &mut Problems) {
        let Some(Pending { place, key }) = self.pending.take() else {
            self.pending = Some(self.key(node, problems));
            return;
        };
        if matches!(&node.value, Value::Plain(text) if text.is_empty()) {
            // Nothing has no place of its own.
            node.place = place;
        }
        if let Some(key) = key {
            self.members.push(Member {
                place,
                key,
                value: node,
            });
        }
    }

    fn key(&mut self, node: Node, problems: &mut Problems) -> Pending {
        let place = node.place;
        let key = match node.value {
            Value::Plain(key) | Value::Quoted(key) => key,
            Value::List(_) | Value::Map(_) => {
                problems.add(place, "a key is a word, not a list or a mapping");
                return Pending { place, key: None };
            }
            Value::Refused => return Pending { place, key: None },
        };
        if let Some(line) = self.lines.get(&key) {
            let key = shown(&key);
            let message = format!("the key {key} appears twice, first in line {line}");
            problems.add(place, message);
            return Pending { place, key: None };
        }
        self.lines.insert(key.clone(), place.line);
        Pending {
            place,
            key: Some(key),
        }
    }
}

fn place(marker: Marker) -> Place {
    Place {
        line: marker.line(),
        column: marker.col() + 1,
    }
}
