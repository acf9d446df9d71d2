//! Names of which nothing is known yet: perhaps nobody is signed in, or their server has not
//! answered.

use tokio::time::Instant;

use crate::audit::{Event, RefusalReason};
use crate::login::NoGrant;
use crate::name::{ExposedName, ServerName, ToolName};
use crate::random;
use crate::wire::Raw;
use crate::wording::chain;

use super::fault::Fault;
use super::lane::Stage;
use super::route::Route;
use super::{Gateway, Host, Server, act};

/// A request whose server is not certain.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) host: &'a Host,
    pub(super) method: &'a str,
    pub(super) params: &'a Raw,
    /// The name as the host has it.
    pub(super) name: &'a str,
}

impl Gateway {
    /// What a name that hosts see stands for, as far as the disk remembers it for this person.
    pub async fn named(&self, exposed: &str) -> Option<(ServerName, ToolName)> {
        let viewer = self.viewer()?;
        self.remember(&viewer.identity).await;
        self.catalog(|catalog| {
            let (server, tool) = catalog.tool(exposed)?;
            Some((server.clone(), tool.name.clone()))
        })
    }

    /// Finds the name once lists are there, as far as they come in time.
    pub(super) async fn find_later(&self, asked: Asked<'_>) -> Result<Route, Fault> {
        if self.viewer().is_none()
            && let Err(error) = self.parts.session.anyone().await
        {
            return Err(self.turn_away(asked, None, &error).await);
        }
        self.ready_lists(Instant::now() + self.parts.list_budget)
            .await;
        let missing = match self.find(asked.method, asked.params) {
            Err(fault @ Fault::Unknown(..)) => fault,
            other => return other,
        };
        let Some(server) = self.silent_owner(asked.name) else {
            return Err(missing);
        };
        // A list does not wait for one slow server; a call of what is the server's own does.
        let limit = server.config.list_timeout;
        self.await_server(&server.config.name, Instant::now() + limit)
            .await;
        match self.find(asked.method, asked.params) {
            Err(Fault::Unknown(..)) if self.silent_owner(asked.name).is_some() => {}
            other => return other,
        }
        match self.parts.session.grant(&server.audience).await {
            Err(error) => Err(self.turn_away(asked, Some(server), &error).await),
            Ok(_) => Err(self.still_unknown(&server.config.name)),
        }
    }

    /// The server of which nothing is known yet, and whose name this may be.
    fn silent_owner(&self, name: &str) -> Option<&Server> {
        let mut silent = self.catalog(|catalog| catalog.unknown()).into_iter();
        let server = silent.find(|server| ExposedName::could_be_of(name, server))?;
        self.server(&server)
    }

    /// Records that there is no token, and says so.
    async fn turn_away(&self, asked: Asked<'_>, server: Option<&Server>, why: &NoGrant) -> Fault {
        let policy = self.policy().await;
        self.note(Event::Refusal {
            server: server.map(|server| server.config.name.clone()),
            target: asked.name.into(),
            method: asked.method.into(),
            params: Some(asked.params.clone()),
            refusal: reason(why),
            policy_digest: Some(policy.digest().into()),
            principal: None,
            agent: asked.host.agent(),
            request_id: random::uuid().to_string().into(),
        })
        .await;
        self.without(why).await
    }

    /// What is said when there is no token, with the way in if a sign-in helps.
    pub(super) async fn without(&self, why: &NoGrant) -> Fault {
        if why.needs_sign_in() {
            return Fault::NotSignedIn(self.invitation().await.into());
        }
        Fault::from(why).not_sent()
    }

    /// A name of a server whose lists nobody has seen yet.
    fn still_unknown(&self, server: &ServerName) -> Fault {
        let why = match self.parts.fetching.stage(server) {
            Stage::Failed(why, _) => why,
            Stage::Idle | Stage::Running | Stage::Known => "it has not answered yet".into(),
        };
        Fault::Unavailable(act::not_used(server, &why).into())
    }
}

/// What the record says when there is no token.
pub(super) fn reason(why: &NoGrant) -> RefusalReason {
    if why.needs_sign_in() {
        RefusalReason::NotSignedIn
    } else {
        RefusalReason::Other(chain(why).into())
    }
}
