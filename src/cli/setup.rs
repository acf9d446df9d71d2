//! `chaperone setup`: one entry in the configuration of a host, and the way back.

mod diff;
mod import;
mod list;
mod plan;
mod told;

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueEnum};

use super::console::Console;
use super::failure::{Failure, exit};
use crate::clock::{Clock as _, SystemClock};
use crate::codes::Code;
use crate::config::{self, HostVariables};
use crate::doctor::Hosts;
use crate::hosts::backup::{BackupError, Backups, Leaves};
use crate::hosts::{Host, NAME, Scope, Surroundings, System, edit, is_running, program};
use crate::lock::FileLock;
use crate::paths::{AccountDirs, NoHome, Paths};

use plan::{Plan, Step};
use told::{Done, sentence, warning};

/// Give hosts the one entry that starts chaperone.
///
/// Only that entry is changed in a host's file: comments, order, indentation and line ends stay. What
/// was there before is kept under `backups` in the data directory, and `--undo` brings it back, byte
/// for byte, unless the file has been changed since. The preview hides other servers' values, which
/// may be secrets.
#[derive(Debug, Default, Args)]
#[command(after_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct SetupArgs {
    /// The host.
    #[arg(value_parser = host(), value_name = "HOST", required_unless_present_any = ["all", "list"])]
    host: Option<Host>,
    /// Every host that is installed.
    #[arg(long, conflicts_with = "host")]
    all: bool,
    /// Say which hosts are installed, and whether chaperone is in them.
    #[arg(long, conflicts_with_all = ["host", "all", "print", "dry_run", "undo", "remove", "import"])]
    list: bool,
    /// Print the entry alone, to be pasted.
    #[arg(long, conflicts_with_all = ["all", "dry_run", "undo", "remove", "import", "json"])]
    print: bool,
    /// Show what would be changed, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Take the newest change of the host back.
    #[arg(long, conflicts_with_all = ["remove", "import"])]
    undo: bool,
    /// Take the entry out again; everything else stays as it is by now.
    #[arg(long, conflicts_with = "import")]
    remove: bool,
    /// Move the host's remote servers into chaperone's configuration.
    #[arg(long)]
    import: bool,
    /// For this account, or for the project in the current directory.
    #[arg(long, value_enum, default_value_t)]
    scope: ScopeArg,
    /// One JSON object per host, or per file for --list.
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
--import moves a remote server if nothing of its entry is lost. One that is sent headers, has a
query in its address, speaks another transport, or has settings that chaperone has no words for
stays in the host, and is named. The company's token goes to a moved server only if servers of
the same origin get it already.

Examples:
  chaperone setup --list
  chaperone setup cursor --dry-run
  chaperone setup claude-code --scope project
  chaperone setup --all --import
  chaperone setup cursor --undo

Exit codes:
  0 done, or nothing to do    2 wrong use, or chaperone's configuration cannot be used
  1 a file is left as it was, for the reason that is given";

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ScopeArg {
    /// Wherever the host is started.
    #[default]
    User,
    /// In this directory.
    Project,
}

impl From<ScopeArg> for Scope {
    fn from(arg: ScopeArg) -> Self {
        match arg {
            ScopeArg::User => Self::User,
            ScopeArg::Project => Self::Project,
        }
    }
}

pub(super) fn host() -> impl clap::builder::TypedValueParser<Value = Host> {
    let ids = PossibleValuesParser::new(Host::ALL.map(Host::id));
    ids.try_map(|id| Host::named(&id).ok_or("no host of that name"))
}

/// What every host is told of, and where things lie.
struct Setup<'a> {
    around: Surroundings,
    scope: Scope,
    command: String,
    args: Vec<Box<str>>,
    backups: Backups,
    lock: PathBuf,
    /// The data lies where the environment says, of which hosts know nothing.
    data_dir_of_environment: Option<&'a Path>,
    paths: &'a Paths,
}

/// Runs the command.
pub fn run(args: &SetupArgs, paths: &Paths, console: &mut Console) -> Result<u8, Failure> {
    let setup = Setup::new(args.scope.into(), paths)?;
    if args.list {
        return list::run(args.json, &setup, console);
    }
    if let (true, Some(host)) = (args.print, args.host) {
        let entry = host.entry(&setup.command, &setup.args);
        console.say(&edit::alone(host.dialect(), NAME, &entry))?;
        return Ok(exit::DONE);
    }
    let mut hosts = match args.host {
        Some(host) => vec![host],
        None => setup.installed(),
    };
    if args.undo {
        // What was changed last is taken back first, where hosts share a file.
        hosts.reverse();
    }
    setup.go(&hosts, args, console)
}

/// Which hosts are installed for this account.
pub(super) fn installed(paths: &Paths) -> Result<Vec<Host>, Failure> {
    Ok(Setup::new(Scope::User, paths)?.installed())
}

/// Gives hosts the entry, as the command without further words would.
pub(super) fn give(hosts: &[Host], paths: &Paths, console: &mut Console) -> Result<u8, Failure> {
    let setup = Setup::new(Scope::User, paths)?;
    setup.go(hosts, &SetupArgs::default(), console)
}

/// What doctor needs to know of hosts: where they look, and what setup would write there.
pub(super) fn known(paths: &Paths) -> Result<Hosts, Failure> {
    let setup = Setup::new(Scope::User, paths)?;
    Ok(Hosts {
        around: setup.around,
        command: setup.command.into(),
        args: setup.args,
        backups: setup.backups,
    })
}

/// Gives one host its entry again, as setup would.
pub(super) fn again(host: Host, scope: Scope, paths: &Paths) -> Result<(), Failure> {
    let setup = Setup::new(scope, paths)?;
    let _lock = setup_lock(&setup.lock)?;
    let Plan { changes, .. } = Plan::new(&setup, host, Step::Put)?;
    if changes.is_empty() {
        return Ok(());
    }
    let (of, now) = (setup.of(host), SystemClock::new().now());
    let made = setup.backups.make(&of, now, Leaves::Entry, &changes);
    made.map(drop).map_err(|error| failure(&error))
}

/// Two of these at once would each write what the other does not know.
fn setup_lock(path: &Path) -> Result<FileLock, Failure> {
    let lock = FileLock::try_take(path);
    let lock = lock.map_err(|error| Failure::of(Code::DataFailed, &error))?;
    lock.ok_or_else(|| {
        let text = "another `chaperone setup` is at work; try again when it is done";
        Failure::new(Code::Busy, text)
    })
}

impl<'a> Setup<'a> {
    fn new(scope: Scope, paths: &'a Paths) -> Result<Self, Failure> {
        let homeless = |error: NoHome| Failure::of(Code::NoHome, &error);
        let dirs = AccountDirs::find().map_err(homeless)?;
        let variables = HostVariables::read();
        let program = std::env::current_exe().map_err(|error| Failure::of(Code::System, &error))?;
        let started_as = std::env::args_os()
            .next()
            .map_or(program.clone(), PathBuf::from);
        let command = program::stable(&program, &started_as, &variables.path);
        let fixed = config::data_dir(paths);
        let usual = Paths::find(None, None).map_err(homeless)?;
        let is_of_environment = fixed.is_none() && paths.data_dir != usual.data_dir;
        let data_dir = fixed.unwrap_or_else(|| paths.data_dir.clone());
        let paths_of_data = Paths {
            data_dir,
            ..paths.clone()
        };
        Ok(Self {
            scope,
            command: in_text(&command)?,
            args: arguments(paths, &usual)?,
            backups: Backups::new(paths_of_data.backups_dir()),
            lock: paths_of_data.lock("setup"),
            data_dir_of_environment: is_of_environment.then_some(&*paths.data_dir),
            paths,
            around: Surroundings {
                system: System::own(),
                home: dirs.home,
                config: dirs.config,
                local: dirs.local,
                claude: variables.claude,
                codex: variables.codex,
                path: variables.path,
                here: std::env::current_dir().map_err(|error| Failure::of(Code::System, &error))?,
            },
        })
    }

    /// One host after the other; one that cannot be changed keeps no other from it.
    fn go(&self, hosts: &[Host], args: &SetupArgs, console: &mut Console) -> Result<u8, Failure> {
        let _lock = if args.dry_run {
            None
        } else {
            Some(setup_lock(&self.lock)?)
        };
        let mut code = exit::DONE;
        for &host in hosts {
            let done = match Step::of(args) {
                Some(step) => self.change(host, step, args, console),
                None => self.undo(host, args, console),
            };
            if let Err(failure) = done {
                code = code.max(console.fail(&failure.about(host.title())));
            }
        }
        Ok(code)
    }

    fn change(
        &self,
        host: Host,
        step: Step,
        args: &SetupArgs,
        console: &mut Console,
    ) -> Result<(), Failure> {
        let plan = Plan::new(self, host, step)?;
        let Plan {
            changes,
            files,
            mut notes,
        } = plan;
        if !args.json {
            for change in &changes {
                console.say(&diff::unified(self, host, change))?;
            }
        }
        if !changes.is_empty() && is_running(host) {
            notes.push(warning(host));
        }
        let backup = if args.dry_run || changes.is_empty() {
            None
        } else {
            let now = SystemClock::new().now();
            let leaves = match step {
                Step::Put | Step::Import => Leaves::Entry,
                Step::Remove => Leaves::Nothing,
            };
            let made = self.backups.make(&self.of(host), now, leaves, &changes);
            Some(made.map_err(|error| failure(&error))?)
        };
        let done = Done {
            host: host.id(),
            files,
            changed: !changes.is_empty(),
            dry_run: args.dry_run,
            backup,
            notes,
        };
        self.report(host, &sentence(host, step, &done), &done, args, console)
    }

    fn undo(&self, host: Host, args: &SetupArgs, console: &mut Console) -> Result<(), Failure> {
        let way_back = match self.backups.way_back(&self.of(host)) {
            // Among all hosts those that were never changed are none to speak of.
            Err(BackupError::None(_)) if args.all => return Ok(()),
            other => other.map_err(|error| failure(&error))?,
        };
        if !args.json {
            for (file, before) in &way_back.steps {
                let before = before.as_deref().unwrap_or_default();
                console.say(&diff::between(self, host, file, before))?;
            }
        }
        if !args.dry_run {
            way_back.go().map_err(|error| failure(&error))?;
        }
        let files: Vec<PathBuf> = way_back
            .steps
            .iter()
            .map(|(file, _)| file.real.clone())
            .collect();
        let done = Done {
            host: host.id(),
            changed: !files.is_empty(),
            files,
            dry_run: args.dry_run,
            backup: Some(way_back.place),
            notes: Vec::new(),
        };
        let text = match (done.changed, args.dry_run) {
            (false, _) => format!("{}: nothing differs from before the change.", host.title()),
            (true, true) => format!("{}: this would bring back what was there.", host.title()),
            (true, false) => format!("{}: what was there is there again.", host.title()),
        };
        self.report(host, &text, &done, args, console)
    }

    fn installed(&self) -> Vec<Host> {
        let is_there = |host: &Host| {
            let mut found = crate::hosts::locations(*host, self.scope, &self.around).into_iter();
            found.any(|location| location.is_installed)
        };
        Host::ALL.into_iter().filter(is_there).collect()
    }

    /// What backups of a host are kept under.
    fn of(&self, host: Host) -> String {
        self.scope.name_of(host, &self.around)
    }
}

/// What follows the command: nothing, unless the configuration lies elsewhere than it usually does.
fn arguments(paths: &Paths, usual: &Paths) -> Result<Vec<Box<str>>, Failure> {
    if usual.config_file == paths.config_file {
        return Ok(Vec::new());
    }
    let file = in_text(&paths.config_file)?;
    Ok(vec!["serve".into(), "--config".into(), file.into()])
}

fn in_text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let text = format!(
            "{} is not UTF-8, which hosts' files must be",
            path.display()
        );
        Failure::new(Code::HostFile, text)
    })
}

fn failure(error: &BackupError) -> Failure {
    Failure::of(Code::HostFile, error)
}
