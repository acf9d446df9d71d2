//! A name and its value in a text that is no JSON: `password=…`, `"api_key": "…"`,
//! `Authorization: …`, `--token …`, `<secret>…</secret>`.
//!
//! Which names count is asked of the same list as for members of objects.

use std::ops::Range;

use super::super::MARK;
use super::super::key::Keys;

/// Pieces of the names of secrets, at least one in each; letter case is spelled out because an
/// expression that ignores it loses its speed.
const HINTS: &[&str] = &[
    "assw",
    "ASSW",
    "pwd",
    "PWD",
    "Pwd",
    "assphrase",
    "ASSPHRASE",
    "ecret",
    "ECRET",
    "oken",
    "OKEN",
    "redential",
    "REDENTIAL",
    "pikey",
    "pi_key",
    "pi-key",
    "piKey",
    "pi-Key",
    "PIKEY",
    "PI_KEY",
    "ccess_key",
    "ccessKey",
    "CCESS_KEY",
    "ccountKey",
    "rivate_key",
    "rivateKey",
    "RIVATE_KEY",
    "uthorization",
    "UTHORIZATION",
    "ookie",
    "COOKIE",
];
/// The longest name.
const NAME_LIMIT: usize = 64;
/// The most spaces on either side of the sign.
const BLANKS: usize = 8;

/// What to look for, with the administrator's names in their usual spellings.
pub(super) fn hints(extra_keys: &[Box<str>]) -> impl Iterator<Item = String> + '_ {
    let extra = extra_keys
        .iter()
        .filter(|key| key.len() >= 3 && covered(key).is_none());
    let extra = extra.flat_map(|key| {
        let lower = key.to_lowercase();
        let mut letters = lower.chars();
        let title: String = letters
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(letters)
            .collect();
        [key.to_string(), key.to_uppercase(), title, lower]
    });
    HINTS.iter().map(|hint| (*hint).to_owned()).chain(extra)
}

/// The hint that finds this name anyway.
fn covered(key: &str) -> Option<&'static &'static str> {
    HINTS.iter().find(|hint| key.contains(**hint))
}

/// The value that is given to the name around `hint`, if that names a secret.
pub(super) fn value(keys: &Keys, text: &str, hint: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let before = bytes[..hint]
        .iter()
        .rev()
        .take(NAME_LIMIT)
        .take_while(|byte| is_name(**byte))
        .count();
    let after = bytes[hint..]
        .iter()
        .take(NAME_LIMIT)
        .take_while(|byte| is_name(**byte))
        .count();
    let name = &text[hint - before..hint + after];
    let from = sign(bytes, hint - before, hint + after)?;
    if !keys.names_secret(name) {
        return None;
    }
    let (start, end) = match quote(bytes, from.value) {
        Some(opened) => (opened.after, closing(bytes, &opened)),
        None => (from.value, bare(text, from.value, name, &from)?),
    };
    let nothing = ["", "null", "true", "false"].contains(&&text[start..end]);
    let again = text[start..].starts_with(MARK);
    (!nothing && !again).then_some(start..end)
}

/// How a value follows its name.
struct Sign {
    value: usize,
    /// No space and no colon: `name=value`, which prose does not contain.
    tight: bool,
    /// Ends with the next tag.
    tag: bool,
}

/// Finds the sign behind a name that spans these bytes.
fn sign(bytes: &[u8], start: usize, end: usize) -> Option<Sign> {
    let lead = start.checked_sub(1).map(|at| bytes[at]);
    if lead == Some(b'<') && bytes.get(end) == Some(&b'>') {
        return Some(Sign {
            value: end + 1,
            tight: true,
            tag: true,
        });
    }
    let name_end = quote(bytes, end).map_or(end, |quote| quote.after);
    let sign = name_end + blanks(bytes, name_end);
    let signs = bytes[sign..]
        .iter()
        .take(3)
        .take_while(|byte| matches!(byte, b'=' | b':' | b'>'))
        .count();
    let value = sign + signs + blanks(bytes, sign + signs);
    let flag = bytes[start] == b'-' && signs == 0 && sign > name_end;
    let tight = flag || (signs > 0 && value == name_end + signs && bytes[sign] == b'=');
    (flag || (signs > 0 && bytes[sign] != b'>')).then_some(Sign {
        value,
        tight,
        tag: false,
    })
}

fn blanks(bytes: &[u8], at: usize) -> usize {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    bytes[at..].iter().take(BLANKS).take_while(blank).count()
}

/// An opening quote, and the backslashes in front of it where the text is itself inside a string.
struct Quote {
    mark: u8,
    slashes: usize,
    after: usize,
}

fn quote(bytes: &[u8], at: usize) -> Option<Quote> {
    let slashes = bytes[at..]
        .iter()
        .take(15)
        .take_while(|byte| **byte == b'\\')
        .count();
    let mark = *bytes.get(at + slashes)?;
    matches!(mark, b'"' | b'\'' | b'`').then_some(Quote {
        mark,
        slashes,
        after: at + slashes + 1,
    })
}

/// Where a quoted value ends: at the same quote behind as many backslashes or fewer, at the end of
/// the line, or of the text.
fn closing(bytes: &[u8], opened: &Quote) -> usize {
    let mut slashes = 0;
    for (step, byte) in bytes[opened.after..].iter().enumerate() {
        let at = opened.after + step;
        if *byte == b'\n' || (*byte == opened.mark && slashes <= opened.slashes) {
            return at - slashes.min(opened.slashes);
        }
        slashes = if *byte == b'\\' { slashes + 1 } else { 0 };
    }
    bytes.len()
}

/// Where a value without quotes ends, if it is one.
fn bare(text: &str, start: usize, name: &str, sign: &Sign) -> Option<usize> {
    let lower = name.to_ascii_lowercase();
    let header = lower.contains("authorization") || lower.contains("cookie");
    let stops = |c: char| match (sign.tag, header) {
        (true, _) => c == '<',
        (_, true) => matches!(c, '\n' | '\r' | '"' | '\''),
        _ => c.is_whitespace() || "&;,\"'<>)}]|".contains(c),
    };
    let end = text[start..]
        .find(stops)
        .map_or(text.len(), |at| start + at);
    let value = &text[start..end];
    // Prose and code say `token: the …` and `secret = read(`; what is given away has digits or is
    // long. For passwords nothing can be said.
    let certain = sign.tight || header || lower.contains("pass") || lower.contains("pwd");
    let digits = value.len() >= 6 && value.bytes().any(|byte| byte.is_ascii_digit());
    let long = value.len() >= 12 && !value.contains('(');
    (certain || digits || long).then_some(end)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}
