//! `chaperone audit export`.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::filter::{FilterArgs, SelectError};
use super::verify::parse_head;
use super::{AuditError, World};
use crate::audit::bundle::{self, BundleError, Selection};
use crate::audit::export::{self, ExportError, Format};
use crate::audit::reader::Reader;
use crate::audit::verify::PinnedHead;
use crate::paths::Fresh;

/// Where to, in which form.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExportArgs {
    /// The form of the lines.
    #[arg(long, value_enum, default_value_t = FormatArg::Jsonl)]
    format: FormatArg,
    /// A file, private and complete or not there at all, in place of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Evidence in place of lines: a ZIP archive with the chosen records, their proofs and the
    /// signed head, which `audit verify` accepts without the log.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "output"])]
    bundle: Option<PathBuf>,
    /// The options below as one text: `user=alice outcome=denied text="drop table"`.
    #[arg(long, value_name = "TERMS", conflicts_with_all = FILTERS, value_parser = parse_select)]
    select: Option<Arc<FilterArgs>>,
    /// For a bundle: the record with this number or id, or the records of the call with this
    /// `request_id`; may be repeated.
    #[arg(long, requires = "bundle", conflicts_with_all = FILTERS, conflicts_with = "select")]
    id: Vec<Box<str>>,
    /// For a bundle: a head that somebody kept, a file or `size:root`; the bundle proves that the log
    /// continues it.
    #[arg(long, value_name = "HEAD", requires = "bundle", value_parser = parse_head)]
    head: Option<PinnedHead>,
    #[command(flatten)]
    filter: FilterArgs,
}

/// The options of [`FilterArgs`].
const FILTERS: [&str; 7] = [
    "since", "until", "user", "server", "tool", "outcome", "text",
];

/// Shared, because the parser of the command line copies values.
fn parse_select(text: &str) -> Result<Arc<FilterArgs>, SelectError> {
    FilterArgs::parse(text).map(Arc::new)
}

const EXAMPLES: &str = "\
Examples:
  chaperone audit export --since 2026-01-01 --until 2026-01-31 -o january.jsonl
  chaperone audit export --format tutorial | jq -r .userId | sort | uniq -c | sort -rn
  chaperone audit export --format csv --outcome denied -o refusals.csv
  chaperone audit export --bundle evidence.zip --select 'user=alice@example.com since=2026-01-01'
  chaperone audit verify evidence.zip --key KEY";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    /// Every record as it is stored, one JSON object a line.
    Jsonl,
    /// Finished calls and refusals with the published guide's names (`userId`, `toolName`, …).
    Tutorial,
    /// Every record as a row for spreadsheets; texts that would be formulas begin with `'`.
    Csv,
    /// Finished calls and refusals as OCSF 1.8 API Activity (class 6003).
    Ocsf,
    /// Every record as a row of Apache Parquet, for large analysis.
    Parquet,
}

/// Writes the records that match.
pub(super) fn run(
    args: &ExportArgs,
    reader: &Reader,
    json: bool,
    world: &mut World<'_>,
) -> Result<(), AuditError> {
    let filter = args.select.as_deref().unwrap_or(&args.filter);
    if let Some(path) = &args.bundle {
        let selection = selection(filter, &args.id);
        let mut fresh = Fresh::of(path).map_err(BundleError::Output)?;
        let records = bundle::bundle(reader, &selection, args.head.as_ref(), &mut fresh)?;
        fresh.publish().map_err(BundleError::Output)?;
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        return told(path, ("records", records), json, world);
    }
    let (filter, format) = (filter.filter(), args.format.format());
    let Some(path) = &args.output else {
        let mut out = BufWriter::new(&mut *world.out);
        export::export(reader, &filter, format, &mut out)?;
        return Ok(out.flush()?);
    };
    let file = |error| ExportError::Output(error);
    let mut out = BufWriter::new(Fresh::of(path).map_err(file)?);
    let lines = export::export(reader, &filter, format, &mut out)?;
    let fresh = out.into_inner().map_err(io::Error::from).map_err(file)?;
    fresh.publish().map_err(file)?;
    told(path, ("lines", lines), json, world)
}

fn selection(filter: &FilterArgs, ids: &[Box<str>]) -> Selection {
    if ids.is_empty() {
        Selection::Filter {
            filter: filter.filter(),
            words: filter.words(),
        }
    } else {
        Selection::Ids(ids.to_vec())
    }
}

fn told(
    path: &Path,
    (what, count): (&str, u64),
    json: bool,
    world: &mut World<'_>,
) -> Result<(), AuditError> {
    let path = path.display().to_string();
    if json {
        let done = serde_json::json!({ "file": path, what: count });
        writeln!(world.out, "{done}")?;
    } else {
        writeln!(world.out, "{path}: {count} {what}")?;
    }
    Ok(())
}

impl FormatArg {
    fn format(self) -> Format {
        match self {
            Self::Jsonl => Format::Jsonl,
            Self::Tutorial => Format::Tutorial,
            Self::Csv => Format::Csv,
            Self::Ocsf => Format::Ocsf,
            Self::Parquet => Format::Parquet,
        }
    }
}
