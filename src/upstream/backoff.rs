//! Pauses between attempts: exponential with full jitter, so that many clients of a server that
//! comes back do not all come at once.

use std::time::Duration;

/// The state of one series of attempts.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    attempts: u32,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            attempts: 0,
        }
    }

    /// Starts anew after a success.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The next pause: anything up to the bound, which doubles with each attempt.
    pub(super) fn next(&mut self) -> Duration {
        let bound = self
            .first
            .saturating_mul(1 << self.attempts.min(16))
            .min(self.longest);
        self.attempts = self.attempts.saturating_add(1);
        // Without randomness the bound itself is as good.
        let share = getrandom::u32().map_or(1.0, |n| f64::from(n) / f64::from(u32::MAX));
        bound.mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_no_further() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(4));
        for nth in 0..40 {
            let bound = Duration::from_millis(100 << nth.min(16)).min(Duration::from_secs(4));
            assert!(backoff.next() <= bound, "{nth}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }
}
