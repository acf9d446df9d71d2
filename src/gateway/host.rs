//! One host session as the gateway needs it: who the host is, what it has seen, how to tell it
//! something.

pub(super) mod asking;

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::audit::Agent;
use crate::name::ExposedName;
use crate::wire::{Abilities, Id, Message, Notification, Object, Raw, Response, method, stateless};

pub use asking::NoAnswer;

/// The host that requests come from; clones share it.
#[derive(Debug, Clone)]
pub struct Host {
    inner: Arc<Inner>,
    /// Who sends a request that stands alone.
    sender: Option<Arc<Sender>>,
}

/// What a request that stands alone says of who sends it.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// What it is called.
    pub agent: Arc<Agent>,
    /// What it can do.
    pub abilities: Abilities,
}

#[derive(Debug)]
struct Inner {
    agent: Mutex<Arc<Agent>>,
    abilities: Mutex<Abilities>,
    /// Whether it has opened a session, and is told things unasked.
    in_session: AtomicBool,
    listeners: Mutex<Vec<Listener>>,
    shown: Mutex<HashSet<ExposedName>>,
    outbox: mpsc::Sender<Message>,
    asking: asking::Asking,
}

impl Host {
    /// A host that is told things through `outbox`.
    #[must_use]
    pub fn new(agent: Agent, outbox: mpsc::Sender<Message>) -> Self {
        let inner = Inner {
            agent: Mutex::new(Arc::new(agent)),
            abilities: Mutex::default(),
            in_session: AtomicBool::new(false),
            listeners: Mutex::default(),
            shown: Mutex::default(),
            outbox,
            asking: asking::Asking::default(),
        };
        Self {
            inner: Arc::new(inner),
            sender: None,
        }
    }

    /// The same host, for one request of this sender.
    #[must_use]
    pub fn sending(&self, sender: Sender) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            sender: Some(Arc::new(sender)),
        }
    }

    /// What the record calls the host.
    #[must_use]
    pub fn agent(&self) -> Arc<Agent> {
        match &self.sender {
            Some(sender) => Arc::clone(&sender.agent),
            None => Arc::clone(&lock(&self.inner.agent)),
        }
    }

    /// Takes what the host says of itself.
    pub fn introduce(&self, host: Sender) {
        *lock(&self.inner.agent) = host.agent;
        *lock(&self.inner.abilities) = host.abilities;
    }

    /// What the host can do, or the sender of this request.
    #[must_use]
    pub fn abilities(&self) -> Abilities {
        match &self.sender {
            Some(sender) => sender.abilities.clone(),
            None => lock(&self.inner.abilities).clone(),
        }
    }

    /// Whether this is the sender of one request that stands alone.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.sender.is_some()
    }

    /// Whether the host has given itself a name.
    #[must_use]
    pub fn is_introduced(&self) -> bool {
        !lock(&self.inner.agent).name.is_empty()
    }

    /// Takes note that the host has opened a session, and wants to be told things unasked.
    pub fn open_session(&self) {
        self.inner.in_session.store(true, Ordering::Relaxed);
    }

    /// Whether the host has opened a session.
    #[must_use]
    pub fn has_session(&self) -> bool {
        self.inner.in_session.load(Ordering::Relaxed)
    }

    /// Asks the host something in its session, and waits for its answer.
    pub(super) async fn ask(&self, method: &str, params: Option<Raw>) -> Result<Raw, NoAnswer> {
        let inner = &self.inner;
        inner.asking.ask(&inner.outbox, method, params).await
    }

    /// Takes an answer of the host; whether it was asked.
    #[must_use]
    pub fn answered(&self, answer: Response) -> bool {
        self.inner.asking.answered(answer)
    }

    /// Whether the host is told of changes inside a resource, or has a session, in which it may have
    /// asked for that.
    #[must_use]
    pub fn hears_of(&self, uri: &str) -> bool {
        let listeners = lock(&self.inner.listeners);
        let mut filters = listeners.iter().map(|listener| &listener.filter);
        filters.any(|filter| filter.uris.contains(uri))
            || self.inner.in_session.load(Ordering::Relaxed)
    }

    /// Tells the host what `filter` wants until the guard is dropped; `first` is said before
    /// anything else of it.
    #[must_use]
    pub fn listen(&self, id: &Id, filter: Filter, first: impl FnOnce()) -> Listening {
        let mut listeners = lock(&self.inner.listeners);
        first();
        listeners.push(Listener {
            id: id.clone(),
            filter,
        });
        Listening {
            inner: Arc::clone(&self.inner),
            id: id.clone(),
        }
    }

    /// Remembers that the host was shown a name.
    pub fn show<'a>(&self, names: impl IntoIterator<Item = &'a ExposedName>) {
        let mut shown = lock(&self.inner.shown);
        for name in names {
            if !shown.contains(name) {
                shown.insert(name.clone());
            }
        }
    }

    /// Whether the host was shown the name.
    #[must_use]
    pub fn has_seen(&self, name: &str) -> bool {
        lock(&self.inner.shown).contains(name)
    }

    /// Tells the host something: in its session if it has one, and in every subscription that wants
    /// it. A host that does not read loses notices, never answers.
    pub fn tell(&self, method: &str, params: Option<Raw>) {
        for listener in &*lock(&self.inner.listeners) {
            if listener.filter.wants(method, params.as_ref()) {
                self.send(method, Some(tagged(params.as_ref(), &listener.id)));
            }
        }
        if self.inner.in_session.load(Ordering::Relaxed) {
            self.send(method, params);
        }
    }

    fn send(&self, method: &str, params: Option<Raw>) {
        let notice = Message::Notification(Notification {
            method: method.into(),
            params,
        });
        if self.inner.outbox.try_send(notice).is_err() {
            tracing::debug!(method, "the host does not read; a notice is lost");
        }
    }
}

/// Which notices a subscription brings (MCP 2026-07-28, basic/patterns/subscriptions).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of changes of the tools.
    pub tools: bool,
    /// Of changes of the prompts.
    pub prompts: bool,
    /// Of changes of the resources.
    pub resources: bool,
    /// Of changes inside these resources.
    pub uris: BTreeSet<Box<str>>,
}

impl Filter {
    fn wants(&self, told: &str, params: Option<&Raw>) -> bool {
        match told {
            method::TOOLS_CHANGED => self.tools,
            method::PROMPTS_CHANGED => self.prompts,
            method::RESOURCES_CHANGED => self.resources,
            method::RESOURCE_UPDATED => params.is_some_and(|params| {
                let uri = Object::of(params, &[]).ok();
                let uri = uri.and_then(|params| params.string("uri").ok().flatten());
                uri.is_some_and(|uri| self.uris.contains(&*uri))
            }),
            _ => false,
        }
    }
}

#[derive(Debug)]
struct Listener {
    id: Id,
    filter: Filter,
}

/// A subscription; it ends when this is dropped.
#[derive(Debug)]
pub struct Listening {
    inner: Arc<Inner>,
    id: Id,
}

impl Drop for Listening {
    fn drop(&mut self) {
        lock(&self.inner.listeners).retain(|listener| listener.id != self.id);
    }
}

/// The parameters of a notice with the subscription that it belongs to.
fn tagged(params: Option<&Raw>, id: &Id) -> Raw {
    let params = params.cloned().unwrap_or_else(Raw::empty_object);
    let meta = Object::of(&params, &[]).ok();
    let meta = meta.and_then(|params| params.get("_meta").cloned());
    let meta = meta
        .filter(Raw::is_object)
        .unwrap_or_else(Raw::empty_object);
    params.with("_meta", &meta.with(stateless::SUBSCRIPTION, &id.as_value()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
