//! The keychain's memory of the newest head that is on disk.
//!
//! It is what notices that an older copy of the log was put in its place. It is written at most
//! once a minute, only for a head that the disk has, and never lowered. The log notes each head
//! that goes into the keychain beforehand: a log that does not know the keychain's mark is not the
//! one that the mark was made for (an older copy that has grown again, say), and then the mark
//! stays as it is, for a verifier to find.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::Checkpoint;
use super::key::KeyError;
use super::tree::{Hash, Head};
use crate::format;
use crate::login::keychain::{KeychainError, SecretStore};

/// The keychain's field.
pub const FIELD: &str = "audit.mark";

/// What a log's origin consists of, before its identity.
pub const ORIGIN: &str = "chaperone/audit/";

/// Grows when the mark changes its shape.
const VERSION: u32 = 1;

/// A head of a log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Its format; absent in the first ones.
    #[serde(default)]
    version: u32,
    /// Which log.
    pub log_id: Box<str>,
    /// How many records it had.
    pub size: u64,
    /// Their root, in base64 as in a checkpoint.
    pub root: Box<str>,
}

impl Mark {
    /// The mark for a head.
    #[must_use]
    pub fn new(log_id: &str, head: Head) -> Self {
        Self {
            version: VERSION,
            log_id: log_id.into(),
            size: head.size,
            root: STANDARD.encode(head.root).into(),
        }
    }

    /// The head, if the root is one.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        let root = Hash::try_from(STANDARD.decode(&*self.root).ok()?).ok()?;
        Some(Head {
            size: self.size,
            root,
        })
    }

    /// The mark as a verifier compares it with a log.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        Some(Checkpoint {
            origin: format!("{ORIGIN}{}", self.log_id).into(),
            head: self.head()?,
        })
    }

    /// Whether this mark may take the place of `old`, of which the log says whether it knows it.
    #[must_use]
    pub fn replaces(&self, old: Option<&Self>, knows: impl FnOnce(Head) -> bool) -> bool {
        match old {
            None => true,
            // Another log's: this one tells in its first record that it found it.
            Some(old) if old.log_id != self.log_id => true,
            Some(old) => old.size < self.size && old.head().is_some_and(knows),
        }
    }
}

/// Reads the mark; one that is no mark counts as none, but for what a newer version has written.
///
/// # Errors
/// What the keychain says.
pub fn read(secrets: &dyn SecretStore) -> Result<Option<Mark>, KeychainError> {
    let Some(bytes) = secrets.read(FIELD)? else {
        return Ok(None);
    };
    let what = "what it remembers of the audit log";
    let newer = |cause| KeychainError::Newer { what, cause };
    format::check(&bytes, VERSION).map_err(newer)?;
    Ok(serde_json::from_slice(&bytes).ok())
}

/// Writes the mark.
///
/// # Errors
/// What the keychain says.
pub fn write(secrets: &dyn SecretStore, mark: &Mark) -> Result<(), KeyError> {
    let text = serde_json::to_vec(mark).unwrap_or_default();
    Ok(secrets.write(FIELD, &text)?)
}
