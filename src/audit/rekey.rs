//! Changing the key that signs heads: prepared beside the old one, put on record, and adopted.

use std::sync::Arc;

use super::queue::Ask;
use super::{Audit, StoreError, key, process, store};

impl Audit {
    /// Signs heads with another key from now on, with a record that both keys signed; the old key is
    /// forgotten.
    ///
    /// # Errors
    /// When the new key cannot be kept, or the record cannot be written; then the old one is in force.
    pub async fn rotate_key(&self) -> Result<(), Arc<StoreError>> {
        let keys = self.asked(Ask::Keys).await?;
        let settings = self.writer().settings();
        let (paths, secrets) = (settings.paths.clone(), Arc::clone(&settings.secrets));
        let prepare = move || {
            let path = paths.lock("audit-key");
            let lock = process::take_within(&path, store::BUSY);
            let lock = lock.map_err(|cause| StoreError::Place { path, cause })?;
            let next = key::prepare(&keys, &paths.data_dir, &*secrets).map_err(StoreError::Key)?;
            Ok::<_, StoreError>((lock, Arc::new(next)))
        };
        let prepared = blocking(prepare).await?;
        let (_lock, next) = prepared?;
        let rotating = Arc::clone(&next);
        self.asked(|reply| Ask::Rotate(rotating, reply)).await?;
        let (paths, secrets) = (settings.paths.clone(), Arc::clone(&settings.secrets));
        let adopt = move || key::adopt(&next, &paths.data_dir, &*secrets);
        let adopted = blocking(adopt).await?;
        adopted.map_err(|error| Arc::new(StoreError::Key(error)))
    }
}

/// Runs what waits for the disk or the keychain.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Arc<StoreError>> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_panicked| Arc::new(StoreError::Closed))
}
