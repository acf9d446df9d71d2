//! Secrets that last as long as the process: for a session without a keychain.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::{KeychainError, SecretStore};

/// Keeps secrets in this process' memory and wipes them.
#[derive(Default)]
pub struct MemoryStore(Mutex<HashMap<Box<str>, Zeroizing<Vec<u8>>>>);

impl MemoryStore {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A panic leaves no half-made change here, so a poisoned lock is as good as any.
    fn entries(&self) -> MutexGuard<'_, HashMap<Box<str>, Zeroizing<Vec<u8>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore(..)")
    }
}

impl SecretStore for MemoryStore {
    fn read(&self, field: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        Ok(self.entries().get(field).cloned())
    }

    fn write(&self, field: &str, secret: &[u8]) -> Result<(), KeychainError> {
        let secret = Zeroizing::new(secret.to_vec());
        self.entries().insert(field.into(), secret);
        Ok(())
    }

    fn delete(&self, field: &str) -> Result<(), KeychainError> {
        self.entries().remove(field);
        Ok(())
    }
}
