//! Bringing the lists of the servers up to date, and waiting for them no longer than is agreed.
//!
//! Each server has a lane: at most one fetch at a time, at most one a second, and whoever asks
//! meanwhile has one more done afterwards. What is fetched with one person's token is shown to that
//! person alone, so the catalogue is emptied when somebody else signs in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::bounds::FETCH_PAUSE;
use crate::catalog::cache::Cache;
use crate::catalog::{Changed, RawLists};
use crate::login::Snapshot;
use crate::name::ServerName;
use crate::principal::Identity;
use crate::upstream::{Listing, UpstreamError};
use crate::wire::Raw;
use crate::wording::chain;

use super::lane::{Lane, Stage, Wanted};
use super::{Gateway, Server};

/// The stragglers' share of the time that the others took, once three quarters have answered.
const GRACE_SHARE: u32 = 5;
/// The least that stragglers get.
const LEAST_GRACE: Duration = Duration::from_millis(5);

/// The lanes of all servers, and whose lists they hold.
#[derive(Debug)]
pub(super) struct Fetching {
    lanes: BTreeMap<ServerName, Lane>,
    owner: Mutex<Option<Identity>>,
    begun: AtomicBool,
}

impl Fetching {
    pub(super) fn new(names: &[ServerName]) -> Self {
        let lanes = names.iter().map(|name| (name.clone(), Lane::new()));
        Self {
            lanes: lanes.collect(),
            owner: Mutex::default(),
            begun: AtomicBool::new(false),
        }
    }

    pub(super) fn stage(&self, server: &ServerName) -> Stage {
        let lane = self.lanes.get(server);
        lane.map_or(Stage::Idle, Lane::stage)
    }

    /// Takes note of whose lists are wanted; whether they are another person's than before.
    fn is_new_owner(&self, person: &Identity) -> bool {
        let mut owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |known: &Identity| known.issuer == person.issuer && known.subject == person.subject;
        if owner.as_ref().is_some_and(same) {
            return false;
        }
        *owner = Some(person.clone());
        true
    }
}

impl Gateway {
    /// The person whose lists are shown, found again if his tokens have expired, with the
    /// catalogue that the disk remembers for him. Waits for the provider until `deadline`.
    pub(super) async fn ready_lists(&self, deadline: Instant) -> Option<Snapshot> {
        let mut viewer = self.viewer();
        if viewer.is_none() {
            let found = tokio::time::timeout_at(deadline, self.parts.session.anyone());
            match found.await {
                Ok(Ok(_)) => viewer = self.viewer(),
                Ok(Err(error)) => {
                    tracing::debug!(error = chain(&error), "no lists without a person");
                }
                Err(_) => self.look_for_person_later(),
            }
        }
        let viewer = viewer?;
        self.remember(&viewer.identity).await;
        self.begin_fetching_once();
        let incomplete = self.incomplete(&viewer);
        for name in &incomplete {
            self.fetch_if_idle(name);
        }
        self.await_lists(&incomplete, deadline).await;
        // The servers' tokens, and with them the scopes, may have come meanwhile.
        self.viewer().or(Some(viewer))
    }

    /// The servers of which nothing can be shown yet: their lists are not known, or the person has
    /// no token for them, and so no scopes.
    fn incomplete(&self, viewer: &Snapshot) -> Vec<ServerName> {
        let unknown = self.catalog(|catalog| catalog.unknown());
        let servers = self.parts.servers.iter();
        let tokenless = servers.filter(|server| !viewer.scopes.contains_key(&server.audience.id));
        let tokenless = tokenless.map(|server| server.config.name.clone());
        let mut incomplete: Vec<ServerName> = tokenless.chain(unknown).collect();
        incomplete.sort();
        incomplete.dedup();
        incomplete
    }

    /// Fetches a server's lists for a new person; one that has just failed is left alone.
    fn fetch_if_idle(&self, name: &ServerName) {
        match self.parts.fetching.stage(name) {
            Stage::Idle | Stage::Known => self.fetch(name, Wanted::ALL),
            Stage::Running | Stage::Failed(..) => {}
        }
    }

    /// Keeps asking for the person after a list had to go without him, and tells when he is found.
    fn look_for_person_later(&self) {
        let gateway = self.clone();
        self.parts.tasks.spawn_until_stop(async move {
            if gateway.parts.session.anyone().await.is_ok() {
                gateway.tell_changed(Changed::ALL);
            }
        });
    }

    /// Shows what the disk remembers for this person, if he is not the one shown already.
    pub(super) async fn remember(&self, person: &Identity) {
        if !self.parts.fetching.is_new_owner(person) {
            return;
        }
        self.catalog(crate::catalog::Catalog::clear);
        let gateway = self.clone();
        let cache = self.cache(person);
        let load = move || {
            let servers = gateway.parts.servers.iter();
            let known = servers.filter_map(|server| {
                let config = &server.config;
                let lists = cache.load(&config.name, config.url.as_str())?;
                Some((config.name.clone(), lists))
            });
            let known: Vec<_> = known.collect();
            gateway.catalog(|catalog| catalog.fill(&known));
        };
        self.parts.tasks.blocking(load).await;
    }

    fn cache(&self, person: &Identity) -> Cache {
        Cache::of(&self.parts.paths.catalog_dir(), person)
    }

    fn begin_fetching_once(&self) {
        if !self.parts.fetching.begun.swap(true, Ordering::SeqCst) {
            self.begin_fetching();
            return;
        }
        for (name, lane) in &self.parts.fetching.lanes {
            // Of these, somebody may have signed in elsewhere since they gave up.
            let wanted_person = matches!(lane.stage(), Stage::Failed(_, true));
            if wanted_person || lane.is_stale() {
                self.fetch(name, Wanted::ALL);
            }
        }
    }

    /// Brings all lists up to date, without waiting.
    pub(super) fn begin_fetching(&self) {
        self.parts.fetching.begun.store(true, Ordering::SeqCst);
        for server in &self.parts.servers {
            self.fetch(&server.config.name, Wanted::ALL);
        }
    }

    /// Brings one server's lists up to date, without waiting.
    pub(super) fn fetch(&self, name: &ServerName, wanted: Wanted) {
        let lane = self.parts.fetching.lanes.get(name);
        if !lane.is_some_and(|lane| lane.enter(wanted)) {
            return;
        }
        let (gateway, name) = (self.clone(), name.clone());
        self.parts.tasks.spawn_until_stop(async move {
            let (Some(lane), Some(server)) = (
                gateway.parts.fetching.lanes.get(&name),
                gateway.server(&name),
            ) else {
                return;
            };
            loop {
                let stage = Box::pin(gateway.fetch_now(server, lane.wanted())).await;
                lane.reach(stage);
                tokio::time::sleep(FETCH_PAUSE).await;
                if lane.leave() {
                    return;
                }
            }
        });
    }

    async fn fetch_now(&self, server: &Server, wanted: Wanted) -> Stage {
        let Some(before) = self.viewer() else {
            return self.fetch_for_the_first_time(server).await;
        };
        // Whose lists they are is settled first, or they would be emptied for him later.
        self.remember(&before.identity).await;
        let name = &server.config.name;
        // What he may see of it depends on a token, also where the server itself takes none.
        if !before.scopes.contains_key(&server.audience.id)
            && let Err(error) = self.parts.session.grant(&server.audience).await
        {
            return Stage::Failed(chain(&error).into(), true);
        }
        match Box::pin(self.download(server, &before.identity, wanted)).await {
            Ok(lists) => {
                // The person may have changed while the server answered.
                if self
                    .viewer()
                    .is_some_and(|now| now.identity.subject == before.identity.subject)
                {
                    self.take(server, &before.identity, lists).await;
                }
                self.apply_level(server).await;
                Stage::Known
            }
            Err(error) => {
                let wants_person = matches!(error, UpstreamError::NoGrant(_));
                let why = chain(&error);
                tracing::info!(
                    server = name.as_str(),
                    why,
                    "a server's lists cannot be fetched"
                );
                Stage::Failed(why.into(), wants_person)
            }
        }
    }

    /// Nobody is known yet: finds out who it is, and fetches for him.
    async fn fetch_for_the_first_time(&self, server: &Server) -> Stage {
        if let Err(error) = self.parts.session.anyone().await {
            return Stage::Failed(chain(&error).into(), true);
        }
        if self.viewer().is_none() {
            return Stage::Failed("nobody is signed in".into(), true);
        }
        Box::pin(self.fetch_now(server, Wanted::ALL)).await
    }

    /// All lists of a server, those that are not wanted as the disk remembers them. Without its
    /// tools there is nothing; of the rest, what cannot be had now stays as it was.
    async fn download(
        &self,
        server: &Server,
        person: &Identity,
        wanted: Wanted,
    ) -> Result<RawLists, UpstreamError> {
        let (name, url) = (&server.config.name, server.config.url.as_str());
        let before = self.cache(person).load(name, url);
        let wanted = before.as_ref().map_or(Wanted::ALL, |_| wanted);
        let before = before.unwrap_or_default();
        let ask = async |listing| {
            if wanted.has(listing) {
                Some(server.upstream.list(listing).await)
            } else {
                None
            }
        };
        let (tools, prompts, resources, templates) = tokio::join!(
            ask(Listing::Tools),
            ask(Listing::Prompts),
            ask(Listing::Resources),
            ask(Listing::Templates),
        );
        Ok(RawLists {
            tools: tools.unwrap_or(Ok(before.tools))?,
            prompts: or_before(prompts, before.prompts),
            resources: or_before(resources, before.resources),
            templates: or_before(templates, before.templates),
            alone: server.upstream.is_alone(),
        })
    }

    /// Shows new lists, keeps them on disk, and tells the hosts; lists that are the same cost
    /// nothing.
    async fn take(&self, server: &Server, person: &Identity, lists: RawLists) {
        let name = &server.config.name;
        let (before, changed, after) = self.catalog(|catalog| {
            let before = catalog.lists(name).cloned();
            let changed = catalog.set(name, &lists);
            (before, changed, catalog.lists(name).cloned())
        });
        if !changed.any() {
            return;
        }
        self.tell_changed(changed);
        if let (Some(before), Some(after)) = (before, after) {
            self.record_changed(name, &before, &after);
        }
        let (cache, name, url) = (self.cache(person), name.clone(), server.config.url.clone());
        let keep = move || {
            if let Err(error) = cache.store(&name, url.as_str(), &lists) {
                tracing::warn!(%error, "the catalogue cannot be kept on disk");
            }
        };
        self.parts.tasks.blocking(keep).await;
    }

    /// Waits until each of these servers has answered or failed, until `deadline`
    /// at the latest. Once three quarters of all servers are there, the others get a fifth of the
    /// time that those took: one silent server does not make nine late.
    async fn await_lists(&self, names: &[ServerName], deadline: Instant) {
        let begun = Instant::now();
        let mut deadline = deadline;
        let lanes = names
            .iter()
            .filter_map(|name| self.parts.fetching.lanes.get(name));
        let mut waiting: futures_util::stream::FuturesUnordered<_> =
            lanes.map(Lane::settled).collect();
        let all = self.parts.servers.len();
        while !waiting.is_empty() {
            let next = futures_util::StreamExt::next(&mut waiting);
            if tokio::time::timeout_at(deadline, next).await.is_err() {
                return;
            }
            if waiting.len() * 4 <= all {
                let grace = (begun.elapsed() / GRACE_SHARE).max(LEAST_GRACE);
                deadline = deadline.min(Instant::now() + grace);
            }
        }
    }
}

fn or_before(new: Option<Result<Vec<Raw>, UpstreamError>>, before: Vec<Raw>) -> Vec<Raw> {
    match new {
        Some(Ok(new)) => new,
        Some(Err(error)) => {
            tracing::info!(why = chain(&error), "a list stays as it was");
            before
        }
        None => before,
    }
}

impl Gateway {
    /// Waits until this server has answered or failed, until `deadline` at the latest.
    pub(super) async fn await_server(&self, server: &ServerName, deadline: Instant) {
        if let Some(lane) = self.parts.fetching.lanes.get(server) {
            // Whoever waits looks for himself what became of it.
            let _late = tokio::time::timeout_at(deadline, lane.settled()).await;
        }
    }

    /// Waits until no server's fetch is under way, until `deadline` at the latest.
    pub(super) async fn await_all(&self, deadline: Instant) {
        let lanes = self.parts.fetching.lanes.values().map(Lane::settled);
        // Whoever is not there by then is shown as such.
        let _late = tokio::time::timeout_at(deadline, futures_util::future::join_all(lanes)).await;
    }
}
