//! The hosts: whether each that is installed starts this program, and whether one has lost its entry.

use std::fs;
use std::path::{Path, PathBuf};

use super::repair::Repair;
use super::{Check, State, within};
use crate::app::App;
use crate::codes::Code;
use crate::hosts::backup::{Backups, Last, Leaves};
use crate::hosts::{
    Host, HostFile, Location, Scope, Standing, Surroundings, edit, is_running, locations, standing,
    writes_back,
};
use crate::wording::chain;

/// Where hosts look, and what setup would write there.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// What decides where hosts look.
    pub around: Surroundings,
    /// The program that an entry starts.
    pub command: Box<str>,
    /// With these arguments.
    pub args: Vec<Box<str>>,
    /// What setup has done.
    pub backups: Backups,
}

/// One check for each host that is installed, or that chaperone was set up in, and one for each whose
/// configuration of the project here has chaperone, or had it.
pub(super) async fn look(app: &App, hosts: &Hosts) -> Vec<Check> {
    let theirs = hosts.clone();
    let looked = app.tasks.blocking(move || {
        let everywhere = Host::ALL.into_iter().filter_map(|host| theirs.host(host));
        let here = Host::ALL
            .into_iter()
            .filter_map(|host| theirs.project(host));
        everywhere.chain(here).collect::<Vec<_>>()
    });
    let checks = within(looked).await.unwrap_or_default();
    let is_in = |check: &Check| check.code != Some(Code::HostAbsent);
    if checks.iter().any(is_in) {
        return checks;
    }
    let detail = "no host that is known here starts chaperone";
    let fix = "chaperone setup --list, then chaperone setup HOST";
    let none = Check::warning("host.any", Code::HostAbsent, detail, fix);
    checks.into_iter().chain([none]).collect()
}

impl Hosts {
    fn host(&self, host: Host) -> Option<Check> {
        let last = self.backups.last(host.id());
        let known = |location: &Location| {
            location.is_installed || last.as_ref().is_some_and(|last| last.names(location))
        };
        let places = locations(host, Scope::User, &self.around);
        let places = places.into_iter().filter(known);
        // Of several files the one that is worst off is shown.
        places
            .map(|location| self.file(&Place(host, Scope::User), &location, last.as_ref()))
            .max_by_key(|check| check.state)
    }

    /// Most projects have no entry of their own, and of those there is nothing to say.
    fn project(&self, host: Host) -> Option<Check> {
        let location = locations(host, Scope::Project, &self.around).pop()?;
        let of_account = locations(host, Scope::User, &self.around);
        if of_account.iter().any(|other| other.file == location.file) {
            return None;
        }
        let name = Scope::Project.name_of(host, &self.around);
        let last = self.backups.last(&name);
        let check = self.file(&Place(host, Scope::Project), &location, last.as_ref());
        Some(check)
            .filter(|check| check.state != State::Note || check.code != Some(Code::HostAbsent))
    }

    fn file(&self, place: &Place, location: &Location, last: Option<&Last>) -> Check {
        let (host, id, again) = (place.0, place.id(), place.again());
        let path = location.file.display();
        let unreadable = |why: &str| {
            let fix = "mend the file; nothing was changed";
            Check::failed(&id, Code::HostFile, why, fix)
        };
        let file = match HostFile::read(location) {
            Ok(file) => file,
            Err(error) => return unreadable(&chain(&error)),
        };
        let servers = match edit::servers(file.content(), host.dialect()) {
            Ok(servers) => servers,
            Err(unfit) => {
                let at = unfit.place;
                return unreadable(&format!("{path}:{}:{}: {unfit}", at.line, at.column));
            }
        };
        let had_it = last
            .is_some_and(|last| last.leaves == Leaves::Entry && last.files.contains(&file.real));
        match standing(&servers, &host.entry(&self.command, &self.args)) {
            Standing::Present => Check::ok(&id, &format!("{path} starts this program")),
            Standing::Off => {
                let detail = format!("{path} has chaperone turned off (\"disabled\")");
                Check::warning(&id, Code::HostAbsent, &detail, "turn it on there")
            }
            Standing::Taken => {
                let detail = format!("{path} has another program called \"chaperone\"");
                Check::failed(&id, Code::HostFile, &detail, "rename it there")
            }
            Standing::Absent if had_it => wiped(place, &file),
            Standing::Absent => {
                let detail = format!("{path} does not have chaperone");
                Check::note(&id, &detail).with(Code::HostAbsent, &again)
            }
            Standing::Differs(command) => {
                let found = Started::of(&command, &self.command);
                found.check(place, &format!("{path} starts {command}"))
            }
        }
    }
}

impl Last {
    fn names(&self, location: &Location) -> bool {
        let real = fs::canonicalize(&location.file);
        let real = real.as_ref().unwrap_or(&location.file);
        self.files.iter().any(|file| file == real)
    }
}

/// A host's configuration, for the account or for the project here.
struct Place(Host, Scope);

impl Place {
    fn id(&self) -> String {
        match self.1 {
            Scope::User => format!("host.{}", self.0.id()),
            Scope::Project => format!("host.{}.project", self.0.id()),
        }
    }

    fn again(&self) -> String {
        match self.1 {
            Scope::User => format!("chaperone setup {}", self.0.id()),
            Scope::Project => format!("chaperone setup {} --scope project", self.0.id()),
        }
    }

    fn repair(&self) -> Repair {
        Repair::Host(self.0, self.1)
    }
}

fn wiped(place: &Place, file: &HostFile) -> Check {
    let host = place.0;
    let path = file.path.display();
    let lost = if file.bytes.is_some() {
        "has lost the entry that setup wrote"
    } else {
        "is gone, with the entry that setup wrote"
    };
    let quit = if writes_back(host) && is_running(host) {
        format!("quit {}, then ", host.title())
    } else {
        String::new()
    };
    let fix = format!("{quit}chaperone doctor --fix");
    let detail = format!("{path} {lost}");
    Check::failed(&place.id(), Code::HostWiped, &detail, &fix).repaired_by(place.repair())
}

/// What an entry starts that is not as setup would write it.
enum Started {
    /// Nothing: there is no such file.
    Nothing,
    /// Whatever has the name on the host's own search path.
    ByName,
    /// This program, with other arguments.
    Same,
    /// Another copy.
    Other,
}

impl Started {
    fn of(command: &str, own: &str) -> Self {
        let (path, own) = (Path::new(command), Path::new(own));
        let real = |path: &Path| -> Option<PathBuf> { fs::canonicalize(path).ok() };
        match real(path) {
            _ if !path.is_absolute() => Self::ByName,
            None => Self::Nothing,
            found if found == real(own) => Self::Same,
            Some(_) => Self::Other,
        }
    }

    fn check(&self, place: &Place, starts: &str) -> Check {
        let (id, again) = (&place.id(), &place.again());
        match self {
            Self::Nothing => {
                let detail = format!("{starts}, which is not there");
                Check::failed(id, Code::HostStale, &detail, "chaperone doctor --fix")
                    .repaired_by(place.repair())
            }
            Self::ByName => {
                let detail = format!("{starts} by its name; hosts may search elsewhere than you");
                Check::note(id, &detail).with(Code::HostStale, again)
            }
            Self::Same => {
                let detail = format!("{starts} with other arguments than setup writes");
                Check::note(id, &detail).with(Code::HostStale, again)
            }
            Self::Other => {
                let detail = format!("{starts}, which is another copy than this");
                Check::warning(id, Code::HostStale, &detail, again)
            }
        }
    }
}
