//! Which records: the options that all commands share.

use std::time::Duration;

use clap::Args;

use crate::audit::query::{Filter, Words};
use crate::clock::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Which records; every option that is given has to match.
#[derive(Debug, Default, Args)]
pub(super) struct FilterArgs {
    /// Made at this time or later: `2026-01-31` or `2026-01-31T12:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub(super) since: Option<Timestamp>,
    /// Made before this time, or on this day at the latest.
    #[arg(long, value_name = "TIME", value_parser = parse_until)]
    pub(super) until: Option<Timestamp>,
    /// By this person: e-mail or subject.
    #[arg(long)]
    pub(super) user: Option<Box<str>>,
    /// On this server.
    #[arg(long)]
    pub(super) server: Option<Box<str>>,
    /// Of this tool, by its own name.
    #[arg(long)]
    pub(super) tool: Option<Box<str>>,
    /// `success`, `error`, `denied` or `unknown`.
    #[arg(long, value_parser = OUTCOMES)]
    pub(super) outcome: Option<String>,
    /// Holding all these words, in any case: in tool, server, user, reason, summary or arguments.
    #[arg(long, value_name = "WORDS")]
    pub(super) text: Option<Box<str>>,
}

pub(super) const OUTCOMES: [&str; 4] = ["success", "error", "denied", "unknown"];

impl FilterArgs {
    pub(super) fn filter(&self) -> Filter {
        Filter {
            since: self.since,
            until: self.until,
            user: self.user.clone(),
            server: self.server.clone(),
            tool: self.tool.clone(),
            outcome: self.outcome.as_deref().map(Into::into),
            text: self.text.as_deref().map(Words::new),
        }
    }
}

pub(super) fn parse_since(text: &str) -> Result<Timestamp, chrono::ParseError> {
    Timestamp::parse(text).or_else(|error| midnight(text).map_err(|_| error))
}

/// A day counts as a whole: what is asked for until the 31st includes the 31st.
pub(super) fn parse_until(text: &str) -> Result<Timestamp, chrono::ParseError> {
    Timestamp::parse(text).or_else(|error| {
        let day = midnight(text).map_err(|_| error)?;
        Ok(day.after(DAY))
    })
}

fn midnight(day: &str) -> Result<Timestamp, chrono::ParseError> {
    Timestamp::parse(&format!("{day}T00:00:00Z"))
}
