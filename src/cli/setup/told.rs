//! What setup says of what it has done.

use std::path::PathBuf;

use serde::Serialize;

use super::plan::Step;
use super::{Setup, SetupArgs};
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::hosts::{Host, Scope, writes_back};

/// What was done with one host.
#[derive(Debug, Serialize)]
pub(super) struct Done<'a> {
    pub(super) host: &'a str,
    pub(super) files: Vec<PathBuf>,
    pub(super) changed: bool,
    pub(super) dry_run: bool,
    pub(super) backup: Option<PathBuf>,
    pub(super) notes: Vec<String>,
}

impl Setup<'_> {
    pub(super) fn report(
        &self,
        host: Host,
        text: &str,
        done: &Done<'_>,
        args: &SetupArgs,
        console: &mut Console,
    ) -> Result<(), Failure> {
        if args.json {
            return console.json(done);
        }
        console.say(text)?;
        for note in &done.notes {
            console.note(&format!("note: {note}"));
        }
        if let (Some(backup), false) = (&done.backup, args.undo) {
            let scope = match self.scope {
                Scope::User => "",
                Scope::Project => " --scope project",
            };
            console.note(&format!(
                "Before: {}. To go back: chaperone setup {}{scope} --undo",
                backup.display(),
                host.id()
            ));
        }
        Ok(())
    }
}

pub(super) fn warning(host: Host) -> String {
    let title = host.title();
    if writes_back(host) {
        format!(
            "{title} is running and may write its file back as it was. Quit it, start it again, and \
             look: chaperone setup --list"
        )
    } else {
        format!("{title} is running; start it again to see chaperone")
    }
}

pub(super) fn sentence(host: Host, step: Step, done: &Done<'_>) -> String {
    let title = host.title();
    match (step, done.changed, done.dry_run) {
        (Step::Put | Step::Import, false, _) => format!("{title}: chaperone is in it already."),
        (Step::Remove, false, _) => format!("{title}: chaperone is not in it."),
        (_, true, true) => format!("{title}: nothing was changed; this is what would be."),
        (Step::Put | Step::Import, true, false) => {
            format!("{title}: starts chaperone from its next start on.")
        }
        (Step::Remove, true, false) => format!("{title}: chaperone is no longer in it."),
    }
}
