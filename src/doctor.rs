//! Finds out what is wrong, and what to do about it: one check for each thing that has to be right.
//!
//! A check has an id that stays the same, a state, a detail and, where something can be done, a fix. Those
//! that touch the network, the keychain or a disk run beside each other, and each is given up after a
//! while: nothing that hangs makes this hang. Nothing is changed here, but for what every use of a server
//! brings along (a token that is fetched, the revision that is remembered). What [`repair`] changes is
//! safe to change, and is changed only when somebody asks for it.
//!
//! Deliberately absent: the gateway and the writer of the record. A damaged log or a policy that does not
//! load must not keep anybody from finding that out.

pub mod bundle;
mod clocks;
mod company;
mod copies;
mod disk;
mod files;
mod hosts;
mod leftovers;
mod network;
mod record;
pub mod repair;
mod scrub;
mod servers;
mod settings;
mod text;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::app::App;
use crate::codes::{Code, exit};
use crate::config::ProxyVariables;
use crate::name::ServerName;

pub use hosts::Hosts;
pub use repair::Repair;
pub use scrub::clean;
pub use text::line;

/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was not looked at, because something else is wrong.
    Skipped,
    /// It is right.
    Ok,
    /// It is right, and worth knowing.
    Note,
    /// It works, and not as well as it should.
    Warning,
    /// It does not work.
    Failed,
}

/// What was found of one thing.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What was looked at: the same in every version.
    pub id: Box<str>,
    /// How it is.
    pub state: State,
    /// What was found, in a sentence.
    pub detail: Box<str>,
    /// What to do.
    pub fix: Option<Box<str>>,
    /// What `chaperone help` explains.
    pub code: Option<Code>,
    /// What can be done about it without asking.
    #[serde(skip)]
    pub repair: Option<Repair>,
}

/// What stands around the program.
#[derive(Debug)]
pub struct Around {
    /// Where hosts look, and what setup would write there.
    pub hosts: Hosts,
    /// Proxies as the environment has them.
    pub proxies: ProxyVariables,
    /// This program.
    pub program: PathBuf,
    /// Where the system lists processes, if it does.
    pub processes: PathBuf,
    /// Whether the whole log is read.
    pub deep: bool,
}

impl State {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

impl Check {
    fn new(id: &str, state: State, detail: &str) -> Self {
        Self {
            id: id.into(),
            state,
            detail: clean(detail).into(),
            fix: None,
            code: None,
            repair: None,
        }
    }

    fn ok(id: &str, detail: &str) -> Self {
        Self::new(id, State::Ok, detail)
    }

    fn note(id: &str, detail: &str) -> Self {
        Self::new(id, State::Note, detail)
    }

    fn skipped(id: &str, why: &str) -> Self {
        Self::new(id, State::Skipped, why)
    }

    fn warning(id: &str, code: Code, detail: &str, fix: &str) -> Self {
        Self::new(id, State::Warning, detail).with(code, fix)
    }

    fn failed(id: &str, code: Code, detail: &str, fix: &str) -> Self {
        Self::new(id, State::Failed, detail).with(code, fix)
    }

    fn with(self, code: Code, fix: &str) -> Self {
        Self {
            fix: (!fix.is_empty()).then(|| clean(fix).into()),
            code: Some(code),
            ..self
        }
    }

    fn repaired_by(self, repair: Repair) -> Self {
        Self {
            repair: Some(repair),
            ..self
        }
    }
}

/// What was found of everything.
#[derive(Debug)]
pub struct Examination {
    /// The checks, in the order in which they are shown.
    pub checks: Vec<Check>,
    /// The names of the tools of each server that listed them.
    pub tools: Vec<(ServerName, Vec<Box<str>>)>,
}

/// Looks at everything.
pub async fn examine(app: &App, around: &Around) -> Examination {
    let settings = settings::look(app, around);
    let (reached, local, mut hosts, mut copies) = tokio::join!(
        network::look(app),
        record::look(app, around.deep),
        hosts::look(app, &around.hosts),
        copies::look(app, around),
    );
    let mut checks = settings;
    checks.extend(reached.checks);
    checks.append(&mut hosts);
    checks.extend(local);
    checks.append(&mut copies);
    let tools = reached.tools;
    Examination { checks, tools }
}

/// Looks at the way to others alone: certificates, clock, provider, keychain, session, servers.
pub async fn reach(app: &App) -> Vec<Check> {
    network::look(app).await.checks
}

/// How the command ends: by the worst of what was found. Of what failed, the record counts most, then
/// the settings, then the way to others, then the session, which may be missing because of those.
#[must_use]
pub fn exit_code(checks: &[Check]) -> u8 {
    let rank = [
        exit::NOT_INTACT,
        exit::USAGE,
        exit::UNREACHABLE,
        exit::NOT_SIGNED_IN,
    ];
    let failed = |check: &&Check| check.state == State::Failed;
    let codes: Vec<u8> = checks
        .iter()
        .filter(failed)
        .filter_map(|check| check.code.map(Code::exit))
        .collect();
    if let Some(code) = rank.into_iter().find(|code| codes.contains(code)) {
        return code;
    }
    match checks.iter().map(|check| check.state).max() {
        Some(State::Warning | State::Failed) => exit::FAILED,
        Some(State::Skipped | State::Ok | State::Note) | None => exit::DONE,
    }
}

/// What comes of something, unless it takes too long.
async fn within<T>(asked: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, asked).await.ok()
}

/// What is said of something that took too long.
fn silence() -> String {
    format!("no answer within {} seconds", PATIENCE.as_secs())
}

#[cfg(test)]
mod tests;
