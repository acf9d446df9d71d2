//! The program itself: which version, where it lies, and whether other copies run.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Around, Check, silence, within};
use crate::app::App;
use crate::audit::mark;
use crate::codes::Code;
use crate::format::Newer;
use crate::gateway::pins;
use crate::login::detached::REPLACED;
use crate::wording::chain;

pub(super) async fn look(app: &App, around: &Around) -> Vec<Check> {
    let program = around.program.clone();
    let detail = format!(
        "{} for {} on {}, at {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS,
        program.display()
    );
    let version = Check::ok("version", &detail);
    let processes = around.processes.clone();
    let running = app.tasks.blocking(move || running(&processes, &program));
    let running = within(running).await;
    let running = running.unwrap_or_else(|| Check::skipped("version.running", "/proc hangs"));
    vec![version, running, kept(app).await]
}

/// Whether a newer version keeps something of which no other check tells: what the keychain remembers of
/// the record, and the definitions that were accepted.
async fn kept(app: &App) -> Check {
    const ID: &str = "version.kept";
    let (secrets, pins) = (Arc::clone(&app.keychain), app.paths.pins_file());
    let looked = app.tasks.blocking(move || {
        let remembered = mark::read(&*secrets).err();
        let remembered = remembered.filter(|error| Newer::is_behind(error));
        let accepted = pins::look(&pins).err();
        let accepted = accepted.map(|newer| format!("{}: {newer}", pins.display()));
        remembered.map(|error| chain(&error)).or(accepted)
    });
    match within(looked).await {
        None => Check::skipped(ID, &silence()),
        Some(None) => Check::ok(ID, "nothing is kept in a newer format"),
        Some(Some(newer)) => {
            let fix =
                "start the hosts again if the newer version is installed, else install it again";
            Check::failed(ID, Code::VersionNewer, &newer, fix)
        }
    }
}

fn running(processes: &Path, own: &Path) -> Check {
    const ID: &str = "version.running";
    let Ok(listed) = fs::read_dir(processes) else {
        return Check::skipped(ID, "this system does not list what runs");
    };
    let programs = listed.flatten().filter_map(|entry| {
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((number, fs::read_link(entry.path().join("exe")).ok()?))
    });
    let (mut same, mut replaced, mut others) = (0_usize, Vec::new(), Vec::new());
    for (number, program) in programs {
        match Running::of(&program, own) {
            Running::Foreign => {}
            Running::Same => same += 1,
            Running::Replaced => replaced.push(number),
            Running::Other => others.push((number, program)),
        }
    }
    if !replaced.is_empty() {
        let detail = format!(
            "the copies with the numbers {replaced:?} were started before the program was replaced"
        );
        let fix = "start the hosts again";
        return Check::warning(ID, Code::VersionMixed, &detail, fix);
    }
    if let Some((number, program)) = others.first() {
        let detail = format!("another copy runs: {} (number {number})", program.display());
        let fix = "let all hosts start one copy: chaperone setup --list shows what each starts";
        return Check::warning(ID, Code::VersionMixed, &detail, fix);
    }
    // One of them looks.
    let detail = match same.saturating_sub(1) {
        0 => "no other process of chaperone runs".to_owned(),
        1 => "one other process runs, of this program".to_owned(),
        more => format!("{more} other processes run, all of this program"),
    };
    Check::ok(ID, &detail)
}

/// What runs.
enum Running {
    /// Something else.
    Foreign,
    /// This program.
    Same,
    /// This program as it was before an upgrade.
    Replaced,
    /// Another file of its name.
    Other,
}

impl Running {
    fn of(program: &Path, own: &Path) -> Self {
        let text = program.to_string_lossy();
        let replaced = text.strip_suffix(REPLACED).map(PathBuf::from);
        let place = replaced.as_deref().unwrap_or(program);
        let is_named = |path: &Path| path.file_stem().is_some_and(|name| name == "chaperone");
        if !is_named(place) {
            Self::Foreign
        } else if replaced.is_some() {
            Self::Replaced
        } else if place == own {
            Self::Same
        } else {
            Self::Other
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::State;
    use super::*;

    #[test]
    fn copies_that_run_are_told_apart() {
        let proc = tempfile::tempdir().unwrap();
        let own = Path::new("/usr/bin/chaperone");
        let start = |number: &str, program: &str| {
            let dir = proc.path().join(number);
            fs::create_dir(&dir).unwrap();
            symlink(program, dir.join("exe")).unwrap();
        };
        start("1", "/usr/bin/chaperone");
        start("2", "/usr/bin/vim");
        start("self", "/x/chaperone");
        let found = running(proc.path(), own);
        assert_eq!(found.state, State::Ok, "{found:?}");
        start("3", "/opt/chaperone");
        assert!(running(proc.path(), own).detail.contains("/opt/chaperone"));
        start("4", "/usr/bin/chaperone (deleted)");
        let found = running(proc.path(), own);
        assert_eq!(found.code, Some(Code::VersionMixed));
        assert!(found.detail.contains("[4]"), "{found:?}");
        let none = running(Path::new("/no/such/place"), own);
        assert_eq!(none.state, State::Skipped);
    }
}
