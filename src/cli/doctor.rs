//! `chaperone doctor`: what is wrong, what to do about it, and doing what is safe.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::console::Console;
use super::failure::{Failure, exit};
use super::setup;
use crate::app::App;
use crate::codes::Code;
use crate::config::ProxyVariables;
use crate::doctor::{self, Around, Check, Repair, State, bundle, repair};
use crate::paths;
use crate::sync::Ended;

/// Find out what is wrong, and what to do about it.
///
/// Looks at configuration, policy, clock, certificates and proxies, keychain, provider, session, every
/// server, every host, the audit log and how far it has been sent. Changes nothing unless --fix says so.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct DoctorArgs {
    /// Repair what is safe: modes of chaperone's own files, files that were left half written, an entry
    /// that a host has lost, records that wait to be sent.
    #[arg(long)]
    fix: bool,
    /// With --fix: say what would be done, and do nothing.
    #[arg(long, requires = "fix")]
    dry_run: bool,
    /// Read the whole audit log, which takes a while for a large one.
    #[arg(long)]
    deep: bool,
    /// Also write an archive for whoever helps, without secrets; its README says what is in it.
    #[arg(long, value_name = "FILE.zip")]
    bundle: Option<PathBuf>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
With --json: {\"version\", \"exit\", \"checks\": [{\"id\", \"state\", \"detail\", \"fix\", \"code\"}]}, and with --fix
\"repairs\": [{\"id\", \"what\", \"done\", \"problem\"}]. States are ok, note, warning, failed and skipped.

Examples:
  chaperone doctor
  chaperone doctor --json | jq -r '.checks[] | select(.state == \"failed\") | .id'
  chaperone doctor --fix --dry-run
  chaperone doctor --bundle support.zip

Exit codes, by the worst of what was found:
  0 nothing worse than a note  4 nobody is signed in
  1 a warning, or what failed  5 a server or the provider cannot be reached
    has no code of its own     6 the audit log is not intact
  2 configuration or policy cannot be used";

/// What --json prints.
#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    exit: u8,
    checks: &'a [Check],
    #[serde(skip_serializing_if = "Option::is_none")]
    repairs: Option<&'a [Repaired]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<&'a Path>,
}

/// What became of a repair.
#[derive(Debug, Serialize)]
struct Repaired {
    id: Box<str>,
    what: String,
    done: bool,
    problem: Option<String>,
}

/// Runs the command.
pub async fn run(args: &DoctorArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    let around = around(args, app)?;
    if let Some(file) = args.bundle.as_deref().filter(|file| file.exists()) {
        // Before anything is asked that takes a while.
        return Err(unwritten(file, &io::ErrorKind::AlreadyExists.into()));
    }
    let mut found = doctor::examine(app, &around).await;
    let mut repairs = None;
    if args.fix {
        let done = mend(args, app, &found.checks).await;
        if done.iter().any(|repaired| repaired.done) {
            found = doctor::examine(app, &around).await;
        }
        repairs = Some(done);
    }
    if let Some(file) = &args.bundle {
        let archive = bundle::make(app, &around, &found).await;
        let written = archive.and_then(|archive| paths::create_private(file, &archive));
        written.map_err(|error| unwritten(file, &error))?;
    }
    show(args, &found.checks, repairs.as_deref(), console)
}

fn unwritten(file: &Path, error: &io::Error) -> Failure {
    let text = format!("{}: {error}; nothing was written", file.display());
    Failure::new(Code::Output, text)
}

fn show(
    args: &DoctorArgs,
    checks: &[Check],
    repairs: Option<&[Repaired]>,
    console: &mut Console,
) -> Result<u8, Failure> {
    let exit = doctor::exit_code(checks);
    if args.json {
        console.json(&Report {
            version: env!("CARGO_PKG_VERSION"),
            exit,
            checks,
            repairs,
            bundle: args.bundle.as_deref(),
        })?;
        return Ok(exit);
    }
    let colour = console.colour();
    for repaired in repairs.into_iter().flatten() {
        console.say(&told(repaired, args.dry_run))?;
    }
    for check in checks {
        console.say(&doctor::line(check, colour))?;
    }
    console.say(&summary(checks, exit))?;
    if let Some(file) = &args.bundle {
        let file = file.display();
        console.say(&format!(
            "Written: {file}. Look through it before you send it."
        ))?;
    }
    Ok(exit)
}

fn around(args: &DoctorArgs, app: &App) -> Result<Around, Failure> {
    let program = std::env::current_exe();
    Ok(Around {
        hosts: setup::known(&app.paths)?,
        proxies: ProxyVariables::read(),
        program: program.map_err(|error| Failure::of(Code::System, &error))?,
        processes: "/proc".into(),
        deep: args.deep,
    })
}

/// Mends what can be, one after the other.
async fn mend(args: &DoctorArgs, app: &App, checks: &[Check]) -> Vec<Repaired> {
    let mut all = Vec::new();
    for check in checks {
        let Some(repair) = &check.repair else {
            continue;
        };
        let result = if args.dry_run {
            None
        } else {
            Some(one(repair, app).await)
        };
        all.push(Repaired {
            id: check.id.clone(),
            what: repair.intent(),
            done: matches!(result, Some(Ok(()))),
            problem: result.and_then(Result::err),
        });
    }
    all
}

async fn one(repair: &Repair, app: &App) -> Result<(), String> {
    match repair {
        Repair::Close(open) => repair::close(open).map_err(|error| error.to_string()),
        Repair::Remove(files) => repair::remove(files).map_err(|error| error.to_string()),
        Repair::Host(host, scope) => {
            setup::again(*host, *scope, &app.paths).map_err(|failure| failure.text().to_owned())
        }
        Repair::Send(sink) => {
            let sinks = app.sync.sinks().iter();
            let Some(sink) = sinks.clone().find(|known| *known.name.as_str() == **sink) else {
                return Ok(());
            };
            match app.sync.send_now(sink, |_| ()).await {
                Ended::Done => Ok(()),
                Ended::Failed(why) => Err(why),
                Ended::Elsewhere => Err("another chaperone is sending".to_owned()),
            }
        }
    }
}

fn told(repaired: &Repaired, dry_run: bool) -> String {
    let Repaired {
        id,
        what,
        done,
        problem,
    } = repaired;
    match (done, problem) {
        (true, _) => format!("fixed    {id}: {what}"),
        (false, Some(why)) => format!("unfixed  {id}: {what}: {}", doctor::clean(why)),
        (false, None) if dry_run => format!("would    {id}: {what}"),
        (false, None) => format!("unfixed  {id}: {what}"),
    }
}

/// How many there are of each, and where to go on.
fn summary(checks: &[Check], exit: u8) -> String {
    let count = |state: State| checks.iter().filter(|check| check.state == state).count();
    let states = [
        State::Ok,
        State::Note,
        State::Warning,
        State::Failed,
        State::Skipped,
    ];
    let counts = states.into_iter().map(|state| (state, count(state)));
    let counts = counts.filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(state, count)| format!("{count} {}{}", state.as_str(), plural(state, count)))
        .collect();
    let counts = counts.join(", ");
    if exit == exit::DONE {
        format!("\n{counts}.")
    } else {
        format!("\n{counts}.\nA code is explained by `chaperone help CODE`.")
    }
}

/// Of things there may be several; right and wrong are none.
fn plural(state: State, count: usize) -> &'static str {
    match state {
        State::Note | State::Warning if count > 1 => "s",
        State::Skipped | State::Ok | State::Note | State::Warning | State::Failed => "",
    }
}
