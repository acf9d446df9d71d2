//! One session with a server: how it is opened, and what it is then known by.

use std::sync::{Arc, OnceLock};

use http::header::HeaderValue;

use super::exchange::{Exchange, Verdict};
use super::fault::{BadAnswer, UpstreamError};
use super::frame;
use super::head::{self, Heads};
use super::scrub;
use super::{Inner, Listing};
use crate::login::Grant;
use crate::principal::Identity;
use crate::stop::Tasks;
use crate::wire::{Object, Raw, method, revision};

/// An open session; it ends with its tasks.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) heads: Heads,
    pub(super) revision: &'static str,
    pub(super) server_info: Option<Box<str>>,
    pub(super) capabilities: Option<Raw>,
    offers: Offers,
    /// Whose session it is; sessions are never shared between people.
    owner: OnceLock<Identity>,
    /// What runs as long as the session lasts.
    pub(super) tasks: Tasks,
}

#[derive(Debug, Clone, Copy, Default)]
struct Offers {
    tools: bool,
    resources: bool,
    prompts: bool,
}

impl Link {
    /// What stands in for a session until there is one.
    fn none(tasks: Tasks) -> Self {
        Self {
            heads: Heads::new(),
            revision: revision::NEWEST_HANDSHAKE,
            server_info: None,
            capabilities: None,
            offers: Offers::default(),
            owner: OnceLock::new(),
            tasks,
        }
    }

    /// Whether the server has said that it has such a list.
    pub(super) fn offers(&self, what: Listing) -> bool {
        match what {
            Listing::Tools => self.offers.tools,
            Listing::Resources | Listing::Templates => self.offers.resources,
            Listing::Prompts => self.offers.prompts,
        }
    }

    /// Whether the session is this person's; one that is nobody's yet becomes his.
    pub(super) fn belongs_to(&self, who: Option<&Arc<Grant>>) -> bool {
        who.is_none_or(|grant| {
            let identity = &grant.principal.identity;
            self.owner.get_or_init(|| identity.clone()) == identity
        })
    }
}

impl Inner {
    /// Opens a session, `list_timeout` at most.
    pub(super) async fn open(
        self: &Arc<Self>,
        who: Option<Arc<Grant>>,
    ) -> Result<Arc<Link>, UpstreamError> {
        let limit = self.config.list_timeout;
        match tokio::time::timeout(limit, self.shake_hands(who)).await {
            Ok(outcome) => outcome.map_err(UpstreamError::in_handshake),
            Err(_elapsed) => Err(UpstreamError::Silent(limit).in_handshake()),
        }
    }

    async fn shake_hands(
        self: &Arc<Self>,
        who: Option<Arc<Grant>>,
    ) -> Result<Arc<Link>, UpstreamError> {
        let mut who = self.standing(who).await?;
        let (session, result) = match self.initialize(who.as_ref()).await {
            (session, Verdict::Answered(outcome)) => (session, outcome?),
            (_, Verdict::SessionLost(error)) => return Err(error),
            (_, Verdict::Unauthorized(error)) => {
                who = Some(self.renewed(who.as_ref(), error).await?);
                match self.initialize(who.as_ref()).await {
                    (session, Verdict::Answered(outcome)) => (session, outcome?),
                    (_, Verdict::Unauthorized(error) | Verdict::SessionLost(error)) => {
                        return Err(error);
                    }
                }
            }
        };
        let result = result.map_err(|error| frame::refused(&error))?;
        let link = read(&result, session.as_ref(), self.tasks.child())?;
        link.belongs_to(who.as_ref());
        self.tell(
            &link,
            who.as_ref(),
            frame::notification(method::INITIALIZED, None),
        )
        .await?;
        Ok(Arc::new(link))
    }

    async fn initialize(
        self: &Arc<Self>,
        who: Option<&Arc<Grant>>,
    ) -> (Option<HeaderValue>, Verdict) {
        let link = Arc::new(Link::none(self.tasks.child()));
        let id = self.next_id();
        let exchange = Exchange {
            inner: self,
            link: &link,
            bearer: self.bearer(who),
            id,
            asides: None,
        };
        match exchange.post(None, frame::initialize(id)).await {
            Ok(response) => {
                let session = head::session(response.headers());
                (session, exchange.judge(response).await)
            }
            Err(error) => (None, Verdict::Answered(Err(error))),
        }
    }
}

/// Reads the result of `initialize`.
fn read(result: &Raw, session: Option<&HeaderValue>, tasks: Tasks) -> Result<Link, UpstreamError> {
    const KEYS: [&str; 3] = ["protocolVersion", "capabilities", "serverInfo"];
    let lacks = |what| move |_| UpstreamError::from(BadAnswer::Lacks(what));
    let object = Object::of(result, &KEYS).map_err(lacks("result"))?;
    let said = object
        .string("protocolVersion")
        .map_err(lacks("protocolVersion"))?;
    let said = said.ok_or(BadAnswer::Lacks("protocolVersion"))?;
    let known = revision::HANDSHAKE.into_iter().find(|known| *known == said);
    let revision = known.ok_or_else(|| UpstreamError::Revision(scrub::clean(&said)))?;
    let capabilities = object.get("capabilities");
    let offered = match capabilities {
        Some(raw) => Object::of(raw, &[]).map_err(lacks("capabilities"))?,
        None => return Err(BadAnswer::Lacks("capabilities").into()),
    };
    let has = |name| offered.get(name).is_some_and(|raw| raw.get() != "null");
    Ok(Link {
        heads: Heads::opened(revision, session),
        revision,
        server_info: object.get("serverInfo").and_then(server_info),
        capabilities: capabilities.cloned(),
        offers: Offers {
            tools: has("tools"),
            resources: has("resources"),
            prompts: has("prompts"),
        },
        owner: OnceLock::new(),
        tasks,
    })
}

/// `name version`, for people; nothing is ever decided on it.
fn server_info(raw: &Raw) -> Option<Box<str>> {
    let object = Object::of(raw, &["name", "version"]).ok()?;
    let name = object.string("name").ok()??;
    let version = object.string("version").ok().flatten().unwrap_or_default();
    Some(scrub::clean(&format!("{name} {version}")))
}
