//! How often: at most so many intents per person and policy in any 60 seconds. Pure.
//!
//! The record keeps the readings and asks in the transaction that commits an intent, so that all
//! processes of the account share one count. Readings are of the machine's uptime: setting the
//! calendar neither frees nor blocks anybody.

use std::time::Duration;

use crate::clock::Uptime;

/// The span in which intents are counted, in milliseconds.
pub const WINDOW_MILLIS: i64 = 60_000;

/// Says whether one more intent fits, or how long until one will.
///
/// `back` is the reading of the intent that lies as many intents back as the limit allows: if that
/// one has left the window, fewer than the limit are inside. Readings are whole milliseconds, so
/// two that differ by exactly the window may be a little less than it apart; such a one still
/// counts. A reading of another boot, or one from the future (a system that does not tell boots
/// apart), says nothing about now and does not count.
///
/// # Errors
/// How long until the next intent fits.
pub fn fits(back: Option<&Uptime>, now: &Uptime) -> Result<(), Duration> {
    let Some(back) = back.filter(|back| is_recent(back, now)) else {
        return Ok(());
    };
    let free_at = back.millis.saturating_add(WINDOW_MILLIS + 1);
    let left = u64::try_from(free_at.saturating_sub(now.millis)).unwrap_or(0);
    Err(Duration::from_millis(left))
}

fn is_recent(reading: &Uptime, now: &Uptime) -> bool {
    let age = now.millis.saturating_sub(reading.millis);
    reading.boot == now.boot && (0..=WINDOW_MILLIS).contains(&age)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(boot: &str, millis: i64) -> Uptime {
        Uptime {
            boot: boot.into(),
            millis,
        }
    }

    #[test]
    fn the_wait_ends_when_the_oldest_counted_intent_leaves_the_window() {
        let now = at("a", 100_000);
        for (back, answer) in [
            (None, Ok(())),
            (Some(at("a", 39_999)), Ok(())),
            (Some(at("a", 40_000)), Err(1)),
            (Some(at("a", 70_000)), Err(30_001)),
            (Some(at("a", 100_000)), Err(60_001)),
            (Some(at("a", 100_001)), Ok(())),
            (Some(at("b", 70_000)), Ok(())),
        ] {
            let answer = answer.map_err(Duration::from_millis);
            assert_eq!(fits(back.as_ref(), &now), answer, "{back:?}");
        }
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_limit_and_none_is_refused_needlessly(
            limit in 1_usize..6,
            steps in proptest::collection::vec(0_i64..40_000, 1..80),
        ) {
            let mut now = 0;
            let mut admitted: Vec<i64> = Vec::new();
            for step in steps {
                now += step;
                let back = admitted.len().checked_sub(limit).map(|index| at("a", admitted[index]));
                let inside = admitted.iter().filter(|old| now - **old <= WINDOW_MILLIS).count();
                match fits(back.as_ref(), &at("a", now)) {
                    Ok(()) => {
                        prop_assert!(inside < limit);
                        admitted.push(now);
                    }
                    Err(wait) => {
                        prop_assert!(inside >= limit);
                        let later = now + i64::try_from(wait.as_millis()).unwrap();
                        prop_assert!(fits(back.as_ref(), &at("a", later)).is_ok());
                        prop_assert!(fits(back.as_ref(), &at("a", later - 1)).is_err());
                    }
                }
            }
        }
    }
}
