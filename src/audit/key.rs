//! Custody of the log's two keys: the one that signs heads, and the one of the keyed digests that
//! redaction leaves behind.
//!
//! They lie in the system's keychain or, where there was none when the log was made, in a private
//! file beside it. The place is chosen once and written into the log. A key that is later missing
//! is never made anew: a new one would let the old heads be forgotten without a trace.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::login::keychain::{KeychainError, SecretStore};
use crate::paths;

/// The keychain's field of the Ed25519 seed.
pub const SEED_FIELD: &str = "audit.key";
/// The keychain's field of the key of digests.
pub const DIGEST_FIELD: &str = "audit.digest";
/// The keychain's field of the seed that takes the other's place as soon as the log says so.
const NEXT_FIELD: &str = "audit.key.next";
/// The file's name in the data directory.
const FILE: &str = "audit.key";
/// The name of the file that takes its place.
const NEXT_FILE: &str = "audit.key.next";
const KEY_BYTES: usize = 32;

/// Where the keys are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    /// The system's keychain.
    Keychain,
    /// A private file in the data directory.
    File,
}

impl KeyPlace {
    /// The word in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keychain => "keychain",
            Self::File => "file",
        }
    }

    /// Reads the word in the log.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Keychain, Self::File]
            .into_iter()
            .find(|place| place.as_str() == text)
    }
}

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The keychain refuses or is not there.
    #[error("the keychain that holds it cannot be used")]
    Keychain(#[from] KeychainError),
    /// The file cannot be read or written.
    #[error("its file {} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The log names a place where the key is not. It is not made anew in silence.
    #[error("it is no longer in the {}", .0.as_str())]
    Missing(KeyPlace),
    /// Something else is in its place.
    #[error("what the {} holds is not a key of 32 bytes", .0.as_str())]
    Malformed(KeyPlace),
    /// The key is not the one that the log was made with.
    #[error("the {} holds another log's key", .0.as_str())]
    Other(KeyPlace),
    /// The keychain took a key and does not give it back.
    #[error("the keychain does not return what it was given")]
    Lost,
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// Nobody answered; perhaps the keychain asks the person for a password.
    #[error("the keychain has not answered yet; it may be waiting for you to unlock it")]
    Pending,
    /// The helper that waits for the keychain could not be started.
    #[error("no thread can be started to ask the keychain")]
    Thread(#[source] io::Error),
    /// Another process is making the log at this moment.
    #[error("another process is creating it")]
    Busy,
}

/// The keys of a log.
pub struct Keys {
    /// Signs heads.
    pub signing: SigningKey,
    /// Keys the digests of what redaction took out.
    pub digest: Zeroizing<[u8; KEY_BYTES]>,
    /// Where they are kept.
    pub place: KeyPlace,
}

impl Keys {
    /// Whether heads of the log with this public key are signed with these.
    #[must_use]
    pub fn sign_for(&self, public: &[u8]) -> bool {
        self.signing.verifying_key().as_bytes() == public
    }
}

/// Without the keys.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// Reads the keys from the place that the log names.
///
/// # Errors
/// When they are not there; nothing is made.
pub fn load(place: KeyPlace, dir: &Path, secrets: &dyn SecretStore) -> Result<Keys, KeyError> {
    let pair = match place {
        KeyPlace::Keychain => from_keychain(secrets)?,
        KeyPlace::File => from_file(&dir.join(FILE))?,
    };
    match pair {
        (Some(seed), Some(digest)) => Ok(keys(place, &seed, digest)),
        _ => Err(KeyError::Missing(place)),
    }
}

/// Reads the keys of the log with this public key. Where a change of the key was interrupted after the
/// log had said so, it is completed.
///
/// # Errors
/// When they are not there; nothing is made.
pub fn load_for(
    public: &[u8],
    place: KeyPlace,
    dir: &Path,
    secrets: &dyn SecretStore,
) -> Result<Keys, KeyError> {
    let keys = load(place, dir, secrets)?;
    if keys.sign_for(public) {
        return Ok(keys);
    }
    let next = match place {
        KeyPlace::Keychain => read(secrets, NEXT_FIELD)?,
        KeyPlace::File => from_file(&dir.join(NEXT_FILE))?.0,
    };
    let next = next.map(|seed| self::keys(place, &seed, keys.digest.clone()));
    match next.filter(|next| next.sign_for(public)) {
        Some(next) => {
            adopt(&next, dir, secrets)?;
            Ok(next)
        }
        None => Ok(keys),
    }
}

/// Makes another signing key and keeps it beside the one in use.
///
/// # Errors
/// When it cannot be kept.
pub fn prepare(current: &Keys, dir: &Path, secrets: &dyn SecretStore) -> Result<Keys, KeyError> {
    let (place, seed) = (current.place, fresh()?);
    match place {
        KeyPlace::Keychain => {
            secrets.write(NEXT_FIELD, seed.as_slice())?;
            if read(secrets, NEXT_FIELD)?.as_deref() != Some(&*seed) {
                return Err(KeyError::Lost);
            }
        }
        KeyPlace::File => write_file(&dir.join(NEXT_FILE), &seed, &current.digest)?,
    }
    Ok(keys(place, &seed, current.digest.clone()))
}

/// Puts the prepared key in the place of the one in use; the old one is gone then.
///
/// # Errors
/// When it cannot be kept there; [`load_for`] completes it.
pub fn adopt(next: &Keys, dir: &Path, secrets: &dyn SecretStore) -> Result<(), KeyError> {
    let seed = Zeroizing::new(next.signing.to_bytes());
    match next.place {
        KeyPlace::Keychain => {
            secrets.write(SEED_FIELD, seed.as_slice())?;
            secrets.delete(NEXT_FIELD)?;
        }
        KeyPlace::File => {
            write_file(&dir.join(FILE), &seed, &next.digest)?;
            let path = dir.join(NEXT_FILE);
            fs::remove_file(&path).map_err(|cause| KeyError::File { path, cause })?;
        }
    }
    Ok(())
}

/// Makes the keys of a new log, or takes over those that an earlier log left; says why they are in
/// a file if they are. The caller holds the lock `audit-key`.
///
/// # Errors
/// When neither place can keep them.
pub fn create(
    dir: &Path,
    secrets: &dyn SecretStore,
) -> Result<(Keys, Option<KeychainError>), KeyError> {
    match secrets.probe() {
        Ok(()) => Ok((create_in_keychain(secrets)?, None)),
        Err(why) => Ok((create_in_file(&dir.join(FILE))?, Some(why))),
    }
}

type Key = Zeroizing<[u8; KEY_BYTES]>;
type Pair = (Option<Key>, Option<Key>);

fn keys(place: KeyPlace, seed: &Key, digest: Key) -> Keys {
    Keys {
        signing: SigningKey::from_bytes(seed),
        digest,
        place,
    }
}

fn from_keychain(secrets: &dyn SecretStore) -> Result<Pair, KeyError> {
    Ok((read(secrets, SEED_FIELD)?, read(secrets, DIGEST_FIELD)?))
}

fn read(secrets: &dyn SecretStore, field: &str) -> Result<Option<Key>, KeyError> {
    let Some(bytes) = secrets.read(field)? else {
        return Ok(None);
    };
    let key: Option<[u8; KEY_BYTES]> = bytes.as_slice().try_into().ok();
    let key = key.ok_or(KeyError::Malformed(KeyPlace::Keychain))?;
    Ok(Some(Zeroizing::new(key)))
}

fn create_in_keychain(secrets: &dyn SecretStore) -> Result<Keys, KeyError> {
    let (seed, digest) = from_keychain(secrets)?;
    for (field, key) in [(SEED_FIELD, seed), (DIGEST_FIELD, digest)] {
        if key.is_none() {
            secrets.write(field, fresh()?.as_slice())?;
        }
    }
    match from_keychain(secrets)? {
        (Some(seed), Some(digest)) => Ok(keys(KeyPlace::Keychain, &seed, digest)),
        _ => Err(KeyError::Lost),
    }
}

/// The file holds both keys, one after the other.
fn from_file(path: &Path) -> Result<Pair, KeyError> {
    let fail = |cause| KeyError::File {
        path: path.into(),
        cause,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, None)),
        other => other.map_err(fail)?,
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * KEY_BYTES + 1));
    let file = paths::open_private(path).map_err(fail)?;
    let limit = u64::try_from(bytes.capacity()).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes).map_err(fail)?;
    let (halves, rest) = bytes.as_chunks::<KEY_BYTES>();
    let ([seed, digest], []) = (halves, rest) else {
        return Err(KeyError::Malformed(KeyPlace::File));
    };
    Ok((Some(Zeroizing::new(*seed)), Some(Zeroizing::new(*digest))))
}

fn create_in_file(path: &Path) -> Result<Keys, KeyError> {
    if let (Some(seed), Some(digest)) = from_file(path)? {
        return Ok(keys(KeyPlace::File, &seed, digest));
    }
    let (seed, digest) = (fresh()?, fresh()?);
    write_file(path, &seed, &digest)?;
    Ok(keys(KeyPlace::File, &seed, digest))
}

fn write_file(path: &Path, seed: &Key, digest: &Key) -> Result<(), KeyError> {
    let both = Zeroizing::new([**seed, **digest].concat());
    paths::replace_private(path, &both).map_err(|cause| KeyError::File {
        path: path.into(),
        cause,
    })
}

fn fresh() -> Result<Key, KeyError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(key.as_mut_slice()).map_err(KeyError::Random)?;
    Ok(key)
}
