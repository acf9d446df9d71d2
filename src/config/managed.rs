//! Where an administrator keeps settings, in the order in which they count: what the system's own
//! management brings (managed preferences of macOS, group policy of Windows), then the files of
//! `managed.d`, then `managed.toml`.
//!
//! None of these places can be moved by whoever starts the program.

#[cfg(any(windows, target_os = "macos", test))]
mod flat;
#[cfg(any(windows, target_os = "macos", test))]
mod json;
#[cfg(any(target_os = "macos", test))]
pub(super) mod preferences;
#[cfg(any(windows, test))]
pub(super) mod registry;

use std::io;
use std::path::{Path, PathBuf};

use super::document::{Reading, Report};
use super::file::{Owners, Trust};
use super::{Source, Store};
use crate::paths::Paths;

/// Reads all that there is; what cannot be read is a problem.
pub(super) fn readings(paths: &Paths, owners: Owners, report: &mut Report) -> Vec<Reading> {
    let mut found = brought(owners, report);
    let beside = paths.managed_file.with_file_name("managed.d");
    let files = match drop_ins(&beside) {
        Ok(files) => files,
        Err(error) => {
            let source = Source::Managed(Store::File(beside));
            report.refuse(source, &format!("cannot be read: {error}"));
            Vec::new()
        }
    };
    let files = files.into_iter().chain([paths.managed_file.clone()]);
    found.extend(files.filter_map(|path| {
        let source = Source::Managed(Store::File(path));
        file(source, Trust::Administrator, owners, report)
    }));
    found
}

/// Reads a file of TOML, if there is one.
pub(super) fn file(
    source: Source,
    trust: Trust,
    owners: Owners,
    report: &mut Report,
) -> Option<Reading> {
    match owners.read(source.file()?, trust) {
        Ok(text) => Some(Reading {
            source,
            text,
            entries: Vec::new(),
        }),
        Err(error) if error.is_absence() => None,
        Err(error) => {
            report.refuse(source, &error.to_string());
            None
        }
    }
}

/// The files of a directory, the one whose name comes last first, as with those of systemd: it is
/// put there to have the last word.
fn drop_ins(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match directory.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let files: io::Result<Vec<PathBuf>> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let mut files = files?;
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.sort_unstable_by(|one, other| other.cmp(one));
    Ok(files)
}

#[cfg(target_os = "macos")]
fn brought(owners: Owners, report: &mut Report) -> Vec<Reading> {
    preferences::readings(crate::paths::managed_preferences(), owners, report)
}

#[cfg(windows)]
fn brought(_owners: Owners, report: &mut Report) -> Vec<Reading> {
    registry::of_machine(report).into_iter().collect()
}

#[cfg(not(any(windows, target_os = "macos")))]
fn brought(_owners: Owners, _report: &mut Report) -> Vec<Reading> {
    Vec::new()
}

#[cfg(test)]
mod tests;
