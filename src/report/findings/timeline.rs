//! Calls over time, in steps that grow so that their number does not.

use std::collections::BTreeMap;

use crate::audit::stats::Ending;
use crate::clock::{Offset, Timestamp};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// Steps that a person can read off an axis.
const STEPS: [i64; 9] = [
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    60 * MINUTE,
    3 * 60 * MINUTE,
    DAY,
    7 * DAY,
    28 * DAY,
    364 * DAY,
];
/// The epoch was a Thursday; weeks begin on Monday.
const TO_MONDAY: i64 = 3 * DAY;
/// More steps than this are never kept.
const KEPT: usize = 4_000;

/// One step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::report) struct Bucket {
    pub(in crate::report) success: u64,
    pub(in crate::report) unknown: u64,
    pub(in crate::report) error: u64,
    pub(in crate::report) refused: u64,
}

/// Counts by step.
#[derive(Debug)]
pub(in crate::report) struct Timeline {
    offset: Offset,
    step: i64,
    buckets: BTreeMap<i64, Bucket>,
}

impl Bucket {
    pub(in crate::report) fn total(self) -> u64 {
        self.success + self.unknown + self.error + self.refused
    }

    fn add(&mut self, other: Self) {
        self.success += other.success;
        self.unknown += other.unknown;
        self.error += other.error;
        self.refused += other.refused;
    }
}

impl Timeline {
    pub(super) fn new(offset: Offset) -> Self {
        Self {
            offset,
            step: MINUTE,
            buckets: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, at: Timestamp, ending: Ending) {
        let mut one = Bucket::default();
        match ending {
            Ending::Success => one.success = 1,
            Ending::Error => one.error = 1,
            Ending::Unknown => one.unknown = 1,
            Ending::Refused => one.refused = 1,
        }
        let start = self.start(at.millis(), self.step);
        self.buckets.entry(start).or_default().add(one);
        while self.buckets.len() > KEPT {
            let Some(longer) = STEPS.into_iter().find(|step| *step > self.step) else {
                // Steps of a year would take as many years.
                break;
            };
            self.buckets = self.in_steps(longer);
            self.step = longer;
        }
    }

    /// The steps from the first call to the last, at most so many, and how long each is.
    pub(in crate::report) fn buckets(&self, most: usize) -> (i64, Vec<(Timestamp, Bucket)>) {
        let ends = self
            .buckets
            .keys()
            .next()
            .zip(self.buckets.keys().next_back());
        let Some((first, last)) = ends else {
            return (self.step, Vec::new());
        };
        let fits = |step: i64| {
            let count = (self.start(*last, step) - self.start(*first, step)) / step;
            usize::try_from(count).is_ok_and(|count| count < most)
        };
        let longer = STEPS.into_iter().filter(|step| *step >= self.step);
        let step = longer.clone().find(|step| fits(*step)).unwrap_or(364 * DAY);
        let counts = self.in_steps(step);
        let mut start = self.start(*first, step);
        let mut found = Vec::new();
        while start <= *last && found.len() < most {
            let bucket = counts.get(&start).copied().unwrap_or_default();
            found.push((Timestamp::from_millis(start), bucket));
            start = start.saturating_add(step);
        }
        (step, found)
    }

    fn in_steps(&self, step: i64) -> BTreeMap<i64, Bucket> {
        let mut longer = BTreeMap::<i64, Bucket>::new();
        for (at, bucket) in &self.buckets {
            longer
                .entry(self.start(*at, step))
                .or_default()
                .add(*bucket);
        }
        longer
    }

    /// When the step began that an instant is in.
    fn start(&self, at: i64, step: i64) -> i64 {
        let shift = self.offset.millis() + if step > DAY { TO_MONDAY } else { 0 };
        let local = at.saturating_add(shift);
        (local - local.rem_euclid(step)).saturating_sub(shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[&str], offset: &str) -> Timeline {
        let mut timeline = Timeline::new(Offset::parse(offset).unwrap());
        for time in times {
            timeline.add(Timestamp::parse(time).unwrap(), Ending::Success);
        }
        timeline
    }

    #[test]
    fn steps_are_as_short_as_fits_and_leave_no_gap() {
        let timeline = of(&["2026-01-01T00:00:30Z", "2026-01-01T01:10:00Z"], "UTC");
        let (step, buckets) = timeline.buckets(72);
        assert_eq!((step, buckets.len()), (MINUTE, 71));
        let (step, buckets) = timeline.buckets(20);
        assert_eq!((step, buckets.len()), (5 * MINUTE, 15));
        assert_eq!(
            buckets
                .iter()
                .map(|(_, bucket)| bucket.total())
                .sum::<u64>(),
            2
        );
        assert!(of(&[], "UTC").buckets(10).1.is_empty());
    }

    #[test]
    fn days_and_weeks_begin_where_people_are() {
        let timeline = of(&["2026-01-01T23:30:00Z", "2026-02-20T10:00:00Z"], "+01:00");
        let (step, buckets) = timeline.buckets(60);
        assert_eq!(
            (step, buckets[0].0.to_string().as_str()),
            (DAY, "2026-01-01T23:00:00.000Z")
        );
        let (step, buckets) = timeline.buckets(20);
        // Friday, 2 January there, is in the week of Monday, 29 December.
        assert_eq!(
            (step, buckets[0].0.to_string().as_str()),
            (7 * DAY, "2025-12-28T23:00:00.000Z")
        );
    }

    #[test]
    fn a_long_log_is_kept_in_few_steps() {
        let mut timeline = Timeline::new(Offset::default());
        for day in 0..20_000 {
            timeline.add(Timestamp::from_millis(day * DAY), Ending::Refused);
        }
        assert!(timeline.buckets.len() <= KEPT);
        let total = |timeline: &Timeline| {
            timeline
                .buckets
                .values()
                .map(|one| one.refused)
                .sum::<u64>()
        };
        assert_eq!(total(&timeline), 20_000);
    }
}
