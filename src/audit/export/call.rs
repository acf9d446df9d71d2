//! A finished call, taken apart: what its outcome or refusal says, and what its intent said before.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::ExportError;
use crate::audit::query::Finished;
use crate::clock::Timestamp;

/// The members of a record that other formats have a place for.
#[derive(Default, Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    pub(super) seq: u64,
    #[serde(borrow)]
    pub(super) timestamp: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) request_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) user_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) subject: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) roles: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) agent_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) server: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) tool_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) tool_args: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) args_digest: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) decision: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) policy: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) policy_digest: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) outcome: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) http_status: Option<u16>,
    #[serde(default)]
    pub(super) rpc_error: Option<i64>,
    #[serde(default)]
    pub(super) is_error: Option<bool>,
    #[serde(borrow, default)]
    pub(super) response_summary: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) response_digest: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) duration_ms: Option<u64>,
    #[serde(borrow, default)]
    pub(super) client_ip: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) session: Option<u64>,
    #[serde(borrow, default)]
    pub(super) trace_id: Option<Cow<'a, str>>,
}

/// A call that came to an end.
pub(super) struct Call<'a> {
    /// How it ended.
    pub(super) end: Said<'a>,
    /// How it began; a refusal says everything itself.
    pub(super) intent: Option<Said<'a>>,
    /// When it ended.
    pub(super) ended: Timestamp,
}

impl<'a> Call<'a> {
    pub(super) fn of(finished: &'a Finished) -> Result<Self, ExportError> {
        let unreadable = || ExportError::Unreadable { seq: finished.seq };
        let end: Said<'a> = serde_json::from_str(&finished.json).map_err(|_| unreadable())?;
        let intent = finished.intent.as_deref().map(serde_json::from_str);
        let ended = Timestamp::parse(&end.timestamp).map_err(|_| unreadable())?;
        Ok(Self {
            ended,
            intent: intent.transpose().map_err(|_| unreadable())?,
            end,
        })
    }

    /// The record that tells how the call was decided, and with which arguments.
    pub(super) fn decided(&self) -> &Said<'a> {
        self.intent.as_ref().unwrap_or(&self.end)
    }

    /// The rule that let the call through, or why it ended as it did.
    pub(super) fn reason(&self) -> Option<&str> {
        let own = self.end.reason.as_deref();
        own.or_else(|| self.intent.as_ref()?.reason.as_deref())
    }
}
