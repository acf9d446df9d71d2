//! What is to become of one host's files, before any of them is touched.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::import::Import;
use super::{Setup, SetupArgs};
use crate::cli::failure::Failure;
use crate::codes::Code;
use crate::config::Place;
use crate::hosts::backup::Change;
use crate::hosts::edit::{self, Unfit};
use crate::hosts::{self, Host, HostFile, Location, NAME, Scope, Syntax, locations};

/// What is to be done with the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Put,
    Import,
    Remove,
}

impl Step {
    /// What the command line asks for; `None` is the way back.
    pub(super) fn of(args: &SetupArgs) -> Option<Self> {
        match (args.undo, args.remove, args.import) {
            (true, _, _) => None,
            (_, true, _) => Some(Self::Remove),
            (_, _, true) => Some(Self::Import),
            (false, false, false) => Some(Self::Put),
        }
    }
}

/// All files of one host, and what is worth knowing of them.
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    pub(super) files: Vec<PathBuf>,
    pub(super) notes: Vec<String>,
}

impl Plan {
    /// Looks at every file in which an installed host looks; for one that is not, at the usual place.
    pub(super) fn new(setup: &Setup<'_>, host: Host, step: Step) -> Result<Self, Failure> {
        let mut plan = Self {
            changes: Vec::new(),
            files: Vec::new(),
            notes: notes(setup, host, step),
        };
        let mut import = match step {
            Step::Import => Some(Import::new(setup)?),
            Step::Put | Step::Remove => None,
        };
        for location in chosen(setup, host)? {
            if !location.is_installed && step != Step::Remove && setup.scope == Scope::User {
                let title = host.title();
                plan.notes
                    .push(format!("{title} does not seem to be installed"));
            }
            plan.files.push(location.file.clone());
            plan.add(setup, host, step, &location, import.as_mut())?;
        }
        if let Some(import) = import {
            let (change, notes) = import.finish()?;
            // First, so that at no time a server is in neither place.
            plan.changes.splice(..0, change);
            plan.notes.extend(notes);
        }
        Ok(plan)
    }

    fn add(
        &mut self,
        setup: &Setup<'_>,
        host: Host,
        step: Step,
        location: &Location,
        import: Option<&mut Import<'_>>,
    ) -> Result<(), Failure> {
        let dialect = host.dialect();
        let file = HostFile::read(location).map_err(|error| Failure::of(Code::HostFile, &error))?;
        let unfit = |why| refused(&file.path, &why);
        let mut after = file.content().to_vec();
        let servers = edit::servers(&after, dialect).map_err(unfit)?;
        if let Some(import) = import {
            for name in import.moved(host, &servers) {
                after = edit::remove(&after, dialect, &name).map_err(unfit)?;
            }
        }
        let name = own_name(&file.path, &servers)?;
        let is_off = servers.get(name).and_then(|server| server.get("disabled"));
        if is_off == Some(&Value::Bool(true)) && step != Step::Remove {
            let path = file.path.display();
            self.notes.push(format!(
                "{path} has {name:?} turned off (\"disabled\"); turn it on there"
            ));
        }
        if step == Step::Remove {
            if servers.contains_key(name) {
                after = edit::remove(&after, dialect, name).map_err(unfit)?;
            }
        } else {
            let entry = host.entry(&setup.command, &setup.args);
            after = edit::put(&after, dialect, name, &entry).map_err(unfit)?;
        }
        if let (Syntax::Json, Some(Place { line, column })) =
            (dialect.syntax, edit::unread_by_host(&after, dialect))
        {
            let path = file.path.display();
            let title = host.title();
            self.notes.push(format!(
                "{path}:{line}:{column}: {title} reads JSON without comments and may stop here"
            ));
        }
        if after != file.content() {
            let checked = file.check_replaceable();
            checked.map_err(|error| Failure::of(Code::HostFile, &error))?;
            self.changes.push(Change { file, after });
        }
        Ok(())
    }
}

fn chosen(setup: &Setup<'_>, host: Host) -> Result<Vec<Location>, Failure> {
    let mut found = locations(host, setup.scope, &setup.around);
    if found.is_empty() {
        let text = "this host has no configuration of projects; leave --scope out";
        return Err(Failure::new(Code::Usage, text));
    }
    if found.iter().any(|location| location.is_installed) {
        found.retain(|location| location.is_installed);
    } else {
        found.truncate(1);
    }
    Ok(found)
}

/// The name under which chaperone is in a file, or is to be.
pub(super) fn own_name<'s>(
    path: &Path,
    servers: &'s Map<String, Value>,
) -> Result<&'s str, Failure> {
    hosts::own_name(servers).ok_or_else(|| {
        let path = path.display();
        let text =
            format!("{path} has a server {NAME:?} that is another program; rename it there first");
        Failure::new(Code::HostFile, text)
    })
}

/// What the person should know, whatever is in the files.
fn notes(setup: &Setup<'_>, host: Host, step: Step) -> Vec<String> {
    let mut notes = Vec::new();
    if step == Step::Remove {
        return notes;
    }
    let managed = [
        "/etc/claude-code",
        "/Library/Application Support/ClaudeCode",
        r"C:\Program Files\ClaudeCode",
    ];
    let managed = managed.map(|dir| Path::new(dir).join("managed-mcp.json"));
    if let (Host::ClaudeCode, Some(file)) = (host, managed.iter().find(|file| file.exists())) {
        let file = file.display();
        notes.push(format!(
            "{file} is the administrator's and the only one that counts; chaperone must be in it"
        ));
    }
    if let Some(dir) = setup.data_dir_of_environment {
        let dir = dir.display();
        notes.push(format!(
            "CHAPERONE_DATA_DIR is {dir} here; hosts do not get it, and keep their log in the usual place"
        ));
    }
    if setup.scope == Scope::Project {
        notes.push(format!(
            "the entry holds a path of this machine ({}); others who share this file need theirs",
            setup.command
        ));
    }
    notes
}

/// `file:line:column: message`
pub(super) fn refused(path: &Path, why: &Unfit) -> Failure {
    let Unfit {
        place: Place { line, column },
        message,
    } = why;
    let path = path.display();
    let text = format!("{path}:{line}:{column}: {message}. The file is left as it is");
    Failure::new(Code::HostFile, text)
}
