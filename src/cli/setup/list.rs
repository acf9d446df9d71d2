//! Which hosts are installed, and whether chaperone is in them.

use std::path::PathBuf;

use serde::Serialize;

use super::Setup;
use super::plan::{own_name, refused};
use crate::cli::console::Console;
use crate::cli::failure::{Failure, exit};
use crate::codes::Code;
use crate::hosts::{Host, HostFile, Location, Scope, Standing, edit, locations, standing};

/// How chaperone stands in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It is in it, as setup would write it.
    Present,
    /// It is in it, and turned off there.
    Off,
    /// It is in it, in another way.
    Differs,
    /// It is not.
    Absent,
    /// Nobody knows.
    Unreadable,
}

#[derive(Debug, Serialize)]
struct Line {
    host: &'static str,
    name: &'static str,
    scope: &'static str,
    file: PathBuf,
    installed: bool,
    state: State,
    problem: Option<String>,
}

/// Prints one line for each file in which a host looks; of a host that is not installed, the usual.
pub(super) fn run(json: bool, setup: &Setup<'_>, console: &mut Console) -> Result<u8, Failure> {
    for host in Host::ALL {
        let found = locations(host, setup.scope, &setup.around);
        let none = !found.iter().any(|location| location.is_installed);
        let shown = found.into_iter().enumerate();
        for (index, location) in shown {
            let is_shown = location.is_installed || (none && index == 0);
            if !is_shown {
                continue;
            }
            let line = line(setup, host, location);
            if json {
                console.json(&line)?;
            } else {
                console.say(&text(&line))?;
            }
        }
    }
    Ok(exit::DONE)
}

fn line(setup: &Setup<'_>, host: Host, location: Location) -> Line {
    let (state, problem) = match state(setup, host, &location) {
        Ok(state) => (state, None),
        Err(failure) => (State::Unreadable, Some(failure.text().to_owned())),
    };
    Line {
        host: host.id(),
        name: host.title(),
        scope: match setup.scope {
            Scope::User => "user",
            Scope::Project => "project",
        },
        installed: location.is_installed,
        file: location.file,
        state,
        problem,
    }
}

fn state(setup: &Setup<'_>, host: Host, location: &Location) -> Result<State, Failure> {
    let file = HostFile::read(location).map_err(|error| Failure::of(Code::HostFile, &error))?;
    let servers = edit::servers(file.content(), host.dialect());
    let servers = servers.map_err(|why| refused(&file.path, &why))?;
    let entry = host.entry(&setup.command, &setup.args);
    // Who has the name instead is said in words.
    own_name(&file.path, &servers)?;
    Ok(match standing(&servers, &entry) {
        Standing::Present => State::Present,
        Standing::Off => State::Off,
        Standing::Differs(_) | Standing::Taken => State::Differs,
        Standing::Absent => State::Absent,
    })
}

fn text(line: &Line) -> String {
    let state = match (line.state, line.installed) {
        (State::Present, _) => "has chaperone",
        (State::Off, _) => "has chaperone, turned off",
        (State::Differs, _) => "starts chaperone in another way",
        (State::Absent, true) => "without chaperone",
        (State::Absent, false) => "not installed",
        (State::Unreadable, _) => "not readable",
    };
    let mut text = format!("{:<14}  {state:<31}  {}", line.host, line.file.display());
    if let Some(problem) = &line.problem {
        text = format!("{text}\n  {}", crate::wording::terminal_safe(problem));
    }
    text
}
