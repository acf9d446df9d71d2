//! A table for spreadsheets: RFC 4180 in UTF-8, one row for each record, the stored names as header.
//!
//! Texts stand in quotes, numbers and truth values do not. A spreadsheet takes a cell that begins
//! with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula, quotes or not, and what tools
//! and models say may begin so; such a text gets an apostrophe in front, which spreadsheets read as
//! "text follows". Control characters other than tabs and ends of lines become U+FFFD, because tables
//! are looked at in terminals too. (<https://owasp.org/www-community/attacks/CSV_Injection>)

use std::io::{self, Write};

use super::columns::{COLUMNS, REST};
use super::{ExportError, one_line};
use crate::wire::{Object, Raw};

/// What makes a spreadsheet compute.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// Writes the header.
pub(super) fn head(out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{},{REST}\r\n", COLUMNS.join(","))
}

/// Writes one record.
pub(super) fn row(seq: u64, json: &str, out: &mut dyn Write) -> Result<(), ExportError> {
    let body = Raw::parse(json).map_err(|_| ExportError::Unreadable { seq })?;
    let members = Object::of(&body, &[]).map_err(|_| ExportError::Unreadable { seq })?;
    for column in COLUMNS {
        if let Some(value) = members.get(column) {
            out.write_all(cell(value.get()).as_bytes())?;
        }
        out.write_all(b",")?;
    }
    let rest = members.without(&COLUMNS);
    if rest.get() != "{}" {
        out.write_all(cell(rest.get()).as_bytes())?;
    }
    out.write_all(b"\r\n")?;
    Ok(())
}

/// A cell of one JSON value.
fn cell(value: &str) -> String {
    match value.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<String>(value) {
            Ok(text) => quoted(&text),
            Err(_) => quoted(value),
        },
        Some(b'{' | b'[') => quoted(&one_line(value)),
        Some(b'n') => String::new(),
        Some(_) | None => value.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    let harmless = if text.starts_with(FORMULA) { "'" } else { "" };
    let is_control = |c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\n');
    let visible = text.replace(is_control, "\u{FFFD}").replace('"', "\"\"");
    format!("\"{harmless}{visible}\"")
}
