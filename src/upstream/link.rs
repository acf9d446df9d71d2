//! What is open with a server: a session (revisions up to 2025-11-25), or the knowledge that it takes
//! requests that stand alone ([`super::discover`]).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::HeaderValue;
use tokio::sync::SetOnce;

use super::era::Era;
use super::exchange::{Exchange, Verdict};
use super::fault::{BadAnswer, UpstreamError};
use super::frame;
use super::head::{self, Heads};
use super::scrub;
use super::{Inner, Listing};
use crate::login::Grant;
use crate::principal::Identity;
use crate::stop::Tasks;
use crate::wire::{Abilities, Object, Raw, Request, method, revision};

/// How long a first call waits for the server's own stream.
const HEARING: Duration = Duration::from_secs(1);

/// An open session, or what stands for one; it ends with its tasks.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) era: Era,
    pub(super) heads: Heads,
    pub(super) revision: &'static str,
    pub(super) server_info: Option<Box<str>>,
    pub(super) capabilities: Option<Raw>,
    offers: Offers,
    /// What the server was told that the host can do, where it is told once for all.
    told: Abilities,
    /// Whether the server's own stream is there, or will not be.
    hearing: SetOnce<()>,
    /// Whose session it is; sessions are never shared between people.
    owner: OnceLock<Identity>,
    /// What runs as long as the session lasts.
    pub(super) tasks: Tasks,
}

/// What a server has said that it has.
#[derive(Debug, Clone, Copy, Default)]
struct Offers {
    tools: bool,
    resources: bool,
    prompts: bool,
}

impl Offers {
    fn of(capabilities: &Raw) -> Result<Self, BadAnswer> {
        let offered = Object::of(capabilities, &[]);
        let offered = offered.map_err(|_| BadAnswer::Lacks("capabilities"))?;
        let has = |name| offered.get(name).is_some_and(|raw| raw.get() != "null");
        Ok(Self {
            tools: has("tools"),
            resources: has("resources"),
            prompts: has("prompts"),
        })
    }
}

impl Link {
    /// What stands in for a session until there is one.
    fn none(tasks: Tasks) -> Self {
        Self {
            era: Era::Sessions,
            heads: Heads::new(),
            revision: revision::NEWEST_HANDSHAKE,
            server_info: None,
            capabilities: None,
            offers: Offers::default(),
            told: Abilities::default(),
            hearing: SetOnce::new(),
            owner: OnceLock::new(),
            tasks,
        }
    }

    /// A server that takes requests that stand alone, before anything is known of it.
    pub(super) fn probe(tasks: Tasks) -> Self {
        Self {
            era: Era::Alone,
            heads: Heads::alone(),
            revision: revision::STATELESS,
            ..Self::none(tasks)
        }
    }

    /// The same server once it has said what it has.
    pub(super) fn discovered(
        capabilities: &Raw,
        server_info: Option<Box<str>>,
        tasks: Tasks,
    ) -> Result<Self, BadAnswer> {
        Ok(Self {
            server_info,
            capabilities: Some(capabilities.clone()),
            offers: Offers::of(capabilities)?,
            ..Self::probe(tasks)
        })
    }

    /// Whether requests stand alone.
    pub(super) fn is_alone(&self) -> bool {
        self.era == Era::Alone
    }

    /// Whether the server knows of everything that the host can do. Where requests stand alone each
    /// of them says so itself.
    pub(super) fn knows(&self, abilities: &Abilities) -> bool {
        self.is_alone() || self.told == *abilities || self.told.grown_by(abilities).is_none()
    }

    /// Takes note that the server's own stream is there, or will not be.
    pub(super) fn is_heard(&self) {
        // It is noted once.
        let _already = self.hearing.set(());
    }

    /// Resolves when the server can ask what it may ask: some do so on their own stream alone.
    pub(super) async fn can_ask(&self) {
        if !self.is_alone() && self.told.any() && !self.hearing.initialized() {
            // A server that offers its stream late asks where nobody hears it.
            let _late = tokio::time::timeout(HEARING, self.hearing.wait()).await;
        }
    }

    /// Whether the host can do what the server asks of it, and the server knows so.
    pub(super) fn was_told_of(&self, request: &Request) -> bool {
        self.told.allow(&request.method, request.params.as_ref())
    }

    /// Whether the server knows of anything that it may ask.
    pub(super) fn knows_any(&self) -> bool {
        self.told.any()
    }

    /// Whether the server may ask for the host's roots.
    pub(super) fn was_told_of_roots(&self) -> bool {
        self.told.allow(method::ROOTS, None)
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
    /// Opens a session.
    pub(super) async fn open_session(
        self: &Arc<Self>,
        who: Option<Arc<Grant>>,
    ) -> Result<Link, UpstreamError> {
        let told = self.abilities();
        let mut who = self.standing(who).await?;
        let (mut session, mut verdict) = self.initialize(who.as_ref(), &told).await;
        if let Verdict::Unauthorized(error) = verdict {
            who = Some(self.renewed(who.as_ref(), error).await?);
            (session, verdict) = self.initialize(who.as_ref(), &told).await;
        }
        let result = match verdict {
            Verdict::Answered(outcome) => outcome?,
            Verdict::SessionLost(error) | Verdict::Unauthorized(error) => return Err(error),
        };
        let result = result.map_err(|error| frame::refused(&error))?;
        let mut link = read(&result, session.as_ref(), self.tasks.child())?;
        link.told = told;
        link.belongs_to(who.as_ref());
        self.tell(
            &link,
            who.as_ref(),
            frame::notification(method::INITIALIZED, None),
        )
        .await?;
        Ok(link)
    }

    async fn initialize(
        self: &Arc<Self>,
        who: Option<&Arc<Grant>>,
        abilities: &Abilities,
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
        match exchange
            .post(None, None, frame::initialize(id, abilities))
            .await
        {
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
    let capabilities = capabilities.ok_or(BadAnswer::Lacks("capabilities"))?;
    Ok(Link {
        heads: Heads::opened(revision, session),
        revision,
        server_info: object.get("serverInfo").and_then(server_info),
        capabilities: Some(capabilities.clone()),
        offers: Offers::of(capabilities)?,
        ..Link::none(tasks)
    })
}

/// `name version`, for people; nothing is ever decided on it.
pub(super) fn server_info(raw: &Raw) -> Option<Box<str>> {
    let object = Object::of(raw, &["name", "version"]).ok()?;
    let name = object.string("name").ok()??;
    let version = object.string("version").ok().flatten().unwrap_or_default();
    Some(scrub::clean(&format!("{name} {version}")))
}
