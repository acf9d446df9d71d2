//! The log level that a host asked for, passed to every server that keeps one.

use std::sync::{Arc, MutexGuard, PoisonError};

use crate::upstream::Along;
use crate::wire::level::Level;
use crate::wire::{Object, Raw, method};

use super::act::{Act, Admission};
use super::fault::Fault;
use super::route::{Route, What};
use super::{Gateway, Host, Server};

/// The level that was asked for last, and by whom.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    level: Level,
    params: Raw,
    host: Host,
}

impl Gateway {
    /// Remembers the level and passes it on in the background: a host is not made to wait for
    /// servers that are slow or away, and those that come later get it then.
    pub(super) fn set_level(&self, host: &Host, params: &Raw) -> Result<Raw, Fault> {
        let params_read = super::route::open(params)?;
        let level = super::route::required(&params_read, "level")?;
        let unknown = || Fault::BadParams(format!("the level {level:?} is unknown").into());
        self.remember_level(Wanted {
            level: Level::parse(&level).ok_or_else(unknown)?,
            params: params.clone(),
            host: host.clone(),
        });
        Ok(Raw::empty_object())
    }

    /// Has servers tell at least this much, for a request that says so itself; servers with sessions
    /// know one level only.
    pub(super) fn want_level(&self, host: &Host, level: Level) {
        let known = self.level().as_ref().map(|wanted| wanted.level);
        if known.is_none_or(|known| known > level) {
            self.remember_level(Wanted {
                level,
                params: Raw::empty_object().with("level", &Raw::string(level.as_str())),
                host: host.clone(),
            });
        }
    }

    /// From which level on a host in a session wants to hear servers that are told so with each
    /// request.
    pub(super) fn level_in_session(&self) -> Option<Level> {
        self.level().as_ref().map(|wanted| wanted.level)
    }

    fn level(&self) -> MutexGuard<'_, Option<Wanted>> {
        self.parts
            .level
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn remember_level(&self, wanted: Wanted) {
        *self.level() = Some(wanted);
        let gateway = self.clone();
        self.parts.tasks.spawn_until_stop(async move {
            let servers = gateway.parts.servers.iter();
            futures_util::future::join_all(servers.map(|server| gateway.apply_level(server))).await;
        });
    }

    /// Passes the level to a server that has said that it keeps one.
    pub(super) async fn apply_level(&self, server: &Server) {
        let wanted = self.level().clone();
        let Some(wanted) = wanted else { return };
        let capabilities = server.upstream.capabilities();
        let keeps_one = capabilities.is_some_and(|has| has_logging(&has));
        if !keeps_one || server.upstream.is_alone() {
            return;
        }
        if let Err(fault) = self.set_level_at(server, wanted).await {
            let name = server.config.name.as_str();
            tracing::info!(
                server = name,
                why = fault.sentence(),
                "the log level is not set"
            );
        }
    }

    async fn set_level_at(&self, server: &Server, wanted: Wanted) -> Result<(), Fault> {
        let what = What::Server(method::SET_LEVEL.into());
        let route = Route {
            server: server.config.name.clone(),
            asked: what.name().into(),
            what,
            params: wanted.params,
            mirrors: Arc::default(),
            held: None,
        };
        let act = Act::new(server, route, method::SET_LEVEL, &wanted.host, false);
        let grant = self.standing(&act).await?;
        let permit = self.permit(&act, &grant).await?;
        match self.admit(act, permit, &grant).await? {
            Admission::Go(going) => {
                let along = Along::default();
                self.perform(*going, grant, along).await.map(drop)
            }
            // Whoever signs in next has the lists fetched again, and the level with them.
            Admission::Again(_) => Ok(()),
        }
    }
}

fn has_logging(capabilities: &Raw) -> bool {
    Object::of(capabilities, &[]).is_ok_and(|object| object.get("logging").is_some())
}
