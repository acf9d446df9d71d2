//! The report of a log as one HTML file: what happened in a period, and what is proven of it.
//!
//! The file needs nothing but a browser: style, script and data are in it, and its own policy lets
//! it load nothing. Whatever comes from a record is escaped where it is written ([`text`]), and is
//! put into the page by the script as text only. Charts are drawn here, so that they are there on
//! paper and without a script.
//!
//! The log is read three times: by the verifier, to count ([`findings`]), and for the rows of the
//! table ([`rows`]), which go straight to the file. What is held in memory does not grow with it.
//! This file decides nothing about where the verdict's key comes from, and prints nothing.

mod chart;
mod findings;
mod page;
mod rows;
mod sections;
mod text;

use std::fmt;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use self::findings::Findings;
use crate::audit::query::{self, QueryError};
use crate::audit::reader::{self, ReadError, Reader};
use crate::audit::stats::{Period, Stats, walk};
use crate::audit::verify::{self, Verdict, VerifyError, VerifyRequest, Watch};
use crate::clock::{Offset, Timestamp};
use crate::paths::Fresh;

/// What is to be reported.
#[derive(Debug)]
pub struct Request {
    /// The log, and what is known of it from elsewhere.
    pub verify: VerifyRequest,
    /// Of when; the whole log, unless told.
    pub period: Period,
    /// Times are shown at this distance from UTC.
    pub offset: Offset,
    /// When the report is made.
    pub made: Timestamp,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The log cannot be opened.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// There is no verdict.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The file cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// All that the page says, but for the rows of its table.
struct Contents<'a> {
    request: &'a Request,
    verdict: &'a verify::Report,
    stats: &'a Stats,
    findings: &'a Findings,
}

impl Contents<'_> {
    /// How many rows the table has, or would have.
    fn rows(&self) -> u64 {
        self.findings.rows
    }
}

/// Verifies the log and writes the report, which appears in its place when it is complete; returns
/// what the verifier found.
///
/// # Errors
/// When the log cannot be read, or the file cannot be written. A log that was changed is no error as
/// long as it can be read: the report says so.
pub fn write(
    request: &Request,
    path: &Path,
    watch: Watch<'_>,
) -> Result<verify::Report, ReportError> {
    let verdict = verify::watched(&request.verify, watch)?;
    reader::undisturbed(&request.verify.database, |reader| {
        let end = match verdict.verdict {
            // What was written after the verification is not in its verdict.
            Verdict::Intact | Verdict::Unproven => verdict.records,
            Verdict::Changed => query::end(reader)?,
        };
        let mut findings = Findings::new(request.period, request.offset);
        let unreadable = walk(reader, |seen| {
            if seen.seq < end {
                findings.see(seen);
            }
        })?;
        let stats = findings.finish(unreadable);
        let contents = Contents {
            request,
            verdict: &verdict,
            stats: &stats,
            findings: &findings,
        };
        write_page(&contents, reader, end, path)
    })?;
    Ok(verdict)
}

fn write_page(
    contents: &Contents<'_>,
    reader: &Reader,
    end: u64,
    path: &Path,
) -> Result<(), ReportError> {
    let failed = |source| ReportError::Write {
        path: path.to_owned(),
        source,
    };
    let mut file = BufWriter::new(Fresh::of(path).map_err(failed)?);
    let (before, after) = page::around_data(contents).map_err(|fmt::Error| {
        failed(io::Error::other(
            "a part of the page cannot be put into words",
        ))
    })?;
    file.write_all(before.as_bytes()).map_err(failed)?;
    rows::write(contents, reader, end, &mut file)?.map_err(failed)?;
    file.write_all(after.as_bytes()).map_err(failed)?;
    let file = file.into_inner();
    let file = file.map_err(|error| failed(error.into_error()))?;
    file.publish().map_err(failed)
}

#[cfg(test)]
mod tests;
