//! Records for other programs: the log as lines that spreadsheets, `jq` and collectors read.
//!
//! Nothing is verified here, and none of the formats proves anything; for that there is `bundle`.
//! Three formats show every record under the names it is stored with (`jsonl`, `csv`, `parquet`); two show what
//! a call came to, one line each, under the names of somebody else (`tutorial`, `ocsf`). One record
//! is in memory at a time, of `parquet` a few thousand.

mod call;
mod columns;
mod csv;
mod ocsf;
mod parquet;
mod tutorial;

use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::ControlFlow;

use self::call::Call;
use super::query::{self, Filter, Order, QueryError};
use super::reader::Reader;

/// The forms in which records leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Every record as it is stored, one a line.
    Jsonl,
    /// Finished calls and refusals, with the names of the published guide.
    Tutorial,
    /// Every record as a row of RFC 4180.
    Csv,
    /// Finished calls and refusals as OCSF API Activity.
    Ocsf,
    /// Every record as a row of Apache Parquet.
    Parquet,
}

/// Why an export ends early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A record is none.
    #[error("record {seq} cannot be read; see what `audit verify` says of the log")]
    Unreadable {
        /// Its number.
        seq: u64,
    },
    /// The table's library refuses.
    #[error("the table cannot be made")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// There is no writing on.
    #[error("the export cannot be written")]
    Output(#[from] io::Error),
}

/// Writes the records that match; returns the number of lines.
///
/// # Errors
/// When reading or writing fails, or a record has to be taken apart and cannot be.
pub fn export(
    reader: &Reader,
    filter: &Filter,
    format: Format,
    out: &mut dyn Write,
) -> Result<u64, ExportError> {
    match format {
        Format::Jsonl => records(reader, filter, |_, json| {
            writeln!(out, "{}", one_line(json))?;
            Ok(())
        }),
        Format::Csv => {
            csv::head(out)?;
            records(reader, filter, |seq, json| csv::row(seq, json, out))
        }
        Format::Parquet => {
            let mut table = parquet::Table::new(out)?;
            let rows = records(reader, filter, |seq, json| table.row(seq, json))?;
            table.finish()?;
            Ok(rows)
        }
        Format::Tutorial => calls(reader, filter, |call| tutorial::line(call, out)),
        Format::Ocsf => {
            let log = reader.origin();
            calls(reader, filter, |call| ocsf::line(call, log.as_deref(), out))
        }
    }
}

/// Hands on every record whose body is there.
fn records(
    reader: &Reader,
    filter: &Filter,
    mut write: impl FnMut(u64, &str) -> Result<(), ExportError>,
) -> Result<u64, ExportError> {
    let mut tally = Tally::default();
    query::list(reader, filter, Order::OldestFirst, |entry| {
        if entry.json.is_empty() {
            return ControlFlow::Continue(());
        }
        tally.count(write(entry.seq, &entry.json))
    })?;
    tally.result()
}

fn calls(
    reader: &Reader,
    filter: &Filter,
    mut write: impl FnMut(&Call<'_>) -> Result<(), ExportError>,
) -> Result<u64, ExportError> {
    let mut tally = Tally::default();
    query::calls(reader, filter, |finished| {
        tally.count(Call::of(&finished).and_then(|call| write(&call)))
    })?;
    tally.result()
}

/// Lines so far, and why there are no more.
#[derive(Default)]
struct Tally {
    lines: u64,
    failed: Option<ExportError>,
}

impl Tally {
    fn count(&mut self, written: Result<(), ExportError>) -> ControlFlow<()> {
        match written {
            Ok(()) => {
                self.lines += 1;
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn result(self) -> Result<u64, ExportError> {
        self.failed.map_or(Ok(self.lines), Err)
    }
}

/// JSON on one line. Arguments keep the spelling of whoever sent them, which may hold line breaks,
/// though between values only: inside a string they are escaped.
fn one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) {
        Cow::Owned(json.replace(['\n', '\r'], " "))
    } else {
        Cow::Borrowed(json)
    }
}

/// Writes a value as a line.
fn json_line(value: &impl serde::Serialize, out: &mut dyn Write) -> Result<(), ExportError> {
    let line = serde_json::to_string(value).map_err(io::Error::from)?;
    writeln!(out, "{}", one_line(&line))?;
    Ok(())
}

#[cfg(test)]
mod tests;
