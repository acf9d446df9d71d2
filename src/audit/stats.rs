//! Counts what the log holds: calls, errors, refusals and durations, by tool, by server and by hour.
//!
//! One pass, in memory that does not grow with the log: a tool has counters and a histogram
//! ([`Durations`]), and of tools, servers and hours no more are told apart than [`TOLD_APART`].
//! Nothing is verified here, and what cannot be read is counted as that.
//!
//! A call counts when its outcome is written, and in the hour in which it is.

mod capped;
mod durations;
mod record;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

pub use self::capped::Capped;
pub use self::durations::Durations;
pub use self::record::{Ending, Seen, walk};
use super::query::QueryError;
use super::reader::Reader;
use crate::clock::{Offset, Timestamp};

/// More tools, servers, people or hours than this are counted together.
pub const TOLD_APART: usize = 10_000;
/// So many single hours are named as the busiest.
const BUSIEST: usize = 5;
/// Milliseconds of an hour.
const HOUR: i64 = 3_600_000;

/// A span of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Period {
    /// From this instant on.
    pub since: Option<Timestamp>,
    /// Up to this instant, and without it.
    pub until: Option<Timestamp>,
}

impl Period {
    /// Whether an instant lies within.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

/// How calls ended, and how long they took.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Calls that have an outcome, whichever.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Calls of which nobody knows whether they were carried out.
    pub unknown: u64,
    /// Calls that were not let through; they are not among `calls`.
    pub refusals: u64,
    /// How long calls took.
    pub durations: Durations,
}

impl Tally {
    /// Counts what a record ends.
    pub fn count(&mut self, ending: Ending, duration_ms: Option<u64>) {
        match ending {
            Ending::Refused => self.refusals += 1,
            Ending::Success | Ending::Error | Ending::Unknown => self.calls += 1,
        }
        match ending {
            Ending::Error => self.errors += 1,
            Ending::Unknown => self.unknown += 1,
            Ending::Success | Ending::Refused => {}
        }
        if let Some(duration) = duration_ms {
            self.durations.add(duration);
        }
    }

    /// Calls and refusals.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.calls + self.refusals
    }
}

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(7))?;
        map.serialize_entry("calls", &self.calls)?;
        map.serialize_entry("errors", &self.errors)?;
        map.serialize_entry("unknown", &self.unknown)?;
        map.serialize_entry("refusals", &self.refusals)?;
        map.serialize_entry("median_ms", &self.durations.median())?;
        map.serialize_entry("p95_ms", &self.durations.p95())?;
        map.serialize_entry("max_ms", &self.durations.max())?;
        map.end()
    }
}

/// What one tool, or one server, was used for.
#[derive(Debug, Clone, Serialize)]
pub struct Use {
    /// The server.
    pub server: Box<str>,
    /// The tool, or the method of a request that is for none; absent for a whole server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<Box<str>>,
    /// How its calls ended.
    #[serde(flatten)]
    pub tally: Tally,
}

/// One hour of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// When it began.
    pub from: Timestamp,
    /// Calls and refusals in it.
    pub calls: u64,
}

/// The counts; its JSON keys are stable.
#[derive(Debug, Clone, Serialize)]
pub struct Stats {
    /// What was asked for.
    #[serde(flatten)]
    pub period: Period,
    /// The first record's time.
    pub first: Option<Timestamp>,
    /// The last record's time.
    pub last: Option<Timestamp>,
    /// Records in the period, of every kind.
    pub records: u64,
    /// Records of the whole log whose content cannot be read, or was pruned.
    pub unreadable: u64,
    /// How all calls ended.
    #[serde(flatten)]
    pub all: Tally,
    /// By server, the most used first.
    pub servers: Vec<Use>,
    /// By server and tool, the most used first.
    pub tools: Vec<Use>,
    /// Calls and refusals in each hour of the day.
    pub hours: [u64; 24],
    /// Calls and refusals in each hour of the week, from Monday on.
    #[serde(skip)]
    pub week: [[u64; 24]; 7],
    /// The busiest hours of all, the busiest first.
    pub busiest: Vec<Hour>,
}

/// Counts record by record.
#[derive(Debug, Clone)]
pub struct Counter {
    period: Period,
    offset: Offset,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    records: u64,
    all: Tally,
    servers: Capped<Box<str>, Tally>,
    tools: Capped<(Box<str>, Box<str>), Tally>,
    by_hour: Capped<i64, u64>,
    week: [[u64; 24]; 7],
}

impl Counter {
    /// Counts what lies in the period; hours of the day are those at this distance from UTC.
    #[must_use]
    pub fn new(period: Period, offset: Offset) -> Self {
        Self {
            period,
            offset,
            first: None,
            last: None,
            records: 0,
            all: Tally::default(),
            servers: Capped::new(TOLD_APART),
            tools: Capped::new(TOLD_APART),
            by_hour: Capped::new(TOLD_APART * 10),
            week: [[0; 24]; 7],
        }
    }

    /// Counts a record, if it lies in the period.
    pub fn see(&mut self, seen: &Seen<'_>) {
        if !self.period.holds(seen.at) {
            return;
        }
        self.records += 1;
        self.first = Some(self.first.map_or(seen.at, |first| first.min(seen.at)));
        self.last = Some(self.last.map_or(seen.at, |last| last.max(seen.at)));
        let Some(ending) = seen.ending() else {
            return;
        };
        let duration = seen.record.duration_ms;
        self.all.count(ending, duration);
        let (server, tool) = (seen.server(), seen.tool());
        self.servers.of(server.into()).count(ending, duration);
        let tool = self.tools.of((server.into(), tool.into()));
        tool.count(ending, duration);
        *self.by_hour.of(seen.at.millis().div_euclid(HOUR)) += 1;
        self.count_hour(seen.at);
    }

    fn count_hour(&mut self, at: Timestamp) {
        let moment = at.moment(self.offset);
        let index = |n: u32| usize::try_from(n).unwrap_or(0);
        let day = self.week.get_mut(index(moment.weekday));
        if let Some(hour) = day.and_then(|day| day.get_mut(index(moment.hour))) {
            *hour += 1;
        }
    }

    /// The counts.
    #[must_use]
    pub fn finish(self, unreadable: u64) -> Stats {
        let mut hours = [0; 24];
        for day in &self.week {
            for (sum, count) in hours.iter_mut().zip(day) {
                *sum += count;
            }
        }
        Stats {
            period: self.period,
            first: self.first,
            last: self.last,
            records: self.records,
            unreadable,
            all: self.all,
            servers: uses(self.servers.into_all(|| "(others)".into()), |server| {
                (server, None)
            }),
            tools: uses(
                self.tools
                    .into_all(|| ("(others)".into(), "(others)".into())),
                |(server, tool)| (server, Some(tool)),
            ),
            hours,
            week: self.week,
            busiest: busiest(self.by_hour),
        }
    }
}

fn uses<K>(tallies: Vec<(K, Tally)>, name: impl Fn(K) -> (Box<str>, Option<Box<str>>)) -> Vec<Use> {
    let named = tallies.into_iter().map(|(key, tally)| {
        let (server, tool) = name(key);
        Use {
            server,
            tool,
            tally,
        }
    });
    let mut uses: Vec<Use> = named.collect();
    // Stable: what is used alike stays in the order of names.
    uses.sort_by_key(|one| std::cmp::Reverse(one.tally.asked()));
    uses
}

fn busiest(by_hour: Capped<i64, u64>) -> Vec<Hour> {
    let hours = by_hour.into_told_apart().map(|(hour, calls)| Hour {
        from: Timestamp::from_millis(hour.saturating_mul(HOUR)),
        calls,
    });
    let mut hours: Vec<Hour> = hours.collect();
    hours.sort_by_key(|hour| (std::cmp::Reverse(hour.calls), hour.from));
    hours.truncate(BUSIEST);
    hours
}

/// Reads the log once and counts.
///
/// # Errors
/// When the log cannot be read.
pub fn collect(reader: &Reader, period: Period, offset: Offset) -> Result<Stats, QueryError> {
    let mut counter = Counter::new(period, offset);
    let unreadable = walk(reader, |seen| counter.see(seen))?;
    Ok(counter.finish(unreadable))
}

#[cfg(test)]
mod tests;
