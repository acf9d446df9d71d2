//! `chaperone audit match`: finds where a value was used that redaction has taken out.

use std::io::Read as _;
use std::ops::ControlFlow;

use serde::Deserialize;

use super::filter::FilterArgs;
use super::{AuditError, Printer, World};
use crate::audit::query::{self, Entry, Order};
use crate::audit::reader::Reader;
use crate::wire::object::quoted;

/// No secret that fits into a call is longer.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Which value, in which records.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MatchArgs {
    /// The value, exactly; `-` reads it from standard input, which keeps it out of the shell's
    /// history and the list of processes.
    value: Box<str>,
    #[command(flatten)]
    filter: FilterArgs,
}

const EXAMPLES: &str = "\
Each redacted argument leaves a digest that only this account can compute. One line break at the end
of standard input is not part of the value. Nothing is found beyond 256 redacted places in one record.

Examples:
  read -rs secret; printf %s \"$secret\" | chaperone audit match -
  wl-paste | chaperone audit match - --since 2026-01-01 --json";

/// What is needed of a record.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Places {
    redacted: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    digest: Box<str>,
}

/// Prints the records that had the value; returns whether there are any.
pub(super) fn run(
    args: &MatchArgs,
    reader: &Reader,
    json: bool,
    world: &mut World<'_>,
) -> Result<bool, AuditError> {
    let value = match &*args.value {
        "-" => from_input(world)?,
        value => value.into(),
    };
    let digest = (world.digest)(reader, &value)?;
    // What stands in the record's text; most records do not have it.
    let literal = quoted(&digest);
    let mut found = false;
    let mut printer = Printer::new(json, world.colour, world.out);
    query::list(reader, &args.filter.filter(), Order::OldestFirst, |entry| {
        if !entry.json.contains(&literal) || !holds(&entry, &digest) {
            return ControlFlow::Continue(());
        }
        found = true;
        printer.put(&entry)
    })?;
    printer.failed?;
    Ok(found)
}

/// The digest may also stand in an argument that somebody made to look like it.
fn holds(entry: &Entry, digest: &str) -> bool {
    let places: Places = serde_json::from_str(&entry.json).unwrap_or_default();
    places.redacted.iter().any(|place| *place.digest == *digest)
}

fn from_input(world: &mut World<'_>) -> Result<Box<str>, AuditError> {
    let mut text = String::new();
    let read = (&mut *world.input).take(LONGEST).read_to_string(&mut text);
    read.map_err(AuditError::Input)?;
    let line = text.strip_suffix('\n');
    let line = line.map(|line| line.strip_suffix('\r').unwrap_or(line));
    Ok(line.unwrap_or(&text).into())
}
