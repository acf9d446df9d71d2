//! The catalogue on disk, so that a first list is complete before any server has answered.
//!
//! One file for each person and server. What is in it was fetched with that person's token, so it
//! is never shown to another; what the policy leaves of it is decided when it is shown.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::name::ServerName;
use crate::paths;
use crate::principal::Identity;

use super::RawLists;

/// Grows when the file's shape changes; other versions are ignored.
const VERSION: u32 = 1;
/// A larger file is not one of ours.
const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

/// The cache of one person.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored<L> {
    version: u32,
    url: String,
    lists: L,
}

impl Cache {
    /// The person's part of the cache under `root`.
    #[must_use]
    pub fn of(root: &Path, person: &Identity) -> Self {
        let digest = Sha256::new()
            .chain_update(&*person.issuer)
            .chain_update([0]);
        let digest = digest.chain_update(&*person.subject).finalize();
        let name: Vec<String> = digest
            .iter()
            .take(12)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            dir: root.join(name.concat()),
        }
    }

    /// What was kept of a server; `None` if there is nothing that fits this version and address.
    #[must_use]
    pub fn load(&self, server: &ServerName, url: &str) -> Option<RawLists> {
        let path = self.path(server);
        let meta = std::fs::symlink_metadata(&path).ok()?;
        if !meta.is_file() || meta.len() > SIZE_LIMIT {
            return None;
        }
        let stored: Stored<RawLists> = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (stored.version == VERSION && stored.url == url).then_some(stored.lists)
    }

    /// Keeps what a server offers.
    ///
    /// # Errors
    /// What the system says; the caller goes on without a cache.
    pub fn store(&self, server: &ServerName, url: &str, lists: &RawLists) -> io::Result<()> {
        let stored = Stored {
            version: VERSION,
            url: url.to_owned(),
            lists,
        };
        paths::replace_private(&self.path(server), &serde_json::to_vec(&stored)?)
    }

    fn path(&self, server: &ServerName) -> PathBuf {
        self.dir.join(format!("{server}.json"))
    }
}
