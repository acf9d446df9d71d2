//! Who is asking: the person's standing for a call, and for a list.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::audit::Event;
use crate::catalog::Changed;
use crate::login::{Grant, NoGrant, SignInError, Snapshot};
use crate::policy::Policy;
use crate::wording::chain;

use super::act::Act;
use super::fault::Fault;
use super::{Gateway, late};

impl Gateway {
    /// The verified person with what the server's token allows; else why not, and the way in.
    pub(super) async fn standing(&self, act: &Act<'_>) -> Result<Arc<Grant>, Fault> {
        match self.parts.session.grant(&act.server.audience).await {
            Ok(grant) => Ok(grant),
            Err(why) => {
                self.record_refusal(act, None, late::reason(&why)).await;
                Err(self.without(&why).await)
            }
        }
    }

    /// A session that ended twice while a call was on its way has ended.
    pub(super) async fn session_lost(&self, act: Act<'_>) -> Fault {
        let why = NoGrant::Ended;
        self.record_refusal(&act, None, late::reason(&why)).await;
        self.without(&why).await
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
                gateway.tell_changed(Changed::ALL);
            }
        });
    }

    /// Tells hosts when the person, his roles or his scopes are other than when lists were shown.
    pub(super) fn follow_person(&self) {
        let (gateway, mut changes) = (self.clone(), self.parts.session.changes());
        self.parts.tasks.spawn_until_stop(async move {
            while changes.changed().await.is_ok() {
                let now = gateway.viewer();
                let differs = gateway
                    .last_shown_to()
                    .as_ref()
                    .is_some_and(|shown| now.as_ref().is_none_or(|now| !sees_the_same(shown, now)));
                if differs {
                    gateway.tell_changed(Changed::ALL);
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

    /// The policy in force. Whoever sees first that the document changed waits until that is on record.
    pub(super) async fn policy(&self) -> Arc<Policy> {
        let (policy, news) = self.look_at_policy();
        for event in news {
            self.note(event).await;
        }
        policy
    }

    /// The policy in force, for what shows and does nothing: a document that changed is recorded
    /// meanwhile, because opening the record may take long and a list does not wait for it.
    pub(super) fn policy_to_show_by(&self) -> Arc<Policy> {
        let (policy, news) = self.look_at_policy();
        if !news.is_empty() {
            let gateway = self.clone();
            self.parts.recording.spawn(async move {
                for event in news {
                    gateway.note(event).await;
                }
            });
        }
        policy
    }

    /// What settings have asked for in vain, for whoever asks first.
    pub(super) fn refused_settings(&self) -> Option<Event> {
        let refused = self.parts.refused.lock();
        let refused = refused.unwrap_or_else(PoisonError::into_inner).take();
        refused.map(|why| Event::SettingsRefused { why })
    }

    /// The policy with what there is to record before it is followed.
    fn look_at_policy(&self) -> (Arc<Policy>, Vec<Event>) {
        let refused = self.refused_settings();
        let in_force = self.parts.rules.in_force();
        let digest = in_force.policy.digest().into();
        let loaded = in_force.changed.map(|loaded| Event::PolicyLoaded {
            digest,
            file: self.parts.rules.place(),
            error: loaded.err(),
        });
        (in_force.policy, refused.into_iter().chain(loaded).collect())
    }
}

fn sees_the_same(one: &Snapshot, other: &Snapshot) -> bool {
    one.identity == other.identity && one.roles == other.roles && one.scopes == other.scopes
}
