//! A sign of life an hour: a log in which nothing happened differs from one in which it was cut.

use std::path::Path;
use std::time::Duration;

use super::Courier;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::paths;
use crate::wording::chain;

/// How often.
const EVERY: Duration = Duration::from_secs(3600);

impl Courier {
    /// Writes one an hour, as long as this process is the one that sends.
    pub(super) async fn beat(&self) {
        let file = self.0.paths.sync_dir().join("heartbeat");
        loop {
            let now = self.0.clock.now();
            let due = last(&file).map_or(Duration::ZERO, |last| left(last, now));
            if due.is_zero() {
                match self.0.audit.record(Event::Heartbeat).await {
                    Ok(()) => keep(&file, now),
                    Err(error) => {
                        tracing::warn!(
                            error = chain(error.as_ref()),
                            "no sign of life is on record"
                        );
                    }
                }
                tokio::time::sleep(EVERY).await;
            } else {
                tokio::time::sleep(due).await;
            }
        }
    }
}

/// How long until the next one; a calendar that was set back is no reason for silence.
fn left(last: Timestamp, now: Timestamp) -> Duration {
    if now.millis() < last.millis() {
        return Duration::ZERO;
    }
    EVERY.saturating_sub(now.since(last))
}

fn last(file: &Path) -> Option<Timestamp> {
    Timestamp::parse(std::fs::read_to_string(file).ok()?.trim()).ok()
}

fn keep(file: &Path, now: Timestamp) {
    if let Err(error) = paths::replace_private(file, now.to_string().as_bytes()) {
        tracing::warn!(%error, "the last sign of life cannot be kept; there will be more of them");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_is_an_hour_after_the_last() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        assert_eq!(left(at(0), at(3600)), Duration::ZERO);
        assert_eq!(left(at(0), at(9999)), Duration::ZERO);
        assert_eq!(left(at(0), at(600)), Duration::from_secs(3000));
        assert_eq!(left(at(600), at(0)), Duration::ZERO);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sync").join("heartbeat");
        assert_eq!(last(&file), None);
        keep(&file, at(7));
        assert_eq!(last(&file), Some(at(7)));
    }
}
