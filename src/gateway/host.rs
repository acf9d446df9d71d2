//! One host session as the gateway needs it: who the host is, what it has seen, how to tell it
//! something.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::audit::Agent;
use crate::name::ExposedName;
use crate::wire::{Message, Notification, Raw};

/// The host session that requests come from; clones share it.
#[derive(Debug, Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    agent: Mutex<Arc<Agent>>,
    shown: Mutex<HashSet<ExposedName>>,
    outbox: mpsc::Sender<Message>,
}

impl Host {
    /// A host that is told things through `outbox`.
    #[must_use]
    pub fn new(agent: Agent, outbox: mpsc::Sender<Message>) -> Self {
        let inner = Inner {
            agent: Mutex::new(Arc::new(agent)),
            shown: Mutex::default(),
            outbox,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// What the record calls the host.
    #[must_use]
    pub fn agent(&self) -> Arc<Agent> {
        Arc::clone(
            &self
                .inner
                .agent
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Takes the name that the host gave itself.
    pub fn introduce(&self, agent: Agent) {
        *self
            .inner
            .agent
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(agent);
    }

    /// Remembers that the host was shown a name.
    pub fn show<'a>(&self, names: impl IntoIterator<Item = &'a ExposedName>) {
        let mut shown = self
            .inner
            .shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if !shown.contains(name) {
                shown.insert(name.clone());
            }
        }
    }

    /// Whether the host was shown the name.
    #[must_use]
    pub fn has_seen(&self, name: &str) -> bool {
        self.inner
            .shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(name)
    }

    /// Tells the host something. A host that does not read loses notices, never answers.
    pub fn tell(&self, method: &str, params: Option<Raw>) {
        let notice = Notification {
            method: method.into(),
            params,
        };
        if self
            .inner
            .outbox
            .try_send(Message::Notification(notice))
            .is_err()
        {
            tracing::debug!(method, "the host does not read; a notice is lost");
        }
    }
}
