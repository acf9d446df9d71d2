//! What a report counts beside [`Stats`]: who, by which rules, when, and what is unusual.
//!
//! Like the counting below it, in memory that does not grow with the log.

mod timeline;
mod unusual;

pub(super) use self::timeline::{Bucket, Timeline};
pub(super) use self::unusual::{NIGHT, PER_MINUTE, Unusual};
use super::text::short;
use crate::audit::stats::{Capped, Counter, Ending, Period, Seen, Stats, TOLD_APART, Tally};
use crate::clock::{Offset, Timestamp};

/// A name in a record is shown up to this length.
const NAME: usize = 120;

/// What a person did.
#[derive(Debug, Clone, Default)]
pub(super) struct Person {
    pub(super) tally: Tally,
    pub(super) last: Option<Timestamp>,
    /// Calls and refusals at night.
    pub(super) nightly: u64,
    pub(super) last_night: Option<Timestamp>,
}

/// One sort of refusal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Refusal {
    pub(super) decision: Box<str>,
    pub(super) policy: Box<str>,
    pub(super) rule: Box<str>,
    pub(super) target: Box<str>,
    pub(super) person: Box<str>,
}

/// Who used what: person, server and tool.
pub(super) type Used = (Box<str>, Box<str>, Box<str>);

/// How often, and when last.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    pub(super) count: u64,
    pub(super) last: Option<Timestamp>,
}

/// Everything that was counted.
#[derive(Debug)]
pub(super) struct Findings {
    period: Period,
    counter: Counter,
    /// Records but for intents.
    pub(super) rows: u64,
    pub(super) timeline: Timeline,
    pub(super) people: Capped<Box<str>, Person>,
    /// Calls by person, server and tool.
    pub(super) uses: Capped<Used, u64>,
    pub(super) refusals: Capped<Refusal, Times>,
    /// Permits by policy and rule.
    pub(super) permits: Capped<(Box<str>, Box<str>), Times>,
    /// Records that belong to no call, by kind.
    pub(super) notes: Capped<Box<str>, Times>,
    pub(super) unusual: Unusual,
}

impl Findings {
    pub(super) fn new(period: Period, offset: Offset) -> Self {
        Self {
            period,
            counter: Counter::new(period, offset),
            rows: 0,
            timeline: Timeline::new(offset),
            people: Capped::new(TOLD_APART),
            uses: Capped::new(TOLD_APART),
            refusals: Capped::new(TOLD_APART),
            permits: Capped::new(TOLD_APART),
            notes: Capped::new(TOLD_APART),
            unusual: Unusual::new(period, offset),
        }
    }

    /// Counts a record; also one from before the period, which says what was usual.
    pub(super) fn see(&mut self, seen: &Seen<'_>) {
        self.unusual.see(seen);
        if !self.period.holds(seen.at) {
            return;
        }
        self.counter.see(seen);
        self.rows += u64::from(&*seen.record.kind != "intent");
        match (seen.ending(), &*seen.record.kind) {
            (Some(ending), _) => self.see_end(seen, ending),
            (None, "intent") => {
                let policy = named(seen.record.policy.as_deref());
                let rule = named(seen.record.reason.as_deref());
                self.permits.of((policy, rule)).add(seen.at);
            }
            (None, kind) => self.notes.of(short(kind, NAME).into()).add(seen.at),
        }
    }

    fn see_end(&mut self, seen: &Seen<'_>, ending: Ending) {
        self.timeline.add(seen.at, ending);
        let person = self.people.of(short(seen.person(), NAME).into());
        person.tally.count(ending, seen.record.duration_ms);
        person.last = Some(seen.at);
        if self.unusual.is_night(seen.at) {
            person.nightly += 1;
            person.last_night = Some(seen.at);
        }
        if ending == Ending::Refused {
            self.see_refusal(seen);
        } else {
            let (server, tool) = (short(seen.server(), NAME), short(seen.tool(), NAME));
            let person = short(seen.person(), NAME);
            *self.uses.of((person.into(), server.into(), tool.into())) += 1;
        }
    }

    fn see_refusal(&mut self, seen: &Seen<'_>) {
        let refusal = Refusal {
            decision: named(seen.record.decision.as_deref()),
            policy: named(seen.record.policy.as_deref()),
            rule: named(seen.record.reason.as_deref()),
            target: short(&format!("{} {}", seen.server(), seen.tool()), NAME).into(),
            person: short(seen.person(), NAME).into(),
        };
        self.refusals.of(refusal).add(seen.at);
    }

    /// Nothing comes any more; returns the counts.
    pub(super) fn finish(&mut self, unreadable: u64) -> Stats {
        self.unusual.finish();
        self.counter.clone().finish(unreadable)
    }

    /// People, those who did most first.
    pub(super) fn ranked_people(&self) -> Vec<(&str, &Person)> {
        let mut people: Vec<_> = self
            .people
            .told_apart()
            .map(|(name, person)| (&**name, person))
            .collect();
        people.sort_by_key(|(_, person)| std::cmp::Reverse(person.tally.asked()));
        people
    }
}

impl Times {
    fn add(&mut self, at: Timestamp) {
        self.count += 1;
        self.last = Some(at);
    }
}

fn named(text: Option<&str>) -> Box<str> {
    short(text.unwrap_or("\u{2013}"), NAME).into()
}
