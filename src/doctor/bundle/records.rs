//! The newest records, without what was asked and answered.

use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;

use crate::audit::query::{self, Entry, Filter, Order, QueryError};
use crate::audit::reader::{ReadError, undisturbed};

/// How many records are shown.
const MOST: usize = 200;

/// A record without arguments, answers, reasons and addresses: what happened when, and how it ended.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Shown {
    seq: u64,
    id: Box<str>,
    timestamp: Box<str>,
    kind: Box<str>,
    request_id: Option<Box<str>>,
    user_id: Option<Box<str>>,
    #[serde(skip)]
    subject: Option<Box<str>>,
    agent_id: Option<Box<str>>,
    server: Option<Box<str>>,
    tool_name: Option<Box<str>>,
    method: Option<Box<str>>,
    decision: Option<Box<str>>,
    policy: Option<Box<str>>,
    outcome: Option<Box<str>>,
    http_status: Option<u16>,
    rpc_error: Option<i64>,
    is_error: Option<bool>,
    duration_ms: Option<u64>,
}

#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl Shown {
    fn of(entry: &Entry) -> Self {
        let row = entry.row();
        let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(Into::into);
        Self {
            seq: entry.seq,
            id: (*row.id).into(),
            timestamp: (*row.timestamp).into(),
            kind: (*row.kind).into(),
            request_id: text(&row.request_id),
            user_id: text(&row.user_id),
            subject: text(&row.subject),
            agent_id: text(&row.agent_id),
            server: text(&row.server),
            tool_name: text(&row.tool_name),
            method: text(&row.method),
            decision: text(&row.decision),
            policy: text(&row.policy),
            outcome: text(&row.outcome),
            http_status: row.http_status,
            rpc_error: row.rpc_error,
            is_error: row.is_error,
            duration_ms: row.duration_ms,
        }
    }

    /// The identifiers of the person.
    pub(super) fn persons(&self) -> impl Iterator<Item = &str> {
        [&self.user_id, &self.subject]
            .into_iter()
            .filter_map(Option::as_deref)
    }
}

/// The newest records in the order of the log; none of a log that cannot be read, of which doctor tells.
pub(super) fn newest(log: &Path) -> Vec<Shown> {
    let read = undisturbed(log, |reader| -> Result<Vec<Shown>, Unreadable> {
        let mut found = Vec::new();
        query::list(reader, &Filter::default(), Order::NewestFirst, |entry| {
            found.push(Shown::of(&entry));
            if found.len() < MOST {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        Ok(found)
    });
    let mut found = read.unwrap_or_default();
    found.reverse();
    found
}
