//! What counting and reporting read of a record.

use std::ops::ControlFlow;

use crate::audit::query::{self, Filter, Order, QueryError, Row};
use crate::audit::reader::Reader;
use crate::clock::Timestamp;

/// A record, where and when.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    pub record: Row<'a>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The server did it.
    Success,
    /// It failed.
    Error,
    /// Nobody knows.
    Unknown,
    /// It was not let through.
    Refused,
}

impl Seen<'_> {
    /// How a call ended with this record; an intent and what stands alone end none.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        match (&*self.record.kind, self.record.outcome.as_deref()) {
            ("refusal", _) => Some(Ending::Refused),
            ("outcome", Some("success")) => Some(Ending::Success),
            ("outcome", Some("error")) => Some(Ending::Error),
            ("outcome", _) => Some(Ending::Unknown),
            _ => None,
        }
    }

    /// The server, or a dash.
    #[must_use]
    pub fn server(&self) -> &str {
        self.record.server.as_deref().unwrap_or("\u{2013}")
    }

    /// The tool, else the method, else a dash.
    #[must_use]
    pub fn tool(&self) -> &str {
        let tool = self.record.tool_name.as_deref();
        let tool = tool.or(self.record.method.as_deref());
        tool.unwrap_or("\u{2013}")
    }

    /// The person, as other systems know him, else as the provider does, else a dash.
    #[must_use]
    pub fn person(&self) -> &str {
        let person = self.record.user_id.as_deref();
        let person = person.or(self.record.subject.as_deref());
        person.unwrap_or("\u{2013}")
    }
}

/// Shows every record of the log, in its order; returns how many could not be read.
///
/// # Errors
/// When the log cannot be read.
pub fn walk(reader: &Reader, mut each: impl FnMut(&Seen<'_>)) -> Result<u64, QueryError> {
    let mut unreadable = 0;
    query::list(reader, &Filter::default(), Order::OldestFirst, |entry| {
        let record = serde_json::from_str::<Row<'_>>(&entry.json).ok();
        let at = record
            .as_ref()
            .map(|record| Timestamp::parse(&record.timestamp));
        match (record, at) {
            (Some(record), Some(Ok(at))) => each(&Seen {
                seq: entry.seq,
                at,
                record,
            }),
            _ => unreadable += 1,
        }
        ControlFlow::Continue(())
    })?;
    Ok(unreadable)
}
