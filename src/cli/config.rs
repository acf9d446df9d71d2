//! `chaperone config show`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::console::Console;
use super::failure::{Failure, exit};
use crate::config::{self, Setting};
use crate::paths::Paths;

/// Look at the settings.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show every value with the file that it came from
    #[command(
        after_help = "Example:\n  chaperone config show --json | jq -r 'select(.source == \"managed\") | .key'"
    )]
    Show {
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
}

/// Shows the settings.
pub fn run(args: &ConfigArgs, paths: &Paths, console: &mut Console) -> Result<u8, Failure> {
    let ConfigCommand::Show { json } = args.command;
    let config = config::load(paths).map_err(|error| Failure::usage(&error))?;
    for setting in &config.values {
        if json {
            console.json(&object(setting))?;
        } else {
            console.say(&line(setting))?;
        }
    }
    for note in &config.notes {
        console.note(&format!("note: {note}"));
    }
    Ok(exit::DONE)
}

fn object(setting: &Setting) -> serde_json::Value {
    let Setting {
        key,
        value,
        source,
        line,
    } = setting;
    let file = source.path().map(|path| path.display().to_string());
    json!({"key": key, "value": value, "source": source.as_str(), "file": file, "line": line})
}

fn line(setting: &Setting) -> String {
    let Setting {
        key,
        value,
        source,
        line,
    } = setting;
    let whence = match (source.path(), line) {
        (Some(path), Some(line)) => format!("{}:{line}", path.display()),
        (Some(path), None) => path.display().to_string(),
        (None, _) => source.as_str().to_owned(),
    };
    format!("{key} = {value}  # {whence}")
}
