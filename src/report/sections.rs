//! The parts of the page above the table, one file each.

mod decisions;
mod overview;
mod people;
mod proof;
mod servers;
mod unusual;

use std::fmt::{self, Write};

use super::Contents;
use super::text::Count;
use crate::clock::{Offset, Timestamp};

/// All parts, in their order.
pub(super) fn all(contents: &Contents<'_>) -> Result<String, fmt::Error> {
    let mut page = String::new();
    proof::write(&mut page, contents)?;
    overview::write(&mut page, contents)?;
    people::write(&mut page, contents)?;
    decisions::write(&mut page, contents)?;
    servers::write(&mut page, contents)?;
    unusual::write(&mut page, contents)?;
    Ok(page)
}

/// Opens a section: its heading with what it is about, and then its body.
fn open(out: &mut String, id: &str, heading: &str, about: &str) -> fmt::Result {
    write!(
        out,
        "<section id=\"{id}\" aria-labelledby=\"{id}-h\"><div class=\"aside\">\
         <h2 id=\"{id}-h\">{heading}</h2>{about}</div><div class=\"body\">"
    )
}

fn close(out: &mut String) -> fmt::Result {
    out.write_str("</div></section>\n")
}

/// Opens a table; of the columns, those that begin with `#` are numbers.
fn open_table(out: &mut String, caption: &str, columns: &[&str]) -> fmt::Result {
    // What scrolls can be reached by keyboard.
    write!(
        out,
        "<div class=\"wrap\" tabindex=\"0\" role=\"group\" aria-label=\"{caption}\"><table><caption>{caption}</caption><thead><tr>"
    )?;
    for column in columns {
        match column.strip_prefix('#') {
            Some(name) => write!(out, "<th scope=\"col\" class=\"n\">{name}</th>")?,
            None => write!(out, "<th scope=\"col\">{column}</th>")?,
        }
    }
    out.write_str("</tr></thead><tbody>")
}

fn close_table(out: &mut String) -> fmt::Result {
    out.write_str("</tbody></table></div>")
}

/// Says how many more there are than are shown.
fn more(out: &mut String, found: usize, shown: usize, what: &str) -> fmt::Result {
    match u64::try_from(found.saturating_sub(shown)) {
        Ok(0) | Err(_) => Ok(()),
        Ok(more) => write!(
            out,
            "<p class=\"note\">And {} more {what}.</p>",
            Count(more)
        ),
    }
}

/// Nothing, said so that it is not taken for something missing.
fn nothing(out: &mut String, what: &str) -> fmt::Result {
    write!(out, "<p class=\"nil\">{what}</p>")
}

fn when(at: Option<Timestamp>, offset: Offset) -> String {
    at.map_or_else(
        || "\u{2013}".to_owned(),
        |at| {
            let text = at.moment(offset).date_and_time();
            // Seconds are for the table of records.
            text.get(..16).unwrap_or(&text).to_owned()
        },
    )
}
