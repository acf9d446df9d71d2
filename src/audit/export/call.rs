//! A finished call, taken apart: what its outcome or refusal says, and what its intent said before.

use super::ExportError;
use crate::audit::query::{Finished, Row};
use crate::clock::Timestamp;

/// A call that came to an end.
pub(super) struct Call<'a> {
    /// The number of the record that ends it.
    pub(super) seq: u64,
    /// How it ended.
    pub(super) end: Row<'a>,
    /// How it began; a refusal says everything itself.
    pub(super) intent: Option<Row<'a>>,
    /// When it ended.
    pub(super) ended: Timestamp,
}

impl<'a> Call<'a> {
    pub(super) fn of(finished: &'a Finished) -> Result<Self, ExportError> {
        let unreadable = || ExportError::Unreadable { seq: finished.seq };
        let end: Row<'a> = serde_json::from_str(&finished.json).map_err(|_| unreadable())?;
        let intent = finished.intent.as_deref().map(serde_json::from_str);
        let ended = Timestamp::parse(&end.timestamp).map_err(|_| unreadable())?;
        Ok(Self {
            seq: finished.seq,
            ended,
            intent: intent.transpose().map_err(|_| unreadable())?,
            end,
        })
    }

    /// The record that tells how the call was decided, and with which arguments.
    pub(super) fn decided(&self) -> &Row<'a> {
        self.intent.as_ref().unwrap_or(&self.end)
    }

    /// The rule that let the call through, or why it ended as it did.
    pub(super) fn reason(&self) -> Option<&str> {
        let own = self.end.reason.as_deref();
        own.or_else(|| self.intent.as_ref()?.reason.as_deref())
    }
}
