//! Medians and percentiles in constant memory.
//!
//! A histogram of whole milliseconds: each of the first 256 has its own counter, and every doubling
//! after that has 128. What comes out is the value of that rank (nearest rank) exactly below 256 ms,
//! and from there on the middle of its counter's span, which is within 1/256 (0.4 %) of it. There
//! are at most 7,424 counters, and only those that were hit are kept.

use std::collections::BTreeMap;

/// Values with a counter of their own.
const EXACT: u64 = 256;
/// Counters for each doubling above them.
const PER_DOUBLING: u64 = 128;

/// How long calls took.
#[derive(Debug, Clone, Default)]
pub struct Durations {
    counters: BTreeMap<u64, u64>,
    count: u64,
    max: Option<u64>,
}

impl Durations {
    /// Counts one.
    pub fn add(&mut self, millis: u64) {
        *self.counters.entry(counter(millis)).or_default() += 1;
        self.count += 1;
        self.max = self.max.max(Some(millis));
    }

    /// The middle one; of an even number the lower of the two.
    #[must_use]
    pub fn median(&self) -> Option<u64> {
        self.percentile(50)
    }

    /// What 95 of 100 do not exceed.
    #[must_use]
    pub fn p95(&self) -> Option<u64> {
        self.percentile(95)
    }

    /// The longest, exactly.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.max
    }

    fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = self.count.saturating_mul(percent).div_ceil(100).max(1);
        let mut below = 0;
        for (counter, count) in &self.counters {
            below += count;
            if below >= rank {
                return Some(middle(*counter).min(self.max?));
            }
        }
        None
    }
}

fn counter(millis: u64) -> u64 {
    if millis < EXACT {
        return millis;
    }
    // So many low bits are dropped that eight are left, the highest of them set.
    let dropped = u64::from(millis.ilog2()) - 7;
    EXACT + (dropped - 1) * PER_DOUBLING + (millis >> dropped) - PER_DOUBLING
}

fn middle(counter: u64) -> u64 {
    let Some(above) = counter.checked_sub(EXACT) else {
        return counter;
    };
    let dropped = above / PER_DOUBLING + 1;
    let start = (above % PER_DOUBLING + PER_DOUBLING) << dropped;
    start + (1 << (dropped - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Durations {
        let mut durations = Durations::default();
        for value in values {
            durations.add(*value);
        }
        durations
    }

    #[test]
    fn short_durations_are_exact() {
        assert_eq!(of(&[]).median(), None);
        assert_eq!(of(&[0]).p95(), Some(0));
        assert_eq!(of(&[9, 1, 5]).median(), Some(5));
        assert_eq!(of(&[4, 1, 3, 2]).median(), Some(2));
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(
            (of(&hundred).median(), of(&hundred).p95()),
            (Some(50), Some(95))
        );
        let longest = of(&[u64::MAX]).median().unwrap();
        assert!(u64::MAX - longest <= u64::MAX / 256);
    }

    proptest! {
        #[test]
        fn any_percentile_is_within_its_bound(mut values in prop::collection::vec(0_u64..1 << 40, 1..200)) {
            let durations = of(&values);
            values.sort_unstable();
            for (percent, found) in [(50, durations.median()), (95, durations.p95())] {
                let rank = (values.len() * percent).div_ceil(100).max(1);
                let (exact, found) = (values[rank - 1], found.unwrap());
                prop_assert!(exact.abs_diff(found) <= exact / 256, "{exact} {found}");
            }
            prop_assert_eq!(durations.max(), values.last().copied());
        }

        #[test]
        fn counters_are_few_and_in_order(one: u64, other: u64) {
            prop_assert!(counter(one) < 7_424);
            prop_assert!(one > other || counter(one) <= counter(other));
        }
    }
}
