//! Signing out.
//!
//! The order is the caller's: end the session in the record, so that no process sends any more;
//! revoke it at the provider; forget it here. The refresh lock is held from the first look to the
//! last removal, so that no refresh brings back what is being removed.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use super::Session;
use super::fields::Who;
use super::keychain::KeychainError;
use super::provider::{ClientError, ProviderError, RefreshToken};
use super::shared::{Held, Place, Shared, Standing};
use super::waiting::{self, LockError};
use crate::lock::FileLock;

/// A refresh under way may take half a minute.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// A session that is being left. Nobody can refresh it; dropping this keeps it.
pub struct Leaving {
    shared: Arc<Shared>,
    held: Arc<Held>,
    token: Option<RefreshToken>,
    _lock: Option<FileLock>,
    _turn: OwnedMutexGuard<()>,
}

impl fmt::Debug for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Leaving").field(self.who()).finish()
    }
}

/// Why the session cannot be left.
#[derive(Debug, thiserror::Error)]
pub enum LeaveError {
    /// The keychain does not say or does not forget.
    #[error("the keychain cannot be used")]
    Keychain(#[from] KeychainError),
    /// Another process does not let go of the session.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The files beside the keychain cannot be removed.
    #[error("the session's files cannot be removed")]
    Files(#[source] io::Error),
}

/// Why the provider was not told, or did not listen.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// What the provider says.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The network settings are unusable.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Session {
    /// Begins to sign out; `None` when nobody is signed in.
    pub async fn leave(&self) -> Result<Option<Leaving>, LeaveError> {
        let shared = &self.shared;
        let turn = Arc::clone(&shared.turn).lock_owned().await;
        let (held, lock) = match shared.standing() {
            Standing::Somebody(held) if matches!(held.place, Place::Memory { .. }) => (held, None),
            Standing::Somebody(_) | Standing::Nobody(_) | Standing::Unread => {
                let path = shared.paths.lock("refresh");
                let lock = waiting::lock(path, LOCK_PATIENCE, &shared.tasks).await?;
                let theirs = Arc::clone(shared);
                match shared.tasks.blocking(move || theirs.read()).await? {
                    Standing::Somebody(held) => (held, Some(lock)),
                    nobody @ (Standing::Nobody(_) | Standing::Unread) => {
                        shared.publish(nobody);
                        return Ok(None);
                    }
                }
            }
        };
        let (fields, generation) = (held.fields(shared), held.who.generation);
        let read = move || fields.refresh_token(generation);
        let stored = shared.tasks.blocking(read).await?;
        let unsaved = shared.unsaved(generation).map(|unsaved| unsaved.token);
        Ok(Some(Leaving {
            shared: Arc::clone(shared),
            token: unsaved.or(stored),
            held,
            _lock: lock,
            _turn: turn,
        }))
    }

    /// Removes a session that a newer version keeps, of which nothing is known here.
    pub async fn forget_newer(&self) -> Result<(), LeaveError> {
        let shared = Arc::clone(&self.shared);
        let _turn = Arc::clone(&shared.turn).lock_owned().await;
        let path = shared.paths.lock("refresh");
        let _lock = waiting::lock(path, LOCK_PATIENCE, &shared.tasks).await?;
        let theirs = Arc::clone(&shared);
        let forgotten = shared.tasks.blocking(move || match theirs.fields().who() {
            Err(KeychainError::Newer { .. }) => {
                theirs.unshare().map_err(LeaveError::Files)?;
                Ok(theirs.fields().end()?)
            }
            other => Ok(other.map(drop)?),
        });
        let forgotten = forgotten.await;
        shared.publish(Standing::Unread);
        forgotten
    }
}

impl Leaving {
    /// Whose session it is.
    #[must_use]
    pub fn who(&self) -> &Who {
        &self.held.who
    }

    /// Tells the provider that the session is over (RFC 7009); `Ok(false)` when there is nothing to
    /// tell, or the provider does not listen to it.
    pub async fn revoke(&self) -> Result<bool, RevokeError> {
        let (Some(identity), Some(token)) = (&self.shared.identity, &self.token) else {
            return Ok(false);
        };
        let provider = self.shared.provider(identity).await?;
        Ok(provider.revoke(token).await?)
    }

    /// Removes the session from keychain and disk, whatever became of the rest.
    pub async fn forget(self) -> Result<(), LeaveError> {
        let (shared, fields) = (Arc::clone(&self.shared), self.held.fields(&self.shared));
        let is_shared = matches!(self.held.place, Place::Keychain { .. });
        let forgotten = self.shared.tasks.blocking(move || {
            let files = if is_shared { shared.unshare() } else { Ok(()) };
            fields.end()?;
            files.map_err(LeaveError::Files)
        });
        let forgotten = forgotten.await;
        self.shared.remember_unsaved(None);
        self.shared.publish(Standing::Unread);
        forgotten
    }
}
