//! Days and hours as people say them, at a fixed distance from UTC.
//!
//! A distance, not a zone with a name: what is written with it reads the same on every machine and
//! in every year. Summer time is the reader's affair.

use std::fmt;

use chrono::{DateTime, Datelike as _, FixedOffset, Timelike as _};

use super::Timestamp;

/// So many minutes from UTC, to the east if positive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offset {
    minutes: i32,
}

/// The text is no distance from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an offset is UTC, or like +02:00 and at most 14 hours")]
pub struct OffsetError;

/// An instant's place in the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The year.
    pub year: i32,
    /// From 1.
    pub month: u32,
    /// Of the month, from 1.
    pub day: u32,
    /// Of the week, 0 is Monday.
    pub weekday: u32,
    /// Of the day.
    pub hour: u32,
    /// Of the hour.
    pub minute: u32,
    /// Of the minute.
    pub second: u32,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Offset {
    /// Reads `UTC`, `Z` or `+02:00`.
    ///
    /// # Errors
    /// When it is none of these, or farther than any zone on Earth.
    pub fn parse(text: &str) -> Result<Self, OffsetError> {
        if matches!(text, "UTC" | "utc" | "Z") {
            return Ok(Self::default());
        }
        let (sign, rest) = match text.split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            Some(_) | None => return Err(OffsetError),
        };
        let (hours, minutes) = rest.split_once(':').ok_or(OffsetError)?;
        let number = |text: &str, most: i32| {
            let plain = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            let number = text.parse::<i32>().ok().filter(|_| plain);
            number.filter(|n| *n <= most).ok_or(OffsetError)
        };
        let minutes = number(hours, 14)? * 60 + number(minutes, 59)?;
        if minutes > 14 * 60 {
            return Err(OffsetError);
        }
        Ok(Self {
            minutes: sign * minutes,
        })
    }

    /// Milliseconds to the east.
    #[must_use]
    pub fn millis(self) -> i64 {
        i64::from(self.minutes) * 60_000
    }
}

/// `UTC` or `UTC+02:00`.
impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UTC")?;
        if self.minutes == 0 {
            return Ok(());
        }
        let sign = if self.minutes < 0 { '-' } else { '+' };
        let distance = self.minutes.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", distance / 60, distance % 60)
    }
}

impl Timestamp {
    /// The instant's place in the calendar at this distance from UTC.
    #[must_use]
    pub fn moment(self, offset: Offset) -> Moment {
        let east = FixedOffset::east_opt(offset.minutes * 60);
        let utc = DateTime::from_timestamp_millis(self.millis()).unwrap_or_default();
        let local = match east {
            Some(east) => utc.with_timezone(&east).naive_local(),
            None => utc.naive_utc(),
        };
        Moment {
            year: local.year(),
            month: local.month(),
            day: local.day(),
            weekday: local.weekday().num_days_from_monday(),
            hour: local.hour(),
            minute: local.minute(),
            second: local.second(),
        }
    }
}

impl Moment {
    /// `21 November 2026`.
    #[must_use]
    pub fn long_date(&self) -> String {
        let Self { year, day, .. } = self;
        format!("{day} {} {year}", self.month_name())
    }

    /// `21 Nov`.
    #[must_use]
    pub fn short_date(&self) -> String {
        let name = self.month_name();
        format!("{} {}", self.day, name.get(..3).unwrap_or(name))
    }

    /// `2026-11-21 14:05:09`.
    #[must_use]
    pub fn date_and_time(&self) -> String {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            ..
        } = self;
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }

    /// `14:05`.
    #[must_use]
    pub fn time(&self) -> String {
        format!("{:02}:{:02}", self.hour, self.minute)
    }

    fn month_name(&self) -> &'static str {
        let index = usize::try_from(self.month.saturating_sub(1)).unwrap_or(0);
        MONTHS.get(index).copied().unwrap_or("January")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_as_they_are_written() {
        for text in ["UTC", "UTC+02:00", "UTC-03:30", "UTC+14:00"] {
            let bare = text.trim_start_matches("UTC");
            let bare = if bare.is_empty() { "UTC" } else { bare };
            assert_eq!(Offset::parse(bare).unwrap().to_string(), text);
        }
        for text in [
            "", "+", "2", "+2:00", "+15:00", "+14:30", "+0a:00", "+02:60", "+-1:00", "é",
        ] {
            assert_eq!(Offset::parse(text), Err(OffsetError), "{text}");
        }
    }

    #[test]
    fn an_instant_falls_on_another_day_elsewhere() {
        let instant = Timestamp::parse("2026-12-31T23:30:05.250Z").unwrap();
        let here = instant.moment(Offset::default());
        assert_eq!(
            (here.date_and_time().as_str(), here.weekday),
            ("2026-12-31 23:30:05", 3)
        );
        let there = instant.moment(Offset::parse("+01:00").unwrap());
        assert_eq!(there.long_date(), "1 January 2027");
        assert_eq!(
            (there.short_date().as_str(), there.time().as_str()),
            ("1 Jan", "00:30")
        );
    }
}
