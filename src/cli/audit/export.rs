//! `chaperone audit export`.

use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::filter::FilterArgs;
use super::{AuditError, World};
use crate::audit::export::{self, ExportError, Format};
use crate::audit::reader::Reader;
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
    #[command(flatten)]
    filter: FilterArgs,
}

const EXAMPLES: &str = "\
Examples:
  chaperone audit export --since 2026-01-01 --until 2026-01-31 -o january.jsonl
  chaperone audit export --format tutorial | jq -r .userId | sort | uniq -c | sort -rn
  chaperone audit export --format csv --outcome denied -o refusals.csv";

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
}

/// Writes the records that match.
pub(super) fn run(
    args: &ExportArgs,
    reader: &Reader,
    json: bool,
    world: &mut World<'_>,
) -> Result<(), AuditError> {
    let (filter, format) = (args.filter.filter(), args.format.format());
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
    let path = path.display().to_string();
    if json {
        let done = serde_json::json!({ "file": path, "lines": lines });
        writeln!(world.out, "{done}")?;
    } else {
        writeln!(world.out, "{path}: {lines} lines")?;
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
        }
    }
}
