//! Takes typed values out of the tree, and says what is there instead.
//!
//! Nothing is converted in silence: a number where text is expected is a problem, because YAML's
//! readers disagree on `1.0`, `on` and `012`, and so is a key with nothing behind it, because an
//! administrator who empties `allowed` means either nothing or anything.

use super::problem::{Place, Problems, Spanned, shown};
use super::yaml::{Member, Node, Value};

/// Longer keys are no slip of the finger.
const SLIP_LIMIT: usize = 40;

/// Reads values and collects what is wrong with them.
#[derive(Debug)]
pub(super) struct Reader<'p> {
    pub(super) problems: &'p mut Problems,
}

/// The members of one mapping, all of whose keys are known.
#[derive(Debug)]
pub(super) struct Members<'n> {
    pub(super) place: Place,
    what: &'static str,
    list: &'n [Member],
}

impl<'n> Members<'n> {
    /// The value of a key that may be left out.
    pub(super) fn optional(&self, key: &str) -> Option<&'n Node> {
        let member = self.list.iter().find(|member| &*member.key == key)?;
        Some(&member.value)
    }

    /// The value of a key that may not.
    pub(super) fn required(&self, key: &str, reader: &mut Reader<'_>) -> Option<&'n Node> {
        let found = self.optional(key);
        if found.is_none() {
            let message = format!("{} has no '{key}'", self.what);
            reader.problems.add(self.place, message);
        }
        found
    }
}

impl Reader<'_> {
    /// A mapping with no other keys than the known ones.
    pub(super) fn members<'n>(
        &mut self,
        node: &'n Node,
        what: &'static str,
        known: &[&str],
    ) -> Option<Members<'n>> {
        let Value::Map(list) = &node.value else {
            self.unexpected(node, what, "a mapping of keys to values");
            return None;
        };
        for member in list.iter().filter(|member| !known.contains(&&*member.key)) {
            let message = format!("unknown key {} in {what}", shown(&member.key));
            self.problems
                .add(member.place, message + &hint(&member.key, known));
        }
        Some(Members {
            place: node.place,
            what,
            list,
        })
    }

    /// A list, each of whose entries is read by `each`; those that fail are left out.
    pub(super) fn list<'n, T>(
        &mut self,
        node: &'n Node,
        what: &str,
        mut each: impl FnMut(&mut Self, &'n Node) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Value::List(nodes) = &node.value else {
            self.unexpected(node, what, "a list");
            return None;
        };
        Some(nodes.iter().filter_map(|node| each(self, node)).collect())
    }

    /// Text that holds something and nothing invisible.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<Spanned<Box<str>>> {
        let text = match &node.value {
            Value::Quoted(text) => text,
            Value::Plain(text) if kind(text) == Kind::Text => text,
            Value::Plain(_) | Value::List(_) | Value::Map(_) | Value::Refused => {
                self.unexpected(node, what, "text");
                return None;
            }
        };
        if text.is_empty() {
            self.problems.add(node.place, format!("{what} is empty"));
            return None;
        }
        Some(Spanned {
            place: node.place,
            value: text.clone(),
        })
    }

    /// A whole number of at least one.
    pub(super) fn count(&mut self, node: &Node, what: &str) -> Option<u32> {
        let text = match &node.value {
            Value::Plain(text) if kind(text) == Kind::Number => text,
            Value::Plain(_)
            | Value::Quoted(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Refused => {
                self.unexpected(node, what, "a whole number");
                return None;
            }
        };
        // A leading zero would be octal to readers of YAML 1.1.
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let count = text.parse().ok().filter(|_| plain);
        if count.is_none() {
            let message = format!(
                "{what} is {text}; a whole number from 1 to {} counts",
                u32::MAX
            );
            self.problems.add(node.place, message);
        }
        count
    }

    /// Says that a value is of another type, unless that value was reported already.
    pub(super) fn unexpected(&mut self, node: &Node, what: &str, expected: &str) {
        let found = match &node.value {
            Value::Plain(text) => match kind(text) {
                Kind::Nothing => "empty",
                Kind::Truth => "true or false",
                Kind::Number => "a number",
                Kind::Text => "text",
            },
            Value::Quoted(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Refused => return,
        };
        let quote = if expected == "text" && matches!(found, "a number" | "true or false") {
            ", in quotes"
        } else {
            ""
        };
        let message = format!("{what} is {found}; {expected} is expected{quote}");
        self.problems.add(node.place, message);
    }
}

/// What YAML 1.2 takes a value without quotes for (its core schema).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Truth,
    Number,
    Text,
}

fn kind(plain: &str) -> Kind {
    match plain {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Nothing,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Kind::Truth,
        ".nan" | ".NaN" | ".NAN" => Kind::Number,
        _ if is_number(plain) => Kind::Number,
        _ => Kind::Text,
    }
}

fn is_number(plain: &str) -> bool {
    let unsigned = plain.strip_prefix(['-', '+']).unwrap_or(plain);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    if let Some(digits) = plain.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    if let Some(digits) = plain.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    }
    // The parser of floats also knows words such as "inf"; they begin with a letter.
    unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.parse::<f64>().is_ok()
}

/// `; did you mean …?` for what is nearly one of the known words.
pub(super) fn hint(word: &str, known: &[&str]) -> String {
    if word.len() > SLIP_LIMIT {
        return String::new();
    }
    let folded = word.to_lowercase().replace('-', "_");
    let nearest = known
        .iter()
        .map(|known| (distance(&folded, known), known))
        .filter(|(distance, known)| *distance <= 1.max(known.len() / 3).min(2))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((_, known)) => format!("; did you mean '{known}'?"),
        None => String::new(),
    }
}

/// How many letters are to be added, taken away or changed (Levenshtein).
fn distance(one: &str, two: &str) -> usize {
    let two: Vec<char> = two.chars().collect();
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (nth, letter) in one.chars().enumerate() {
        let mut diagonal = nth;
        row[0] = nth + 1;
        for (at, other) in two.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[two.len()]
}
