//! What is known of the session without a network and without the keychain. It serves lists only: no
//! call is ever made on its word, and nothing in it is secret.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::vault::Contents;
use crate::clock::Timestamp;
use crate::config::IdentityConfig;
use crate::paths::{self, Paths};
use crate::principal::{Generation, Identity, Roles, Scopes};

/// How long lists are shown on the word of the last verified token: over a holiday, so that a host
/// that asks for its list once, at the start, has it before the first refresh is through.
const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
const SIZE_LIMIT: u64 = 1024 * 1024;

/// What is known without a network or a keychain: good for lists only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The person.
    pub identity: Identity,
    /// The roles at the last refresh.
    pub roles: Roles,
    /// Scopes by audience id.
    pub scopes: BTreeMap<Box<str>, Scopes>,
    /// The session.
    pub generation: Generation,
    /// When it is of no use any more.
    pub expires: Timestamp,
}

/// `session.json`.
#[derive(Debug, Clone)]
pub(super) struct SnapshotFile {
    path: PathBuf,
}

impl Snapshot {
    pub(super) fn of(contents: &Contents, now: Timestamp) -> Self {
        let tokens = contents.tokens.iter();
        Self {
            identity: contents.identity.clone(),
            roles: contents.roles.clone(),
            scopes: tokens
                .map(|(audience, token)| (audience.clone(), token.scopes.clone()))
                .collect(),
            generation: contents.generation,
            expires: now.after(LIFE),
        }
    }
}

impl SnapshotFile {
    pub(super) fn new(paths: &Paths) -> Self {
        Self {
            path: paths.data_dir.join("session.json"),
        }
    }

    /// The snapshot, if it is of this provider and not expired; an expired one is removed.
    pub(super) fn read(&self, identity: &IdentityConfig, now: Timestamp) -> Option<Snapshot> {
        let meta = fs::symlink_metadata(&self.path).ok()?;
        if meta.len() > SIZE_LIMIT || paths::check_private(&self.path, &meta).is_err() {
            return None;
        }
        let file = fs::read(&self.path).ok()?;
        let document: Document = serde_json::from_slice(&file).ok()?;
        let snapshot = document.snapshot(&identity.client_id)?;
        if snapshot.expires <= now {
            self.tidy();
            return None;
        }
        (snapshot.identity.issuer == identity.issuer).then_some(snapshot)
    }

    pub(super) fn write(&self, snapshot: &Snapshot, client_id: &str) -> io::Result<()> {
        let json = serde_json::to_vec(&Document::of(snapshot, client_id))?;
        paths::replace_private(&self.path, &json)
    }

    pub(super) fn delete(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// What is expired is refused whether or not it can be removed.
    fn tidy(&self) {
        if let Err(error) = self.delete() {
            tracing::debug!(%error, "the expired snapshot of the session cannot be removed");
        }
    }
}

/// The file as JSON.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    issuer: Box<str>,
    client_id: Box<str>,
    subject: Box<str>,
    email: Option<Box<str>>,
    roles: Vec<Box<str>>,
    scopes: BTreeMap<Box<str>, Vec<Box<str>>>,
    generation: u64,
    expires: Box<str>,
}

const VERSION: u32 = 1;

impl Document {
    fn of(snapshot: &Snapshot, client_id: &str) -> Self {
        let scopes = snapshot.scopes.iter().map(|(audience, scopes)| {
            let words = scopes.iter().map(Into::into).collect();
            (audience.clone(), words)
        });
        Self {
            version: VERSION,
            issuer: snapshot.identity.issuer.clone(),
            client_id: client_id.into(),
            subject: snapshot.identity.subject.clone(),
            email: snapshot.identity.email.clone(),
            roles: snapshot.roles.iter().map(Into::into).collect(),
            scopes: scopes.collect(),
            generation: snapshot.generation.0,
            expires: snapshot.expires.to_string().into(),
        }
    }

    fn snapshot(self, client_id: &str) -> Option<Snapshot> {
        if self.version != VERSION || *self.client_id != *client_id {
            return None;
        }
        let scopes = self.scopes.into_iter();
        Some(Snapshot {
            identity: Identity {
                issuer: self.issuer,
                subject: self.subject,
                email: self.email,
            },
            roles: self.roles.into_iter().collect(),
            scopes: scopes
                .map(|(audience, words)| (audience, words.into_iter().collect()))
                .collect(),
            generation: Generation(self.generation),
            expires: Timestamp::parse(&self.expires).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AudienceBy, ScopeNames};

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn identity(issuer: &str, client_id: &str) -> IdentityConfig {
        IdentityConfig {
            issuer: issuer.into(),
            client_id: client_id.into(),
            scopes: Vec::new(),
            roles_claim: Vec::new(),
            redirect_host: "127.0.0.1".into(),
            redirect_port: 0,
            audience_by: AudienceBy::None,
            scope_names: ScopeNames::default(),
            allow_unadvertised_pkce: false,
        }
    }

    #[test]
    fn a_snapshot_serves_its_provider_until_it_expires() {
        let dir = tempfile::tempdir().unwrap();
        let file = SnapshotFile {
            path: dir.path().join("data/session.json"),
        };
        let snapshot = Snapshot {
            identity: Identity {
                issuer: "https://sso".into(),
                subject: "alice".into(),
                email: None,
            },
            roles: ["developer"].into_iter().collect(),
            scopes: BTreeMap::from([("one".into(), ["a", "b"].into_iter().collect())]),
            generation: Generation(7),
            expires: NOW.after(LIFE),
        };
        let ours = identity("https://sso", "desktop");
        assert_eq!(file.read(&ours, NOW), None);
        file.write(&snapshot, "desktop").unwrap();
        assert_eq!(file.read(&ours, NOW), Some(snapshot.clone()));
        assert_eq!(file.read(&identity("https://other", "desktop"), NOW), None);
        assert_eq!(file.read(&identity("https://sso", "other"), NOW), None);
        assert_eq!(file.read(&ours, snapshot.expires), None);
        assert!(!file.path.exists());
        file.delete().unwrap();
    }

    #[test]
    fn a_file_that_is_none_is_no_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        let file = SnapshotFile {
            path: dir.path().join("session.json"),
        };
        for text in ["", "{", "{}", "[1]", r#"{"version":2}"#] {
            fs::write(&file.path, text).unwrap();
            assert_eq!(file.read(&identity("i", "c"), NOW), None, "{text}");
        }
    }
}
