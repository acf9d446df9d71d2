//! The story of a request.
//!
//! Which server, may they, how often, write it down, do it, write it down again: [`Gateway::call`]
//! tells it and nothing else does. Hosts and the command line come through here alike.

mod act;
mod eras;
pub mod fault;
mod fetch;
mod fit;
pub mod host;
mod lane;
mod late;
mod level;
mod lists;
mod notices;
mod outcome;
mod own;
mod parking;
pub mod pins;
mod questions;
mod rounds;
mod route;
mod rules;
mod spool;
pub mod status;
mod tasks;
mod telling;
mod uris;
mod who;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use crate::audit::{Audit, Event};
use crate::bounds::TELLINGS;
use crate::catalog::Catalog;
use crate::config::{ScopeNames, ServerAuth, ServerConfig, Trust};
use crate::login::{Audience, Session, Snapshot};
use crate::name::ServerName;
use crate::paths::Paths;
use crate::stop::Tasks;
use crate::sync::Courier;
use crate::upstream::{Along, Notice, Upstream};
use crate::wire::{Object, Raw, method};
use crate::wording::chain;

pub use fault::Fault;
pub use host::Host;

pub use crate::upstream::{Aside, Asides};

/// How long the servers get to hear that their sessions are over.
const GOODBYE: Duration = Duration::from_secs(1);

/// Everything between a host and its servers; clones share it.
#[derive(Debug, Clone)]
pub struct Gateway {
    parts: Arc<Parts>,
}

/// What the gateway is made of.
#[derive(Debug)]
pub struct Setup {
    /// The servers with their connections, in the order of the configuration.
    pub servers: Vec<(ServerConfig, Upstream)>,
    /// What the servers tell unasked.
    pub notices: mpsc::UnboundedReceiver<Notice>,
    /// The person.
    pub session: Session,
    /// The record.
    pub audit: Audit,
    /// Whatever sends the record elsewhere.
    pub sync: Courier,
    /// The policy document.
    pub policy: Option<(PathBuf, Trust)>,
    /// The company's names of the scopes.
    pub scope_names: ScopeNames,
    /// How long a first list waits.
    pub list_budget: Duration,
    /// The longest exposed name.
    pub name_limit: usize,
    /// Whether somebody has to accept the definitions of tools.
    pub pin_definitions: bool,
    /// Where things lie.
    pub paths: Paths,
    /// Why the configuration cannot be used, if it cannot; and what is worth knowing about it.
    pub problem: Option<Box<str>>,
    /// What is worth knowing about the configuration.
    pub notes: Vec<Box<str>>,
    /// What the user's settings and the environment asked for in vain, for the record.
    pub refused: Option<Box<str>>,
    /// Who waits for the gateway's tasks.
    pub tasks: Tasks,
}

#[derive(Debug)]
struct Parts {
    servers: Vec<Server>,
    session: Session,
    audit: Audit,
    sync: Courier,
    rules: rules::Rules,
    pinning: pins::Pinning,
    catalog: Mutex<Catalog>,
    fetching: fetch::Fetching,
    hosts: Mutex<Vec<Host>>,
    level: Mutex<Option<level::Wanted>>,
    parking: parking::Parking,
    waiting_for_sign_in: AtomicBool,
    shown_to: Mutex<Option<Snapshot>>,
    list_budget: Duration,
    paths: Paths,
    problem: Option<Box<str>>,
    notes: Vec<Box<str>>,
    /// What settings asked for in vain, until it is on its way to the record.
    refused: Mutex<Option<Box<str>>>,
    /// How much of what hosts tell may be on its way.
    telling: Arc<Semaphore>,
    tasks: Tasks,
    /// What is put on record beside everything else: the record is closed after it.
    recording: Tasks,
}

#[derive(Debug)]
struct Server {
    config: ServerConfig,
    audience: Audience,
    upstream: Upstream,
}

impl Gateway {
    /// Puts the parts together; nothing is read, connected or written yet.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let names: Vec<ServerName> = setup.servers.iter().map(|(s, _)| s.name.clone()).collect();
        let configs = setup.servers.iter().map(|(config, _)| config);
        // What a person may do at a server that takes no token is what the first one allows.
        let home = audiences(configs).next();
        let audience_of = |config: &ServerConfig| match (config.auth, &home) {
            (ServerAuth::None, Some(home)) => home.clone(),
            (ServerAuth::None | ServerAuth::Sso, _) => audience(config),
        };
        let mut catalog = Catalog::new(names.clone(), setup.name_limit);
        let pinned = setup.pin_definitions.then(|| setup.paths.pins_file());
        if pinned.is_some() {
            // Nothing is accepted before the file has been read.
            catalog.hold_to(Arc::default());
        }
        let parts = Parts {
            fetching: fetch::Fetching::new(&names),
            catalog: Mutex::new(catalog),
            pinning: pins::Pinning::new(pinned),
            servers: setup
                .servers
                .into_iter()
                .map(|(config, upstream)| Server {
                    audience: audience_of(&config),
                    config,
                    upstream,
                })
                .collect(),
            session: setup.session,
            audit: setup.audit,
            sync: setup.sync,
            rules: rules::Rules::new(setup.policy, setup.scope_names),
            hosts: Mutex::default(),
            level: Mutex::default(),
            parking: parking::Parking::default(),
            waiting_for_sign_in: AtomicBool::new(false),
            shown_to: Mutex::default(),
            list_budget: setup.list_budget,
            paths: setup.paths,
            refused: Mutex::new(setup.refused),
            problem: setup.problem,
            notes: setup.notes,
            telling: Arc::new(Semaphore::new(TELLINGS)),
            tasks: setup.tasks,
            recording: Tasks::new(),
        };
        let gateway = Self {
            parts: Arc::new(parts),
        };
        gateway.listen(setup.notices);
        gateway.follow_person();
        gateway
    }

    /// Takes a host in: it is told of changes from now on, and its session is on record.
    pub async fn welcome(&self, host: &Host) {
        self.hosts().push(host.clone());
        let abilities = host.abilities();
        for server in &self.parts.servers {
            server.upstream.serve(&abilities);
        }
        let agent = host.agent();
        self.note(Event::Started { agent }).await;
        if let Some(refused) = self.refused_settings() {
            self.note(refused).await;
        }
    }

    /// What the servers that are connected offer beyond the protocol; of those that say different
    /// things of one extension, the first counts.
    #[must_use]
    pub fn extensions(&self) -> Vec<(Box<str>, Raw)> {
        let mut all: Vec<(Box<str>, Raw)> = Vec::new();
        for server in &self.parts.servers {
            let Some(offered) = server.upstream.capabilities() else {
                continue;
            };
            let offered = Object::of(&offered, &[]).ok();
            let offered = offered.and_then(|offered| offered.get("extensions").cloned());
            let Some(offered) = offered else { continue };
            let Ok(offered) = Object::of(&offered, &[]) else {
                continue;
            };
            for (name, settings) in offered.iter() {
                if !all.iter().any(|(known, _)| **known == *name) {
                    all.push((name.into(), settings.clone()));
                }
            }
        }
        all
    }

    fn hosts(&self) -> std::sync::MutexGuard<'_, Vec<Host>> {
        self.parts
            .hosts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something on record that nobody waits for.
    async fn note(&self, event: Event) {
        if let Err(error) = self.parts.audit.record(event).await {
            tracing::error!(error = chain(error.as_ref()), "this could not be recorded");
        }
    }

    /// Answers a request of a host.
    ///
    /// # Errors
    /// Why there is no result, for `front` to put into words.
    pub async fn answer(
        &self,
        host: &Host,
        method: &str,
        params: &Raw,
        asides: Option<Asides>,
    ) -> Result<Raw, Fault> {
        match method {
            method::TOOLS_LIST => Box::pin(self.list_tools(host)).await,
            method::PROMPTS_LIST => Box::pin(self.list_prompts(host)).await,
            method::RESOURCES_LIST => Box::pin(self.list_resources()).await,
            method::TEMPLATES_LIST => Box::pin(self.list_templates()).await,
            method::SET_LEVEL => self.set_level(host, params),
            method::TOOLS_CALL => self.call_tool(host, params, asides).await,
            _ => self.call(host, method, params, asides).await,
        }
    }

    async fn call_tool(
        &self,
        host: &Host,
        params: &Raw,
        asides: Option<Asides>,
    ) -> Result<Raw, Fault> {
        match own::OwnCall::read(params)? {
            Some(call) => Box::pin(self.own_tool(host, call, asides)).await,
            None => self.call(host, method::TOOLS_CALL, params, asides).await,
        }
    }

    /// The use of one thing at one server, with what the server asks in between.
    async fn call(
        &self,
        host: &Host,
        method: &str,
        params: &Raw,
        asides: Option<Asides>,
    ) -> Result<Raw, Fault> {
        if let Some(level) = asides.as_ref().and_then(Asides::level) {
            self.want_level(host, level);
        }
        let act = Box::pin(self.route(host, method, params)).await?; // which
        let along = self.along(host, &act, asides);
        if host.is_alone() && act.server.upstream.may_ask(&along.abilities) {
            return Box::pin(self.attend(host, act, along)).await;
        }
        self.converse(host, act, along).await
    }

    /// One request to one server. A session that changed on the way is read anew, once.
    async fn once(&self, mut act: act::Act<'_>, along: Along) -> Result<act::Done, Fault> {
        for _attempt in 0..2 {
            let grant = self.standing(&act).await?; // who
            let permit = self.permit(&act, &grant).await?; // may they
            match self.admit(act, permit, &grant).await? {
                act::Admission::Go(going) => {
                    return Box::pin(self.perform(*going, grant, along)).await;
                }
                act::Admission::Again(same) => act = same,
            }
        }
        Err(self.session_lost(act).await)
    }

    /// What goes along with a use: what the host can do for the server, and wants to hear of it.
    fn along(&self, host: &Host, act: &act::Act<'_>, asides: Option<Asides>) -> Along {
        let abilities = host.abilities();
        act.server.upstream.serve(&abilities);
        let level = match &asides {
            Some(asides) if host.is_alone() => asides.level(),
            Some(_) | None if host.is_alone() => None,
            Some(_) | None => self.level_in_session(),
        };
        Along {
            asides,
            abilities,
            level,
            mirrors: Arc::clone(&act.route.mirrors),
        }
    }

    /// Ends the sessions with hosts and servers, and closes the record; a second or two at most.
    pub async fn close(&self) {
        let hosts = std::mem::take(&mut *self.hosts());
        let parting = async {
            for host in hosts {
                let agent = host.agent();
                self.note(Event::Stopped { agent }).await;
            }
            let servers = self.parts.servers.iter();
            let closing = servers.map(|server| server.upstream.close());
            let closing = futures_util::future::join_all(closing);
            tokio::join!(closing, self.parts.recording.finish(GOODBYE));
        };
        // A server that does not answer in time forgets the session by itself.
        let _late = tokio::time::timeout(GOODBYE, parting).await;
        self.parts.audit.close().await;
    }

    fn server(&self, name: &ServerName) -> Option<&Server> {
        self.parts
            .servers
            .iter()
            .find(|server| server.config.name == *name)
    }

    fn catalog<T>(&self, read: impl FnOnce(&mut Catalog) -> T) -> T {
        read(
            &mut self
                .parts
                .catalog
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

/// Whom a server's tokens are for.
#[must_use]
pub fn audience(config: &ServerConfig) -> Audience {
    Audience {
        id: config.audience.clone(),
        scopes: config.scopes.clone(),
    }
}

/// The audiences that tokens are asked for; a server without sign-in has none.
pub fn audiences<'a>(
    servers: impl IntoIterator<Item = &'a ServerConfig>,
) -> impl Iterator<Item = Audience> {
    let servers = servers.into_iter();
    let signed_in = servers.filter(|server| server.auth == ServerAuth::Sso);
    signed_in.map(audience)
}
