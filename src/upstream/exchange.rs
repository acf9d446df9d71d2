//! One message to the server, and what the status of its answer means.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Method, StatusCode};
use reqwest::Response;

use super::body::{self, Events};
use super::deadline::Deadline;
use super::fault::{BadAnswer, Broken, ConnectFault, Said, UpstreamError};
use super::head::{self, Kind, Repeated, Trace};
use super::link::Link;
use super::scrub::Scrubber;
use super::{Asides, Inner, frame};
use crate::audit::Call;
use crate::login::Grant;
use crate::wire::{Message, Raw, Response as Reply, code, method, stateless};

/// How long a message that nobody waits for may take.
const ASIDE: Duration = Duration::from_secs(2);

/// A request that is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange<'a> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) link: &'a Arc<Link>,
    pub(super) bearer: Option<&'a Arc<Grant>>,
    pub(super) id: u64,
    pub(super) asides: Option<&'a Asides>,
}

/// A result, or an error object.
pub(super) type Outcome = Result<Raw, Raw>;

/// What came of one attempt.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The end, good or bad.
    Answered(Result<Outcome, UpstreamError>),
    /// 401: not carried out, worth another attempt with another token.
    Unauthorized(UpstreamError),
    /// The server no longer knows the session, or is spoken to in another way by now: not carried
    /// out, worth another attempt in a new session.
    SessionLost(UpstreamError),
}

impl From<UpstreamError> for Verdict {
    fn from(error: UpstreamError) -> Self {
        Self::Answered(Err(error))
    }
}

impl Exchange<'_> {
    /// Sends the request and waits for the head of the answer.
    pub(super) async fn post(
        &self,
        trace: Option<Trace<'_>>,
        repeated: Option<Repeated<'_>>,
        body: Bytes,
    ) -> Result<Response, UpstreamError> {
        let bearer = self.bearer.map(AsRef::as_ref);
        let mut head = self.link.heads.post(bearer, trace);
        if let Some(repeated) = repeated.filter(|_| self.link.is_alone()) {
            head::repeat(&mut head, repeated);
        }
        self.inner.execute(Method::POST, head, Some(body)).await
    }

    /// Reads the answer.
    pub(super) async fn judge(&self, response: Response) -> Verdict {
        if !response.status().is_success() {
            return self.refusal(response).await;
        }
        match self.answer(response).await {
            Ok(Err(error)) => self.refused(error),
            outcome => Verdict::Answered(outcome.map(|outcome| self.scrubbed(outcome))),
        }
    }

    /// What a JSON-RPC error means: mostly it is the answer.
    fn refused(&self, error: Raw) -> Verdict {
        let error = self.scrubber().raw(error);
        let other_era: &[i32] = if self.link.is_alone() {
            &[code::UNSUPPORTED_VERSION]
        } else {
            // Nothing in a session is refused like this.
            &[code::UNSUPPORTED_VERSION, code::HEADER_MISMATCH]
        };
        if frame::has_code(&error, other_era) && !self.is_probe() {
            self.inner.memory.forget();
            return Verdict::SessionLost(frame::refused(&error));
        }
        Verdict::Answered(Ok(Err(error)))
    }

    /// Whether this finds out how the server is spoken to.
    fn is_probe(&self) -> bool {
        self.link.capabilities.is_none()
    }

    async fn answer(&self, mut response: Response) -> Result<Outcome, UpstreamError> {
        match head::kind(response.headers()) {
            Kind::Events => self.follow(Events::new(response)).await,
            Kind::Json => {
                let status = response.status().as_u16();
                let text = body::whole(&mut response).await?;
                if text.is_empty() {
                    return Err(BadAnswer::Empty(status).into());
                }
                self.mine(read(&text)?)
            }
            Kind::Other(kind) => Err(BadAnswer::Kind {
                said: self.explained(&mut response).await,
                kind,
            }
            .into()),
        }
    }

    /// The outcome, if the message is the answer to this request.
    fn mine(&self, message: Message) -> Result<Outcome, UpstreamError> {
        match message {
            Message::Response(reply) if self.is_mine(&reply) => Ok(reply.outcome),
            Message::Response(_) | Message::Request(_) | Message::Notification(_) => {
                self.inner.count_stray();
                Err(BadAnswer::Foreign.into())
            }
        }
    }

    /// Whether an answer is this request's. A server that could not read the request answers with
    /// an error whose `id` is null, and says so where the request's answer is expected.
    pub(super) fn is_mine(&self, reply: &Reply) -> bool {
        match &reply.id {
            Some(id) => id.as_number() == Some(self.id),
            None => reply.outcome.is_err(),
        }
    }

    /// What a status other than 2xx means.
    async fn refusal(&self, mut response: Response) -> Verdict {
        let status = response.status();
        let code = status.as_u16();
        if status.is_redirection() {
            return UpstreamError::Redirected { status: code }.into();
        }
        match status {
            StatusCode::UNAUTHORIZED => {
                let said = head::complaint(response.headers());
                let said = Said::new(&self.scrubber().excerpt(said));
                Verdict::Unauthorized(UpstreamError::Unauthorized(said))
            }
            StatusCode::FORBIDDEN => {
                let scope = head::missing_scope(response.headers());
                let scope = scope.map(|scope| self.scrubber().excerpt(scope));
                let said = self.explained(&mut response).await;
                UpstreamError::Forbidden { scope, said }.into()
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let retry_after = head::retry_after(response.headers());
                UpstreamError::Busy { retry_after }.into()
            }
            StatusCode::NOT_FOUND if self.link.heads.has_session() => {
                Verdict::SessionLost(UpstreamError::NoEndpoint {
                    status: code,
                    said: self.explained(&mut response).await,
                })
            }
            _ => self.explained_refusal(response).await,
        }
    }

    /// A status that says little without the body: a JSON-RPC error in it is the answer.
    async fn explained_refusal(&self, mut response: Response) -> Verdict {
        let status = response.status();
        let code = status.as_u16();
        let text = body::explanation(&mut response).await;
        if let Ok(Message::Response(reply)) = Message::parse(&text)
            && self.is_mine(&reply)
            && let Err(error) = reply.outcome
        {
            let nameless = reply.id.is_none() && self.link.heads.has_session();
            if status == StatusCode::BAD_REQUEST && nameless && self.session_is_gone().await {
                return Verdict::SessionLost(frame::refused(&self.scrubber().raw(error)));
            }
            return self.refused(error);
        }
        if self.link.is_alone() {
            // Whoever takes requests that stand alone explains himself.
            self.inner.doubt(self.link);
        }
        let said = self.said(response.headers(), &text);
        match status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE => {
                UpstreamError::NoEndpoint { status: code, said }.into()
            }
            _ if status.is_client_error() => UpstreamError::Rejected { status: code, said }.into(),
            _ if status.is_server_error() => UpstreamError::Failed { status: code, said }.into(),
            _ => UpstreamError::from(BadAnswer::Status(code)).into(),
        }
    }

    /// Whether even a `ping` is refused: widespread servers answer 400 instead of 404 when they
    /// have forgotten the session, which is told from a bad request by asking something harmless.
    async fn session_is_gone(&self) -> bool {
        let ping = frame::request(self.inner.next_id(), method::PING, None);
        match self.post(None, None, ping).await {
            Ok(response) => matches!(
                response.status(),
                StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND
            ),
            Err(_unreachable) => false,
        }
    }

    async fn explained(&self, response: &mut Response) -> Said {
        let text = body::explanation(response).await;
        self.said(response.headers(), &text)
    }

    /// How a body begins; of a web page that is of no use.
    fn said(&self, head: &HeaderMap, text: &[u8]) -> Said {
        if matches!(head::kind(head), Kind::Other(kind) if kind.contains("html")) {
            return Said::default();
        }
        Said::new(&self.scrubber().excerpt(&String::from_utf8_lossy(text)))
    }

    pub(super) fn scrubber(&self) -> Scrubber {
        Scrubber::new(self.bearer.cloned())
    }

    fn scrubbed(&self, outcome: Outcome) -> Outcome {
        let scrubber = self.scrubber();
        match outcome {
            Ok(result) => Ok(scrubber.raw(result)),
            Err(error) => Err(scrubber.raw(error)),
        }
    }
}

fn read(text: &[u8]) -> Result<Message, BadAnswer> {
    Message::parse(text).map_err(|malformed| BadAnswer::Malformed(malformed.reason))
}

impl Inner {
    /// Sends one HTTP request and waits for the head of its answer.
    pub(super) async fn execute(
        &self,
        method: Method,
        head: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Response, UpstreamError> {
        let client = self.client().await?;
        let mut request = reqwest::Request::new(method, self.config.url.clone());
        *request.headers_mut() = head;
        *request.body_mut() = body.map(Into::into);
        client.execute(request).await.map_err(|error| {
            if error.is_connect() {
                let limit = self.config.connect_timeout;
                UpstreamError::Unreachable(ConnectFault::of(&error, limit))
            } else {
                UpstreamError::Interrupted(Some(Broken::of(&error)))
            }
        })
    }

    /// Sends a notification of a host, in the words of the server's revision.
    pub(super) async fn tell_of(
        self: &Arc<Self>,
        call: &Call,
        grant: &Arc<Grant>,
    ) -> Result<(), UpstreamError> {
        let deadline = Deadline::after(self.config.call_timeout);
        let who = self.standing(Some(Arc::clone(grant))).await?;
        let link = self.link(who.as_ref(), deadline).await?;
        let params = if link.is_alone() {
            stateless::on_terms(&call.params, self.abilities().as_raw(), None)
        } else {
            call.params.clone()
        };
        let body = frame::notification(&call.method, Some(params.get()));
        let telling = self.tell(&link, who.as_ref(), body);
        deadline.bound(telling).await
    }

    /// Sends a message that has no answer, and waits until the server has taken it.
    pub(super) async fn tell(
        self: &Arc<Self>,
        link: &Link,
        who: Option<&Arc<Grant>>,
        body: Bytes,
    ) -> Result<(), UpstreamError> {
        let head = link.heads.post(self.bearer(who).map(AsRef::as_ref), None);
        let response = self.execute(Method::POST, head, Some(body)).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        Err(UpstreamError::Rejected {
            status: status.as_u16(),
            said: Said::default(),
        })
    }

    /// Sends such a message in the background, where it may get lost. `held` is let go after it.
    pub(super) fn tell_aside(
        self: &Arc<Self>,
        link: &Arc<Link>,
        who: Option<&Arc<Grant>>,
        body: Bytes,
        held: impl Send + 'static,
    ) {
        let (inner, link, who) = (Arc::clone(self), Arc::clone(link), who.cloned());
        self.aside(async move {
            let told = inner.tell(&link, who.as_ref(), body);
            if let Ok(Err(error)) = tokio::time::timeout(ASIDE, told).await {
                tracing::debug!(server = %inner.config.name, error = %error, "a message got lost");
            }
            drop(held);
        });
    }

    /// Runs something that nobody waits for, unless chaperone is stopping.
    pub(super) fn aside(&self, work: impl Future<Output = ()> + Send + 'static) {
        // A future may be dropped after the runtime, and then nothing can be started.
        if tokio::runtime::Handle::try_current().is_ok() && !self.tasks.is_stopping() {
            self.tasks.spawn_until_stop(work);
        }
    }
}
