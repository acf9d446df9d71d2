//! Tools that wait until somebody accepts their definitions (`pin_definitions`).
//!
//! What has been accepted lies in a file that all processes share; one of them that accepts something
//! is followed by the others at their next request. A file that cannot be read accepts nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::audit::{Definitions, Event};
use crate::catalog::pins::{self, Difference, Held, Pins};
use crate::catalog::{Lists, Tool};
use crate::format::{self, Newer};
use crate::lock::FileLock;
use crate::name::{ExposedName, ServerName};
use crate::paths;
use crate::policy::{Refusal, Rule, digest_of};
use crate::wording::chain;

use super::Gateway;
use super::rules::Stamp;

/// Grows when the file's shape changes; a newer one is left as it is, and nothing counts as accepted.
const VERSION: u32 = 1;
/// How many definitions one record names.
const NAMED: usize = 20;

/// The file, and which state of it the catalogue follows.
#[derive(Debug)]
pub(super) struct Pinning {
    /// `None` where definitions need nobody's consent.
    file: Option<PathBuf>,
    seen: Mutex<Option<Stamp>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    pins: Pins,
}

/// A tool that waits, for people and scripts.
#[derive(Debug, Serialize)]
pub struct Waiting {
    /// The name that hosts would see.
    pub name: Box<str>,
    /// The server.
    pub server: Box<str>,
    /// The server's own name for it.
    pub tool: Box<str>,
    /// `new` or `changed`.
    pub state: &'static str,
    /// What is other than accepted; the whole definition, where nothing was.
    pub differences: Vec<Difference>,
}

/// Which of the tools that wait are accepted.
#[derive(Debug, Clone, Copy)]
pub enum Chosen<'a> {
    /// All.
    All,
    /// Those of these names, or of the servers of these names.
    Named(&'a [Box<str>]),
}

/// Why nothing was accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// Definitions are not pinned.
    #[error(
        "definitions are not pinned; set pin_definitions = true under [tools] in the configuration"
    )]
    NotPinned,
    /// No tool of this name waits.
    #[error("nothing of the name {0:?} waits; `chaperone pins` lists what does")]
    Unknown(Box<str>),
    /// The file cannot be read or written.
    #[error("what is accepted cannot be kept in {0}")]
    File(Box<str>, #[source] io::Error),
}

impl Pinning {
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            seen: Mutex::default(),
        }
    }

    /// What is accepted now, if that is news.
    fn news(&self) -> Option<Pins> {
        let file = self.file.as_deref()?;
        let stamp = Stamp::of(file);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == stamp {
            return None;
        }
        *seen = stamp;
        drop(seen);
        Some(read(file).unwrap_or_else(|error| {
            let file = file.display();
            tracing::error!(%file, error = chain(&error), "what was accepted cannot be read");
            Pins::default()
        }))
    }
}

impl Gateway {
    /// Follows what another process has accepted.
    pub(super) fn follow_pins(&self) {
        if let Some(pins) = self.parts.pinning.news() {
            let changed = self.catalog(|catalog| catalog.hold_to(Arc::new(pins)));
            if changed.any() {
                self.tell_changed(changed);
            }
        }
    }

    /// The tools that wait for consent, and that the policy would let the person use. Waits for the
    /// servers no longer than `patience`.
    ///
    /// # Errors
    /// When definitions are not pinned.
    pub async fn waiting(&self, patience: Duration) -> Result<Vec<Waiting>, NotAccepted> {
        if self.parts.pinning.file.is_none() {
            return Err(NotAccepted::NotPinned);
        }
        let held = self.held_tools(patience).await;
        let pins = self.catalog(|catalog| catalog.pins());
        let waiting = held.into_iter().map(|(server, tool)| Waiting {
            server: server.as_str().into(),
            tool: tool.name.as_str().into(),
            state: tool.held.map_or("new", Held::as_str),
            differences: pins::differences(pins.accepted(&server, &tool), &tool.definition),
            name: tool.exposed.as_str().into(),
        });
        Ok(waiting.collect())
    }

    async fn held_tools(&self, patience: Duration) -> Vec<(ServerName, Tool)> {
        let deadline = Instant::now() + patience;
        let Some(viewer) = self.viewing_until(deadline).await else {
            return Vec::new();
        };
        self.await_all(deadline).await;
        self.catalog(|catalog| {
            let known = catalog.known();
            let of = |(server, lists): (&ServerName, &Lists)| {
                let tools = self.permitted(&viewer, server, lists).into_iter();
                let held = tools.filter(|tool| tool.held.is_some());
                let named = held.map(|tool| (server.clone(), tool.clone()));
                named.collect::<Vec<_>>()
            };
            known.flat_map(of).collect()
        })
    }

    /// Accepts the definitions of tools that wait, as they are now, and returns their names.
    ///
    /// # Errors
    /// When one is not among them, or it cannot be kept; then none is accepted.
    pub async fn accept(
        &self,
        chosen: Chosen<'_>,
        patience: Duration,
    ) -> Result<Vec<ExposedName>, NotAccepted> {
        let Some(file) = self.parts.pinning.file.clone() else {
            return Err(NotAccepted::NotPinned);
        };
        let mut held = self.held_tools(patience).await;
        if let Chosen::Named(names) = chosen {
            let is = |name: &str, (server, tool): &(ServerName, Tool)| {
                server.as_str() == name || tool.exposed.as_str() == name
            };
            for name in names {
                if !held.iter().any(|one| is(name, one)) {
                    return Err(NotAccepted::Unknown(name.clone()));
                }
            }
            held.retain(|one| names.iter().any(|name| is(name, one)));
        }
        let (lock, accepted) = (self.parts.paths.lock("pins"), held.clone());
        let place = file.display().to_string().into();
        let kept = self
            .parts
            .tasks
            .blocking(move || keep(&lock, &file, &accepted));
        kept.await
            .map_err(|error| NotAccepted::File(place, error))?;
        self.follow_pins();
        self.record_accepted(&held).await;
        Ok(held.into_iter().map(|(_, tool)| tool.exposed).collect())
    }

    async fn record_accepted(&self, held: &[(ServerName, Tool)]) {
        for tools in held.chunk_by(|(one, _), (other, _)| one == other) {
            let Some((server, _)) = tools.first() else {
                continue;
            };
            let which = tools.iter().map(|(_, tool)| named(None, tool)).collect();
            self.note(news(server.clone(), Definitions::Accepted, which))
                .await;
        }
    }

    /// Records that a server defines tools otherwise than before; opening the record may take long, and
    /// lists do not wait for it.
    pub(super) fn record_changed(&self, server: &ServerName, before: &Lists, after: &Lists) {
        let changed = |tool: &Tool| {
            let mut old = before.tools.iter();
            let old = old.find(|old| old.name == tool.name)?;
            (old.definition != tool.definition).then(|| named(Some(old), tool))
        };
        let which: Vec<String> = after.tools.iter().filter_map(changed).collect();
        if which.is_empty() {
            return;
        }
        let (gateway, server) = (self.clone(), server.clone());
        self.parts.recording.spawn(async move {
            gateway
                .note(news(server, Definitions::Changed, which))
                .await;
        });
    }
}

/// A tool with the digests of its definition and of the one before.
fn named(before: Option<&Tool>, tool: &Tool) -> String {
    let digest = |tool: &Tool| digest_of(tool.definition.get().as_bytes());
    let before = before.map(|before| format!(" in place of {}", digest(before)));
    let before = before.unwrap_or_default();
    format!("{}: {}{before}", tool.name.as_str(), digest(tool))
}

/// One record for all of them, which names as many as are easily read.
fn news(server: ServerName, what: Definitions, mut which: Vec<String>) -> Event {
    let more = which.len().saturating_sub(NAMED);
    which.truncate(NAMED);
    if more > 0 {
        which.push(format!("and {more} more"));
    }
    let which = which.join("; ").into();
    Event::Definitions {
        server,
        what,
        which,
    }
}

/// Why a tool that waits is refused.
pub(super) fn refusal(held: Held, exposed: &str) -> Refusal {
    let what = match held {
        Held::New => "its definition has not been accepted on this machine",
        Held::Changed => "its definition is not the one that was accepted",
    };
    let exposed = exposed.escape_debug();
    Refusal {
        policy: None,
        rule: Rule::Definition,
        message: format!(
            "The tool {exposed} was not used: {what}. `chaperone pins` shows what it says now; \
             `chaperone pins accept {exposed}` accepts that."
        )
        .into(),
    }
}

fn read(file: &Path) -> io::Result<Pins> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Pins::default()),
        Err(error) => return Err(error),
    };
    format::check(&text, VERSION)?;
    let stored: Stored = serde_json::from_slice(&text)?;
    Ok(stored.pins)
}

/// Whether a newer version keeps what was accepted; without a file, or one that can be read, nobody else
/// does.
///
/// # Errors
/// When it does.
pub fn look(file: &Path) -> Result<(), Newer> {
    let text = std::fs::read(file).unwrap_or_default();
    format::check(&text, VERSION)
}

/// Adds to the file; nobody else does meanwhile. One that cannot be read is left as it is.
fn keep(lock: &Path, file: &Path, accepted: &[(ServerName, Tool)]) -> io::Result<()> {
    let _held = FileLock::take(lock)?;
    let mut pins = read(file)?;
    for (server, tool) in accepted {
        pins.accept(server, tool);
    }
    let version = VERSION;
    paths::replace_private(file, &serde_json::to_vec(&Stored { version, pins })?)
}
