//! The system's own keychain: Secret Service, Keychain Services or Credential Manager.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use keyring::Entry;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::worker::{NoAnswer, Worker};
use super::{Hex, KeychainError, PATIENCE, SECRET_LIMIT, SecretStore};
use crate::paths;

/// The name under which the system lists the entries.
const SERVICE: &str = "chaperone";
/// Enough of the digest to tell one account's data directories apart.
const SCOPE_BYTES: usize = 8;

/// The keychain of this account. Entries belong to one data directory, so that two directories
/// never share a session. Touches nothing until asked.
///
/// `keyring` decides once in a process whether there is a keychain: one that is started later is
/// seen by the next process.
#[derive(Debug)]
pub struct OsKeychain {
    data_dir: PathBuf,
    worker: Worker,
}

impl OsKeychain {
    /// The entries of one data directory.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            worker: Worker::new(PATIENCE),
        }
    }

    fn on_entry<T: Send + 'static>(
        &self,
        field: &str,
        work: impl FnOnce(&Entry) -> Result<T, keyring::Error> + Send + 'static,
    ) -> Result<T, KeychainError> {
        let (data_dir, field) = (self.data_dir.clone(), Box::<str>::from(field));
        let answer = self.worker.run(move || {
            let user = format!("{}/{field}", scope(&data_dir).map_err(failed)?);
            Entry::new(SERVICE, &user)
                .and_then(|entry| work(&entry))
                .map_err(sorted)
        });
        answer.unwrap_or_else(|error| match error {
            NoAnswer::TimedOut => Err(KeychainError::Silent(PATIENCE.as_secs())),
            NoAnswer::Gone => Err(KeychainError::Failed(error.into())),
        })
    }
}

impl SecretStore for OsKeychain {
    fn read(&self, field: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        self.on_entry(field, |entry| match entry.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn write(&self, field: &str, secret: &[u8]) -> Result<(), KeychainError> {
        if secret.len() > SECRET_LIMIT {
            return Err(KeychainError::TooLong {
                limit: SECRET_LIMIT,
            });
        }
        let secret = Zeroizing::new(secret.to_vec());
        self.on_entry(field, move |entry| entry.set_secret(&secret))
    }

    fn delete(&self, field: &str) -> Result<(), KeychainError> {
        self.on_entry(field, |entry| match entry.delete_credential() {
            Err(keyring::Error::NoEntry) => Ok(()),
            // Several entries of one name, however they came about, are all of them ours.
            Err(keyring::Error::Ambiguous(entries)) => {
                for entry in &entries {
                    entry.delete_credential()?;
                }
                Ok(())
            }
            other => other,
        })
    }
}

/// Names the data directory, however it is spelled.
fn scope(data_dir: &Path) -> io::Result<String> {
    paths::private_dir(data_dir)?;
    let path = data_dir.canonicalize()?;
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    Ok(Hex(&digest[..SCOPE_BYTES]).to_string())
}

fn failed(error: io::Error) -> KeychainError {
    KeychainError::Failed(error.into())
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's errors may grow, and the rest is all the same here"
)]
/// Sorts what the library says. Errors that carry what was read lose it here.
fn sorted(error: keyring::Error) -> KeychainError {
    match error {
        keyring::Error::NoDefaultStore => KeychainError::Absent(Box::new(NoStore)),
        keyring::Error::NoStorageAccess(source) => KeychainError::Locked(source),
        keyring::Error::TooLong(_, limit) => KeychainError::TooLong {
            limit: usize::try_from(limit).unwrap_or(SECRET_LIMIT),
        },
        keyring::Error::BadEncoding(read) => {
            drop(Zeroizing::new(read));
            KeychainError::Forgetful
        }
        keyring::Error::BadDataFormat(read, source) => {
            drop(Zeroizing::new(read));
            KeychainError::Failed(source)
        }
        other => KeychainError::Failed(other.into()),
    }
}

/// Why the library found no keychain; it says so once in a process.
#[derive(Debug)]
struct NoStore;

impl fmt::Display for NoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Entry::store_status() {
            Err(error) => error.fmt(f),
            Ok(()) => f.write_str("no keychain was set up"),
        }
    }
}

impl Error for NoStore {}
