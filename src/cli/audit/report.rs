//! `chaperone audit report`: the log as one HTML file.

use std::path::PathBuf;

use clap::Args;

use super::filter::{parse_since, parse_until};
use super::verify::Pins;
use super::{AuditError, World};
use crate::audit::stats::Period;
use crate::audit::verify::Verdict;
use crate::clock::{Offset, Timestamp};
use crate::report::{self, Request};
use crate::wording::terminal_safe;

pub(super) const HELP: &str = "\
Example:
  chaperone audit report --from 2026-01-01 --to 2026-01-31 --offset +01:00 -o report.html

The file needs no network, and whoever has it can read what the log says: it is made readable for \
this account alone. Exits with 6 if the log was changed; the report is written even then, and says so.";

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// From this time on: `2026-01-31` or `2026-01-31T12:00:00Z`; else from the log's beginning.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    from: Option<Timestamp>,
    /// Before this time; a date alone means to the end of that day.
    #[arg(long, value_name = "TIME", value_parser = parse_until)]
    to: Option<Timestamp>,
    /// Times, nights and days at this distance from UTC: `+02:00`.
    #[arg(long, value_name = "OFFSET", value_parser = Offset::parse, default_value = "UTC", allow_hyphen_values = true)]
    offset: Offset,
    /// The file to write; an older one is replaced.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    pins: Pins,
}

pub(super) fn run(
    args: &ReportArgs,
    database: PathBuf,
    is_own: bool,
    json: bool,
    world: &mut World<'_>,
) -> Result<u8, AuditError> {
    let request = Request {
        verify: args.pins.request(database, is_own, world),
        period: Period {
            since: args.from,
            until: args.to,
        },
        offset: args.offset,
        made: world.now,
    };
    let verdict = report::write(&request, &args.output, world.watch)?;
    if json {
        serde_json::to_writer(&mut *world.out, &verdict).map_err(std::io::Error::from)?;
        writeln!(world.out)?;
    } else {
        let file = args.output.display().to_string();
        writeln!(world.out, "{verdict}\nwritten to {}", terminal_safe(&file))?;
    }
    Ok(match verdict.verdict {
        Verdict::Changed => verdict.exit_code(),
        Verdict::Intact | Verdict::Unproven => 0,
    })
}
