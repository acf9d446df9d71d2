//! Who is asking: the person's standing for a call, and for a list.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::audit::{Event, RefusalReason};
use crate::login::{Grant, NoGrant, SignInError, Snapshot};
use crate::policy::Policy;
use crate::wire::Raw;
use crate::wording::chain;

use super::Gateway;
use super::act::Act;
use super::fault::Fault;

impl Gateway {
    /// The verified person with what the server's token allows; else why not, and the way in.
    pub(super) async fn standing(&self, act: &Act<'_>) -> Result<Arc<Grant>, Fault> {
        match self.parts.session.grant(&act.server.audience).await {
            Ok(grant) => Ok(grant),
            Err(NoGrant::NotSignedIn | NoGrant::Ended) => {
                self.record_refusal(act, None, RefusalReason::NotSignedIn)
                    .await;
                Err(Fault::NotSignedIn(self.invitation().await.into()))
            }
            Err(other) => {
                let text = chain(&other);
                self.record_refusal(act, None, RefusalReason::Other(text.clone().into()))
                    .await;
                Err(no_grant(&other))
            }
        }
    }

    /// A session that ended twice while a call was on its way has ended.
    pub(super) async fn session_lost(&self, act: Act<'_>) -> Result<Raw, Fault> {
        self.record_refusal(&act, None, RefusalReason::NotSignedIn)
            .await;
        Err(Fault::NotSignedIn(self.invitation().await.into()))
    }

    /// Starts the sign-in, or joins the one under way, and says how to go on.
    pub(super) async fn invitation(&self) -> String {
        if let Some(problem) = &self.parts.problem {
            return format!("Sign-in is not possible: {problem}");
        }
        match self.parts.session.begin_sign_in().await {
            Ok(link) => {
                self.watch_sign_in();
                format!(
                    "Sign-in needed. Open this link in your browser: {} then try again, no restart \
                     needed.",
                    link.url
                )
            }
            Err(error) => self.cannot_sign_in(&error),
        }
    }

    fn cannot_sign_in(&self, error: &SignInError) -> String {
        self.watch_sign_in();
        format!("Sign-in needed: {}.", chain(error))
    }

    /// Waits for the sign-in under way, whoever runs it, and brings the lists up to date.
    fn watch_sign_in(&self) {
        if self.parts.waiting_for_sign_in.swap(true, Ordering::SeqCst) {
            return;
        }
        let gateway = self.clone();
        self.parts.tasks.spawn_until_stop(async move {
            let signed_in = gateway.parts.session.signed_in().await;
            gateway
                .parts
                .waiting_for_sign_in
                .store(false, Ordering::SeqCst);
            if signed_in {
                gateway.begin_fetching();
                gateway.tell_changed();
            }
        });
    }

    /// Tells hosts when the person, his roles or his scopes are other than when lists were shown.
    pub(super) fn follow_person(&self) {
        let (gateway, mut changes) = (self.clone(), self.parts.session.changes());
        self.parts.tasks.spawn_until_stop(async move {
            while changes.changed().await.is_ok() {
                let (shown, now) = (gateway.last_shown_to().clone(), gateway.viewer());
                let key = |snapshot: &Snapshot| {
                    let Snapshot {
                        identity,
                        roles,
                        scopes,
                        ..
                    } = snapshot.clone();
                    (identity, roles, scopes)
                };
                if shown.is_some() && shown.as_ref().map(key) != now.as_ref().map(key) {
                    gateway.tell_changed();
                }
            }
        });
    }

    pub(super) fn shown_to(&self, snapshot: &Snapshot) {
        *self.last_shown_to() = Some(snapshot.clone());
    }

    fn last_shown_to(&self) -> MutexGuard<'_, Option<Snapshot>> {
        self.parts
            .shown_to
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of the person, good for lists alone.
    pub(super) fn viewer(&self) -> Option<Snapshot> {
        self.parts.session.snapshot()
    }

    /// The policy in force; a document that changed is put on record.
    pub(super) async fn policy(&self) -> Arc<Policy> {
        let in_force = self.parts.rules.in_force();
        if let Some(loaded) = in_force.changed {
            let event = Event::PolicyLoaded {
                digest: in_force.policy.digest().into(),
                file: self.parts.rules.place(),
                error: loaded.err(),
            };
            if let Err(error) = self.parts.audit.record(event).await {
                tracing::error!(
                    error = chain(error.as_ref()),
                    "a policy load could not be recorded"
                );
            }
        }
        in_force.policy
    }
}

/// What there is to say when there is no token.
pub(super) fn no_grant(error: &NoGrant) -> Fault {
    let text = chain(error);
    match error {
        NoGrant::Unreachable(_) => Fault::Unavailable(
            format!("Not sent: {text}. Try again when the identity provider answers.").into(),
        ),
        NoGrant::Keychain(cause) => {
            Fault::NotSignedIn(format!("Not sent: {text}. {}", cause.next_step()).into())
        }
        NoGrant::NotSignedIn | NoGrant::Ended => {
            Fault::NotSignedIn(format!("Not sent: {text}. Run `chaperone login`.").into())
        }
        NoGrant::Refused(_) => Fault::NotSignedIn(format!("Not sent: {text}").into()),
    }
}
