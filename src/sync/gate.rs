//! Whether so much waits to be sent that nothing more may be changed: a record that cannot leave is
//! only as honest as this account.
//!
//! Every process looks for itself, at the cursors and the log that all of them share, so all come to
//! the same answer, whichever of them sends. A call looks at one number. What that number stands for is
//! looked into every few seconds as long as calls come; with no calls nothing is done at all, and the
//! next call after a pause waits for a look, as does every call while too much waits: so calls go on as
//! soon as enough has been sent.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::{Courier, Lag};
use crate::config::SpoolLimit;

/// How long a look is believed.
const BELIEVED: Duration = Duration::from_secs(10);

/// Nobody has looked lately, or too much waits: whoever calls has to look.
const UNKNOWN: u8 = 0;
/// All was well a moment ago, and nobody has called since.
const QUIET: u8 = 1;
/// All was well a moment ago, and somebody has called since.
const CALLED: u8 = 2;
/// There is nowhere to send to.
const OPEN: u8 = 3;

/// What calls look at.
#[derive(Debug)]
pub(super) struct Gate {
    state: AtomicU8,
    /// Who looks; the others wait for what comes of it.
    looking: tokio::sync::Mutex<()>,
}

impl Gate {
    /// Nobody has looked yet.
    pub(super) fn new(sinks: usize) -> Self {
        let state = if sinks == 0 { OPEN } else { UNKNOWN };
        Self {
            state: AtomicU8::new(state),
            looking: tokio::sync::Mutex::default(),
        }
    }

    fn is_clear(&self) -> bool {
        match self.state.load(Ordering::Relaxed) {
            OPEN | CALLED => true,
            // Whoever forgets meanwhile is not to be overruled.
            QUIET => self.change(QUIET, CALLED),
            _ => false,
        }
    }

    fn change(&self, from: u8, to: u8) -> bool {
        let order = Ordering::Relaxed;
        let changed = self.state.compare_exchange(from, to, order, order);
        changed.is_ok()
    }
}

/// More waits for a sink than may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// The sink that lags most.
    pub sink: Box<str>,
    /// How many records wait for it.
    pub records: u64,
    /// About how many bytes of them.
    pub bytes: u64,
    /// When the first of them was made.
    pub since: Option<Box<str>>,
    /// How much may wait.
    pub limit: SpoolLimit,
}

impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (records, bytes) = (self.records, Size(self.bytes));
        write!(
            f,
            "{records} records ({bytes}) wait for the sink {:?}",
            self.sink
        )?;
        if let Some(since) = &self.since {
            write!(f, " since {since}")?;
        }
        let days = self.limit.age.as_secs() / (24 * 3600);
        write!(
            f,
            "; {} and {days} days are the most",
            Size(self.limit.bytes)
        )
    }
}

/// A number of bytes, for people.
#[derive(Debug, Clone, Copy)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let unit = units.into_iter().find(|(_, shift)| self.0 >> shift > 0);
        let Some((name, shift)) = unit else {
            return write!(f, "{} bytes", self.0);
        };
        let tenths = (u128::from(self.0) * 10) >> shift;
        match tenths % 10 {
            0 => write!(f, "{} {name}", tenths / 10),
            tenth => write!(f, "{}.{tenth} {name}", tenths / 10),
        }
    }
}

impl Courier {
    /// Why nothing may be changed now, if so. As long as calls come and all is well, this is a look at
    /// one number.
    pub async fn overdue(&self) -> Option<Overdue> {
        if self.1.is_clear() {
            return None;
        }
        let _alone = self.1.looking.lock().await;
        if self.1.is_clear() {
            return None;
        }
        let overdue = self.look().await;
        if overdue.is_none() {
            self.1.state.store(CALLED, Ordering::Relaxed);
            self.look_again();
        }
        overdue
    }

    /// Looks again and again, until too much waits or nobody calls any more.
    fn look_again(&self) {
        let sync = self.clone();
        self.0.tasks.spawn_until_stop(async move {
            loop {
                sync.1.change(CALLED, QUIET);
                tokio::time::sleep(BELIEVED).await;
                if sync.1.change(QUIET, UNKNOWN) {
                    return;
                }
                if let Some(overdue) = sync.look().await {
                    tracing::warn!(%overdue, "calls that may change something are refused");
                    sync.1.state.store(UNKNOWN, Ordering::Relaxed);
                    return;
                }
            }
        });
    }

    async fn look(&self) -> Option<Overdue> {
        let sync = self.clone();
        let lags = self.0.tasks.blocking(move || sync.lags()).await;
        self.worst(lags)
    }

    fn worst(&self, lags: Vec<Lag>) -> Option<Overdue> {
        let over = lags.into_iter().filter(|lag| lag.over_limit);
        let worst = over.max_by_key(|lag| lag.waiting_bytes)?;
        Some(Overdue {
            sink: worst.sink,
            records: worst.waiting,
            bytes: worst.waiting_bytes,
            since: worst.waiting_since,
            limit: self.0.spool,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1 KiB"),
            (16 << 10, "16 KiB"),
            (1_300_000, "1.2 MiB"),
            (1 << 30, "1 GiB"),
            (u64::MAX, "17179869183.9 GiB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }
}
