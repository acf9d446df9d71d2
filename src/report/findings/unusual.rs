//! What an auditor would look at twice: tools that are new, calls at night, many calls at once.
//!
//! The rules are simple on purpose, because the page states them and a reader is to be able to check
//! them by hand.

use std::collections::BTreeMap;

use crate::audit::stats::{Capped, Ending, Period, Seen, TOLD_APART};
use crate::clock::{Offset, Timestamp};

/// The hours that are night: from the first on, and before the second.
pub(in crate::report) const NIGHT: (u32, u32) = (22, 6);
/// So many calls and refusals of one person within a minute of the clock are a burst.
pub(in crate::report) const PER_MINUTE: u64 = 30;
/// On the log's first day everything is new.
const FIRST_DAY: i64 = 24 * 60 * MINUTE;
const MINUTE: i64 = 60_000;
/// More bursts than this are only counted.
const KEPT: usize = 500;

/// Consecutive minutes in each of which a person did very much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct Burst {
    pub(in crate::report) person: Box<str>,
    pub(in crate::report) from: Timestamp,
    pub(in crate::report) minutes: u64,
    pub(in crate::report) count: u64,
}

/// When a tool was first called, and by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::report) struct FirstUse {
    pub(in crate::report) at: Option<Timestamp>,
    pub(in crate::report) person: Box<str>,
}

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    count: u64,
}

/// What was found.
#[derive(Debug)]
pub(in crate::report) struct Unusual {
    period: Period,
    offset: Offset,
    begun: Option<Timestamp>,
    first_uses: Capped<(Box<str>, Box<str>), FirstUse>,
    minutes: Capped<Box<str>, Minute>,
    open: BTreeMap<Box<str>, Burst>,
    pub(in crate::report) bursts: Vec<Burst>,
    /// Bursts that were found and not kept.
    pub(in crate::report) more_bursts: u64,
}

impl Unusual {
    pub(super) fn new(period: Period, offset: Offset) -> Self {
        Self {
            period,
            offset,
            begun: None,
            first_uses: Capped::new(TOLD_APART),
            minutes: Capped::new(TOLD_APART),
            open: BTreeMap::new(),
            bursts: Vec::new(),
            more_bursts: 0,
        }
    }

    pub(super) fn is_night(&self, at: Timestamp) -> bool {
        let hour = at.moment(self.offset).hour;
        hour >= NIGHT.0 || hour < NIGHT.1
    }

    pub(super) fn see(&mut self, seen: &Seen<'_>) {
        self.begun.get_or_insert(seen.at);
        let Some(ending) = seen.ending() else {
            return;
        };
        if ending != Ending::Refused {
            let first = self
                .first_uses
                .of((seen.server().into(), seen.tool().into()));
            if first.at.is_none() {
                first.at = Some(seen.at);
                first.person = seen.person().into();
            }
        }
        if self.period.holds(seen.at) {
            self.see_minute(seen);
        }
    }

    fn see_minute(&mut self, seen: &Seen<'_>) {
        let number = seen.at.millis().div_euclid(MINUTE);
        let minute = self.minutes.of(seen.person().into());
        if minute.number == number {
            minute.count += 1;
            return;
        }
        let done = std::mem::replace(minute, Minute { number, count: 1 });
        self.close_minute(seen.person(), &done);
    }

    fn close_minute(&mut self, person: &str, minute: &Minute) {
        if minute.count < PER_MINUTE {
            return;
        }
        let from = Timestamp::from_millis(minute.number.saturating_mul(MINUTE));
        if let Some(burst) = self.open.get_mut(person) {
            let lasted = i64::try_from(burst.minutes).unwrap_or(i64::MAX);
            if burst
                .from
                .millis()
                .saturating_add(lasted.saturating_mul(MINUTE))
                == from.millis()
            {
                burst.minutes += 1;
                burst.count += minute.count;
                return;
            }
        }
        let burst = Burst {
            person: person.into(),
            from,
            minutes: 1,
            count: minute.count,
        };
        if let Some(ended) = self.open.insert(person.into(), burst) {
            self.keep(ended);
        }
    }

    fn keep(&mut self, burst: Burst) {
        if self.bursts.len() < KEPT {
            self.bursts.push(burst);
        } else {
            self.more_bursts += 1;
        }
    }

    pub(super) fn finish(&mut self) {
        let minutes = std::mem::replace(&mut self.minutes, Capped::new(0));
        for (person, minute) in minutes.into_all(|| "(others)".into()) {
            self.close_minute(&person, &minute);
        }
        for burst in std::mem::take(&mut self.open).into_values() {
            self.keep(burst);
        }
        self.bursts
            .sort_by_key(|burst| (std::cmp::Reverse(burst.count), burst.from));
    }

    /// Tools whose first call in the log lies in the period and after the log's first day, the
    /// newest first.
    pub(in crate::report) fn first_uses(&self) -> Vec<(&str, &str, &FirstUse)> {
        let is_new = |first: &FirstUse| {
            let begun = self.begun.map_or(0, Timestamp::millis);
            first.at.is_some_and(|at| {
                self.period.holds(at) && at.millis() >= begun.saturating_add(FIRST_DAY)
            })
        };
        let uses = self
            .first_uses
            .told_apart()
            .filter(|(_, first)| is_new(first));
        let mut uses: Vec<_> = uses
            .map(|((server, tool), first)| (&**server, &**tool, first))
            .collect();
        uses.sort_by_key(|(_, _, first)| std::cmp::Reverse(first.at));
        uses
    }
}
