//! `chaperone config show` and `keys`.

use clap::{Args, Subcommand};

use super::console::Console;
use super::failure::{Failure, exit};
use crate::config::{self, Place, Position, Setting};
use crate::paths::Paths;
use crate::wording::terminal_safe;

/// Look at the settings.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chaperone config show")]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show every value with the place that it came from
    #[command(
        after_help = "Example:\n  chaperone config show --json | jq -r 'select(.source == \"managed\") | .key'"
    )]
    Show {
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// List every key that can be set, by the name that group policy and managed preferences use
    ///
    /// Keys of tables that there may be several of (server[].url) stand in the JSON of the table's own
    /// name (server).
    #[command(after_help = "Example:\n  chaperone config keys | grep '^audit'")]
    Keys,
}

/// Shows the settings.
pub fn run(args: &ConfigArgs, paths: &Paths, console: &mut Console) -> Result<u8, Failure> {
    match args.command {
        ConfigCommand::Show { json } => show(json, paths, console),
        ConfigCommand::Keys => {
            config::keys().iter().try_for_each(|key| console.say(key))?;
            Ok(exit::DONE)
        }
    }
}

fn show(json: bool, paths: &Paths, console: &mut Console) -> Result<u8, Failure> {
    let config = config::load(paths).map_err(|error| Failure::from(&error))?;
    for setting in &config.values {
        if json {
            console.json(&setting.to_json())?;
        } else {
            console.say(&line(setting))?;
        }
    }
    for note in &config.notes {
        console.note(&format!("note: {note}"));
    }
    Ok(exit::DONE)
}

fn line(setting: &Setting) -> String {
    let Setting {
        key,
        value,
        source,
        place,
    } = setting;
    let whence = match (source.name(), place) {
        (Some(name), Some(Position::Text(Place { line, .. }))) => format!("{name}:{line}"),
        (Some(name), Some(Position::Entry(entry))) => {
            let store = source.store().unwrap_or_default();
            format!("{store}, {name}: {}", terminal_safe(entry))
        }
        (Some(name), None) => name.into_owned(),
        (None, _) => source.as_str().to_owned(),
    };
    format!("{key} = {value}  # {whence}")
}
