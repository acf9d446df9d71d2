//! Finding out how a server is spoken to (MCP 2026-07-28, basic/versioning, backward compatibility):
//! a request that stands alone first; what is no answer of that revision means sessions. It is a
//! property of the server, so it is remembered, and found out anew when it stops fitting.

use std::sync::Arc;

use super::era::Era;
use super::exchange::{Exchange, Verdict};
use super::fault::{BadAnswer, UpstreamError};
use super::head::Repeated;
use super::link::{self, Link};
use super::{Inner, frame, scrub};
use crate::bounds::REVISIONS;
use crate::login::Grant;
use crate::wire::{Object, Raw, code, method, revision, stateless};

/// What a server lets be known of itself.
enum Found {
    /// It takes requests that stand alone.
    Alone(Box<Link>),
    /// It refuses this revision and yet names it: it wants to be asked once more.
    Refused(UpstreamError),
    /// It keeps sessions; whether it has said so, or has only failed to say anything else.
    Sessions { certain: bool },
}

impl Inner {
    /// Opens what there is to open, `list_timeout` at most.
    pub(super) async fn open(
        self: &Arc<Self>,
        who: Option<Arc<Grant>>,
    ) -> Result<Arc<Link>, UpstreamError> {
        let limit = self.config.list_timeout;
        let opening = Box::pin(self.open_either(who));
        match tokio::time::timeout(limit, opening).await {
            Ok(outcome) => outcome.map(Arc::new).map_err(UpstreamError::in_handshake),
            Err(_elapsed) => Err(UpstreamError::Silent(limit).in_handshake()),
        }
    }

    async fn open_either(self: &Arc<Self>, who: Option<Arc<Grant>>) -> Result<Link, UpstreamError> {
        if self.memory.era() == Some(Era::Sessions) {
            match self.open_session(who.clone()).await {
                Ok(link) => return Ok(link),
                Err(error) if !is_about_the_era(&error) => return Err(error),
                Err(_) => self.memory.forget(),
            }
        }
        let mut found = self.discover(who.clone()).await?;
        if let Found::Refused(_) = found {
            found = self.discover(who.clone()).await?;
        }
        let certain = match found {
            Found::Alone(link) => {
                self.remember(Era::Alone).await;
                return Ok(*link);
            }
            Found::Refused(error) => return Err(error),
            Found::Sessions { certain } => certain,
        };
        let link = self.open_session(who).await?;
        if certain {
            self.remember(Era::Sessions).await;
        }
        Ok(link)
    }

    async fn remember(self: &Arc<Self>, era: Era) {
        let inner = Arc::clone(self);
        self.tasks.blocking(move || inner.memory.note(era)).await;
    }

    /// Asks what the server offers to requests that stand alone. Silence costs half of the time.
    async fn discover(self: &Arc<Self>, who: Option<Arc<Grant>>) -> Result<Found, UpstreamError> {
        let mut who = self.standing(who).await?;
        let asking = async {
            let verdict = self.ask_discovery(who.as_ref()).await;
            let Verdict::Unauthorized(error) = verdict else {
                return Ok::<_, UpstreamError>(verdict);
            };
            who = Some(self.renewed(who.as_ref(), error).await?);
            Ok(self.ask_discovery(who.as_ref()).await)
        };
        let half = self.config.list_timeout / 2;
        let verdict = match tokio::time::timeout(half, asking).await {
            Ok(asked) => asked?,
            Err(_elapsed) => return Ok(Found::Sessions { certain: false }),
        };
        let link = match verdict {
            Verdict::Answered(Ok(Ok(result))) => self.read_discovery(&result)?,
            Verdict::Answered(Ok(Err(error))) => read_refusal(&error)?,
            Verdict::Answered(Err(error)) => read_failure(error)?,
            Verdict::Unauthorized(error) => return Err(error),
            Verdict::SessionLost(_) => Found::Sessions { certain: false },
        };
        if let Found::Alone(link) = &link {
            link.belongs_to(who.as_ref());
        }
        Ok(link)
    }

    async fn ask_discovery(self: &Arc<Self>, who: Option<&Arc<Grant>>) -> Verdict {
        let link = Arc::new(Link::probe(self.tasks.child()));
        let id = self.next_id();
        let exchange = Exchange {
            inner: self,
            link: &link,
            bearer: self.bearer(who),
            id,
            asides: None,
        };
        let params = Raw::empty_object();
        let params = stateless::on_terms(&params, self.abilities().as_raw(), None);
        let repeated = Repeated {
            method: method::DISCOVER,
            params: None,
            mirrors: &[],
        };
        let body = frame::request(id, method::DISCOVER, Some(&params));
        match exchange.post(None, Some(repeated), body).await {
            Ok(response) => exchange.judge(response).await,
            Err(error) => error.into(),
        }
    }

    fn read_discovery(&self, result: &Raw) -> Result<Found, UpstreamError> {
        let Ok(object) = Object::of(result, &["supportedVersions", "capabilities"]) else {
            return Ok(Found::Sessions { certain: true });
        };
        let Some(versions) = object.get("supportedVersions") else {
            // Some servers answer whatever they are asked.
            return Ok(Found::Sessions { certain: true });
        };
        match chosen(versions)? {
            Era::Sessions => Ok(Found::Sessions { certain: true }),
            Era::Alone => {
                let capabilities = object.get("capabilities");
                let capabilities = capabilities.ok_or(BadAnswer::Lacks("capabilities"))?;
                let info = object.get("_meta").and_then(|meta| {
                    let meta = Object::of(meta, &[]).ok()?;
                    link::server_info(meta.get(stateless::SERVER)?)
                });
                let tasks = self.tasks.child();
                let link = Link::discovered(capabilities, info, tasks)?;
                Ok(Found::Alone(Box::new(link)))
            }
        }
    }
}

/// The way that a server and this program share.
fn chosen(versions: &Raw) -> Result<Era, UpstreamError> {
    let lacks = || BadAnswer::Lacks("supportedVersions");
    let versions = versions.items(REVISIONS).ok_or_else(lacks)?;
    let versions = versions.iter().map(|said| serde_json::from_str(said.get()));
    let versions: Result<Vec<String>, _> = versions.collect();
    let versions = versions.map_err(|_| lacks())?;
    let has = |wanted: &str| versions.iter().any(|version| version == wanted);
    if has(revision::STATELESS) {
        return Ok(Era::Alone);
    }
    if revision::HANDSHAKE.into_iter().any(has) {
        return Ok(Era::Sessions);
    }
    let first = versions.first().map_or("", String::as_str);
    Err(UpstreamError::Revision(scrub::clean(first)))
}

/// What an error in answer to the question means: of this revision, or of any other.
fn read_refusal(error: &Raw) -> Result<Found, UpstreamError> {
    if frame::has_code(error, &[code::UNSUPPORTED_VERSION]) {
        let supported = Object::of(error, &[]).ok();
        let supported = supported.and_then(|error| error.get("data").cloned());
        let supported = supported.and_then(|data| {
            let data = Object::of(&data, &[]).ok()?;
            data.get("supported").cloned()
        });
        return match supported.map(|versions| chosen(&versions)).transpose()? {
            Some(Era::Sessions) => Ok(Found::Sessions { certain: true }),
            Some(Era::Alone) => Ok(Found::Refused(frame::refused(error))),
            None => Err(frame::refused(error)),
        };
    }
    if frame::has_code(error, &[code::HEADER_MISMATCH, code::MISSING_CAPABILITY]) {
        return Err(frame::refused(error));
    }
    Ok(Found::Sessions { certain: true })
}

/// What the lack of an answer means. Whoever cannot be reached is not asked another way.
fn read_failure(error: UpstreamError) -> Result<Found, UpstreamError> {
    match error {
        UpstreamError::Unreachable(_)
        | UpstreamError::Busy { .. }
        | UpstreamError::NoGrant(_)
        | UpstreamError::Client(_)
        | UpstreamError::Stopping => Err(error),
        UpstreamError::Failed { .. } | UpstreamError::Interrupted(_) => {
            Ok(Found::Sessions { certain: false })
        }
        UpstreamError::Handshake(_)
        | UpstreamError::Revision(_)
        | UpstreamError::Unauthorized(_)
        | UpstreamError::Forbidden { .. }
        | UpstreamError::NoEndpoint { .. }
        | UpstreamError::Redirected { .. }
        | UpstreamError::Rejected { .. }
        | UpstreamError::Refused { .. }
        | UpstreamError::Silent(_)
        | UpstreamError::TooLarge
        | UpstreamError::BadAnswer(_)
        | UpstreamError::BadList(_)
        | UpstreamError::Misdirected => Ok(Found::Sessions { certain: true }),
    }
}

/// Whether a session may have been refused because there are none any more.
fn is_about_the_era(error: &UpstreamError) -> bool {
    matches!(
        error,
        UpstreamError::Refused { .. }
            | UpstreamError::Rejected { .. }
            | UpstreamError::NoEndpoint { .. }
            | UpstreamError::BadAnswer(_)
            | UpstreamError::Revision(_)
    )
}
