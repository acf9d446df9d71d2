//! The story of one request: a session, the message, another try where it is certain that nothing
//! was carried out, and word to the server when nobody waits any more.

use std::pin::pin;
use std::sync::Arc;

use super::deadline::Deadline;
use super::exchange::{Exchange, Verdict};
use super::fault::UpstreamError;
use super::head::{Repeated, Trace};
use super::link::Link;
use super::{Along, Answer, Inner, frame, subscribe};
use crate::config::ServerAuth;
use crate::login::{Grant, NoGrant};
use crate::wire::{Raw, method, rounds, stateless};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    pub(super) params: Option<&'a Raw>,
    pub(super) trace: Trace<'a>,
    pub(super) along: &'a Along,
    pub(super) deadline: Deadline,
}

/// How often a request that changes nothing is sent again after its answer broke off.
const REISSUES: u32 = 2;

/// Whether a request may be sent again though it may have been carried out; no tool is known to be
/// of that kind.
fn changes_nothing(asked: &str) -> bool {
    matches!(
        asked,
        method::TOOLS_LIST
            | method::PROMPTS_LIST
            | method::RESOURCES_LIST
            | method::TEMPLATES_LIST
            | method::RESOURCES_READ
            | method::PROMPTS_GET
            | method::COMPLETE
    )
}

impl Ask<'_> {
    fn body(&self, id: u64, link: &Link) -> bytes::Bytes {
        if !link.is_alone() {
            return frame::request(id, self.method, self.params);
        }
        let none = Raw::empty_object();
        let abilities = self.along.abilities.as_raw();
        let params = self.params.unwrap_or(&none);
        let params = stateless::on_terms(params, abilities, self.along.level);
        frame::request(id, self.method, Some(&params))
    }

    fn repeated(&self) -> Repeated<'_> {
        Repeated {
            method: self.method,
            params: self.params,
            mirrors: &self.along.mirrors,
        }
    }
}

impl Inner {
    /// Asks, within the deadline.
    pub(super) async fn ask(self: &Arc<Self>, ask: Ask<'_>, who: Option<Arc<Grant>>) -> Answer {
        let mut answer = Answer::of(UpstreamError::Stopping);
        answer.outcome = self.ask_into(&mut answer, ask, who).await;
        answer
    }

    async fn ask_into(
        self: &Arc<Self>,
        answer: &mut Answer,
        ask: Ask<'_>,
        who: Option<Arc<Grant>>,
    ) -> Result<super::exchange::Outcome, UpstreamError> {
        let mut who = self.standing(who).await?;
        let mut id = self.next_id();
        let (mut renewed, mut reopened, mut broken) = (false, false, 0);
        loop {
            let link = self.link(who.as_ref(), ask.deadline).await?;
            if link.is_alone() && subscribe::is_of_subscriptions(ask.method) {
                answer.alone = true;
                return Box::pin(self.subscribe_alone(ask)).await;
            }
            if rounds::may_ask(ask.method) {
                self.questions.allow();
                link.can_ask().await;
            }
            let exchange = Exchange {
                inner: self,
                link: &link,
                bearer: self.bearer(who.as_ref()),
                id,
                asides: ask.along.asides.as_ref(),
            };
            let body = ask.body(id, &link);
            answer.bytes_out = u64::try_from(body.len()).unwrap_or(u64::MAX);
            answer.alone = link.is_alone();
            match exchange.attempt(answer, ask, body).await? {
                Verdict::Answered(Err(UpstreamError::Interrupted(_)))
                    if broken < REISSUES && link.is_alone() && changes_nothing(ask.method) =>
                {
                    broken += 1;
                    id = self.next_id();
                }
                Verdict::Answered(outcome) => {
                    if matches!(outcome, Ok(Ok(_))) {
                        self.subscriptions.note(ask.method, ask.params);
                    }
                    return outcome;
                }
                Verdict::Unauthorized(error) if renewed => return Err(error),
                Verdict::Unauthorized(error) => {
                    renewed = true;
                    who = Some(self.renewed(who.as_ref(), error).await?);
                }
                Verdict::SessionLost(error) if reopened => return Err(error),
                Verdict::SessionLost(_) => {
                    reopened = true;
                    self.lost(&link, who.as_ref());
                }
            }
        }
    }

    /// Who asks: the one given, else whoever is signed in. A server without sign-in asks nobody.
    pub(super) async fn standing(
        &self,
        given: Option<Arc<Grant>>,
    ) -> Result<Option<Arc<Grant>>, UpstreamError> {
        match (self.config.auth, given) {
            (_, Some(grant)) => Ok(Some(grant)),
            (ServerAuth::None, None) => Ok(None),
            (ServerAuth::Sso, None) => Ok(Some(self.session.grant(&self.audience).await?)),
        }
    }

    /// Another token after the server refused the one that was sent; `error` if there is none.
    pub(super) async fn renewed(
        &self,
        rejected: Option<&Arc<Grant>>,
        error: UpstreamError,
    ) -> Result<Arc<Grant>, UpstreamError> {
        let Some(rejected) = self.bearer(rejected) else {
            return Err(error);
        };
        match self.session.grant_after(&self.audience, rejected).await {
            Ok(grant) => Ok(grant),
            Err(NoGrant::Refused(why)) => {
                tracing::warn!(server = %self.config.name, %why, "there is no other token");
                Err(error)
            }
            Err(why) => Err(why.into()),
        }
    }

    /// The grant whose token goes along, if the server is one that gets tokens.
    pub(super) fn bearer<'a>(&self, who: Option<&'a Arc<Grant>>) -> Option<&'a Arc<Grant>> {
        match self.config.auth {
            ServerAuth::Sso => who,
            ServerAuth::None => None,
        }
    }
}

impl Exchange<'_> {
    /// Sends the request once and waits for what comes of it.
    async fn attempt(
        &self,
        answer: &mut Answer,
        ask: Ask<'_>,
        body: bytes::Bytes,
    ) -> Result<Verdict, UpstreamError> {
        let mut withdrawal = Withdrawal::armed(self);
        let verdict = async {
            let questions = &self.inner.questions;
            let response = {
                let posting = pin!(self.post(Some(ask.trace), Some(ask.repeated()), body));
                match ask.deadline.bound_but_for(questions, posting).await {
                    // Nobody knows how much of it arrived.
                    Err(error @ UpstreamError::Interrupted(_)) => return Ok(error.into()),
                    other => other?,
                }
            };
            answer.http_status = Some(response.status().as_u16());
            let judged = pin!(async { Ok(self.judge(response).await) });
            ask.deadline.bound_but_for(questions, judged).await
        }
        .await;
        match &verdict {
            Err(UpstreamError::Silent(_)) => withdrawal.reason = "no answer in time",
            Err(error @ UpstreamError::Unreachable(_)) => {
                withdrawal.disarm();
                self.inner.away(self.link, error.clone());
            }
            Ok(_) | Err(_) => withdrawal.disarm(),
        }
        verdict
    }
}

/// Tells the server that nobody waits for the answer any more, unless it is disarmed: when the
/// deadline has passed, and when the future is dropped because the host withdrew its request.
struct Withdrawal {
    /// Whom to tell, as whom.
    armed: Option<(Arc<Link>, Option<Arc<Grant>>)>,
    inner: Arc<Inner>,
    id: u64,
    reason: &'static str,
}

impl Withdrawal {
    fn armed(exchange: &Exchange<'_>) -> Self {
        Self {
            armed: Some((Arc::clone(exchange.link), exchange.bearer.cloned())),
            inner: Arc::clone(exchange.inner),
            id: exchange.id,
            reason: "withdrawn by the host",
        }
    }

    fn disarm(&mut self) {
        self.armed = None;
    }
}

impl Drop for Withdrawal {
    fn drop(&mut self) {
        if let Some((link, who)) = self.armed.take() {
            if link.is_alone() {
                // The end of its connection says so.
                return;
            }
            let message = frame::cancelled(self.id, self.reason);
            self.inner.tell_aside(&link, who.as_ref(), message, ());
        }
    }
}
