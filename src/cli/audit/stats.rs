//! `chaperone audit stats`: counts with a chart, for a person or as one JSON object.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;

use super::filter::{parse_since, parse_until};
use super::{AuditError, World};
use crate::audit::reader;
use crate::audit::stats::{self, Period, Stats, Tally, Use};
use crate::clock::{Offset, Timestamp};
use crate::wording::terminal_safe;

/// So many tools are shown to a person; a program gets all.
const SHOWN: usize = 30;
/// Columns of the longest bar.
const BAR: u64 = 24;
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const LEVELS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

#[derive(Debug, Args)]
pub(super) struct StatsArgs {
    /// From this time on: `2026-01-31` or `2026-01-31T12:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Before this time; a date alone means to the end of that day.
    #[arg(long, value_name = "TIME", value_parser = parse_until)]
    until: Option<Timestamp>,
    /// Hours of the day at this distance from UTC: `+02:00`.
    #[arg(long, value_name = "OFFSET", value_parser = Offset::parse, default_value = "UTC", allow_hyphen_values = true)]
    offset: Offset,
}

pub(super) fn run(
    args: &StatsArgs,
    database: &Path,
    json: bool,
    world: &mut World<'_>,
) -> Result<(), AuditError> {
    let period = Period {
        since: args.since,
        until: args.until,
    };
    let stats = reader::undisturbed(database, |reader| {
        stats::collect(reader, period, args.offset).map_err(AuditError::from)
    })?;
    if json {
        serde_json::to_writer(&mut *world.out, &stats).map_err(io::Error::from)?;
        writeln!(world.out)?;
        return Ok(());
    }
    let mut page = Page {
        colour: world.colour,
        out: world.out,
    };
    Ok(page.print(&stats, args.offset)?)
}

struct Page<'a> {
    colour: bool,
    out: &'a mut dyn Write,
}

impl Page<'_> {
    fn print(&mut self, stats: &Stats, offset: Offset) -> io::Result<()> {
        self.summary(stats)?;
        if stats.all.asked() == 0 {
            return Ok(());
        }
        writeln!(self.out)?;
        self.table("TOOL", &stats.tools)?;
        writeln!(self.out)?;
        self.table("SERVER", &stats.servers)?;
        writeln!(self.out)?;
        self.hours(stats, offset)
    }

    fn summary(&mut self, stats: &Stats) -> io::Result<()> {
        let (Some(first), Some(last)) = (stats.first, stats.last) else {
            return writeln!(self.out, "no records");
        };
        let Tally {
            calls,
            errors,
            unknown,
            refusals,
            durations,
        } = &stats.all;
        let (median, p95) = (took(durations.median()), took(durations.p95()));
        writeln!(
            self.out,
            "{calls} calls: {errors} errors, {unknown} unknown; {refusals} refusals\n\
             median {median}, 95 of 100 within {p95}\n\
             {} records from {first} to {last}",
            stats.records
        )?;
        match stats.unreadable {
            0 => Ok(()),
            unreadable => writeln!(self.out, "{unreadable} records have no content to read"),
        }
    }

    fn table(&mut self, heading: &str, uses: &[Use]) -> io::Result<()> {
        let (calls, errors, refused, median, p95) = ("CALLS", "ERRORS", "REFUSED", "MEDIAN", "P95");
        writeln!(
            self.out,
            "{heading:<36} {calls:>8} {errors:>7} {refused:>7} {median:>9} {p95:>9}"
        )?;
        let most = uses.iter().map(|one| one.tally.asked()).max().unwrap_or(1);
        for one in uses.iter().take(SHOWN) {
            self.row(one, most)?;
        }
        match uses.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(self.out, "and {more} more (--json has all)"),
        }
    }

    fn row(&mut self, one: &Use, most: u64) -> io::Result<()> {
        let name = match &one.tool {
            Some(tool) => format!("{} {tool}", one.server),
            None => one.server.to_string(),
        };
        let tally = &one.tally;
        write!(self.out, "{:<36} {:>8} ", terminal_safe(&name), tally.calls)?;
        self.coloured("31", tally.errors > 0, &format!("{:>7}", tally.errors))?;
        write!(self.out, " ")?;
        self.coloured("33", tally.refusals > 0, &format!("{:>7}", tally.refusals))?;
        let (median, p95) = (tally.durations.median(), tally.durations.p95());
        write!(self.out, " {:>9} {:>9}  ", took(median), took(p95))?;
        self.coloured("36", true, &bar(tally.asked(), most))?;
        writeln!(self.out)
    }

    fn hours(&mut self, stats: &Stats, offset: Offset) -> io::Result<()> {
        let most = stats.hours.iter().copied().max().unwrap_or(0);
        writeln!(self.out, "HOURS OF THE DAY ({offset})")?;
        let levels: String = stats
            .hours
            .iter()
            .flat_map(|count| [level(*count, most); 2])
            .collect();
        self.coloured("36", true, &levels)?;
        writeln!(self.out)?;
        for hour in (0..24).step_by(3) {
            write!(self.out, "{hour:02}    ")?;
        }
        writeln!(self.out)?;
        writeln!(self.out, "\nBUSIEST HOURS")?;
        for hour in &stats.busiest {
            let moment = hour.from.moment(offset);
            writeln!(self.out, "{:<20} {:>8}", moment.date_and_time(), hour.calls)?;
        }
        Ok(())
    }

    fn coloured(&mut self, colour: &str, is_notable: bool, text: &str) -> io::Result<()> {
        if self.colour && is_notable {
            write!(self.out, "\u{1b}[{colour}m{text}\u{1b}[0m")
        } else {
            write!(self.out, "{text}")
        }
    }
}

fn took(millis: Option<u64>) -> String {
    match millis {
        None => "-".to_owned(),
        Some(millis) if millis < 10_000 => format!("{millis} ms"),
        Some(millis) => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
    }
}

/// A bar in eighths of a column; what is there at all is seen.
fn bar(count: u64, most: u64) -> String {
    let eighths = (count.saturating_mul(BAR * 8) / most.max(1)).max(u64::from(count > 0));
    let full = usize::try_from(eighths / 8).unwrap_or(0);
    let rest = usize::try_from(eighths % 8).unwrap_or(0);
    let rest = EIGHTHS.get(rest).filter(|_| rest > 0);
    "█".repeat(full) + &rest.map(char::to_string).unwrap_or_default()
}

fn level(count: u64, most: u64) -> char {
    let level = count.saturating_mul(8).div_ceil(most.max(1));
    let level = usize::try_from(level).unwrap_or(0);
    LEVELS.get(level).copied().unwrap_or('█')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_whatever_is_there() {
        assert_eq!(bar(0, 100), "");
        assert_eq!(bar(1, 10_000), "▏");
        assert_eq!(bar(100, 100), "█".repeat(24));
        assert_eq!((level(0, 9), level(1, 900), level(9, 9)), ('·', '▁', '█'));
    }

    #[test]
    fn a_date_ends_with_its_day() {
        let until = |text: &str| parse_until(text).map(|at| at.to_string());
        assert_eq!(until("2026-01-31").unwrap(), "2026-02-01T00:00:00.000Z");
        assert_eq!(
            until("2026-01-31T12:00:00Z").unwrap(),
            "2026-01-31T12:00:00.000Z"
        );
        assert!(until("soon").is_err());
    }
}
