//! The operating system's keychain, and the one place that touches it.
//!
//! A keychain may show a dialogue and wait for the person, so every call runs on one thread of its
//! own, one after the other, and is given up after a while. Nothing is ever kept anywhere else
//! instead: where the keychain fails, callers say so or keep the secret in memory.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::codes::Code;
use crate::format::Newer;

mod memory;
mod os;
#[cfg(test)]
mod tests;
mod worker;

pub use memory::MemoryStore;
pub use os::OsKeychain;

/// The longest secret of one entry: Windows keeps 2560 bytes, less some for other stores' framing.
pub const SECRET_LIMIT: usize = 2400;
/// How long a call may take; the person may be looking at a dialogue.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Where secrets are kept: one field per entry, bytes, at most [`SECRET_LIMIT`] each.
///
/// Methods block (callers run them where that is allowed) but never for longer than [`PATIENCE`].
pub trait SecretStore: Send + Sync {
    /// The secret, or `None` if there is none.
    fn read(&self, field: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError>;
    /// Sets the secret.
    fn write(&self, field: &str, secret: &[u8]) -> Result<(), KeychainError>;
    /// Removes it; absent is fine.
    fn delete(&self, field: &str) -> Result<(), KeychainError>;
    /// Whether secrets can be kept, by writing, reading and deleting one.
    ///
    /// That a read finds nothing is no proof: a keychain without a collection says the same.
    fn probe(&self) -> Result<(), KeychainError> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| KeychainError::Failed(error.into()))?;
        let (name, value) = random.split_at(8);
        // The name differs each time: some keychains turn two first writes of one name, which two
        // processes may make at once, into two entries that cannot be told apart.
        let field = format!("probe.{}", Hex(name));
        self.write(&field, value)?;
        let found = self.read(&field);
        self.delete(&field)?;
        match found? {
            Some(found) if *found == *value => Ok(()),
            Some(_) | None => Err(KeychainError::Forgetful),
        }
    }
}

/// Why the keychain cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeychainError {
    /// Nothing on this machine, or in this session, keeps secrets.
    #[error("this session has no keychain service")]
    Absent(#[source] Box<dyn Error + Send + Sync>),
    /// It is there, and this process may not use it now.
    #[error("the keychain is locked or access to it was denied")]
    Locked(#[source] Box<dyn Error + Send + Sync>),
    /// It waits for somebody.
    #[error("the keychain did not answer within {0} seconds")]
    Silent(u64),
    /// It takes secrets and does not give them back.
    #[error("the keychain did not give back what was written to it")]
    Forgetful,
    /// The secret does not fit.
    #[error("the keychain takes secrets of at most {limit} bytes")]
    TooLong {
        /// How much it takes.
        limit: usize,
    },
    /// It keeps something that this version does not know.
    #[error("a newer version of chaperone keeps {what} in the keychain")]
    Newer {
        /// What it is, for people.
        what: &'static str,
        /// Its format.
        #[source]
        cause: Newer,
    },
    /// Anything else.
    #[error("the keychain failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl KeychainError {
    /// The code that names it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Absent(_) => Code::KeychainAbsent,
            Self::Locked(_) | Self::Silent(_) => Code::KeychainLocked,
            Self::Forgetful | Self::TooLong { .. } | Self::Failed(_) => Code::KeychainFailed,
            Self::Newer { .. } => Code::VersionNewer,
        }
    }

    /// What the person can do about it.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Absent(_) => {
                "Start a keychain service (GNOME Keyring or KWallet; on a server, inside the \
                 session's D-Bus), then start chaperone again; until then a sign-in lasts as long \
                 as the process that made it."
            }
            Self::Locked(_) => "Unlock the keychain or allow chaperone to use it, then try again.",
            Self::Silent(_) => "The keychain may be showing a dialogue: answer it, then try again.",
            Self::Forgetful => "Give the keychain a default collection to keep secrets in.",
            Self::Newer { .. } => {
                "Install the newer version of chaperone again, or start the host again if it is \
                 installed. To go on with this version, run `chaperone logout`, which ends that \
                 session here, then `chaperone login`."
            }
            Self::TooLong { .. } | Self::Failed(_) => {
                "Look at the keychain's own log, then try again."
            }
        }
    }
}

/// Bytes in lower-case hexadecimal.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
