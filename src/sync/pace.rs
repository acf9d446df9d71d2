//! Pauses between attempts: full jitter, doubling from a second to five minutes, and no sooner than
//! the receiver asks for. All devices of a company lose their receiver at the same time; without
//! jitter they would all come back at the same time too.

use std::time::Duration;

use crate::random;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// The longest wait that a receiver is believed to mean.
const BELIEVED: Duration = Duration::from_secs(3600);

/// How often in a row it has failed.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
}

impl Pace {
    /// It went well.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after another failure.
    pub(super) fn pause(&mut self, asked: Option<Duration>) -> Duration {
        let ceiling = FIRST
            .saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let share = f64::from(u32::from_le_bytes(random::bytes())) / f64::from(u32::MAX);
        ceiling
            .mul_f64(share)
            .max(asked.unwrap_or_default().min(BELIEVED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound_and_spread() {
        let mut pace = Pace::default();
        let pauses: Vec<Duration> = (0..200).map(|_| pace.pause(None)).collect();
        assert!(pauses[0] <= FIRST);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
        let late = &pauses[20..];
        assert!(late.iter().any(|pause| *pause > LONGEST / 2));
        assert!(late.iter().any(|pause| *pause < LONGEST / 2));
        pace.reset();
        assert!(pace.pause(None) <= FIRST);
    }

    #[test]
    fn a_receiver_is_given_the_time_it_asks_for() {
        let mut pace = Pace::default();
        let asked = Duration::from_secs(42);
        assert!(pace.pause(Some(asked)) >= asked);
        assert!(pace.pause(Some(Duration::MAX)) <= BELIEVED);
    }
}
