//! Do it: one connection with each server, over streamable HTTP, in whichever way it speaks: in a
//! session (MCP 2025-03-26 to 2025-11-25) or in requests that stand alone (2026-07-28).
//!
//! How a server is spoken to is found out when something is first wanted of it, and remembered. A
//! session is opened then, found again when the server has forgotten it, and looked for while the
//! server is away. What a policy allowed and the record holds ([`Admitted`]) is sent once; it is sent
//! again only after an answer that proves that it was not carried out (401, 404 for the session, an
//! unknown revision), or where it changes nothing. Which requests are allowed, what their
//! parameters mean and who hears of an answer is decided elsewhere.

mod asides;
mod ask;
mod backoff;
mod body;
mod deadline;
mod dial;
mod discover;
mod era;
mod exchange;
mod fault;
mod follow;
mod frame;
mod handover;
pub(crate) mod head;
mod http;
mod link;
mod listen;
mod pages;
mod question;
mod scrub;
pub(crate) mod sse;
mod subscribe;
mod tls;
mod unasked;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use crate::audit::Admitted;
use crate::bounds::REPLIES;
use crate::config::ServerConfig;
use crate::login::{Audience, Grant, Session};
use crate::name::ServerName;
use crate::stop::Tasks;
use crate::wire::level::Level;
use crate::wire::mirror::Mirror;
use crate::wire::{Abilities, Raw};

use ask::Ask;
use deadline::Deadline;
use head::Trace;

pub use asides::{Aside, Asides};
pub use era::Eras;
pub use fault::{BadAnswer, BadList, Broken, ConnectFault, Said, UpstreamError};
pub use handover::{Goodbye, HandoverError};
pub use http::{ClientError, Http, HttpSetupError};
pub use question::Question;
pub use tls::{Identity, IdentityError, Tls, TlsError, check_key, plainly};

/// One server; clones share the connection. Makes no I/O until asked.
#[derive(Clone)]
pub struct Upstream {
    inner: Arc<Inner>,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Listing {
    /// `tools/list`
    Tools,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
    /// `prompts/list`
    Prompts,
}

/// What a server tells unasked.
#[derive(Debug)]
pub enum Notice {
    /// A list has changed (or the server is back after it was away, and all of them may have).
    Changed(ServerName, Listing),
    /// Any other notification, such as `notifications/resources/updated` or
    /// `notifications/message`: method and params as they came.
    Told {
        /// Whose.
        server: ServerName,
        /// The method.
        method: Box<str>,
        /// The params.
        params: Option<Raw>,
    },
    /// A question that belongs to no request that anybody follows.
    Asked(ServerName, Question),
}

/// What goes along with a request.
#[derive(Debug, Clone, Default)]
pub struct Along {
    /// Who hears what is told on the way.
    pub asides: Option<Asides>,
    /// What the host can do that the request is for.
    pub abilities: Abilities,
    /// From which level on log messages of the request are wanted.
    pub level: Option<Level>,
    /// The parameters that the tool wants repeated in the head.
    pub mirrors: Arc<[Mirror]>,
}

/// How a sent request ended.
#[derive(Debug)]
pub struct Answer {
    /// The status of the answer, as far as there was one.
    pub http_status: Option<u16>,
    /// The size of the message, or 0 if it was not sent.
    pub bytes_out: u64,
    /// `Ok(Ok(result))`, `Ok(Err(error object))`, or no usable answer.
    pub outcome: Result<Result<Raw, Raw>, UpstreamError>,
    /// Whether it was sent as one that stands alone, and the answer is of that revision.
    pub alone: bool,
}

/// What `status` shows.
#[derive(Debug, Clone)]
pub enum Health {
    /// Nothing has been wanted of it yet.
    Unused,
    /// A session is open.
    Up {
        /// How the server calls itself.
        server_info: Option<Box<str>>,
        /// The revision of the protocol that is spoken.
        revision: Box<str>,
    },
    /// The last attempt failed.
    Down {
        /// Why.
        reason: Box<str>,
        /// When the next one is due.
        retry_in: Duration,
    },
}

/// What the clones share.
struct Inner {
    config: ServerConfig,
    audience: Audience,
    http: Http,
    client: OnceLock<reqwest::Client>,
    session: Session,
    notices: mpsc::UnboundedSender<Notice>,
    tasks: Tasks,
    memory: era::Memory,
    abilities: Mutex<Abilities>,
    subscriptions: subscribe::Subscriptions,
    dial: Mutex<dial::Dial>,
    /// Requests are numbered through all sessions, so that no late answer meets another request.
    last_id: AtomicU64,
    strays: AtomicU64,
    replies: Arc<Semaphore>,
    questions: question::Questions,
}

impl Upstream {
    /// A server as the configuration has it.
    #[must_use]
    pub fn new(
        config: ServerConfig,
        http: Http,
        session: Session,
        notices: mpsc::UnboundedSender<Notice>,
        tasks: &Tasks,
        eras: &Eras,
    ) -> Self {
        let memory = eras.of(&config.name, &config.url);
        Self::remembering(config, http, session, notices, tasks, memory)
    }

    fn remembering(
        config: ServerConfig,
        http: Http,
        session: Session,
        notices: mpsc::UnboundedSender<Notice>,
        tasks: &Tasks,
        memory: era::Memory,
    ) -> Self {
        let audience = Audience {
            id: config.audience.clone(),
            scopes: config.scopes.clone(),
        };
        let inner = Inner {
            config,
            audience,
            http,
            client: OnceLock::new(),
            session,
            notices,
            tasks: tasks.child(),
            memory,
            abilities: Mutex::default(),
            subscriptions: subscribe::Subscriptions::default(),
            dial: Mutex::default(),
            last_id: AtomicU64::new(0),
            strays: AtomicU64::new(0),
            replies: Arc::new(Semaphore::new(REPLIES)),
            questions: question::Questions::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The server's name.
    #[must_use]
    pub fn name(&self) -> &ServerName {
        &self.inner.config.name
    }

    /// Takes note of what the host can do, and never forgets any of it; the server is told no more
    /// than that.
    pub fn serve(&self, abilities: &Abilities) {
        let mut known = self.inner.known_abilities();
        if *known == *abilities {
            return;
        }
        if let Some(grown) = known.grown_by(abilities) {
            *known = grown;
        }
    }

    /// Tells the server that the host's roots have changed, if it keeps a session and may ask for
    /// them.
    pub fn tell_roots_changed(&self) {
        self.inner.tell_roots_changed();
    }

    /// Whether the server may ask something in the middle of a request of such a host, as servers with
    /// sessions do.
    #[must_use]
    pub fn may_ask(&self, abilities: &Abilities) -> bool {
        match self.inner.current() {
            Some(link) if link.is_alone() => false,
            Some(link) => link.knows_any() || abilities.any(),
            None => abilities.any() && !self.is_alone(),
        }
    }

    /// Whether the server takes requests that stand alone, as far as that is known or remembered.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        match self.inner.current() {
            Some(link) => link.is_alone(),
            None => self.inner.memory.era() == Some(era::Era::Alone),
        }
    }

    /// How it stands with the server.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.health()
    }

    /// The `capabilities` of the server, while a session is open.
    #[must_use]
    pub fn capabilities(&self) -> Option<Raw> {
        self.inner.current()?.capabilities.clone()
    }

    /// How many messages of the server belonged to nothing: answers that nobody waited for,
    /// unreadable events, a flood of requests.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.inner.strays.load(Ordering::Relaxed)
    }

    /// The whole list, all pages, within `list_timeout`; connects first if need be. A server
    /// without the capability has an empty list.
    pub async fn list(&self, what: Listing) -> Result<Vec<Raw>, UpstreamError> {
        self.inner.list(what).await
    }

    /// Sends an admitted request and waits for its answer, `call_timeout` at most. Dropping the
    /// future withdraws the request.
    pub async fn send(
        &self,
        admitted: Admitted,
        grant: Option<&Arc<Grant>>,
        along: Along,
    ) -> Answer {
        if admitted.permit().server() != self.name() {
            return Answer::of(UpstreamError::Misdirected);
        }
        let call = admitted.call();
        let ask = Ask {
            method: &call.method,
            params: Some(&call.params),
            trace: Trace {
                request_id: &call.request_id,
                context: &call.trace,
            },
            along: &along,
            deadline: Deadline::after(self.inner.config.call_timeout),
        };
        self.inner.ask(ask, grant.cloned()).await
    }

    /// Sends an admitted notification and waits until the server has taken it, `call_timeout` at
    /// most.
    ///
    /// # Errors
    /// When there is no connection, or the server does not take it.
    pub async fn tell(&self, admitted: Admitted, grant: &Arc<Grant>) -> Result<(), UpstreamError> {
        if admitted.permit().server() != self.name() {
            return Err(UpstreamError::Misdirected);
        }
        self.inner.tell_of(admitted.call(), grant).await
    }

    /// Deletes the session at the server, a second at most. Nothing is sent afterwards.
    pub async fn close(&self) {
        self.inner.hang_up().await;
    }
}

impl Answer {
    /// Nothing was sent, and why.
    fn of(error: UpstreamError) -> Self {
        Self {
            http_status: None,
            bytes_out: 0,
            outcome: Err(error),
            alone: false,
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.inner.config.name;
        f.debug_struct("Upstream")
            .field("name", name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("name", &self.config.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Upstream {
    fn remembered(&self) -> Option<era::Era> {
        self.inner.memory.era()
    }

    fn forget_connection(&self) {
        let link = self.inner.current();
        self.inner.doubt(&link.unwrap());
    }
}

impl Inner {
    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn known_abilities(&self) -> MutexGuard<'_, Abilities> {
        self.abilities
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What the host can do.
    fn abilities(&self) -> Abilities {
        self.known_abilities().clone()
    }

    async fn client(&self) -> Result<&reqwest::Client, UpstreamError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let made = self.http.client(&self.config, &self.tasks).await;
        let made = made.map_err(|error| UpstreamError::Client(Arc::new(error)))?;
        Ok(self.client.get_or_init(|| made))
    }
}

#[cfg(test)]
mod tests;
