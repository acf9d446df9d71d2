//! Whether there is a session, and how there comes to be one: the first request opens it, however
//! many wait; a server that was wanted and is away is tried again until it is back.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use http::Method;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::deadline::Deadline;
use super::fault::UpstreamError;
use super::link::Link;
use super::{Health, Inner};
use crate::login::Grant;
use crate::wording::chain;

/// A request that finds the server away tries by itself if the last attempt ended this long ago, or
/// if trying costs nothing; else it fails at once with that attempt's reason.
const STALE: Duration = Duration::from_secs(1);
/// Pauses between attempts of its own. The longest, with the attempt, stays under 5 s.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_millis(3500);
/// Between the end of one attempt and the begin of the next.
const BREATH: Duration = Duration::from_millis(100);
/// How long the end of a session may take.
const FAREWELL: Duration = Duration::from_secs(1);

type Opening = Shared<BoxFuture<'static, Result<Arc<Link>, UpstreamError>>>;

/// What is known of the session.
#[derive(Debug, Default)]
pub(super) struct Dial {
    state: State,
    /// The attempt that is under way; all who want a session wait for it.
    opening: Option<Opening>,
    /// There has been an attempt or a session before, so that the lists may be other ones now.
    before: bool,
    /// Somebody tries again by himself.
    recovering: bool,
    /// The session that broke off, which the server may still keep.
    orphan: Option<Arc<Link>>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    None,
    Up(Arc<Link>),
    Away(Away),
    Closed,
}

#[derive(Debug)]
struct Away {
    why: UpstreamError,
    since: Instant,
    retry_at: Instant,
}

impl Inner {
    /// The session, opened first if need be.
    pub(super) async fn link(
        self: &Arc<Self>,
        who: Option<&Arc<Grant>>,
        deadline: Deadline,
    ) -> Result<Arc<Link>, UpstreamError> {
        // Twice, because the attempt that was under way may have been for somebody else.
        for _attempt in 0..2 {
            let opening = match self.ready(who) {
                Ready::Link(link) => return Ok(link),
                Ready::Opening(opening) => opening,
                Ready::Not(error) => return Err(error),
            };
            let link = deadline
                .bound(opening)
                .await
                .map_err(UpstreamError::in_handshake)?;
            if link.belongs_to(who) {
                return Ok(link);
            }
        }
        Err(UpstreamError::Stopping)
    }

    fn ready(self: &Arc<Self>, who: Option<&Arc<Grant>>) -> Ready {
        let mut dial = self.dial();
        if let Some(opening) = &dial.opening {
            return Ready::Opening(opening.clone());
        }
        match &dial.state {
            State::Up(link) if link.belongs_to(who) && link.knows(&self.abilities()) => {
                return Ready::Link(Arc::clone(link));
            }
            // Of somebody else, or of a host that could do less.
            State::Up(link) => {
                link.tasks.stop();
                if !link.belongs_to(who) {
                    self.subscriptions.clear();
                }
            }
            State::Away(away)
                if away.why.passes()
                    && !away.why.is_told_at_once()
                    && away.since.elapsed() < STALE =>
            {
                return Ready::Not(away.why.clone());
            }
            State::Closed => return Ready::Not(UpstreamError::Stopping),
            State::Away(_) | State::None => {}
        }
        Ready::Opening(self.begin(&mut dial, who.cloned()))
    }

    /// Starts an attempt. It is a task of its own, so that the one who wanted it first may give up
    /// without costing the others.
    fn begin(self: &Arc<Self>, dial: &mut Dial, who: Option<Arc<Grant>>) -> Opening {
        let (done, outcome) = oneshot::channel();
        let inner = Arc::clone(self);
        self.tasks.spawn_until_stop(async move {
            let opened = inner.open(who.clone()).await;
            inner.settle(&opened, who.as_ref());
            let _nobody_waits = done.send(opened);
        });
        let outcome = outcome.map(|sent| sent.unwrap_or(Err(UpstreamError::Stopping)));
        let opening = outcome.boxed().shared();
        dial.opening = Some(opening.clone());
        opening
    }

    fn settle(
        self: &Arc<Self>,
        opened: &Result<Arc<Link>, UpstreamError>,
        who: Option<&Arc<Grant>>,
    ) {
        let mut dial = self.dial();
        dial.opening = None;
        let before = std::mem::replace(&mut dial.before, true);
        match opened {
            Ok(link) if matches!(dial.state, State::Closed) => link.tasks.stop(),
            Ok(link) => {
                dial.state = State::Up(Arc::clone(link));
                let orphan = dial.orphan.take();
                drop(dial);
                self.attend(link, orphan, who);
                if before {
                    self.all_changed();
                }
            }
            Err(error) => self.mark_away(&mut dial, error.clone()),
        }
    }

    /// What goes with a new session: its stream, and the end of the one before it.
    fn attend(
        self: &Arc<Self>,
        link: &Arc<Link>,
        orphan: Option<Arc<Link>>,
        who: Option<&Arc<Grant>>,
    ) {
        let (inner, held) = (Arc::clone(self), Arc::clone(link));
        if link.is_alone() {
            link.tasks.spawn_until_stop(inner.hold_subscription(held));
        } else {
            link.tasks.spawn_until_stop(inner.listen(held));
            let (inner, held) = (Arc::clone(self), Arc::clone(link));
            link.tasks.spawn_until_stop(inner.subscribe_again(held));
        }
        if let Some(orphan) = orphan.filter(|orphan| orphan.belongs_to(who)) {
            let (inner, who) = (Arc::clone(self), who.cloned());
            self.aside(async move { inner.farewell(&orphan, who.as_ref()).await });
        }
    }

    /// The server no longer knows this session. Another is opened at once, because the lists may
    /// have changed with it.
    pub(super) fn lost(self: &Arc<Self>, link: &Arc<Link>, who: Option<&Arc<Grant>>) {
        let mut dial = self.dial();
        if dial.is(link) {
            link.tasks.stop();
            dial.state = State::None;
            if dial.opening.is_none() {
                let _for_whoever_wants_it = self.begin(&mut dial, who.cloned());
            }
        }
    }

    /// The server does not seem to be spoken to like this any more; whoever wants something next
    /// finds out.
    pub(super) fn doubt(self: &Arc<Self>, link: &Arc<Link>) {
        let mut dial = self.dial();
        if dial.is(link) {
            link.tasks.stop();
            self.memory.forget();
            dial.state = State::None;
        }
    }

    /// The server cannot be reached.
    pub(super) fn away(self: &Arc<Self>, link: &Arc<Link>, error: UpstreamError) {
        let mut dial = self.dial();
        if dial.is(link) {
            link.tasks.stop();
            dial.orphan = Some(Arc::clone(link)).filter(|link| link.heads.has_session());
            self.mark_away(&mut dial, error);
        }
    }

    fn mark_away(self: &Arc<Self>, dial: &mut Dial, why: UpstreamError) {
        if matches!(dial.state, State::Closed) {
            return;
        }
        if !matches!(dial.state, State::Away(_)) {
            tracing::warn!(server = %self.config.name, reason = chain(&why), "the server is away");
        }
        let passes = why.passes();
        let now = Instant::now();
        dial.state = State::Away(Away {
            why,
            since: now,
            retry_at: now,
        });
        if passes && !std::mem::replace(&mut dial.recovering, true) {
            self.tasks.spawn_until_stop(Arc::clone(self).recover());
        }
    }

    /// Tries again until the server is back, or nothing more can be hoped for.
    async fn recover(self: Arc<Self>) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut begun = Instant::now();
        while let Some(pause) = self.pause(begun, backoff.next()) {
            tokio::time::sleep_until(pause).await;
            begun = Instant::now();
            let Some(opening) = self.retry() else {
                break;
            };
            let _recorded_in_the_state = opening.await;
        }
    }

    /// When to try next; `None`, and no longer recovering, when that is over.
    fn pause(&self, begun: Instant, pause: Duration) -> Option<Instant> {
        let mut dial = self.dial();
        if let State::Away(away) = &mut dial.state
            && away.why.passes()
        {
            // Counted from the begin of the last attempt: one that waited for a silent server has
            // waited already.
            away.retry_at = (begun + pause).max(Instant::now() + BREATH);
            return Some(away.retry_at);
        }
        dial.recovering = false;
        None
    }

    fn retry(self: &Arc<Self>) -> Option<Opening> {
        let mut dial = self.dial();
        if let Some(opening) = &dial.opening {
            return Some(opening.clone());
        }
        if matches!(dial.state, State::Away(_)) {
            return Some(self.begin(&mut dial, None));
        }
        dial.recovering = false;
        None
    }

    /// Ends the session at the server, as far as a second allows.
    pub(super) async fn hang_up(self: &Arc<Self>) {
        let state = std::mem::replace(&mut self.dial().state, State::Closed);
        let end = async {
            if let State::Up(link) = state {
                link.tasks.stop();
                if let Ok(who) = self.standing(None).await
                    && link.belongs_to(who.as_ref())
                {
                    self.farewell(&link, who.as_ref()).await;
                }
            }
        };
        // A server that does not answer in time forgets the session by itself.
        let _in_time = tokio::time::timeout(FAREWELL, end).await;
        self.tasks.stop();
    }

    async fn farewell(&self, link: &Link, who: Option<&Arc<Grant>>) {
        if link.heads.has_session() {
            let head = link.heads.get(self.bearer(who).map(AsRef::as_ref), None);
            let deleted = self.execute(Method::DELETE, head, None);
            // Servers may refuse (405) and may be gone; neither changes anything here.
            let _whatever = tokio::time::timeout(FAREWELL, deleted).await;
        }
    }

    /// The session, if there is one now.
    pub(super) fn current(&self) -> Option<Arc<Link>> {
        match &self.dial().state {
            State::Up(link) => Some(Arc::clone(link)),
            State::None | State::Away(_) | State::Closed => None,
        }
    }

    pub(super) fn health(&self) -> Health {
        match &self.dial().state {
            State::None | State::Closed => Health::Unused,
            State::Up(link) => Health::Up {
                server_info: link.server_info.clone(),
                revision: link.revision.into(),
            },
            State::Away(away) => Health::Down {
                reason: chain(&away.why).into(),
                retry_in: away.retry_at.saturating_duration_since(Instant::now()),
            },
        }
    }

    fn dial(&self) -> MutexGuard<'_, Dial> {
        self.dial.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Ready {
    Link(Arc<Link>),
    Opening(Opening),
    Not(UpstreamError),
}

impl Dial {
    fn is(&self, link: &Arc<Link>) -> bool {
        matches!(&self.state, State::Up(known) if Arc::ptr_eq(known, link))
    }
}
