//! Time, by its one door.
//!
//! Two clocks: the calendar ([`Timestamp`]), which people set, and the time since the machine
//! started ([`Uptime`]), which nobody sets. Limits and deadlines that must survive a changed
//! calendar use the second.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

mod calendar;

pub use calendar::{Moment, Offset, OffsetError};

/// An instant of the calendar, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `millis` milliseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant moved by `span`, to the end of time at most.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; nothing if it is before it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads an RFC 3339 instant.
    ///
    /// # Errors
    /// When the text is no RFC 3339 date and time.
    pub fn parse(text: &str) -> Result<Self, chrono::ParseError> {
        Ok(Self(DateTime::parse_from_rfc3339(text)?.timestamp_millis()))
    }

    /// Reads the instant of an HTTP `Date` (RFC 9110, section 5.6.7), of whole seconds.
    ///
    /// # Errors
    /// When the text is no such date.
    pub fn parse_http(text: &str) -> Result<Self, chrono::ParseError> {
        Ok(Self(DateTime::parse_from_rfc2822(text)?.timestamp_millis()))
    }
}

/// RFC 3339, UTC, with milliseconds: `2026-11-21T01:17:57.123Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = DateTime::<Utc>::from_timestamp_millis(self.0).unwrap_or_default();
        f.write_str(&date.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Milliseconds since this boot of the machine, sleep included where the system tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uptime {
    /// Tells one boot from the next; readings of different boots cannot be compared.
    pub boot: Box<str>,
    /// Milliseconds since that boot.
    pub millis: i64,
}

/// Where time comes from; tests bring their own.
pub trait Clock: Send + Sync {
    /// The calendar.
    fn now(&self) -> Timestamp;
    /// The time since the machine started.
    fn uptime(&self) -> Uptime;
}

/// The machine's clocks.
#[derive(Debug, Clone, Default)]
pub struct SystemClock {
    boot: std::sync::Arc<std::sync::OnceLock<Box<str>>>,
}

impl SystemClock {
    /// The machine's clocks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn now(&self) -> Timestamp {
        Timestamp(Utc::now().timestamp_millis())
    }

    fn uptime(&self) -> Uptime {
        let boot = self.boot.get_or_init(boot::id).clone();
        Uptime {
            boot,
            millis: boot::millis(),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod boot {
    use rustix::time::{ClockId, clock_gettime};

    /// The kernel's random name of this boot (`proc(5)`).
    pub(super) fn id() -> Box<str> {
        let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        read.map_or_else(|_| "boot".into(), |id| id.trim().into())
    }

    pub(super) fn millis() -> i64 {
        let time = clock_gettime(ClockId::Boottime);
        time.tv_sec
            .saturating_mul(1000)
            .saturating_add(time.tv_nsec / 1_000_000)
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
mod boot {
    use rustix::time::{ClockId, clock_gettime};

    /// Without a name of the boot a reading from before a restart is later than any after it, and
    /// readers treat such a one as another boot's.
    pub(super) fn id() -> Box<str> {
        "boot".into()
    }

    pub(super) fn millis() -> i64 {
        let time = clock_gettime(ClockId::Monotonic);
        time.tv_sec
            .saturating_mul(1000)
            .saturating_add(time.tv_nsec / 1_000_000)
    }
}

#[cfg(windows)]
mod boot {
    /// As where boots have no names: a reading from before a restart is later than any after it.
    pub(super) fn id() -> Box<str> {
        "boot".into()
    }

    /// It counts sleep, and setting the time does not move it.
    pub(super) fn millis() -> i64 {
        i64::try_from(winsafe::GetTickCount64()).unwrap_or(i64::MAX)
    }
}

/// A clock that stands still until it is moved.
#[cfg(test)]
#[derive(Debug)]
pub struct FakeClock {
    now: std::sync::atomic::AtomicI64,
    uptime: std::sync::atomic::AtomicI64,
}

#[cfg(test)]
impl FakeClock {
    /// Stands at 2026-01-01T00:00:00Z, one hour after the machine started.
    #[must_use]
    pub fn new() -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self {
            now: 1_767_225_600_000.into(),
            uptime: 3_600_000.into(),
        })
    }

    /// Moves both clocks.
    pub fn advance(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap();
        self.uptime
            .fetch_add(millis, std::sync::atomic::Ordering::SeqCst);
        self.set_calendar(millis);
    }

    /// Moves the calendar alone, as somebody who sets the time does.
    pub fn set_calendar(&self, millis: i64) {
        self.now
            .fetch_add(millis, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(test)]
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(std::sync::atomic::Ordering::SeqCst))
    }

    fn uptime(&self) -> Uptime {
        Uptime {
            boot: "test".into(),
            millis: self.uptime.load(std::sync::atomic::Ordering::SeqCst),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_with_milliseconds_in_utc() {
        let text = Timestamp::from_millis(1_767_225_600_007).to_string();
        assert_eq!(text, "2026-01-01T00:00:00.007Z");
        assert_eq!(Timestamp::parse(&text).unwrap().millis(), 1_767_225_600_007);
    }

    #[test]
    fn dates_of_http_are_read() {
        let read = |text| Timestamp::parse_http(text).unwrap().to_string();
        let expected = "2026-11-21T20:44:08.000Z";
        assert_eq!(read("Sat, 21 Nov 2026 20:44:08 GMT"), expected);
        assert!(Timestamp::parse_http("yesterday").is_err());
    }

    #[test]
    fn uptime_does_not_go_back() {
        let clock = SystemClock::new();
        let (first, second) = (clock.uptime(), clock.uptime());
        assert_eq!(first.boot, second.boot);
        assert!(first.millis <= second.millis);
    }
}
