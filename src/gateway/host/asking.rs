//! Requests to a host that has a session: what a server asks, under identities of our own, so that
//! those of different servers never meet.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::bounds::{PATIENCE, QUESTIONS};
use crate::wire::{Id, Message, Notification, Raw, Request, Response, method};

/// Why a host has not answered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NoAnswer {
    /// It cannot be asked this.
    #[error("the host cannot be asked this")]
    Cannot,
    /// Too much is asked of it already.
    #[error("too many questions are open at the host")]
    Busy,
    /// It answered with an error.
    #[error("the host answered with an error")]
    Error(Raw),
    /// It answered with something that is no result.
    #[error("the host's answer is no object")]
    Unusable,
    /// It is gone, or took too long.
    #[error("the host did not answer")]
    Silent,
}

/// The questions that wait for the host's answer.
#[derive(Debug, Default)]
pub(super) struct Asking {
    last: AtomicU64,
    waiting: Mutex<HashMap<Id, oneshot::Sender<Result<Raw, Raw>>>>,
}

/// A question that is taken back when nobody waits for its answer any more.
struct Open<'a> {
    asking: &'a Asking,
    outbox: &'a mpsc::Sender<Message>,
    id: Id,
}

impl Asking {
    /// Asks the host and waits for its answer, [`PATIENCE`] at most. Dropping the future takes the
    /// question back.
    pub(super) async fn ask(
        &self,
        outbox: &mpsc::Sender<Message>,
        method: &str,
        params: Option<Raw>,
    ) -> Result<Raw, NoAnswer> {
        let nth = self.last.fetch_add(1, Ordering::Relaxed);
        let id = Id::named(&format!("chaperone-{nth}"));
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.waiting();
            if waiting.len() >= QUESTIONS {
                return Err(NoAnswer::Busy);
            }
            waiting.insert(id.clone(), answer);
        }
        let open = Open {
            asking: self,
            outbox,
            id: id.clone(),
        };
        let request = Message::Request(Request {
            id,
            method: method.into(),
            params,
        });
        outbox.send(request).await.map_err(|_| NoAnswer::Silent)?;
        let outcome = match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(outcome)) => outcome.map_err(NoAnswer::Error),
            Ok(Err(_)) | Err(_) => Err(NoAnswer::Silent),
        };
        drop(open);
        outcome
    }

    /// Takes an answer of the host; whether somebody waited for it.
    pub(super) fn answered(&self, response: Response) -> bool {
        let waiting = response.id.and_then(|id| self.waiting().remove(&id));
        waiting.is_some_and(|answer| answer.send(response.outcome).is_ok())
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Id, oneshot::Sender<Result<Raw, Raw>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if self.asking.waiting().remove(&self.id).is_none() {
            return;
        }
        let params = json!({"requestId": self.id.as_value(), "reason": "nobody waits any more"});
        let notice = Message::Notification(Notification {
            method: method::CANCELLED.into(),
            params: Raw::of(&params).ok(),
        });
        // A host that does not read answers a question that nobody waits for.
        let _lost = self.outbox.try_send(notice);
    }
}
