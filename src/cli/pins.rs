//! `chaperone pins`: definitions of tools that wait until somebody accepts them.

use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::console::Console;
use super::failure::{Failure, exit};
use super::report;
use crate::app::App;
use crate::codes::Code;
use crate::gateway::pins::{Chosen, NotAccepted, Waiting};
use crate::wording::terminal_safe;

/// Show the definitions of tools that wait for consent, or accept them.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "With pin_definitions = true under [tools], a tool is neither shown nor called until its \
                  definition has been accepted here, and again when its server changes it: models read \
                  definitions as instructions.\n\nExamples:\n  chaperone pins\n  chaperone pins accept \
                  database__list_tables\n  chaperone pins --json | jq -r 'select(.state == \"changed\") | .name'"
)]
pub struct PinsArgs {
    #[command(subcommand)]
    command: Option<PinsCommand>,
    /// One JSON object per tool.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum PinsCommand {
    /// Accept definitions as they are now
    #[command(
        after_help = "Examples:\n  chaperone pins accept database__list_tables\n  chaperone pins accept database\n  \
                      chaperone pins accept --all"
    )]
    Accept {
        /// Tools as `chaperone pins` lists them, or servers for all of theirs.
        #[arg(required_unless_present = "all", value_name = "NAME")]
        names: Vec<Box<str>>,
        /// Everything that waits.
        #[arg(long, conflicts_with = "names")]
        all: bool,
    },
}

/// Runs the command.
pub async fn run(args: &PinsArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    if !app.config.as_ref()?.tools.pin_definitions {
        return Err(failure(&NotAccepted::NotPinned));
    }
    let patience = report::patience(app);
    app.gateway.whoami().await?;
    match &args.command {
        None => show(args.json, app, patience, console).await,
        Some(PinsCommand::Accept { names, all }) => {
            let chosen = if *all {
                Chosen::All
            } else {
                Chosen::Named(names)
            };
            let accepted = app.gateway.accept(chosen, patience).await;
            for name in accepted.map_err(|why| failure(&why))? {
                console.say(&format!("accepted {}", terminal_safe(name.as_str())))?;
            }
            Ok(exit::DONE)
        }
    }
}

async fn show(
    json: bool,
    app: &App,
    patience: Duration,
    console: &mut Console,
) -> Result<u8, Failure> {
    let waiting = app.gateway.waiting(patience).await;
    let waiting = waiting.map_err(|why| failure(&why))?;
    for tool in &waiting {
        if json {
            console.json(tool)?;
        } else {
            console.say(&described(tool))?;
        }
    }
    if !json {
        console.note(match waiting.len() {
            0 => "Every definition is accepted.",
            _ => "Accept what is right: chaperone pins accept NAME, or the name of a server for all of it.",
        });
    }
    Ok(exit::DONE)
}

fn described(tool: &Waiting) -> String {
    let mut text = format!("{}  {}\n", terminal_safe(&tool.name), tool.state);
    for difference in &tool.differences {
        // Writing to a string does not fail.
        let _written = writeln!(text, "  {}", terminal_safe(&difference.to_string()));
    }
    text
}

fn failure(why: &NotAccepted) -> Failure {
    let code = match why {
        NotAccepted::NotPinned | NotAccepted::Unknown(_) => Code::Usage,
        NotAccepted::File(..) => Code::DataFailed,
    };
    Failure::of(code, why)
}
