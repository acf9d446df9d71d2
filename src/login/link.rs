//! Where the sign-in that is under way can be continued, for all processes of the account.
//!
//! The process that holds the login lock writes it; without that lock the file means nothing.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::browser::Link;
use crate::clock::Timestamp;
use crate::paths::{self, Paths};

const SIZE_LIMIT: u64 = 64 * 1024;

/// `login-link.json`.
#[derive(Debug, Clone)]
pub(super) struct LinkFile {
    path: PathBuf,
}

/// What the sign-in has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// The person can go on here.
    Link(Url),
    /// It ended without a session, at this time; a sentence for the person.
    Failure { sentence: Box<str>, at: Timestamp },
    /// It ended with one, at this time.
    Success { at: Timestamp },
}

impl LinkFile {
    pub(super) fn new(paths: &Paths) -> Self {
        Self {
            path: paths.data_dir.join("login-link.json"),
        }
    }

    /// What was told last; a link that is not safe to open is not passed on.
    pub(super) fn read(&self) -> Option<Told> {
        let meta = fs::symlink_metadata(&self.path).ok()?;
        if meta.len() > SIZE_LIMIT || paths::check_private(&self.path, &meta).is_err() {
            return None;
        }
        let file = fs::read(&self.path).ok()?;
        match serde_json::from_slice(&file).ok()? {
            Document::Link { url, .. } => Link::try_from(&url).ok().map(|_| Told::Link(url)),
            Document::Failed { sentence, at } => Some(Told::Failure {
                sentence,
                at: Timestamp::from_millis(at),
            }),
            Document::SignedIn { at } => Some(Told::Success {
                at: Timestamp::from_millis(at),
            }),
        }
    }

    /// Tells everybody the link.
    pub(super) fn tell_link(&self, url: &Url, now: Timestamp) -> io::Result<()> {
        self.write(&Document::Link {
            url: url.clone(),
            started: now.millis(),
        })
    }

    /// Tells everybody who waits for a link why there is none.
    pub(super) fn tell_failure(&self, sentence: &str, now: Timestamp) -> io::Result<()> {
        self.write(&Document::Failed {
            sentence: sentence.into(),
            at: now.millis(),
        })
    }

    /// Tells everybody that nothing is left to do.
    pub(super) fn tell_success(&self, now: Timestamp) -> io::Result<()> {
        self.write(&Document::SignedIn { at: now.millis() })
    }

    /// Takes back what was told.
    pub(super) fn clear(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn write(&self, document: &Document) -> io::Result<()> {
        paths::replace_private(&self.path, &serde_json::to_vec(document)?)
    }
}

/// The file as JSON: a link is `{"url": ..., "started": ...}`.
#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Document {
    Link {
        url: Url,
        started: i64,
    },
    Failed {
        #[serde(rename = "failed")]
        sentence: Box<str>,
        at: i64,
    },
    SignedIn {
        #[serde(rename = "signed_in")]
        at: i64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_read_and_dangerous_links_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = LinkFile {
            path: dir.path().join("data/login-link.json"),
        };
        let now = Timestamp::from_millis(7);
        assert_eq!(file.read(), None);
        let url = Url::parse("https://sso.example.com/auth?state=x").unwrap();
        file.tell_link(&url, now).unwrap();
        assert_eq!(file.read(), Some(Told::Link(url)));
        file.tell_failure("the port is taken", now).unwrap();
        let sentence = "the port is taken".into();
        assert_eq!(file.read(), Some(Told::Failure { sentence, at: now }));
        file.tell_success(now).unwrap();
        assert_eq!(file.read(), Some(Told::Success { at: now }));
        let script = Url::parse("javascript:alert(1)").unwrap();
        file.tell_link(&script, now).unwrap();
        assert_eq!(file.read(), None);
        fs::write(&file.path, "{").unwrap();
        assert_eq!(file.read(), None);
        file.clear().unwrap();
        file.clear().unwrap();
    }
}
