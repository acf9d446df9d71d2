//! The rows of the table, as JSON in the page, written as the log is read.
//!
//! A call is one row: its outcome, with the rule and the arguments of its intent. Of calls that are
//! open no more than [`OPEN`] are remembered, and of rows no more are written than a browser can
//! take: the newest ones.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Contents;
use super::text::{json, short};
use crate::audit::query::QueryError;
use crate::audit::reader::Reader;
use crate::audit::stats::{Ending, Period, Seen, walk};
use crate::clock::Timestamp;
use crate::wording::terminal_safe;

/// So many rows are in the page at most.
pub(super) const MOST: u64 = 200_000;
/// So many intents wait for their outcomes at most; later ones show no rule.
const OPEN: usize = 20_000;
/// Arguments and answers are shown up to this length; the log has the rest.
const EXCERPT: usize = 300;
/// Names are.
const NAME: usize = 120;

/// What the script finds in a row, in this order.
const COLUMNS: [&str; 13] = [
    "seq", "time", "result", "person", "server", "tool", "took", "policy", "rule", "agent", "call",
    "text", "answer",
];

/// One row.
#[derive(Debug, Default)]
struct Row {
    seq: u64,
    time: i64,
    result: Box<str>,
    person: Box<str>,
    server: Box<str>,
    tool: Box<str>,
    took: Option<u64>,
    policy: Box<str>,
    rule: Box<str>,
    agent: Box<str>,
    call: Box<str>,
    text: Box<str>,
    answer: Box<str>,
}

/// Writes the data of the page: columns, distance from UTC, rows.
///
/// The outer error is the log's, the inner one the file's.
pub(super) fn write(
    contents: &Contents<'_>,
    reader: &Reader,
    end: u64,
    out: &mut impl Write,
) -> Result<io::Result<()>, QueryError> {
    let total = contents.rows();
    let mut rows = Rows {
        period: contents.request.period,
        skip: total.saturating_sub(MOST),
        is_first: true,
        begun: BTreeMap::new(),
        done: Ok(()),
        out,
    };
    rows.attempt(|rows| rows.begin(contents));
    walk(reader, |seen| {
        if seen.seq < end {
            rows.attempt(|rows| rows.see(seen));
        }
    })?;
    rows.attempt(Rows::finish);
    Ok(rows.done)
}

struct Rows<'a, W> {
    period: Period,
    /// So many of the oldest are left out.
    skip: u64,
    is_first: bool,
    begun: BTreeMap<Box<str>, Row>,
    done: io::Result<()>,
    out: &'a mut W,
}

impl<W: Write> Rows<'_, W> {
    /// After the first failure nothing more is written.
    fn attempt(&mut self, act: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.done.is_ok() {
            self.done = act(self);
        }
    }

    fn begin(&mut self, contents: &Contents<'_>) -> io::Result<()> {
        let offset = contents.request.offset;
        let (columns, zone) = (json(&COLUMNS)?, json(&offset.to_string())?);
        let millis = offset.millis();
        write!(
            self.out,
            "{{\"columns\":{columns},\"zone\":{zone},\"offset\":{millis},\"rows\":["
        )
    }

    fn see(&mut self, seen: &Seen<'_>) -> io::Result<()> {
        let call = seen.record.request_id.as_deref();
        if &*seen.record.kind == "intent" {
            if let Some(call) = call
                && self.begun.len() < OPEN
            {
                self.begun.insert(call.into(), Row::of_intent(seen));
            }
            return Ok(());
        }
        let begun = call.and_then(|call| self.begun.remove(call));
        if !self.period.holds(seen.at) {
            return Ok(());
        }
        self.put(&Row::of(seen, begun))
    }

    fn put(&mut self, row: &Row) -> io::Result<()> {
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(());
        }
        let comma = if self.is_first { "" } else { "," };
        self.is_first = false;
        write!(self.out, "{comma}{}", json(&row.columns())?)
    }

    /// Calls that have no outcome come last, whenever they began.
    fn finish(&mut self) -> io::Result<()> {
        let period = self.period;
        for begun in std::mem::take(&mut self.begun).into_values() {
            if period.holds(Timestamp::from_millis(begun.time)) {
                self.put(&begun)?;
            }
        }
        write!(self.out, "]}}")
    }
}

impl Row {
    /// In the order of [`COLUMNS`].
    fn columns(&self) -> impl serde::Serialize {
        (
            self.seq,
            self.time,
            &self.result,
            &self.person,
            &self.server,
            &self.tool,
            self.took,
            &self.policy,
            &self.rule,
            &self.agent,
            &self.call,
            &self.text,
            &self.answer,
        )
    }

    fn of_intent(seen: &Seen<'_>) -> Self {
        Self {
            policy: shown(seen.record.policy.as_deref(), NAME),
            rule: shown(seen.record.reason.as_deref(), NAME),
            text: arguments(seen),
            ..Self::named(seen, "open")
        }
    }

    fn of(seen: &Seen<'_>, begun: Option<Self>) -> Self {
        let record = &seen.record;
        let reason = record.reason.as_deref();
        match seen.ending() {
            Some(Ending::Refused) => Self {
                policy: shown(record.policy.as_deref(), NAME),
                rule: shown(reason.or(record.decision.as_deref()), EXCERPT),
                text: arguments(seen),
                ..Self::named(seen, "refused")
            },
            Some(ending) => {
                let begun = begun.unwrap_or_default();
                Self {
                    took: record.duration_ms,
                    policy: begun.policy,
                    rule: begun.rule,
                    text: begun.text,
                    answer: shown(reason.or(record.response_summary.as_deref()), EXCERPT),
                    ..Self::named(seen, word(ending))
                }
            }
            None => Self {
                text: shown(reason, EXCERPT),
                ..Self::named(seen, &record.kind)
            },
        }
    }

    fn named(seen: &Seen<'_>, result: &str) -> Self {
        let record = &seen.record;
        let person = record.user_id.as_deref().or(record.subject.as_deref());
        let tool = record.tool_name.as_deref().or(record.method.as_deref());
        Self {
            seq: seen.seq,
            time: seen.at.millis(),
            result: shown(Some(result), NAME),
            person: shown(person, NAME),
            server: shown(record.server.as_deref(), NAME),
            tool: shown(tool, NAME),
            agent: shown(record.agent_id.as_deref(), NAME),
            call: shown(record.request_id.as_deref(), NAME),
            ..Self::default()
        }
    }
}

fn word(ending: Ending) -> &'static str {
    match ending {
        Ending::Success => "success",
        Ending::Error => "error",
        Ending::Unknown => "unknown",
        Ending::Refused => "refused",
    }
}

fn arguments(seen: &Seen<'_>) -> Box<str> {
    shown(
        seen.record.tool_args.map(serde_json::value::RawValue::get),
        EXCERPT,
    )
}

fn shown(text: Option<&str>, most: usize) -> Box<str> {
    let text = short(text.unwrap_or_default(), most);
    terminal_safe(&text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_rows_the_oldest_are_left_out() {
        let mut out = Vec::new();
        let mut rows = Rows {
            period: Period::default(),
            skip: 2,
            is_first: true,
            begun: BTreeMap::new(),
            done: Ok(()),
            out: &mut out,
        };
        for seq in 0..4 {
            let row = Row {
                seq,
                ..Row::default()
            };
            rows.put(&row).unwrap();
        }
        let list: serde_json::Value =
            serde_json::from_str(&format!("[{}]", String::from_utf8(out).unwrap())).unwrap();
        let list = list.as_array().unwrap();
        assert_eq!(
            (list.len(), &list[0][0], &list[1][0]),
            (2, &2.into(), &3.into())
        );
        assert_eq!(list[0].as_array().unwrap().len(), COLUMNS.len());
    }
}
