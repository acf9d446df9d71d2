//! The policy document as it lies on disk now.
//!
//! A changed file takes effect with the next request, without a restart of the host. One that does
//! not load refuses everything, with the reason, until it is mended.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::config::{self, ScopeNames, Trust};
use crate::policy::Policy;

/// The policy in force.
#[derive(Debug)]
pub(super) struct Rules {
    file: Option<(PathBuf, Trust)>,
    scopes: ScopeNames,
    loaded: Mutex<Option<Loaded>>,
}

#[derive(Debug, Clone)]
struct Loaded {
    stamp: Option<Stamp>,
    policy: Arc<Policy>,
}

/// Tells one state of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
}

impl Stamp {
    /// The state of a file now; `None` if there is none that can be looked at.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let meta = std::fs::metadata(file).ok()?;
        Some(Self {
            modified: meta.modified().ok(),
            size: meta.len(),
        })
    }
}

/// What a look at the file brought.
pub(super) struct InForce {
    pub(super) policy: Arc<Policy>,
    /// The document is another one than at the last look; with the reason if it does not load.
    pub(super) changed: Option<Result<(), Box<str>>>,
}

impl Rules {
    pub(super) fn new(file: Option<(PathBuf, Trust)>, scopes: ScopeNames) -> Self {
        Self {
            file,
            scopes,
            loaded: Mutex::new(None),
        }
    }

    /// Where the document is expected, for people.
    pub(super) fn place(&self) -> Box<str> {
        match &self.file {
            Some((file, _)) => file.display().to_string().into(),
            None => "(none configured)".into(),
        }
    }

    /// The policy of the file as it is now.
    pub(super) fn in_force(&self) -> InForce {
        let stamp = self.file.as_ref().and_then(|(file, _)| Stamp::of(file));
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = loaded.as_ref().filter(|known| known.stamp == stamp) {
            return InForce {
                policy: Arc::clone(&known.policy),
                changed: None,
            };
        }
        let read = self.read();
        let problem = read.as_ref().err().cloned();
        let policy = read.unwrap_or_else(|reason| Policy::refusing(&reason, self.scopes.clone()));
        let policy = Arc::new(policy);
        *loaded = Some(Loaded {
            stamp,
            policy: Arc::clone(&policy),
        });
        InForce {
            policy,
            changed: Some(problem.map_or(Ok(()), Err)),
        }
    }

    fn read(&self) -> Result<Policy, Box<str>> {
        let (file, trust) = self.file.as_ref().ok_or("no policy is configured")?;
        let place = file.display();
        let text = config::read_document(file, *trust)
            .map_err(|error| format!("the policy {place} cannot be read: {error}"))?;
        Policy::parse(&text, self.scopes.clone()).map_err(|error| {
            let problems = error.problems.iter();
            let lines: Vec<String> = problems
                .map(|at| format!("{place}:{}:{}: {}", at.line, at.column, at.message))
                .collect();
            format!("the policy does not load:\n{}", lines.join("\n")).into()
        })
    }
}
