//! `chaperone audit list|show|tail|stats|report|export|verify`.
//!
//! Prints to what it is given, so that nothing here decides where that goes. Everything that comes
//! out of a record is escaped before a person sees it: a tool's answer is in there.

mod advice;
mod command;
mod explain;
mod export;
mod filter;
mod hold;
mod matching;
mod report;
mod rotate;
mod show;
mod stats;
mod table;
mod verify;

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use self::advice::{
    AUDIT_HELP, KEY_HELP, LIST_HELP, ROTATE_HELP, SHOW_HELP, STATS_HELP, VERIFY_HELP,
};
pub use self::command::execute;
use self::export::ExportArgs;
use self::filter::FilterArgs;
use self::hold::Hold;
use self::matching::MatchArgs;
use self::report::ReportArgs;
use self::stats::StatsArgs;
use self::table::Table;
use self::verify::Pins;
use crate::audit::bundle::{self, BundleError, EvidenceError};
use crate::audit::checkpoint::{Checkpoint, VerifierKey};
use crate::audit::export::ExportError;
use crate::audit::key::KeyError;
use crate::audit::query::{self, Entry, Filter, Order, QueryError};
use crate::audit::reader::{ReadError, Reader};
use crate::audit::verify::{VerifyError, Watch};
use crate::clock::Timestamp;
use crate::report::ReportError;

/// How many records are shown when nobody says.
const USUAL: usize = 50;
/// How many `tail` begins with.
const BEFORE_TAIL: u64 = 10;

/// Look at the record of calls, or verify it.
#[derive(Debug, Args)]
#[command(after_help = AUDIT_HELP)]
pub struct AuditArgs {
    /// Another log than this account's.
    #[arg(long, global = true, value_name = "FILE")]
    db: Option<PathBuf>,
    /// One JSON object per line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Show the newest records.
    #[command(after_help = LIST_HELP)]
    List {
        /// How many.
        #[arg(long, value_name = "N", conflicts_with = "all")]
        limit: Option<usize>,
        /// Everything that matches.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Explain a call, and show its records in full, or any other record.
    #[command(after_help = SHOW_HELP)]
    Show {
        /// The record's number or id, or the call's `request_id`.
        record: String,
        /// Each record with its proof and the signed head, as JSON that `audit verify` accepts.
        #[arg(long)]
        proof: bool,
    },
    /// Show records as they are written, until interrupted.
    #[command(after_help = "Example:\n  chaperone audit tail -f --outcome denied")]
    Tail {
        /// As `tail -f`; it always follows.
        #[arg(short, long)]
        follow: bool,
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Keep old records from losing their content, or say whether they are kept.
    #[command(after_help = "Example:\n  chaperone audit hold on")]
    Hold {
        /// Begin or end it; without this, say how it is.
        hold: Option<Hold>,
    },
    /// Count calls, errors and refusals, and how long they took.
    #[command(after_help = STATS_HELP)]
    Stats(StatsArgs),
    /// Write a report as one HTML file, with what is proven and what happened.
    #[command(after_help = report::HELP)]
    Report(ReportArgs),
    /// Find records whose redacted arguments had exactly this value.
    Match(MatchArgs),
    /// Write records for other programs.
    Export(ExportArgs),
    /// Print the log's public key, for whoever is to verify it one day.
    #[command(after_help = KEY_HELP)]
    Key,
    /// Sign heads with a new key from now on, and forget the old one.
    #[command(after_help = ROTATE_HELP)]
    RotateKey,
    /// Find out whether the log is what was written, or what evidence from one proves.
    #[command(after_help = VERIFY_HELP)]
    Verify {
        /// A log, a bundle of `audit export`, or records of `audit show --proof`; without it this
        /// account's log.
        #[arg(value_name = "FILE", conflicts_with = "db")]
        file: Option<PathBuf>,
        #[command(flatten)]
        pins: Pins,
    },
}

/// What is known about the log outside its file.
#[derive(Debug, Default)]
pub struct Known {
    /// The log's key, from the keychain.
    pub key: Option<VerifierKey>,
    /// The head that the keychain remembers.
    pub mark: Option<Checkpoint>,
}

/// What the command needs of the world.
pub struct World<'a> {
    /// This account's log.
    pub database: PathBuf,
    /// Whether colours are wanted.
    pub colour: bool,
    /// The calendar.
    pub now: Timestamp,
    /// Asks the keychain; called only to verify without `--key`.
    pub known: &'a mut dyn FnMut() -> Known,
    /// The keyed digest that redaction leaves of a value in this log.
    pub digest: &'a mut dyn FnMut(&Reader, &str) -> Result<String, KeyError>,
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Lets half a second pass, or says that it is time to stop.
    pub wait: &'a mut dyn FnMut() -> ControlFlow<()>,
    /// Hears how far a log has been verified.
    pub watch: Watch<'a>,
    /// Where results go.
    pub out: &'a mut dyn Write,
}

/// Why a command has no result.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The log cannot be opened.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// There is no verdict.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// There is no report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// There is no verdict on evidence.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// There is no evidence.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Records do not reach their destination.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The key of the digests is not to be had.
    #[error("the key of the digests is not available")]
    Key(#[from] KeyError),
    /// What the log gives as its key is none.
    #[error("the log does not say which key signs it")]
    NoKey,
    /// The value is not there.
    #[error("the value cannot be read from standard input")]
    Input(#[source] io::Error),
    /// No record is called that.
    #[error("no record has the number, id or request_id {0:?}")]
    NoRecord(Box<str>),
    /// Only its hash is left.
    #[error(
        "the content of record {0} was taken out of this log after it had been sent elsewhere; its hash \
         is still here, and verified"
    )]
    Pruned(u64),
    /// The result cannot be printed.
    #[error("the result cannot be written")]
    Output(#[from] io::Error),
}

/// Runs the command; the number is the exit code.
///
/// # Errors
/// When there is no result; the caller says so and exits with 1.
pub fn run(args: &AuditArgs, world: &mut World<'_>) -> Result<u8, AuditError> {
    let database = args.db.clone().unwrap_or_else(|| world.database.clone());
    match &args.command {
        AuditCommand::List { limit, all, filter } => {
            let limit = (!all).then(|| limit.unwrap_or(USUAL));
            list(
                &Reader::open(&database)?,
                &filter.filter(),
                limit,
                args.json,
                world,
            )?;
        }
        AuditCommand::Show { record, proof } => {
            let reader = Reader::open(&database)?;
            if *proof {
                bundle::singles(&reader, record, world.out)?;
            } else {
                show::show(&reader, record, args.json, world)?;
            }
        }
        AuditCommand::Tail { filter, follow: _ } => {
            tail(
                &Reader::open_live(&database)?,
                &filter.filter(),
                args.json,
                world,
            )?;
        }
        AuditCommand::Match(matching) => {
            let found = matching::run(matching, &Reader::open(&database)?, args.json, world)?;
            return Ok(u8::from(!found));
        }
        AuditCommand::Export(export) => {
            export::run(export, &Reader::open(&database)?, args.json, world)?;
        }
        AuditCommand::Key => verify::key(args.db.as_ref(), args.json, world)?,
        AuditCommand::Stats(asked) => stats::run(asked, &database, args.json, world)?,
        AuditCommand::Report(asked) => {
            return report::run(asked, database, args.db.is_none(), args.json, world);
        }
        AuditCommand::Verify { file, pins } => {
            let given = file.as_ref().or(args.db.as_ref());
            return verify::run(given, pins, args.json, world);
        }
        // It takes more than the log; see `execute`.
        AuditCommand::Hold { .. } | AuditCommand::RotateKey => {}
    }
    Ok(0)
}

/// The newest first for people; for programs in the order of the log.
fn list(
    reader: &Reader,
    filter: &Filter,
    limit: Option<usize>,
    json: bool,
    world: &mut World<'_>,
) -> Result<(), AuditError> {
    let mut printer = Printer::new(json, world.colour, world.out);
    match (limit, json) {
        (None, true) => query::list(reader, filter, Order::OldestFirst, |entry| {
            printer.put(&entry)
        })?,
        (None, false) => query::list(reader, filter, Order::NewestFirst, |entry| {
            printer.put(&entry)
        })?,
        (Some(limit), _) => {
            let mut newest = newest(reader, filter, limit)?;
            if json {
                newest.reverse();
            }
            for entry in &newest {
                let _flow = printer.put(entry);
            }
        }
    }
    Ok(printer.failed?)
}

fn newest(reader: &Reader, filter: &Filter, limit: usize) -> Result<Vec<Entry>, QueryError> {
    let mut found = Vec::new();
    if limit > 0 {
        query::list(reader, filter, Order::NewestFirst, |entry| {
            found.push(entry);
            if found.len() < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
    }
    Ok(found)
}

fn tail(
    reader: &Reader,
    filter: &Filter,
    json: bool,
    world: &mut World<'_>,
) -> Result<(), AuditError> {
    let from = query::end(reader)?.saturating_sub(BEFORE_TAIL);
    let mut printer = Printer::new(json, world.colour, world.out);
    query::follow(
        reader,
        from,
        filter,
        |entry| printer.put(&entry),
        &mut *world.wait,
    )?;
    Ok(printer.failed?)
}

/// Prints entries one by one; the first failure ends the walk.
struct Printer<'a> {
    table: Option<Table>,
    out: &'a mut dyn Write,
    failed: io::Result<()>,
}

impl<'a> Printer<'a> {
    fn new(json: bool, colour: bool, out: &'a mut dyn Write) -> Self {
        Self {
            table: (!json).then(|| Table::new(colour)),
            out,
            failed: Ok(()),
        }
    }

    fn put(&mut self, entry: &Entry) -> ControlFlow<()> {
        let done = match &mut self.table {
            Some(table) => table.line(entry, self.out),
            None => writeln!(self.out, "{}", entry.json),
        };
        let flow = if done.is_ok() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        };
        self.failed = done.and(self.out.flush());
        flow
    }
}

#[cfg(test)]
mod tests;
