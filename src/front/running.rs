//! The requests that are being answered, by the identity that the host gave them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::{AbortHandle, AbortRegistration};

use tokio::sync::Notify;

use crate::bounds::REQUESTS;
use crate::wire::Id;

/// The requests in flight; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Running {
    requests: Arc<Mutex<HashMap<Id, AbortHandle>>>,
    emptied: Arc<Notify>,
}

/// Why a request may not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// [`REQUESTS`] requests are running.
    Full,
    /// One of them has the same identity.
    Taken,
}

/// A running request's place, free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    running: Running,
    id: Id,
}

impl Running {
    /// Takes a place for a request; the registration hears of its withdrawal.
    pub(super) fn enter(&self, id: &Id) -> Result<(Place, AbortRegistration), NoPlace> {
        let mut requests = self.requests();
        let full = requests.len() >= REQUESTS;
        match requests.entry(id.clone()) {
            Entry::Occupied(_) => Err(NoPlace::Taken),
            Entry::Vacant(_) if full => Err(NoPlace::Full),
            Entry::Vacant(entry) => {
                let (handle, registration) = AbortHandle::new_pair();
                entry.insert(handle);
                let place = Place {
                    running: self.clone(),
                    id: id.clone(),
                };
                Ok((place, registration))
            }
        }
    }

    /// Withdraws one request, if it is running. Its place is free when its task has ended.
    pub(super) fn withdraw(&self, id: &Id) {
        if let Some(handle) = self.requests().get(id) {
            handle.abort();
        }
    }

    /// Withdraws every request.
    pub(super) fn withdraw_all(&self) {
        self.requests().values().for_each(AbortHandle::abort);
    }

    /// Resolves when none is running.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.requests().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<Id, AbortHandle>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut requests = self.running.requests();
        requests.remove(&self.id);
        if requests.is_empty() {
            self.running.emptied.notify_waiters();
        }
    }
}
