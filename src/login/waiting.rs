//! Waiting for a lock that another process holds, for a bounded time.

use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::lock::FileLock;
use crate::stop::Tasks;

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it, and does not come to an end.
    #[error("another chaperone process has held {} for {} seconds", path.display(), bound.as_secs())]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// How long it was waited for.
        bound: Duration,
    },
    /// The file cannot be locked.
    #[error("{} cannot be locked", path.display())]
    Failed {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Takes the lock if nobody holds it.
pub(super) async fn try_lock(path: PathBuf, tasks: &Tasks) -> Result<Option<FileLock>, LockError> {
    let theirs = path.clone();
    let taken = tasks.blocking(move || FileLock::try_take(&theirs)).await;
    taken.map_err(|source| LockError::Failed { path, source })
}

/// Takes the lock, waiting at most `bound` for its holder.
///
/// The kernel is asked on a thread that nobody waits for: a thread of the runtime's pool would keep
/// the process from ending as long as somebody else holds the lock.
pub(super) async fn lock(
    path: PathBuf,
    bound: Duration,
    tasks: &Tasks,
) -> Result<FileLock, LockError> {
    if let Some(lock) = try_lock(path.clone(), tasks).await? {
        return Ok(lock);
    }
    let (sender, receiver) = oneshot::channel();
    let theirs = path.clone();
    let spawned = thread::Builder::new()
        .name("lock".to_owned())
        .spawn(move || {
            // A lock that is not wanted any more is given back by dropping it here.
            let _unwanted = sender.send(FileLock::take(&theirs));
        });
    let failed = |source| LockError::Failed {
        path: path.clone(),
        source,
    };
    spawned.map_err(failed)?;
    match tokio::time::timeout(bound, receiver).await {
        Err(_) => Err(LockError::Busy { path, bound }),
        Ok(Ok(taken)) => taken.map_err(failed),
        Ok(Err(_)) => Err(failed(io::Error::other("the waiting thread is gone"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lock_that_is_never_given_back_is_waited_for_in_vain_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("locks/refresh.lock");
        let held = FileLock::try_take(&path).unwrap().unwrap();
        let tasks = Tasks::new();
        assert!(try_lock(path.clone(), &tasks).await.unwrap().is_none());
        let bound = Duration::from_millis(20);
        let waited = lock(path.clone(), bound, &tasks).await;
        assert!(matches!(waited, Err(LockError::Busy { .. })));
        drop(held);
        // The thread that still waits gets the lock, finds nobody listening and gives it back.
        let again = lock(path, Duration::from_secs(10), &tasks).await;
        again.unwrap();
        assert!(tasks.finish(Duration::from_secs(1)).await);
    }
}
