//! The log level that a host asked for, passed to every server that keeps one.

use std::sync::{Arc, PoisonError};

use crate::audit::Agent;
use crate::wire::object::Object;
use crate::wire::{Raw, method};

use super::act::{Act, Admission};
use super::fault::Fault;
use super::route::{Route, What};
use super::{Gateway, Host, Server};

/// The level that was asked for last, and by whom.
#[derive(Debug, Clone)]
pub(super) struct Level {
    params: Raw,
    agent: Arc<Agent>,
}

impl Gateway {
    /// Remembers the level and passes it on in the background: a host is not made to wait for
    /// servers that are slow or away, and those that come later get it then.
    pub(super) fn set_level(&self, host: &Host, params: &Raw) -> Result<Raw, Fault> {
        super::route::required(&super::route::open(params)?, "level")?;
        let level = Level {
            params: params.clone(),
            agent: host.agent(),
        };
        *self
            .parts
            .level
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(level);
        let gateway = self.clone();
        self.parts.tasks.spawn_until_stop(async move {
            let servers = gateway.parts.servers.iter();
            futures_util::future::join_all(servers.map(|server| gateway.apply_level(server))).await;
        });
        Ok(Raw::empty_object())
    }

    /// Passes the level to a server that has said that it keeps one.
    pub(super) async fn apply_level(&self, server: &Server) {
        let level = self
            .parts
            .level
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(level) = level else { return };
        if server
            .upstream
            .capabilities()
            .is_none_or(|has| !has_logging(&has))
        {
            return;
        }
        if let Err(fault) = self.set_level_at(server, level).await {
            let name = server.config.name.as_str();
            tracing::info!(
                server = name,
                why = fault.sentence(),
                "the log level is not set"
            );
        }
    }

    async fn set_level_at(&self, server: &Server, level: Level) -> Result<(), Fault> {
        let what = What::Server(method::SET_LEVEL.into());
        let route = Route {
            server: server.config.name.clone(),
            asked: what.name().into(),
            what,
            params: level.params,
        };
        let act = Act::new(server, route, method::SET_LEVEL, level.agent, false);
        let grant = self.standing(&act).await?;
        let permit = self.permit(&act, &grant).await?;
        match self.admit(act, permit, &grant).await? {
            Admission::Go(going) => self.perform(*going, grant, None).await.map(drop),
            // Whoever signs in next has the lists fetched again, and the level with them.
            Admission::Again(_) => Ok(()),
        }
    }
}

fn has_logging(capabilities: &Raw) -> bool {
    Object::of(capabilities, &[]).is_ok_and(|object| object.get("logging").is_some())
}
