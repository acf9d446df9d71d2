//! Records for people: one line each, or one in full.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::audit::query::Entry;
use crate::wire::{Object, Raw};
use crate::wording::terminal_safe;

/// Prints lines under a heading; the widths are fixed, because lines are printed as they come.
pub(super) struct Table {
    colour: bool,
    headed: bool,
}

impl Table {
    pub(super) fn new(colour: bool) -> Self {
        Self {
            colour,
            headed: false,
        }
    }

    pub(super) fn line(&mut self, entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
        if !self.headed {
            self.headed = true;
            let (seq, time, kind, user, what, how) =
                ("SEQ", "TIME", "KIND", "USER", "WHAT", "RESULT");
            writeln!(
                out,
                "{seq:>7}  {time:<24}  {kind:<13}  {user:<24}  {what:<32}  {how}"
            )?;
        }
        let row = entry.row();
        let user = row
            .user_id
            .as_deref()
            .or(row.subject.as_deref())
            .unwrap_or("-");
        let tool = row.tool_name.as_deref().or(row.method.as_deref());
        let what = match (row.server.as_deref(), tool) {
            (Some(server), Some(tool)) => format!("{server} {tool}"),
            (one, other) => one.or(other).unwrap_or("-").to_owned(),
        };
        let (time, kind) = (terminal_safe(&row.timestamp), terminal_safe(&row.kind));
        let (user, what) = (terminal_safe(user), terminal_safe(&what));
        write!(
            out,
            "{:>7}  {time:<24}  {kind:<13}  {user:<24}  {what:<32}  ",
            entry.seq
        )?;
        let result = row
            .outcome
            .as_deref()
            .or(row.decision.as_deref())
            .unwrap_or("-");
        self.coloured(result, out)?;
        if let Some(duration) = row.duration_ms {
            write!(out, " {duration} ms")?;
        }
        if let Some(reason) = &row.reason {
            write!(out, " {}", terminal_safe(reason))?;
        }
        writeln!(out)
    }

    fn coloured(&self, result: &str, out: &mut dyn Write) -> io::Result<()> {
        let safe = terminal_safe(result);
        let colour = match result {
            "success" => "32",
            "error" => "31",
            "denied" | "unknown" => "33",
            _ => return write!(out, "{safe}"),
        };
        if self.colour {
            write!(out, "\u{1b}[{colour}m{safe}\u{1b}[0m")
        } else {
            write!(out, "{safe}")
        }
    }
}

/// Every member of a record on its line, in the record's order.
pub(super) fn record(entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
    let body = Raw::parse(&entry.json).ok();
    let Some(object) = body.as_ref().and_then(|body| Object::of(body, &[]).ok()) else {
        return writeln!(out, "{}  {}", entry.seq, terminal_safe(&entry.json));
    };
    for (key, value) in object.iter() {
        let text = serde_json::from_str::<String>(value.get());
        let text = text.map_or(Cow::Borrowed(value.get()), Cow::Owned);
        writeln!(out, "{:<16}  {}", terminal_safe(key), terminal_safe(&text))?;
    }
    Ok(())
}
