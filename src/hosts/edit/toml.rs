//! TOML: a table more at the end, and changes by place in one that is there.

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::text::{line_end, line_start, spliced, unfit};
use super::{Entry, Member, Unfit};

type Node<'a> = Spanned<DeValue<'a>>;

fn parse(text: &str) -> Result<DeTable<'_>, Unfit> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(text.len(), |span| span.start);
        unfit(text, at, format!("this is no TOML: {}", error.message()))
    })?;
    Ok(table.into_inner())
}

/// The value of a key with the place of the key itself.
fn find<'t, 'a>(table: &'t DeTable<'a>, name: &str) -> Option<(usize, &'t Node<'a>)> {
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
    Some((key.span().start, value))
}

fn as_table<'t, 'a>(
    text: &str,
    at: usize,
    node: &'t Node<'a>,
    name: &str,
) -> Result<&'t DeTable<'a>, Unfit> {
    let message = || format!("{name:?} was expected to be a table");
    let table = node.get_ref().as_table();
    table.ok_or_else(|| unfit(text, at, message()))
}

pub(super) fn servers(text: &str, key: &str) -> Result<Map<String, Value>, Unfit> {
    let root = parse(text)?;
    let Some((at, node)) = find(&root, key) else {
        return Ok(Map::new());
    };
    as_table(text, at, node, key)?;
    let plain: Map<String, Value> = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        unfit(text, at, format!("this is no TOML: {}", error.message()))
    })?;
    Ok(plain
        .get(key)
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default())
}

pub(super) fn alone(key: &str, name: &str, entry: &Entry, line_end: &str) -> String {
    block(key, name, entry, line_end) + line_end
}

/// A table without the end of its last line.
fn block(key: &str, name: &str, entry: &Entry, line_end: &str) -> String {
    let members = entry.0.iter();
    let lines = members.map(|(name, member)| format!("{line_end}{name} = {}", written(member)));
    let lines: String = lines.collect();
    format!("[{key}.{name}]{lines}")
}

fn written(member: &Member) -> String {
    match member {
        Member::Text(text) => toml::Value::from(&**text).to_string(),
        Member::Texts(texts) => {
            let texts = texts.iter().map(|text| toml::Value::from(&**text));
            toml::Value::Array(texts.collect()).to_string()
        }
        Member::Flag(flag) => flag.to_string(),
    }
}

pub(super) fn put(text: &str, key: &str, name: &str, entry: &Entry) -> Result<String, Unfit> {
    let root = parse(text)?;
    if let Some((at, all)) = find(&root, key) {
        let table = as_table(text, at, all, key)?;
        if let Some((at, server)) = find(table, name) {
            as_table(text, at, server, name)?;
            return update(text, [key, name], entry);
        }
        if text[all.span()].starts_with('{') {
            let message = format!("{key:?} is written in one line; add the server there by hand");
            return Err(unfit(text, all.span().start, message));
        }
    }
    Ok(append(text, &block(key, name, entry, line_end(text))))
}

/// Adds a block at the end of a text after an empty line; whether the last line ends stays as it is.
fn append(text: &str, block: &str) -> String {
    let line_end = line_end(text);
    if text.is_empty() {
        return [block, line_end].concat();
    }
    if text.ends_with('\n') {
        return [text, line_end, block, line_end].concat();
    }
    [text, line_end, line_end, block].concat()
}

/// Adds blocks at the end of a text, which must be TOML before and after.
pub(super) fn append_all(
    text: &str,
    blocks: impl Iterator<Item = String>,
) -> Result<String, Unfit> {
    parse(text)?;
    let line_end = line_end(text);
    let after = blocks.fold(text.to_owned(), |text, block| {
        append(&text, &block.replace('\n', line_end))
    });
    parse(&after)?;
    Ok(after)
}

/// Changes what differs in a server that is there, one member after the other.
fn update(text: &str, [key, name]: [&str; 2], entry: &Entry) -> Result<String, Unfit> {
    let mut text = text.to_owned();
    for (member, wanted) in &entry.0 {
        let found = servers(&text, key)?;
        if wanted.is(found.get(name).and_then(|server| server.get(*member))) {
            continue;
        }
        let changed = {
            let root = parse(&text)?;
            let all = find(&root, key).and_then(|(_, all)| all.get_ref().as_table());
            let Some((at, server)) = all.and_then(|all| find(all, name)) else {
                continue;
            };
            let table = as_table(&text, at, server, name)?;
            if let Some((_, value)) = find(table, member) {
                let span = value.span();
                spliced(&text, span.start, span.end, &written(wanted))
            } else {
                let header = line_start(&text, at);
                if !text[header..].trim_start().starts_with('[') {
                    let message = format!("{name:?} has no {member:?}; add it by hand");
                    return Err(unfit(&text, at, message));
                }
                let end = line_stop(&text, at);
                let line = format!("{}{member} = {}", line_end(&text), written(wanted));
                spliced(&text, end, end, &line)
            }
        };
        text = changed;
    }
    Ok(text)
}

pub(super) fn remove(text: &str, key: &str, name: &str) -> Result<String, Unfit> {
    let root = parse(text)?;
    let all = find(&root, key).and_then(|(_, all)| all.get_ref().as_table());
    let Some((at, server)) = all.and_then(|all| find(all, name)) else {
        return Err(unfit(text, 0, format!("there is no server {name:?}")));
    };
    let start = line_start(text, at);
    let end = line_stop(text, at.max(last_byte(server)));
    let with_end = line_stop_with_end(text, end);
    let is_header = text[start..].trim_start().starts_with('[');
    Ok(if with_end > end || start == 0 {
        let start = if is_header {
            without_blank(text, start)
        } else {
            start
        };
        spliced(text, start, with_end, "")
    } else {
        // The last line does not end, and so it is for the one that becomes the last.
        let kept = &text[..start];
        let kept = if is_header {
            &kept[..without_blank(text, start)]
        } else {
            kept
        };
        without_end(kept).to_owned()
    })
}

/// Where an empty line before a place begins, or the place.
fn without_blank(text: &str, at: usize) -> usize {
    let before = without_end(&text[..at]);
    if before.len() < at && (before.is_empty() || before.ends_with('\n')) {
        before.len()
    } else {
        at
    }
}

fn without_end(text: &str) -> &str {
    let text_of = |end| text.strip_suffix(end);
    text_of("\r\n").or_else(|| text_of("\n")).unwrap_or(text)
}

/// Where the line that holds a byte stops, without what ends it.
fn line_stop(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let line = rest.split('\n').next().unwrap_or(rest);
    at + line.trim_end_matches('\r').len()
}

fn line_stop_with_end(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    rest.find('\n')
        .map_or(text.len(), |newline| at + newline + 1)
}

/// The last byte of a table's last value, wherever in the text the parts of the table are.
fn last_byte(node: &Node<'_>) -> usize {
    let own = node.span().end.saturating_sub(1);
    match node.get_ref() {
        DeValue::Table(table) => {
            let ends = table
                .iter()
                .map(|(key, value)| key.span().start.max(last_byte(value)));
            // A table under a header spans the header alone.
            ends.fold(own, usize::max)
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => own,
    }
}
