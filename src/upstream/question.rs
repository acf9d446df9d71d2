//! What a server asks of the host while it keeps a session: to put something to the person, to have
//! something written by the host's model, or to name its roots (revisions up to 2025-11-25).

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::link::Link;
use super::{Asides, Inner, Notice, frame};
use crate::bounds::{ASKED, LONGEST_QUESTION};
use crate::login::Grant;
use crate::wire::{Id, Object, Raw, Request, code};

/// A question, to be answered once. Whoever drops it unanswered leaves the server with an error.
#[derive(Debug)]
pub struct Question {
    /// `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: Box<str>,
    /// As they came.
    pub params: Option<Raw>,
    answer: oneshot::Sender<Result<Raw, Raw>>,
}

impl Question {
    /// Answers with a result, or an error object.
    pub fn answer(self, outcome: Result<Raw, Raw>) {
        // The server has withdrawn it.
        let _gone = self.answer.send(outcome);
    }

    /// Whether the server does not wait for the answer any more.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        self.answer.is_closed()
    }

    /// Resolves when the server does not wait for the answer any more.
    pub async fn withdrawn(&mut self) {
        self.answer.closed().await;
    }
}

/// The questions of a server that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: Mutex<HashMap<Id, CancellationToken>>,
    count: watch::Sender<usize>,
    /// How often the server has asked since it was asked something.
    asked: AtomicUsize,
}

impl Questions {
    /// Whether somebody is being asked, so that the server is not to blame for its silence.
    pub(super) fn any(&self) -> bool {
        *self.count.borrow() > 0
    }

    /// Resolves when nobody is.
    pub(super) async fn none(&self) {
        let mut count = self.count.subscribe();
        // The sender lives as long as this.
        let _none = count.wait_for(|count| *count == 0).await;
    }

    /// The server is asked something, and may ask back.
    pub(super) fn allow(&self) {
        self.asked.store(0, Ordering::Relaxed);
    }

    /// Whether the server may ask once more.
    pub(super) fn take_turn(&self) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed) < ASKED
    }

    /// The server withdraws a question.
    pub(super) fn withdraw(&self, params: &Raw) {
        let id = Object::of(params, &["requestId"]).ok();
        let id = id.and_then(|params| Id::from_raw(params.get("requestId")?));
        if let Some(token) = id.and_then(|id| self.open().remove(&id)) {
            token.cancel();
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Id, CancellationToken>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open question.
struct Entered {
    inner: Arc<Inner>,
    id: Id,
    token: CancellationToken,
}

impl Entered {
    fn of(inner: &Arc<Inner>, id: Id) -> Self {
        let token = CancellationToken::new();
        let questions = &inner.questions;
        questions.open().insert(id.clone(), token.clone());
        questions.count.send_modify(|count| *count += 1);
        let inner = Arc::clone(inner);
        Self { inner, id, token }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let questions = &self.inner.questions;
        questions.open().remove(&self.id);
        questions.count.send_modify(|count| *count -= 1);
    }
}

impl Inner {
    /// Has a question answered, and passes the answer on. It ends with the session.
    pub(super) fn put(
        self: &Arc<Self>,
        link: &Arc<Link>,
        bearer: Option<&Arc<Grant>>,
        request: Request,
        asides: Option<&Asides>,
        place: OwnedSemaphorePermit,
    ) {
        let (answer, answered) = oneshot::channel();
        let question = Question {
            method: request.method,
            params: request.params,
            answer,
        };
        let unheard = match asides {
            Some(asides) => asides.question(question),
            None => Err(question),
        };
        if let Err(question) = unheard {
            self.notify(Notice::Asked(self.config.name.clone(), question));
        }
        // Before anything else is heard, which may be that it is withdrawn.
        let entered = Entered::of(self, request.id);
        let (held, bearer) = (Arc::clone(link), bearer.cloned());
        link.tasks.spawn_until_stop(async move {
            let outcome = tokio::select! {
                () = entered.token.cancelled() => return,
                outcome = tokio::time::timeout(LONGEST_QUESTION, answered) => match outcome {
                    Ok(Ok(outcome)) => outcome,
                    Ok(Err(_)) | Err(_) => Err(not_answered()),
                },
            };
            let body = frame::answer(&entered.id, &outcome);
            entered
                .inner
                .tell_aside(&held, bearer.as_ref(), body, place);
        });
    }
}

fn not_answered() -> Raw {
    let error = json!({"code": code::METHOD_NOT_FOUND, "message": "nobody can answer this now"});
    Raw::of(&error).unwrap_or_else(|_| Raw::empty_object())
}
